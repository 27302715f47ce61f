/* SPDX-License-Identifier: GPL-2.0-or-later */
/* post.h - an adapter's place at the daemon: gives a display its sockets (SetInput), and again when they were lost.
 *
 * SetInput takes away whatever the display had before. The first time that is what was asked for; later a display that has other connected
 * input is left alone until that has gone, so that two who serve one display do not take it from each other for ever.
 */
#pragma once

#include "adapter/groups.h"

struct loop;
struct post;

struct post_settings {
	const char *socket, *id; /* borrowed */
};

struct post_events {
	void (*group)(void *arg, const struct group *group);
	void (*changed)(void *arg,
		bool connected); /* the display has our sockets; or no longer, and whoever held a key has gone */
};

int post_create(struct loop *loop, const struct post_settings *settings,
	const struct post_events *events, void *arg, struct post **ret);
/* Takes NULL. */
void post_destroy(struct post *post);

/* From now on: bit n is enum input_kind n. 0: nothing, and what the display has is closed. Not from inside group(). */
void post_offer(struct post *post, unsigned int kinds);
bool post_connected(const struct post *post);
/* May be called from inside group(). */
void post_hold(struct post *post, bool on);
void post_leds(struct post *post, uint32_t leds);
