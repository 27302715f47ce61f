/* SPDX-License-Identifier: GPL-2.0-or-later */
/* uinput.h - one of a display's devices on the host, for a VMM to grab: what goes to it, and when. */
#pragma once

#include "adapter/groups.h"

struct loop;
struct uinput;

struct uinput_settings {
	const char *id; /* the display's, borrowed */
	enum input_kind kind;
	bool ungrabbed; /* events are sent while nobody has grabbed it, too */
};

/* @leds: bit LED_...: lit. Of a keyboard only. */
typedef void (*uinput_leds_fn)(void *arg, uint32_t leds);

/* -errno: it has been said in the log. */
int uinput_create(struct loop *loop, const struct uinput_settings *settings, uinput_leds_fn leds,
	void *arg, struct uinput **ret);
/* Takes NULL. The kernel lets go of its keys. */
void uinput_destroy(struct uinput *uinput);
void uinput_send(struct uinput *uinput, const struct group *group);
/* Lets go of all that is down. */
void uinput_release(struct uinput *uinput);
