/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of the input adapters that do no I/O: what QEMU says, what waits, what is held, what QEMU is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/input-event-codes.h>
#include <string.h>

#include "adapter/groups.h"
#include "adapter/held.h"
#include "adapter/qmp_text.h"
#include "adapter/translate.h"
#include "base/limits.h"
#include "base/mem.h"

/* ---- What QEMU says ---- */

static int hear(struct qmp_text *text, const char *bytes, size_t n)
{
	while (n > 0) {
		char *into;
		size_t room;
		int r = qmp_text_room(text, LIMIT_QMP_MESSAGE, &into, &room);

		if (r < 0)
			return r;
		room = MIN(room, n);
		memcpy(into, bytes, room);
		qmp_text_add(text, room);
		bytes += room;
		n -= room;
	}
	return 0;
}

/* How many objects there are, whole or byte by byte; or the error. */
static int count(const char *said, size_t step)
{
	struct qmp_text text = {0};
	size_t length = strlen(said);
	json_t *object;
	int n = 0, r = 0;

	for (size_t at = 0; at < length && r >= 0; at += step) {
		r = hear(&text, said + at, MIN(step, length - at));
		while (r >= 0 && (r = qmp_text_next(&text, &object)) > 0) {
			json_decref(object);
			n++;
		}
	}
	qmp_text_finish(&text);
	return r < 0 ? r : n;
}

static void objects_end_where_their_braces_do(void **state)
{
	static const struct {
		const char *said;
		int n;
	} rows[] = {
		{"", 0},
		{" \r\n\t ", 0},
		{"{}", 1},
		{"{}{}\r\n{\"a\": {\"b\": [{}]}} {", 3},
		{"{\"a\": \"}{\", \"b\": \"\\\"}\", \"c\": \"\\\\\"}{}", 2},
		{"{\n  \"a\":\n  [\n 1 ]\n}\n", 1},
		{"x", -EPROTO},
		{"[]", -EPROTO},
		{"{}]", -EPROTO},
		{"{]", -EPROTO},
		{"{\"a\": 1, \"a\": 2}", -EPROTO},
		{"{\"a\": 1e999}", -EPROTO},
		{"{\"a\": [}", 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (size_t step = 1; step < 40; step += 3)
			assert_int_equal(count(rows[i].said, step), rows[i].n);
}

static void endless_and_deep_ones_end(void **state)
{
	struct qmp_text text = {0};
	char bytes[1024];
	json_t *object;
	size_t sum = 0;
	int r;

	assert_int_equal(qmp_text_next(&text, &object), 0); /* nothing has come */
	r = hear(&text, "{\"a\": \"", 7);

	memset(bytes, 'x', sizeof(bytes));
	while (r == 0 && sum <= 2 * LIMIT_QMP_MESSAGE) {
		r = hear(&text, bytes, sizeof(bytes));
		sum += sizeof(bytes);
		if (r == 0)
			r = qmp_text_next(&text, &object);
	}
	assert_int_equal(r, -EMSGSIZE);
	assert_true(text.room <= LIMIT_QMP_MESSAGE);
	qmp_text_finish(&text);
	memset(bytes, '[', sizeof(bytes));
	memcpy(bytes, "{\"a\":", 5);
	bytes[sizeof(bytes) - 1] = '\0';
	assert_int_equal(count(bytes, 7), -EPROTO);
}

/* ---- What waits ---- */

static struct group one(enum input_kind kind, uint16_t type, uint16_t code, int32_t value)
{
	return (struct group){.kind = kind, .used = 1, .events = {{type, code, value}}};
}

static void motion_is_merged_and_keys_are_not(void **state)
{
	static struct groups groups;
	const struct group steps[] = {one(INPUT_ABSOLUTE_POINTER, EV_ABS, ABS_X, 1),
		one(INPUT_ABSOLUTE_POINTER, EV_ABS, ABS_Y, 2),
		one(INPUT_ABSOLUTE_POINTER, EV_ABS, ABS_X, 3),
		one(INPUT_ABSOLUTE_POINTER, EV_KEY, BTN_LEFT, 1),
		one(INPUT_ABSOLUTE_POINTER, EV_ABS, ABS_X, 4),
		one(INPUT_RELATIVE_POINTER, EV_REL, REL_X, 5),
		one(INPUT_RELATIVE_POINTER, EV_REL, REL_X, -7),
		one(INPUT_TOUCH, EV_ABS, ABS_MT_SLOT, 1), one(INPUT_TOUCH, EV_ABS, ABS_MT_SLOT, 2)};
	const struct {
		size_t used;
		uint16_t code;
		int32_t value;
	} wanted[] = {{2, ABS_X, 3}, {1, BTN_LEFT, 1}, {1, ABS_X, 4}, {1, REL_X, -2},
		{1, ABS_MT_SLOT, 1}, {1, ABS_MT_SLOT, 2}};

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		assert_true(groups_push(&groups, &steps[i]));
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		struct group *group = groups_peek(&groups);

		assert_non_null(group);
		assert_int_equal(group->used, wanted[i].used);
		assert_int_equal(group->events[0].code, wanted[i].code);
		assert_int_equal(group->events[0].value, wanted[i].value);
		groups_pop(&groups);
	}
	assert_null(groups_peek(&groups));
}

static void there_is_an_end_to_what_waits(void **state)
{
	static struct groups groups;
	struct group group = one(INPUT_KEYBOARD, EV_KEY, KEY_A, 1);

	for (int i = 0; i < LIMIT_ADAPTER_GROUPS; i++) {
		assert_int_equal(groups_full(&groups), i >= LIMIT_ADAPTER_GROUPS / 2);
		group.events[0].code = (uint16_t)(i + 1);
		assert_true(groups_push(&groups, &group));
	}
	assert_false(groups_push(&groups, &group));
	for (int i = 0; i < LIMIT_ADAPTER_GROUPS; i++, groups_pop(&groups))
		assert_int_equal(groups_peek(&groups)->events[0].code, i + 1);
}

/* ---- What is held ---- */

static void what_was_down_is_let_go_once(void **state)
{
	struct held held = {0};
	struct group group = one(INPUT_KEYBOARD, EV_KEY, KEY_A, 1),
		     button = one(INPUT_ABSOLUTE_POINTER, EV_KEY, BTN_LEFT, 1);

	held_sent(&held, &group);
	held_sent(&held, &button);
	assert_true(held_any(&held));
	assert_false(held_owes(&held));
	assert_false(held_settle(&held, &group));
	held_let_go(&held);
	assert_true(held_settle(&held, &group));
	assert_int_equal(group.kind, INPUT_KEYBOARD);
	assert_int_equal(group.used, 1);
	assert_int_equal(group.events[0].code, KEY_A);
	assert_int_equal(group.events[0].value, 0);
	assert_true(held_settle(&held, &group));
	assert_int_equal(group.kind, INPUT_ABSOLUTE_POINTER);
	assert_false(held_settle(&held, &group));
	assert_false(held_any(&held));
}

static void a_release_that_failed_is_owed(void **state)
{
	struct held held = {0};
	struct group down = one(INPUT_KEYBOARD, EV_KEY, KEY_A, 1),
		     up = one(INPUT_KEYBOARD, EV_KEY, KEY_A, 0), group;

	held_sent(&held, &down);
	held_sent(&held, &up);
	assert_false(held_any(&held));
	held_failed(&held, &up);
	assert_true(held_owes(&held));
	held_sent(&held, &down); /* pressed again: it is not to go up meanwhile */
	assert_false(held_owes(&held));
	held_failed(&held, &up); /* an older answer */
	assert_false(held_owes(&held));
	held_let_go(&held);
	assert_true(held_settle(&held, &group));
	assert_false(held_any(&held));
}

static void many_go_up_in_small_groups(void **state)
{
	struct held held = {0};
	struct group group;
	size_t sum = 0;

	for (uint16_t code = 1; code <= 100; code++) {
		group = one(INPUT_KEYBOARD, EV_KEY, code, 1);
		held_sent(&held, &group);
	}
	for (int slot = 0; slot < LIMIT_INPUT_CONTACTS; slot++) {
		group = (struct group){.kind = INPUT_TOUCH,
			.used = 2,
			.events = {
				{EV_ABS, ABS_MT_SLOT, slot}, {EV_ABS, ABS_MT_TRACKING_ID, slot}}};
		held_sent(&held, &group);
	}
	held_let_go(&held);
	while (held_settle(&held, &group)) {
		assert_true(group.used <= 2 * LIMIT_INPUT_CONTACTS + 1);
		sum += group.used;
	}
	assert_int_equal(sum, 100 + 2 * LIMIT_INPUT_CONTACTS);
	assert_false(held_any(&held));
}

/* ---- What QEMU is told ---- */

static char *told(bool touch, bool sideways, const struct group *group)
{
	struct translate translate;
	json_t *events;
	char *text;

	translate_init(&translate, NULL);
	translate.touch = touch;
	translate.sideways = sideways;
	events = translate_group(&translate, group);
	assert_non_null(events);
	text = json_dumps(events, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(events);
	return text;
}

static void events_are_those_of_qemu(void **state)
{
	static const struct {
		struct group group;
		const char *text;
	} rows[] = {
		{{INPUT_KEYBOARD, 1, {{EV_KEY, KEY_RIGHT, 2}}},
			"[{\"data\":{\"down\":true,\"key\":{\"data\":205,\"type\":\"number\"}},"
			"\"type\":\"key\"}]"},
		{{INPUT_KEYBOARD, 1, {{EV_KEY, KEY_SYSRQ, 0}}},
			"[{\"data\":{\"down\":false,\"key\":{\"data\":183,\"type\":\"number\"}},"
			"\"type\":\"key\"}]"},
		{{INPUT_KEYBOARD, 1, {{EV_KEY, 0x1ff, 1}}}, "[]"},
		{{INPUT_ABSOLUTE_POINTER, 1, {{EV_REL, REL_WHEEL_HI_RES, 120}}}, "[]"},
		{{INPUT_RELATIVE_POINTER, 1, {{EV_REL, REL_HWHEEL, 1}}}, "[]"},
		{{INPUT_ABSOLUTE_POINTER, 1, {{EV_KEY, BTN_SIDE, 1}}},
			"[{\"data\":{\"button\":\"side\",\"down\":true},\"type\":\"btn\"}]"},
		{{INPUT_TOUCH, 3,
			 {{EV_ABS, ABS_MT_SLOT, 0}, {EV_ABS, ABS_MT_TRACKING_ID, 1},
				 {EV_KEY, BTN_TOUCH, 1}}},
			"[]"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *text = told(false, false, &rows[i].group);

		assert_string_equal(text, rows[i].text);
		free(text);
	}
}

static void a_wheel_turns_a_bounded_number_of_steps(void **state)
{
	const struct group group = {INPUT_RELATIVE_POINTER, 2,
		{{EV_REL, REL_WHEEL, INT32_MIN}, {EV_REL, REL_HWHEEL, INT32_MAX}}};
	char *text = told(false, true, &group);
	size_t steps = 0;

	for (const char *at = text; (at = strstr(at, "wheel-")); at++)
		steps++;
	assert_int_equal(steps, 2 * 2 * 8);
	assert_non_null(strstr(text, "wheel-down"));
	assert_non_null(strstr(text, "wheel-right"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_end_where_their_braces_do),
		cmocka_unit_test(endless_and_deep_ones_end),
		cmocka_unit_test(motion_is_merged_and_keys_are_not),
		cmocka_unit_test(there_is_an_end_to_what_waits),
		cmocka_unit_test(what_was_down_is_let_go_once),
		cmocka_unit_test(a_release_that_failed_is_owed),
		cmocka_unit_test(many_go_up_in_small_groups),
		cmocka_unit_test(events_are_those_of_qemu),
		cmocka_unit_test(a_wheel_turns_a_bounded_number_of_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
