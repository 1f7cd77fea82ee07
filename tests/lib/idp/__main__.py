# SPDX-License-Identifier: BSD-2-Clause
"""python3 -m idp: the identity provider as a process of its own.

Prints name=value lines (url, ca, control-secret, clients) and is quiet
from then on.
"""

import argparse
import json
import sys

import bed
from . import TLS_WAYS, Idp


def _parse(argv):
    parser = argparse.ArgumentParser(
        prog="idp", description="a strict OAuth 2.0 provider for tests, on "
        "127.0.0.1; people approve at URL/activate, programs by "
        "URL/control/")
    parser.add_argument("--ca", metavar="DIR",
                        help="directory of the test authority; made there "
                        "if missing (default: a temporary one)")
    parser.add_argument("--port", type=int, default=0,
                        help="default: the kernel chooses")
    parser.add_argument("--tls", choices=TLS_WAYS, default="good")
    parser.add_argument("--client", action="append", default=[],
                        metavar="ID[:SECRET]", help="one more client")
    parser.add_argument("--set", action="append", default=[],
                        metavar="NAME=JSON", help="a setting, as in "
                        "--set access_life=600")
    bed.add_life_options(parser)
    return parser.parse_args(argv)


def main(argv=None):
    """Run until SIGTERM."""
    options = _parse(argv)
    bed.block_ends()
    idp = Idp(options.ca)
    for text in options.set:
        name, _, value = text.partition("=")
        idp.set(**{name: json.loads(value)})
    for text in options.client:
        name, _, secret = text.partition(":")
        idp.add_client(name, secret or None)
    idp.start(options.tls, options.port)
    bed.announce(options, idp.port, {
        "url": idp.url, "ca": idp.ca_file,
        "control-secret": idp.control_secret,
        "public-client": "mail-app",
        "secret-client": "mail-web", "client-secret": idp.client_secret,
        "introspect-client": "mail-server",
        "introspect-secret": idp.introspect_secret})
    bed.wait_for_end(options.parent)
    idp.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
