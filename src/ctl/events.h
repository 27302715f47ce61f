/* SPDX-License-Identifier: GPL-2.0-or-later */
/* events.h - the names of input events, as linux/input-event-codes.h has them. Made at build time (src/ctl/module.am). */
#pragma once

#include <stddef.h>

struct event_name {
	const char *name; /* "KEY_A" */
	int type, code;	  /* EV_KEY */
};

extern const struct event_name event_names[];
extern const size_t event_names_used;
