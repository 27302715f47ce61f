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

	viewer_answer(seat->viewer, seat->asked(seat->arg, &asked));
}

void seat_init(struct seat *seat, uint32_t number, enum link_mode mode,
	enum size_status (*asked)(void *arg, const struct wish_asked *asked), void *arg)
{
	*seat = (struct seat){
		.number = number,
		.mode = mode,
		.inner = -EBADF,
		.asked = asked,
		.arg = arg,
	};
	seat->hooks = (struct parse_hooks){
		.extras = on_extras,
		.layout = on_layout,
		.size = on_size,
		.arg = seat,
	};
}

int seat_take(struct seat *seat, struct loop *loop, struct picture *picture,
	uint32_t frames_maximum, const char *name, loop_fd_fn on_inner, void *arg)
{
	const struct viewer_options options = {
		.number = seat->number,
		.view_only = seat->mode == LINK_MODE_VIEW,
		.frames_maximum = frames_maximum,
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
