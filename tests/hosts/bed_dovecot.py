# SPDX-License-Identifier: BSD-2-Clause
"""A Dovecot of its own for tests: IMAP, POP3 and submission.

Owns: a configuration below a temporary directory, ports of 127.0.0.1,
XOAUTH2 and OAUTHBEARER only, whose tokens are checked at the identity
provider of tests/lib (RFC 7662); submission hands mail to a Sink.
Touches neither /etc/dovecot nor a Dovecot that runs.
"""

import os
import pwd
import subprocess

from bed import free_port, is_listening, wait_for
from bed_process import ServerProcess

OAUTH2 = """\
introspection_mode = post
introspection_url = {url}/introspect
client_id = mail-server
client_secret = {secret}
force_introspection = yes
active_attribute = active
active_value = true
username_attribute = username
tls_ca_cert_file = {ca}
openid_configuration_url = {url}/.well-known/openid-configuration
"""

COMMON = """\
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/log
protocols = imap pop3 submission
listen = 127.0.0.1
hostname = localhost
ssl = required
auth_mechanisms = xoauth2 oauthbearer
auth_failure_delay = 0 secs
first_valid_uid = 1
submission_relay_host = 127.0.0.1
submission_relay_port = {sink}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = 0
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
service submission-login {{
  inet_listener submission {{
    port = {submission}
  }}
}}
namespace inbox {{
  inbox = yes
}}
"""

# What Dovecot 2.4 writes otherwise.
OLDER = """\
ssl_cert = <{cert}
ssl_key = <{key}
mail_location = maildir:~/mail
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {dir}/oauth2.conf
}}
userdb {{
  driver = static
  args = allow_all_users=yes uid={uid} gid={gid} home={dir}/home/%u
}}
"""

NEWER = """\
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
ssl_server_cert_file = {cert}
ssl_server_key_file = {key}
mail_driver = maildir
mail_path = ~/mail
oauth2 {{
  introspection_mode = post
  introspection_url = https://mail-server:{secret}@{host}/introspect
  force_introspection = yes
  active_attribute = active
  active_value = true
  username_attribute = username
  ssl_client_ca_file = {ca}
  openid_configuration_url = {url}/.well-known/openid-configuration
}}
passdb oauth2 {{
  mechanisms_filter = xoauth2 oauthbearer
}}
userdb static {{
  static_allow_all_users = yes
  fields {{
    uid = {uid}
    gid = {gid}
    home = {dir}/home/%{{user}}
  }}
}}
"""

PORTS = ("imap", "imaps", "pop3s", "submission")


class Dovecot(ServerProcess):
    """One server; ports are imap (STARTTLS), imaps, pop3s, submission."""

    def __init__(self, idp, sink_port, mail_user="nobody"):
        super().__init__("dovecot-")
        self._idp = idp
        self._sink_port = sink_port
        self._mail = pwd.getpwnam(mail_user)
        self.ca_file = idp.ca_file
        self.imap = self.imaps = self.pop3s = self.submission = 0

    def start(self):
        """Start on free ports.  Returns self."""
        for name in ("run", "state", "home"):
            os.makedirs(self.path(name), exist_ok=True)
        os.chown(self.path("home"), self._mail.pw_uid, self._mail.pw_gid)
        self._configure()
        self.launch("/usr/sbin/dovecot", "-F", "-c",
                    self.path("dovecot.conf"))
        wait_for(lambda: not self.alive() or is_listening(self.imaps))
        assert self.alive(), "dovecot: " + self.output() + self.log()
        return self

    def _configure(self):
        ports = {name: free_port() for name in PORTS}
        for name, port in ports.items():
            setattr(self, name, port)
        cert, key = self._idp.authority.server()
        filled = {"dir": self.directory, "cert": cert, "key": key,
                  "sink": self._sink_port, "uid": self._mail.pw_uid,
                  "gid": self._mail.pw_gid, "url": self._idp.url,
                  "host": self._idp.url.removeprefix("https://"),
                  "secret": self._idp.introspect_secret,
                  "ca": self.ca_file, **ports}
        self.write("oauth2.conf", OAUTH2.format(**filled), 0o600)
        version = subprocess.run(["/usr/sbin/dovecot", "--version"],
                                 capture_output=True, text=True).stdout
        way = OLDER if version.startswith("2.3.") else NEWER
        self.write("dovecot.conf", (way + COMMON).format(**filled), 0o600)
