/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl/complain.h"
#include "ctl/ctl.h"

#define INTERFACE "org.vfiodisplay.Display."

int session_open(struct session *session, const struct ctl *ctl, const char *about)
{
	int r;

	*session = (struct session){.about = about};
	r = varlink_client_connect(ctl->socket, &session->client);
	if (r >= 0)
		return 0;
	complain_connect(ctl->socket, r);
	return -1;
}

void session_close(struct session *session)
{
	varlink_client_destroy(session->client);
	session->client = NULL;
}

int session_send(struct session *session, const char *method, json_t *parameters, bool more,
	const int *fds, size_t fds_used)
{
	char name[128];
	int r;

	snprintf(name, sizeof(name), INTERFACE "%s", method);
	session->method = method;
	r = parameters ? varlink_client_send(session->client, name, parameters, more, fds, fds_used)
		       : -ENOMEM;
	if (r >= 0)
		return 0;
	complain_talk(session->about, r);
	return -1;
}

int session_receive(struct session *session, struct varlink_result *ret)
{
	int r;

	r = varlink_client_receive(session->client, -1, ret);
	if (r < 0) {
		complain_talk(session->about, r);
		return -1;
	}
	if (!ret->error)
		return 0;
	complain_error(session->about, session->method, ret->error, ret->parameters);
	varlink_result_finish(ret);
	return -1;
}

int session_call(const struct ctl *ctl, const char *about, const char *method, json_t *parameters,
	struct varlink_result *ret)
{
	struct session session;
	int r;

	r = session_open(&session, ctl, about);
	if (r < 0) {
		json_decref(parameters);
		return r;
	}
	r = session_send(&session, method, parameters, false, NULL, 0);
	if (r >= 0)
		r = session_receive(&session, ret);
	session_close(&session);
	return r;
}

/* 1: more will come; 0: that was the last; -1. */
static int receive_into(struct session *session, const char *nothing, json_t *array)
{
	struct varlink_result result;
	int r;

	r = varlink_client_receive(session->client, -1, &result);
	if (r < 0) {
		complain_talk(session->about, r);
		return -1;
	}
	if (result.error && strcmp(result.error, nothing) == 0 &&
		json_object_size(result.parameters) == 0) {
		r = 0;
	} else if (result.error) {
		complain_error(session->about, session->method, result.error, result.parameters);
		r = -1;
	} else {
		json_array_append(array, result.parameters);
		r = result.continues;
	}
	varlink_result_finish(&result);
	return r;
}

int session_list(const struct ctl *ctl, const char *about, const char *method, json_t *parameters,
	const char *nothing, json_t **ret)
{
	json_t *array = json_array();
	struct session session;
	int r;

	r = session_open(&session, ctl, about);
	if (r < 0) {
		json_decref(parameters);
		json_decref(array);
		return r;
	}
	r = session_send(&session, method, parameters, true, NULL, 0);
	if (r >= 0)
		do
			r = receive_into(&session, nothing, array);
		while (r > 0);
	session_close(&session);
	if (r < 0)
		json_decref(array);
	else
		*ret = array;
	return r;
}
