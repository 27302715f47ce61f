/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "state/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "state/messenger.h"
#include "state/store.h"

/* Of these a newer one makes an older one that could not be sent needless: RELOADING=1 is ended by READY=1. */
enum { STATE, STATUS, TEXTS };

enum { RETRY_MS = 100 };

struct notify {
	struct messenger messenger;
	struct loop_source *watchdog, *retry;
	char waiting[TEXTS][256]; /* "": nothing */
};

static struct notify *current; /* NULL: there is none */

static int say(struct notify *notify, const char *text)
{
	int r = messenger_send(&notify->messenger, text, strlen(text), -EBADF);

	return r == -EAGAIN || r == -ENOBUFS ? r : 0;
}

static void send_waiting(void *arg)
{
	struct notify *notify = arg;

	for (size_t i = 0; i < TEXTS; i++) {
		if (notify->waiting[i][0] && say(notify, notify->waiting[i]) < 0)
			return (void)loop_timer_once(notify->retry, RETRY_MS);
		notify->waiting[i][0] = '\0';
	}
}

__attribute__((format(printf, 2, 3))) static void tell(int which, const char *format, ...)
{
	struct notify *notify = current;
	va_list args;

	if (!notify)
		return;
	va_start(args, format);
	vsnprintf(notify->waiting[which], sizeof(notify->waiting[which]), format, args);
	va_end(args);
	send_waiting(notify);
}

/* Not kept where it cannot be sent: the next one comes. */
static void on_watchdog(void *arg)
{
	say(arg, "WATCHDOG=1");
}

static int watch(struct notify *notify, struct loop *loop)
{
	uint64_t usec;
	int r;

	if (sd_watchdog_enabled(false, &usec) <= 0)
		return 0;
	r = loop_timer_add(loop, on_watchdog, notify, &notify->watchdog);
	return r < 0 ? r : loop_timer_every(notify->watchdog, MAX(usec / 2000, (uint64_t)1));
}

int notify_create(struct loop *loop, struct notify **ret)
{
	struct notify *notify = new0(struct notify);
	int r;

	if (!notify)
		return -ENOMEM;
	r = messenger_init(&notify->messenger);
	if (r < 0)
		log_warn(NULL, "cannot tell systemd anything: %s", strerror(-r));
	r = loop_timer_add(loop, send_waiting, notify, &notify->retry);
	if (r == 0)
		r = watch(notify, loop);
	if (r < 0) {
		notify_destroy(notify);
		return r;
	}
	*ret = current = notify;
	return 0;
}

void notify_destroy(struct notify *notify)
{
	if (!notify)
		return;
	if (current == notify)
		current = NULL;
	loop_source_free(notify->watchdog);
	loop_source_free(notify->retry);
	messenger_finish(&notify->messenger);
	free(notify);
}

void notify_ready(void)
{
	tell(STATE, "READY=1");
}

void notify_stopping(void)
{
	tell(STATE, "STOPPING=1");
}

void notify_status(const char *format, ...)
{
	char text[240];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	tell(STATUS, "STATUS=%s", text);
}

void notify_reloading(void)
{
	struct timespec now;

	/* sd_notify(3): systemd tells a reload from an older one's end by this time. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	tell(STATE, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		(uint64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

size_t notify_sockets(struct notify_socket *ret, size_t max, struct store *store)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(true, &names);
	size_t used = 0;

	for (int i = 0; i < n; i++) {
		int fd = fd_move_high(SD_LISTEN_FDS_START + i);

		if (store_is_name(names[i])) {
			store_returned(store, names[i], fd);
		} else if (fd >= 0 && used < max) {
			snprintf(ret[used].name, sizeof(ret[used].name), "%s", names[i]);
			ret[used++].fd = fd;
		} else {
			fd_close(fd);
		}
		free(names[i]);
	}
	free(names);
	return used;
}
