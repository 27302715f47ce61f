/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/journal.h"
#include "base/limits.h"
#include "base/log.h"

enum { MANY = 5000 };

static size_t read_all(int fd, char *to, size_t room)
{
	size_t size = 0;
	ssize_t n;

	while (size < room && (n = read(fd, to + size, room - size)) > 0)
		size += n;
	to[size] = '\0';
	return size;
}

static void a_reader_of_stderr_that_stops_holds_up_nobody(void **state)
{
	static char text[1 << 20];
	int saved = dup(STDERR_FILENO), ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	dup2(ends[1], STDERR_FILENO);
	log_open("test", LOG_LEVEL_INFO);
	for (int i = 0; i < MANY; i++)
		log_info("guest", "line %d of a flood, long enough to fill a pipe", i);
	read_all(ends[0], text, sizeof(text) - 1);
	assert_non_null(strstr(text, "test: guest: line 0 of a flood"));
	assert_null(strstr(text, "line 4999"));
	log_warn(NULL, "after it\n");
	read_all(ends[0], text, sizeof(text) - 1);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(strncmp(text, "test: warning: ", 15), 0);
	assert_true(atoi(text + 15) > 0);
	assert_non_null(strstr(text, " lines were lost here"));
	/* Only what a terminal cannot take amiss. */
	assert_non_null(strstr(text, "\ntest: warning: after it?\n"));
}

static unsigned int count(const char *text, const char *what)
{
	unsigned int n = 0;

	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

/* Such as of the audit: they are bounded by who writes them. */
__attribute__((format(printf, 1, 2))) static void say_event(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_event(LOG_LEVEL_INFO, NULL, NULL, 0, format, args);
	va_end(args);
}

static void a_flood_ends_and_hides_no_event(void **state)
{
	static char text[1 << 20];
	int saved = dup(STDERR_FILENO), ends[2];
	size_t size = 0;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	dup2(ends[1], STDERR_FILENO);
	log_open("test", LOG_LEVEL_INFO);
	for (int i = 0; i < 2 * LIMIT_LOG_LINES; i++) {
		log_info(NULL, "flood");
		size += read_all(ends[0], text + size, sizeof(text) - 1 - size);
	}
	say_event("event");
	log_set_level(LOG_LEVEL_DEBUG);
	log_info(NULL, "all is wanted");
	read_all(ends[0], text + size, sizeof(text) - 1 - size);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(ends[0]);
	close(ends[1]);
	log_set_level(LOG_LEVEL_INFO);
	assert_in_range(count(text, "flood"), LIMIT_LOG_LINES / 2, LIMIT_LOG_LINES);
	assert_int_equal(count(text, "too much happens"), 1);
	assert_int_equal(count(text, "event"), 1);
	assert_int_equal(count(text, "all is wanted"), 1);
}

static void a_journal_that_hangs_holds_up_nobody(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *fields[JOURNAL_FIELDS_MAX + 1] = {"MESSAGE=hello", "PRIORITY=6"};
	char directory[] = "/tmp/test-log.XXXXXX", text[256];
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r = 0;

	assert_non_null(mkdtemp(directory));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", directory);
	assert_int_equal(journal_send(fields, 2), -ENOENT);
	assert_int_equal(journal_open(address.sun_path), 0);
	assert_int_equal(journal_send(fields, 2), -ENOENT); /* nobody is there yet */
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	for (int i = 0; i < MANY && r == 0; i++)
		r = journal_send(fields, 2);
	assert_int_equal(r, -EAGAIN);
	assert_int_equal(read(fd, text, sizeof(text)), 25);
	assert_memory_equal(text, "MESSAGE=hello\nPRIORITY=6\n", 25);
	while (read(fd, text, sizeof(text)) > 0)
		;
	assert_int_equal(journal_send(fields, 2), 0);
	assert_int_equal(journal_send(fields, JOURNAL_FIELDS_MAX + 1), -EINVAL);
	close(fd);
	assert_int_equal(journal_send(fields, 2), -ECONNREFUSED);
	unlink(address.sun_path);
	rmdir(directory);
	journal_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reader_of_stderr_that_stops_holds_up_nobody),
		cmocka_unit_test(a_journal_that_hangs_holds_up_nobody),
		cmocka_unit_test(a_flood_ends_and_hides_no_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
