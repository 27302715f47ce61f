/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "damage/tiles.h"
#include "rfb/picture.h"
#include "rfb/reader.h"

#define WIDTH  1040 /* 65 blocks: the bitmap has a second word in each row */
#define HEIGHT 40

#define RACE_PIXELS 8192 /* long enough to be met half-written */

struct fixture {
	struct frame *broker;
	struct picture *picture;
	_Atomic unsigned int idle;
	int wake;
};

static void count_idle(void *arg)
{
	struct fixture *f = arg;

	f->idle++;
}

static int fixture_frame(struct fixture *f, uint32_t width, uint32_t height, uint32_t generation)
{
	frame_destroy(f->broker);
	assert_int_equal(frame_create(width, height, generation, &f->broker), 0);
	return picture_frame(f->picture, fcntl(f->broker->fd, F_DUPFD_CLOEXEC, 3));
}

static int setup(void **state)
{
	struct fixture *f = new0(struct fixture);

	f->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	assert_int_equal(picture_create(count_idle, f, &f->picture), 0);
	assert_int_equal(fixture_frame(f, WIDTH, HEIGHT, 7), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	picture_destroy(f->picture);
	frame_destroy(f->broker);
	fd_close(f->wake);
	free(f);
	return 0;
}

static struct reader *joined(struct fixture *f)
{
	struct reader *reader;

	assert_int_equal(reader_create(f->picture, f->wake, &reader), 0);
	return reader;
}

static void damage_only(struct fixture *f, unsigned int row, unsigned int column)
{
	uint64_t *bitmap = frame_damage(f->broker);

	memset(bitmap, 0, tiles_bitmap_words(WIDTH, HEIGHT) * sizeof(*bitmap));
	bitmap[row * tiles_bitmap_stride(WIDTH) + column / 64] |= 1ull << column % 64;
}

static unsigned int bits(const struct frame *frame, const uint64_t *bitmap)
{
	size_t words = tiles_bitmap_words(frame->header.width, frame->header.height);
	unsigned int set = 0;

	for (size_t i = 0; i < words; i++)
		set += __builtin_popcountll(bitmap[i]);
	return set;
}

static void lies(void **state)
{
	struct fixture *f = *state;
	uint32_t generation;
	int pipes[2];

	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	assert_int_equal(picture_frame(f->picture, pipes[0]), -EINVAL);
	assert_int_equal(fcntl(pipes[0], F_GETFD), -1); /* consumed */
	fd_close(pipes[1]);
	assert_int_equal(picture_current(f->picture)->header.generation, 7);
	assert_false(picture_granted(f->picture, &generation));
}

static void nobody_reads_before_publish(void **state)
{
	struct fixture *f = *state;
	struct reader *reader = joined(f);
	const struct frame *frame;
	const uint64_t *damage;
	eventfd_t count;

	assert_false(picture_ready(f->picture));
	assert_null(reader_begin(reader, &damage));
	assert_int_equal(eventfd_read(f->wake, &count), -1);

	picture_published(f->picture, true, 0);
	assert_true(picture_ready(f->picture));
	assert_int_equal(eventfd_read(f->wake, &count), 0);
	assert_int_equal(reader_behind(reader), 1);
	frame = reader_begin(reader, &damage);
	assert_non_null(frame);
	assert_int_equal(frame->header.generation, 7);
	assert_int_equal(
		bits(frame, damage), 65 * 3); /* everything, and no block that is not there */
	assert_int_equal(reader_behind(reader), 0);
	reader_end(reader);
	reader_destroy(reader);
}

static void writer_goes_first(void **state)
{
	struct fixture *f = *state;
	struct reader *inside = joined(f), *late = joined(f);
	uint32_t generation = 0;

	picture_published(f->picture, true, 0);
	assert_non_null(reader_begin(inside, NULL));
	picture_want_write(f->picture);
	assert_int_equal(f->idle, 0);
	assert_false(picture_granted(f->picture, &generation));
	assert_null(reader_begin(late, NULL)); /* none new, though one is inside */

	reader_end(inside);
	assert_int_equal(f->idle, 1);
	assert_null(reader_begin(late, NULL)); /* wanted, not yet granted */
	assert_true(picture_granted(f->picture, &generation));
	assert_int_equal(generation, 7);
	assert_false(picture_granted(f->picture, &generation)); /* once */
	assert_null(reader_begin(late, NULL));			/* the broker writes */

	picture_published(f->picture, true, 0);
	assert_non_null(reader_begin(late, NULL));
	reader_end(late);
	assert_int_equal(f->idle, 1); /* nobody wants any more */

	picture_want_write(f->picture); /* nobody inside: at once */
	assert_int_equal(f->idle, 1);
	assert_true(picture_granted(f->picture, &generation));
	reader_destroy(inside);
	reader_destroy(late);
}

/* Asked for the next write before those who were woken could begin. */
static void a_publish_is_seen_before_the_next(void **state)
{
	struct fixture *f = *state;
	struct reader *comes = joined(f), *passes = joined(f);
	uint32_t generation;

	reader_pass(comes, true);
	picture_published(f->picture, true, 0);
	picture_want_write(f->picture);
	assert_int_equal(f->idle, 0);
	assert_false(picture_granted(f->picture, &generation));
	assert_null(reader_begin(passes, NULL)); /* was not in line */
	assert_non_null(reader_begin(comes, NULL));
	reader_end(comes);
	assert_int_equal(f->idle, 1);
	assert_true(picture_granted(f->picture, &generation));

	picture_published(f->picture, true, 0); /* "passes" was refused: it is called now */
	picture_want_write(f->picture);
	assert_false(picture_granted(f->picture, &generation));
	reader_pass(passes, false);
	assert_int_equal(f->idle, 2);
	assert_true(picture_granted(f->picture, &generation));

	reader_pass(comes, true);
	picture_published(f->picture, true, 0);
	picture_want_write(f->picture);
	assert_false(picture_granted(f->picture, &generation));
	reader_destroy(comes); /* its connection has ended */
	assert_int_equal(f->idle, 3);
	assert_true(picture_granted(f->picture, &generation));
	reader_destroy(passes);
}

static unsigned int processors(void)
{
	cpu_set_t set;

	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	return CPU_COUNT(&set);
}

static void takes_long(struct fixture *f, struct reader *reader)
{
	assert_non_null(reader_begin(reader, NULL));
	usleep(40000);
	reader_end(reader);
}

static void dear_readers_take_turns(void **state)
{
	struct fixture *f = *state;
	unsigned int n = processors();
	struct reader *dear[CPU_SETSIZE] = {0}, *next = joined(f), *cheap = joined(f);
	eventfd_t count;

	picture_published(f->picture, true, 0);
	takes_long(f, next);
	for (unsigned int i = 0; i < n; i++)
		dear[i] = joined(f);
	takes_long(f, dear[0]);
	for (unsigned int i = 0; i < n; i++)
		assert_non_null(reader_begin(dear[i], NULL));
	assert_null(reader_begin(next, NULL));	    /* no processor for it */
	assert_non_null(reader_begin(cheap, NULL)); /* dear[0] takes longer anyway */
	reader_end(cheap);
	eventfd_read(f->wake, &count);
	reader_end(dear[0]);
	assert_int_equal(eventfd_read(f->wake, &count), 0); /* next */
	assert_null(reader_begin(dear[0], NULL));	    /* not before its turn */
	assert_non_null(reader_begin(next, NULL));
	reader_end(next);
	for (unsigned int i = 1; i < n; i++)
		reader_end(dear[i]);
	for (unsigned int i = 0; i < n; i++)
		reader_destroy(dear[i]);
	reader_destroy(next);
	reader_destroy(cheap);
}

static bool woken(int wake)
{
	eventfd_t count;

	return eventfd_read(wake, &count) == 0;
}

/* Of those who wait for the same publish, as many wake up as may come in; each of the others when it is its turn. */
static void nobody_wakes_for_nothing(void **state)
{
	struct fixture *f = *state;
	unsigned int n = processors() + 2;
	struct reader *reader[CPU_SETSIZE];
	int wake[CPU_SETSIZE];

	assert_in_range(n, 3, CPU_SETSIZE);
	for (unsigned int i = 0; i < n; i++) {
		wake[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		assert_int_equal(reader_create(f->picture, wake[i], &reader[i]), 0);
		reader_pass(reader[i], true);
	}
	picture_published(f->picture, true, 0);
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(woken(wake[i]), i < n - 2);
	for (unsigned int i = 0; i < n - 2; i++)
		assert_non_null(reader_begin(reader[i], NULL));
	assert_false(woken(wake[n - 2]));

	/* Two leave before the first of those who wait has come: it makes the other one come, too. */
	reader_end(reader[0]);
	assert_true(woken(wake[n - 2]));
	if (n > 3)
		reader_end(reader[1]);
	assert_false(woken(wake[n - 1]));
	assert_non_null(reader_begin(reader[n - 2], NULL));
	assert_int_equal(woken(wake[n - 1]), n > 3);
	reader_end(reader[n - 2]);
	assert_non_null(reader_begin(reader[n - 1], NULL));
	reader_end(reader[n - 1]);

	/* Who does not listen has other reasons to look. */
	reader_pass(reader[0], false);
	for (unsigned int i = 0; i < n; i++)
		woken(wake[i]);
	picture_published(f->picture, true, 0);
	assert_true(woken(wake[0]));
	for (unsigned int i = 2; i + 2 < n; i++)
		reader_end(reader[i]);
	for (unsigned int i = 0; i < n; i++) {
		reader_destroy(reader[i]);
		fd_close(wake[i]);
	}
}

/* It was on its way when the last viewer left, and arrives then, or when the next has come. */
static void late_publish_is_for_nobody(void **state)
{
	struct fixture *f = *state;
	struct reader *reader = joined(f);
	uint32_t generation;

	assert_int_equal(picture_watched(f->picture), 1);
	picture_published(f->picture, true, 1);
	assert_true(picture_ready(f->picture));
	picture_unwatched(f->picture);
	assert_false(picture_ready(f->picture));
	picture_published(f->picture, true, 1);
	assert_int_equal(picture_watched(f->picture), 2);
	assert_int_equal(picture_audience(f->picture), 2);
	assert_false(picture_ready(f->picture));
	assert_null(reader_begin(reader, NULL));
	picture_published(f->picture, true, 1);
	assert_false(picture_ready(f->picture));
	assert_null(reader_begin(reader, NULL));
	/* Whose turn it is to write is not changed by that. */
	picture_want_write(f->picture);
	assert_true(picture_granted(f->picture, &generation));
	picture_published(f->picture, false, 2);
	assert_true(picture_ready(f->picture));
	assert_non_null(reader_begin(reader, NULL));
	reader_end(reader);
	reader_destroy(reader);
}

static void publish_twice(struct fixture *f, unsigned int first, unsigned int second)
{
	damage_only(f, 0, first);
	picture_published(f->picture, true, 0);
	damage_only(f, 2, second);
	picture_published(f->picture, true, 0);
}

static void damage_adds_up(void **state)
{
	struct fixture *f = *state;
	struct reader *fast = joined(f), *slow = joined(f);
	const uint64_t *damage;
	const struct frame *frame;

	picture_published(f->picture, true, 0);
	assert_non_null(reader_begin(fast, NULL));
	reader_end(fast);
	assert_non_null(reader_begin(slow, NULL));
	reader_end(slow);

	publish_twice(f, 3, 64);
	frame = reader_begin(fast, &damage);
	assert_int_equal(bits(frame, damage), 2);
	assert_int_equal(damage[0], 1ull << 3);
	assert_int_equal(damage[2 * tiles_bitmap_stride(WIDTH) + 1], 1);
	reader_end(fast);

	publish_twice(f, 4, 64);
	picture_published(f->picture, false, 0); /* the bitmap is still there and means nothing */
	frame = reader_begin(fast, &damage);
	assert_int_equal(bits(frame, damage), 2);
	reader_end(fast);
	assert_int_equal(reader_behind(slow), 5);
	frame = reader_begin(slow, &damage);
	assert_int_equal(bits(frame, damage), 3);
	reader_end(slow);

	damage_only(f, 1, 1);
	picture_published(f->picture, false, 0);
	frame = reader_begin(slow, &damage);
	assert_int_equal(bits(frame, damage), 0);
	reader_end(slow);
	reader_destroy(fast);
	reader_destroy(slow);
}

static void new_frame_while_inside(void **state)
{
	struct fixture *f = *state;
	struct reader *reader = joined(f);
	const struct frame *old, *frame;
	const uint64_t *damage;
	uint32_t generation = 0;

	frame_pixels(f->broker)[5] = 0x123456;
	picture_published(f->picture, true, 0);
	old = reader_begin(reader, &damage);
	picture_want_write(f->picture); /* of the old frame: void with it */
	assert_int_equal(fixture_frame(f, 64, 32, 8), 0);
	assert_int_equal(fixture_frame(f, 80, 32, 9), 0);
	assert_int_equal(frame_pixels(old)[5], 0x123456);
	assert_int_equal(bits(old, damage), 65 * 3);
	assert_false(picture_granted(f->picture, &generation));
	assert_false(picture_ready(f->picture));

	picture_published(f->picture, true, 0);
	picture_want_write(f->picture); /* a reader of the old frame is not in the way */
	assert_true(picture_granted(f->picture, &generation));
	assert_int_equal(generation, 9);
	reader_end(reader);
	assert_null(reader_begin(reader, &damage));
	memset(frame_damage(f->broker), 0, 8);
	picture_published(f->picture, true, 0);
	frame = reader_begin(reader, &damage);
	assert_int_equal(frame->header.generation, 9);
	assert_int_equal(bits(frame, damage), 5 * 2); /* whole, though the publish had nothing */
	reader_end(reader);
	reader_destroy(reader);
}

struct racer {
	struct fixture *fixture;
	struct reader *reader;
	pthread_t thread;
	int wake;
	_Atomic bool stop;
	unsigned int reads, torn;
};

static void *race(void *arg)
{
	struct racer *racer = arg;
	struct pollfd polled = {.fd = racer->wake, .events = POLLIN};
	const struct frame *frame;
	const uint64_t *damage;
	eventfd_t count;

	while (!racer->stop) {
		frame = reader_begin(racer->reader, &damage);
		if (!frame) {
			assert_true(poll(&polled, 1, 10000) >= 0);
			eventfd_read(racer->wake, &count);
			continue;
		}
		racer->reads++;
		/* The broker writes the same number everywhere. */
		for (size_t i = 1; i < RACE_PIXELS; i++)
			racer->torn += frame_pixels(frame)[i] != frame_pixels(frame)[0];
		reader_end(racer->reader);
	}
	return NULL;
}

static void wake_main(void *arg)
{
	struct fixture *f = arg;

	eventfd_write(f->wake, 1);
}

/* The broker and the main thread in one. */
static void write_rounds(struct fixture *f, uint32_t rounds)
{
	struct pollfd polled = {.fd = f->wake, .events = POLLIN};
	uint32_t generation;
	eventfd_t count;

	for (uint32_t round = 1; round <= rounds; round++) {
		picture_want_write(f->picture);
		while (!picture_granted(f->picture, &generation)) {
			assert_int_equal(poll(&polled, 1, 10000), 1);
			eventfd_read(f->wake, &count);
		}
		for (size_t i = 0; i < RACE_PIXELS; i++)
			frame_pixels(f->broker)[i] = round;
		damage_only(f, round % 3, round % 65);
		picture_published(f->picture, true, 0);
		if (round % 500 == 0) {
			assert_int_equal(fixture_frame(f, WIDTH, HEIGHT, 7 + round), 0);
			picture_published(f->picture, true, 0);
		}
	}
}

static void threads(void **state)
{
	struct fixture *f = *state;
	struct racer racers[3] = {0};

	picture_destroy(f->picture);
	assert_int_equal(picture_create(wake_main, f, &f->picture), 0);
	assert_int_equal(fixture_frame(f, WIDTH, HEIGHT, 7), 0);
	picture_published(f->picture, true, 0);
	for (size_t i = 0; i < ARRAY_SIZE(racers); i++) {
		racers[i].fixture = f;
		racers[i].wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		assert_int_equal(reader_create(f->picture, racers[i].wake, &racers[i].reader), 0);
		pthread_create(&racers[i].thread, NULL, race, &racers[i]);
	}
	write_rounds(f, 3000);
	for (size_t i = 0; i < ARRAY_SIZE(racers); i++) {
		racers[i].stop = true;
		eventfd_write(racers[i].wake, 1);
		pthread_join(racers[i].thread, NULL);
		reader_destroy(racers[i].reader);
		fd_close(racers[i].wake);
		assert_int_equal(racers[i].torn, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lies, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_reads_before_publish, setup, teardown),
		cmocka_unit_test_setup_teardown(writer_goes_first, setup, teardown),
		cmocka_unit_test_setup_teardown(a_publish_is_seen_before_the_next, setup, teardown),
		cmocka_unit_test_setup_teardown(dear_readers_take_turns, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_wakes_for_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(late_publish_is_for_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(damage_adds_up, setup, teardown),
		cmocka_unit_test_setup_teardown(new_frame_while_inside, setup, teardown),
		cmocka_unit_test_setup_teardown(threads, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
