/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wish.h - a viewer's wish for another size (SetDesktopSize): may it, is it heard, and was it its wish when the size changes?
 *
 * The guest chooses its mode, some time later or never. So a wish is forwarded (LINK_RESIZE), the newest one only and not more often than
 * LIMIT_RESIZE_MS, and for LIMIT_WISH_MS a new size that is the same as the wish counts as its answer.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "frame/link.h"
#include "rfb/encodings.h"

struct loop;
struct loop_source;

struct wish {
	void (*forward)(void *arg, uint32_t viewer, uint32_t width, uint32_t height);
	void *arg;
	struct loop_source *timer;	  /* owned */
	uint32_t width_end, height_end;	  /* the largest, 0: none may be wished for */
	uint32_t viewer, width, height;	  /* the newest; viewer 0: none */
	uint64_t made_ms, forwarded_ms;
	bool waiting;			  /* to be forwarded by the timer */
};

struct wish_asked {
	uint32_t viewer; /* not 0 */
	enum link_mode mode;
	uint32_t width, height;
	bool whole; /* one screen, as large as all: guests have no other layout here */
};

/* @forward is called from inside wish_ask() and from the loop. -ENOMEM. */
int wish_init(struct wish *wish, struct loop *loop,
	void (*forward)(void *arg, uint32_t viewer, uint32_t width, uint32_t height), void *arg);
void wish_finish(struct wish *wish);
/* LINK_SIZES. */
void wish_sizes(struct wish *wish, uint32_t width, uint32_t height);
/* What the viewer is to be told. @width, @height: the present size. */
enum size_status wish_ask(struct wish *wish, const struct wish_asked *asked, uint32_t width, uint32_t height);
/* The viewer has gone. */
void wish_forget(struct wish *wish, uint32_t viewer);
/* The size has changed: whose wish was that? Its viewer's number, 0: nobody's. A wish comes true once. */
uint32_t wish_come_true(struct wish *wish, uint32_t width, uint32_t height);
