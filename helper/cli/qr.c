/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Two rows of modules make a line of characters.  Light modules are drawn,
 * since most terminals are dark; with colours it is right on all of them.
 */
#include "cli/qr.h"

#include <qrencode.h>

/* Light modules around; 4 by the standard, but readers do with 2. */
#define MARGIN 2

static bool is_light(const QRcode *code, int x, int y)
{
	if (x < 0 || y < 0 || x >= code->width || y >= code->width)
		return true;
	return (code->data[y * code->width + x] & 1) == 0;
}

static void draw_line(const QRcode *code, int y, bool colours, struct buf *out)
{
	int x;

	if (colours)
		buf_add_lit(out, "\033[97;40m");
	for (x = -MARGIN; x < code->width + MARGIN; x++) {
		bool upper = is_light(code, x, y);
		bool lower = is_light(code, x, y + 1);

		if (upper && lower)
			buf_add_lit(out, "\342\226\210"); /* U+2588 */
		else if (upper)
			buf_add_lit(out, "\342\226\200"); /* U+2580 */
		else if (lower)
			buf_add_lit(out, "\342\226\204"); /* U+2584 */
		else
			buf_add_lit(out, " ");
	}
	if (colours)
		buf_add_lit(out, "\033[0m");
	buf_add_lit(out, "\n");
}

bool qr_draw(const char *link, size_t columns, size_t rows, bool colours,
    struct buf *out)
{
	QRcode *code;
	size_t wide;
	bool fits;
	int y;

	code = QRcode_encodeString8bit(link, 0, QR_ECLEVEL_L);
	if (code == NULL)
		return false;
	wide = (size_t)(code->width + 2 * MARGIN);
	fits = wide <= columns && (wide + 1) / 2 <= rows;
	for (y = -MARGIN; fits && y < code->width + MARGIN; y += 2)
		draw_line(code, y, colours, out);
	QRcode_free(code);
	return fits;
}
