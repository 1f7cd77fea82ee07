/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * words - the vocabulary of the wire protocol, and its limits
 *
 * Every verb, attribute name and limit that more than one binary must know.
 * No code.  The normative text is mailtoken-protocol(7); a script compares
 * the two.
 */
#ifndef MAILTOKEN_WIRE_WORDS_H
#define MAILTOKEN_WIRE_WORDS_H

/* First attributes: of every list on a socket, of every keyring entry. */
#define WIRE_FIRST	 "mailtoken"
#define WIRE_FIRST_ENTRY "mailtoken-entry"
#define WIRE_VERSION	 "1"

#define VERB_TOKEN    "token"
#define VERB_REJECTED "rejected"
#define VERB_SIGN_IN  "sign-in"
#define VERB_FORGET   "forget"
#define VERB_STATUS   "status"
#define VERB_WATCH    "watch"
#define VERB_REFRESH  "refresh"
#define VERB_IMPORT   "import"
#define VERB_EXPORT   "export"
#define VERB_REKEY    "rekey"
#define VERB_PROBE    "probe"
#define VERB_RELOAD   "reload"
#define VERB_METRICS  "metrics"
#define VERB_VERSION  "version"

/* Attributes of requests. */
#define ATTR_VERB	  "verb"
#define ATTR_ACCOUNT	  "account"
#define ATTR_SERVER	  "server"
#define ATTR_SERVICE	  "service"
#define ATTR_MECHANISM	  "mechanism"
#define ATTR_MIN_VALIDITY "min-validity"
#define ATTR_SERIAL	  "serial"
#define ATTR_CHALLENGE	  "challenge"
#define ATTR_PROVIDER	  "provider"
#define ATTR_FLOW	  "flow"
#define ATTR_ISSUER	  "issuer"
#define ATTR_PROTOCOLS	  "protocols"
#define ATTR_MX		  "mx"
#define ATTR_KEEP_LOCAL	  "keep-local"
#define ATTR_SERVERS	  "servers"
#define ATTR_AS_DELEGATE  "as-delegate"
#define ATTR_REVOKE	  "revoke"
#define ATTR_DUE	  "due"
#define ATTR_REPLACE	  "replace"
#define ATTR_ANSWER	  "answer"
#define ATTR_ACCOUNTS	  "accounts"

/* Attributes of answers. */
#define ATTR_RESULT		       "result"
#define ATTR_TEXT		       "text"
#define ATTR_RETRY_AFTER	       "retry-after"
#define ATTR_PASSWORD_AS_TOKEN	       "password-as-token"
#define ATTR_LOGIN		       "login"
#define ATTR_TOKEN		       "token"
#define ATTR_EXPIRES		       "expires"
#define ATTR_EVENT		       "event"
#define ATTR_QUESTION		       "question"
#define ATTR_USER_CODE		       "user-code"
#define ATTR_VERIFICATION_URI	       "verification-uri"
#define ATTR_URL		       "url"
#define ATTR_REDIRECT_URI	       "redirect-uri"
#define ATTR_VERIFICATION_URI_COMPLETE "verification-uri-complete"
#define ATTR_EXPIRES_IN		       "expires-in"
#define ATTR_IDENTITY		       "identity"
#define ATTR_SCOPE		       "scope"
#define ATTR_WARNING		       "warning"
#define ATTR_STATE		       "state"
#define ATTR_UNSAVED		       "unsaved"
#define ATTR_REFRESHED		       "refreshed"
#define ATTR_GRANT_EXPIRES	       "grant-expires"
#define ATTR_NEXT_TRY		       "next-try"
#define ATTR_FAILING_SINCE	       "failing-since"
#define ATTR_ASKED		       "asked"
#define ATTR_SIGNED_IN		       "signed-in"
#define ATTR_OUTCOME		       "outcome"
#define ATTR_CHECK		       "check"
#define ATTR_REVOKED		       "revoked"
#define ATTR_DELETED		       "deleted"
#define ATTR_CHANGED		       "changed"
#define ATTR_NEEDS_RESTART	       "needs-restart"
#define ATTR_VERSION		       "version"
#define ATTR_PROTOCOL		       "protocol"
#define ATTR_KEYRING		       "keyring"
#define ATTR_PID		       "pid"
#define ATTR_STARTED		       "started"
#define ATTR_SANDBOX		       "sandbox"
#define ATTR_CONFIG		       "config"
#define ATTR_STALE		       "stale"
#define ATTR_FLEET		       "fleet"
#define ATTR_FLEET_TEXT		       "fleet-text"
#define ATTR_FLEET_URL		       "fleet-url"
#define ATTR_FLEET_NAME		       "fleet-name"
#define ATTR_FLEET_REVISION	       "fleet-revision"
#define ATTR_FLEET_BEHIND	       "fleet-behind"
#define ATTR_FLEET_LOCKS	       "fleet-locks"
#define ATTR_FLEET_UNPUT	       "fleet-unput"
#define ATTR_FLEET_LOCK		       "fleet-lock"
#define ATTR_METRIC		       "metric"
#define ATTR_TYPE		       "type"
#define ATTR_UNIT		       "unit"
#define ATTR_HELP		       "help"
#define ATTR_SAMPLE		       "sample"

#define RESULT_OK "ok"

#define EVENT_SHOW_CODE "show-code"
#define EVENT_SHOW_URL	"show-url"
#define EVENT_WAITING	"waiting"
#define EVENT_ASK	"ask"
#define EVENT_DONE	"done"
#define EVENT_WATCHING	"watching"

#define FLEET_WORD_AWAY	       "away"
#define FLEET_WORD_CATCHING_UP "catching-up"

#define OUTCOME_NOT_RUN "not-run"

#define QUESTION_OTHER_USER "other-user"
#define QUESTION_PASTE_URL  "paste-url"
#define QUESTION_PROVIDER   "provider"

/* Attributes of records that a writer beside the keyring names. */
#define ATTR_TOKEN_HOST	    "token-host"
#define ATTR_TENANT	    "tenant"
#define ATTR_CLIENT_ID	    "client-id"
#define ATTR_TOKEN_ENDPOINT "token-endpoint"
#define ATTR_PROXY	    "proxy"
#define ATTR_CA_FILE	    "ca-file"
#define ATTR_CA_PATH	    "ca-path"
#define ATTR_REFRESH_TOKEN  "refresh-token"
#define ATTR_CLIENT_SECRET  "client-secret"
#define ATTR_MARGIN	    "margin"

/* Flow of a grant that another program made, and how its provider's name
 * begins where the record brings the client; no block can have that name. */
#define IMPORT_FLOW   "import"
#define IMPORT_PREFIX "import:"

/* Limits of the grammar, in bytes unless said otherwise. */
#define WIRE_NAME_MAX_BYTES 32
#define WIRE_LINE_MAX_BYTES 65536  /* name, '=', value; not the LF */
#define WIRE_LIST_MAX_BYTES 131072 /* with every LF, the last included */
#define WIRE_LINES_MAX	    64	   /* attributes of a list */

#define ACCOUNT_MAX_BYTES	254
#define SERVER_MAX_BYTES	255
#define SERVICE_MAX_BYTES	32
#define MECHANISM_MAX_BYTES	20 /* RFC 4422 section 3.1 */
#define LOGIN_MAX_BYTES		1024
#define ACCESS_TOKEN_MAX_BYTES	65000
#define REFRESH_TOKEN_MAX_BYTES 16000
#define CLIENT_SECRET_MAX_BYTES 4096
#define SERIAL_MAX_BYTES	32
#define CHALLENGE_MAX_BYTES	1000 /* after escaping */
#define TEXT_MAX_BYTES		1000
#define ENTRY_MAX_BYTES		96000

/* How long a client waits for its answer; the helper gives up before. */
#define STEP_MAX_MS	     35000
#define CONNECT_RETRY_MAX_MS 5000
#define REJECTED_MAX_MS	     1000

#endif
