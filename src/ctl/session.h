/* SPDX-License-Identifier: GPL-2.0-or-later */
/* session.h - calls of org.vfiodisplay.Display that say themselves what went wrong.
 *
 * @about: the display's id, for complaints; may be NULL. Methods are named without the interface. Whatever fails has been
 * complained about when a function returns -1.
 */
#pragma once

#include <jansson.h>

#include "varlink/client.h"

struct ctl;

struct session {
	struct varlink_client *client;
	const char *about;
	const char *method; /* of the last call */
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
/* All replies of a call with "more", as an array of their parameters. Where @nothing is that error without parameters, the
 * array is empty. */
int session_list(const struct ctl *ctl, const char *about, const char *method, json_t *parameters,
	const char *nothing, json_t **ret);
