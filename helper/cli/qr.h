/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * qr - a link as a picture for a telephone, drawn with libqrencode
 */
#ifndef MAILTOKEN_CLI_QR_H
#define MAILTOKEN_CLI_QR_H

#include "wire/buf.h"

/*
 * qr_draw - append the picture of link in block characters of Unicode
 *
 * columns, rows  in: how wide and high it may be
 * colours        in: paint it black on white whatever the terminal's colours
 *                are
 *
 * Gives whether it did: not when it would be too large, never without
 * libqrencode.
 */
bool qr_draw(const char *link, size_t columns, size_t rows, bool colours,
    struct buf *out);

#endif
