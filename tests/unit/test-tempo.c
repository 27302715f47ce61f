/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "rfb/tempo.h"

#define MS 1000000ull
#define S  (1000 * MS)

/* A line with a width, a length and a viewer at its end that answers at once; all on a clock that only this file moves. */
struct line {
	struct tempo tempo;
	uint64_t now;
	uint64_t rate, trip_ns; /* of the line */
	uint64_t encode_ns;	/* of one update */
	uint64_t free_ns;	/* when the last byte put in has left */
	uint64_t stalled_ns;	/* nothing leaves before */
	struct {
		uint64_t at;
		uint32_t id;
	} pongs[64];
	unsigned int pong_first, pong_next;
	uint64_t bytes, updates, queued_max; /* what became of it; queued in ns */
	bool mute;
};

static void line_init(struct line *line, uint64_t rate, uint64_t trip_ns, uint32_t frames)
{
	*line = (struct line){.now = S, .rate = rate, .trip_ns = trip_ns, .encode_ns = 2 * MS};
	tempo_init(&line->tempo);
	tempo_limits(&line->tempo, frames, 0);
	tempo_fences(&line->tempo, true);
}

static void put(struct line *line, uint64_t bytes)
{
	uint64_t from = MAX(line->free_ns, line->stalled_ns);

	line->free_ns = MAX(from, line->now) + bytes * S / line->rate;
	line->queued_max = MAX(line->queued_max, line->free_ns - line->now);
}

static void put_ping(struct line *line, uint32_t id)
{
	unsigned int at = line->pong_next++ % ARRAY_SIZE(line->pongs);

	put(line, 13);
	line->pongs[at].id = id;
	line->pongs[at].at = line->free_ns + line->trip_ns;
}

static void deliver(struct line *line)
{
	while (line->pong_first != line->pong_next) {
		unsigned int at = line->pong_first % ARRAY_SIZE(line->pongs);

		if (line->pongs[at].at > line->now)
			return;
		if (!line->mute)
			tempo_pong(&line->tempo, line->now, line->pongs[at].id);
		line->pong_first++;
	}
}

static void send_update(struct line *line, uint64_t bytes)
{
	uint32_t id;

	if (tempo_begin(&line->tempo, line->now, &id))
		put_ping(line, id);
	put(line, bytes);
	line->now += line->encode_ns;
	deliver(line);
	line->bytes += bytes;
	line->updates++;
	if (tempo_end(&line->tempo, line->now, bytes, &id))
		put_ping(line, id);
}

/* There is always news: each update as soon as it may, in steps of a millisecond. */
static void run(struct line *line, uint64_t ns, uint64_t bytes)
{
	uint64_t end = line->now + ns;
	bool held;

	while (line->now < end) {
		deliver(line);
		if (tempo_due(&line->tempo, line->now, &held) <= line->now)
			send_update(line, bytes);
		else
			line->now += MS;
	}
}

static void count_again(struct line *line)
{
	line->bytes = line->updates = line->queued_max = 0;
}

/* 1 Mbit/s, 200 ms: filled, and no update waits long behind others. */
static void slow_and_far(void **state)
{
	struct line line;

	line_init(&line, 125000, 200 * MS, 60);
	run(&line, 20 * S, 10000);
	count_again(&line);
	run(&line, 60 * S, 10000);
	assert_in_range(line.bytes, 60 * 125000 * 9 / 10, 60 * 125000 * 11 / 10);
	/* One of 80 ms under way, one before it, the slack, what the estimate is off. */
	assert_in_range(line.queued_max / MS, 80, 250);
	assert_in_range(tempo_trip_ns(&line.tempo) / MS, 195, 215);
	assert_in_range(tempo_rate(&line.tempo), 100000, 150000);
}

/* Updates that are far more than the line holds: still no more than one waits for another. */
static void large_updates_on_a_slow_line(void **state)
{
	struct line line;

	line_init(&line, 125000, 200 * MS, 60);
	run(&line, 30 * S, 100000);
	count_again(&line);
	run(&line, 60 * S, 100000);
	assert_true(line.bytes >= 60 * 125000 * 8 / 10);
	assert_in_range(line.queued_max / MS, 800, 1000);
}

static void local_network(void **state)
{
	struct line line;

	line_init(&line, 110000000, MS / 5, 60);
	run(&line, 10 * S, 200000);
	assert_in_range(line.updates, 550, 610); /* the cap of frames, nothing else */
	assert_true(tempo_rate(&line.tempo) >= 50000000);
}

/* 100 Mbit/s, 200 ms: many updates are on their way at a time. */
static void fast_and_far(void **state)
{
	struct line line;

	line_init(&line, 12500000, 200 * MS, 60);
	run(&line, 5 * S, 20000);
	count_again(&line);
	run(&line, 10 * S, 20000);
	assert_true(line.updates >= 450);
}

/* Nothing leaves for 3 s: the line takes one window and no more, and the rest goes on as before. */
static void a_line_that_stalls(void **state)
{
	struct line line;
	uint64_t before;

	line_init(&line, 1250000, 50 * MS, 30);
	run(&line, 5 * S, 20000);
	line.stalled_ns = line.now + 3 * S;
	line.free_ns = MAX(line.free_ns, line.stalled_ns);
	before = line.bytes;
	run(&line, 3 * S, 20000);
	assert_in_range(line.bytes - before, 0, 1250000 * 83 / 1000 + 2 * 20000);
	run(&line, 10 * S, 20000);
	count_again(&line);
	run(&line, 5 * S, 20000);
	assert_true(line.updates >= 135); /* of 150 */
	assert_in_range(line.queued_max / MS, 0, 100);
}

static void a_line_that_becomes_slow(void **state)
{
	struct line line;

	line_init(&line, 12500000, 20 * MS, 30);
	run(&line, 5 * S, 50000);
	line.rate = 250000;
	run(&line, 15 * S, 50000);
	count_again(&line);
	run(&line, 15 * S, 50000);
	assert_in_range(tempo_rate(&line.tempo), 200000, 300000);
	assert_in_range(line.queued_max / MS, 200, 500);
	line.rate = 12500000;
	run(&line, 15 * S, 50000);
	count_again(&line);
	run(&line, 10 * S, 50000);
	assert_true(line.updates >= 280);
}

/* A route that became longer is believed after a while. */
static void a_trip_that_becomes_long(void **state)
{
	struct line line;

	line_init(&line, 1250000, 10 * MS, 60);
	run(&line, 10 * S, 20000);
	assert_in_range(tempo_trip_ns(&line.tempo) / MS, 9, 14);
	line.trip_ns = 150 * MS;
	run(&line, 60 * S, 20000);
	assert_in_range(tempo_trip_ns(&line.tempo) / MS, 149, 155);
}

static void a_viewer_that_does_not_answer(void **state)
{
	struct line line;

	line_init(&line, 12500000, 20 * MS, 30);
	line.mute = true;
	run(&line, 3 * S / 2, 50000);
	assert_in_range(line.updates, 1, 2);
	run(&line, 10 * S, 50000); /* then the queue has to do */
	assert_true(line.updates >= 9 * 30);
	line.mute = false;
	run(&line, 11 * S, 50000);
	assert_false(line.tempo.deaf);
}

/* It has answered, so its line may be slow: it is waited for. */
static void a_viewer_that_answers_no_more(void **state)
{
	struct line line;

	line_init(&line, 12500000, 20 * MS, 30);
	run(&line, 5 * S, 50000);
	count_again(&line);
	line.mute = true;
	run(&line, 8 * S, 50000);
	assert_in_range(line.updates, 1, 20);
	run(&line, 60 * S, 50000);
	assert_true(line.updates >= 25 * 30);
}

/* A second's worth for the old cap is a tenth of one for a cap ten times as high, and ten for one that is a tenth. */
static void another_cap_counts_at_once(void **state)
{
	struct tempo tempo;
	uint32_t id;
	bool held;

	tempo_init(&tempo);
	tempo_limits(&tempo, 60, 1000);
	tempo_begin(&tempo, S, &id);
	tempo_end(&tempo, S, 1000000, &id);
	assert_int_equal(tempo_due(&tempo, S, &held), 1001 * S);
	tempo_limits(&tempo, 60, 1000);
	assert_int_equal(tempo_due(&tempo, S, &held), 1001 * S);
	tempo_limits(&tempo, 60, 1000000);
	assert_int_equal(tempo_due(&tempo, S, &held), 2 * S);
	tempo_limits(&tempo, 60, 100000);
	assert_int_equal(tempo_due(&tempo, S, &held), 11 * S);
	assert_true(held);
	tempo_limits(&tempo, 60, 0);
	assert_int_equal(tempo_due(&tempo, 2 * S, &held), S + S / 60);
}

static void without_fences(void **state)
{
	struct line line;
	uint32_t id;
	bool held;

	line_init(&line, 12500000, 20 * MS, 30);
	tempo_fences(&line.tempo, false);
	for (int i = 0; i < 100; i++) {
		assert_false(tempo_begin(&line.tempo, line.now, &id));
		assert_false(tempo_end(&line.tempo, line.now, 1000000, &id));
		line.now += S / 30 + 1;
		assert_true(tempo_due(&line.tempo, line.now, &held) <= line.now);
	}
	tempo_fences(&line.tempo, true); /* what was sent before is nobody's business */
	assert_true(tempo_due(&line.tempo, line.now, &held) <= line.now);
	assert_true(tempo_begin(&line.tempo, line.now, &id));
}

/* Any span begins with at most one update above the cap. */
static void bytes_are_capped(void **state)
{
	static const uint32_t sizes[] = {100, 300000, 1, 40000, 40000, 5000, 900000};
	struct line line;
	uint64_t begin, total = 0;
	uint32_t id;
	bool held;

	line_init(&line, 1, 0, 1000);
	tempo_fences(&line.tempo, false);
	tempo_limits(&line.tempo, 1000, 200000);
	begin = line.now;
	for (unsigned int i = 0; i < 700; i++) {
		uint64_t due = tempo_due(&line.tempo, line.now, &held);

		if (due > line.now) {
			assert_true(held || due - line.now <= MS);
			line.now = due;
		}
		assert_true(total * S / 200000 <= line.now - begin + 20);
		tempo_begin(&line.tempo, line.now, &id);
		tempo_end(&line.tempo, line.now, sizes[i % 7], &id);
		total += sizes[i % 7];
	}
	/* And the cap is used. */
	assert_true(total * S / 200000 + 5 * S >= line.now - begin);
	tempo_limits(&line.tempo, 1000, 0);
	assert_true(tempo_due(&line.tempo, line.now + MS, &held) <= line.now + MS);
}

/* Quiet time is no credit. */
static void no_burst_after_rest(void **state)
{
	struct line line;
	uint32_t id;
	bool held;

	line_init(&line, 1, 0, 1000);
	tempo_fences(&line.tempo, false);
	tempo_limits(&line.tempo, 1000, 1000);
	line.now += 100 * S;
	tempo_begin(&line.tempo, line.now, &id);
	tempo_end(&line.tempo, line.now, 5000, &id);
	assert_int_equal(tempo_due(&line.tempo, line.now, &held), line.now + 5 * S);
	assert_true(held);
}

static void strange_ids(void **state)
{
	struct line line;
	uint32_t first, second;
	bool held;

	line_init(&line, 1000, MS, 60);
	tempo_pong(&line.tempo, line.now, 0);
	tempo_pong(&line.tempo, line.now, UINT32_MAX);
	assert_int_equal(tempo_trip_ns(&line.tempo), 0);
	assert_true(tempo_begin(&line.tempo, line.now, &first));
	assert_true(tempo_end(&line.tempo, line.now + MS, 100000, &second));
	tempo_pong(&line.tempo, line.now + 5 * MS, second + 1);
	tempo_pong(&line.tempo, line.now + 5 * MS, first - 1);
	assert_true(tempo_due(&line.tempo, line.now + S, &held) > line.now + S);
	tempo_pong(&line.tempo, line.now + S, second); /* the first one never came */
	tempo_pong(&line.tempo, line.now + S, first);
	tempo_pong(&line.tempo, line.now + S, second);
	assert_true(tempo_due(&line.tempo, line.now + S, &held) <= line.now + S);
}

static void what_can_be_spared(void **state)
{
	struct line line;

	line_init(&line, 12500000, MS, 60);
	assert_in_range(tempo_spare(&line.tempo), 1024, 64 << 10);
	run(&line, 5 * S, 100000);
	assert_in_range(tempo_spare(&line.tempo), 12500000 / 60, 12500000 / 20);
	tempo_limits(&line.tempo, 60, 100000);
	assert_in_range(tempo_spare(&line.tempo), 1024, 100000 / 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slow_and_far),
		cmocka_unit_test(large_updates_on_a_slow_line),
		cmocka_unit_test(local_network),
		cmocka_unit_test(fast_and_far),
		cmocka_unit_test(a_line_that_stalls),
		cmocka_unit_test(a_line_that_becomes_slow),
		cmocka_unit_test(a_trip_that_becomes_long),
		cmocka_unit_test(a_viewer_that_does_not_answer),
		cmocka_unit_test(a_viewer_that_answers_no_more),
		cmocka_unit_test(another_cap_counts_at_once),
		cmocka_unit_test(without_fences),
		cmocka_unit_test(bytes_are_capped),
		cmocka_unit_test(no_burst_after_rest),
		cmocka_unit_test(strange_ids),
		cmocka_unit_test(what_can_be_spared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
