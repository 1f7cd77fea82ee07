/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mech - one connection's exchange, for both mechanisms
 *
 * Owns the context that libsasl2 keeps for us and its states: nothing sent,
 * token sent, done.  What differs between XOAUTH2 and OAUTHBEARER is a
 * constant that libsasl2 hands back as glob_context.  Never blocks but in
 * the first step; dispose wipes and does no I/O.
 */
#ifndef MAILTOKEN_PLUGIN_MECH_H
#define MAILTOKEN_PLUGIN_MECH_H

#include <sasl/sasl.h>
#include <sasl/saslplug.h>

#define MECH_COUNT 2

/* What libsasl2 is offered, the preferred one first; it is never changed. */
extern const sasl_client_plug_t mech_list[MECH_COUNT];

#endif
