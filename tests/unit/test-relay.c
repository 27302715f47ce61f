/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long half a message may take: what the worker waits for not long, what is thrown away as long as more of it comes. And where go the bytes
 * that a worker puts itself, in which order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/loop.h"
#include "base/mem.h"
#include "rfb/relay.h"
#include "rfb/transport.h"
#include "rfb/wire.h"

#define STALL_MS 30000

struct fixture {
	struct relay relay;
	int worker[2];
	struct loop *loop;
	struct transport *network; /* NULL: not needed */
	int viewer;		   /* its end of that */
	struct outlet outlet;
};

static int begin(void **state)
{
	struct fixture *f = new0(struct fixture);

	assert_non_null(f);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, f->worker), 0);
	f->viewer = -EBADF;
	relay_init(&f->relay);
	parser_init(&f->relay.parser, 64, 64, NULL);
	*state = f;
	return 0;
}

static int end(void **state)
{
	struct fixture *f = *state;

	relay_destroy(&f->relay);
	transport_destroy(f->network);
	loop_destroy(f->loop);
	fd_close(f->viewer);
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

static void on_network(unsigned int events, void *arg)
{
}

/* A viewer, and a worker that may put something. */
static void look(struct fixture *f)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	f->viewer = ends[1];
	assert_int_equal(loop_create(&f->loop), 0);
	assert_int_equal(
		transport_create(f->loop, ends[0], NULL, on_network, NULL, &f->network), 0);
	assert_true(transport_bare(f->network) >= 0);
	relay_resize(&f->relay, 640, 480);
	relay_open(&f->relay, f->worker[0], transport_bare(f->network));
	f->outlet = relay_outlet(&f->relay);
}

/* As a worker does: true if the loop was woken. */
static bool put(struct fixture *f, const char *first, const void *second, size_t size)
{
	struct iovec parts[] = {{(void *)first, strlen(first)}, {(void *)second, size}, {0}};
	const char *last = size ? (const char *)second + size - 1 : first + strlen(first) - 1;

	if (!f->outlet.put(f->outlet.arg, parts, ARRAY_SIZE(parts)))
		return false;
	assert_int_equal(send(f->worker[1], last, 1, 0), 1);
	return true;
}

static void assert_comes(struct fixture *f, const char *text)
{
	char got[64] = "";

	assert_int_equal(recv(f->viewer, got, sizeof(got) - 1, MSG_DONTWAIT), strlen(text));
	assert_string_equal(got, text);
}

static void collect_and_send(struct fixture *f)
{
	bool ended;

	assert_int_equal(relay_collect(&f->relay, f->worker[0], false, &ended), 0);
	assert_false(ended);
	assert_int_equal(relay_send(&f->relay, f->network), 0);
}

static void puts_go_at_once_and_in_order(void **state)
{
	struct fixture *f = *state;

	look(f);
	assert_false(put(f, "head ", "pixels ", 7));
	assert_comes(f, "head pixels ");
	assert_int_equal(relay_queued(&f->relay), 0);
	assert_int_equal(relay_sent(&f->relay), 12);

	/* LibVNCServer has written something that nobody has taken yet. */
	assert_int_equal(send(f->worker[1], "letter ", 7, 0), 7);
	assert_true(put(f, "", "more ", 5));
	assert_int_equal(send(f->worker[1], "letter ", 7, 0), 7);
	assert_true(put(f, "", "!", 1));
	collect_and_send(f);
	assert_comes(f, "letter more letter !");
	assert_int_equal(relay_sent(&f->relay), 32);
	assert_false(put(f, "", "last", 4));
	assert_comes(f, "last");

	/* So that the loop hears of it now and then. */
	f->relay.seen -= 60000;
	assert_true(put(f, "", "seen", 4));
	assert_comes(f, "see");
	collect_and_send(f);
	assert_comes(f, "n");
	assert_true(relay_sent(&f->relay) > 0);
	assert_false(put(f, "", "again", 5));

	relay_finish(&f->relay);
	assert_false(put(f, "", "nobody", 6));
	assert_comes(f, "again");
}

static void what_the_network_does_not_take_is_queued(void **state)
{
	static uint8_t much[1 << 20], got[sizeof(much)];
	struct fixture *f = *state;
	size_t at = 0;
	bool relieved = false;

	for (size_t i = 0; i < sizeof(much); i++)
		much[i] = i * 7 + (i >> 9);
	look(f);
	assert_false(f->outlet.full(f->outlet.arg));
	assert_true(put(f, "", much, sizeof(much)));
	assert_true(f->outlet.full(f->outlet.arg));
	assert_true(relay_due(&f->relay, STALL_MS) != UINT64_MAX);
	while (at < sizeof(got)) {
		ssize_t n = recv(f->viewer, got + at, sizeof(got) - at, MSG_DONTWAIT);

		assert_true(n > 0);
		at += n;
		collect_and_send(f);
		relieved |= relay_relieved(&f->relay);
	}
	assert_memory_equal(got, much, sizeof(much));
	assert_true(relieved);
	assert_false(relay_relieved(&f->relay));
	assert_false(f->outlet.full(f->outlet.arg));
	assert_int_equal(relay_queued(&f->relay), 0);
	assert_int_equal(relay_sent(&f->relay), sizeof(much));
}

static void a_queue_over_its_bound_is_the_end(void **state)
{
	static uint8_t much[1 << 20];
	struct fixture *f = *state;
	bool ended;
	int r = 0;

	look(f);
	for (int i = 0; i < 8 && r == 0; i++) {
		assert_true(put(f, "", much, sizeof(much)));
		r = relay_collect(&f->relay, f->worker[0], false, &ended);
	}
	assert_int_equal(r, -ENOBUFS);
	assert_int_equal(relay_collect(&f->relay, f->worker[0], true, &ended), 0);
}

static bool on_ask(void *arg, uint64_t before, const struct rect *area)
{
	uint64_t *calls = arg;

	assert_int_equal(before, 1);
	assert_int_equal(area->height, 3);
	return ++*calls == 1;
}

static void requests_may_find_a_shorter_way(void **state)
{
	static const uint8_t request[10] = {3, 1, 0, 0, 0, 0, 0, 1, 0, 3};
	static const uint8_t whole[10] = {3, 0, 0, 0, 0, 0, 0, 1, 0, 3};
	struct fixture *f = *state;
	uint64_t calls = 0;
	uint8_t got[64];

	f->relay.ask = on_ask;
	f->relay.ask_arg = &calls;
	come(f, whole, sizeof(whole));
	assert_int_equal(calls, 0);
	come(f, request, sizeof(request));
	assert_int_equal(recv(f->worker[1], got, sizeof(got), MSG_DONTWAIT), 10);
	assert_memory_equal(got, whole, 10);
	come(f, request, sizeof(request)); /* refused: goes with the others */
	assert_int_equal(calls, 2);
	assert_int_equal(recv(f->worker[1], got, sizeof(got), MSG_DONTWAIT), 10);
	assert_memory_equal(got, request, 10);
	assert_int_equal(f->relay.forwarded, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(half_a_message_has_its_time, begin, end),
		cmocka_unit_test_setup_teardown(cut_text_has_as_long_as_it_comes, begin, end),
		cmocka_unit_test_setup_teardown(puts_go_at_once_and_in_order, begin, end),
		cmocka_unit_test_setup_teardown(
			what_the_network_does_not_take_is_queued, begin, end),
		cmocka_unit_test_setup_teardown(a_queue_over_its_bound_is_the_end, begin, end),
		cmocka_unit_test_setup_teardown(requests_may_find_a_shorter_way, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
