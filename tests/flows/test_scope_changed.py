# SPDX-License-Identifier: BSD-2-Clause
"""Whether a grant is what the configuration asks for, and who is told."""

import subprocess

import pytest

import paths
from bed import DEADLINE_S
from test_choose import microsoft, providers
from test_helper_signin import JO, begin, done, sign_in

CHANGED = "others now"
COMMAND = f"mailtoken login {JO}"


@pytest.fixture
def office(helper, idp):
    """A helper with Microsoft's preset, for smtp and imap."""
    def use(*protocols, **more):
        providers(helper, ("office", {
            **microsoft(idp), "protocols": list(protocols or ("smtp",
                                                              "imap")),
            **more}))
        return helper
    use()
    helper.use = use
    return helper


def text(bed):
    """What status says beside the state."""
    found = bed.status()
    assert found["state"] == "active", found
    return found.get("text", "")


def warnings(bed, **options):
    """What a sign-in that worked ends with."""
    answer = sign_in(bed, **options)
    assert answer["result"] == "ok", answer
    return answer.all("warning")


def test_a_grant_without_a_mail_scope_is_named_at_login(helper, idp):
    idp.set(withheld=("mail",))
    helper.start()
    said, = warnings(helper)
    assert "did not grant mail" in said and COMMAND in said
    assert "did not grant mail" in text(helper)


def test_what_the_command_prints(helper, idp):
    idp.set(withheld=("mail",))
    helper.start()
    with subprocess.Popen(
            [str(paths.program("mailtoken")), "--socket", helper.socket,
             "login", JO], stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run:
        idp.wait_request("token")
        idp.approve(idp.user_codes()[-1], JO)
        said = run.communicate(timeout=DEADLINE_S)[0]
    assert "did not grant mail" in said and COMMAND in said


def test_a_whole_grant_is_no_matter(office):
    office.start()
    assert warnings(office) == []
    assert text(office) == ""


@pytest.mark.parametrize("change", [("smtp", "imap", "pop"), ("pop",)])
def test_more_protocols_in_the_configuration_are_said(office, change):
    office.start()
    sign_in(office)
    office.use(*change)
    assert office.ask("reload")["result"] == "ok"
    assert CHANGED in text(office) and COMMAND in text(office)
    assert warnings(office) == []
    assert text(office) == ""


def test_fewer_protocols_need_no_sign_in(office):
    office.start()
    sign_in(office)
    office.use("smtp")
    assert office.ask("reload")["result"] == "ok"
    assert text(office) == ""


def test_chosen_protocols_are_nobodys_fault(office):
    office.start()
    assert warnings(office, protocols="smtp") == []
    assert office.record()["chosen-protocols"] == "smtp"
    assert text(office) == ""
    office.restart()
    assert office.ask("refresh", account=JO)["result"] == "ok", \
        office.idp.refusals()
    assert text(office) == ""


def test_chosen_protocols_are_those_of_the_next_sign_in(office):
    office.start()
    sign_in(office, protocols="smtp")
    said, = warnings(office)
    assert "for smtp, as was chosen" in said
    assert f"{COMMAND} --protocols smtp,imap" in said
    assert office.record()["protocols"] == "smtp"
    # And what is to be typed ends it.
    assert warnings(office, protocols="smtp,imap") == []
    assert office.record()["protocols"] == "smtp imap"
    assert warnings(office) == []


def test_choice_for_another_provider_is_not_kept(office, idp):
    keys = microsoft(idp)
    providers(office, ("office", keys), ("other", {
        **keys, "protocols": ["smtp", "imap"]}))
    office.start()
    sign_in(office, protocols="smtp", provider="office")
    assert warnings(office, provider="other") == []
    assert office.record()["protocols"] == "smtp imap"


def test_a_change_during_the_sign_in_is_said_at_its_end(office):
    office.use("smtp")
    office.start()
    line, code = begin(office)
    office.use("smtp", "imap")
    assert office.ask("reload")["result"] == "ok"
    office.idp.approve(code, JO)
    with line:
        said, = done(line).all("warning")
    assert CHANGED in said and COMMAND in said
    assert CHANGED in text(office)


def test_written_scope_that_changed_is_said_for_chosen_ones_too(office):
    office.use(scope=["https://outlook.office.com/SMTP.Send",
                      "offline_access"])
    office.start()
    sign_in(office, protocols="smtp")
    assert text(office) == ""
    office.use(scope=["https://outlook.office.com/IMAP.AccessAsUser.All",
                      "offline_access"])
    assert office.ask("reload")["result"] == "ok"
    assert CHANGED in text(office)


def test_protocols_beside_a_written_scope_are_said_to_change_nothing(office):
    office.use(scope=["https://outlook.office.com/SMTP.Send",
                      "offline_access"])
    office.start()
    said = next(w for w in warnings(office, protocols="imap")
                if "--protocols" in w)
    assert "changed nothing" in said and "scope" in said and "'office'" in said
    assert office.record()["protocols"] == "smtp"


def test_written_scope_beside_an_issuer_is_looked_at(helper, idp):
    helper.provider.update(token_endpoint=None, issuer=idp.url,
                           device_authorization_endpoint=None)
    helper.configure()
    helper.start()
    sign_in(helper)
    assert text(helper) == ""
    helper.configure(scope=["mail", "calendar", "offline_access"])
    assert helper.ask("reload")["result"] == "ok"
    assert CHANGED in text(helper) and COMMAND in text(helper)


def test_written_scope_of_a_registered_client_is_looked_at(helper, idp):
    helper.provider.update(token_endpoint=None, issuer=idp.url,
                           device_authorization_endpoint=None,
                           client_id=None)
    helper.configure()
    helper.start()
    sign_in(helper)
    assert text(helper) == ""
    helper.configure(scope=["mail", "calendar", "offline_access"])
    assert helper.ask("reload")["result"] == "ok"
    assert CHANGED in text(helper)


def test_refused_service_names_all_that_was_chosen(office):
    office.start()
    sign_in(office, protocols="smtp")
    answer = office.ask("token", account=JO, server="outlook.office365.com",
                        service="imap", mechanism="XOAUTH2")
    assert answer["result"] == "login-needed"
    assert f"{COMMAND} --protocols smtp,imap" in answer["text"]
