/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Arithmetic of lives; every value is bounded by the parsers, so nothing
 * here can overflow.
 */
#include "daemon/life.h"

struct life life_resume(const struct life_record *record, const struct now *now)
{
	const struct life none = { .granted_s = 0 };
	struct life life = {
		.expires_s = record->expires_s,
		.granted_s = record->granted_s,
		.received_boot_ms = now->boot_ms -
		    (now->wall_s - record->refreshed_s) * 1000,
	};

	if (record->refreshed_s > now->wall_s ||
	    life.expires_s - now->wall_s > life.granted_s)
		return none;
	if (record->refresh_in_s < life.granted_s)
		life.refresh_in_s = record->refresh_in_s;
	return life;
}

struct life life_begin(int64_t granted_s, int64_t refresh_in_s,
    const struct now *now)
{
	const struct life_record record = {
		.refreshed_s = now->wall_s,
		.expires_s = now->wall_s + granted_s,
		.granted_s = granted_s,
		.refresh_in_s = refresh_in_s,
	};

	return life_resume(&record, now);
}

int64_t life_left_s(const struct life *life, const struct now *now)
{
	int64_t wall = life->expires_s - now->wall_s;
	int64_t boot = life->granted_s -
	    (now->boot_ms - life->received_boot_ms) / 1000;
	int64_t left = wall < boot ? wall : boot;

	if (life->granted_s <= 0 || left < 0)
		return 0;
	return left;
}

bool life_usable(const struct life *life, const struct now *now,
    int64_t min_validity_s, int64_t server_min_s)
{
	int64_t left = life_left_s(life, now);
	int64_t need = min_validity_s > LIFE_MIN_VALIDITY_S ?
	    min_validity_s :
	    LIFE_MIN_VALIDITY_S;

	if (need > life->granted_s / 2)
		need = life->granted_s / 2;
	return left > 0 && left >= need && left >= server_min_s;
}

int64_t life_margin_s(const struct life *life)
{
	if (life->refresh_in_s > 0)
		return life->granted_s - life->refresh_in_s;
	return life->granted_s / 2;
}

int64_t life_renew_in_ms(const struct life *life, const struct now *now,
    int64_t server_min_s)
{
	int64_t margin = life_margin_s(life);
	int64_t left = life_left_s(life, now);

	if (margin < server_min_s)
		margin = server_min_s;
	return left > margin ? (left - margin) * 1000 : 0;
}
