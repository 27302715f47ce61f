/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/passage.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/mem.h"
#include "rfb/choice.h"

static struct passage *passage;
static int display; /* the other end */

static void begin(bool shared)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	display = pair[0];
	assert_int_equal(passage_create(pair[1], shared, &passage), 0);
}

static void end(void)
{
	passage_destroy(passage);
	display = fd_close(display);
}

static void say(const void *bytes, size_t size)
{
	assert_int_equal(send(display, bytes, size, MSG_NOSIGNAL), size);
}

static void expect(const void *bytes, size_t size)
{
	char got[64];

	assert_int_equal(recv(display, got, sizeof(got), MSG_DONTWAIT), size);
	assert_memory_equal(got, bytes, size);
}

static void silence(void)
{
	char got;

	assert_int_equal(recv(display, &got, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

static void open_it(bool shared)
{
	begin(shared);
	say("RFB 003.008\n", 12);
	assert_int_equal(passage_collect(passage), 0);
	expect("RFB 003.008\n", 12);
	say("\1\1", 2);
	assert_int_equal(passage_collect(passage), 0);
	expect("\1", 1);
	assert_false(passage_open(passage));
	say("\0\0\0\0", 4);
	assert_int_equal(passage_collect(passage), 0);
	expect(shared ? "\1" : "\0", 1);
	assert_true(passage_open(passage));
}

static void handshake_is_played(void **state)
{
	size_t size, taken;

	for (int shared = 0; shared < 2; shared++) {
		open_it(shared);
		passage_bytes(passage, &size);
		assert_int_equal(size, 0);
		say("ServerInit", 10);
		assert_int_equal(passage_collect(passage), 0);
		assert_memory_equal(passage_bytes(passage, &size), "ServerInit", 10);
		assert_int_equal(size, 10);
		passage_use(passage, 6);
		assert_memory_equal(passage_bytes(passage, &size), "Init", 4);
		assert_int_equal(size, 4);
		assert_int_equal(passage_forward(passage, (const uint8_t *)"abc", 3, &taken), 0);
		assert_int_equal(taken, 3);
		expect("abc", 3);
		end();
	}
}

/* The display may say all at once, in any pieces. */
static void handshake_in_pieces(void **state)
{
	static const char all[] = "RFB 003.008\n\2\5\1\0\0\0\0ServerInit";
	const size_t total = sizeof(all) - 1;
	size_t size;

	for (size_t piece = 1; piece <= total; piece++) {
		begin(true);
		for (size_t at = 0; at < total; at += piece) {
			say(all + at, MIN(piece, total - at));
			assert_int_equal(passage_collect(passage), 0);
		}
		expect("RFB 003.008\n\1\1", 14);
		assert_memory_equal(passage_bytes(passage, &size), "ServerInit", 10);
		assert_int_equal(size, 10);
		end();
	}
}

/* Before the display has let it in nothing of the viewer's goes there. */
static void viewer_waits_for_the_handshake(void **state)
{
	size_t taken = 9;

	begin(true);
	assert_int_equal(passage_forward(passage, (const uint8_t *)"abc", 3, &taken), 0);
	assert_int_equal(taken, 0);
	silence();
	end();
}

static void what_is_no_display(void **state)
{
	static const struct {
		const char *says;
		size_t size;
		int result;
	} cases[] = {
		{"RFB 003.007\n", 12, -EPROTO},
		{"HTTP/1.1 200", 12, -EPROTO},
		{"RFB 003.008\n\0\0\0\0\4full", 21, -EACCES},
		{"RFB 003.008\n\1\2", 14, -EACCES},
		{"RFB 003.008\n\1\1\0\0\0\1", 18, -EACCES},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		begin(true);
		say(cases[i].says, cases[i].size);
		assert_int_equal(passage_collect(passage), cases[i].result);
		assert_non_null(passage->reason);
		assert_false(passage_open(passage));
		end();
	}
}

static void ends_are_told(void **state)
{
	size_t size, taken;

	open_it(true);
	say("last", 4);
	display = fd_close(display);
	assert_int_equal(passage_forward(passage, (const uint8_t *)"abc", 3, &taken), 0);
	assert_int_equal(taken, 3);
	assert_int_equal(passage_collect(passage), 0);
	assert_memory_equal(passage_bytes(passage, &size), "last", 4);
	assert_int_equal(size, 4);
	assert_int_equal(passage_collect(passage), -EPIPE);
	assert_non_null(passage->reason);
	end();
}

/* Nobody reads: each side stops where its buffer ends, and goes on from there without a byte lost. */
static void memory_is_bounded(void **state)
{
	static uint8_t block[4096];
	uint64_t sent = 0, seen = 0, forwarded = 0;
	size_t size, taken;
	ssize_t n;

	open_it(true);
	for (;;) {
		for (size_t i = 0; i < sizeof(block); i++)
			block[i] = (sent + i) % 251;
		n = send(display, block, sizeof(block), MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0)
			sent += n;
		else if (!passage_has_room(passage))
			break;
		assert_int_equal(passage_collect(passage), 0);
	}
	assert_true(sent > PASSAGE_BYTES);
	while (seen < sent) {
		const uint8_t *bytes = passage_bytes(passage, &size);

		for (size_t i = 0; i < size; i++)
			assert_int_equal(bytes[i], (seen + i) % 251);
		seen += size;
		passage_use(passage, size);
		assert_int_equal(passage_collect(passage), 0);
	}
	do {
		assert_int_equal(passage_forward(passage, block, sizeof(block), &taken), 0);
		forwarded += taken;
	} while (taken);
	assert_true(forwarded > 0);
	while ((n = recv(display, block, sizeof(block), MSG_DONTWAIT)) > 0)
		forwarded -= n;
	assert_int_equal(forwarded, 0);
	end();
}

static void choices(void **state)
{
	static const struct {
		const char *path, *name, *choice;
	} cases[] = {
		{NULL, NULL, ""},
		{"/", NULL, ""},
		{"/websockify", NULL, ""},
		{"/displays", NULL, ""},
		{"/displays/", NULL, "."},
		{"/displays/vm7", NULL, "vm7"},
		{"/displays/vm7", "vm8.example.org", "vm7"},
		{"/displays/vm7?token=x", NULL, "vm7"},
		{"/displays/vm7/", NULL, "."},
		{"/displays/vm7/..", NULL, "."},
		{"/displays/../vm7", NULL, "."},
		{"/displays/@vm7", NULL, "."},
		{"/displays/%76m7", NULL, "."},
		{"/displays/..", NULL, ".."},
		{"/websockify", "vm8.example.org", "@vm8.example.org"},
		{NULL, "vm8", "@vm8"},
		{NULL, "", ""},
		{NULL, "vm/8", ""},
		{NULL, "vm8.a23456789.b23456789.c23456789.d23456789.e23456789.f23456789",
			"@vm8.a23456789.b23456789.c23456789.d23456789.e23456789.f23456789"},
		{NULL, "vm8.a23456789.b23456789.c23456789.d23456789.e23456789.f234567890", "@vm8"},
		{NULL, "a234567890b234567890c234567890d234567890e234567890f234567890g234.x", ""},
		{"/displays/a234567890b234567890c234567890d234567890e234567890f234567890g2345",
			NULL, "."},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char choice[LIMIT_ID_CHARS + 1];

		choice_make(cases[i].path, cases[i].name, choice);
		assert_string_equal(choice, cases[i].choice);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshake_is_played),
		cmocka_unit_test(handshake_in_pieces),
		cmocka_unit_test(viewer_waits_for_the_handshake),
		cmocka_unit_test(what_is_no_display),
		cmocka_unit_test(ends_are_told),
		cmocka_unit_test(memory_is_bounded),
		cmocka_unit_test(choices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
