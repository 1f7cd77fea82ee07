/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * response - the initial client responses of XOAUTH2 and OAUTHBEARER
 *
 * Pure encoders: names and a token in, bytes out, before base64 (which the
 * host program does).  Nothing goes out that would let a name or a token add
 * a field of its own.
 * XOAUTH2: Google's "XOAUTH2 protocol" page.  OAUTHBEARER: RFC 7628 section
 * 3.1 with the GS2 header of RFC 5801 section 4.
 */
#ifndef MAILTOKEN_PLUGIN_RESPONSE_H
#define MAILTOKEN_PLUGIN_RESPONSE_H

#include "wire/buf.h"
#include "wire/words.h"

/* Every byte of a name may become three; 64 for all that is fixed. */
#define RESPONSE_MAX_BYTES (3 * LOGIN_MAX_BYTES + ACCESS_TOKEN_MAX_BYTES + 64)

/*
 * response_is_bearer - whether text can only be a bearer token, not a
 * password: 64..65000 bytes of the b64token alphabet (RFC 6750 section 2.1).
 */
bool response_is_bearer(struct span text);

/*
 * response_xoauth2 - user=USER^Aauth=Bearer TOKEN^A^A
 *
 * user    in: as attr_is_login(); not terminated
 * token   in: as attr_is_token(), which who has it has looked at, or a text
 *         that response_is_bearer(); not terminated
 * out     in/out: empty buf whose limit is RESPONSE_MAX_BYTES; it holds a
 *         secret afterwards, so the caller must buf_drop() it
 *
 * FAULT_NONE; FAULT_GRAMMAR when user is none; FAULT_NOMEM.  On any fault out
 * holds no token bytes.  Does not block.
 */
enum fault response_xoauth2(struct span user, struct span token,
    struct buf *out) MUST_CHECK;

/*
 * response_oauthbearer - n,a=USER,^Aauth=Bearer TOKEN^A^A
 *
 * The same parameters and faults.  ',' and '=' of the name are sent as =2C
 * and =3D.  host and port are left out: the plugin is not told the port.
 */
enum fault response_oauthbearer(struct span user, struct span token,
    struct buf *out) MUST_CHECK;

#endif
