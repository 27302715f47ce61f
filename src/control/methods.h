/* SPDX-License-Identifier: GPL-2.0-or-later */
/* methods.h - what the table in control.c points to, and what the methods share. @arg is the manager. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

struct display;
struct fields_reader;
struct manager;
struct varlink_call;
struct varlink_interface;

/* registration.c */
void method_register(struct varlink_call *call, json_t *parameters, void *arg);
void method_unregister(struct varlink_call *call, json_t *parameters, void *arg);
/* tickets.c */
void method_issue_ticket(struct varlink_call *call, json_t *parameters, void *arg);
/* update.c */
void method_update(struct varlink_call *call, json_t *parameters, void *arg);
/* viewing.c */
void method_attach(struct varlink_call *call, json_t *parameters, void *arg);
void method_list_viewers(struct varlink_call *call, json_t *parameters, void *arg);
void method_detach(struct varlink_call *call, json_t *parameters, void *arg);
void method_capture(struct varlink_call *call, json_t *parameters, void *arg);
/* upkeep.c: io.systemd.service */
extern const struct varlink_interface upkeep_interface;
/* control.c */
void method_list(struct varlink_call *call, json_t *parameters, void *arg);
void method_get_capabilities(struct varlink_call *call, json_t *parameters, void *arg);

/* A reader that takes its descriptors out of @call. */
void method_reader(struct fields_reader *reader, struct varlink_call *call);
/* The peer registered @display, or is root or the daemon's own user. @display NULL, what it named does not exist: it owns any
 * display at all, only then may it learn that. */
bool method_may_end(
	const struct varlink_call *call, struct manager *manager, const struct display *display);

/* Replies one by one where only the last may end the call: each waits until the next is there. */
struct reply_series {
	struct varlink_call *call;
	json_t *waiting; /* NULL: none yet */
	int error;
};

/* @parameters: stolen; NULL: out of memory. Returns false when it is no use to go on. */
bool reply_series_add(struct reply_series *series, json_t *parameters);
/* Ends the call. Returns false, with the call still open, when there was nothing to reply. */
bool reply_series_end(struct reply_series *series);
