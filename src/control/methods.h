/* SPDX-License-Identifier: GPL-2.0-or-later */
/* methods.h - what the table (table.inc) points to, and what the methods share. @arg is the manager. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "audit.h"
#include "handover/context.h"
#include "rights.h"

struct display;
struct fields_reader;
struct manager;
struct varlink_call;

/* registration.c */
void method_register(struct varlink_call *call, json_t *parameters, void *arg);
void method_unregister(struct varlink_call *call, json_t *parameters, void *arg);
/* tickets.c */
void method_issue_ticket(struct varlink_call *call, json_t *parameters, void *arg);
/* input.c */
void method_set_input(struct varlink_call *call, json_t *parameters, void *arg);
void method_send_input(struct varlink_call *call, json_t *parameters, void *arg);
/* typing.c */
void method_send_keys(struct varlink_call *call, json_t *parameters, void *arg);
/* update.c */
void method_update(struct varlink_call *call, json_t *parameters, void *arg);
/* viewing.c */
void method_attach(struct varlink_call *call, json_t *parameters, void *arg);
void method_detach(struct varlink_call *call, json_t *parameters, void *arg);
void method_capture(struct varlink_call *call, json_t *parameters, void *arg);
/* watching.c */
void method_get_metrics(struct varlink_call *call, json_t *parameters, void *arg);
void method_dump(struct varlink_call *call, json_t *parameters, void *arg);
/* upkeep.c: io.systemd.service */
extern const char service_text[]; /* its description */
void method_ping(struct varlink_call *call, json_t *parameters, void *arg);
void method_reload(struct varlink_call *call, json_t *parameters, void *arg);
void method_set_log_level(struct varlink_call *call, json_t *parameters, void *arg);
/* list.c */
void method_list(struct varlink_call *call, json_t *parameters, void *arg);
void method_list_viewers(struct varlink_call *call, json_t *parameters, void *arg);
/* subscribe.c */
void method_subscribe(struct varlink_call *call, json_t *parameters, void *arg);
/* control.c */
void method_get_capabilities(struct varlink_call *call, json_t *parameters, void *arg);

/* A reader that takes its descriptors out of @call. */
void method_reader(struct fields_reader *reader, struct varlink_call *call);
/* The caller has @right on @display. What the table says about a method has been checked before it runs; this is for those that look at many
 * displays. */
bool method_may(const struct varlink_call *call, struct manager *manager, enum right right, const struct display *display);

/* A line that says: "@what by" the caller. */
void method_audit(enum audit_kind kind, const struct varlink_call *call, const struct display *display, const struct audit *more,
	const char *what);
/* What it takes to be let in with @mode. */
enum right method_mode_right(enum view_mode mode);
