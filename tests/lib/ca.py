# SPDX-License-Identifier: BSD-2-Clause
"""A throw-away certificate authority for tests, made with openssl(1).

Owns: a directory with ca.pem, ca.key and server certificates for the
loopback names, among them bad ones (expired, wrong name).  The keys are
worth nothing: never trust this authority outside a test.
"""

import argparse
import os
import subprocess
import sys

LOOPBACK = ("DNS:localhost", "IP:127.0.0.1", "IP:::1")

CA_CONF = """[req]
distinguished_name = dn
x509_extensions = ext
prompt = no
[dn]
CN = {name}
[ext]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
"""

# clientAuth too, since some servers check their own certificate as a client.
LEAF_CONF = """basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {names}
"""

# "openssl ca" is the one command of OpenSSL 3.0 that sets a past date.
DATED_CONF = """[ca]
default_ca = here
[here]
dir = {dir}
new_certs_dir = {dir}
database = {dir}/{stem}.index
serial = {dir}/{stem}.serial
certificate = {dir}/ca.pem
private_key = {dir}/ca.key
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
"""


def _openssl(*args):
    done = subprocess.run(["openssl", *args], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL)
    if done.returncode:
        raise RuntimeError(f"openssl {args[0]}: {done.stderr.strip()}")


class Authority:
    """A certificate authority in a directory; made there if missing."""

    def __init__(self, directory, name="mailtoken test CA"):
        self.directory = str(directory)
        os.makedirs(self.directory, exist_ok=True)
        self.ca_file = self._path("ca.pem")
        self._key = self._path("ca.key")
        if not os.path.exists(self.ca_file):
            self._make(name)

    def server(self, names=(), stem="server"):
        """Certificate and key for the loopback names and more DNS names.

        Returns (certificate file, key file).  A certificate that stands
        there already for the same names is used again."""
        wanted = ",".join([*LOOPBACK, *(f"DNS:{n}" for n in names)])
        return self._leaf(stem, wanted)

    def client(self):
        """A certificate without a common name, as etcd's gateway wants it
        of who sends a user and a password, too."""
        return self._leaf("client", ",".join(LOOPBACK), subject="/O=mail")

    def wrong_name(self):
        """A certificate of this authority for another host only."""
        return self._leaf("wrong-name", "DNS:wrong.example")

    def expired(self):
        """A certificate for the loopback names that ended in 2020."""
        return self._leaf("expired", ",".join(LOOPBACK), dated=True)

    def _path(self, name):
        return os.path.join(self.directory, name)

    def _write(self, name, text):
        with open(self._path(name), "w") as out:
            out.write(text)
        return self._path(name)

    def _make(self, name):
        conf = self._write("ca.conf", CA_CONF.format(name=name))
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                 "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650",
                 "-config", conf, "-keyout", self._key, "-out", self.ca_file)

    def _leaf(self, stem, names, dated=False, subject=None):
        cert, key = self._path(stem + ".pem"), self._path(stem + ".key")
        conf_name = stem + ".conf"
        text = LEAF_CONF.format(names=names)
        if os.path.exists(cert) and os.path.exists(self._path(conf_name)):
            with open(self._path(conf_name)) as old:
                if old.read() == text:
                    return cert, key
        request = self._path(stem + ".csr")
        _openssl("req", "-new", "-newkey", "ec", "-pkeyopt",
                 "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
                 subject or f"/CN={stem}.mailtoken.test", "-keyout", key,
                 "-out", request)
        conf = self._write(conf_name, text)
        if dated:
            self._sign_dated(stem, request, conf, cert)
        else:
            _openssl("x509", "-req", "-in", request, "-CA", self.ca_file,
                     "-CAkey", self._key, "-CAcreateserial", "-days", "825",
                     "-sha256", "-extfile", conf, "-out", cert)
        return cert, key

    def _sign_dated(self, stem, request, conf, cert):
        self._write(stem + ".index", "")
        self._write(stem + ".serial", "1000\n")
        dated = self._write(stem + ".ca.conf", DATED_CONF.format(
            dir=self.directory, stem=stem))
        _openssl("ca", "-batch", "-notext", "-config", dated, "-in", request,
                 "-extfile", conf, "-startdate", "20190101000000Z",
                 "-enddate", "20200101000000Z", "-out", cert)


def main(argv=None):
    """python3 -m ca DIR [--name NAME ...] [--bad]: print the files made."""
    parser = argparse.ArgumentParser(description="make a test authority")
    parser.add_argument("directory")
    parser.add_argument("--name", action="append", default=[],
                        help="another DNS name for the server certificate")
    parser.add_argument("--bad", action="store_true",
                        help="also an expired and a wrong-name certificate")
    options = parser.parse_args(argv)
    authority = Authority(options.directory)
    print(f"ca={authority.ca_file}")
    made = [authority.server(options.name)]
    if options.bad:
        made += [authority.expired(), authority.wrong_name()]
    for cert, key in made:
        print(f"certificate={cert}\nkey={key}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
