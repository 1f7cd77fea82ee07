# SPDX-License-Identifier: BSD-2-Clause
"""Keys and files of applications that sign in for themselves.

Owns: throw-away RSA keys and certificates made with openssl(1), and the
settings of a bed and its provider for each way.
"""

import json
import os
import subprocess
from pathlib import Path

from bed import write_file

APP = "relay-app"
PASSPHRASE = "not the passphrase of anything"


def openssl(*args):
    """Run it; its output."""
    done = subprocess.run(["openssl", *args], capture_output=True,
                          text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Keys:
    """Keys in a folder, made once a session."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def path(self, name):
        """A file of the folder."""
        return str(self.folder / name)

    def certificate(self, stem="app", days=30, bits=2048):
        """Certificate and key files; days 0: it has expired."""
        cert, key = self.path(f"{stem}.crt"), self.path(f"{stem}.key")
        if os.path.exists(cert):
            return cert, key
        openssl("req", "-x509", "-newkey", f"rsa:{bits}", "-nodes",
                "-keyout", key, "-out", cert, "-days", str(days or 1),
                "-subj", "/CN=relay")
        if days == 0:
            self._expire(stem, cert, key)
        return cert, key

    def _expire(self, stem, cert, key):
        request, conf = self.path(f"{stem}.csr"), self.path(f"{stem}.cnf")
        index, serial = self.path(f"{stem}.idx"), self.path(f"{stem}.srl")
        openssl("req", "-new", "-key", key, "-out", request,
                "-subj", "/CN=relay")
        Path(index).write_text("")
        Path(serial).write_text("01\n")
        Path(conf).write_text(
            f"[ca]\ndefault_ca=here\n[here]\ndatabase={index}\n"
            f"serial={serial}\nnew_certs_dir={self.folder}\n"
            "default_md=sha256\npolicy=any\n[any]\ncommonName=supplied\n")
        openssl("ca", "-batch", "-config", conf, "-selfsign", "-keyfile",
                key, "-in", request, "-out", cert, "-notext",
                "-startdate", "20200101000000Z", "-enddate",
                "20210101000000Z")

    def encrypted(self, stem="app"):
        """The key of a certificate, under the passphrase."""
        out = self.path(f"{stem}.enc.key")
        openssl("pkcs8", "-topk8", "-in", self.certificate(stem)[1], "-out",
                out, "-passout", f"pass:{PASSPHRASE}")
        return out

    def service_account(self, kid="key-1"):
        """The JSON key file of a service account, and its public key."""
        _cert, key = self.certificate("service")
        text = Path(key).read_text()
        public = openssl("pkey", "-in", key, "-pubout")
        data = {"type": "service_account", "project_id": "mail",
                "private_key_id": kid, "private_key": text,
                "client_email": "relay@mail.iam.example",
                "client_id": "1234567890",
                "token_uri": "https://elsewhere.invalid/token"}
        return json.dumps(data), public


def put_secret(bed, name, text, mode=0o640):
    """A file that the bed's helper may read and others may not."""
    path = bed.path(name)
    write_file(path, text, mode)
    os.chown(path, os.geteuid(), bed.user.pw_gid)
    bed.secrets_kept.append(text)
    return path


def configure(bed, more="account *@example.org\n    provider test",
              **keys):
    """An app-only provider and who uses it."""
    base = {"device_authorization_endpoint": None, "client_id": APP,
            "scope": ["https://mail.example/.default"],
            "flow": "client-credentials"}
    bed.configure(more=more, **{**base, **keys})
