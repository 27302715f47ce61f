/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A gate's viewer and its display, both played here, turn by turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/loop.h"
#include "base/mem.h"
#include "rfb/carriage.h"
#include "rfb/relay.h"
#include "rfb/transport.h"

#define STALL_MS 500

struct fixture {
	struct loop *loop;
	struct relay relay;
	struct transport *network;
	struct carriage *carriage;
	int viewer, display; /* the other ends */
};

static void on_network(unsigned int events, void *arg)
{
}

static void on_place(void *arg)
{
}

static int setup(void **state)
{
	struct fixture *f = new0(struct fixture);
	int pair[2];

	assert_int_equal(loop_create(&f->loop), 0);
	relay_init(&f->relay);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	f->viewer = pair[0];
	assert_int_equal(transport_create(f->loop, pair[1], NULL, on_network, f, &f->network), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	f->display = pair[0];
	assert_int_equal(
		carriage_create(f->loop, pair[1], false, &f->relay, on_place, f, &f->carriage), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	carriage_destroy(f->carriage);
	transport_destroy(f->network);
	relay_finish(&f->relay);
	relay_destroy(&f->relay);
	fd_close(f->viewer);
	fd_close(f->display);
	loop_destroy(f->loop);
	free(f);
	return 0;
}

static void say(struct fixture *f, const char *bytes, size_t size)
{
	assert_int_equal(send(f->display, bytes, size, MSG_NOSIGNAL), size);
	assert_int_equal(carriage_step(f->carriage, f->network), 0);
}

static void open_it(struct fixture *f)
{
	say(f, "RFB 003.008\n", 12);
	say(f, "\1\1", 2);
	say(f, "\0\0\0\0", 4);
}

static void late(struct fixture *f, uint64_t due, const char *why)
{
	assert_int_equal(carriage_check(f->carriage, due - 1, STALL_MS), 0);
	assert_int_equal(carriage_check(f->carriage, due, STALL_MS), -ETIMEDOUT);
	assert_string_equal(carriage_reason(f->carriage), why);
}

static void a_display_answers_in_time_or_it_is_late(void **state)
{
	struct fixture *f = *state;
	uint64_t due = carriage_due(f->carriage, STALL_MS);

	assert_true(due <= loop_now_ms() + LIMIT_HANDSHAKE_MS);
	late(f, due, "its display does not answer");
	say(f, "RFB 003.008\n", 12); /* not all of it */
	assert_int_equal(carriage_due(f->carriage, STALL_MS), due);
	say(f, "\1\1", 2);
	say(f, "\0\0\0\0", 4);
	assert_int_equal(carriage_due(f->carriage, STALL_MS), UINT64_MAX);
	assert_int_equal(carriage_check(f->carriage, due, STALL_MS), 0);
}

/* Until the viewer's connection takes no more. */
static void fill(struct fixture *f)
{
	char some[1000] = {0};

	open_it(f);
	while (carriage_due(f->carriage, STALL_MS) == UINT64_MAX)
		say(f, some, sizeof(some));
}

static void a_viewer_takes_in_time_what_waits_for_it(void **state)
{
	struct fixture *f = *state;
	char much[16 << 10];
	uint64_t due;

	fill(f);
	due = carriage_due(f->carriage, STALL_MS);
	assert_true(due <= loop_now_ms() + STALL_MS);
	late(f, due, "takes nothing");
	while (recv(f->viewer, much, sizeof(much), MSG_DONTWAIT) > 0)
		assert_int_equal(carriage_step(f->carriage, f->network), 0);
	assert_int_equal(carriage_due(f->carriage, STALL_MS), UINT64_MAX);
}

static void what_a_display_said_last_is_still_to_go(void **state)
{
	struct fixture *f = *state;

	fill(f);
	f->display = fd_close(f->display);
	assert_int_equal(carriage_step(f->carriage, f->network), 1);
	assert_string_equal(carriage_reason(f->carriage), "closed by its display");
	assert_true(f->relay.queue.size > 0);
}

/* Nobody is left to hear last words. */
static void a_viewer_that_has_gone_is_no_display_that_has(void **state)
{
	struct fixture *f = *state;

	f->viewer = fd_close(f->viewer);
	assert_int_equal(queue_append(&f->relay.queue, "first", 5), 0);
	assert_int_equal(carriage_step(f->carriage, f->network), -EPIPE);
	assert_string_equal(carriage_reason(f->carriage), "connection lost");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_display_answers_in_time_or_it_is_late, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_viewer_takes_in_time_what_waits_for_it, setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_a_display_said_last_is_still_to_go, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_viewer_that_has_gone_is_no_display_that_has, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
