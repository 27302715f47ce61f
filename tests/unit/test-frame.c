/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "frame/frame.h"
#include "frame/link.h"

static void frame_is_sealed_and_shared(void **state)
{
	struct frame *broker, *rfb, *private;
	int fd;

	assert_int_equal(frame_create(1366, 768, 7, &broker), 0);
	assert_int_equal(broker->header.stride % 64, 0);
	assert_int_equal((uintptr_t)frame_pixels(broker) % 64, 0);
	frame_pixels(broker)[5] = 0x123456;

	fd = fcntl(broker->fd, F_DUPFD_CLOEXEC, 0);
	assert_int_equal(frame_open(fd, false, &rfb), 0);
	assert_int_equal(rfb->header.generation, 7);
	assert_int_equal(rfb->header.width, 1366);
	assert_int_equal(frame_pixels(rfb)[5], 0x123456);
	/* Nobody else may write. */
	assert_ptr_equal(
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, rfb->fd, 0), MAP_FAILED);
	assert_int_equal(pwrite(rfb->fd, "x", 1, 0), -1);
	assert_int_equal(ftruncate(rfb->fd, 4096), -1);

	/* A reader's own pages: drawn over, then given back. */
	fd = fcntl(broker->fd, F_DUPFD_CLOEXEC, 0);
	assert_int_equal(frame_open(fd, true, &private), 0);
	frame_pixels(private)[5] = 1;
	assert_int_equal(frame_pixels(rfb)[5], 0x123456);
	frame_pixels(broker)[5] = 0x654321;
	assert_int_equal(madvise(private->map, private->header.size, MADV_DONTNEED), 0);
	assert_int_equal(frame_pixels(private)[5], 0x654321);

	frame_destroy(private);
	frame_destroy(rfb);
	frame_destroy(broker);
	frame_destroy(NULL);
}

static void frame_geometry_is_bounded(void **state)
{
	struct frame *frame;

	assert_int_equal(frame_create(0, 1, 1, &frame), -EINVAL);
	assert_int_equal(frame_create(1, 0, 1, &frame), -EINVAL);
	assert_int_equal(frame_create(LIMIT_WIDTH + 1, 1, 1, &frame), -EINVAL);
	assert_int_equal(frame_create(1, UINT32_MAX, 1, &frame), -EINVAL);
	assert_int_equal(frame_create(1, 1, 1, &frame), 0);
	frame_destroy(frame);
}

/* A memfd that claims to be a frame: every field of its header wrong in turn. */
static void frame_lies_are_found(void **state)
{
	struct frame *frame, *opened;
	struct frame_header good;
	size_t fields = offsetof(struct frame_header, cursor) / sizeof(uint32_t);

	assert_int_equal(frame_create(64, 48, 1, &frame), 0);
	good = *frame_live(frame);
	for (size_t i = 0; i < fields; i++) {
		size_t at = i * sizeof(uint32_t);
		bool free_field = at == offsetof(struct frame_header, generation) ||
				  at == offsetof(struct frame_header, placard);

		((uint32_t *)frame->map)[i] ^= 0x10000;
		if (free_field) {
			*frame_live(frame) = good;
			continue;
		}
		assert_int_equal(frame_open(frame->fd, false, &opened), -EINVAL);
		*frame_live(frame) = good;
	}
	frame_destroy(frame);
}

static void frame_wants_seals(void **state)
{
	struct frame *frame, *opened;
	int fd = memfd_create("x", MFD_ALLOW_SEALING | MFD_CLOEXEC);

	assert_int_equal(frame_create(64, 48, 1, &frame), 0);
	assert_int_equal(ftruncate(fd, frame->header.size), 0);
	assert_int_equal(pwrite(fd, frame->map, 4096, 0), 4096);
	assert_int_equal(frame_open(fd, false, &opened), -EINVAL);
	assert_int_equal(frame_open(STDIN_FILENO, false, &opened), -EINVAL);
	close(fd);
	frame_destroy(frame);
}

static void message_crosses_with_its_fd(void **state)
{
	struct link_message m = {.type = LINK_FRAME}, got;
	int pair[2], fd = -EBADF;

	m.frame.generation = 3;
	m.frame.width = 640;
	m.frame.height = 480;
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(link_receive(pair[1], true, &got, &fd), -EAGAIN);
	assert_int_equal(link_send(pair[0], &m, pair[0]), 0);
	assert_int_equal(link_receive(pair[1], true, &got, &fd), 0);
	assert_memory_equal(&m, &got, sizeof(m));
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);

	/* Without its fd, from the wrong side, too short, with data behind. */
	assert_int_equal(link_send(pair[0], &m, -EBADF), 0);
	assert_int_equal(link_receive(pair[1], true, &got, &fd), -EPROTO);
	assert_int_equal(link_send(pair[0], &m, pair[0]), 0);
	assert_int_equal(link_receive(pair[1], false, &got, &fd), -EPROTO);
	assert_int_equal(send(pair[0], &m, 100, 0), 100);
	assert_int_equal(link_receive(pair[1], true, &got, &fd), -EPROTO);
	close(pair[0]);
	assert_int_equal(link_receive(pair[1], true, &got, &fd), -EPIPE);
	assert_int_equal(link_send(pair[1], &m, -EBADF), -EPIPE);
	close(pair[1]);
}

static void messages_are_checked(void **state)
{
	struct link_message m = {0};

	assert_int_equal(link_check(&m, true, false), -EPROTO);
	m.type = LINK_HELLO;
	m.hello.version = LINK_VERSION;
	m.hello.policy.viewers_maximum = 1;
	m.hello.policy.frames_maximum = 60;
	strcpy(m.hello.id, "a");
	assert_int_equal(link_check(&m, true, false), 0);
	assert_int_equal(link_check(&m, true, true), -EPROTO);
	assert_int_equal(link_check(&m, false, false), -EPROTO);
	memset(m.hello.name, 'x', sizeof(m.hello.name)); /* without end */
	assert_int_equal(link_check(&m, true, false), -EPROTO);

	m = (struct link_message){.type = LINK_WATCH};
	m.watch.count = LIMIT_VIEWERS_MAX + 1;
	assert_int_equal(link_check(&m, false, false), -EPROTO);
	m = (struct link_message){.type = LINK_LISTENER};
	m.listener.mode = LINK_MODE_VIEW;
	m.listener.transports = LINK_TRANSPORT_RFB;
	m.listener.offers = LINK_OFFER_VNCAUTH; /* with no password */
	assert_int_equal(link_check(&m, true, true), -EPROTO);
	m.listener.tickets = 1;
	assert_int_equal(link_check(&m, true, true), 0);
	assert_int_equal(link_check(&m, true, false), -EPROTO);
	m.listener.offers |= LINK_OFFER_ALL + 1;
	assert_int_equal(link_check(&m, true, true), -EPROTO);
	m = (struct link_message){.type = LINK_VIEWER_ADDED};
	m.seen.mode = 9;
	assert_int_equal(link_check(&m, false, false), -EPROTO);
	m.seen.mode = LINK_MODE_VIEW;
	strcpy(m.seen.peer, "192.0.2.1:5900");
	assert_int_equal(link_check(&m, false, false), 0);
	m.seen.peer[0] = (char)0xff; /* no UTF-8: a reply with it could not be made */
	assert_int_equal(link_check(&m, false, false), -EPROTO);
	strcpy(m.seen.peer, "a\nb");
	assert_int_equal(link_check(&m, false, false), -EPROTO);
}

/* One broker takes over from another. */
static void resuming_is_checked(void **state)
{
	struct link_message m = {.type = LINK_RESUME};

	m.hello.version = LINK_VERSION;
	m.hello.policy.viewers_maximum = 1;
	m.hello.policy.frames_maximum = 60;
	strcpy(m.hello.id, "a");
	assert_int_equal(link_check(&m, true, false), 0);
	assert_int_equal(link_check(&m, true, true), -EPROTO);
	assert_int_equal(link_check(&m, false, false), -EPROTO);
	m.hello.version--;
	assert_int_equal(link_check(&m, true, false), -EPROTO);

	m = (struct link_message){.type = LINK_RESUMED};
	assert_int_equal(link_check(&m, false, false), -EPROTO);
	m.resumed.version = LINK_VERSION;
	m.resumed.viewers = LIMIT_VIEWERS_MAX + LIMIT_KNOCKING;
	assert_int_equal(link_check(&m, false, false), 0);
	assert_int_equal(link_check(&m, true, false), -EPROTO);
	m.resumed.viewers++;
	assert_int_equal(link_check(&m, false, false), -EPROTO);
	m.resumed.viewers = 0;
	m.resumed.width = LIMIT_WIDTH;
	assert_int_equal(link_check(&m, false, false), -EPROTO);
	m.resumed.height = LIMIT_HEIGHT + 1;
	assert_int_equal(link_check(&m, false, false), -EPROTO);
	m.resumed.height--;
	assert_int_equal(link_check(&m, false, false), 0);

	m = (struct link_message){.type = LINK_HERE};
	m.here.viewer = 2;
	assert_int_equal(link_check(&m, false, false), -EPROTO); /* no mode */
	m.here.mode = LINK_MODE_VIEW;
	assert_int_equal(link_check(&m, false, false), 0);
	assert_int_equal(link_check(&m, true, false), -EPROTO);
	m.here.viewer = 3; /* nobody waits for it */
	assert_int_equal(link_check(&m, false, false), -EPROTO);
	m.here.in = 1;
	assert_int_equal(link_check(&m, false, false), 0);
	memset(m.here.peer, 'x', sizeof(m.here.peer));
	assert_int_equal(link_check(&m, false, false), -EPROTO);
}

/* Who may come in: asked by one side, answered by the other. */
static void credentials_are_checked(void **state)
{
	struct link_message m = {.type = LINK_CHECK};

	m.check.viewer = 3;
	m.check.kind = LINK_CHECK_LOGIN;
	m.check.mode = LINK_MODE_VIEW;
	strcpy(m.check.user, "j\xc3\xbcrgen");
	assert_int_equal(link_check(&m, false, false), 0);
	assert_int_equal(link_check(&m, false, true), -EPROTO);
	assert_int_equal(link_check(&m, true, false), -EPROTO);
	m.check.viewer = 4; /* was let in by the broker itself */
	assert_int_equal(link_check(&m, false, false), -EPROTO);
	m.check.viewer = 3;
	m.check.kind = LINK_CHECK_NAME + 1;
	assert_int_equal(link_check(&m, false, false), -EPROTO);
	m.check.kind = LINK_CHECK_NAME;
	memset(m.check.secret, 'x', sizeof(m.check.secret));
	assert_int_equal(link_check(&m, false, false), -EPROTO);

	m = (struct link_message){.type = LINK_VERDICT};
	assert_int_equal(link_check(&m, true, false), 0);
	assert_int_equal(link_check(&m, true, true), -EPROTO); /* refused, and a place */
	m.verdict.allowed = 1;
	assert_int_equal(link_check(&m, true, true), -EPROTO); /* no mode */
	m.verdict.mode = LINK_MODE_EXCLUSIVE;
	assert_int_equal(link_check(&m, true, true), 0);
	assert_int_equal(link_check(&m, true, false), 0);

	m = (struct link_message){.type = LINK_POWER};
	m.power.action = 1; /* xvp's "init" */
	assert_int_equal(link_check(&m, false, false), -EPROTO);
	m.power.action = LINK_POWER_RESET;
	assert_int_equal(link_check(&m, false, false), 0);
}

/* What a viewer did to the guest. */
static void input_is_checked(void **state)
{
	struct link_message m = {.type = LINK_INPUT};
	static const struct {
		struct link_input input;
		bool good;
	} cases[] = {
		{{.kind = LINK_INPUT_KEY, .on = 1, .code = 0xff, .keysym = UINT32_MAX}, true},
		{{.kind = LINK_INPUT_KEY, .on = 2}, false},
		{{.kind = LINK_INPUT_KEY, .code = 0x100}, false},
		{{.kind = 0}, false},
		{{.kind = LINK_INPUT_LOST + 1}, false},
		{{.kind = LINK_INPUT_LOST, .lost = UINT32_MAX}, true},
		{{.kind = LINK_INPUT_POINTER, .width = 1, .height = 1, .code = 0xffff}, true},
		{{.kind = LINK_INPUT_POINTER}, false},
		{{.kind = LINK_INPUT_POINTER, .width = LIMIT_WIDTH + 1, .height = 1}, false},
		{{.kind = LINK_INPUT_POINTER, .width = 8, .height = 8, .x = 7, .y = 8}, false},
		{{.kind = LINK_INPUT_POINTER, .width = 8, .height = 8, .x = 8}, false},
		{{.kind = LINK_INPUT_POINTER, .width = 8, .height = 8, .x = -1}, false},
		{{.kind = LINK_INPUT_POINTER, .width = 8, .height = 8, .x = 7, .y = 7}, true},
		{{.kind = LINK_INPUT_POINTER,
			 .on = 1,
			 .x = LIMIT_INPUT_STEP,
			 .y = -LIMIT_INPUT_STEP},
			true},
		{{.kind = LINK_INPUT_POINTER, .on = 1, .x = LIMIT_INPUT_STEP + 1}, false},
		{{.kind = LINK_INPUT_POINTER, .on = 1, .y = INT32_MIN}, false},
		{{.kind = LINK_INPUT_POINTER, .on = 1, .width = 1}, false},
	};

	assert_int_equal(link_check(&m, false, false), -EPROTO); /* none */
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		m.input.used = LINK_INPUTS;
		for (size_t n = 0; n < LINK_INPUTS; n++)
			m.input.at[n] = cases[0].input;
		m.input.at[LINK_INPUTS - 1] = cases[i].input;
		assert_int_equal(link_check(&m, false, false), cases[i].good ? 0 : -EPROTO);
		assert_int_equal(link_check(&m, false, true), -EPROTO);
		assert_int_equal(link_check(&m, true, false), -EPROTO);
		m.input.used--; /* nobody looks behind the last one */
		assert_int_equal(link_check(&m, false, false), 0);
	}
	m.input.used = LINK_INPUTS + 1;
	assert_int_equal(link_check(&m, false, false), -EPROTO);
}

static void sizes_are_checked(void **state)
{
	static const struct {
		uint32_t width, height;
		int sizes, resize;
	} cases[] = {
		{0, 0, 0, -EPROTO},
		{1, 1, 0, 0},
		{LIMIT_WIDTH, LIMIT_HEIGHT, 0, 0},
		{0, 1, -EPROTO, -EPROTO},
		{1, 0, -EPROTO, -EPROTO},
		{LIMIT_WIDTH + 1, 1, -EPROTO, -EPROTO},
		{1, LIMIT_HEIGHT + 1, -EPROTO, -EPROTO},
		{UINT32_MAX, UINT32_MAX, -EPROTO, -EPROTO},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct link_message sizes = {.type = LINK_SIZES}, resize = {.type = LINK_RESIZE};

		sizes.sizes.width = resize.resize.width = cases[i].width;
		sizes.sizes.height = resize.resize.height = cases[i].height;
		resize.resize.viewer = 3;
		assert_int_equal(link_check(&sizes, true, false), cases[i].sizes);
		assert_int_equal(link_check(&sizes, true, true), -EPROTO);
		assert_int_equal(link_check(&sizes, false, false), -EPROTO);
		assert_int_equal(link_check(&resize, false, false), cases[i].resize);
		assert_int_equal(link_check(&resize, false, true), -EPROTO);
		assert_int_equal(link_check(&resize, true, false), -EPROTO);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frame_is_sealed_and_shared),
		cmocka_unit_test(frame_geometry_is_bounded),
		cmocka_unit_test(frame_lies_are_found),
		cmocka_unit_test(frame_wants_seals),
		cmocka_unit_test(message_crosses_with_its_fd),
		cmocka_unit_test(messages_are_checked),
		cmocka_unit_test(resuming_is_checked),
		cmocka_unit_test(credentials_are_checked),
		cmocka_unit_test(input_is_checked),
		cmocka_unit_test(sizes_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
