/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What viewers type and point, from their RFB program to the guest's hands (input/hands.h), and what of the guest's keyboard and pointers
 * they are told: main thread. The program is not trusted: who may only look was stopped by the wall, and here nothing is believed but that
 * one of those who may control did it.
 */
#include <linux/input-event-codes.h>

#include "base/loop.h"
#include "base/measure.h"
#include "base/mem.h"
#include "display_internal.h"
#include "frame/wall.h"

/* Nobody gets what was typed while no broker was there for so long: a guest would do late what was meant for what stood there then. */
static bool is_late(const struct link_input *input, uint64_t now)
{
	return now > input->at && now - input->at > LIMIT_STROKES_MS * UINT64_C(1000000);
}

static void point(struct display *d, uint32_t viewer, const struct link_input *input)
{
	const struct hands_pointer pointer = {
		.buttons = input->code,
		.relative = input->on,
		.x = input->x,
		.y = input->y,
	};

	if (!input->on)
		hands_screen(d->hands, input->width, input->height);
	hands_pointer(d->hands, viewer, &pointer);
}

static void act(struct display *d, uint32_t viewer, const struct link_input *input)
{
	uint64_t now = measure_now();
	bool lets_go = input->kind == LINK_INPUT_KEY && !input->on;

	if (input->kind == LINK_INPUT_LOST || (is_late(input, now) && !lets_go)) {
		hands_leave(d->hands, viewer);
		measure_count_by(
			MEASURE_INPUT_LOST, input->kind == LINK_INPUT_LOST ? input->lost : 1);
		return;
	}
	if (input->kind == LINK_INPUT_KEY)
		hands_key(d->hands, viewer, input->on, input->keysym, input->code);
	else
		point(d, viewer, input);
	now = measure_now();
	if (now >= input->at)
		measure_took(MEASURE_INPUT, now - input->at);
}

void typing_input(void *arg, const struct wall_viewer *viewer, const struct link_message *message)
{
	struct display *d = arg;

	if (!d->hands || d->handover.context.view_only)
		return;
	for (uint32_t i = 0; i < message->input.used; i++)
		act(d, viewer->number, &message->input.at[i]);
	inbox_touch(&d->inbox, loop_now_ms());
}

void typing_left(struct display *d, const struct wall_viewer *viewer)
{
	if (d->hands)
		hands_leave(d->hands, viewer->number);
}

void typing_leaves(void *arg, const struct wall_viewer *viewer)
{
	typing_left(arg, viewer);
}

void typing_leds(struct display *d)
{
	static const struct {
		unsigned int led;
		uint32_t bit;
	} bits[] = {
		{LED_SCROLLL, 1}, {LED_NUML, 2}, {LED_CAPSL, 4}}; /* QEMU LED State, rfbproto.rst */
	uint32_t leds = inputs_leds(&d->inputs), told = 0;

	for (size_t i = 0; i < ARRAY_SIZE(bits); i++)
		told |= leds >> bits[i].led & 1 ? bits[i].bit : 0;
	if (d->wall)
		wall_leds(d->wall, told);
}

void typing_pointer(struct display *d)
{
	if (d->wall && d->hands)
		wall_pointer_mode(d->wall, hands_relative(d->hands));
}
