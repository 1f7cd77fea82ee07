/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * setup_program - mailtoken setup PROGRAM
 */
#ifndef MAILTOKEN_OPERATOR_SETUP_PROGRAM_H
#define MAILTOKEN_OPERATOR_SETUP_PROGRAM_H

#include "operator/setup.h"

/* setup_is_program - whether there is something to be said of it. */
bool setup_is_program(const char *name);

/* setup_program - print what it needs, for setup->account or an example. */
enum outcome setup_program(struct setup *setup, const char *name);

#endif
