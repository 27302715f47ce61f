/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The store against a notify socket of the test's, which reads when it likes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/loop.h"
#include "base/mem.h"
#include "state/store.h"

enum { PATIENCE_MS = 20000 };

static struct field {
	struct loop *loop;
	struct loop_source *patience;
	struct store *store;
	int socket;
	char path[64];
	unsigned int passed;
} field;

static void on_patience(void *arg)
{
	fail_msg("nothing came");
}

static int setup(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	field = (struct field){0};
	snprintf(field.path, sizeof(field.path), "@vfio-displayd-test-store-%d", (int)getpid());
	memcpy(address.sun_path + 1, field.path + 1, strlen(field.path) - 1);
	field.socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(field.socket, (struct sockaddr *)&address,
				 offsetof(struct sockaddr_un, sun_path) + strlen(field.path)),
		0);
	assert_int_equal(setenv("NOTIFY_SOCKET", field.path, true), 0);
	assert_int_equal(loop_create(&field.loop), 0);
	assert_int_equal(loop_timer_add(field.loop, on_patience, NULL, &field.patience), 0);
	assert_int_equal(loop_timer_once(field.patience, PATIENCE_MS), 0);
	assert_int_equal(store_create(field.loop, &field.store), 0);
	return 0;
}

static int teardown(void **state)
{
	store_destroy(field.store);
	loop_source_free(field.patience);
	loop_destroy(field.loop);
	close(field.socket);
	return 0;
}

/* The next order, and its descriptor if there is one. */
static bool receive(char text[128], int *ret_fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct iovec vector = {.iov_base = text, .iov_len = 127};
	struct msghdr message = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(field.socket, &message, MSG_CMSG_CLOEXEC);
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	*ret_fd = -EBADF;
	if (n < 0)
		return false;
	text[n] = '\0';
	if (header) {
		assert_int_equal(header->cmsg_type, SCM_RIGHTS);
		assert_int_equal(header->cmsg_len, CMSG_LEN(sizeof(int)));
		memcpy(ret_fd, CMSG_DATA(header), sizeof(int));
	}
	return true;
}

static void expect(const char *wanted, bool with_fd)
{
	char text[128];
	int fd;

	assert_true(receive(text, &fd));
	assert_string_equal(text, wanted);
	assert_int_equal(fd >= 0, with_fd);
	fd_close(fd);
}

static void expect_silence(void)
{
	char text[128];
	int fd;

	if (receive(text, &fd))
		fail_msg("\"%s\" was sent", text);
}

static void put_and_drop(void **state)
{
	char first[STORE_NAME], second[STORE_NAME];
	int pair[2];

	assert_true(store_is_open(field.store));
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	assert_int_equal(store_put(field.store, STORE_DEVICE, pair[0], first), 0);
	assert_int_equal(store_put(field.store, STORE_STATE, pair[1], second), 0);
	assert_string_equal(first, "device.1");
	assert_string_equal(second, "state.2");
	expect("FDSTORE=1\nFDPOLL=0\nFDNAME=device.1", true);
	expect("FDSTORE=1\nFDPOLL=0\nFDNAME=state.2", true);
	store_drop(field.store, first);
	assert_string_equal(first, "");
	expect("FDSTOREREMOVE=1\nFDNAME=device.1", false);
	store_drop(field.store, first);
	expect_silence();
	close(pair[0]);
	close(pair[1]);
}

/* systemd would ignore the second one, and nothing would come back under its name. */
static void one_file_twice(void **state)
{
	char first[STORE_NAME], second[STORE_NAME], third[STORE_NAME];
	int pair[2], again;

	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	again = dup(pair[0]);
	assert_int_equal(store_put(field.store, STORE_LEASE, pair[0], first), 0);
	assert_int_equal(store_put(field.store, STORE_LEASE, again, second), 0);
	assert_int_equal(store_put(field.store, STORE_LEASE, pair[1], third), 0);
	assert_string_equal(first, second);
	assert_string_not_equal(first, third);
	expect("FDSTORE=1\nFDPOLL=0\nFDNAME=lease.1", true);
	expect("FDSTORE=1\nFDPOLL=0\nFDNAME=lease.2", true);
	store_drop(field.store, first);
	expect_silence();
	store_drop(field.store, second);
	expect("FDSTOREREMOVE=1\nFDNAME=lease.1", false);
	close(pair[0]);
	close(pair[1]);
	close(again);
}

/* More than the socket's queue holds: nothing blocks, nothing is lost, the order stays. */
static void a_full_queue(void **state)
{
	enum { N = 600 };
	static char names[N][STORE_NAME];
	char text[128], wanted[128];
	unsigned int seen = 0;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), fd;

	for (unsigned int i = 0; i < N; i++)
		assert_int_equal(store_put(field.store, STORE_DEVICE, null, names[i]), 0);
	fd = (int)store_waiting(field.store);
	assert_true(fd > 0 && fd < N);
	/* The last ones wait: they were never sent, and never will be. */
	store_drop(field.store, names[N - 1]);
	assert_int_equal(store_waiting(field.store), fd - 1);
	while (seen < N - 1) {
		while (receive(text, &fd)) {
			snprintf(wanted, sizeof(wanted), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s",
				names[seen++]);
			assert_string_equal(text, wanted);
			assert_true(fd >= 0);
			fd_close(fd);
		}
		if (seen == N - 1)
			break;
		assert_int_equal(loop_timer_once(field.patience, PATIENCE_MS), 0);
		loop_post(field.loop, (loop_fn)loop_stop, field.loop);
		assert_int_equal(loop_run(field.loop), 0);
	}
	expect_silence();
	close(null);
}

static void a_cap(void **state)
{
	char name[STORE_NAME], text[128];
	unsigned int kept = 0;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), fd, r;
	size_t bytes = 0;

	while ((r = store_put(field.store, STORE_PROGRAM, null, name)) == 0) {
		kept++;
		bytes += strlen(name) + 1;
		while (receive(text, &fd))
			fd_close(fd);
	}
	assert_int_equal(r, -ENOSPC);
	assert_string_equal(name, "");
	assert_true(kept <= LIMIT_STORE && kept > LIMIT_STORE / 2);
	assert_true(bytes < 128 << 10);
	close(null);
}

static void what_comes_back(void **state)
{
	char name[STORE_NAME] = "", new_name[STORE_NAME];
	int pair[2], fd;

	assert_true(store_is_name("state.2") && store_is_name("lease.zz"));
	assert_false(store_is_name("varlink") || store_is_name("display-a.1") ||
		     store_is_name("state.") || store_is_name("state.02") ||
		     store_is_name("state.A") || store_is_name("state.zzzzzzzzz") ||
		     store_is_name("state.-1") || store_is_name(".1") || store_is_name(""));
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	store_returned(field.store, "state.1a", dup(pair[0]));
	store_returned(field.store, "device.2", dup(pair[0]));
	store_returned(field.store, "state.3", dup(pair[1]));
	store_returned(field.store, "lease.4", dup(pair[1]));
	store_returned(field.store, "lease.4", dup(pair[1])); /* systemd gives no name twice */
	assert_true(store_next(field.store, STORE_STATE, name));
	assert_string_equal(name, "state.1a");
	assert_true(store_next(field.store, STORE_STATE, name));
	assert_string_equal(name, "state.3");
	assert_false(store_next(field.store, STORE_STATE, name));
	fd = store_claim(field.store, "state.1a", STORE_STATE);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(store_claim(field.store, "state.1a", STORE_STATE), -ENOENT);
	assert_int_equal(store_claim(field.store, "device.2", STORE_LEASE), -ENOENT);
	assert_int_equal(store_claim(field.store, "device.7", STORE_DEVICE), -ENOENT);
	/* One lease of two displays. */
	for (int i = 0; i < 2; i++) {
		fd = store_claim(field.store, "lease.4", STORE_LEASE);
		assert_true(fd >= 0);
		close(fd);
	}
	assert_int_equal(store_settle(field.store), 2);
	expect("FDSTOREREMOVE=1\nFDNAME=device.2", false);
	expect("FDSTOREREMOVE=1\nFDNAME=state.3", false);
	expect_silence();
	/* Numbers go on after those that were there. */
	assert_int_equal(store_put(field.store, STORE_DEVICE, pair[0], new_name), 0);
	assert_string_equal(new_name, "device.1b");
	snprintf(name, sizeof(name), "lease.4");
	store_drop(field.store, name);
	snprintf(name, sizeof(name), "lease.4");
	expect("FDSTORE=1\nFDPOLL=0\nFDNAME=device.1b", true);
	expect_silence();
	store_drop(field.store, name);
	expect("FDSTOREREMOVE=1\nFDNAME=lease.4", false);
	close(pair[0]);
	close(pair[1]);
}

static void on_passed(void *arg)
{
	field.passed++;
	loop_stop(field.loop);
}

static void barriers(void **state)
{
	char text[128];
	int fd;

	assert_int_equal(store_barrier(field.store, on_passed, NULL), 0);
	assert_true(receive(text, &fd));
	assert_string_equal(text, "BARRIER=1");
	assert_true(fd >= 0);
	assert_int_equal(field.passed, 0);
	close(fd);
	assert_int_equal(loop_run(field.loop), 0);
	assert_int_equal(field.passed, 1);
	/* Nobody answers: it is not waited for for ever. */
	assert_int_equal(store_barrier(field.store, on_passed, NULL), 0);
	assert_int_equal(loop_run(field.loop), 0);
	assert_int_equal(field.passed, 2);
	assert_int_equal(store_barrier(field.store, on_passed, NULL), 0);
	store_unbar(field.store, on_passed, NULL);
}

static void without_systemd(void **state)
{
	char name[STORE_NAME] = "x";
	struct store *store;

	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(store_create(field.loop, &store), 0);
	assert_false(store_is_open(store));
	assert_int_equal(store_put(store, STORE_DEVICE, 0, name), 0);
	assert_string_equal(name, "");
	store_drop(store, name);
	assert_int_equal(store_barrier(store, on_passed, NULL), -ENOTCONN);
	store_destroy(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(put_and_drop, setup, teardown),
		cmocka_unit_test_setup_teardown(one_file_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_queue, setup, teardown),
		cmocka_unit_test_setup_teardown(a_cap, setup, teardown),
		cmocka_unit_test_setup_teardown(what_comes_back, setup, teardown),
		cmocka_unit_test_setup_teardown(barriers, setup, teardown),
		cmocka_unit_test_setup_teardown(without_systemd, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
