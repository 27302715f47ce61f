/* SPDX-License-Identifier: GPL-2.0-or-later */
/* refuse.h - the error replies of org.vfiodisplay.Display. Each ends the call. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "display.h"
#include "rights.h"

struct fields_reader;
struct varlink_call;

/* Their names, without the interface's. NULL: past the end. */
const char *refuse_error(size_t n);

/* What request.h returned. */
void refuse_request(struct varlink_call *call, const struct fields_reader *reader, int error);
/* @id, @viewer: NULL or empty where the call was for all of them. */
void refuse_no_such_display(struct varlink_call *call, const char *id);
void refuse_no_such_viewer(struct varlink_call *call, const char *viewer);
void refuse_display_exists(struct varlink_call *call, const char *id);
void refuse_device(struct varlink_call *call, const char *reason);
void refuse_descriptor(struct varlink_call *call, json_int_t index, const char *reason);
void refuse_lease_required(struct varlink_call *call);
void refuse_address(struct varlink_call *call, const char *address, const char *reason);
void refuse_format(struct varlink_call *call, uint32_t fourcc, uint64_t modifier);
void refuse_not_live(struct varlink_call *call, const char *id, enum display_state state);
/* True: it is being released, or is a ghost, and the call has ended. */
bool refuse_ending(struct varlink_call *call, struct display *display);
void refuse_no_input(struct varlink_call *call, const char *id, const char *kind);
void refuse_limit(struct varlink_call *call, const char *limit, json_int_t value);
void refuse_unavailable(struct varlink_call *call, const char *reason);
void refuse_shutting_down(struct varlink_call *call);
/* org.varlink.service. The caller does not have @right (on @id, unless NULL); @reason: static text, NULL: nobody gave it to it. Goes to the
 * log with the peer's uid. */
void refuse_permission(struct varlink_call *call, const char *id, enum right right, const char *reason);
void refuse_needs_more(struct varlink_call *call);

/* varlink_reply(), or Unavailable where memory did not suffice to make @parameters (NULL). */
void reply_or_refuse(struct varlink_call *call, json_t *parameters);
