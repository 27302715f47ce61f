/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/seat.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/fd.h"

static void on_extras(void *arg, unsigned int extras)
{
	struct seat *seat = arg;

	viewer_extras(seat->viewer, extras);
}

static void on_layout(void *arg)
{
	struct seat *seat = arg;

	viewer_layout(seat->viewer);
}

static void on_size(void *arg, uint16_t width, uint16_t height, bool whole)
{
	struct seat *seat = arg;
	struct wish_asked asked = {
		.viewer = seat->number,
		.mode = seat->mode,
		.width = width,
		.height = height,
		.whole = whole,
	};

	viewer_answer(seat->viewer, seat->events->asked(seat->arg, &asked));
}

static bool may_control(const struct seat *seat)
{
	return seat->mode >= LINK_MODE_CONTROL;
}

static void on_key(void *arg, bool down, uint32_t keysym, uint32_t keycode)
{
	struct seat *seat = arg;

	if (may_control(seat) && seat->events->key)
		seat->events->key(seat->arg, down, keysym, keycode);
}

static void on_pointer(void *arg, const struct parse_pointer *pointer)
{
	struct seat *seat = arg;

	if (may_control(seat) && seat->events->pointer)
		seat->events->pointer(seat->arg, pointer);
}

/* xvp's version 1 is the only one (rfbproto.rst). */
static void on_power(void *arg, uint8_t version, uint8_t code)
{
	struct seat *seat = arg;

	if (!may_control(seat) || !seat->power || version != 1 || code < LINK_POWER_SHUTDOWN ||
		code > LINK_POWER_RESET || !seat->events->power(seat->arg, code))
		viewer_deny(seat->viewer);
}

void seat_init(struct seat *seat, uint32_t number, enum link_mode mode,
	const struct seat_events *events, void *arg)
{
	*seat = (struct seat){
		.number = number,
		.mode = mode,
		.inner = -EBADF,
		.events = events,
		.arg = arg,
	};
	seat->hooks = (struct parse_hooks){
		.key = on_key,
		.pointer = on_pointer,
		.power = on_power,
		.extras = on_extras,
		.layout = on_layout,
		.size = on_size,
		.arg = seat,
	};
}

int seat_take(struct seat *seat, struct loop *loop, struct picture *picture,
	uint32_t frames_maximum, const char *name, const struct outlet *outlet, loop_fd_fn on_inner,
	void *arg)
{
	const struct viewer_options options = {
		.number = seat->number,
		.view_only = seat->mode == LINK_MODE_VIEW,
		.frames_maximum = frames_maximum,
		.outlet = outlet,
		.name = name,
	};
	int r = viewer_create(picture, &options, &seat->viewer, &seat->inner);

	if (r < 0)
		return r;
	seat->inner = fd_move_high(seat->inner);
	if (seat->inner < 0)
		return seat->inner;
	return loop_fd_add(loop, seat->inner, LOOP_READ, on_inner, arg, &seat->source);
}

void seat_tell(struct seat *seat, const struct facts *facts)
{
	struct facts told = *facts;

	told.power = seat->power = facts->power && may_control(seat);
	viewer_tell(seat->viewer, &told);
}

void seat_allow(struct seat *seat, bool allow)
{
	if (allow == seat->allowed)
		return;
	seat->allowed = allow;
	viewer_allow(seat->viewer, allow);
}

void seat_dismiss(struct seat *seat)
{
	seat_allow(seat, false);
	shutdown(seat->inner, SHUT_WR);
}

void seat_clear(struct seat *seat)
{
	loop_source_free(seat->source);
	seat->source = NULL;
	seat->inner = fd_close(seat->inner);
	viewer_destroy(seat->viewer);
	seat->viewer = NULL;
}
