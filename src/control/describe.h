/* SPDX-License-Identifier: GPL-2.0-or-later */
/* describe.h - displays and viewers as the JSON of the interface. The only writer of it.
 *
 * What is not known is left out. @name: as for writer_open().
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "control/writer.h"
#include "display.h"

struct wall_viewer;

void describe_context(struct writer *writer, const char *name, const struct context *context);
void describe_runtime(struct writer *writer, const struct display_runtime *runtime, const struct handover *registrant,
	const char *const *endpoints, size_t endpoints_used);
void describe_viewer(struct writer *writer, const char *name, const struct wall_viewer *viewer, const char *id);
/* {context, runtime} and the runtime alone, its input with it, of a display as it is now. */
void describe_display(struct writer *writer, struct display *display);
void describe_display_runtime(struct writer *writer, const char *name, struct display *display);

/* "0x0100000000000002" without leading zeros. Returns @text. */
const char *describe_modifier(uint64_t modifier, char text[24]);
