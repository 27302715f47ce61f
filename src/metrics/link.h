/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link.h - messages between vfio-displayd and vfio-displayd-metrics, which speaks HTTP.
 *
 * One SOCK_SEQPACKET pair; each message is one struct metrics_message with at most one descriptor. The broker sends LISTENERs first. The
 * program ASKs for a text, one of each form at a time, and gets it, not more often than each LIMIT_METRICS_MS. A PING is answered at once: the
 * broker's loop is alive. Both ends check type and ranges; a lie ends the program.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum metrics_type {
	METRICS_LISTENER = 1, /* + fd: listening stream socket */
	METRICS_TEXT,	      /* + fd: a sealed memfd; none: out of memory */
	METRICS_PONG,
	METRICS_ASK = 64,
	METRICS_PING,
};

enum metrics_form { METRICS_OPEN, METRICS_CLASSIC, METRICS_FORMS }; /* OpenMetrics, and the older text */

struct metrics_message {
	uint32_t type;
	uint32_t form;	 /* of ask and text */
	uint64_t number; /* of ping, and its pong */
	uint64_t size;	 /* of text, bytes */
};

/* As packet.h; -EPROTO also for what cannot be true. */
int metrics_send(int link, const struct metrics_message *message, int fd);
int metrics_receive(int link, bool from_broker, struct metrics_message *ret, int *ret_fd);
