/* SPDX-License-Identifier: GPL-2.0-or-later */
/* registration.h - a VMM's hand-over of one display to the daemon. */
#pragma once

#include <stdbool.h>

struct varlink_client;

enum lease_kind {
	LEASE_CONNECTION, /* the call is made with "more" and its connection is the lease */
	LEASE_PIDFD,	  /* this process */
	LEASE_PIPE,	  /* the read end is handed over, this process keeps the write end */
};

struct registration {
	struct varlink_client *client; /* owned; NULL: none */
	char id[65];
	int change; /* eventfd, -EBADF: none */
	int pipe;   /* write end of the lease, -EBADF: none */
};

struct registration_options {
	const char *socket_path;
	const char *id;
	const char *listen; /* "HOST:PORT" or "unix:PATH"; NULL: no listener but the daemon's own */
	enum lease_kind lease;
	bool change; /* give an eventfd */
};

void registration_init(struct registration *registration);
/* Hands @device over; it stays the caller's. On error *ret_error is the daemon's answer or an errno's text (static or owned
 * by @registration until the next call). 0 or -errno. */
int registration_make(struct registration *registration, const struct registration_options *options,
	int device, char *ret_error, unsigned int error_size);
/* The picture may have changed. */
int registration_signal(struct registration *registration);
/* Unregister over a connection of its own; returns after the daemon's answer. */
int registration_end(struct registration *registration, const char *socket_path, char *ret_error,
	unsigned int error_size);
/* Drops connection, pipe and eventfd without a word. */
void registration_finish(struct registration *registration);
