/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/grant.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/loop.h"
#include "rfb/outbox.h"
#include "rfb/picture.h"

static void note(struct grant *grant, enum link_type type, uint32_t generation)
{
	struct link_message message = {.type = type};

	message.publish.generation = generation;
	outbox_note(grant->outbox, &message);
}

void grant_wake(void *arg)
{
	struct grant *grant = arg;
	uint64_t one = 1;

	if (write(grant->idle, &one, sizeof(one)) < 0)
		return; /* the counter is full: awake already */
}

/* MAY_WRITE, where it is wanted and nobody encodes. */
static void give(struct grant *grant)
{
	uint32_t generation;

	if (!picture_granted(grant->picture, &generation))
		return;
	outbox_drop(grant->outbox, LINK_BUSY);
	loop_timer_stop(grant->busy_timer);
	note(grant, LINK_MAY_WRITE, generation);
}

static void on_wake(int fd, unsigned int events, void *arg)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) == sizeof(count))
		give(arg);
}

static void on_busy(void *arg)
{
	struct grant *grant = arg;

	if (!picture_encoding(grant->picture))
		return;
	note(grant, LINK_BUSY, grant->generation);
	loop_timer_once(grant->busy_timer, LIMIT_BUSY_MS);
}

void grant_taken(struct grant *grant, uint32_t generation)
{
	grant->generation = generation;
	note(grant, LINK_TAKEN, generation);
	if (outbox_waits(grant->outbox, LINK_BUSY)) /* for an older frame it would mean nothing */
		note(grant, LINK_BUSY, generation);
}

void grant_want(struct grant *grant, uint32_t generation)
{
	if (generation != grant->generation)
		return;
	picture_want_write(grant->picture);
	loop_timer_once(grant->busy_timer, LIMIT_BUSY_MS);
	give(grant);
}

void grant_resume(struct grant *grant)
{
	loop_timer_stop(grant->busy_timer);
	picture_resume(grant->picture);
}

int grant_init(struct grant *grant, struct loop *loop, struct outbox *outbox)
{
	int r;

	*grant = (struct grant){.outbox = outbox};
	grant->idle = fd_move_high(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (grant->idle < 0)
		return -errno;
	r = loop_fd_add(loop, grant->idle, LOOP_READ, on_wake, grant, &grant->idle_source);
	return r < 0 ? r : loop_timer_add(loop, on_busy, grant, &grant->busy_timer);
}

void grant_finish(struct grant *grant)
{
	loop_source_free(grant->idle_source);
	loop_source_free(grant->busy_timer);
	fd_close(grant->idle);
}
