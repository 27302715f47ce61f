/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "registration.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "varlink/client.h"

#define INTERFACE "org.vfiodisplay.Display"
#define ANSWER_MS 30000

void registration_init(struct registration *registration)
{
	*registration = (struct registration){.change = -EBADF, .pipe = -EBADF};
}

void registration_finish(struct registration *registration)
{
	varlink_client_destroy(registration->client);
	registration->client = NULL;
	registration->change = fd_close(registration->change);
	registration->pipe = fd_close(registration->pipe);
}

/* Turns an error reply into text. */
static int result_check(
	const struct varlink_result *result, char *ret_error, unsigned int error_size)
{
	char *parameters;

	if (!result->error)
		return 0;
	parameters = json_dumps(result->parameters, JSON_COMPACT);
	snprintf(ret_error, error_size, "%s %s", result->error, parameters ? parameters : "");
	free(parameters);
	return -EREMOTEIO;
}

static int lease_make(struct registration *registration, enum lease_kind kind, int *ret_fd)
{
	int ends[2];

	*ret_fd = -EBADF;
	if (kind == LEASE_PIDFD) {
		*ret_fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
		return *ret_fd < 0 ? -errno : 0;
	}
	if (kind == LEASE_PIPE) {
		if (pipe2(ends, O_CLOEXEC) < 0)
			return -errno;
		*ret_fd = ends[0];
		registration->pipe = ends[1];
	}
	return 0;
}

/* @fds: device, then what there is of change and lease. */
static json_t *parameters_make(const struct registration_options *options, bool change, bool lease)
{
	json_t *parameters = json_pack("{s:{s:s}, s:s, s:i}", "context", "id", options->id,
		"source", "vfio", "deviceFileDescriptorIndex", 0);
	int index = 1;

	if (!parameters)
		return NULL;
	if (change)
		json_object_set_new(parameters, "changeFileDescriptorIndex", json_integer(index++));
	if (lease)
		json_object_set_new(parameters, "leaseFileDescriptorIndex", json_integer(index++));
	if (options->listen)
		json_object_set_new(parameters, "listen",
			json_pack("[{s:s, s:s}]", "mode", "control", "address", options->listen));
	return parameters;
}

int registration_make(struct registration *registration, const struct registration_options *options,
	int device, char *ret_error, unsigned int error_size)
{
	struct varlink_result result = {.parameters = NULL};
	_cleanup_fd_ int lease = -EBADF;
	int fds[3], r;
	size_t used = 0;

	snprintf(ret_error, error_size, "no connection to %s", options->socket_path);
	snprintf(registration->id, sizeof(registration->id), "%s", options->id);
	r = varlink_client_connect(options->socket_path, &registration->client);
	if (r < 0)
		return r;
	r = lease_make(registration, options->lease, &lease);
	if (r < 0)
		return r;
	fds[used++] = device;
	if (options->change) {
		registration->change = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		fds[used++] = registration->change;
	}
	if (lease >= 0)
		fds[used++] = lease;
	r = varlink_client_send(registration->client, INTERFACE ".Register",
		parameters_make(options, options->change, lease >= 0),
		options->lease == LEASE_CONNECTION, fds, used);
	if (r < 0)
		return r;
	r = varlink_client_receive(registration->client, ANSWER_MS, &result);
	if (r < 0)
		return r;
	r = result_check(&result, ret_error, error_size);
	varlink_result_finish(&result);
	return r;
}

int registration_signal(struct registration *registration)
{
	uint64_t one = 1;

	if (registration->change < 0)
		return -ENXIO;
	return write(registration->change, &one, sizeof(one)) == sizeof(one) ? 0 : -errno;
}

int registration_end(struct registration *registration, const char *socket_path, char *ret_error,
	unsigned int error_size)
{
	struct varlink_result result = {.parameters = NULL};
	struct varlink_client *client = NULL;
	int r;

	snprintf(ret_error, error_size, "no answer from %s", socket_path);
	r = varlink_client_connect(socket_path, &client);
	if (r < 0)
		return r;
	r = varlink_client_send(client, INTERFACE ".Unregister",
		json_pack("{s:s}", "id", registration->id), false, NULL, 0);
	if (r == 0)
		r = varlink_client_receive(client, ANSWER_MS, &result);
	if (r == 0) {
		r = result_check(&result, ret_error, error_size);
		varlink_result_finish(&result);
	}
	varlink_client_destroy(client);
	return r;
}
