/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sinks against VMMs made of a socket pair: what is read there, record by record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/input-event-codes.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/loop.h"
#include "base/mem.h"
#include "input/inputs.h"
#include "input/parting.h"
#include "input/pending.h"
#include "input/sink.h"

struct vmm {
	struct loop *loop;
	struct loop_source *timer;
	struct inputs inputs;
	int fds[LIMIT_INPUTS]; /* the other ends */
	size_t lost, lost_number;
	unsigned int leds_told;
};

static void on_lost(void *arg, size_t n, const char *why)
{
	struct vmm *vmm = arg;

	vmm->lost++;
	vmm->lost_number = n;
	assert_true(inputs_fd(&vmm->inputs, n) >= 0);
	assert_non_null(why);
}

static void on_leds(void *arg)
{
	((struct vmm *)arg)->leds_told++;
}

static const struct inputs_events events = {.lost = on_lost, .leds = on_leds};

static void stop(void *arg)
{
	loop_stop(arg);
}

/* What is ready now is done; nothing is waited for. */
static void turn(struct vmm *vmm)
{
	for (int i = 0; i < 3; i++) {
		loop_timer_once(vmm->timer, 0);
		assert_int_equal(loop_run(vmm->loop), 0);
	}
}

static void vmm_set(struct vmm *vmm, const enum input_kind *kinds, size_t n)
{
	struct handover_input from[LIMIT_INPUTS];

	for (size_t i = 0; i < n; i++) {
		int pair[2];

		assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), errno);
		from[i] = (struct handover_input){pair[0], kinds[i], 0x7fff, 99};
		vmm->fds[i] = pair[1];
	}
	assert_int_equal(inputs_set(&vmm->inputs, from, n), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(from[i].fd, -EBADF);
}

static const enum input_kind all[] = {
	INPUT_KEYBOARD, INPUT_ABSOLUTE_POINTER, INPUT_RELATIVE_POINTER, INPUT_TOUCH};
enum { KEYS, PLACES, STEPS, TOUCH };

static int set_up(void **state)
{
	struct vmm *vmm = new0(struct vmm);

	assert_int_equal(loop_create(&vmm->loop), 0);
	assert_int_equal(loop_timer_add(vmm->loop, stop, vmm->loop, &vmm->timer), 0);
	inputs_init(&vmm->inputs, vmm->loop, &events, vmm);
	vmm_set(vmm, all, ARRAY_SIZE(all));
	*state = vmm;
	return 0;
}

static int tear_down(void **state)
{
	struct vmm *vmm = *state;

	inputs_finish(&vmm->inputs);
	partings_end();
	for (size_t i = 0; i < ARRAY_SIZE(vmm->fds); i++)
		fd_close(vmm->fds[i]);
	loop_source_free(vmm->timer);
	loop_destroy(vmm->loop);
	free(vmm);
	return 0;
}

/* All that has arrived, and what comes while it is read. */
static size_t read_all(struct vmm *vmm, size_t n, struct input_event *ret, size_t max)
{
	uint8_t bytes[16384];
	size_t used = 0;
	ssize_t got;

	while ((got = recv(vmm->fds[n], bytes + used, sizeof(bytes) - used, MSG_DONTWAIT)) > 0) {
		used += (size_t)got;
		turn(vmm);
	}
	assert_int_equal(used % INPUT_RECORD_BYTES, 0);
	used /= INPUT_RECORD_BYTES;
	assert_true(used <= max);
	for (size_t i = 0; i < used; i++)
		ret[i] = input_unpack(bytes + i * INPUT_RECORD_BYTES);
	return used;
}

/* Exactly these have arrived, with what ends the last group. */
static void expect(struct vmm *vmm, size_t n, const struct input_event *want, size_t wanted)
{
	struct input_event got[64];
	size_t used = read_all(vmm, n, got, ARRAY_SIZE(got));

	assert_int_equal(used, wanted);
	for (size_t i = 0; i < used; i++) {
		assert_int_equal(got[i].type, want[i].type);
		assert_int_equal(got[i].code, want[i].code);
		assert_int_equal(got[i].value, want[i].value);
	}
}

#define SYN \
	{ \
		EV_SYN, SYN_REPORT, 0 \
	}
#define EXPECT(vmm, n, ...) \
	expect((vmm), (n), (const struct input_event[]){__VA_ARGS__}, \
		ARRAY_SIZE(((const struct input_event[]){__VA_ARGS__})))
#define SEND(vmm, ...) \
	inputs_send(&(vmm)->inputs, NULL, (const struct input_event[]){__VA_ARGS__}, \
		ARRAY_SIZE(((const struct input_event[]){__VA_ARGS__})))
#define SENT(vmm, ...) \
	do { \
		struct inputs_result sent_ = SEND(vmm, __VA_ARGS__); \
		assert_int_equal(sent_.refusal, INPUTS_SENT); \
		assert_int_equal(sent_.dropped, 0); \
	} while (0)
#define K(code, value) \
	{ \
		EV_KEY, code, value \
	}
#define A(code, value) \
	{ \
		EV_ABS, code, value \
	}
#define R(code, value) \
	{ \
		EV_REL, code, value \
	}

static void test_bytes(void **state)
{
	static const uint8_t want[] = {3, 0, 0x39, 0, 0xff, 0xff, 0xff, 0xff};
	struct input_event event = A(ABS_MT_TRACKING_ID, -1);
	uint8_t record[INPUT_RECORD_BYTES];

	input_pack(&event, record);
	assert_memory_equal(record, want, sizeof(want));
	event = input_unpack(record);
	assert_int_equal(event.type, EV_ABS);
	assert_int_equal(event.code, ABS_MT_TRACKING_ID);
	assert_int_equal(event.value, -1);
}

static void test_who_takes_what(void **state)
{
	struct vmm *vmm = *state;

	SENT(vmm, K(KEY_A, 1), SYN, K(KEY_A, 0));
	EXPECT(vmm, KEYS, K(KEY_A, 1), SYN, K(KEY_A, 0), SYN);
	/* A button goes where its group has gone before. */
	SENT(vmm, R(REL_X, -3), K(BTN_LEFT, 1), SYN, A(ABS_X, 5), A(ABS_Y, 99), K(BTN_LEFT, 1));
	EXPECT(vmm, STEPS, R(REL_X, -3), K(BTN_LEFT, 1), SYN);
	EXPECT(vmm, PLACES, A(ABS_X, 5), A(ABS_Y, 99), K(BTN_LEFT, 1), SYN);
	SENT(vmm, K(BTN_LEFT, 0), R(REL_WHEEL, 1));
	EXPECT(vmm, PLACES, K(BTN_LEFT, 0), R(REL_WHEEL, 1), SYN);
	SENT(vmm, A(ABS_MT_SLOT, 1), A(ABS_MT_TRACKING_ID, 7), A(ABS_MT_POSITION_X, 1), A(ABS_X, 2),
		K(BTN_TOUCH, 1), K(KEY_B, 1));
	EXPECT(vmm, TOUCH, A(ABS_MT_SLOT, 1), A(ABS_MT_TRACKING_ID, 7), A(ABS_MT_POSITION_X, 1),
		A(ABS_X, 2), K(BTN_TOUCH, 1), SYN);
	EXPECT(vmm, KEYS, K(KEY_B, 1), SYN);
	/* Ends alone say nothing to anybody. */
	SENT(vmm, SYN, SYN);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		expect(vmm, i, NULL, 0);
	assert_int_equal(sink_sent(vmm->inputs.slots[KEYS]->sink), 3);
}

static void test_asked_for(void **state)
{
	struct vmm *vmm = *state;
	const struct input_event press[] = {K(BTN_LEFT, 1)};
	const enum input_kind steps = INPUT_RELATIVE_POINTER, keys = INPUT_KEYBOARD;
	struct inputs_result result;

	assert_int_equal(inputs_send(&vmm->inputs, &steps, press, 1).refusal, INPUTS_SENT);
	EXPECT(vmm, STEPS, K(BTN_LEFT, 1), SYN);
	assert_int_equal(inputs_send(&vmm->inputs, &keys, press, 1).refusal, INPUTS_CODE);
	result = inputs_send(&vmm->inputs, &keys, (const struct input_event[]){A(ABS_X, 1)}, 1);
	assert_int_equal(result.refusal, INPUTS_TYPE);
}

static void test_refusals(void **state)
{
	static const struct {
		struct input_event event;
		enum inputs_refusal refusal;
	} cases[] = {
		{{EV_LED, LED_NUML, 1}, INPUTS_TYPE},
		{{0xffff, 0, 0}, INPUTS_TYPE},
		{{EV_SYN, SYN_DROPPED, 0}, INPUTS_CODE},
		{{EV_SYN, SYN_REPORT, 1}, INPUTS_VALUE},
		{K(KEY_RESERVED, 1), INPUTS_CODE},
		{K(BTN_GAMEPAD, 1), INPUTS_CODE},
		{K(0xffff, 1), INPUTS_CODE},
		{K(KEY_A, 3), INPUTS_VALUE},
		{K(KEY_A, -1), INPUTS_VALUE},
		{K(BTN_LEFT, 2), INPUTS_VALUE},
		{A(ABS_Z, 0), INPUTS_CODE},
		{A(ABS_X, -1), INPUTS_VALUE},
		{A(ABS_X, 0x8000), INPUTS_VALUE},
		{A(ABS_Y, 100), INPUTS_VALUE},
		{A(ABS_MT_POSITION_X, 1), INPUTS_CODE}, /* which contact? */
		{A(ABS_MT_SLOT, LIMIT_INPUT_CONTACTS), INPUTS_VALUE},
		{R(REL_DIAL, 1), INPUTS_CODE},
		{R(REL_X, LIMIT_INPUT_STEP + 1), INPUTS_VALUE},
	};
	struct vmm *vmm = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct inputs_result result = SEND(vmm, K(KEY_A, 1), SYN, cases[i].event);

		assert_int_equal(result.refusal, cases[i].refusal);
		assert_int_equal(result.event, 2);
	}
	expect(vmm, KEYS, NULL, 0); /* nothing of a call that is wrong */
}

static void test_a_group_is_bounded(void **state)
{
	struct input_event many[LIMIT_INPUT_GROUP + 1];
	struct vmm *vmm = *state;
	struct inputs_result result;

	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = (struct input_event)K(KEY_A, 1);
	assert_int_equal(
		inputs_send(&vmm->inputs, NULL, many, LIMIT_INPUT_GROUP).refusal, INPUTS_SENT);
	result = inputs_send(&vmm->inputs, NULL, many, ARRAY_SIZE(many));
	assert_int_equal(result.refusal, INPUTS_CODE);
	assert_int_equal(result.event, LIMIT_INPUT_GROUP);
}

/* Nobody reads: what is in the kernel's buffer is few, of the rest the newest place is all there is. */
static void test_places_are_replaced(void **state)
{
	struct input_event got[2048];
	struct vmm *vmm = *state;
	size_t used;

	for (int i = 0; i < 20000; i++)
		SENT(vmm, A(ABS_X, i), A(ABS_Y, i % 100));
	used = read_all(vmm, PLACES, got, ARRAY_SIZE(got));
	assert_in_range(used, 3, 300);
	assert_int_equal(got[used - 3].value, 19999);
	assert_int_equal(got[used - 2].value, 99);
	assert_int_equal(sink_dropped(vmm->inputs.slots[PLACES]->sink), 0);
}

static void test_order_is_kept(void **state)
{
	struct input_event got[2048];
	struct vmm *vmm = *state;
	size_t used;

	for (int i = 0; i < 1000; i++)
		SENT(vmm, A(ABS_X, i));
	SENT(vmm, K(BTN_LEFT, 1));
	SENT(vmm, A(ABS_X, 1));
	SENT(vmm, A(ABS_Y, 2));
	SENT(vmm, A(ABS_X, 3), R(REL_WHEEL, 1));
	SENT(vmm, R(REL_WHEEL, 2));
	used = read_all(vmm, PLACES, got, ARRAY_SIZE(got));
	assert_true(used > 8);
	assert_int_equal(got[used - 8].code, ABS_X);
	assert_int_equal(got[used - 8].value, 999);
	assert_int_equal(got[used - 7].type, EV_SYN);
	assert_int_equal(got[used - 6].code, BTN_LEFT);
	assert_int_equal(got[used - 5].type, EV_SYN);
	assert_int_equal(got[used - 4].value, 3); /* ABS_X */
	assert_int_equal(got[used - 3].value, 2); /* ABS_Y */
	assert_int_equal(got[used - 2].value, 3); /* REL_WHEEL, 1 + 2 */
	assert_int_equal(got[used - 1].type, EV_SYN);
	assert_int_equal(sink_dropped(vmm->inputs.slots[PLACES]->sink), 0);
}

static void test_contacts_are_not_mixed(void **state)
{
	struct input_event got[2048];
	struct vmm *vmm = *state;
	size_t used;

	for (int i = 0; i < 1000; i++)
		SENT(vmm, A(ABS_MT_SLOT, 0), A(ABS_MT_POSITION_X, i));
	SENT(vmm, A(ABS_MT_SLOT, 1), A(ABS_MT_POSITION_X, 7));
	SENT(vmm, A(ABS_MT_SLOT, 1), A(ABS_MT_POSITION_X, 8));
	used = read_all(vmm, TOUCH, got, ARRAY_SIZE(got));
	assert_true(used > 6 && used < 300);
	assert_int_equal(got[used - 5].value, 999);
	assert_int_equal(got[used - 3].value, 1);
	assert_int_equal(got[used - 2].value, 8);
}

/* Too many keys: whole strokes are lost, but no key stays down. */
static void test_keys_are_dropped(void **state)
{
	struct input_event got[4096];
	bool down[KEY_CNT] = {false};
	struct vmm *vmm = *state;
	size_t used, dropped = 0, strokes = 0;

	for (int i = 0; i < 3000; i++) {
		uint16_t code = (uint16_t)(KEY_ESC + i % 200);

		dropped += SEND(vmm, K(code, 1)).dropped;
		dropped += SEND(vmm, K(code, 0)).dropped;
	}
	assert_true(dropped > 0);
	assert_int_equal(sink_dropped(vmm->inputs.slots[KEYS]->sink), dropped);
	used = read_all(vmm, KEYS, got, ARRAY_SIZE(got));
	for (size_t i = 0; i < used; i++) {
		assert_true(got[i].type == EV_KEY || got[i].type == EV_SYN);
		if (got[i].type == EV_KEY) {
			down[got[i].code] = got[i].value;
			strokes += (size_t)got[i].value;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(down); i++)
		assert_false(down[i]);
	assert_int_equal(got[used - 1].type, EV_SYN);
	assert_in_range(strokes, 128, 512);
	/* And then all is well again. */
	SENT(vmm, K(KEY_A, 1));
	EXPECT(vmm, KEYS, K(KEY_A, 1), SYN);
}

/* Where no button fits any more, the newest place still does. */
static void test_places_have_room(void **state)
{
	struct input_event got[2048];
	struct vmm *vmm = *state;
	int32_t place = -1;
	size_t used;

	while (!SEND(vmm, A(ABS_Y, 1), K(BTN_LEFT, 1), K(BTN_RIGHT, 1)).dropped)
		;
	while (!SEND(vmm, K(BTN_MIDDLE, 1)).dropped)
		;
	for (int i = 0; i < 1000; i++)
		SENT(vmm, A(ABS_X, i));
	used = read_all(vmm, PLACES, got, ARRAY_SIZE(got));
	for (size_t i = 0; i < used; i++)
		place = got[i].type == EV_ABS && got[i].code == ABS_X ? got[i].value : place;
	assert_int_equal(place, 999);
}

static void test_a_release_is_owed(void **state)
{
	struct input_event got[4096];
	struct vmm *vmm = *state;
	size_t used;
	int released = 0;

	SENT(vmm, K(KEY_LEFTSHIFT, 1));
	while (!SEND(vmm, K(KEY_A, 2)).dropped)
		;
	assert_int_equal(SEND(vmm, K(KEY_LEFTSHIFT, 0)).dropped, 1);
	used = read_all(vmm, KEYS, got, ARRAY_SIZE(got));
	for (size_t i = 0; i < used; i++)
		released += got[i].code == KEY_LEFTSHIFT && got[i].value == 0;
	assert_int_equal(released, 1);
}

static bool is_seen(const struct sink_seen *seen, uint16_t code)
{
	return seen->keys[code / 64] >> code % 64 & 1;
}

/* What a process that was killed has left, another one lets go: all that its VMM was told, and nothing else. */
static void test_what_was_down_when_it_was_killed(void **state)
{
	static struct sink_seen seen[LIMIT_INPUTS];
	struct handover_input again[LIMIT_INPUTS];
	struct input_event got[4096];
	struct vmm *vmm = *state;
	struct inputs next;

	memset(seen, 0, sizeof(seen));
	SENT(vmm, K(KEY_C, 1)); /* before anybody wants to know */
	inputs_note(&vmm->inputs, seen);
	SENT(vmm, K(KEY_A, 1));
	SENT(vmm, K(KEY_B, 1), K(KEY_B, 0));
	SENT(vmm, A(ABS_MT_SLOT, 3), A(ABS_MT_TRACKING_ID, 7), A(ABS_MT_SLOT, 4),
		A(ABS_MT_TRACKING_ID, 8));
	SENT(vmm, A(ABS_MT_SLOT, 4), A(ABS_MT_TRACKING_ID, -1));
	assert_true(is_seen(&seen[INPUT_KEYBOARD], KEY_A) && is_seen(&seen[INPUT_KEYBOARD], KEY_C));
	assert_false(is_seen(&seen[INPUT_KEYBOARD], KEY_B));
	assert_int_equal(seen[INPUT_TOUCH].contacts, 1 << 3);
	while (!SEND(vmm, K(KEY_A, 2)).dropped)
		;
	SENT(vmm, R(REL_X, 1)); /* to another one, which reads */
	SEND(vmm, K(KEY_D, 1), K(KEY_A, 0), K(KEY_C, 0));
	assert_false(is_seen(&seen[INPUT_KEYBOARD], KEY_D)); /* it waits here */
	assert_true(is_seen(&seen[INPUT_KEYBOARD], KEY_A));

	/* Killed: nothing more is written, and the next one has the same sockets. */
	inputs_init(&next, vmm->loop, &events, vmm);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		again[i] = (struct handover_input){dup(inputs_fd(&vmm->inputs, i)), all[i], 9, 9};
	inputs_note(&vmm->inputs, NULL);
	assert_int_equal(inputs_set(&next, again, ARRAY_SIZE(all)), 0);
	inputs_note(&next, seen);
	read_all(vmm, STEPS, got, ARRAY_SIZE(got));
	EXPECT(vmm, TOUCH, A(ABS_MT_SLOT, 3), A(ABS_MT_TRACKING_ID, 7), A(ABS_MT_SLOT, 4),
		A(ABS_MT_TRACKING_ID, 8), SYN, A(ABS_MT_SLOT, 4), A(ABS_MT_TRACKING_ID, -1), SYN,
		A(ABS_MT_SLOT, 3), A(ABS_MT_TRACKING_ID, -1), SYN);
	read_all(vmm, KEYS, got, ARRAY_SIZE(got));
	for (size_t i = 0; i < LIMIT_INPUTS; i++) {
		for (size_t n = 0; n < ARRAY_SIZE(seen[i].keys); n++)
			assert_int_equal(seen[i].keys[n], 0);
		assert_int_equal(seen[i].contacts, 0);
	}
	inputs_note(&next, NULL);
	inputs_finish(&next);
}

static void test_parts_of_records(void **state)
{
	struct vmm *vmm = *state;
	const uint8_t led[] = {EV_LED, 0, LED_CAPSL, 0, 1, 0, 0, 0};

	for (size_t i = 0; i < sizeof(led); i++) {
		assert_int_equal(inputs_leds(&vmm->inputs), 0);
		assert_int_equal(send(vmm->fds[KEYS], led + i, 1, 0), 1);
		turn(vmm);
	}
	assert_int_equal(inputs_leds(&vmm->inputs), 1u << LED_CAPSL);
	assert_int_equal(vmm->leds_told, 1);
}

static void say(struct vmm *vmm, size_t n, struct input_event event)
{
	uint8_t record[INPUT_RECORD_BYTES];

	input_pack(&event, record);
	assert_int_equal(send(vmm->fds[n], record, sizeof(record), MSG_DONTWAIT | MSG_NOSIGNAL),
		sizeof(record));
	turn(vmm);
}

static void test_leds(void **state)
{
	struct vmm *vmm = *state;

	say(vmm, KEYS, (struct input_event){EV_LED, LED_NUML, 1});
	say(vmm, KEYS, (struct input_event){EV_LED, LED_CAPSL, 1});
	say(vmm, KEYS, (struct input_event){EV_LED, LED_NUML, 0});
	say(vmm, KEYS, (struct input_event){EV_LED, LED_CAPSL, 1}); /* said again */
	say(vmm, KEYS, (struct input_event){EV_LED, 0x10, 1});	    /* no such light */
	say(vmm, KEYS, (struct input_event){EV_SND, SND_BELL, 1});
	say(vmm, STEPS, (struct input_event){EV_LED, LED_SCROLLL, 1}); /* mice have none */
	assert_int_equal(inputs_leds(&vmm->inputs), 1u << LED_CAPSL);
	assert_int_equal(vmm->lost, 0);
}

static void test_garbage_ends_it(void **state)
{
	struct vmm *vmm = *state;

	say(vmm, STEPS, (struct input_event){EV_MAX + 1, 0, 0});
	assert_int_equal(vmm->lost, 1);
	assert_int_equal(vmm->lost_number, STEPS);
	assert_int_equal(inputs_fd(&vmm->inputs, STEPS), -EBADF);
	/* The other one has buttons, too. */
	SENT(vmm, K(BTN_LEFT, 1));
	EXPECT(vmm, PLACES, K(BTN_LEFT, 1), SYN);
	assert_int_equal(SEND(vmm, R(REL_X, 1)).refusal, INPUTS_NONE);
	assert_int_equal(SEND(vmm, R(REL_X, 1)).kind, INPUT_RELATIVE_POINTER);
}

/* A flood is read at a rate that costs nothing; then its sender waits. */
static void test_flood_is_paced(void **state)
{
	static const uint8_t syn[INPUT_RECORD_BYTES * 64];
	struct vmm *vmm = *state;
	size_t sent = 0;

	for (int i = 0; i < 5000; i++) {
		ssize_t n = send(vmm->fds[KEYS], syn, sizeof(syn), MSG_DONTWAIT);

		sent += n > 0 ? (size_t)n : 0;
		turn(vmm);
	}
	assert_true(sent < 5000 * sizeof(syn));
	assert_int_equal(vmm->lost, 0);
}

static void test_death(void **state)
{
	struct vmm *vmm = *state;

	vmm->fds[KEYS] = fd_close(vmm->fds[KEYS]);
	turn(vmm);
	assert_int_equal(vmm->lost, 1);
	assert_false(sink_connected(vmm->inputs.slots[KEYS]->sink));
	assert_int_equal(SEND(vmm, K(KEY_A, 1)).refusal, INPUTS_NONE);
	/* Noticed by a write first. */
	vmm->fds[PLACES] = fd_close(vmm->fds[PLACES]);
	SEND(vmm, A(ABS_X, 1));
	assert_int_equal(vmm->lost, 2);
	turn(vmm);
	assert_int_equal(vmm->lost, 2);
}

static void test_another_set(void **state)
{
	const enum input_kind one[] = {INPUT_KEYBOARD};
	struct vmm *vmm = *state;
	int old = vmm->fds[KEYS];

	SENT(vmm, K(KEY_LEFTCTRL, 1), K(KEY_C, 1));
	say(vmm, KEYS, (struct input_event){EV_LED, LED_CAPSL, 1});
	vmm->fds[KEYS] = -EBADF;
	for (size_t i = 0; i < ARRAY_SIZE(vmm->fds); i++)
		vmm->fds[i] = fd_close(vmm->fds[i]);
	vmm_set(vmm, one, 1);
	assert_int_equal(inputs_leds(&vmm->inputs), 0);
	SENT(vmm, K(KEY_D, 1));
	EXPECT(vmm, KEYS, K(KEY_D, 1), SYN);
	/* The old one has been let go of, and closed. */
	fd_close(vmm->fds[KEYS]);
	vmm->fds[KEYS] = old;
	EXPECT(vmm, KEYS, K(KEY_LEFTCTRL, 1), K(KEY_C, 1), SYN, K(KEY_LEFTCTRL, 0), K(KEY_C, 0),
		SYN);
	turn(vmm);
	assert_int_equal(vmm->lost, 1); /* the new one's end was closed just now */
}

/* A VMM that does not read, whose sink then gives way to another. */
static void stop_reading_and_set(struct vmm *vmm)
{
	const enum input_kind one[] = {INPUT_KEYBOARD};
	int old = vmm->fds[KEYS];

	SENT(vmm, K(KEY_LEFTSHIFT, 1));
	while (!SEND(vmm, K(KEY_A, 2)).dropped)
		;
	vmm_set(vmm, one, 1);
	fd_close(vmm->fds[KEYS]);
	vmm->fds[KEYS] = old;
}

static void count(void *arg)
{
	++*(int *)arg;
}

static void test_what_waits_at_the_end_is_written(void **state)
{
	struct input_event got[4096];
	struct vmm *vmm = *state;
	int released = 0, settled = 0;
	size_t used;
	char byte;

	stop_reading_and_set(vmm);
	partings_settle(count, &settled);
	assert_int_equal(settled, 0);
	used = read_all(vmm, KEYS, got, ARRAY_SIZE(got));
	for (size_t i = 0; i < used; i++)
		released += got[i].code == KEY_LEFTSHIFT && got[i].value == 0;
	assert_int_equal(released, 1);
	assert_int_equal(got[used - 1].type, EV_SYN);
	assert_int_equal(recv(vmm->fds[KEYS], &byte, 1, MSG_DONTWAIT), 0);
	assert_int_equal(settled, 1);
}

/* One that goes on not reading is not kept for ever, and what it has got is whole. */
static void test_nobody_waits_for_ever(void **state)
{
	const enum input_kind one[] = {INPUT_KEYBOARD};
	struct input_event got[4096];
	struct vmm *vmm = *state;
	int settled = 0;
	char byte;

	stop_reading_and_set(vmm);
	partings_settle(count, &settled);
	while (!settled) {
		loop_timer_once(vmm->timer, 50);
		assert_int_equal(loop_run(vmm->loop), 0);
	}
	read_all(vmm, KEYS, got, ARRAY_SIZE(got));
	assert_int_equal(recv(vmm->fds[KEYS], &byte, 1, MSG_DONTWAIT), 0);
	fd_close(vmm->fds[KEYS]);
	vmm_set(vmm, one, 1);
	stop_reading_and_set(vmm);
	partings_end();
	read_all(vmm, KEYS, got, ARRAY_SIZE(got));
	assert_int_equal(recv(vmm->fds[KEYS], &byte, 1, MSG_DONTWAIT), 0);
}

static void test_what_fails_changes_nothing(void **state)
{
	struct vmm *vmm = *state;
	struct handover_input from[2];
	int pair[2];

	assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), errno);
	from[0] = (struct handover_input){pair[0], INPUT_KEYBOARD, 1, 1};
	from[1] = (struct handover_input){-EBADF, INPUT_TOUCH, 1, 1};
	assert_true(inputs_set(&vmm->inputs, from, 2) < 0);
	assert_int_equal(from[0].fd, pair[0]);
	SENT(vmm, K(KEY_A, 1));
	EXPECT(vmm, KEYS, K(KEY_A, 1), SYN);
	assert_int_equal(vmm->inputs.used, 4);
	fd_close(pair[0]);
	fd_close(pair[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		TEST(test_who_takes_what),
		TEST(test_asked_for),
		TEST(test_refusals),
		TEST(test_a_group_is_bounded),
		TEST(test_places_are_replaced),
		TEST(test_order_is_kept),
		TEST(test_contacts_are_not_mixed),
		TEST(test_keys_are_dropped),
		TEST(test_places_have_room),
		TEST(test_a_release_is_owed),
		TEST(test_what_was_down_when_it_was_killed),
		TEST(test_parts_of_records),
		TEST(test_leds),
		TEST(test_garbage_ends_it),
		TEST(test_flood_is_paced),
		TEST(test_death),
		TEST(test_another_set),
		TEST(test_what_waits_at_the_end_is_written),
		TEST(test_nobody_waits_for_ever),
		TEST(test_what_fails_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
