/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a program is told: what stands, by the main thread; frames and turns, by the display's capture thread. That one ends no program, but
 * kills one that does not take its messages: the main thread hears of its end.
 */
#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "frame/child.h"
#include "frame/wall_internal.h"

void wall_challenge(struct wall *wall, const uint8_t challenge[LINK_CHALLENGE])
{
	memcpy(wall->standing.hello.hello.challenge, challenge, LINK_CHALLENGE);
}

void wall_policy(struct wall *wall, const struct link_policy *policy)
{
	struct link_message message;

	if (standing_policy(&wall->standing, policy, &message))
		wall_tell(wall, &message, -EBADF);
}

void wall_name(struct wall *wall, const char *name)
{
	struct link_message message;

	if (standing_name(&wall->standing, name, &message))
		wall_tell(wall, &message, -EBADF);
}

void wall_log_level(struct wall *wall)
{
	struct link_message message = {.type = LINK_LOG_LEVEL};

	message.log.level = log_level();
	wall_tell(wall, &message, -EBADF);
}

void wall_leds(struct wall *wall, uint32_t bits)
{
	struct link_message message;

	if (standing_leds(&wall->standing, bits, &message))
		wall_tell(wall, &message, -EBADF);
}

void wall_pointer_mode(struct wall *wall, bool relative)
{
	struct link_message message;

	if (standing_pointer_mode(&wall->standing, relative, &message))
		wall_tell(wall, &message, -EBADF);
}

void wall_secrets(struct wall *wall, int fd, const struct link_message *tls)
{
	standing_secrets(&wall->standing, fd, tls);
	if (fd >= 0)
		wall_tell(wall, &wall->standing.secrets, fd);
}

void wall_show(struct wall *wall, const struct frame *frame)
{
	struct link_message message = {.type = LINK_FRAME};
	int r = 0;

	pthread_mutex_lock(&wall->lock);
	wall->frame = frame;
	if (frame && wall->link >= 0) {
		message.frame.generation = frame->header.generation;
		message.frame.width = frame->header.width;
		message.frame.height = frame->header.height;
		r = link_send(wall->link, &message, frame->fd);
		if (r < 0 && wall->child)
			child_kill(wall->child);
	}
	pthread_mutex_unlock(&wall->lock);
}

static int send_turn(struct wall *wall, const struct link_message *message)
{
	int r = -EPIPE;

	pthread_mutex_lock(&wall->lock);
	if (wall->link >= 0 && wall->frame &&
		wall->frame->header.generation == message->publish.generation) {
		r = link_send(wall->link, message, -EBADF);
		if (r < 0 && wall->child)
			child_kill(wall->child);
	}
	pthread_mutex_unlock(&wall->lock);
	return r;
}

int wall_want_write(struct wall *wall, uint32_t generation)
{
	struct link_message message = {.type = LINK_WANT_WRITE};

	message.publish.generation = generation;
	return send_turn(wall, &message);
}

int wall_publish(struct wall *wall, const struct wall_news *news)
{
	struct link_message message = {.type = LINK_PUBLISH};

	message.publish.generation = news->generation;
	message.publish.damaged = news->damaged;
	message.publish.audience = (uint32_t)news->audience;
	message.publish.noticed = news->noticed;
	message.publish.moves = news->move_count;
	for (size_t i = 0; i < news->move_count; i++)
		message.publish.move[i] = news->moves[i];
	return send_turn(wall, &message);
}

void wall_stuck(struct wall *wall)
{
	pthread_mutex_lock(&wall->lock);
	if (wall->child)
		child_kill(wall->child);
	pthread_mutex_unlock(&wall->lock);
}

void wall_sizes(struct wall *wall, uint32_t width, uint32_t height)
{
	struct link_message message;

	pthread_mutex_lock(&wall->lock);
	if (sizes_set(&wall->sizes, width, height) && wall->link >= 0) {
		message = sizes_message(&wall->sizes);
		if (link_send(wall->link, &message, -EBADF) < 0 && wall->child)
			child_kill(wall->child);
	}
	pthread_mutex_unlock(&wall->lock);
}
