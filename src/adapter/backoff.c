/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "adapter/backoff.h"

#include <sys/random.h>

#include "base/limits.h"
#include "base/mem.h"

enum { FIRST_MS = 100 };

uint64_t backoff_next(struct backoff *backoff)
{
	uint64_t part;
	uint16_t dice = 0;

	backoff->ms = backoff->ms ? MIN(backoff->ms * 2, (uint64_t)LIMIT_ADAPTER_WAIT) : FIRST_MS;
	if (getrandom(&dice, sizeof(dice), GRND_NONBLOCK) < 0)
		dice = 0;
	part = backoff->ms / 2;
	return backoff->ms - part + part * dice / UINT16_MAX;
}

void backoff_reset(struct backoff *backoff)
{
	backoff->ms = 0;
}
