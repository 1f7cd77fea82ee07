/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * paste - an address typed or piped in while the helper waits for a browser
 *
 * Owns standard input from paste_open() to paste_close(), and the bytes that
 * came, which hold a code and are wiped.  Reads it by read(2), never stdio,
 * and not at all while another job has the terminal.
 */
#ifndef MAILTOKEN_CLI_PASTE_H
#define MAILTOKEN_CLI_PASTE_H

#include "wire/buf.h"

#define PASTE_MAX_BYTES 16384

struct paste {
	bool open;
	bool ended;	  /* nothing more will come */
	bool line;	  /* what is there has a whole line */
	int64_t quiet_ms; /* when that counts as all; peerio_now_ms() */
	struct buf in;
};

#define PASTE_INIT \
	{ \
		.in = BUF_INIT(PASTE_MAX_BYTES) \
	}

/* paste_open - begin, with nothing read; paste_close - wipe.  Any number of
 * times. */
void paste_open(struct paste *paste);
void paste_close(struct paste *paste);

/*
 * paste_wait - until fd can be read, something was pasted, or wake_ms (clock
 * of peerio_now_ms())
 *
 * Lines that come in one go are one address that was broken: they count as
 * whole when it is quiet for a moment, or at an empty line.
 *
 * True when paste_text() is whole.
 */
bool paste_wait(struct paste *paste, int fd, int64_t wake_ms);

/* paste_text - the lines without their ends; until the next paste_wait(). */
struct span paste_text(const struct paste *paste);

#endif
