/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/eventfd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "rfb/turns.h"

#define ROOM 2

struct fixture {
	struct turns turns;
	struct turn turn[5];
};

static int setup(void **state)
{
	struct fixture *f = new0(struct fixture);

	turns_init(&f->turns, ROOM);
	for (size_t i = 0; i < ARRAY_SIZE(f->turn); i++)
		turns_join(&f->turns, &f->turn[i], eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(f->turn); i++) {
		turns_leave(&f->turns, &f->turn[i]);
		fd_close(f->turn[i].wake);
	}
	assert_true(TAILQ_EMPTY(&f->turns.all));
	free(f);
	return 0;
}

static bool woken(const struct turn *turn)
{
	eventfd_t count;

	return eventfd_read(turn->wake, &count) == 0;
}

static void publish(struct fixture *f)
{
	turns_call(&f->turns);
	turns_wake(&f->turns);
}

/* In the order in which they came, as many as there is room for. */
static void first_come_first_called(void **state)
{
	struct fixture *f = *state;

	for (int i = 3; i >= 0; i--)
		turn_wait(&f->turns, &f->turn[i]);
	turn_wait(&f->turns, &f->turn[3]); /* keeps its place */
	publish(f);
	assert_int_equal(f->turns.called, ROOM);
	assert_true(woken(&f->turn[3]) && woken(&f->turn[2]));
	assert_false(woken(&f->turn[1]) || woken(&f->turn[0]));
	assert_true(woken(&f->turn[4])); /* did not wait: looks for itself */

	assert_true(turn_comes(&f->turns, &f->turn[3], false)); /* whatever the broker wants */
	assert_false(turn_comes(&f->turns, &f->turn[1], false));
	assert_false(turn_comes(&f->turns, &f->turn[1], true));
	turn_begin(&f->turns, &f->turn[3], 1, true);
	assert_int_equal(f->turns.called, ROOM - 1);
	assert_false(woken(&f->turn[1])); /* no room for it */
	assert_true(turn_pass(&f->turns, &f->turn[2], true));
	assert_true(woken(&f->turn[1]));
	assert_false(turn_comes(&f->turns, &f->turn[0], true)); /* that one is before it */
	assert_true(turn_comes(&f->turns, &f->turn[1], true));
	turn_begin(&f->turns, &f->turn[1], 2, true);
	turn_end(&f->turns, &f->turn[3], 3, false);
	assert_false(woken(&f->turn[0])); /* the broker writes */
	turn_end(&f->turns, &f->turn[1], 4, true);
	assert_true(woken(&f->turn[0]));
	assert_false(turn_pass(&f->turns, &f->turn[0], true));
}

static void who_listens_is_in_line_at_the_next_publish(void **state)
{
	struct fixture *f = *state;

	f->turn[0].listening = f->turn[1].resting = true;
	assert_false(turn_comes(&f->turns, &f->turn[0], false));
	publish(f);
	assert_true(f->turn[0].called);
	assert_false(f->turn[0].listening);
	assert_true(woken(&f->turn[0]));
	assert_false(woken(&f->turn[1])); /* it rests */
	turns_void(&f->turns);
	assert_int_equal(f->turns.called, 0);
	assert_false(turn_comes(&f->turns, &f->turn[0], false));
	assert_false(turn_pass(&f->turns, &f->turn[0], true));
}

/* Inside, for 4000 ns at the average that one time makes. */
static void fill(struct fixture *f)
{
	for (unsigned int i = 0; i < ROOM; i++) {
		turn_begin(&f->turns, &f->turn[i], 0, true);
		turn_end(&f->turns, &f->turn[i], 16000, true);
		assert_int_equal(f->turn[i].cost_ns, 4000);
	}
	for (unsigned int i = 0; i < ROOM; i++)
		turn_begin(&f->turns, &f->turn[i], 20000, true);
}

static void cheap_ones_come_in_beside_dear_ones(void **state)
{
	struct fixture *f = *state;

	fill(f);
	f->turn[2].cost_ns = 999;
	f->turn[3].cost_ns = 1000;
	assert_true(turn_comes(&f->turns, &f->turn[2], true));
	assert_false(turn_comes(&f->turns, &f->turn[3], true));
	f->turn[2].listening = f->turn[3].listening = true;
	publish(f);
	assert_true(f->turn[2].called);
	assert_false(f->turn[3].called);
	for (unsigned int i = 0; i < ARRAY_SIZE(f->turn) - 1; i++)
		turn_pass(&f->turns, &f->turn[i], true);
	for (unsigned int i = 0; i < ROOM; i++)
		turn_end(&f->turns, &f->turn[i], 20001, true);
}

static void glimpses_take_nobodys_turn(void **state)
{
	struct fixture *f = *state;

	assert_false(turn_glimpse(&f->turns, &f->turn[4], 1, false));
	turn_wait(&f->turns, &f->turn[0]);
	assert_false(turn_glimpse(&f->turns, &f->turn[4], 1, true));
	turn_pass(&f->turns, &f->turn[0], true);
	f->turn[4].listening = true;
	assert_true(turn_glimpse(&f->turns, &f->turn[4], 1, true));
	turn_end(&f->turns, &f->turn[4], 100000, true);
	assert_int_equal(f->turn[4].cost_ns, 0);
	assert_true(f->turn[4].listening);
	fill(f);
	assert_false(turn_glimpse(&f->turns, &f->turn[4], 1, true));
	for (unsigned int i = 0; i < ROOM; i++)
		turn_end(&f->turns, &f->turn[i], 20001, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(first_come_first_called, setup, teardown),
		cmocka_unit_test_setup_teardown(
			who_listens_is_in_line_at_the_next_publish, setup, teardown),
		cmocka_unit_test_setup_teardown(
			cheap_ones_come_in_beside_dear_ones, setup, teardown),
		cmocka_unit_test_setup_teardown(glimpses_take_nobodys_turn, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
