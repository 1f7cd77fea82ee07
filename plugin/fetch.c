/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Up to two sockets are asked, the user's and the system's, against one
 * deadline; then one of the two outcomes is the one that is told.
 */
#include "fetch.h"

#include <errno.h>
#include <sasl/sasl.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

#include "wire/ask.h"
#include "wire/ids.h"

#define NAME_SHOWN_BYTES  64 /* so that the advice behind it still fits */
#define TEXT_SHOWN_BYTES  400
#define LINE_BYTES	  500 /* beyond it no explanation is added */
#define RETRY_AFTER_MAX_S 86400
#define RETRY_PAUSE_MS	  50

/* What came of asking one socket. */
struct talk {
	struct address address;
	struct buf answer;
	struct attrs attrs; /* when it answered */
	bool answered;
	bool settled; /* not to be asked again */
	unsigned hang_ups;
	enum fault fault;
	struct why why;
};

/*
 * The host in what programs give as the server: sendmail's [127.0.0.1] and
 * [IPv6:::1], a name with a port or a final dot, the address of a directory.
 */
static struct span host_of(const char *server)
{
	static const char scheme[] = "://", ipv6[] = "IPv6:";
	const char *at = strstr(server, scheme);
	struct span host;

	host.p = at != NULL ? at + sizeof(scheme) - 1 : server;
	host.n = strcspn(host.p, "/");
	if (host.n > 0 && host.p[0] == '[') {
		host.p++;
		host.n = strcspn(host.p, "]");
		if (strncasecmp(host.p, ipv6, sizeof(ipv6) - 1) == 0) {
			host.p += sizeof(ipv6) - 1;
			host.n -= sizeof(ipv6) - 1;
		}
		return host;
	}
	at = memchr(host.p, ':', host.n);
	if (at != NULL &&
	    memchr(at + 1, ':', host.n - (size_t)(at + 1 - host.p)) == NULL)
		host.n = (size_t)(at - host.p);
	if (host.n > 0 && host.p[host.n - 1] == '.')
		host.n--;
	return host;
}

static enum fault write_question(const struct question *question,
    struct buf *out)
{
	struct attr_writer list;

	attr_begin(&list, out, WIRE_FIRST);
	attr_put_str(&list, ATTR_VERB, VERB_TOKEN);
	attr_put_str(&list, ATTR_ACCOUNT, question->account);
	attr_put(&list, ATTR_SERVER, host_of(question->server));
	attr_put_str(&list, ATTR_SERVICE, question->service);
	attr_put_str(&list, ATTR_MECHANISM, question->mechanism);
	return attr_end(&list);
}

static bool hung_up(const struct talk *talk)
{
	return talk->fault == FAULT_NO_HELPER && talk->why.err == 0;
}

static bool is_absent(const struct talk *talk)
{
	return talk->fault == FAULT_NO_HELPER && talk->why.err == ENOENT;
}

/* The administrator lets some users in, and this is none of them. */
static bool is_shut(const struct talk *talk)
{
	return !talk->answered &&
	    (talk->why.err == EACCES || talk->why.err == EPERM);
}

static void talk_once(struct talk *talk, struct span request,
    int64_t deadline_ms)
{
	struct ask question = { .address = talk->address,
		.request = request,
		.deadline_ms = deadline_ms };

	buf_drop(&talk->answer);
	talk->attrs.n = 0;
	why_set(&talk->why, 0, "%s", "");
	talk->fault = ask(&question, &talk->answer, &talk->attrs, &talk->why);
	talk->answered = talk->fault == FAULT_NONE;
	if (talk->answered)
		talk->fault = ask_result(&talk->attrs);
}

/* The helper or its successor may be there in a moment. */
static bool may_pass(struct talk *talk)
{
	if (talk->answered || talk->fault != FAULT_NO_HELPER)
		return false;
	/* It drops the connections it has not taken; the next goes on. */
	if (hung_up(talk))
		return talk->hang_ups++ == 0;
	return talk->why.err == ECONNREFUSED || talk->why.err == EAGAIN ||
	    talk->why.err == EINTR || talk->why.err == ENOENT;
}

/* Whether the next helper should be asked as well. */
static bool knows_nothing(const struct talk *talk)
{
	return talk->fault == FAULT_NO_HELPER ||
	    talk->fault == FAULT_UNTRUSTED || talk->fault == FAULT_IO ||
	    talk->fault == FAULT_UNKNOWN_ACCOUNT;
}

/*
 * Which outcome counts where none is final.  What is wrong with the user's
 * own socket comes before the system's not knowing him.
 */
static struct talk *choose(struct talk *talks, size_t n)
{
	struct talk *own = &talks[0], *system = &talks[n - 1];

	if (is_absent(own))
		return system;
	if (own->answered && !is_absent(system) && !is_shut(system))
		return system;
	return own;
}

/*
 * One loop over the candidates.  A socket that is not there is no helper that
 * restarts, but where only the system's is asked: a moment's absence would
 * make Postfix hold back the mail for minutes.
 */
static struct talk *talk_all(struct talk *talks, size_t n, struct span request)
{
	int64_t now_ms = peerio_now_ms();
	int64_t until_ms = now_ms + CONNECT_RETRY_MAX_MS;
	bool waits = true;
	size_t i;

	while (waits) {
		waits = false;
		for (i = 0; i < n; i++) {
			if (talks[i].settled)
				continue;
			talk_once(&talks[i], request, now_ms + STEP_MAX_MS);
			if (!knows_nothing(&talks[i]))
				return &talks[i];
			talks[i].settled = !may_pass(&talks[i]);
			waits = waits ||
			    (!talks[i].settled &&
				(n == 1 || !is_absent(&talks[i])));
		}
		if (peerio_now_ms() >= until_ms)
			break;
		if (waits)
			peerio_pause(RETRY_PAUSE_MS, until_ms);
	}
	return choose(talks, n);
}

/* An answer is used only when all of it is as the protocol says. */
static enum fault take_answer(struct talk *talk,
    const struct question *question, struct fetched *fetched_out)
{
	struct span token = attr_get(&talk->attrs, ATTR_TOKEN);
	struct span login = attr_get(&talk->attrs, ATTR_LOGIN);
	struct span serial = attr_get(&talk->attrs, ATTR_SERIAL);
	struct fetched fetched = { .from = talk->address };
	enum fault fault;

	if (login.n == 0)
		login = span_of(question->account);
	if (!attr_is_token(token, ACCESS_TOKEN_MAX_BYTES) ||
	    !attr_is_login(login) || serial.n > SERIAL_MAX_BYTES) {
		why_set(&talk->why, 0, "its token, login or serial is not one");
		return FAULT_GARBLED;
	}
	fault = secret_new(token, &fetched.token);
	if (fault != FAULT_NONE)
		return fault;
	memcpy(fetched.login, login.p, login.n);
	if (serial.n > 0)
		memcpy(fetched.serial, serial.p, serial.n);
	*fetched_out = fetched;
	return FAULT_NONE;
}

/* A name in a sentence, where it may be cut. */
struct shown {
	char text[NAME_SHOWN_BYTES];
};

static struct shown show(const char *name)
{
	struct shown shown;

	attr_plain(span_of(name), shown.text, sizeof(shown.text));
	return shown;
}

/* An explanation behind what to do, if the line has room for it. */
static void explain(struct why *why, const char *format, ...) PRINTF_LIKE(2, 3);
static void explain(struct why *why, const char *format, ...)
{
	size_t n = strlen(why->text);
	va_list args;
	int more;

	va_start(args, format);
	more = vsnprintf(why->text + n, sizeof(why->text) - n, format, args);
	va_end(args);
	if (more < 0 || n + (size_t)more > LINE_BYTES)
		why->text[n] = '\0';
}

/* Postfix's has no /proc. */
static bool is_in_chroot(void)
{
	return access("/proc/self", F_OK) != 0;
}

static void say_absent(const struct talk *talk, const char *other,
    struct why *why)
{
	if (is_in_chroot())
		why_set(why, 0,
		    "mailtoken: no helper's socket in this chroot: run "
		    "\"systemctl stop mailtokend.service mailtoken.socket; "
		    "systemctl enable --now mailtoken-postfix.socket "
		    "mailtoken.socket mailtokend.service\" (%s)",
		    talk->why.text);
	else
		why_set(why, 0,
		    "mailtoken: cannot reach the helper at %s: run \"systemctl "
		    "enable --now mailtoken.socket\", or start mailtokend",
		    talk->why.text);
	if (other[0] != '\0')
		explain(why, "; nor at %s", other);
}

/* Sentences for a helper that cannot be asked. */
static void say_unreachable(const struct talk *talk, const char *other,
    struct why *why)
{
	const char *path = talk->address.path;
	struct why shut;

	if (is_shut(talk)) {
		ids_say_shut(path, talk->why.text, &shut);
		why_set(why, 0, "mailtoken: %s", shut.text);
		if (other[0] != '\0')
			explain(why, "; none runs at %s", other);
	} else if (talk->fault == FAULT_UNTRUSTED) {
		why_set(why, 0, "mailtoken: not trusting the helper at %s: %s",
		    path, talk->why.text);
	} else if (talk->fault == FAULT_IO) {
		why_set(why, 0, "mailtoken: cannot ask the helper at %s: %s",
		    path, talk->why.text);
	} else if (hung_up(talk)) {
		why_set(why, 0,
		    "mailtoken: the helper at %s hung up without an answer: "
		    "see the log of mailtokend",
		    path);
	} else if (is_absent(talk)) {
		say_absent(talk, other, why);
	} else {
		why_set(why, 0,
		    "mailtoken: cannot reach the helper at %s: run \"systemctl "
		    "%srestart mailtoken.socket\", or start mailtokend",
		    talk->why.text, talk->address.own ? "--user " : "");
		if (other[0] != '\0')
			explain(why, "; nor at %s", other);
	}
}

/* Sentences for what an answer says.  The helper's text has the commands. */
static void say_answer(const struct talk *talk, const struct question *question,
    struct why *why)
{
	struct span said = attr_get(&talk->attrs, ATTR_TEXT);
	const char *account = question->account;
	char whole[ACCOUNT_MAX_BYTES + 1];
	char text[TEXT_SHOWN_BYTES];
	int64_t after_s;

	if (said.n == 0)
		said = span_of(fault_text(talk->fault));
	attr_plain(said, text, sizeof(text));
	attr_plain(span_of(account), whole, sizeof(whole));

	if (talk->fault == FAULT_LOGIN_NEEDED) {
		why_set(why, 0,
		    "mailtoken: %s must sign in again: run \"mailtoken login "
		    "%s\"",
		    show(account).text, whole);
		explain(why, " (%s)", text);
	} else if (talk->fault == FAULT_UNKNOWN_ACCOUNT) {
		why_set(why, 0,
		    "mailtoken: no account \"%s\": run \"mailtoken login "
		    "%s\"",
		    show(account).text, whole);
		explain(why, " (%s)", text);
	} else if (talk->fault == FAULT_DENIED) {
		why_set(why, 0, "mailtoken: the helper at %s refuses: %s",
		    talk->address.path, text);
	} else if (talk->fault == FAULT_WRONG_SERVER) {
		why_set(why, 0, "mailtoken: no token of %s for %s: %s",
		    show(account).text, show(question->server).text, text);
	} else {
		why_set(why, 0, "mailtoken: no token for %s: %s",
		    show(account).text, text);
		if (attr_get_int(&talk->attrs, ATTR_RETRY_AFTER, 1,
			RETRY_AFTER_MAX_S, &after_s) == FAULT_NONE)
			explain(why, " (next try in %d s)", (int)after_s);
		else
			explain(why, " (\"mailtoken status\" shows more)");
	}
}

static void say(const struct talk *talk, const char *other,
    const struct question *question, struct why *why)
{
	if (talk->fault == FAULT_GARBLED)
		why_set(why, 0,
		    "mailtoken: bad answer from the helper at %s: %s (is "
		    "mailtokend of another version?)",
		    talk->address.path, talk->why.text);
	else if (talk->fault == FAULT_NOMEM)
		why_set(why, 0, "mailtoken: the program is out of memory");
	else if (talk->answered)
		say_answer(talk, question, why);
	else if (talk->fault == FAULT_TIMEOUT)
		why_set(why, 0,
		    "mailtoken: helper timed out: no answer from %s within %d "
		    "s: see the log of mailtokend",
		    talk->address.path, STEP_MAX_MS / 1000);
	else
		say_unreachable(talk, other, why);
}

static enum fault converse(const struct addresses *addresses,
    const struct question *question, struct span request,
    struct fetched *fetched_out, struct why *why)
{
	struct talk talks[2] = { 0 };
	const char *other = "";
	enum fault fault;
	struct talk *talk;
	size_t i;

	for (i = 0; i < addresses->n; i++) {
		talks[i].address = addresses->at[i];
		buf_init(&talks[i].answer, WIRE_LIST_MAX_BYTES);
	}
	talk = talk_all(talks, addresses->n, request);
	if (talk->fault == FAULT_NONE)
		talk->fault = take_answer(talk, question, fetched_out);
	fault = talk->fault;
	if (talk == &talks[1] && is_absent(&talks[0]))
		other = talks[0].address.path;
	if (fault != FAULT_NONE)
		say(talk, other, question, why);
	if (fault != FAULT_NONE && talk == &talks[0] && talks[1].answered)
		explain(why, "; the system's helper does not know %s",
		    show(question->account).text);
	if (fault == FAULT_UNKNOWN_ACCOUNT)
		fetched_out->password_allowed =
		    attr_is(&talks[0].attrs, ATTR_PASSWORD_AS_TOKEN, "yes") ||
		    attr_is(&talks[1].attrs, ATTR_PASSWORD_AS_TOKEN, "yes");
	buf_drop(&talks[0].answer);
	buf_drop(&talks[1].answer);
	return fault;
}

enum fault fetch_token(const struct question *question,
    struct fetched *fetched_out, struct why *why)
{
	struct buf request = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct addresses addresses;
	enum fault fault;

	if (question->server != NULL && question->server[0] != '\0' &&
	    !attr_is_host(host_of(question->server))) {
		why_set(why, 0,
		    "mailtoken: the program calls the server \"%s\", which is "
		    "no host name: configure the server by its host name",
		    show(question->server).text);
		return FAULT_WRONG_SERVER;
	}
	if (question->server == NULL || question->server[0] == '\0') {
		why_set(why, 0,
		    "mailtoken: the program names no server, and a token is "
		    "given out for known servers only: configure the server by "
		    "its host name");
		return FAULT_WRONG_SERVER;
	}
	if (address_candidates(&addresses) != FAULT_NONE) {
		why_set(why, 0,
		    "mailtoken: " ADDRESS_SOCKET_ENV " must be "
		    "an absolute path of at most %d bytes",
		    ADDRESS_SOCKET_MAX_BYTES - 1);
		return FAULT_CONFIG_ERROR;
	}
	fault = write_question(question, &request);
	if (fault != FAULT_NONE)
		why_set(why, 0,
		    "mailtoken: the program's server or service name cannot be "
		    "sent to the helper: %s",
		    fault_text(fault));
	else
		fault = converse(&addresses, question, buf_span(&request),
		    fetched_out, why);
	buf_drop(&request);
	return fault;
}

void fetch_rejected(const struct fetched *fetched,
    const struct question *question, const char *challenge)
{
	struct buf request = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct buf answer = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct ask report = { .address = fetched->from };
	struct attr_writer list;
	struct attrs attrs;
	enum fault fault;

	attr_begin(&list, &request, WIRE_FIRST);
	attr_put_str(&list, ATTR_VERB, VERB_REJECTED);
	attr_put_str(&list, ATTR_ACCOUNT, question->account);
	attr_put_str(&list, ATTR_SERIAL, fetched->serial);
	attr_put(&list, ATTR_SERVER, host_of(question->server));
	attr_put_str(&list, ATTR_SERVICE, question->service);
	attr_put_str(&list, ATTR_CHALLENGE, challenge);
	fault = attr_end(&list);
	report.request = buf_span(&request);
	report.deadline_ms = peerio_now_ms() + REJECTED_MAX_MS;
	if (fault == FAULT_NONE)
		fault = ask(&report, &answer, &attrs, NULL);
	(void)fault; /* nothing depends on it: the server's verdict stands */
	buf_drop(&request);
	buf_drop(&answer);
}

void fetch_drop(struct fetched *fetched)
{
	secret_free(fetched->token);
	secret_wipe(fetched, sizeof(*fetched));
}

int fetch_code(enum fault fault)
{
	switch (fault) {
	case FAULT_NONE: return SASL_OK;
	case FAULT_LOGIN_NEEDED: return SASL_EXPIRED;
	case FAULT_UNKNOWN_ACCOUNT: return SASL_NOUSER;
	case FAULT_DENIED: return SASL_DISABLED;
	case FAULT_WRONG_SERVER:
	case FAULT_CONFIG_ERROR: return SASL_CONFIGERR;
	case FAULT_BAD_REQUEST:
	case FAULT_GRAMMAR: return SASL_BADPARAM;
	case FAULT_TOO_BIG: return SASL_BUFOVER;
	case FAULT_NOMEM: return SASL_NOMEM;
	case FAULT_TRY_LATER:
	case FAULT_BUSY:
	case FAULT_TIMEOUT:
	case FAULT_INTERNAL:
	case FAULT_NO_HELPER:
	case FAULT_UNTRUSTED:
	case FAULT_GARBLED:
	case FAULT_IO:
	case FAULT_UNSAFE:
	case FAULT_NOT_FOUND:
	case FAULT_LOCKED:
	case FAULT_READ_ONLY: return SASL_UNAVAIL;
	}
	return SASL_UNAVAIL;
}
