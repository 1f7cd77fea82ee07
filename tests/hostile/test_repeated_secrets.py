# SPDX-License-Identifier: BSD-2-Clause
"""A provider that repeats what it was sent, or gave, gets it into no answer,
log line, state or terminal."""

import json
import secrets
import subprocess
import urllib.parse

import pytest

import paths
from bed import DEADLINE_S, wait_for
from bed_app import APP, configure, put_secret
from browser import changed, visit
from copies import copies, shown_of
from idp.about import Answer
from idp.store import make_jwt
from test_helper_signin import done

JO = "jo@example.org"
HIDDEN = "(hidden: it repeats a secret)"
WORDS = ("error", "error_description", "suberror", "error_subtype",
         "error_uri", "correlation_id", "trace_id")
KINDS = list(copies("0123456789abcdefgh"))
MARK = "mrk"                            # in every text that must not be shown
NO_STATE = ("refresh-token", "access-token", "client-secret")


class Liar:
    """Answers of a provider, made from the request by the case at hand."""

    def __init__(self, idp):
        self._answer = idp.answer
        self.kept = set()               # all secrets that were repeated
        self.turn = None                # form, endpoint -> Answer or None
        self.basic = ""                 # of the last Authorization field
        idp.answer = self._lie

    def _lie(self, request):
        form = dict(urllib.parse.parse_qsl(request.body.decode()))
        self.basic = request.headers.get("authorization", " ").split(" ")[1]
        lie = self.turn(form, request.endpoint) if self.turn else None
        return lie if lie is not None else self._answer(request)

    def copy(self, secret, kind):
        """A text that repeats it."""
        self.kept.add(secret)
        return copies(secret)[kind]

    def error(self, secret, kind, status=400, **more):
        """An error that repeats it in every word."""
        text = self.copy(secret, kind)
        return Answer({**{w: f"{MARK} {text}" for w in WORDS}, **more},
                      status)


@pytest.fixture
def liar(idp, helper):
    """The provider's other face."""
    helper.secrets_kept = []
    return Liar(idp)


def with_secret(bed, idp, **more):
    """A confidential client; its secret."""
    bed.provider["client_id"] = "mail-web"
    bed.configure(client_secret_file=put_secret(
        bed, "client-secret", idp.client_secret), **more)
    return idp.client_secret


def seen_of(bed, answers, accounts=()):
    """All that anybody but the keyring's owner gets to see."""
    seen = [json.dumps(a) for a in answers]
    for account in accounts:
        seen.append(json.dumps(bed.status(account)))
        seen += [f"{name}={value}"
                 for name, value in bed.record(account).items()
                 if name not in NO_STATE]
    seen.append(subprocess.run(
        [str(paths.program("mailtoken")), "--socket", bed.socket, "--json",
         "status"], capture_output=True, text=True, check=False,
        timeout=DEADLINE_S).stdout)
    return "\n".join(seen + [bed.log()])


def nothing_in(seen, liar):
    """No copy of what was repeated, and nothing of the texts that did."""
    assert MARK not in seen, [x for x in seen.split("\n") if MARK in x][:3]
    assert liar.kept and shown_of(set(liar.kept), seen) == []


def test_what_repeats_nothing_is_shown(helper, idp, liar):
    helper.seed(age=4000)
    helper.start()
    liar.turn = lambda form, endpoint: Answer(
        {w: f"{MARK}-{w}" for w in WORDS}, 400)
    answer = helper.token()
    assert f"{MARK}-error" in answer["text"]
    for word in ("error", "correlation_id", "trace_id"):
        helper.wait_log(f"{MARK}-{word}")
    assert HIDDEN not in helper.log()


SOURCES = ("refresh_token", "client_secret", "new refresh_token", "id_token",
           "access_token")


def refused(liar, form, source, kind):
    """The answer to a refresh that repeats one secret in one way."""
    fresh = {"refresh_token": secrets.token_urlsafe(40),
             "id_token": make_jwt({"sub": secrets.token_hex(12)}),
             "token_type": "mac",
             "access_token": secrets.token_urlsafe(40)}
    if source in ("refresh_token", "client_secret"):
        return liar.error(form[source], kind)
    return liar.error(fresh[source.split()[-1]], kind, **fresh)


def test_a_refusal_that_repeats_a_secret_is_not_shown(helper, idp, liar):
    cases = [(kind, source) for kind in KINDS for source in SOURCES]
    seeded = {}
    with_secret(helper, idp)
    for i, case in enumerate(cases):
        account = f"case{i}@example.org"
        one = idp.seed(account, client_id="mail-web")
        helper.seed(account, age=4000, seeded=one)
        seeded[one.refresh_token] = case
    helper.start()
    liar.turn = lambda form, endpoint: refused(
        liar, form, *reversed(seeded[form["refresh_token"]]))
    accounts = [f"case{i}@example.org" for i in range(len(cases))]
    answers = [helper.token(account) for account in accounts]
    for case, answer in zip(cases, answers):
        assert answer["result"] == "try-later", (case, answer)
        assert HIDDEN in answer["text"], (case, answer)
    nothing_in(seen_of(helper, answers, accounts), liar)


def test_a_redirect_to_a_host_named_as_a_secret_is_not_shown(helper, idp,
                                                             liar):
    one = helper.seed(age=4000)
    helper.start()
    token = one.refresh_token
    liar.copy(token, "whole")
    name = "".join(c for c in token if c.isalnum())[:50].lower()
    liar.turn = lambda form, endpoint: Answer(
        status=302, headers={"Location": f"https://{name}.{MARK}.example/"})
    answer = helper.token()
    assert HIDDEN in answer["text"]
    nothing_in(seen_of(helper, [answer], [JO]), liar)


def shown_code(text, field, device_code):
    """A device answer that repeats it in one field."""
    data = {"device_code": device_code, "user_code": "ABCD-EFGH",
            "verification_uri": "https://localhost/activate",
            "expires_in": 600, "interval": 1}
    where = urllib.parse.quote(text, safe="%")
    data[field] = f"{MARK}{text}" if field == "user_code" else \
        f"https://localhost/{MARK}?{where}"
    return Answer(data)


def first_answer(bed):
    """What a sign-in says first, which ends then."""
    def begin():
        with bed.connect().send("sign-in", account=JO) as line:
            answer = line.next()
        return None if answer.get("result") == "busy" else answer
    return wait_for(begin, what="the end of the sign-in before")


def test_a_code_to_show_that_repeats_a_secret_is_not_shown(helper, idp,
                                                           liar):
    client_secret = with_secret(helper, idp)
    helper.start()
    answers = []
    for kind in KINDS:
        for field in ("user_code", "verification_uri",
                      "verification_uri_complete"):
            for secret in (client_secret, None):
                code = secrets.token_urlsafe(24)
                text = liar.copy(secret or code, kind)
                liar.turn = lambda form, endpoint, a=(text, field, code): \
                    shown_code(*a)
                answer = first_answer(helper)
                answers.append(answer)
                if field == "verification_uri_complete":
                    assert answer.get("event") == "show-code", answer
                    assert "verification-uri-complete" not in answer
                else:
                    assert answer["result"] == "try-later", answer
    nothing_in(seen_of(helper, answers), liar)


def test_a_poll_whose_answer_repeats_the_device_code_is_not_shown(
        helper, idp, liar):
    helper.start()
    kind_of = {}

    def turn(form, endpoint):
        if endpoint != "token":
            return None
        return liar.error(form["device_code"], kind_of[form["device_code"]])

    liar.turn = turn
    lines, answers = [], []
    for i, kind in enumerate(KINDS):
        if len(lines) == 8:             # as many as there may be
            answers += [done(line) for line in lines]
            lines = []
        line = helper.connect().send("sign-in",
                                     account=f"case{i}@example.org")
        answer = line.next()
        assert answer.get("event") == "show-code", (i, answer)
        lines.append(line)
        with idp.store.lock:
            kind_of[list(idp.store.devices)[-1]] = kind
    answers += [done(line) for line in lines]
    assert all(HIDDEN in a["text"] for a in answers), answers
    nothing_in(seen_of(helper, answers), liar)


@pytest.mark.parametrize("source", ["code", "code_verifier", "client_secret"])
def test_a_code_that_is_refused_with_it_in_the_text_is_not_shown(
        helper, idp, liar, source):
    with_secret(helper, idp, authorization_endpoint=f"{idp.url}/authorize",
                flow="browser")
    helper.start()
    answers, pages = [], []
    for kind in KINDS:
        liar.turn = lambda form, endpoint, kind=kind: liar.error(
            form[source], kind) if endpoint == "token" else None
        with helper.connect().send("sign-in", account=JO) as line:
            back = idp.browse(line.next()["url"])
            pages.append(visit(back).text)
            answers.append(done(line))
    assert all(HIDDEN in a["text"] for a in answers), answers
    nothing_in(seen_of(helper, answers + pages), liar)


def test_an_error_that_the_browser_brings_with_the_code_in_it(helper, idp,
                                                              liar):
    helper.configure(authorization_endpoint=f"{idp.url}/authorize",
                     flow="browser", issuer=None)
    helper.start()
    answers, pages = [], []
    for kind in KINDS:
        if kind == "in lines":          # an address has none
            continue
        with helper.connect().send("sign-in", account=JO) as line:
            back = idp.browse(line.next()["url"])
            code = dict(urllib.parse.parse_qsl(
                urllib.parse.urlsplit(back).query))["code"]
            text = f"{MARK} {liar.copy(code, kind)}"
            pages.append(visit(changed(back, error=text,
                                       error_description=text)).text)
            answers.append(done(line))
    assert all(HIDDEN in a["text"] for a in answers), answers
    nothing_in(seen_of(helper, answers + pages), liar)


@pytest.mark.parametrize("source", ["client_secret", "client_assertion"])
def test_an_application_whose_secret_is_repeated(helper, idp, liar, source):
    secret = secrets.token_urlsafe(40)
    if source == "client_secret":
        idp.add_client(APP, secret)
        keys = {"client_secret_file": put_secret(helper, "s", secret)}
    else:
        idp.add_client(APP, trusted=secret)
        keys = {"assertion_file": put_secret(helper, "s", secret)}
    configure(helper, f"account {JO}\n    provider test", **keys)
    helper.start()
    answers = []
    for kind in KINDS:
        liar.turn = lambda form, endpoint, kind=kind: liar.error(
            form[source], kind)
        answers.append(helper.ask("refresh", account=JO))
        assert HIDDEN in answers[-1]["text"], answers[-1]
    nothing_in(seen_of(helper, answers), liar)


def test_a_client_whose_authorization_field_is_repeated(helper, idp, liar):
    """As the server got it, and as it reads it."""
    liar.kept.add(with_secret(helper, idp))
    for i in range(2):
        account = f"case{i}@example.org"
        helper.seed(account, age=4000,
                    seeded=idp.seed(account, client_id="mail-web"))
    helper.start()

    def turn(form, endpoint):
        if not liar.basic:
            return Answer({"error": "invalid_client"}, 401)
        text = liar.basic if kind == "base64" else idp.client_secret
        return Answer({w: f"{MARK} {text}" for w in WORDS}, 400)

    liar.turn, answers = turn, []
    for i, kind in enumerate(("base64", "plain")):
        answers.append(helper.token(f"case{i}@example.org"))
        assert liar.basic and HIDDEN in answers[-1]["text"], answers[-1]
    nothing_in(seen_of(helper, answers), liar)


def test_a_revocation_that_is_refused_with_the_token_in_the_text(
        helper, idp, liar):
    helper.configure(revocation_endpoint=f"{idp.url}/revoke")
    for i, _ in enumerate(KINDS):
        helper.seed(f"case{i}@example.org", age=10)
    helper.start()
    answers = []
    for i, kind in enumerate(KINDS):
        liar.turn = lambda form, endpoint, kind=kind: liar.error(
            form["token"], kind)
        answers.append(helper.ask("forget", account=f"case{i}@example.org",
                                  revoke="yes"))
    assert any(HIDDEN in json.dumps(a) for a in answers), answers
    nothing_in(seen_of(helper, answers), liar)


def test_names_and_scopes_that_repeat_a_secret_count_as_none(helper, idp,
                                                             liar):
    helper.configure(authorization_endpoint=f"{idp.url}/authorize",
                     flow="browser")
    helper.start()
    answers, accounts = [], []
    for i, kind in enumerate(KINDS):
        account = f"case{i}@example.org"
        fresh = {"access_token": secrets.token_urlsafe(40),
                 "refresh_token": secrets.token_urlsafe(40)}

        def turn(form, endpoint, kind=kind, fresh=fresh):
            if endpoint != "token":
                return None
            name = liar.copy(fresh["access_token"], kind)
            idp.store.keep_secret(fresh["refresh_token"])
            text = liar.copy(fresh["refresh_token"], kind)
            return Answer({**fresh, "token_type": "Bearer",
                           "scope": f"{MARK} {text}", "expires_in": 3600,
                           "id_token": make_jwt({
                               "email": f"{MARK}{name}@x.example",
                               "upn": f"{MARK}{text}"})})

        liar.turn = turn
        line = helper.connect().send("sign-in", account=account)
        visit(idp.browse(line.next()["url"]))
        line.next()                     # the address may be pasted
        answer = line.until(lambda a: a.get("event") in ("done", "ask"))
        answers.append(answer)
        if answer["event"] == "ask":
            answers.append(done(line.send(answer="yes")))
        assert answers[-1]["result"] == "ok", answers
        accounts.append(account)
    nothing_in(seen_of(helper, answers, accounts), liar)


def test_a_report_of_a_challenge_that_repeats_the_token(helper, idp):
    token = helper.seed(age=10).access_token
    helper.start()
    idp.fault("token", "http_error", times=None, status=500)    # it stays
    serial = helper.token()["serial"]
    answers = [helper.ask("rejected", account=JO, serial=serial,
                          server="localhost", service="smtp",
                          challenge=f"{MARK} {' '.join(copy.split())}"[:1000])
               for copy in copies(token[:100]).values()]
    helper.wait_log(f'challenge="{HIDDEN}"', len(answers))
    seen = seen_of(helper, answers, [JO])
    assert MARK not in seen and shown_of([token], seen) == []


@pytest.mark.parametrize("what", ["serial", "access-token", "renewed"])
def test_a_report_of_a_challenge_comes_when_its_token_is_gone(helper, what):
    """What it might repeat is not known any more, or never was."""
    token = helper.seed(age=10).access_token
    record = helper.record()
    serial = record["serial"]
    record.pop(what, None)
    helper.write_record(JO, "".join(
        f"{name}={value}\n" for name, value in record.items()) + "\n")
    helper.start()
    if what == "renewed":
        assert helper.ask("refresh", account=JO)["result"] == "ok"
    answer = helper.ask("rejected", account=JO, serial=serial,
                        server="localhost", service="smtp",
                        challenge=f"{MARK} {token[:100]}")
    assert answer["result"] == "ok"
    helper.wait_log('challenge="(hidden: its token is no longer here)"')
    assert MARK not in helper.log()
