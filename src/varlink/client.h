/* SPDX-License-Identifier: GPL-2.0-or-later */
/* client.h - a blocking Varlink caller, for vfio-displayctl and the test card. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct varlink_client;

struct varlink_result {
	json_t *parameters; /* owned; never NULL on success */
	char *error;	    /* owned; NULL: none */
	bool continues;
	int fds[16]; /* owned */
	size_t fds_used;
};

int varlink_client_connect(const char *path, struct varlink_client **ret);
/* @fd: a connected socket, consumed in every case. */
int varlink_client_adopt(int fd, struct varlink_client **ret);
void varlink_client_destroy(struct varlink_client *client);
int varlink_client_fd(const struct varlink_client *client); /* for poll */

/* Sends a call. @parameters: stolen, may be NULL. @fds stay the caller's. */
int varlink_client_send(struct varlink_client *client, const char *method, json_t *parameters,
	bool more, const int *fds, size_t fds_used);
/* Sends what gets no reply. */
int varlink_client_send_oneway(
	struct varlink_client *client, const char *method, json_t *parameters);
/* Waits for one reply. @timeout_ms < 0: for ever. -ETIMEDOUT, -EPIPE. */
int varlink_client_receive(
	struct varlink_client *client, int timeout_ms, struct varlink_result *ret);
void varlink_result_finish(struct varlink_result *result);
/* Both. */
int varlink_client_call(struct varlink_client *client, const char *method, json_t *parameters,
	const int *fds, size_t fds_used, struct varlink_result *ret);
