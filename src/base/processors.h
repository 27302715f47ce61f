/* SPDX-License-Identifier: GPL-2.0-or-later */
/* processors.h - how many threads of this process can run at the same time? */
#pragma once

#include <sched.h>

/* At least 1. */
static inline unsigned int processors_count(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
}
