/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Pictures by libqrencode: two rows of modules make a line of characters.
 * Light modules are drawn, since most terminals are dark; with colours it is
 * right on all of them.
 */
#include <qrencode.h>

#include "cli/screen.h"

/* Light modules around; 4 by the standard, but readers do with 2. */
#define MARGIN 2

static int is_light(const QRcode *code, int x, int y)
{
	return x < 0 || y < 0 || x >= code->width || y >= code->width ||
	    (code->data[y * code->width + x] & 1) == 0;
}

bool qr_draw(const char *link, size_t rows, struct buf *out)
{
	/* U+2580 upper half, U+2584 lower half, U+2588 full block */
	static const char *const blocks[] = { " ", "\342\226\204",
		"\342\226\200", "\342\226\210" };
	QRcode *code = QRcode_encodeString8bit(link, 0, QR_ECLEVEL_L);
	size_t wide;
	bool fits;
	int x, y;

	if (code == NULL)
		return false;
	wide = (size_t)(code->width + 2 * MARGIN);
	fits = wide <= screen.columns && (wide + 1) / 2 <= rows;
	for (y = -MARGIN; fits && y < code->width + MARGIN; y += 2) {
		buf_add_str(out, screen.colours ? "\033[97;40m" : "");
		for (x = -MARGIN; x < code->width + MARGIN; x++)
			buf_add_str(out,
			    blocks[2 * is_light(code, x, y) +
				is_light(code, x, y + 1)]);
		buf_add_str(out, screen.colours ? "\033[0m\n" : "\n");
	}
	QRcode_free(code);
	return fits;
}
