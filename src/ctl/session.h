/* SPDX-License-Identifier: GPL-2.0-or-later */
/* session.h - calls of org.vfiodisplay.Display that say themselves what went wrong.
 *
 * @about: the display's id, for complaints; may be NULL. Methods are named without the interface, where it is that one. Functions
 * return CTL_OK or the exit status of what went wrong and has been complained about.
 */
#pragma once

#include <jansson.h>

#include "varlink/client.h"

struct ctl;

struct session {
	struct varlink_client *client;
	const char *about;
	const char *method; /* of the last call */
	int patience_ms;    /* with a reply; -1, which session_open() sets: for ever */
};

int session_open(struct session *session, const struct ctl *ctl, const char *about);
void session_close(struct session *session);
/* @parameters: stolen; NULL: none, or out of memory where @parameters must not be NULL (checked by the caller). */
int session_send(struct session *session, const char *method, json_t *parameters, bool more,
	const int *fds, size_t fds_used);
/* The next reply; an error reply counts as a failure. */
int session_receive(struct session *session, struct varlink_result *ret);

/* One call on a connection of its own. */
int session_call(const struct ctl *ctl, const char *about, const char *method, json_t *parameters,
	struct varlink_result *ret);
/* The same with descriptors, which stay the caller's. */
int session_call_with(const struct ctl *ctl, const char *about, const char *method, json_t *parameters, const int *fds,
	size_t fds_used, struct varlink_result *ret);
/* Each reply of a call with "more". Where @nothing is that error without parameters, there are none. @each returns an exit status too. */
typedef int (*session_each_fn)(void *arg, json_t *parameters);
int session_each(const struct ctl *ctl, const char *about, const char *method, json_t *parameters,
	const char *nothing, session_each_fn each, void *arg);
