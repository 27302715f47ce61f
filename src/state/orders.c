/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * Orders go to systemd one after another over a datagram socket that is connected to $NOTIFY_SOCKET. sd_pid_notify_with_fds() would wait
 * where that socket's queue is full, and with it everything that the main thread does; so this is a sender of its own, which sends with
 * MSG_DONTWAIT and, where that would block, keeps the orders in a queue until the socket is writable.
 *
 * An order that waits owns a copy of its descriptor, so that its owner may close its own meanwhile. What was put and is dropped while it
 * waits is never sent. Each name is in the queue at most twice, so the queue is as bounded as the store is.
 *
 * FDPOLL=0 always: systemd would close a lease that has hung up and say nothing. Whether it has is looked at when we start again.
 */
#include "state/orders.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/discard.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "state/store.h"

enum { RETRY_MS = 20, LAST_TRIES = 50 };

struct order {
	TAILQ_ENTRY(order) link; /* orders::waiting */
	enum order_kind kind;
	char name[STORE_NAME];
	int fd; /* owned, -EBADF: none */
};

/* -EAGAIN: not until the socket is writable; -ENOBUFS: not now, for another reason. Any other error: never. */
static int send_order(struct orders *orders, enum order_kind kind, const char *name, int fd)
{
	static const char *const texts[] = {
		[ORDER_PUT] = "FDSTORE=1\nFDPOLL=0\nFDNAME=",
		[ORDER_DROP] = "FDSTOREREMOVE=1\nFDNAME=",
		[ORDER_BARRIER] = "BARRIER=1",
	};
	char text[64];
	int size = snprintf(text, sizeof(text), "%s%s", texts[kind], name);
	int r = messenger_send(&orders->messenger, text, (size_t)size, fd);

	if (r < 0 && r != -EAGAIN && r != -ENOBUFS && !orders->complained) {
		log_warn(NULL, "cannot tell systemd what to keep for a restart: %s", strerror(-r));
		orders->complained = true;
	}
	return r;
}

static void order_free(struct orders *orders, struct order *order)
{
	TAILQ_REMOVE(&orders->waiting, order, link);
	fd_discard(order->fd);
	free(order);
}

static void send_orders(struct orders *orders)
{
	struct order *order;
	int r = 0;

	while ((order = TAILQ_FIRST(&orders->waiting))) {
		r = send_order(orders, order->kind, order->name, order->fd);
		if (r == -EAGAIN || r == -ENOBUFS)
			break;
		order_free(orders, order);
	}
	loop_fd_events(orders->source, order && r == -EAGAIN ? LOOP_WRITE : 0);
	if (order)
		loop_timer_once(orders->retry, RETRY_MS);
}

static void on_writable(int fd, unsigned int events, void *arg)
{
	send_orders(arg);
}

static void on_retry(void *arg)
{
	send_orders(arg);
}

int orders_tell(struct orders *orders, enum order_kind kind, const char *name, int fd)
{
	struct order *order;
	int r = -EAGAIN;

	if (TAILQ_EMPTY(&orders->waiting))
		r = send_order(orders, kind, name, fd);
	if (r != -EAGAIN && r != -ENOBUFS)
		return 0;
	order = new0(struct order);
	if (!order)
		return -ENOMEM;
	order->kind = kind;
	snprintf(order->name, sizeof(order->name), "%s", name);
	order->fd = fd < 0 ? -EBADF : fcntl(fd, F_DUPFD_CLOEXEC, FD_HIGH);
	if (fd >= 0 && order->fd < 0) {
		r = -errno;
		free(order);
		return r;
	}
	TAILQ_INSERT_TAIL(&orders->waiting, order, link);
	loop_timer_once(orders->retry, RETRY_MS);
	if (r == -EAGAIN)
		loop_fd_events(orders->source, LOOP_WRITE);
	return 0;
}

bool orders_take_back(struct orders *orders, const char *name)
{
	struct order *order;

	TAILQ_FOREACH (order, &orders->waiting, link) {
		if (order->kind != ORDER_PUT || strcmp(order->name, name) != 0)
			continue;
		order_free(orders, order);
		return true;
	}
	return false;
}

void orders_hurry(struct orders *orders)
{
	for (int i = 0; i < LAST_TRIES && !TAILQ_EMPTY(&orders->waiting); i++) {
		struct pollfd writable = {.fd = orders->messenger.fd, .events = POLLOUT};

		poll(&writable, 1, RETRY_MS);
		send_orders(orders);
	}
}

int orders_init(struct orders *orders, struct loop *loop)
{
	int r;

	*orders = (struct orders){0};
	TAILQ_INIT(&orders->waiting);
	r = messenger_init(&orders->messenger);
	if (r == 0 && orders_open(orders)) {
		r = loop_fd_add(
			loop, orders->messenger.fd, 0, on_writable, orders, &orders->source);
		if (r == 0)
			r = loop_timer_add(loop, on_retry, orders, &orders->retry);
	}
	if (r < 0) {
		log_warn(NULL, "nothing will be kept for a restart: %s", strerror(-r));
		messenger_finish(&orders->messenger);
		r = r == -ENOMEM ? r : 0;
	}
	return r;
}

void orders_finish(struct orders *orders)
{
	while (!TAILQ_EMPTY(&orders->waiting))
		order_free(orders, TAILQ_FIRST(&orders->waiting));
	loop_source_free(orders->source);
	loop_source_free(orders->retry);
	messenger_finish(&orders->messenger);
}

bool orders_open(const struct orders *orders)
{
	return orders->messenger.fd >= 0;
}

unsigned int orders_waiting(const struct orders *orders)
{
	const struct order *order;
	unsigned int n = 0;

	TAILQ_FOREACH (order, &orders->waiting, link)
		n++;
	return n;
}
