# SPDX-License-Identifier: BSD-2-Clause
"""More issuers than are kept."""

import socket

from bed import DEADLINE_S
from bed_helper import block, write_file

KEPT = 256
AT_ONCE = 32


def test_one_that_is_spoken_of_is_kept(helper):
    """Whoever is told that a search was in vain makes room for the next."""
    silent = socket.create_server(("127.0.0.1", 0), backlog=64)
    silent.settimeout(DEADLINE_S)
    dead = socket.create_server(("127.0.0.1", 0))
    ports = [silent.getsockname()[1], dead.getsockname()[1]]
    dead.close()
    last = KEPT - AT_ONCE + 1     # of those whose issuer is refused
    blocks = []
    for i in range(KEPT + 1):
        port = ports[0 < i < last]
        issuer = f"https://127.0.0.1:{port}/{i}"
        keys = {**helper.provider, "token_endpoint": None, "issuer": issuer,
                "device_authorization_endpoint": None}
        blocks.append(block("provider", f"p{i}", keys))
        helper.seed(f"a{i}@example.org", age=4000, provider=f"p{i}",
                    issuer=issuer, token_endpoint="")
    write_file(helper.config, "".join(blocks[:-1]))
    helper.start()

    def asking(i):
        return helper.connect().send("token", account=f"a{i}@example.org",
                                     server="localhost")

    first = asking(0)
    search = silent.accept()[0]
    for i in range(1, last):
        assert asking(i).next()["result"] == "try-later"
    waiting = [asking(i) for i in range(last, KEPT)]
    searches = [silent.accept()[0] for _ in waiting]
    write_file(helper.config, "".join(blocks[:1] + blocks[2:]))
    assert helper.ask("reload")["result"] == "ok"
    waiting.append(asking(KEPT))
    assert helper.ask("version")["result"] == "ok"
    search.close()
    assert first.next()["result"] == "try-later"
    searches.append(silent.accept()[0])
    for search in searches:
        search.close()
    assert {w.next()["result"] for w in waiting} == {"try-later"}
    silent.close()
