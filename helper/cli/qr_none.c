/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * No pictures without libqrencode.
 */
#include "cli/screen.h"

void qr_draw(const char *link, size_t rows)
{
	(void)link;
	(void)rows;
}
