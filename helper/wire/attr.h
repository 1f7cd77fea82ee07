/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * attr - attribute lists: the one grammar of sockets and keyring files
 *
 *	list      = first *attribute LF
 *	first     = ("mailtoken" / "mailtoken-entry") "=1" LF
 *	attribute = name "=" value LF
 *	name      = 1*32(%x61-7A / DIGIT / "-")
 *	value     = *(any byte but NUL, LF, CR)
 *
 * Owns every check of legal bytes, lengths and repeats (limits: words.h,
 * mailtoken-protocol(7)).  A parsed list points into the bytes it was parsed
 * from and owns nothing.  The writer refuses what the reader would.
 */
#ifndef MAILTOKEN_WIRE_ATTR_H
#define MAILTOKEN_WIRE_ATTR_H

#include "wire/buf.h"
#include "wire/words.h"

struct attr {
	struct span name;
	struct span value;
};

struct attrs {
	size_t n;
	struct attr at[WIRE_LINES_MAX];
};

/*
 * attr_length - where the first list in bytes ends
 *
 * bytes     in: what has arrived so far
 * list_out  out: its length with the empty line; 0 while it is incomplete
 *
 * FAULT_NONE; FAULT_TOO_BIG when it can no longer become a legal list.
 */
enum fault attr_length(struct span bytes, size_t *list_out) MUST_CHECK;

/*
 * attr_parse - take one whole list apart
 *
 * list   in: exactly one list, with its empty line
 * first  in: WIRE_FIRST or WIRE_FIRST_ENTRY, the name that must come first
 *
 * FAULT_NONE; FAULT_GRAMMAR for anything the grammar above does not allow,
 * another version, or a name that stands twice and is no list (sealed,
 * changed, needs-restart, warning); FAULT_TOO_BIG.
 */
enum fault attr_parse(struct span list, const char *first,
    struct attrs *attrs_out) MUST_CHECK;

/* attr_has - whether the name stands in the list. */
bool attr_has(const struct attrs *attrs, const char *name);

/* attr_get - its (first) value; the empty span when it is absent. */
struct span attr_get(const struct attrs *attrs, const char *name);

/* attr_is - whether its value is exactly this, which is not empty. */
bool attr_is(const struct attrs *attrs, const char *name, const char *value);

/*
 * attr_number - a decimal number, min..max: 1..19 digits with an optional
 * minus sign; FAULT_GRAMMAR, *number_out is untouched then.
 */
enum fault attr_number(struct span text, int64_t min, int64_t max,
    int64_t *number_out) MUST_CHECK;

/*
 * Writing.  A writer appends one list to a buf whose faults are sticky, and
 * refuses what the reader would but for names that stand twice; attr_end()
 * closes the list and returns the first fault (FAULT_GRAMMAR, FAULT_TOO_BIG,
 * FAULT_NOMEM).  On a fault the buf holds no byte of the list.
 *
 * attr_put_rest - all of another list but its first attribute
 */
struct attr_writer {
	struct buf *buf;
	size_t start, lines;
};

void attr_begin(struct attr_writer *writer, struct buf *buf, const char *first);
void attr_put(struct attr_writer *writer, const char *name, struct span value);
void attr_put_str(struct attr_writer *writer, const char *name,
    const char *value);
void attr_put_int(struct attr_writer *writer, const char *name, int64_t number);
void attr_put_rest(struct attr_writer *writer, const struct attrs *attrs);
enum fault attr_end(struct attr_writer *writer) MUST_CHECK;

/*
 * Legal bytes that more than one room must agree on.
 *
 * attr_is_token    1..max bytes of printable ASCII without blanks
 * attr_is_account  1..254 bytes of UTF-8 without control bytes (C0, DEL, C1)
 * attr_is_login    likewise, 1..1024 bytes: what goes into user= or a=
 * attr_is_host     1..255 bytes of letters, digits, '.', '-', ':', '_'
 * attr_is_server   a host, or "*." and one, that does not begin with a dot
 * attr_is_of       1..max bytes that stand in legal
 * attr_is_client_secret
 *                  1..4096 of printable ASCII, blanks too (RFC 6749
 *                  appendix A.2)
 */
#define ATTR_ALNUM \
	"abcdefghijklmnopqrstuvwxyz" \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
bool attr_is_of(struct span text, const char *legal, size_t max_bytes);
bool attr_is_token(struct span text, size_t max_bytes);
bool attr_is_client_secret(struct span text);
bool attr_is_account(struct span text);
bool attr_is_login(struct span text);
bool attr_is_host(struct span text);
bool attr_is_server(struct span text);

/*
 * attr_utf8 - length and code of the UTF-8 character at p (RFC 3629 section
 * 4), 0 when the n bytes there (at least 1) do not begin with one.
 */
size_t attr_utf8(const char *p, size_t n, unsigned *code_out);

/*
 * attr_plain - copy text that a stranger chose into out (with a NUL), control
 * bytes, backslashes and bytes above 0x7e as \xHH, cut with "..." to fit.
 *
 * out_bytes  in: room in out, at least 8
 */
void attr_plain(struct span text, char *out, size_t out_bytes);

/* attr_plain_rest - the same for a sentence whose foreign parts are plain
 * already: its backslashes stay, so that nothing is escaped twice. */
void attr_plain_rest(const char *text, char *out, size_t out_bytes);

#endif
