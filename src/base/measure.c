/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/measure.h"

#include <stdatomic.h>
#include <time.h>

#include "base/mem.h"

#define MS 1000000ull

static const uint64_t bounds[MEASURE_BUCKETS] = {MS / 10, MS / 4, MS / 2, MS, 5 * MS / 2, 5 * MS,
	10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS, 500 * MS, 1000 * MS, 2500 * MS, 5000 * MS,
	UINT64_MAX};

static struct {
	_Atomic uint64_t sum_ns;
	_Atomic uint64_t buckets[MEASURE_BUCKETS];
} times[MEASURE_STEPS];

static _Atomic uint64_t events[MEASURE_EVENTS];

uint64_t measure_bound(unsigned int n)
{
	return bounds[MIN(n, MEASURE_BUCKETS - 1u)];
}

uint64_t measure_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static void add(_Atomic uint64_t *to, uint64_t n)
{
	if (n)
		atomic_fetch_add_explicit(to, n, memory_order_relaxed);
}

void measure_took(enum measure_step step, uint64_t ns)
{
	unsigned int n = 0;

	while (ns > bounds[n])
		n++;
	add(&times[step].sum_ns, ns);
	add(&times[step].buckets[n], 1);
}

void measure_add(enum measure_step step, const struct measure_times *more)
{
	add(&times[step].sum_ns, more->sum_ns);
	for (unsigned int n = 0; n < MEASURE_BUCKETS; n++)
		add(&times[step].buckets[n], more->buckets[n]);
}

void measure_read(enum measure_step step, struct measure_times *ret)
{
	ret->sum_ns = atomic_load_explicit(&times[step].sum_ns, memory_order_relaxed);
	for (unsigned int n = 0; n < MEASURE_BUCKETS; n++)
		ret->buckets[n] =
			atomic_load_explicit(&times[step].buckets[n], memory_order_relaxed);
}

void measure_take(enum measure_step step, struct measure_times *ret)
{
	ret->sum_ns = atomic_exchange_explicit(&times[step].sum_ns, 0, memory_order_relaxed);
	for (unsigned int n = 0; n < MEASURE_BUCKETS; n++)
		ret->buckets[n] =
			atomic_exchange_explicit(&times[step].buckets[n], 0, memory_order_relaxed);
}

void measure_count(enum measure_event event)
{
	add(&events[event], 1);
}

void measure_count_by(enum measure_event event, uint32_t n)
{
	add(&events[event], n);
}

uint64_t measure_counted(enum measure_event event)
{
	return atomic_load_explicit(&events[event], memory_order_relaxed);
}
