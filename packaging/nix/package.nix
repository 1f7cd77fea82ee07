# SPDX-License-Identifier: BSD-2-Clause
{
  lib,
  stdenv,
  fetchurl,
  pkg-config,
  cmocka,
  curl,
  cyrus_sasl,
  jansson,
  libevent,
  openssl,
  python3,
  qrencode,
}:

stdenv.mkDerivation (finalAttrs: {
  pname = "mailtoken";
  version = "0.1.0";

  src = fetchurl {
    url =
      "https://mailtoken.example/releases/"
      + "mailtoken-${finalAttrs.version}.tar.xz";
    # The first build says what it is.
    hash = lib.fakeHash;
  };

  nativeBuildInputs = [ pkg-config ];
  buildInputs = [
    curl
    cyrus_sasl
    jansson
    libevent
    openssl
    qrencode
  ];
  nativeCheckInputs = [ python3 ];
  checkInputs = [ cmocka ];

  configureFlags = [
    "--localstatedir=/var"
    "--with-sasl-plugindir=${placeholder "out"}/lib/sasl2"
    "--with-systemdsystemunitdir=${placeholder "out"}/lib/systemd/system"
    "--with-systemduserunitdir=${placeholder "out"}/lib/systemd/user"
  ];
  # What make install would make in /etc.
  installFlags = [ "system_config=$(out)/etc/mailtoken/mailtoken.conf" ];

  postPatch = "patchShebangs tests";

  enableParallelBuilding = true;
  doCheck = true;

  # For programs that are to find the plugin.  libsasl2 looks nowhere else
  # once this is set: its own plugins (PLAIN, SCRAM) have to be named, too.
  passthru.saslPath = lib.makeSearchPath "lib/sasl2" [
    finalAttrs.finalPackage
    cyrus_sasl.out
  ];

  meta = {
    description = "OAuth2 for programs that use Cyrus SASL";
    homepage = "https://mailtoken.example/mailtoken";
    license = lib.licenses.bsd2;
    mainProgram = "mailtoken";
    platforms = lib.platforms.linux;
  };
})
