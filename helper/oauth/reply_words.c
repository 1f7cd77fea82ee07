/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a refusal says to people: the words of a description, the title of a
 * page that came in place of an answer.
 */
#include "oauth/reply_impl.h"

#include <stdio.h>
#include <strings.h>

#include "wire/attr.h"
#include "wire/echo.h"

static bool is_blank(unsigned char byte)
{
	return byte <= ' ' || byte == 0x7f;
}

/*
 * A description may quote what was sent: a long word is left out unless it is
 * one of small letters, as "client_assertion".
 */
static bool may_be_shown(struct span word)
{
	static const char small[] = "abcdefghijklmnopqrstuvwxyz_'\".,:;()";
	size_t i;

	for (i = 1; word.n > 15 && i < word.n; i++)
		if (strchr(small, word.p[i]) == NULL || word.p[i] == '\0')
			return false;
	return true;
}

/* The next word of text, which begins behind it then; empty at the end. */
static struct span take_word(struct span *text)
{
	struct span word;

	while (text->n > 0 && is_blank((unsigned char)text->p[0])) {
		text->p++;
		text->n--;
	}
	word = (struct span){ text->p, 0 };
	while (text->n > 0 && !is_blank((unsigned char)text->p[0])) {
		text->p++;
		text->n--;
		word.n++;
	}
	return word;
}

/* Without Microsoft's other lines, which are members, too. */
void reply_words(struct span text, char *out, size_t out_bytes)
{
	char words[REPLY_WORDS_MAX_BYTES + 8];
	struct span word;
	size_t n = 0;

	while ((word = take_word(&text)).n > 0) {
		if (span_is(word, "Trace") && text.n > 4 &&
		    memcmp(text.p, " ID:", 4) == 0)
			break;
		if (n > 0)
			words[n++] = ' ';
		if (n + word.n > REPLY_WORDS_MAX_BYTES)
			text.n = 0;
		if (n + word.n > REPLY_WORDS_MAX_BYTES || !may_be_shown(word))
			word = span_of("...");
		memcpy(words + n, word.p, word.n);
		n += word.n;
	}
	attr_plain((struct span){ words, n }, out, out_bytes);
}

/* The next tag of that name, "<title" or "</title"; false: there is none. */
static bool find_tag(struct span *text, const char *tag)
{
	size_t n = strlen(tag);

	for (; text->n >= n; text->p++, text->n--)
		if (strncasecmp(text->p, tag, n) == 0)
			return true;
	return false;
}

static struct span title_of(struct span page)
{
	struct span title;
	const char *end;

	if (!find_tag(&page, "<title"))
		return (struct span){ NULL, 0 };
	end = memchr(page.p, '>', page.n);
	if (end == NULL)
		return (struct span){ NULL, 0 };
	title = (struct span){ end + 1, page.n - (size_t)(end + 1 - page.p) };
	page = title;
	if (!find_tag(&page, "</title"))
		return (struct span){ NULL, 0 };
	title.n -= page.n;
	return title;
}

bool reply_page(struct span body, const struct reply_asked *asked,
    char title_out[REPLY_TITLE_BYTES])
{
	struct span said;
	char title[REPLY_TITLE_BYTES - sizeof(" (\"\")")];

	title_out[0] = '\0';
	while (body.n > 0 && is_blank((unsigned char)body.p[0])) {
		body.p++;
		body.n--;
	}
	if (body.n == 0 || body.p[0] != '<')
		return false;
	said = title_of(body);
	if (asked != NULL && reply_repeats(asked, said))
		said = span_of(ECHO_HIDDEN);
	reply_words(said, title, sizeof(title));
	if (title[0] != '\0')
		(void)snprintf(title_out, REPLY_TITLE_BYTES, " (\"%s\")",
		    title);
	return true;
}
