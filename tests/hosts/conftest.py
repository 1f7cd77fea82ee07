# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of real mail programs share: servers that are ours.

Every fixture ends what it started, whatever became of the test.
"""

import glob
import os
import shutil
import sys
import tempfile

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in (HERE, os.path.join(HERE, "..", "lib")):
    sys.path.insert(0, os.path.abspath(folder))

import paths                                            # noqa: E402
from bed_dovecot import Dovecot                         # noqa: E402
from bed_postfix import USER, Postfix                       # noqa: E402
from idp import Idp                                     # noqa: E402
from leaks import leaked                                # noqa: E402
from scripted_helper import ScriptedHelper              # noqa: E402
from sink import Sink                                   # noqa: E402
from smarthost import Smarthost                         # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def as_root():
    """Postfix and Dovecot change their uid, so root has to start them."""
    if os.getuid() != 0:
        pytest.skip("needs root: the servers change their uid")
    os.umask(0o022)    # other users must get at what is made here


@pytest.fixture(scope="module")
def idp():
    """An identity provider whose files Dovecot may read."""
    with Idp(interval=1) as server:
        os.chmod(server.authority.directory, 0o755)
        yield server


@pytest.fixture(scope="module")
def sink():
    """Where Dovecot's submission service hands mail to."""
    with Sink() as server:
        yield server


@pytest.fixture(scope="module")
def dovecot(idp, sink):
    """A Dovecot that takes the tokens of idp."""
    with Dovecot(idp, sink.port) as server:
        yield server


@pytest.fixture(scope="session")
def sasl_path():
    """SASL_PATH: a directory with the plugin alone, then the system's."""
    if not paths.module().exists():
        pytest.skip(f"{paths.module()} is not built")
    directory = tempfile.mkdtemp(prefix="sasl-")
    os.chmod(directory, 0o755)
    shutil.copy(paths.module(), directory + "/libmailtoken.so")
    system = [os.path.dirname(name) for name in
              glob.glob("/usr/lib/*/sasl2/libplain.so")]
    # An installed one is among the system's.
    yield ":".join(system if paths.INSTALLED else [directory, *system])
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def smarthost(idp):
    """A submission server that takes the tokens of idp."""
    with Smarthost(idp.introspect, idp.authority.directory) as server:
        server.auth_line_max = 70000
        yield server


@pytest.fixture(scope="module")
def postfix(idp, smarthost, sasl_path):
    """A chrooted Postfix that relays through smarthost.

    No secret may stand in its log when the tests are done."""
    with Postfix(("localhost", smarthost.port, smarthost.ca_file),
                 sasl_path=sasl_path) as box:
        yield box
        box.end()
        assert not leaked(box.log(), idp.secrets() | smarthost.secrets())


@pytest.fixture(scope="module")
def jail_helper(postfix):
    """A scripted helper whose socket is in the jail of postfix."""
    with ScriptedHelper(postfix.in_jail()) as helper:
        yield helper


@pytest.fixture
def helper(idp, smarthost, postfix, jail_helper):
    """The scripted helper, with a live token, and an empty queue."""
    jail_helper.clear()
    jail_helper.requests.clear()
    smarthost.refuse_all = False
    smarthost.refusals.clear()
    smarthost.style = "google"
    smarthost.messages.clear()
    smarthost.exchanges.clear()
    smarthost.commands.clear()
    jail_helper.token = idp.seed(USER).access_token
    postfix.mark()
    yield jail_helper
    jail_helper.clear()
    jail_helper.token = idp.seed(USER).access_token
    smarthost.refuse_all = False
    if not os.path.exists(jail_helper.path):
        jail_helper.start()
    postfix.wait_empty()
