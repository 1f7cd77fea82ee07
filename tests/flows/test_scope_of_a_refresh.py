# SPDX-License-Identifier: BSD-2-Clause
"""What a refresh asks for where the provider must be told the scope and
leaves words out of its answers."""

from test_choose import microsoft, providers
from test_helper_signin import JO, sign_in

MAIL = "https://outlook.office.com/SMTP.Send"


def test_words_that_answers_leave_out_are_asked_for_again(helper, idp):
    providers(helper, ("office", microsoft(idp)))
    helper.start()
    assert sign_in(helper)["result"] == "ok"
    assert "offline_access" not in helper.record()["granted-scope"]
    for _ in range(3):
        answer = helper.ask("refresh", account=JO)
        assert answer["result"] == "ok", (answer, idp.refusals())
    scope, = {r.form["scope"] for r in idp.requests
              if r.grant_type == "refresh_token"}
    words = scope.split(" ")
    assert MAIL in words and "offline_access" in words
    assert len(set(words)) == len(words)


def test_an_answer_that_names_no_mail_scope_keeps_the_grant_going(helper,
                                                                  idp):
    providers(helper, ("office", microsoft(idp)))
    helper.start()
    idp.set(scope_answer="openid email")
    assert sign_in(helper)["result"] == "ok"
    assert helper.ask("refresh", account=JO)["result"] == "ok", \
        idp.refusals()
