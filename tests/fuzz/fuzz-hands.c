/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What viewers and SendKeys may say, in any order: names of layouts, chords, text, keys, pointers. Whatever they do, when they have gone no key or button
 * is down at the VMM, and none went up there that was not down.
 */
#include <linux/input-event-codes.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/loop.h"
#include "base/mem.h"
#include "input/hands.h"
#include "input/inputs.h"
#include "input/layout.h"
#include "input/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *at;
	size_t left;
};

static uint8_t next(struct input *input)
{
	return input->left ? (input->left--, *input->at++) : 0;
}

static uint32_t next_word(struct input *input)
{
	uint32_t word = 0;

	for (int i = 0; i < 4; i++)
		word = word << 8 | next(input);
	return word;
}

static struct loop *loop;
static struct loop_source *timer;
static struct layout *german;
static struct hands *hands;

static void on_lost(void *arg, size_t n, const char *why)
{
	assert(n < LIMIT_INPUTS && why);
}

static void on_leds(void *arg)
{
	hands_leds(hands);
}

static const struct inputs_events events = {.lost = on_lost, .leds = on_leds};
static struct inputs inputs;
static int vmms[LIMIT_INPUTS];
static bool down[LIMIT_INPUT_KEYS];

static void stop(void *arg)
{
	loop_stop(arg);
}

/* Sinks write what there was no room for. */
static void turn(void)
{
	loop_timer_once(timer, 0);
	loop_run(loop);
}

static void begin(uint8_t kinds)
{
	struct handover_input from[LIMIT_INPUTS];
	size_t n = 0;

	if (!loop) {
		assert(loop_create(&loop) == 0);
		assert(loop_timer_add(loop, stop, loop, &timer) == 0);
		if (layout_create("de", &german) < 0)
			german = NULL;
	}
	memset(down, 0, sizeof(down));
	inputs_init(&inputs, loop, &events, NULL);
	assert(hands_create(&inputs, &hands) == 0);
	for (enum input_kind kind = INPUT_KEYBOARD; kind <= INPUT_TOUCH; kind++) {
		int pair[2];

		if (!(kinds >> kind & 1))
			continue;
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
			abort();
		from[n] = (struct handover_input){pair[0], kind, 0x7fff, 99};
		vmms[n++] = pair[1];
	}
	assert(inputs_set(&inputs, from, n) == 0);
	hands_replaced(hands);
}

static void hear_records(const uint8_t *bytes, ssize_t size)
{
	for (ssize_t n = 0; n < size; n += INPUT_RECORD_BYTES) {
		struct input_event event = input_unpack(bytes + n);

		if (event.type != EV_KEY)
			continue;
		assert(event.code < LIMIT_INPUT_KEYS);
		assert(down[event.code] == (event.value != 1));
		down[event.code] = event.value;
	}
}

static void hear(void)
{
	uint8_t bytes[512 * INPUT_RECORD_BYTES];
	bool more = true;
	ssize_t got;

	while (more) {
		more = false;
		for (size_t i = 0; i < inputs.used; i++)
			while ((got = recv(vmms[i], bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
				hear_records(bytes, got);
				more = true;
			}
		if (more)
			turn();
	}
}

static void end(void)
{
	hands_clear(hands);
	hear();
	for (size_t i = 0; i < LIMIT_INPUT_KEYS; i++)
		assert(!down[i]);
	hands_destroy(hands);
	for (size_t i = 0; i < inputs.used; i++)
		fd_close(vmms[i]);
	inputs_finish(&inputs);
}

/* Valid UTF-8, as JSON's strings are. */
static void next_text(struct input *input, char *text, size_t room)
{
	size_t n = next(input) % 32, used = 0;

	while (n-- > 0 && used + 3 < room) {
		uint8_t byte = next(input);

		if (byte >= 0x80) {
			text[used++] = (char)(0xc2 + byte % 0x1e);
			text[used++] = (char)(0x80 | (next(input) & 0x3f));
		} else if (byte) {
			text[used++] = (char)byte;
		}
	}
	text[used] = '\0';
}

static void type(struct input *input, const struct layout *layout)
{
	struct script script = {.steps = NULL};
	size_t index = SIZE_MAX, length;
	char text[128];

	next_text(input, text, sizeof(text));
	length = script_length(text);
	if (script_add_text(&script, layout, text, &index) < 0)
		assert(index < length);
	else
		assert(script.used <= 2 * length);
	script_add_chord(&script, layout, text);
	assert(script.used % 2 == 0);
	layout_name_valid(text);
	for (size_t i = 0; i < script.used; i++)
		if (script.steps[i].code)
			hands_code(hands, HANDS_NOBODY, script.steps[i].down, script.steps[i].code);
		else
			hands_key(hands, HANDS_NOBODY, script.steps[i].down, script.steps[i].keysym,
				0);
	script_finish(&script);
}

static void act(struct input *input)
{
	uint8_t what = next(input);
	uint32_t viewer = 1 + what / 16 % 3;
	struct hands_pointer pointer;

	switch (what % 16) {
	case 0:
		return hands_leave(hands, viewer);
	case 1:
		return hands_layout(hands, next(input) % 2 ? german : NULL);
	case 2:
		return hands_screen(hands, next(input) * 32u, next(input) * 32u);
	case 3:
		return hands_share(hands, next(input) % 2);
	case 4:
		return type(input, german);
	case 5:
	case 6:
	case 7:
		pointer = (struct hands_pointer){.buttons = next(input) | (what & 16u) << 4,
			.relative = what & 32,
			.x = (int32_t)next_word(input),
			.y = (int32_t)next_word(input)};
		return hands_pointer(hands, viewer, &pointer);
	case 8:
		return hands_key(hands, viewer, what & 64, next_word(input), next_word(input));
	case 9:
	case 10:
		return hands_key(hands, viewer, what & 64, 0, next(input));
	case 11:
		return hands_key(hands, viewer, what & 64, 0xff00u | next(input), 0);
	default:
		return hands_key(hands, viewer, what & 64, next(input), 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};

	begin(next(&input));
	while (input.left) {
		act(&input);
		hear();
	}
	end();
	return 0;
}
