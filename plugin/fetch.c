/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Up to two sockets are asked, the user's and the system's, against one
 * deadline; then one of the two outcomes is the one that is told.
 */
#include "fetch.h"

#include <errno.h>
#include <sasl/sasl.h>
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

/* What both requests begin with; serial is NULL or of the token. */
static void begin_request(struct attr_writer *list, struct buf *out,
    const char *serial, const struct question *question)
{
	attr_begin(list, out, WIRE_FIRST);
	attr_put_str(list, ATTR_VERB,
	    serial != NULL ? VERB_REJECTED : VERB_TOKEN);
	attr_put_str(list, ATTR_ACCOUNT, question->account);
	if (serial != NULL)
		attr_put_str(list, ATTR_SERIAL, serial);
	attr_put(list, ATTR_SERVER, host_of(question->server));
	attr_put_str(list, ATTR_SERVICE, question->service);
}

/* Nobody answered, for this reason; 0: he hung up. */
static bool is_silent(const struct talk *talk, int err)
{
	return talk->fault == FAULT_NO_HELPER && talk->why.err == err;
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
	/* It drops the connections it has not taken; the next goes on. */
	if (is_silent(talk, 0))
		return talk->hang_ups++ == 0;
	return is_silent(talk, ECONNREFUSED) || is_silent(talk, EAGAIN) ||
	    is_silent(talk, EINTR) || is_silent(talk, ENOENT);
}

/* Whether the next helper should be asked as well. */
static bool knows_nothing(const struct talk *talk)
{
	return talk->fault == FAULT_NO_HELPER ||
	    talk->fault == FAULT_UNTRUSTED || talk->fault == FAULT_IO ||
	    talk->fault == FAULT_UNKNOWN_ACCOUNT;
}

/*
 * One loop over the candidates; gives the one whose outcome counts.  A socket
 * that is not there is no helper that restarts, but where only the system's is
 * asked: a moment's absence would make Postfix hold back the mail for minutes.
 */
static struct talk *talk_all(struct talk *talks, size_t n, struct span request)
{
	struct talk *own = &talks[0], *system = &talks[n - 1], *talk;
	int64_t now_ms = ask_now_ms();
	int64_t until_ms = now_ms + CONNECT_RETRY_MAX_MS;
	bool waits;

	do {
		waits = false;
		for (talk = own; talk <= system; talk++) {
			if (talk->settled)
				continue;
			talk_once(talk, request, now_ms + STEP_MAX_MS);
			if (!knows_nothing(talk))
				return talk;
			talk->settled = !may_pass(talk);
			waits = waits ||
			    (!talk->settled &&
				(n == 1 || !is_silent(talk, ENOENT)));
		}
		if (waits)
			ask_pause(RETRY_PAUSE_MS, until_ms);
	} while (waits && ask_now_ms() < until_ms);
	if (is_silent(own, ENOENT))
		return system;
	/* What is wrong with his own socket comes before the system's not
	 * knowing him. */
	return own->answered && !is_silent(system, ENOENT) && !is_shut(system) ?
	    system :
	    own;
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

/* What stands in a sentence for '$' and a letter. */
struct words {
	const char *of['z' + 1];
};

/* Append what fits; an explanation only if all of it does. */
static void add_sentence(struct why *why, const char *sentence,
    const struct words *words, bool explains)
{
	size_t start = strlen(why->text), n = start, more;
	size_t max = explains ? LINE_BYTES : sizeof(why->text) - 1;
	const char *from;

	for (; *sentence != '\0'; sentence++) {
		from = sentence;
		more = 1;
		if (*sentence == '$') {
			from = words->of[(unsigned char)*++sentence];
			more = strlen(from);
		}
		if (n + more > max && explains) {
			n = start;
			break;
		}
		more = n + more > max ? max - n : more;
		memcpy(why->text + n, from, more);
		n += more;
	}
	why->text[n] = '\0';
}

/* When the helper will try again; 0: it does not say. */
static int seconds_of(const struct talk *talk)
{
	int64_t after_s = 0;

	(void)!attr_number(attr_get(&talk->attrs, ATTR_RETRY_AFTER), 1,
	    RETRY_AFTER_MAX_S, &after_s);
	return (int)after_s;
}

/*
 * The sentence, and an explanation for behind it.  $p: the socket, $r: why it
 * cannot be asked, $t: what the helper says, which has the commands; $a, $s:
 * account and server, perhaps cut, $l: the account in a command; $n: seconds;
 * $u: an option of systemctl.
 */
static const char *sentence_of(const struct talk *talk, const char **more)
{
	if (talk->fault == FAULT_GARBLED)
		return "bad answer from the helper at $p: $r (is mailtokend "
		       "of another version?)";
	if (talk->fault == FAULT_NOMEM)
		return "the program is out of memory";
	if (talk->answered) {
		*more = " ($t)";
		if (talk->fault == FAULT_LOGIN_NEEDED)
			return "$a must sign in again: run \"mailtoken login "
			       "$l\"";
		if (talk->fault == FAULT_UNKNOWN_ACCOUNT)
			return "no account \"$a\": run \"mailtoken login "
			       "$l\"";
		*more = "";
		if (talk->fault == FAULT_DENIED)
			return "the helper at $p refuses: $t";
		if (talk->fault == FAULT_WRONG_SERVER)
			return "no token of $a for $s: $t";
		*more = seconds_of(talk) > 0 ?
		    " (next try in $n s)" :
		    " (\"mailtoken status\" shows more)";
		return "no token for $a: $t";
	}
	if (talk->fault == FAULT_TIMEOUT)
		return "helper timed out: no answer from $p within $n s: see "
		       "the log of mailtokend";
	if (is_shut(talk))
		return "$r";
	if (talk->fault == FAULT_UNTRUSTED)
		return "not trusting the helper at $p: $r";
	if (talk->fault == FAULT_IO)
		return "cannot ask the helper at $p: $r";
	if (is_silent(talk, 0))
		return "the helper at $p hung up without an answer: see the "
		       "log of mailtokend";
	if (!is_silent(talk, ENOENT))
		return "cannot reach the helper at $r: run \"systemctl "
		       "$urestart mailtoken.socket\", or start mailtokend";
	/* Postfix's chroot has no /proc. */
	if (access("/proc/self", F_OK) != 0)
		return "no helper's socket in this chroot: run \"systemctl "
		       "stop mailtokend.service mailtoken-postfix.socket "
		       "mailtoken.socket; systemctl enable --now "
		       "mailtoken-postfix.socket mailtoken.socket "
		       "mailtokend.service\" ($r)";
	return "cannot reach the helper at $r: run \"systemctl enable --now "
	       "mailtoken.socket\", or start mailtokend";
}

/* other is the one that was asked, too, or NULL. */
static void say(const struct talk *talk, const struct talk *other,
    const struct question *question, struct why *why)
{
	struct span said = attr_get(&talk->attrs, ATTR_TEXT);
	char account[NAME_SHOWN_BYTES], server[NAME_SHOWN_BYTES], number[24];
	char login[ACCOUNT_MAX_BYTES + 1], text[TEXT_SHOWN_BYTES];
	struct why reason = talk->why;
	struct words words = { { NULL } };
	const char *more = "";

	if (is_shut(talk))
		ids_say_shut(talk->address.path, talk->why.text, &reason);
	attr_plain(said.n > 0 ? said : span_of(fault_text(talk->fault)), text,
	    sizeof(text));
	attr_plain(span_of(question->account), account, sizeof(account));
	attr_plain(span_of(question->account), login, sizeof(login));
	attr_plain(span_of(question->server), server, sizeof(server));
	(void)snprintf(number, sizeof(number), "%d",
	    talk->answered ? seconds_of(talk) : STEP_MAX_MS / 1000);
	words.of['a'] = account;
	words.of['l'] = login;
	words.of['n'] = number;
	words.of['o'] = other != NULL ? other->address.path : "";
	words.of['p'] = talk->address.path;
	words.of['r'] = reason.text;
	words.of['s'] = server;
	words.of['t'] = text;
	words.of['u'] = talk->address.own ? "--user " : "";
	why_set(why, 0, "mailtoken: ");
	add_sentence(why, sentence_of(talk, &more), &words, false);
	add_sentence(why, more, &words, true);

	more = "";
	if (other > talk && other->answered)
		more = "; the system's helper does not know $a";
	else if (other != NULL && is_silent(other, ENOENT) && is_shut(talk))
		more = "; none runs at $o";
	else if (other != NULL && is_silent(other, ENOENT) &&
	    talk->fault == FAULT_NO_HELPER && talk->why.err != 0)
		more = "; nor at $o";
	add_sentence(why, more, &words, true);
}

static enum fault converse(const struct addresses *addresses,
    const struct question *question, struct fetched *fetched_out,
    struct why *why)
{
	struct buf request = BUF_INIT(WIRE_LIST_MAX_BYTES);
	struct talk talks[2] = { 0 }, *talk;
	struct attr_writer list;
	enum fault fault;
	size_t i;

	begin_request(&list, &request, NULL, question);
	attr_put_str(&list, ATTR_MECHANISM, question->mechanism);
	fault = attr_end(&list);
	if (fault != FAULT_NONE) {
		why_set(why, 0,
		    "mailtoken: the program's server or service name cannot be "
		    "sent to the helper: %s",
		    fault_text(fault));
		return fault;
	}
	for (i = 0; i < addresses->n; i++) {
		talks[i].address = addresses->at[i];
		buf_init(&talks[i].answer, WIRE_LIST_MAX_BYTES);
	}
	talk = talk_all(talks, addresses->n, buf_span(&request));
	if (talk->fault == FAULT_NONE)
		talk->fault = take_answer(talk, question, fetched_out);
	fault = talk->fault;
	if (fault != FAULT_NONE)
		say(talk, addresses->n > 1 ? &talks[talk == talks] : NULL,
		    question, why);
	if (fault == FAULT_UNKNOWN_ACCOUNT)
		fetched_out->password_allowed =
		    attr_is(&talks[0].attrs, ATTR_PASSWORD_AS_TOKEN, "yes") ||
		    attr_is(&talks[1].attrs, ATTR_PASSWORD_AS_TOKEN, "yes");
	buf_drop(&talks[0].answer);
	buf_drop(&talks[1].answer);
	buf_drop(&request);
	return fault;
}

enum fault fetch_token(const struct question *question,
    struct fetched *fetched_out, struct why *why)
{
	const char *server = question->server;
	char shown[NAME_SHOWN_BYTES];
	struct addresses addresses;

	if (server == NULL || server[0] == '\0') {
		why_set(why, 0,
		    "mailtoken: the program names no server, and a token is "
		    "given out for known servers only: configure the server by "
		    "its host name");
		return FAULT_WRONG_SERVER;
	}
	if (!attr_is_host(host_of(server))) {
		attr_plain(span_of(server), shown, sizeof(shown));
		why_set(why, 0,
		    "mailtoken: the program calls the server \"%s\", which is "
		    "no host name: configure the server by its host name",
		    shown);
		return FAULT_WRONG_SERVER;
	}
	if (address_candidates(&addresses) != FAULT_NONE) {
		why_set(why, 0,
		    "mailtoken: " ADDRESS_SOCKET_ENV " must be "
		    "an absolute path of at most %d bytes",
		    ADDRESS_SOCKET_MAX_BYTES - 1);
		return FAULT_CONFIG_ERROR;
	}
	return converse(&addresses, question, fetched_out, why);
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

	begin_request(&list, &request, fetched->serial, question);
	attr_put_str(&list, ATTR_CHALLENGE, challenge);
	fault = attr_end(&list);
	report.request = buf_span(&request);
	report.deadline_ms = ask_now_ms() + REJECTED_MAX_MS;
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
