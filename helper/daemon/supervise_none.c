/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The null version: nobody to tell, nothing handed over.
 */
#include "daemon/supervise.h"

int supervise_fds(void)
{
	return 0;
}

void supervise_ready(void)
{
}

void supervise_status(const char *sentence)
{
	(void)sentence;
}

void supervise_reloading(void)
{
}

void supervise_stopping(void)
{
}

void supervise_alive(void)
{
}

int64_t supervise_watchdog_ms(void)
{
	return 0;
}
