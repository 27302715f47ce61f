/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long half a message may take: what the worker waits for not long, what is thrown away as long as more of it comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/loop.h"
#include "base/mem.h"
#include "rfb/relay.h"
#include "rfb/wire.h"

#define STALL_MS 30000

struct fixture {
	struct relay relay;
	int worker[2];
};

static int begin(void **state)
{
	struct fixture *f = new0(struct fixture);

	assert_non_null(f);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, f->worker), 0);
	relay_init(&f->relay);
	parser_init(&f->relay.parser, 64, 64, NULL);
	*state = f;
	return 0;
}

static int end(void **state)
{
	struct fixture *f = *state;

	relay_finish(&f->relay);
	close(f->worker[0]);
	close(f->worker[1]);
	free(f);
	return 0;
}

/* So many bytes come from the network. */
static void come(struct fixture *f, const void *data, size_t size)
{
	assert_true(f->relay.in_size + size <= RELAY_IN);
	memcpy(f->relay.in + f->relay.in_size, data, size);
	f->relay.in_size += size;
	assert_int_equal(relay_forward(&f->relay, f->worker[0]), 0);
}

/* Until the clock shows another millisecond. */
static void tick(void)
{
	uint64_t now = loop_now_ms();

	while (loop_now_ms() == now)
		nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

static void half_a_message_has_its_time(void **state)
{
	static const uint8_t request[10] = {3, 0, 0, 0, 0, 0, 0, 1, 0, 1};
	struct fixture *f = *state;
	uint64_t due;

	assert_true(relay_due(&f->relay, STALL_MS) == UINT64_MAX);
	come(f, request, 1);
	due = relay_due(&f->relay, STALL_MS);
	assert_in_range(due, loop_now_ms(), loop_now_ms() + LIMIT_MESSAGE_MS);
	for (int i = 1; i < 9; i++) {
		tick();
		come(f, request + i, 1);
		assert_int_equal(relay_due(&f->relay, STALL_MS), due);
	}
	assert_int_equal(relay_check(&f->relay, due - 1, STALL_MS), 0);
	assert_int_equal(relay_check(&f->relay, due, STALL_MS), -ETIMEDOUT);
	come(f, request + 9, 1);
	assert_true(relay_due(&f->relay, STALL_MS) == UINT64_MAX);
}

static void cut_text_has_as_long_as_it_comes(void **state)
{
	struct fixture *f = *state;
	uint8_t text[8 + 3] = {6};
	uint64_t due;

	wire_put_u32(text + 4, 100);
	come(f, text, sizeof(text));
	for (int i = 3; i < 99; i++) {
		due = relay_due(&f->relay, STALL_MS);
		tick();
		come(f, "", 0); /* the worker has written something */
		assert_int_equal(relay_due(&f->relay, STALL_MS), due);
		come(f, "t", 1);
		assert_true(relay_due(&f->relay, STALL_MS) > due);
		assert_int_equal(relay_check(&f->relay, due, STALL_MS), 0);
	}
	come(f, "t", 1);
	assert_true(relay_due(&f->relay, STALL_MS) == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(half_a_message_has_its_time, begin, end),
		cmocka_unit_test_setup_teardown(cut_text_has_as_long_as_it_comes, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
