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
#include "input/pointer.h"

struct guest {
	struct loop *loop;
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

static int set_up(void **state)
{
	struct guest *guest = new0(struct guest);

	assert_int_equal(loop_create(&guest->loop), 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_keys_go_down_and_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_last_of_two_lets_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_shift_is_lent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_places_buttons_and_wheels, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
