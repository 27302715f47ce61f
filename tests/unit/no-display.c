/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What src/control/describe.c asks of displays, for programs in which there are none. */
#include <stdlib.h>

#include "display.h"
#include "frame/wall.h"

const struct context *display_context(const struct display *display)
{
	abort();
}

const struct handover *display_registrant(const struct display *display)
{
	abort();
}

void display_runtime(struct display *display, struct display_runtime *ret)
{
	abort();
}

const char *display_change_name(enum display_change change)
{
	abort();
}

const char *display_layout_in_use(const struct display *display, const char **ret_why)
{
	abort();
}

struct inputs *display_inputs(struct display *display)
{
	abort();
}

struct wall *display_wall(struct display *display)
{
	abort();
}

size_t wall_endpoints(const struct wall *wall, const char **ret, size_t max)
{
	abort();
}
