/* SPDX-License-Identifier: GPL-2.0-or-later */
/* standing.h - what each RFB program of a wall is told, the one that runs and those started later: its policy, the desktop's name,
 * certificates, the guest's LEDs, what its pointer wants. Main thread.
 */
#pragma once

#include <stdbool.h>

#include "frame/link.h"

struct standing {
	struct link_message hello;
	struct link_message secrets, leds, pointer_mode; /* type 0: nothing to be told */
	int secrets_fd; /* borrowed */
};

struct wall_options;

void standing_init(struct standing *standing, const struct wall_options *options);
/* The first messages of a new program, or with @turn, NULL for that, of another broker to one that it takes over. As link_send(). */
int standing_greet(struct standing *standing, int link, const uint32_t *turn);

/* Each notes it, and returns true with the message for a program that runs: nothing needs to be said where nothing has changed. */
bool standing_policy(struct standing *standing, const struct link_policy *policy, struct link_message *ret);
bool standing_name(struct standing *standing, const char *name, struct link_message *ret);
bool standing_leds(struct standing *standing, uint32_t bits, struct link_message *ret);
/* @fd < 0: none any more, of which a program that runs is not told. */
void standing_secrets(struct standing *standing, int fd, const struct link_message *tls);
bool standing_pointer_mode(struct standing *standing, bool relative, struct link_message *ret);
