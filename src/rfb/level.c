/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation: at most one encoded message is on its way down; while it is, nothing more is taken from above, and
 * what the layer has to say waits inside the layer. So a peer that asks for answers and reads none makes nothing grow.
 */
#include "rfb/level.h"

#include <errno.h>

#include "base/mem.h"

#define ROUNDS 8 /* reads in one call that give no plain bytes: others get their turn */

int level_init(struct level *level, const struct layer_ops *ops, void *layer,
	const struct below *below, const void *early, size_t size)
{
	*level = (struct level){.ops = ops, .layer = layer, .below = *below};
	if (size > ops->in_maximum) {
		level_finish(level);
		return -EMSGSIZE;
	}
	if (!size)
		return 0;
	level->in = malloc(ops->in_maximum);
	if (!level->in) {
		level_finish(level);
		return -ENOMEM;
	}
	memcpy(level->in, early, size);
	level->in_size = size;
	return 0;
}

void level_finish(struct level *level)
{
	if (level->layer)
		level->ops->destroy(level->layer);
	free(level->in);
	free(level->out);
	*level = (struct level){0};
}

bool level_open(const struct level *level)
{
	return !level->ops->open || level->ops->open(level->layer);
}

static size_t out_room(const struct level *level)
{
	return level->ops->head + level->ops->plain_maximum + level->ops->tail;
}

static int reserve_out(struct level *level)
{
	if (!level->out)
		level->out = malloc(out_room(level));
	return level->out ? 0 : -ENOMEM;
}

/* An idle connection keeps no buffers. */
static void free_out(struct level *level)
{
	if (level->out_at < level->out_size)
		return;
	free(level->out);
	level->out = NULL;
}

static void free_in(struct level *level)
{
	if (level->in_at < level->in_size)
		return;
	free(level->in);
	level->in = NULL;
	level->in_at = level->in_size = 0;
}

static int push_down(struct level *level)
{
	while (level->out_at < level->out_size) {
		struct iovec iov = {
			.iov_base = level->out + level->out_at,
			.iov_len = level->out_size - level->out_at,
		};
		ssize_t n = level->below.send(level->below.arg, &iov, 1);

		if (n < 0)
			return n;
		level->out_at += n;
	}
	level->out_at = level->out_size = 0;
	return 0;
}

static int say(struct level *level, size_t (*words)(void *layer, uint8_t *to, size_t room))
{
	int r;

	if (!words)
		return 0;
	r = reserve_out(level);
	if (r < 0)
		return r;
	level->out_size = words(level->layer, level->out, out_room(level));
	return push_down(level);
}

int level_flush(struct level *level)
{
	int r = push_down(level);

	if (r == 0)
		r = say(level, level->ops->say);
	free_out(level);
	return r;
}

int level_part(struct level *level)
{
	int r = level_flush(level);

	if (r < 0 || level->parted)
		return r;
	level->parted = true;
	return say(level, level->ops->part);
}

/* More input. The layer has just said that what is here is not enough. */
static int pull_up(struct level *level)
{
	ssize_t n;

	if (!level->in)
		level->in = malloc(level->ops->in_maximum);
	if (!level->in)
		return -ENOMEM;
	level->in_size -= level->in_at;
	memmove(level->in, level->in + level->in_at, level->in_size);
	level->in_at = 0;
	if (level->in_size == level->ops->in_maximum)
		return -EMSGSIZE;
	n = level->below.receive(level->below.arg, level->in + level->in_size,
		level->ops->in_maximum - level->in_size);
	if (n < 0)
		return n;
	level->in_size += n;
	return 0;
}

/* One decode(), and what the layer says to it. *ret_used: it has got on. */
static ssize_t step(struct level *level, void *to, size_t room, bool *ret_used)
{
	size_t used = 0;
	static const uint8_t nothing;
	const uint8_t *from = level->in ? level->in + level->in_at : &nothing;
	ssize_t n = level->ops->decode(
		level->layer, from, level->in_size - level->in_at, &used, to, room);
	int r;

	level->in_at += used;
	*ret_used = used || n > 0;
	if (*ret_used || n < 0) {
		r = level_flush(level);
		if (r < 0 && r != -EAGAIN && n >= 0)
			return r;
	}
	return n;
}

static ssize_t receive(struct level *level, uint8_t *to, size_t room)
{
	size_t total = 0;
	int rounds = 0, r;

	level->again = false;
	while (total < room && !level->error) {
		bool used;
		ssize_t n = step(level, to + total, room - total, &used);

		if (n < 0)
			level->error = n;
		else
			total += n;
		if (used)
			continue;
		if (total || level->error)
			break;
		if (rounds++ == ROUNDS) {
			level->again = true;
			return -EAGAIN;
		}
		r = pull_up(level);
		if (r < 0)
			return r;
	}
	return total ? (ssize_t)total : level->error;
}

ssize_t level_receive(void *level, void *to, size_t room)
{
	ssize_t n = receive(level, to, room);

	free_in(level);
	return n;
}

static size_t gather(uint8_t *to, size_t room, const struct iovec *iov, size_t iov_used)
{
	size_t size = 0;

	for (size_t i = 0; i < iov_used && size < room; i++) {
		size_t n = MIN(iov[i].iov_len, room - size);

		memcpy(to + size, iov[i].iov_base, n);
		size += n;
	}
	return size;
}

ssize_t level_send(void *arg, const struct iovec *iov, size_t iov_used)
{
	struct level *level = arg;
	size_t size, at = 0;
	ssize_t n;
	int r;

	if (!level_open(level))
		return -EAGAIN;
	r = push_down(level);
	if (r == 0)
		r = say(level, level->ops->say);
	if (r == 0)
		r = reserve_out(level);
	if (r < 0)
		return r;
	size = gather(level->out + level->ops->head, level->ops->plain_maximum, iov, iov_used);
	if (!size)
		return 0;
	n = level->ops->encode(level->layer, level->out, size, &at);
	if (n < 0)
		return n;
	level->out_at = at;
	level->out_size = at + n;
	r = push_down(level);
	free_out(level);
	return r < 0 && r != -EAGAIN ? r : (ssize_t)size;
}
