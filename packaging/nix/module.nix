# SPDX-License-Identifier: BSD-2-Clause
# NixOS: the helper, and a Postfix that finds the plugin.  The configuration is
# environment.etc."mailtoken/mailtoken.conf".
{
  config,
  lib,
  pkgs,
  ...
}:

let
  mailtoken = pkgs.callPackage ./package.nix { };
  withPostfix = config.services.postfix.enable;
in
{
  environment.systemPackages = [ mailtoken ];

  users.groups.mailtoken = { };
  users.users.mailtoken = {
    isSystemUser = true;
    group = "mailtoken";
    home = "/var/lib/mailtoken";
  };
  systemd.tmpfiles.packages = [ mailtoken ];

  # NixOS reads no [Install] of a unit.
  systemd.packages = [ mailtoken ];
  systemd.sockets.mailtoken.wantedBy = [ "sockets.target" ];
  systemd.services.mailtokend.wantedBy = [ "multi-user.target" ];
  systemd.timers.mailtoken-renew.wantedBy = [ "timers.target" ];

  # smtp(8) is in no chroot here: it takes the first socket.
  systemd.sockets.mailtoken.socketConfig = lib.mkIf withPostfix {
    SocketGroup = "postfix";
  };
  # Postfix's own list, and where it is to look for plugins.
  services.postfix.settings.main.import_environment = lib.mkIf withPostfix (
    lib.concatStringsSep " " [
      "MAIL_CONFIG"
      "MAIL_DEBUG"
      "MAIL_LOGTAG"
      "TZ"
      "XAUTHORITY"
      "DISPLAY"
      "LANG=C"
      "POSTLOG_SERVICE"
      "POSTLOG_HOSTNAME"
      "SASL_PATH=${mailtoken.saslPath}"
    ]
  );
}
