/* SPDX-License-Identifier: GPL-2.0-or-later */
/* orders.h - what systemd is told about its store of descriptors (sd_pid_notify_with_fds(3)), in order. Main thread. Nothing here blocks but
 * orders_hurry().
 */
#pragma once

#include <stdbool.h>
#include <sys/queue.h>

#include "state/messenger.h"

struct loop;
struct loop_source;
struct order;

enum order_kind { ORDER_PUT, ORDER_DROP, ORDER_BARRIER };

struct orders {
	struct messenger messenger;
	struct loop_source *source, *retry;
	TAILQ_HEAD(, order) waiting;
	bool complained;
};

/* Where systemd has given us no socket, or that cannot be had, which is logged, nothing is told and orders_open() is false. -ENOMEM.
 * orders_finish() is needed in every case. */
int orders_init(struct orders *orders, struct loop *loop);
void orders_finish(struct orders *orders);
bool orders_open(const struct orders *orders);
unsigned int orders_waiting(const struct orders *orders); /* are to be told yet */

/* @name: shorter than STORE_NAME; @fd: borrowed, or -EBADF. Returns 0 too where systemd will never take it, which is logged; -ENOMEM, -EMFILE:
 * it had to wait, and could not. */
int orders_tell(struct orders *orders, enum order_kind kind, const char *name, int fd);
/* ORDER_PUT of @name is still waiting: it is not told any more. False: it was told. */
bool orders_take_back(struct orders *orders, const char *name);
/* At the end: waits for systemd, a second at most, until it has been told all. */
void orders_hurry(struct orders *orders);
