/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Displays that look, on a clock that is a number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "damage/budget.h"

#define US	1000ull
#define MS	1000000ull
#define SECOND	1000000000ull
#define STEP	(100 * US)
#define MEMBERS 120

/* A display: it would like to look every so often, and each look costs so much. */
struct looker {
	struct budget_member member;
	uint64_t every, cost;
	uint64_t due, used, worst_wait; /* ns */
	unsigned int looks;
};

static struct budget budget;
static struct looker lookers[MEMBERS];
static size_t used;
static uint64_t now;

static void begin(uint32_t percent)
{
	now = 7 * SECOND;
	used = 0;
	budget_init(&budget, percent, now);
}

static struct looker *add(unsigned int n, uint32_t weight, uint64_t every, uint64_t cost)
{
	struct looker *first = &lookers[used];

	for (unsigned int i = 0; i < n; i++, used++) {
		assert_true(used < MEMBERS);
		lookers[used] = (struct looker){.every = every, .cost = cost, .due = now};
		budget_weigh(&budget, &lookers[used].member, weight);
	}
	return first;
}

static void look(struct looker *looker)
{
	looker->worst_wait = MAX(looker->worst_wait, now - looker->due);
	looker->used += looker->cost;
	looker->looks++;
	budget_charge(&budget, &looker->member, looker->cost, now + looker->cost);
	looker->due = now + MAX(looker->every, looker->cost);
}

/* Returns what all have used meanwhile. */
static uint64_t run(uint64_t duration)
{
	uint64_t end = now + duration, sum = 0;

	for (size_t i = 0; i < used; i++)
		lookers[i].used = lookers[i].looks = lookers[i].worst_wait = 0;
	for (; now < end; now += STEP)
		for (size_t i = 0; i < used; i++)
			if (now >= lookers[i].due && !budget_wait(&budget, &lookers[i].member, now))
				look(&lookers[i]);
	for (size_t i = 0; i < used; i++)
		sum += lookers[i].used;
	return sum;
}

static void who_wants_little_is_never_held_up(void **state)
{
	begin(50);
	add(100, 1, 80 * MS, 80 * US);
	run(60 * SECOND);
	for (size_t i = 0; i < used; i++) {
		assert_true(lookers[i].worst_wait < STEP);
		assert_in_range(lookers[i].looks, 740, 751);
	}
}

static void the_share_is_never_exceeded(void **state)
{
	static const uint32_t percents[] = {1, 10, 50, 100, 300};

	for (size_t i = 0; i < ARRAY_SIZE(percents); i++) {
		uint64_t sum, share, once = 0;

		begin(percents[i]);
		add(40, 1, 16 * MS, 3 * MS);
		add(40, 8, 16 * MS, 1 * MS);
		add(2, 1, 16 * MS, 900 * MS);
		for (size_t n = 0; n < used; n++)
			once += lookers[n].cost;
		for (unsigned int round = 0; round < 2; round++) {
			sum = run(20 * SECOND);
			share = 20 * SECOND / 100 * percents[i];
			assert_true(sum <= share + BUDGET_SAVED_MS * MS / 100 * percents[i] + once);
		}
		/* Nor is it left lying. */
		assert_true(sum + once >= share / 10 * 7);
	}
}

static void the_active_get_more(void **state)
{
	struct looker *active, *others;

	begin(50);
	others = add(20, 1, 1 * MS, 1 * MS);
	active = add(4, 8, 1 * MS, 1 * MS);
	run(30 * SECOND);
	for (size_t i = 0; i < 20; i++)
		assert_in_range(others[i].used, 30 * SECOND / 2 / 52 * 7 / 10,
			30 * SECOND / 2 / 52 * 13 / 10);
	for (size_t i = 0; i < 4; i++)
		assert_in_range(active[i].used, 30 * SECOND / 2 * 8 / 52 * 7 / 10,
			30 * SECOND / 2 * 8 / 52 * 13 / 10);
}

/* Somebody begins to type where nothing has happened: what is left of its rest is an active one's. */
static void who_becomes_active_does_not_rest_as_before(void **state)
{
	struct looker *idle, *others;
	uint64_t rest;

	begin(10);
	idle = add(1, 1, SECOND, MS);
	others = add(4, 8, 10 * MS, 100 * MS);
	for (unsigned int i = 0; i < 4; i++)
		look(&others[i]);
	look(idle);
	now += MS;
	rest = budget_wait(&budget, &idle->member, now);
	assert_true(rest > 100 * MS);
	budget_weigh(&budget, &idle->member, 8);
	assert_in_range(budget_wait(&budget, &idle->member, now), 1, rest / 4);
}

/* Until it may look. The credit is used up meanwhile, and for long. */
static uint64_t rest_of(const struct looker *looker)
{
	uint64_t begin = now, wait;

	while ((wait = budget_wait(&budget, &looker->member, now)))
		now += wait;
	assert_true(budget.credit < 0);
	return now - begin;
}

static void whole_debt(struct looker *debtor)
{
	budget_charge(&budget, &debtor->member, 3600 * SECOND, now);
}

/* The picture has changed as a whole; from then on probes tell that nothing does. */
static void one_dear_look_is_not_rested_for_again_and_again(void **state)
{
	struct looker *still;
	uint64_t dear, cheap, sum = 0;

	begin(50);
	still = add(1, 1, 80 * MS, 80 * US);
	whole_debt(add(19, 1, SECOND, MS));
	look(still);
	cheap = rest_of(still);
	assert_in_range(cheap, 3200 * US, 3300 * US);
	still->cost = 20 * MS;
	look(still);
	dear = rest_of(still);
	assert_in_range(dear, 800 * MS, 821 * MS);
	still->cost = 80 * US;
	for (unsigned int i = 0; i < 8; i++) {
		look(still);
		sum += rest_of(still);
	}
	/* Where an eighth is forgotten at each look it is four times that. */
	assert_true(sum <= dear * 11 / 10);
	look(still);
	assert_in_range(rest_of(still), cheap * 9 / 10, cheap * 11 / 10);
}

/* Nor does anybody get more than his part by dear looks among cheap ones. */
static void who_is_dear_now_and_then_has_its_part(void **state)
{
	static const unsigned int every[] = {1, 2, 3, 10, 100};

	for (size_t i = 0; i < ARRAY_SIZE(every); i++) {
		struct looker *odd;
		uint64_t begun, used_up = 0, part;

		begin(50);
		odd = add(1, 1, MS, 0);
		whole_debt(add(9, 1, SECOND, MS));
		begun = now;
		for (unsigned int n = 0; n < 1000; n++) {
			odd->cost = n % every[i] ? 50 * US : 5 * MS;
			used_up += odd->cost;
			look(odd);
			rest_of(odd);
		}
		part = (now - begun) / 100 * 50 / 10;
		assert_in_range(used_up, part * 2 / 5, part * 21 / 20);
	}
}

static void a_dear_one_pays_for_itself(void **state)
{
	struct looker *dear, *cheap;

	begin(50);
	dear = add(2, 1, 16 * MS, 400 * MS);
	cheap = add(50, 1, 80 * MS, 80 * US);
	run(60 * SECOND);
	/* Cheap ones take a tenth of the share, and wait for nobody. */
	for (size_t i = 0; i < 50; i++)
		assert_true(cheap[i].worst_wait <= 20 * MS);
	assert_true(dear[0].used + dear[1].used <= 28 * SECOND);
	assert_true(dear[0].looks >= 5 && dear[1].looks >= 5);
}

static void who_leaves_leaves_its_part(void **state)
{
	struct looker *stays, *goes;
	uint64_t before;

	begin(20);
	stays = add(1, 1, 1 * MS, 1 * MS);
	goes = add(9, 1, 1 * MS, 1 * MS);
	run(20 * SECOND);
	before = stays->used;
	for (size_t i = 0; i < 9; i++) {
		budget_weigh(&budget, &goes[i].member, 0);
		goes[i].due = UINT64_MAX;
	}
	assert_int_equal(budget.weights, 1);
	run(20 * SECOND);
	assert_true(stays->used >= before * 8);
	budget_weigh(&budget, &stays->member, 0);
	assert_int_equal(budget.weights, 0);
}

static void what_was_saved_can_be_spent_at_once(void **state)
{
	begin(50);
	run(10 * SECOND);
	add(100, 1, SECOND, 400 * US);
	run(SECOND);
	for (size_t i = 0; i < used; i++)
		assert_true(lookers[i].worst_wait < STEP);
}

static void odd_numbers(void **state)
{
	struct budget_member member = {0};

	/* No share: nobody waits. */
	budget_init(&budget, 0, 5);
	budget_weigh(&budget, &member, 1);
	budget_charge(&budget, &member, SECOND, 6);
	assert_int_equal(budget_wait(&budget, &member, 6), 0);
	/* A clock that goes back, a look that lasted for ever, a rest that would. */
	member = (struct budget_member){0};
	budget_init(&budget, 1, 1000 * SECOND);
	budget_weigh(&budget, &member, 1);
	budget_charge(&budget, &member, UINT64_MAX, 999 * SECOND);
	assert_in_range(budget_wait(&budget, &member, 999 * SECOND), 1, 3600 * SECOND);
	budget_wait(&budget, &member, UINT64_MAX / 2);
	/* Not a member. */
	budget_weigh(&budget, &member, 0);
	assert_int_equal(budget_wait(&budget, &member, 999 * SECOND), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_wants_little_is_never_held_up),
		cmocka_unit_test(the_share_is_never_exceeded),
		cmocka_unit_test(the_active_get_more),
		cmocka_unit_test(who_becomes_active_does_not_rest_as_before),
		cmocka_unit_test(one_dear_look_is_not_rested_for_again_and_again),
		cmocka_unit_test(who_is_dear_now_and_then_has_its_part),
		cmocka_unit_test(a_dear_one_pays_for_itself),
		cmocka_unit_test(who_leaves_leaves_its_part),
		cmocka_unit_test(what_was_saved_can_be_spent_at_once),
		cmocka_unit_test(odd_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
