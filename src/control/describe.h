/* SPDX-License-Identifier: GPL-2.0-or-later */
/* describe.h - displays and viewers as the JSON of the interface. The only writer of it.
 *
 * Each returns a new reference, or NULL for want of memory. What is not known is left out. Texts that are no UTF-8 (a driver's,
 * an RFB program's) come with their foreign bytes masked.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "display.h"

struct wall_viewer;

json_t *describe_context(const struct context *context);
json_t *describe_runtime(const struct display_runtime *runtime, const struct handover *registrant,
	const char *const *endpoints, size_t endpoints_used);
json_t *describe_viewer(const struct wall_viewer *viewer, const char *id);
/* {context, runtime} and the runtime alone of a display as it is now. */
json_t *describe_display(struct display *display);
json_t *describe_display_runtime(struct display *display);

/* @text as it is, or with its foreign bytes masked. */
json_t *describe_text(const char *text);
const char *describe_state(enum display_state state);
/* "0x0100000000000002" without leading zeros. Returns @text. */
const char *describe_modifier(uint64_t modifier, char text[24]);
