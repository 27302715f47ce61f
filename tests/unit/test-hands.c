/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What viewers do against what a VMM made of socket pairs reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/input-event-codes.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/loop.h"
#include "base/mem.h"
#include "input/hands.h"
#include "input/inputs.h"
#include "input/layout.h"
#include "input/pointer.h"

struct guest {
	struct loop *loop;
	struct loop_source *timer;
	struct inputs inputs;
	struct hands *hands;
	int fds[LIMIT_INPUTS]; /* the VMM's ends */
	size_t used;
};

static void on_lost(void *arg, size_t n, const char *why)
{
	struct guest *guest = arg;

	hands_lost(guest->hands, guest->inputs.slots[n]->kind.kind);
}

static void on_leds(void *arg)
{
	hands_leds(((struct guest *)arg)->hands);
}

static const struct inputs_events events = {.lost = on_lost, .leds = on_leds};

static void guest_set(struct guest *guest, const enum input_kind *kinds, size_t n)
{
	struct handover_input from[LIMIT_INPUTS];

	for (size_t i = 0; i < guest->used; i++)
		fd_close(guest->fds[i]);
	for (size_t i = 0; i < n; i++) {
		int pair[2];

		assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), errno);
		from[i] = (struct handover_input){pair[0], kinds[i], 0x7fff, 0x7fff};
		guest->fds[i] = pair[1];
	}
	guest->used = n;
	assert_int_equal(inputs_set(&guest->inputs, from, n), 0);
	hands_replaced(guest->hands);
}

static const enum input_kind desk[] = {INPUT_KEYBOARD, INPUT_ABSOLUTE_POINTER};
enum { KEYS, PLACES };

static void stop(void *arg)
{
	loop_stop(arg);
}

/* What is ready now is done; nothing is waited for. */
static void turn(struct guest *guest)
{
	for (int i = 0; i < 3; i++) {
		loop_timer_once(guest->timer, 0);
		assert_int_equal(loop_run(guest->loop), 0);
	}
}

static int set_up(void **state)
{
	struct guest *guest = new0(struct guest);

	assert_int_equal(loop_create(&guest->loop), 0);
	assert_int_equal(loop_timer_add(guest->loop, stop, guest->loop, &guest->timer), 0);
	inputs_init(&guest->inputs, guest->loop, &events, guest);
	assert_int_equal(hands_create(&guest->inputs, &guest->hands), 0);
	guest_set(guest, desk, ARRAY_SIZE(desk));
	hands_screen(guest->hands, 1024, 768);
	*state = guest;
	return 0;
}

static int tear_down(void **state)
{
	struct guest *guest = *state;

	hands_destroy(guest->hands);
	inputs_finish(&guest->inputs);
	for (size_t i = 0; i < guest->used; i++)
		fd_close(guest->fds[i]);
	loop_source_free(guest->timer);
	loop_destroy(guest->loop);
	free(guest);
	return 0;
}

/* Exactly these have arrived, each EV_SYN left out. */
static void expect(struct guest *guest, size_t n, const struct input_event *want, size_t wanted)
{
	uint8_t bytes[4096];
	ssize_t got = recv(guest->fds[n], bytes, sizeof(bytes), MSG_DONTWAIT);
	size_t used = 0;

	for (ssize_t i = 0; i < got; i += INPUT_RECORD_BYTES) {
		struct input_event event = input_unpack(bytes + i);

		if (event.type == EV_SYN)
			continue;
		assert_true(used < wanted);
		assert_int_equal(event.type, want[used].type);
		assert_int_equal(event.code, want[used].code);
		assert_int_equal(event.value, want[used].value);
		used++;
	}
	assert_int_equal(used, wanted);
}

#define EXPECT(guest, n, ...) \
	expect((guest), (n), (const struct input_event[]){__VA_ARGS__}, \
		ARRAY_SIZE(((const struct input_event[]){__VA_ARGS__})))
#define KEY(code, value) \
	{ \
		EV_KEY, (code), (value) \
	}
#define NOTHING(guest, n) expect((guest), (n), NULL, 0)

enum { ANN = 2, BOB = 3 };

static void test_keys_go_down_and_up(void **state)
{
	struct guest *guest = *state;

	hands_key(guest->hands, ANN, true, 'a', 0x1e);
	EXPECT(guest, KEYS, KEY(KEY_A, 1));
	hands_key(guest->hands, ANN, true, 'a', 0x1e);
	EXPECT(guest, KEYS, KEY(KEY_A, 2));
	hands_key(guest->hands, ANN, false, 'a', 0x1e);
	EXPECT(guest, KEYS, KEY(KEY_A, 0));
	hands_key(guest->hands, ANN, false, 'a', 0x1e); /* it is up */
	hands_key(guest->hands, BOB, false, 'a', 0x1e);
	NOTHING(guest, KEYS);
}

static void test_the_last_of_two_lets_go(void **state)
{
	struct guest *guest = *state;

	hands_key(guest->hands, ANN, true, 0, 0x1d);
	hands_key(guest->hands, BOB, true, 0, 0x1d);
	EXPECT(guest, KEYS, KEY(KEY_LEFTCTRL, 1), KEY(KEY_LEFTCTRL, 2));
	hands_key(guest->hands, ANN, false, 0, 0x1d);
	NOTHING(guest, KEYS);
	hands_leave(guest->hands, BOB);
	EXPECT(guest, KEYS, KEY(KEY_LEFTCTRL, 0));
}

static void test_shift_is_lent(void **state)
{
	struct guest *guest = *state;

	hands_key(guest->hands, ANN, true, 'A', 0);
	EXPECT(guest, KEYS, KEY(KEY_LEFTSHIFT, 1), KEY(KEY_A, 1));
	hands_key(guest->hands, ANN, true, 'A', 0);
	EXPECT(guest, KEYS, KEY(KEY_A, 2));
	hands_key(guest->hands, ANN, true, 'b', 0);
	EXPECT(guest, KEYS, KEY(KEY_LEFTSHIFT, 0), KEY(KEY_B, 1));
	hands_key(guest->hands, ANN, false, 'A', 0);
	hands_key(guest->hands, ANN, false, 'b', 0);
	EXPECT(guest, KEYS, KEY(KEY_A, 0), KEY(KEY_B, 0));

	/* The viewer's own is honoured, and taken away for as long as it is in the way. */
	hands_key(guest->hands, ANN, true, 0xffe2, 0);
	hands_key(guest->hands, ANN, true, 'A', 0);
	hands_key(guest->hands, ANN, false, 'a', 0);
	EXPECT(guest, KEYS, KEY(KEY_RIGHTSHIFT, 1), KEY(KEY_A, 1), KEY(KEY_A, 0));
	hands_key(guest->hands, ANN, true, '1', 0);
	EXPECT(guest, KEYS, KEY(KEY_RIGHTSHIFT, 0), KEY(KEY_1, 1));
	hands_key(guest->hands, ANN, false, '1', 0);
	EXPECT(guest, KEYS, KEY(KEY_1, 0), KEY(KEY_RIGHTSHIFT, 1));
	hands_leave(guest->hands, ANN);
	EXPECT(guest, KEYS, KEY(KEY_RIGHTSHIFT, 0));
}

static void test_places_buttons_and_wheels(void **state)
{
	struct guest *guest = *state;
	struct hands_pointer at = {.buttons = HANDS_LEFT, .x = 1023, .y = 0};

	hands_pointer(guest->hands, ANN, &at);
	EXPECT(guest, PLACES, {EV_ABS, ABS_X, pointer_scale(1023, 1024, 0x7fff)},
		{EV_ABS, ABS_Y, pointer_scale(0, 768, 0x7fff)}, KEY(BTN_LEFT, 1));
	at.buttons |= HANDS_WHEEL_DOWN;
	hands_pointer(guest->hands, ANN, &at);
	EXPECT(guest, PLACES, {EV_REL, REL_WHEEL, -1}, {EV_REL, REL_WHEEL_HI_RES, -120});
	at.buttons = HANDS_FORWARD | HANDS_BACK;
	hands_pointer(guest->hands, ANN, &at);
	EXPECT(guest, PLACES, KEY(BTN_LEFT, 0), KEY(BTN_SIDE, 1), KEY(BTN_EXTRA, 1));
	hands_leave(guest->hands, ANN);
	EXPECT(guest, PLACES, KEY(BTN_SIDE, 0), KEY(BTN_EXTRA, 0));
}

static void test_altgr_and_dead_keys(void **state)
{
	struct guest *guest = *state;
	struct layout *layout = NULL;

	if (layout_create("de", &layout) == -ENOTSUP)
		skip();
	hands_layout(guest->hands, layout);
	/* Shift and 2 on a US keyboard is @, which here is AltGr and Q: the viewer's Shift is in the way. */
	hands_key(guest->hands, ANN, true, 0xffe1, 0);
	hands_key(guest->hands, ANN, true, '@', 0);
	EXPECT(guest, KEYS, KEY(KEY_LEFTSHIFT, 1), KEY(KEY_LEFTSHIFT, 0), KEY(KEY_RIGHTALT, 1),
		KEY(KEY_Q, 1));
	hands_key(guest->hands, ANN, false, 0xffe1,
		0); /* it goes up first: the key is still the one that went down */
	hands_key(guest->hands, ANN, false, '2', 0);
	hands_key(guest->hands, ANN, false, '@', 0);
	EXPECT(guest, KEYS, KEY(KEY_RIGHTALT, 0), KEY(KEY_Q, 0));
	hands_key(guest->hands, ANN, true, 0xe1, 0);
	hands_key(guest->hands, ANN, true, 0xe1, 0);
	hands_key(guest->hands, ANN, false, 0xe1, 0);
	EXPECT(guest, KEYS, KEY(KEY_EQUAL, 1), KEY(KEY_EQUAL, 0), KEY(KEY_A, 1), KEY(KEY_A, 2),
		KEY(KEY_A, 0));
	hands_leave(guest->hands, ANN);
	NOTHING(guest, KEYS);
	hands_layout(guest->hands, NULL);
	layout_destroy(layout);
}

static void test_locks(void **state)
{
	struct guest *guest = *state;
	uint8_t light[INPUT_RECORD_BYTES];

	/* A guest that says nothing of its lights: what was pressed counts. */
	hands_key(guest->hands, ANN, true, 0xffe5, 0);
	hands_key(guest->hands, ANN, false, 0xffe5, 0);
	hands_key(guest->hands, ANN, true, 'A', 0);
	hands_key(guest->hands, ANN, false, 'A', 0);
	EXPECT(guest, KEYS, KEY(KEY_CAPSLOCK, 1), KEY(KEY_CAPSLOCK, 0), KEY(KEY_A, 1),
		KEY(KEY_A, 0));
	hands_key(guest->hands, ANN, true, 0xffb7, 0);
	hands_key(guest->hands, ANN, false, 0xffb7, 0);
	EXPECT(guest, KEYS, KEY(KEY_KP7, 1), KEY(KEY_KP7, 0));
	/* NumLock is off there, and the viewer types a digit. */
	input_pack(&(struct input_event){EV_LED, LED_SCROLLL, 1}, light);
	assert_int_equal(write(guest->fds[KEYS], light, sizeof(light)), sizeof(light));
	turn(guest);
	hands_key(guest->hands, ANN, true, 0xffb7, 0);
	hands_key(guest->hands, ANN, true, 0xffb7, 0); /* its light has not come yet */
	hands_key(guest->hands, ANN, false, 0xffb7, 0);
	EXPECT(guest, KEYS, KEY(KEY_NUMLOCK, 1), KEY(KEY_NUMLOCK, 0), KEY(KEY_KP7, 1),
		KEY(KEY_KP7, 2), KEY(KEY_KP7, 0));
	input_pack(&(struct input_event){EV_LED, LED_NUML, 1}, light);
	assert_int_equal(write(guest->fds[KEYS], light, sizeof(light)), sizeof(light));
	turn(guest);
	hands_key(guest->hands, ANN, true, 0xffb7, 0);
	hands_key(guest->hands, ANN, false, 0xffb7, 0);
	EXPECT(guest, KEYS, KEY(KEY_KP7, 1), KEY(KEY_KP7, 0));
}

static void test_one_at_a_time(void **state)
{
	struct guest *guest = *state;
	struct hands_pointer at = {.x = 1, .y = 1};

	hands_share(guest->hands, 3600000);
	hands_pointer(guest->hands, BOB, &at); /* who only moves has nothing for himself */
	hands_key(guest->hands, ANN, true, 'a', 0);
	EXPECT(guest, KEYS, KEY(KEY_A, 1));
	hands_key(guest->hands, BOB, true, 'b', 0);
	at.buttons = HANDS_LEFT;
	hands_pointer(guest->hands, BOB, &at);
	NOTHING(guest, KEYS);
	assert_int_equal(hands_counts(guest->hands).refused, 2);
	hands_leave(guest->hands, ANN);
	hands_key(guest->hands, BOB, true, 'b', 0);
	EXPECT(guest, KEYS, KEY(KEY_A, 0), KEY(KEY_B, 1));
	/* Who has rested too long loses it, and what it holds. */
	hands_share(guest->hands, 1);
	usleep(5000);
	hands_key(guest->hands, ANN, true, 'a', 0);
	hands_key(guest->hands, BOB, false, 'b', 0);
	usleep(5000);
	hands_key(guest->hands, BOB, true, 'b', 0);
	EXPECT(guest, KEYS, KEY(KEY_B, 0), KEY(KEY_A, 1), KEY(KEY_A, 0), KEY(KEY_B, 1));
}

/* What was pressed while all shared is not left to those whose turn it is not. */
static void test_another_mode_lets_go(void **state)
{
	struct guest *guest = *state;
	struct hands_pointer at = {.x = 1, .y = 1, .buttons = HANDS_LEFT};

	hands_key(guest->hands, ANN, true, 'a', 0);
	hands_key(guest->hands, BOB, true, 'b', 0);
	hands_code(guest->hands, HANDS_NOBODY, true, KEY_F1);
	hands_pointer(guest->hands, BOB, &at);
	EXPECT(guest, KEYS, KEY(KEY_A, 1), KEY(KEY_B, 1), KEY(KEY_F1, 1));
	EXPECT(guest, PLACES, {EV_ABS, ABS_X, 48}, {EV_ABS, ABS_Y, 64}, KEY(BTN_LEFT, 1));
	hands_share(guest->hands, 3600000);
	EXPECT(guest, KEYS, KEY(KEY_A, 0), KEY(KEY_B, 0));
	EXPECT(guest, PLACES, KEY(BTN_LEFT, 0));
	hands_key(guest->hands, ANN, true, 'c', 0);
	hands_key(guest->hands, BOB, false, 'b', 0);
	EXPECT(guest, KEYS, KEY(KEY_C, 1));
	hands_share(guest->hands, 3600000); /* the same one */
	NOTHING(guest, KEYS);
	hands_leave(guest->hands, HANDS_NOBODY);
	EXPECT(guest, KEYS, KEY(KEY_F1, 0));
}

static void test_steps_and_touches(void **state)
{
	static const enum input_kind steps[] = {INPUT_RELATIVE_POINTER}, touch[] = {INPUT_TOUCH};
	struct guest *guest = *state;
	struct hands_pointer at = {.x = 100, .y = 100};

	assert_false(hands_relative(guest->hands));
	guest_set(guest, steps, 1);
	assert_true(hands_relative(guest->hands));
	hands_pointer(guest->hands, ANN, &at);
	at.x = 90;
	hands_pointer(guest->hands, ANN, &at); /* a viewer that knows no steps */
	at = (struct hands_pointer){
		.relative = true, .x = INT32_MIN, .y = 3, .buttons = HANDS_RIGHT};
	hands_pointer(guest->hands, ANN, &at);
	EXPECT(guest, 0, {EV_REL, REL_X, -10}, {EV_REL, REL_X, -LIMIT_INPUT_STEP},
		{EV_REL, REL_Y, 3}, KEY(BTN_RIGHT, 1));
	guest_set(guest, touch, 1);
	at = (struct hands_pointer){.x = 0, .y = 767};
	hands_pointer(guest->hands, ANN, &at); /* in the air */
	at.buttons = HANDS_LEFT;
	hands_pointer(guest->hands, ANN, &at);
	EXPECT(guest, 0, {EV_ABS, ABS_MT_SLOT, 0}, {EV_ABS, ABS_MT_TRACKING_ID, 1},
		{EV_ABS, ABS_MT_POSITION_X, 16}, {EV_ABS, ABS_MT_POSITION_Y, 32746},
		{EV_ABS, ABS_X, 16}, {EV_ABS, ABS_Y, 32746}, KEY(BTN_TOUCH, 1));
	hands_leave(guest->hands, ANN);
	EXPECT(guest, 0, {EV_ABS, ABS_MT_SLOT, 0}, {EV_ABS, ABS_MT_TRACKING_ID, -1},
		KEY(BTN_TOUCH, 0));
}

static void test_a_guest_finds_each_pixel_again(void **state)
{
	static const uint32_t sizes[] = {1, 2, 3, 640, 1366, 1920, 7680, 8192};
	static const uint32_t ranges[] = {0x7fff, 0xffff, 8191, 0x7fffffff};

	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++)
		for (size_t r = 0; r < ARRAY_SIZE(ranges); r++)
			for (uint32_t at = 0; at < sizes[s]; at++) {
				int32_t place = pointer_scale((int32_t)at, sizes[s], ranges[r]);

				assert_true(place >= 0 && (uint32_t)place <= ranges[r]);
				assert_int_equal(
					(uint64_t)place * sizes[s] / ((uint64_t)ranges[r] + 1), at);
			}
	/* Fewer places than pixels. */
	for (uint32_t at = 0; at < 768; at++)
		assert_in_range(
			pointer_scale((int32_t)at, 768, 99), at * 99 / 768, at * 100 / 768 + 1);
	assert_int_equal(pointer_scale(767, 768, 99), 99);
}

/* ---- Whatever happens ---- */

static const uint32_t keysyms[] = {'a', 'A', 'z', '1', '!', '@', ' ', 0xe9, 0xdf, 0x20ac, 0xfe51,
	0xfe52, 0xffe1, 0xffe2, 0xfe03, 0xffea, 0xffe3, 0xffe9, 0xffe5, 0xff7f, 0xffb7, 0xff95,
	0xff0d, 0xffbe, 0x1008ff13, 0x100043f, 0};
static const uint32_t keycodes[] = {0, 0, 0, 0x1e, 0x2a, 0x36, 0xb8, 0x1d, 0x10, 0xff, 0xb7};

struct told {
	bool down[LIMIT_INPUT_KEYS];
	uint8_t part[INPUT_RECORD_BYTES];
	size_t part_used;
	bool lossy; /* it does not always read */
	size_t events;
};

/* What a guest may be told: a key goes down once, repeats and goes up while it is down. */
static void hear(struct guest *guest, size_t n, struct told *told)
{
	uint8_t bytes[4096];
	ssize_t got;

	while ((got = recv(guest->fds[n], bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
		for (ssize_t i = 0; i < got; i++) {
			struct input_event event;

			told->part[told->part_used++] = bytes[i];
			if (told->part_used < INPUT_RECORD_BYTES)
				continue;
			told->part_used = 0;
			event = input_unpack(told->part);
			told->events++;
			if (event.type != EV_KEY)
				continue;
			/* Where releases were dropped one may go down that has not gone up. */
			assert_true(event.value == 1 ? told->lossy || !told->down[event.code]
						     : told->down[event.code]);
			told->down[event.code] = event.value;
		}
		turn(guest);
	}
}

static void nothing_is_down(const struct told *told)
{
	for (size_t i = 0; i < LIMIT_INPUT_KEYS; i++)
		if (told->down[i])
			fail_msg("key %zu is down", i);
}

static void act(struct guest *guest, struct layout *layout)
{
	uint32_t viewer = 1 + (uint32_t)rand() % 4;
	struct hands_pointer pointer = {
		.buttons = (uint16_t)rand() & 0x1ff,
		.relative = rand() % 4 == 0,
		.x = rand() % 2000 - 100,
		.y = rand() % 2000 - 100,
	};
	int what = rand() % 100;

	if (what < 70)
		hands_key(guest->hands, viewer, rand() % 5 < 3,
			keysyms[(size_t)rand() % ARRAY_SIZE(keysyms)],
			keycodes[(size_t)rand() % ARRAY_SIZE(keycodes)]);
	else if (what < 88)
		hands_pointer(guest->hands, viewer, &pointer);
	else if (what < 93)
		hands_leave(guest->hands, viewer);
	else if (what < 96)
		hands_layout(guest->hands, rand() % 2 ? layout : NULL);
	else if (what < 98)
		hands_code(guest->hands, HANDS_NOBODY, rand() % 2, (uint16_t)(1 + rand() % 100));
	else
		hands_screen(guest->hands, (uint32_t)rand() % 3 * 500, 600);
}

static void test_nothing_stays_down(void **state)
{
	struct guest *guest = *state;
	struct layout *layout = NULL;
	uint64_t dropped = 0;
	size_t all = 0;

	layout_create("de", &layout);
	for (unsigned int seed = 0; seed < 120; seed++) {
		bool reads = seed % 3;
		struct told keys = {.lossy = !reads}, places = {.lossy = !reads};

		srand(seed);
		guest_set(guest, desk, ARRAY_SIZE(desk));
		hands_share(guest->hands, seed % 5 ? 0 : 1);
		for (int i = 0; i < (reads ? 400 : 2000); i++) {
			act(guest, layout);
			if (!reads) /* for as long as it takes to fill all queues */
				continue;
			hear(guest, KEYS, &keys);
			hear(guest, PLACES, &places);
		}
		hands_clear(guest->hands);
		hear(guest, KEYS, &keys);
		hear(guest, PLACES, &places);
		nothing_is_down(&keys);
		nothing_is_down(&places);
		assert_true(reads || hands_counts(guest->hands).dropped > dropped);
		dropped = hands_counts(guest->hands).dropped;
		all += keys.events + places.events;
	}
	assert_true(all > 10000);
	hands_layout(guest->hands, NULL);
	layout_destroy(layout);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_keys_go_down_and_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_last_of_two_lets_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_shift_is_lent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_places_buttons_and_wheels, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_altgr_and_dead_keys, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_locks, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_one_at_a_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_another_mode_lets_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_steps_and_touches, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nothing_stays_down, set_up, tear_down),
		cmocka_unit_test(test_a_guest_finds_each_pixel_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
