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

	*session = (struct session){.about = about, .patience_ms = -1};
	r = varlink_client_connect(ctl->socket, &session->client);
	return r < 0 ? complain_connect(ctl->socket, r) : CTL_OK;
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

	snprintf(name, sizeof(name), "%s%s", strchr(method, '.') ? "" : INTERFACE, method);
	session->method = method;
	r = parameters ? varlink_client_send(session->client, name, parameters, more, fds, fds_used)
		       : -ENOMEM;
	return r < 0 ? complain_talk(session->about, r) : CTL_OK;
}

int session_receive(struct session *session, struct varlink_result *ret)
{
	int r;

	r = varlink_client_receive(session->client, session->patience_ms, ret);
	if (r < 0)
		return complain_talk(session->about, r);
	if (!ret->error)
		return CTL_OK;
	r = complain_error(session->about, session->method, ret->error, ret->parameters);
	varlink_result_finish(ret);
	return r;
}

int session_call(const struct ctl *ctl, const char *about, const char *method, json_t *parameters,
	struct varlink_result *ret)
{
	return session_call_with(ctl, about, method, parameters, NULL, 0, ret);
}

int session_call_with(const struct ctl *ctl, const char *about, const char *method,
	json_t *parameters, const int *fds, size_t fds_used, struct varlink_result *ret)
{
	struct session session;
	int status;

	status = session_open(&session, ctl, about);
	if (status != CTL_OK) {
		json_decref(parameters);
		return status;
	}
	status = session_send(&session, method, parameters, false, fds, fds_used);
	if (status == CTL_OK)
		status = session_receive(&session, ret);
	session_close(&session);
	return status;
}

/* What of a series has been taken, or that it has ended. */
static int receive_each(struct session *session, const char *nothing, session_each_fn each,
	void *arg, bool *ret_more)
{
	struct varlink_result result;
	int r;

	*ret_more = false;
	r = varlink_client_receive(session->client, -1, &result);
	if (r < 0)
		return complain_talk(session->about, r);
	if (result.error && nothing && strcmp(result.error, nothing) == 0 &&
		json_object_size(result.parameters) == 0) {
		r = CTL_OK;
	} else if (result.error) {
		r = complain_error(
			session->about, session->method, result.error, result.parameters);
	} else {
		r = each(arg, result.parameters);
		*ret_more = result.continues;
	}
	varlink_result_finish(&result);
	return r;
}

int session_each(const struct ctl *ctl, const char *about, const char *method, json_t *parameters,
	const char *nothing, session_each_fn each, void *arg)
{
	struct session session;
	bool more = true;
	int status;

	status = session_open(&session, ctl, about);
	if (status != CTL_OK) {
		json_decref(parameters);
		return status;
	}
	status = session_send(&session, method, parameters, true, NULL, 0);
	while (status == CTL_OK && more)
		status = receive_each(&session, nothing, each, arg, &more);
	session_close(&session);
	return status;
}
