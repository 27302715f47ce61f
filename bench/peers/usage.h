/* SPDX-License-Identifier: GPL-2.0-or-later */
/* usage.h - what processes and their descendants have used. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct usage {
	double cpu_ms;	   /* of all threads, those that have ended too; by the scheduler's clock */
	uint64_t wakeups;  /* voluntary context switches of the threads that are there */
	double at_ms;	   /* when it was taken, CLOCK_MONOTONIC */
};

/* Of @count processes and all below them. */
struct usage usage_of(const pid_t *pids, size_t count);
double now_ms(void);
