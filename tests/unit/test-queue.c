/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/mem.h"
#include "rfb/queue.h"

static uint8_t pattern(size_t at)
{
	return at * 7 + at / 251;
}

static void put(struct queue *queue, size_t from, size_t size)
{
	uint8_t *data = malloc(size ? size : 1);

	assert_non_null(data);
	for (size_t i = 0; i < size; i++)
		data[i] = pattern(from + i);
	assert_int_equal(queue_append(queue, data, size), 0);
	free(data);
}

static size_t check(const struct queue *queue, size_t from, size_t max)
{
	struct iovec iov[16];
	size_t count = queue_peek(queue, iov, max), total = 0;

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < iov[i].iov_len; k++, total++)
			assert_int_equal(((uint8_t *)iov[i].iov_base)[k], pattern(from + total));
	return total;
}

static void bytes_come_out_as_they_went_in(void **state)
{
	static const size_t in[] = {1, 0, 100, QUEUE_CHUNK, 3 * QUEUE_CHUNK + 17, 5, 70000};
	static const size_t out[] = {1, 50, QUEUE_CHUNK - 3, 2, 4 * QUEUE_CHUNK, 9};
	size_t written = 0, eaten = 0;
	struct queue queue;

	queue_init(&queue);
	for (int round = 0; round < 50; round++) {
		put(&queue, written, in[round % ARRAY_SIZE(in)]);
		written += in[round % ARRAY_SIZE(in)];
		assert_int_equal(queue.size, written - eaten);
		check(&queue, eaten, 1 + round % 16);
		size_t n = MIN(out[round % ARRAY_SIZE(out)], queue.size);
		queue_eat(&queue, n);
		eaten += n;
	}
	while (queue.size) {
		size_t n = check(&queue, eaten, 16);

		assert_true(n > 0);
		queue_eat(&queue, n);
		eaten += n;
	}
	assert_int_equal(eaten, written);
	queue_finish(&queue);
}

static void reserve_without_commit_leaves_nothing(void **state)
{
	struct queue queue;
	uint8_t *at, *again;
	size_t room;

	queue_init(&queue);
	assert_int_equal(queue_reserve(&queue, &at, &room), 0);
	assert_true(room > 0);
	queue_commit(&queue, 0);
	assert_int_equal(queue.size, 0);
	assert_int_equal(queue_peek(&queue, &(struct iovec){0}, 1), 0);
	assert_int_equal(queue_reserve(&queue, &again, &room), 0);
	assert_ptr_equal(at, again);
	queue_finish(&queue);
}

static void nothing_is_lost_where_chunks_are_freed(void **state)
{
	struct queue queue;
	struct iovec iov[2];

	queue_init(&queue);
	assert_int_equal(queue_append(&queue, "ab", 2), 0);
	queue_rest();
	assert_int_equal(queue_append(&queue, "cd", 2), 0);
	assert_int_equal(queue_peek(&queue, iov, 2), 1);
	assert_memory_equal(iov[0].iov_base, "abcd", 4);
	queue_eat(&queue, 4);
	queue_rest();
	queue_rest();
	assert_int_equal(queue_append(&queue, "e", 1), 0);
	queue_finish(&queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_come_out_as_they_went_in),
		cmocka_unit_test(reserve_without_commit_leaves_nothing),
		cmocka_unit_test(nothing_is_lost_where_chunks_are_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
