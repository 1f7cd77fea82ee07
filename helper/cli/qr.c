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

void qr_draw(const char *link, size_t rows)
{
	/* U+2580 upper half, U+2584 lower half, U+2588 full block */
	static const char *const blocks[] = { " ", "\342\226\204",
		"\342\226\200", "\342\226\210" };
	QRcode *code = QRcode_encodeString8bit(link, 0, QR_ECLEVEL_L);
	int x, y, end = code != NULL ? code->width + MARGIN : 0;

	if (code == NULL || (size_t)(end + MARGIN) > screen.columns ||
	    1 + (size_t)(end + MARGIN + 1) / 2 > rows) {
		QRcode_free(code);
		return;
	}
	screen_add("The link as a picture, for a telephone:\n");
	for (y = -MARGIN; y < end; y += 2) {
		screen_add(screen.colours ? "\033[97;40m" : "");
		for (x = -MARGIN; x < end; x++)
			screen_add(blocks[2 * is_light(code, x, y) +
			    is_light(code, x, y + 1)]);
		screen_add(screen.colours ? "\033[0m\n" : "\n");
	}
	QRcode_free(code);
}
