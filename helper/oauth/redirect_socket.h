/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * redirect_socket - the listening sockets of the loopback listener
 *
 * Owns the choice of addresses: 127.0.0.1 and ::1, never another one.
 */
#ifndef MAILTOKEN_OAUTH_REDIRECT_SOCKET_H
#define MAILTOKEN_OAUTH_REDIRECT_SOCKET_H

#include "wire/fault.h"

#define REDIRECT_FAMILIES 2

/*
 * redirect_open - listen on one port of 127.0.0.1 and of ::1
 *
 * fds_out   out: -1 beforehand; the second stays so without IPv6
 * port_out  out: the port
 *
 * The faults of redirect_new(); then all of fds_out are -1.
 */
enum fault redirect_open(uint16_t port, int fds_out[REDIRECT_FAMILIES],
    uint16_t *port_out, struct why *why) MUST_CHECK;

#endif
