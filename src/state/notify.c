/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "state/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "base/fd.h"
#include "base/loop.h"
#include "base/mem.h"
#include "state/store.h"

struct notify {
	struct loop_source *watchdog;
};

static void on_watchdog(void *arg)
{
	sd_notify(false, "WATCHDOG=1");
}

int notify_create(struct loop *loop, struct notify **ret)
{
	struct notify *notify = new0(struct notify);
	uint64_t usec;
	int r;

	if (!notify)
		return -ENOMEM;
	if (sd_watchdog_enabled(false, &usec) > 0) {
		r = loop_timer_add(loop, on_watchdog, NULL, &notify->watchdog);
		if (r == 0)
			r = loop_timer_every(notify->watchdog, MAX(usec / 2000, (uint64_t)1));
		if (r < 0) {
			notify_destroy(notify);
			return r;
		}
	}
	*ret = notify;
	return 0;
}

void notify_destroy(struct notify *notify)
{
	if (!notify)
		return;
	loop_source_free(notify->watchdog);
	free(notify);
}

void notify_ready(void)
{
	sd_notify(false, "READY=1");
}

void notify_stopping(void)
{
	sd_notify(false, "STOPPING=1");
}

void notify_status(const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	sd_notifyf(false, "STATUS=%s", text);
}

void notify_reloading(void)
{
	struct timespec now;

	/* sd_notify(3): systemd tells a reload from an older one's end by this time. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	sd_notifyf(false, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
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
