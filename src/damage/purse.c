/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "damage/purse.h"

#include <pthread.h>
#include <time.h>

#include "base/measure.h"
#include "base/mem.h"

#define NS_PER_MS 1000000u

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct budget budget;

void purse_fill(uint32_t percent)
{
	struct budget before;

	pthread_mutex_lock(&lock);
	before = budget;
	budget_init(&budget, percent, measure_now());
	budget.weights = before.weights;
	pthread_mutex_unlock(&lock);
}

void purse_join(struct budget_member *member, bool watched, bool active)
{
	uint32_t weight = !watched ? 0 : active ? PURSE_ACTIVE : 1;

	if (weight == member->weight)
		return;
	pthread_mutex_lock(&lock);
	budget_weigh(&budget, member, weight);
	pthread_mutex_unlock(&lock);
}

uint32_t purse_wait(const struct budget_member *member)
{
	uint64_t ns;

	pthread_mutex_lock(&lock);
	ns = budget_wait(&budget, member, measure_now());
	pthread_mutex_unlock(&lock);
	return (uint32_t)DIV_ROUND_UP(ns, (uint64_t)NS_PER_MS);
}

uint64_t purse_begin(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000 * NS_PER_MS + (uint64_t)ts.tv_nsec;
}

void purse_pay(struct budget_member *member, uint64_t began)
{
	uint64_t cost = purse_begin() - began;

	pthread_mutex_lock(&lock);
	budget_charge(&budget, member, cost, measure_now());
	pthread_mutex_unlock(&lock);
}
