/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * import - mailtoken import sasl-xoauth2 and mutt_oauth2
 */
#ifndef MAILTOKEN_OPERATOR_IMPORT_H
#define MAILTOKEN_OPERATOR_IMPORT_H

#include "cli/command.h"

/*
 * import_foreign - the files that are named, or standard input, to the helper,
 * one record each.  They are read with the rights of who runs this.
 */
verb_fn import_foreign;

#endif
