/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * signin - what a human sees and types while the helper waits
 *
 * Owns the screen during a sign-in: link, code, picture, the time left.  Owns
 * standard input while an address may be pasted, and the bytes that came,
 * which hold a code and are wiped: reads it by read(2), never stdio, and not
 * at all while another job has the terminal.
 */
#ifndef MAILTOKEN_CLI_SIGNIN_H
#define MAILTOKEN_CLI_SIGNIN_H

#include "wire/attr.h"

#define SIGNIN_LINK_BYTES  8192
#define SIGNIN_PASTE_BYTES 16384

struct signin {
	enum {
		SIGNIN_NOTHING,
		SIGNIN_TIME_LEFT,
		SIGNIN_PROMPT
	} below;	/* what stands below the link */
	int64_t end_ms; /* when it lapses; clock of ask_now_ms() */
	int64_t said_s; /* the time left that stands on the screen */

	bool reads;	  /* an address is waited for */
	bool ended;	  /* and nothing more will come */
	bool line;	  /* what came has a whole line */
	int64_t quiet_ms; /* when that counts as all */
	struct buf pasted;
};

#define SIGNIN_INIT \
	{ \
		.pasted = BUF_INIT(SIGNIN_PASTE_BYTES) \
	}

/* signin_link - the most useful link of an event, printable ASCII; false
 * where it has none. */
bool signin_link(const struct attrs *event, char link[SIGNIN_LINK_BYTES]);

/*
 * signin_show - a show-code or show-url event: a picture of the link where
 * all the rest stays on the screen below it, then the link and the code;
 * nothing stands below the cursor before
 * signin_lapses - take the time left from an event, if it has one
 * signin_tick - bring the time left up to date; when that is due again
 */
void signin_show(struct signin *signin, const char *account,
    const struct attrs *event);
void signin_lapses(struct signin *signin, const struct attrs *event);
int64_t signin_tick(struct signin *signin);

/*
 * signin_ask - begin to read an address, with the words of an ask event and a
 * prompt if event is not NULL
 * signin_clear - take what is below the link off the screen, read no address
 * any more, and wipe
 */
void signin_ask(struct signin *signin, const struct attrs *event);
void signin_clear(struct signin *signin);

/*
 * signin_wait - until fd can be read, an address was pasted, or wake_ms
 *
 * Lines that come in one go are one address that was broken: they count as
 * whole when it is quiet for a moment, or at an empty line.
 *
 * True when signin->pasted is whole, without the lines' ends.
 */
bool signin_wait(struct signin *signin, int fd, int64_t wake_ms);

/*
 * The mail exchangers of a domain (RFC 5321 section 5.1): a hint of who runs
 * the mail and no more, since DNS may fail and may lie.
 *
 * mx_find   append their names with blanks between them, best first; nothing
 *           when there are none, the domain is no host name or the resolver
 *           does not answer; blocks, a few seconds at most.  What does not fit
 *           the limit of out is left out.
 * mx_parse  the same from a DNS message of n bytes (RFC 1035 section 4)
 */
void mx_find(const char *domain, struct buf *out);
void mx_parse(const unsigned char *message, size_t n, struct buf *out);

#endif
