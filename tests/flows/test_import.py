# SPDX-License-Identifier: BSD-2-Clause
"""Grants of other programs come in, our own go out and come back."""

import json
import os
import pty
import re
import secrets
import shutil
import subprocess
from pathlib import Path

import pytest

import paths
from bed import DEADLINE_S, wait_for, write_file
from bed_helper import ROOT, SCOPE

JO, ANN = "jo@example.org", "ann@example.org"
FOREIGN = "old-program"


@pytest.fixture
def bed(helper):
    """A helper whose configuration does not know the old client."""
    helper.secret = secrets.token_urlsafe(30)
    helper.idp.add_client(FOREIGN, helper.secret)
    return helper


def token_file(bed, name=JO, account=JO, **more):
    """A token file as sasl-xoauth2 keeps it; its path."""
    seeded = bed.idp.seed(account, client_id=FOREIGN, scope=SCOPE)
    data = {"access_token": seeded.access_token, "expiry": "1",
            "refresh_token": seeded.refresh_token}
    data.update(more)
    path = bed.path(name)
    write_file(path, json.dumps({k: v for k, v in data.items()
                                 if v is not None}), 0o600)
    return path


def conf_file(bed, **more):
    """Its configuration; the path."""
    path = bed.path("sasl-xoauth2.conf")
    write_file(path, json.dumps({
        "client_id": FOREIGN, "client_secret": bed.secret,
        "token_endpoint": f"{bed.idp.url}/token",
        "ca_bundle_file": bed.provider["ca_file"], **more}), 0o600)
    return path


def mailtoken(bed, *words, data=None, status=0, out=None):
    """Run the command; its result."""
    done = subprocess.run(
        [str(paths.program("mailtoken")), "--socket", bed.socket, *words],
        input=data, stdout=out or subprocess.PIPE, stderr=subprocess.PIPE,
        stdin=None if data is not None else subprocess.DEVNULL,
        timeout=DEADLINE_S, env={"PATH": "/usr/bin:/bin"})
    assert done.returncode == status, (done.stdout, done.stderr)
    return done


def sasl_xoauth2(bed, *files, status=0, **conf):
    """Import token files."""
    return mailtoken(bed, "import", "sasl-xoauth2", "--config",
                     conf_file(bed, **conf), *files, status=status)


def record(bed, **more):
    """A record that brings its client, as the request has it."""
    return {"account": JO, "provider": "import:old", "flow": "import",
            "token-host": f"localhost:{bed.idp.port}",
            "token-endpoint": f"{bed.idp.url}/token", "client-id": FOREIGN,
            "refresh-token": "abc", **more}


def test_postfix_keeps_sending_after_an_import(bed, idp):
    bed.configure(provider_name="another")
    path = token_file(bed)
    bed.start()
    done = sasl_xoauth2(bed, "--server", "relay.example.net", path)
    assert b"jo@example.org is imported" in done.stdout
    answer = bed.token(server="relay.example.net")
    assert (answer["result"], answer["login"]) == ("ok", JO)
    assert idp.introspect(answer["token"])["client_id"] == FOREIGN
    assert idp.introspect(answer["token"])["username"] == JO
    record = bed.record()
    assert record["client-id"] == FOREIGN
    assert record["token-host"] == f"localhost:{idp.port}"
    assert record["refresh-token"] == idp.current_refresh(JO)


def test_what_is_left_to_do_is_printed(bed):
    path = token_file(bed)
    bed.start()
    said = sasl_xoauth2(bed, path).stderr.decode()
    for word in ("sasl_passwd", "main.cf", "postmap", "xoauth2",
                 "remove sasl-xoauth2"):
        assert word in said
    # Nothing has shown yet that the grant works.
    assert said.index("mailtoken refresh") < said.index("remove sasl-xoauth2")
    assert bed.status()["text"] == (
        "imported, and not renewed yet: whether the grant works shows when "
        "you run: mailtoken refresh jo@example.org")
    assert bed.ask("refresh", account=JO)["result"] == "ok"
    assert "text" not in bed.status()


def test_what_is_assumed_is_said(bed):
    path = token_file(bed)
    bed.start()
    said = sasl_xoauth2(bed, path, token_endpoint="").stderr.decode()
    assert "no token_endpoint" in said and "Google was assumed" in said
    assert bed.record()["provider"] == "import:google"
    said = sasl_xoauth2(bed, "--replace", path).stderr.decode()
    assert "assumed" not in said


@pytest.mark.parametrize("name, value", (
    ("client_id", "CLIENT_ID_GOES_HERE"),
    ("client_id", "client ID goes here"),
    ("client_id", "<your client id>"),
    ("client_id", "YOUR_CLIENT_ID"),
    ("client_id", "..."),
    ("client_id", "00000000-1111-2222-3333-444444444444"),
    ("client_secret", "CLIENT_SECRET_GOES_HERE"),
    ("client_secret", "client secret, if required, goes here"),
    ("refresh_token", "REFRESH-TOKEN-GOES-HERE"),
))
def test_placeholder_of_a_sample_is_refused_by_name(bed, name, value):
    path = token_file(bed, **{name: value})
    bed.start()
    done = sasl_xoauth2(bed, path, status=1)
    said = done.stderr.decode()
    assert f"its {name} is" in said and "placeholder" in said, said
    assert not os.path.exists(os.path.join(bed.keyring, JO))


def use_block(bed, secret=None, **more):
    """A provider block of the imported client comes into the file."""
    keys = {"client_id": FOREIGN, "device_authorization_endpoint": None,
            **more}
    if secret is not None:
        keys["client_secret_file"] = bed.path("new-secret")
        write_file(bed.path("new-secret"), secret, 0o600)
        if ROOT:
            os.chown(bed.path("new-secret"), bed.user.pw_uid, -1)
    bed.configure(provider_name="work", **keys)
    assert bed.ask("reload")["result"] == "ok"


def states(bed):
    """All lists of status but the last."""
    with bed.connect() as line:
        return line.send("status").rest()[:-1]


@pytest.mark.parametrize("named", (False, True))
def test_new_secret_in_a_block_of_the_same_client_is_used(bed, idp, named):
    path = token_file(bed)
    bed.start()
    sasl_xoauth2(bed, "--server", "localhost", path)
    assert bed.token()["result"] == "ok"
    new = secrets.token_urlsafe(30)
    idp.add_client(FOREIGN, new)
    assert bed.ask("refresh", account=JO)["result"] == "config-error"
    bed.provider["servers"] = ["localhost", "relay.example.com"]
    use_block(bed, new)
    if named:
        write_file(bed.config, Path(bed.config).read_text() +
                   f"account {JO}\n    provider work\n")
        assert bed.ask("reload")["result"] == "ok"
    assert bed.ask("refresh", account=JO)["result"] == "ok"
    assert bed.token(server="relay.example.com")["result"] == "ok"
    (state,) = states(bed)
    assert state["state"] == "active"
    assert "relay.example.com" in state["servers"]
    bed.restart()
    assert bed.ask("refresh", account=JO)["result"] == "ok"


def test_block_without_a_secret_leaves_the_imported_one_in_force(bed):
    path = token_file(bed)
    bed.start()
    sasl_xoauth2(bed, "--server", "localhost", path)
    use_block(bed, device_authorization_endpoint=f"{bed.idp.url}/device")
    assert bed.ask("refresh", account=JO)["result"] == "ok"


def test_server_that_is_missing_is_added_as_the_answer_says(bed):
    """No provider block describes it: there is none to add servers to."""
    path = token_file(bed)
    bed.start()
    sasl_xoauth2(bed, path)
    answer = bed.token(server="relay.example.com")
    assert answer["result"] == "wrong-server"
    line, account, file = re.search(
        r"write (servers \S+) below (account \S+) in (\S+)$",
        answer["text"]).groups()
    with open(file, "a") as more:
        more.write(f"{account}\n    {line}\n")
    wait_for(lambda: bed.token(server="relay.example.com")["result"] == "ok")


def test_block_of_another_client_takes_nothing_over(bed, idp):
    path = token_file(bed)
    bed.start()
    sasl_xoauth2(bed, "--server", "localhost", path)
    idp.add_client("third", "a secret of the third client")
    use_block(bed, "a secret of the third client", client_id="third")
    assert bed.ask("refresh", account=JO)["result"] == "ok"


def test_block_with_nothing_but_endpoint_and_secret_signs_nobody_in(bed):
    """It may renew; who signs in has to be said."""
    bed.start()
    write_file(bed.path("sasl"), "")
    path = token_file(bed)
    sasl_xoauth2(bed, "--server", "localhost", path)
    use_block(bed, bed.secret)
    write_file(bed.config, Path(bed.config).read_text() +
               "account *@example.org\n    provider work\n")
    assert bed.ask("reload")["result"] == "ok"
    assert bed.ask("refresh", account=JO)["result"] == "ok"
    assert len(states(bed)) == 1
    answer = bed.token(ANN)
    assert answer["result"] == "unknown-account"
    done = mailtoken(bed, "login", ANN, status=1)
    assert b"flow client-credentials" in done.stderr


def test_grant_beside_an_application_is_one_account_in_status(bed):
    path = token_file(bed)
    bed.start()
    sasl_xoauth2(bed, "--server", "localhost", path)
    use_block(bed, bed.secret, flow="client-credentials")
    write_file(bed.config, Path(bed.config).read_text() +
               f"account {JO}\n    provider work\n")
    assert bed.ask("reload")["result"] == "ok"
    (state,) = states(bed)
    assert state["provider"] == "work"
    assert "mailtoken logout jo@example.org" in state["text"]


def test_imported_grant_outlives_a_restart(bed):
    path = token_file(bed)
    bed.start()
    sasl_xoauth2(bed, path)
    assert bed.token(server="smtp.example.org")["result"] == "ok"
    bed.restart()
    assert bed.token(server="smtp.example.org")["result"] == "ok"
    assert bed.ask("refresh", account=JO)["result"] == "ok"


def test_many_files_at_once(bed):
    files = [token_file(bed, name, name) for name in (JO, ANN)]
    bed.start()
    sasl_xoauth2(bed, *files)
    for account in (JO, ANN):
        assert bed.token(account, server="mx.example.org")["result"] == "ok"


def test_token_file_goes_before_the_configuration(bed, idp):
    idp.add_client("own-client", "a secret of the file's own")
    path = token_file(bed, client_id="own-client",
                      client_secret="a secret of the file's own",
                      refresh_token=idp.seed(
                          JO, client_id="own-client",
                          scope=SCOPE).refresh_token)
    bed.start()
    sasl_xoauth2(bed, path)
    assert bed.token(server="mx.example.org")["result"] == "ok"
    assert bed.record()["client-id"] == "own-client"


def test_user_of_the_file_is_what_servers_are_told(bed):
    path = token_file(bed, user="Shared@Example.org")
    bed.start()
    sasl_xoauth2(bed, path)
    answer = bed.token(server="mx.example.org")
    assert answer["login"] == "Shared@Example.org"


def test_user_names_the_account_of_a_file_that_has_another_name(bed):
    path = token_file(bed, "tokens.json", user=JO)
    bed.start()
    sasl_xoauth2(bed, path)
    answer = bed.token(server="mx.example.org")
    assert (answer["result"], answer["login"]) == ("ok", JO)


def test_account_option_names_the_account(bed):
    path = token_file(bed, "tokens.json")
    bed.start()
    done = sasl_xoauth2(bed, path, status=1)
    assert b"--account" in done.stderr
    sasl_xoauth2(bed, "--account", JO, path)
    assert bed.token(server="mx.example.org")["result"] == "ok"


def test_known_client_becomes_an_ordinary_account(bed, idp):
    path = token_file(bed, client_id="mail-app", client_secret="",
                      refresh_token=idp.seed(JO,
                                             scope=SCOPE).refresh_token)
    bed.start()
    sasl_xoauth2(bed, path)
    record = bed.record()
    assert record["provider"] == "test"
    assert "ca-file" not in record and "client-secret" not in record
    assert bed.token()["result"] == "ok"


def test_refresh_window_becomes_the_margin(bed):
    path = token_file(bed, refresh_window=3000)
    bed.start()
    sasl_xoauth2(bed, path)
    assert bed.token(server="mx.example.org")["result"] == "ok"
    assert bed.record()["margin"] == "3000"


def test_no_scope_is_sent_where_none_was(bed, idp):
    path = token_file(bed)
    bed.start()
    sasl_xoauth2(bed, path)
    bed.token(server="mx.example.org")
    forms = [r.form for r in idp.requests if r.endpoint == "token"]
    assert forms and all("scope" not in form for form in forms)


def test_grant_that_is_there_is_not_replaced_unasked(bed, idp):
    path = token_file(bed)
    bed.seed()
    bed.start()
    before = bed.record()
    done = sasl_xoauth2(bed, path, status=1)
    assert b"--replace" in done.stderr
    assert bed.record() == before
    sasl_xoauth2(bed, "--replace", path)
    assert bed.record()["client-id"] == FOREIGN


def test_waiter_gets_its_token_by_the_imported_grant(bed, idp):
    """The old one is of a provider that does not answer."""
    path = token_file(bed)
    bed.seed(age=4000)
    bed.start()
    idp.fault("token", "silent")
    waiter = bed.later(bed.token)
    idp.wait_request("token")
    sasl_xoauth2(bed, "--replace", "--server", "localhost", path)
    answer = waiter()
    assert answer["result"] == "ok", answer
    assert answer["token"] == bed.record()["access-token"]


def test_block_with_another_provider_refuses(bed):
    bed.configure(more=f"account {JO}\n    provider test")
    path = token_file(bed)
    bed.start()
    done = sasl_xoauth2(bed, path, status=1)
    assert b"configuration says 'test'" in done.stderr
    assert not os.path.exists(os.path.join(bed.keyring, JO))


@pytest.mark.parametrize("more, says", (
    ({"refresh_token": None}, "no refresh_token"),
    ({"refresh_token": 7}, "refresh_token"),
    ({"refresh_token": "two words"}, "cannot be kept"),
    ({"use_client_credentials": "yes"}, "client-credentials"),
    ({"manage_token_externally": True}, "another program renews"),
    ({"token_endpoint": "http://localhost/token"}, "https"),
    ({"token_endpoint": "https://"}, "https"),
    ({"refresh_window": "soon"}, "refresh_window"),
    ({"refresh_window": -1}, "refresh_window"),
    ({"ca_certs_dir": "relative"}, "ca_path"),
    ({"client_id": 7}, "client_id"),
    ({"proxy": "a\nb"}, "cannot be"),
    ({"ca_bundle_file": "relative.pem"}, "ca_file"),
))
def test_file_that_cannot_be_used_is_refused_with_the_reason(bed, more,
                                                             says):
    path = token_file(bed, **more)
    bed.start()
    done = mailtoken(bed, "import", "sasl-xoauth2", "--config",
                     conf_file(bed), path, status=1)
    assert says in done.stderr.decode()
    with open(path, encoding="utf-8") as file:
        token = json.load(file).get("refresh_token")
    assert str(token).encode() not in done.stderr or token == 7
    assert not os.path.exists(os.path.join(bed.keyring, JO))


@pytest.mark.parametrize("text", ("", "{", "[]", "null", '"x"',
                                  '{"refresh_token":"a","refresh_token":'
                                  '"b"}', "[" * 1000, "\0", "{}"))
def test_damaged_file_is_refused(bed, text):
    path = bed.path(JO)
    write_file(path, text, 0o600)
    bed.start()
    assert mailtoken(bed, "import", "sasl-xoauth2", "--config",
                     conf_file(bed), path, status=1).stderr


def mutt(bed, **more):
    """A decrypted token file of mutt_oauth2.py."""
    seeded = bed.idp.seed(JO, client_id=FOREIGN, scope=SCOPE)
    return json.dumps({
        "registration": "microsoft", "authflow": "devicecode", "email": JO,
        "access_token": seeded.access_token,
        "access_token_expiration": "2020-01-01T00:00:00",
        "refresh_token": seeded.refresh_token, "client_id": FOREIGN,
        "client_secret": bed.secret, **more}).encode()


def test_mutt_oauth2_comes_in_by_standard_input(bed):
    bed.start()
    done = mailtoken(bed, "import", "mutt_oauth2", data=mutt(bed))
    assert b"jo@example.org is imported (provider import:microsoft)" \
        in done.stdout
    record = bed.record()
    assert record["token-endpoint"] == \
        "https://login.microsoftonline.com/common/oauth2/v2.0/token"
    assert record["tenant"] == "common"
    assert "SMTP.Send" in record["scope"]
    assert bed.status()["servers"].startswith("smtp.office365.com")


def test_mutt_oauth2_of_google(bed):
    bed.start()
    mailtoken(bed, "import", "mutt_oauth2",
              data=mutt(bed, registration="google"))
    assert bed.record()["provider"] == "import:google"
    assert bed.record()["token-host"] == "accounts.google.com"


def test_mutt_oauth2_with_an_unknown_registration(bed):
    bed.start()
    done = mailtoken(bed, "import", "mutt_oauth2",
                     data=mutt(bed, registration="elsewhere"), status=1)
    assert b"registration" in done.stderr


def test_mutt_oauth2_whose_client_stands_in_the_script(bed):
    bed.start()
    done = mailtoken(bed, "import", "mutt_oauth2", status=1,
                     data=mutt(bed, client_id="", client_secret=""))
    assert b"no client_id" in done.stderr
    assert b"mailtoken login" in done.stderr
    assert b"--config" not in done.stderr


def test_export_and_import_move_grants_to_another_helper(bed, beds, idp):
    for account in (JO, ANN):
        bed.seed(account)
    bed.start()
    before = {a: bed.record(a) for a in (JO, ANN)}
    out = mailtoken(bed, "export").stdout
    assert bed.stop() == 0
    other = beds()
    other.start()
    mailtoken(other, "import", "mailtoken", data=out)
    for account in (JO, ANN):
        new = {k: v for k, v in other.record(account).items()
               if k != "asked"}
        assert new == {k: v for k, v in before[account].items()
                       if k != "asked"}
        assert other.token(account)["token"] == \
            before[account]["access-token"]
    assert other.ask("refresh", account=JO)["result"] == "ok"


def test_export_of_one_account(bed):
    for account in (JO, ANN):
        bed.seed(account)
    bed.start()
    out = mailtoken(bed, "export", JO).stdout.decode()
    assert out.startswith("mailtoken-entry=1\naccount=jo@example.org\n")
    assert ANN not in out and out.endswith("\n\n")


def test_old_token_of_a_backup_is_not_served(bed, beds):
    bed.seed(age=4000)
    bed.start()
    out = mailtoken(bed, "export", JO).stdout
    assert bed.stop() == 0
    other = beds()
    other.start()
    mailtoken(other, "import", "mailtoken", data=out)
    old = [l for l in out.decode().split("\n")
           if l.startswith("access-token=")][0].partition("=")[2]
    assert other.token()["token"] != old


def test_export_names_what_it_cannot_read_and_goes_on(bed):
    bed.seed(JO)
    bed.seed(ANN)
    bed.write_record(ANN, "rubbish\n")
    bed.start()
    done = mailtoken(bed, "export", status=1)
    assert b"account=jo@example.org" in done.stdout
    assert b"ann@example.org is not exported" in done.stderr


def test_export_to_a_terminal_is_refused(bed):
    bed.seed()
    bed.start()
    ours, theirs = pty.openpty()
    try:
        done = mailtoken(bed, "export", status=2, out=theirs)
    finally:
        os.close(theirs)
        os.close(ours)
    assert b"refresh tokens" in done.stderr


def test_import_from_a_terminal_is_refused(bed):
    bed.start()
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [str(paths.program("mailtoken")), "--socket", bed.socket, "import",
         "mailtoken"], stdin=theirs, capture_output=True, timeout=DEADLINE_S)
    os.close(theirs)
    os.close(ours)
    assert done.returncode == 2 and b"terminal" in done.stderr


def test_damaged_backup_is_refused(bed, beds):
    bed.seed()
    bed.start()
    out = mailtoken(bed, "export").stdout
    assert bed.stop() == 0
    other = beds()
    other.start()
    for damaged in (out[:-1], out[:200], b"rubbish", b"\n\n",
                    out.replace(b"mailtoken-entry", b"mailtoken"),
                    b"\0" * 100, b"x" * 200000):
        done = subprocess.run(
            [str(paths.program("mailtoken")), "--socket", other.socket,
             "import", "mailtoken"], input=damaged, capture_output=True,
            timeout=DEADLINE_S)
        assert done.returncode in (1, 2), damaged[:40]
        assert done.stderr
    assert other.token()["result"] == "unknown-account"


def test_import_is_for_admins_and_export_for_root(bed, root):
    bed.configure(more="admin daemon")
    bed.seed(ANN)
    bed.start()
    ask = record(bed)
    assert bed.ask("import", uid=2, **ask)["result"] == "denied"
    assert bed.ask("import", uid=1, **ask)["result"] == "ok"
    for uid in (1, 2):
        answer = bed.ask("export", uid=uid, account=ANN)
        assert answer["result"] == "denied"
        assert "refresh-token" not in answer


def test_attributes_of_export_are_those_of_import(bed):
    bed.seed(refresh_token="r" * 16000, access_token="a" * 65000)
    bed.start()
    with bed.connect() as line:
        out, end = line.send("export", account=JO).rest()
    assert end["result"] == "ok"
    assert out["refresh-token"] == "r" * 16000
    before = bed.record()
    answer = bed.ask("import", **out)
    assert answer["result"] == "bad-request"
    assert "--replace" in answer["text"]
    assert bed.ask("import", replace="yes", **out)["result"] == "ok"
    after = bed.record()
    assert all(after[name] == before[name] for name in before)


@pytest.mark.parametrize("more", (
    {"provider": None}, {"account": None}, {"account": ""},
    {"refresh-token": "two words"}, {"refresh-token": "r" * 16001},
    {"expires": "soon"}, {"state": "no such state"},
    {"issuer": "i" * 60000, "scope": "s" * 40000}))
def test_what_is_no_record_is_a_bad_request(bed, more):
    bed.start()
    answer = bed.ask("import", **{
        k: v for k, v in record(bed, **more).items() if v is not None})
    assert answer["result"] == "bad-request"
    assert bed.token()["result"] == "unknown-account"


@pytest.mark.parametrize("more", (b"replace=yes", b"verb=forget"))
def test_a_backup_gives_no_orders(bed, more):
    bed.seed()
    bed.start()
    out = mailtoken(bed, "export").stdout
    before = bed.record()
    done = mailtoken(bed, "import", "mailtoken", status=1,
                     data=out[:-1] + more + b"\n\n")
    assert b"a record is not imported" in done.stderr
    assert bed.record() == before


def test_a_record_that_is_damaged_does_not_stop_the_others(bed, beds):
    for account in (JO, ANN):
        bed.seed(account)
    bed.start()
    ann, jo, _ = mailtoken(bed, "export").stdout.split(b"\n\n")
    assert bed.stop() == 0
    other = beds()
    other.start()
    done = mailtoken(other, "import", "mailtoken", status=1, data=b"".join(
        (ann, b"\nno attribute\n\n", jo, b"\n\n")))
    assert b"a record is not imported" in done.stderr
    assert done.stdout.count(b"is imported") == 1


def test_operator_that_is_not_installed_is_said(bed):
    path = token_file(bed)
    alone = bed.path("alone")
    shutil.copy(paths.program("mailtoken"), alone)
    done = subprocess.run([alone, "import", "sasl-xoauth2", path],
                          capture_output=True, text=True, timeout=DEADLINE_S)
    if Path(paths.configured("pkglibexecdir"), "mailtoken-operator").exists():
        pytest.skip("it is installed")
    assert done.returncode == 1
    assert "mailtoken-operator: No such file or directory" in done.stderr


def test_name_that_no_file_can_have_is_refused(bed):
    bed.start()
    done = sasl_xoauth2(bed, "--account", "\u00e9" * 100 + "@example.org",
                        token_file(bed), status=1)
    assert b"too long" in done.stderr
    assert not os.listdir(bed.keyring) or os.listdir(bed.keyring) == [".lock"]


def test_imported_grant_is_renewed_in_the_background(bed):
    path = token_file(bed)
    bed.start()
    sasl_xoauth2(bed, path)
    wait_for(lambda: "access-token" in bed.record())


def test_backup_of_a_sealed_keyring_is_plain_and_fits(bed):
    write_file(bed.path("key"), "0" * 64, 0o600)
    os.chown(bed.path("key"), bed.user.pw_uid, -1)
    bed.configure(more=f"keyring_key {bed.path('key')}")
    bed.seed(refresh_token="r" * 16000, access_token="a" * 65000)
    bed.start()
    assert bed.status()["state"] == "active"
    out = mailtoken(bed, "export", JO).stdout
    assert b"refresh-token=" + b"r" * 16000 in out
    mailtoken(bed, "import", "mailtoken", data=out, status=1)
    mailtoken(bed, "import", "mailtoken", "--replace", data=out)
    assert "sealed" in bed.record()
