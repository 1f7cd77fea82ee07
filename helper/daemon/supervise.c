/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Readiness, watchdog and handed-over sockets by libsystemd.
 */
#include "daemon/supervise.h"

#include <inttypes.h>
#include <systemd/sd-daemon.h>
#include <time.h>

int supervise_fds(void)
{
	static int n = -1;

	/* The variables are gone after the first look. */
	if (n < 0)
		n = sd_listen_fds(1);
	if (n < 0)
		n = 0;
	return n;
}

void supervise_ready(void)
{
	(void)sd_notify(0, "READY=1");
}

void supervise_status(const char *sentence)
{
	(void)sd_notifyf(0, "STATUS=%s", sentence);
}

void supervise_reloading(void)
{
	struct timespec now = { 0, 0 };

	/* Type=notify-reload matches the reload by this time. */
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
	    (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void supervise_stopping(void)
{
	(void)sd_notify(0, "STOPPING=1");
}

void supervise_alive(void)
{
	(void)sd_notify(0, "WATCHDOG=1");
}

int64_t supervise_watchdog_ms(void)
{
	uint64_t limit_us = 0;

	if (sd_watchdog_enabled(0, &limit_us) <= 0)
		return 0;
	/* Half of the limit, as sd_watchdog_enabled(3) advises. */
	return (int64_t)(limit_us / 2000);
}
