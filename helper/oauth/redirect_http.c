/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Requests and pages of the loopback listener.
 */
#include "oauth/redirect.h"

#include <stdio.h>
#include <strings.h>

#include "wire/attr.h"

static const char style[] =
    "body{margin:0;min-height:100vh;display:flex;align-items:center;"
    "justify-content:center;background:#f1f3f4;color:#1d2327;"
    "font:1.0625rem/1.55 system-ui,sans-serif}"
    "main{box-sizing:border-box;width:100%;max-width:34rem;margin:1rem;"
    "padding:2rem 2.25rem 1.5rem;background:#fff;border:1px solid #d9dee1;"
    "border-top:.375rem solid #7a6200;border-radius:.5rem}"
    "main.good{border-top-color:#1a7f4b}main.bad{border-top-color:#b3261e}"
    "h1{margin:0 0 .75rem;font-size:1.625rem;line-height:1.25}"
    "p{margin:0 0 1rem;overflow-wrap:anywhere}"
    "footer{margin-top:1.75rem;padding-top:.75rem;"
    "border-top:1px solid #d9dee1;color:#5c666d;font-size:.875rem}";

static const struct page {
	const char *status;
	const char *look;
	const char *title;
	const char *text; /* after the one that is given */
} pages[] = {
	[REDIRECT_PAGE_SIGNED_IN] = { "200 OK", "good", "Signed in",
	    "You can close this page and go back to the terminal." },
	[REDIRECT_PAGE_FAILED] = { "400 Bad Request", "bad", "Not signed in",
	    "Nothing was stored. You can close this page; the terminal says "
	    "what to do." },
	[REDIRECT_PAGE_LEFT] = { "400 Bad Request", "other",
	    "Not the page you want",
	    "The terminal says how the sign-in goes on." },
	[REDIRECT_PAGE_HOST] = { "421 Misdirected Request", "other",
	    "Not the page you want",
	    "It was asked for under a name that is not this computer's own: "
	    "use the link that the terminal shows." },
	[REDIRECT_PAGE_ELSEWHERE] = { "404 Not Found", "other",
	    "Not the page you want",
	    "A sign-in is waiting here for your browser to come back, and "
	    "there is nothing else: use the link that the terminal shows." },
	[REDIRECT_PAGE_METHOD] = { "405 Method Not Allowed", "other",
	    "Not the page you want",
	    "A sign-in is waiting here for a GET request, and for nothing "
	    "else." },
	[REDIRECT_PAGE_GARBAGE] = { "400 Bad Request", "other",
	    "Not the page you want",
	    "That was no request of HTTP/1.1. If the address begins with "
	    "https, write http." },
	[REDIRECT_PAGE_LONG] = { "431 Request Header Fields Too Large", "other",
	    "Not the page you want",
	    "The request is too long. If this is the way back from signing in, "
	    "open the terminal's link in a private window, which has no "
	    "cookies." },
};

static bool is_method(struct span method)
{
	size_t i;

	for (i = 0; i < method.n; i++)
		if (method.p[i] < 'A' || method.p[i] > 'Z')
			return false;
	return method.n > 0;
}

/* The bytes up to the next blank, which is taken too. */
static struct span next_word(const char **line)
{
	struct span word = { *line, strcspn(*line, " \n") };

	*line += word.n + (word.p[word.n] == ' ' ? 1 : 0);
	return word;
}

/*
 * One Host among the lines, and that is ours (RFC 9112 section 3.2: none or
 * two are an error).  Host = uri-host [ ":" port ]; browsers leave out that of
 * http.
 */
static bool is_for_us(const char *lines, uint16_t port)
{
	static const char *const names[] = { "127.0.0.1", "localhost",
		"[::1]" };
	static const char name[] = "\nhost:";
	const char *host = strcasestr(lines, name);
	char here[32];
	size_t i, n;

	if (host == NULL || strcasestr(host + 1, name) != NULL)
		return false;
	host += strlen(name);
	host += strspn(host, " \t\r");
	for (n = strcspn(host, "\n"); n > 0; n--)
		if (strchr(" \t\r", host[n - 1]) == NULL)
			break;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)snprintf(here, sizeof(here), "%s:%u", names[i],
		    (unsigned int)port);
		if ((n == strlen(here) ||
			(port == 80 && n == strlen(names[i]))) &&
		    strncasecmp(host, here, n) == 0)
			return true;
	}
	return false;
}

enum redirect_page redirect_request_read(struct span bytes, const char *path,
    uint16_t port, struct span *query_out)
{
	const char *line = bytes.p;
	struct span method, target;
	size_t n;

	if (bytes.n == 0)
		return REDIRECT_PAGE_NONE;
	/* TLS, say, never sends a line. */
	if (!is_method((struct span){ bytes.p, 1 }) ||
	    memchr(bytes.p, '\0', bytes.n) != NULL)
		return REDIRECT_PAGE_GARBAGE;
	if (strcspn(bytes.p, "\n") > REDIRECT_LINE_MAX_BYTES)
		return REDIRECT_PAGE_LONG;
	if (strstr(bytes.p, "\n\r\n") == NULL &&
	    strstr(bytes.p, "\n\n") == NULL)
		return bytes.n < REDIRECT_REQUEST_MAX_BYTES ?
		    REDIRECT_PAGE_NONE :
		    REDIRECT_PAGE_LONG;
	/* request-line = method SP request-target SP HTTP-version */
	method = next_word(&line);
	target = next_word(&line);
	if (!is_method(method) || target.p[0] != '/' ||
	    !attr_is_token(target, REDIRECT_LINE_MAX_BYTES) ||
	    strncmp(line, "HTTP/1.", 7) != 0 ||
	    (line[7] != '0' && line[7] != '1') ||
	    line[8 + strspn(line + 8, "\r")] != '\n')
		return REDIRECT_PAGE_GARBAGE;
	if (!is_for_us(bytes.p, port))
		return REDIRECT_PAGE_HOST;
	if (span_is(method, "HEAD"))
		return REDIRECT_PAGE_HEAD;
	if (!span_is(method, "GET"))
		return REDIRECT_PAGE_METHOD;
	n = strcspn(target.p, "? ");
	if (target.p[n] != '?' || !span_is((struct span){ target.p, n }, path))
		return REDIRECT_PAGE_ELSEWHERE;
	*query_out = (struct span){ target.p + n + 1, target.n - n - 1 };
	return REDIRECT_PAGE_QUERY;
}

/* For a place between two tags. */
static void add_escaped(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '<': buf_add_lit(out, "&lt;"); break;
		case '>': buf_add_lit(out, "&gt;"); break;
		case '&': buf_add_lit(out, "&amp;"); break;
		case '"': buf_add_lit(out, "&quot;"); break;
		case '\'': buf_add_lit(out, "&#39;"); break;
		default:
			if ((unsigned char)*text < 0x20 || *text == 0x7f)
				buf_add_lit(out, "?");
			else
				buf_add(out, (struct span){ text, 1 });
		}
	}
}

/* A sentence of a fault begins small and has no full stop. */
static void add_sentence(struct buf *out, const char *text)
{
	size_t n = strlen(text);
	char first[2] = { text[0], '\0' };

	if (first[0] >= 'a' && first[0] <= 'z')
		first[0] = (char)(first[0] - 'a' + 'A');
	buf_add_lit(out, "<p>");
	add_escaped(out, first);
	add_escaped(out, text + 1);
	buf_add_str(out, text[n - 1] != '.' ? ".</p>\n" : "</p>\n");
}

void redirect_page_write(struct buf *out, enum redirect_page page,
    const char *text)
{
	bool is_head = page == REDIRECT_PAGE_HEAD;
	const struct page *row = &pages[is_head ? REDIRECT_PAGE_METHOD : page];
	struct buf said = BUF_INIT(REDIRECT_PAGE_MAX_BYTES / 2);
	char head[768], body[REDIRECT_PAGE_MAX_BYTES];
	int n;

	if (text != NULL && text[0] != '\0')
		add_sentence(&said, text);
	add_sentence(&said, row->text);
	n = snprintf(body, sizeof(body),
	    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
	    "<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\""
	    "width=device-width,initial-scale=1\">\n"
	    "<title>%s - mailtoken</title>\n<style>%s</style>\n</head>\n"
	    "<body>\n<main class=\"%s\">\n<h1>%s</h1>\n%s"
	    "<footer>mailtoken</footer>\n</main>\n</body>\n</html>\n",
	    row->title, style, row->look, row->title,
	    said.p != NULL ? said.p : "");
	(void)snprintf(head, sizeof(head),
	    "HTTP/1.1 %s%s"
	    "\r\nContent-Type: text/html; charset=utf-8"
	    "\r\nContent-Length: %d"
	    "\r\nCache-Control: no-store"
	    "\r\nReferrer-Policy: no-referrer"
	    "\r\nX-Content-Type-Options: nosniff"
	    "\r\nContent-Security-Policy: default-src 'none'; "
	    "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
	    "frame-ancestors 'none'"
	    "\r\nConnection: close\r\n\r\n",
	    row->status,
	    row == &pages[REDIRECT_PAGE_METHOD] ? "\r\nAllow: GET" : "", n);
	buf_add_str(out, head);
	if (!is_head)
		buf_add_str(out, body);
	buf_drop(&said);
}
