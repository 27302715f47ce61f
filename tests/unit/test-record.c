/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"
#include "state/record.h"

enum { VERSION_AT = 8, CURRENT_AT = 16 };

static void assert_text(const struct record *record, const char *wanted)
{
	size_t size;
	const char *text = record_text(record, &size);

	assert_int_equal(size, strlen(wanted));
	assert_memory_equal(text, wanted, size);
}

static struct record *again(const struct record *record)
{
	struct record *other;

	assert_int_equal(record_open(dup(record_fd(record)), &other), 0);
	return other;
}

static void write_and_open(void **state)
{
	static char large[LIMIT_RECORD_BYTES + 1];
	struct record *record, *other;

	assert_int_equal(record_create(&record), 0);
	assert_text(record, "");
	other = again(record);
	assert_text(other, "");
	assert_int_equal(record_write(record, "first", 5), 0);
	assert_text(other, "first");
	record_destroy(other);
	assert_int_equal(record_write(record, "the second", 10), 0);
	other = again(record);
	assert_text(other, "the second");
	/* Who opened it writes on. */
	assert_int_equal(record_write(other, "third", 5), 0);
	assert_text(record, "third");
	assert_int_equal(record_write(record, large, sizeof(large)), -EMSGSIZE);
	assert_text(other, "third");
	assert_int_equal(record_write(record, large, sizeof(large) - 1), 0);
	record_destroy(other);
	record_destroy(record);
}

/* All that a write does before its last store leaves the old text. */
static void half_a_write(void **state)
{
	struct record *record, *other;
	struct stat st;
	char *at;

	assert_int_equal(record_create(&record), 0);
	assert_int_equal(record_write(record, "old", 3), 0);
	assert_int_equal(fstat(record_fd(record), &st), 0);
	at = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, record_fd(record), 0);
	assert_ptr_not_equal(at, MAP_FAILED);
	assert_int_equal(at[CURRENT_AT], 1);
	memset(at + 24, 0xaa, 600); /* the slot that is not current */
	other = again(record);
	assert_text(other, "old");
	record_destroy(other);
	/* A wrong slot made current is seen. */
	at[CURRENT_AT] = 0;
	assert_int_equal(record_open(dup(record_fd(record)), &other), -EBADMSG);
	at[CURRENT_AT] = 2;
	assert_int_equal(record_open(dup(record_fd(record)), &other), -EBADMSG);
	munmap(at, st.st_size);
	record_destroy(record);
}

/* Until it is killed. */
static void write_for_ever(struct record *record, char *text, size_t size)
{
	unsigned char c = 0;

	for (;;) {
		memset(text, c, size);
		record_write(record, text, 1 + c++ * 15);
	}
}

/* A writer that is killed at any moment: always one of its texts, whole. */
static void killed_writers(void **state)
{
	static char text[4000];
	struct record *record, *other;
	size_t size;

	assert_int_equal(record_create(&record), 0);
	for (int round = 0; round < 60; round++) {
		const struct timespec pause = {.tv_nsec = 200000 + 37000 * round};
		pid_t pid = fork();
		const char *found;

		assert_true(pid >= 0);
		if (pid == 0)
			write_for_ever(record, text, sizeof(text));
		nanosleep(&pause, NULL);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		other = again(record);
		found = record_text(other, &size);
		if (size)
			assert_int_equal(size, 1 + (unsigned char)found[0] * 15);
		for (size_t i = 1; i < size; i++)
			assert_int_equal(found[i], found[0]);
		record_destroy(other);
	}
	record_destroy(record);
}

/* What is stored there is there, whatever is written beside it. */
static void words(void **state)
{
	struct record *record, *other;

	assert_int_equal(record_create(&record), 0);
	for (size_t i = 0; i < RECORD_WORDS; i++)
		assert_int_equal(record_words(record)[i], 0);
	record_words(record)[0] = record_words(record)[RECORD_WORDS - 1] = UINT64_MAX;
	assert_int_equal(record_write(record, "text", 4), 0);
	assert_int_equal(record_write(record, "more", 4), 0);
	other = again(record);
	assert_true(record_words(other)[0] == UINT64_MAX);
	assert_true(record_words(other)[RECORD_WORDS - 1] == UINT64_MAX);
	assert_text(other, "more");
	record_destroy(other);
	record_destroy(record);
}

static void foreign_ones(void **state)
{
	struct record *record, *other;
	int pair[2], fd;

	assert_int_equal(record_create(&record), 0);
	assert_int_equal(pwrite(record_fd(record), "\1", 1, VERSION_AT), 1);
	assert_int_equal(record_open(dup(record_fd(record)), &other), -EPROTONOSUPPORT);
	assert_int_equal(pwrite(record_fd(record), "x", 1, 0), 1);
	assert_int_equal(record_open(dup(record_fd(record)), &other), -EBADMSG);
	record_destroy(record);
	fd = memfd_create("other", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(record_open(dup(fd), &other), -EBADMSG); /* it could shrink under us */
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	assert_int_equal(record_open(fd, &other), -EPROTONOSUPPORT);
	assert_int_equal(pipe(pair), 0);
	assert_int_equal(record_open(pair[0], &other), -EBADMSG);
	close(pair[1]);
	assert_int_equal(record_open(-EBADF, &other), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(write_and_open),
		cmocka_unit_test(half_a_write),
		cmocka_unit_test(killed_writers),
		cmocka_unit_test(words),
		cmocka_unit_test(foreign_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
