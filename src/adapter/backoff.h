/* SPDX-License-Identifier: GPL-2.0-or-later */
/* backoff.h - how long to wait before the next try: twice as long each time up to LIMIT_ADAPTER_WAIT, and never quite the same, so that
 * the adapters of a host do not come back all at once. */
#pragma once

#include <stdint.h>

struct backoff {
	uint64_t ms; /* of the last wait; 0: none yet */
};

/* What to wait now, in milliseconds. */
uint64_t backoff_next(struct backoff *backoff);
/* It went well. */
void backoff_reset(struct backoff *backoff);
