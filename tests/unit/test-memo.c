/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "base/fd.h"
#include "base/mem.h"
#include "memo.h"

static const char *missing; /* this one is not there */
static unsigned int taken;

static int take(void *arg, const char *name)
{
	if (missing && strcmp(name, missing) == 0)
		return -ENOENT;
	taken++;
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Everything that a display may have. */
static void make(struct memo *memo, struct handover *h)
{
	static struct label labels[] = {
		{(char *)"k", (char *)"v"}, {(char *)"b\377d", (char *)"\303\274"}};

	*memo = (struct memo){
		.names = {"device.1", "change.2", "lease.3", "", "listen.4", "", "listen.z"},
		.inputs = {{-1, INPUT_KEYBOARD, 0, 0}, {-1, INPUT_TOUCH, 100, 200}},
		.own = "listen.a1",
		.call = "call.7",
		.answered = true,
		.link = "link.8",
		.program = "rfb.9",
		.wall = {.version = LINK_VERSION,
			.last_number = 6,
			.roster = {.serial = 3, .mode = 2, .mode_checked = 3, .used = 2}},
		.last_program = 5,
	};
	memcpy(memo->names[HANDOVER_INPUTS], "input.b", 8);
	memcpy(memo->names[HANDOVER_INPUTS + 1], "input.c", 8);
	memo->wall.roster.at[0] = (struct roster_kept_viewer){1, 2, true, "who", "127.0.0.1"};
	memo->wall.roster.at[1] = (struct roster_kept_viewer){2, 3, false, "", ""};
	handover_init(h);
	snprintf(h->context.id, sizeof(h->context.id), "vm-1");
	memcpy(h->context.labels, labels, sizeof(labels));
	h->context.labels_used = ARRAY_SIZE(labels);
	h->context.has_sharing = true;
	h->context.sharing = SHARING_FORCE_SHARED;
	h->owns_edid = true;
	h->uid = 1000;
	h->gid = 4294967294u;
	h->pid = 77;
	h->listeners_used = 3;
	h->listeners[0] = (struct handover_listener){.fd = -1,
		.ours = true,
		.made = true,
		.mode = VIEW_MODE_VIEW,
		.security = 5,
		.transports = 3,
		.origins = "https://a https://b",
		.address = "unix:/tmp/x"};
	h->listeners[1].mode = VIEW_MODE_VIEW; /* it is not kept */
	h->listeners[2].mode = VIEW_MODE_EXCLUSIVE;
}

static char *text_of(size_t *ret_size)
{
	static struct memo memo;
	struct handover h;
	char *text;

	make(&memo, &h);
	text = memo_write(&memo, &h, ret_size);
	assert_non_null(text);
	return text;
}

static void what_was_written_is_read(void **state)
{
	static struct memo wanted, got;
	struct handover old, h;
	size_t size;
	char *text = text_of(&size);

	make(&wanted, &old);
	taken = 0;
	missing = NULL;
	assert_int_equal(memo_read(text, size, take, NULL, &got, &h), 0);
	assert_int_equal(taken, 7);
	assert_string_equal(h.context.id, "vm-1");
	assert_int_equal(h.context.labels_used, 2);
	assert_true(h.owns_edid && !h.display_interrupt && h.device >= 0 && h.change >= 0 &&
		    h.lease >= 0 && h.render < 0);
	assert_int_equal(h.uid, 1000);
	assert_int_equal(h.gid, 4294967294u);
	assert_int_equal(h.pid, 77);
	/* The one that was not kept has left no gap. */
	assert_int_equal(h.listeners_used, 2);
	assert_string_equal(got.names[HANDOVER_LISTENERS], "listen.4");
	assert_string_equal(got.names[HANDOVER_LISTENERS + 1], "listen.z");
	assert_string_equal(got.names[HANDOVER_LISTENERS + 2], "");
	assert_true(h.listeners[0].ours && h.listeners[0].made && !h.listeners[1].ours);
	assert_string_equal(h.listeners[0].origins, "https://a https://b");
	assert_string_equal(h.listeners[0].address, "unix:/tmp/x");
	assert_int_equal(h.listeners[0].security, 5);
	assert_int_equal(h.listeners[1].mode, VIEW_MODE_EXCLUSIVE);
	assert_int_equal(h.inputs_used, 2);
	assert_int_equal(got.inputs[1].y_maximum, 200);
	assert_string_equal(got.names[HANDOVER_INPUTS + 1], "input.c");
	assert_string_equal(got.own, wanted.own);
	assert_string_equal(got.call, wanted.call);
	assert_string_equal(got.link, wanted.link);
	assert_string_equal(got.program, wanted.program);
	assert_true(got.answered);
	assert_int_equal(got.last_program, 5);
	assert_memory_equal(&got.wall, &wanted.wall, sizeof(got.wall));
	handover_finish(&h);
	free(text);
}

static void expect(const char *text, size_t size, int error)
{
	static struct memo memo;
	struct handover h;

	assert_int_equal(memo_read(text, size, take, NULL, &memo, &h), error);
	assert_int_equal(h.device, -EBADF);
}

static void what_cannot_be(void **state)
{
	size_t size;
	char *text = text_of(&size), *at;

	missing = NULL;
	for (size_t n = 0; n < size; n++)
		expect(text, n, -EBADMSG);
	expect("{}", 2, -EPROTONOSUPPORT);
	expect("{\"version\":2}", 13, -EPROTONOSUPPORT);
	expect("{\"version\":1}", 13, -EBADMSG);
	missing = "lease.3";
	expect(text, size, -ENOENT);
	missing = NULL;
	at = strstr(text, "device.1");
	memcpy(at, "../etc/p", 8);
	expect(text, size, -EBADMSG);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read),
		cmocka_unit_test(what_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
