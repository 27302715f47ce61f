/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "input/parting.h"

#include <errno.h>
#include <string.h>
#include <sys/queue.h>

#include "base/discard.h"
#include "base/limits.h"
#include "base/loop.h"
#include "base/mem.h"
#include "input/pending.h"

struct parting {
	LIST_ENTRY(parting) link; /* partings */
	int fd;			  /* owned */
	struct loop_source *source, *timer;
	struct pending pending;
};

static LIST_HEAD(, parting) partings;
static size_t partings_used;
static void (*settled)(void *arg); /* NULL: nobody waits */
static void *settled_arg;

static void tell_settled(void)
{
	void (*fn)(void *arg) = LIST_EMPTY(&partings) ? take_ptr(settled) : NULL;

	if (fn)
		fn(settled_arg);
}

static void parting_end(struct parting *parting)
{
	LIST_REMOVE(parting, link);
	partings_used--;
	loop_source_free(parting->source);
	loop_source_free(parting->timer);
	fd_discard(parting->fd);
	pending_clear(&parting->pending);
	free(parting);
	tell_settled();
}

static void on_room(int fd, unsigned int events, void *arg)
{
	struct parting *parting = arg;

	if (pending_write(&parting->pending, fd) != -EAGAIN)
		parting_end(parting);
}

static void on_timer(void *arg)
{
	parting_end(arg);
}

void parting_begin(struct loop *loop, int fd, const struct pending *pending)
{
	struct parting *parting =
		pending->used && partings_used < LIMIT_INPUT_PARTINGS ? new0(struct parting) : NULL;
	int r;

	if (!parting) {
		fd_discard(fd);
		return;
	}
	parting->fd = fd;
	parting->pending = *pending;
	/* What the guest believes is for those who come to know, not for this. */
	parting->pending.own = *pending->seen;
	parting->pending.seen = &parting->pending.own;
	LIST_INSERT_HEAD(&partings, parting, link);
	partings_used++;
	r = loop_timer_add(loop, on_timer, parting, &parting->timer);
	if (r == 0)
		r = loop_fd_add(loop, fd, LOOP_WRITE, on_room, parting, &parting->source);
	if (r < 0)
		parting_end(parting);
	else
		loop_timer_once(parting->timer, LIMIT_INPUT_PARTING_MS);
}

void partings_settle(void (*fn)(void *arg), void *arg)
{
	settled = fn;
	settled_arg = arg;
	tell_settled();
}

void partings_end(void)
{
	struct parting *parting;

	settled = NULL;
	while ((parting = LIST_FIRST(&partings)))
		parting_end(parting);
}
