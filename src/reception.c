/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reception.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "handover/address.h"
#include "state/notify.h"
#include "varlink/server.h"

typedef int (*listen_fn)(struct varlink_server *server, int fd);

static int listen_at(struct varlink_server *server, const char *path, const char *what,
	listen_fn listen_on, char **ret_path)
{
	char address[256];
	int fd, r;

	snprintf(address, sizeof(address), "unix:%s", path);
	r = address_listen(address, &fd);
	if (r < 0) {
		log_err(NULL, "cannot listen on %s socket %s: %s%s", what, path, strerror(-r),
			r == -EADDRINUSE ? " (is another vfio-displayd running?)"
			: r == -EINVAL	 ? " (an absolute path of at most 107 bytes is needed)"
					 : "");
		return r;
	}
	*ret_path = strdup(path);
	return listen_on(server, fd);
}

/* systemd's, by its name. -EBADF: it has handed over none. */
static int take_inherited(struct notify_socket *inherited, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (inherited[i].fd >= 0 && strcmp(inherited[i].name, name) == 0)
			return take_fd(&inherited[i].fd);
	return -EBADF;
}

int reception_open(struct reception *reception, struct varlink_server *server,
	const char *control_path, const char *monitor_path, struct notify_socket *inherited,
	size_t n)
{
	int control = take_inherited(inherited, n, "varlink");
	int monitor = take_inherited(inherited, n, "varlink-monitor");
	int r;

	r = control >= 0 ? varlink_server_listen(server, control)
			 : listen_at(server, control_path, "control", varlink_server_listen,
				   &reception->control_path);
	if (r < 0)
		fd_close(monitor);
	else if (monitor >= 0)
		r = varlink_server_listen_monitor(server, monitor);
	else if (monitor_path)
		r = listen_at(server, monitor_path, "monitor", varlink_server_listen_monitor,
			&reception->monitor_path);
	return r;
}

static void drop_path(char **path)
{
	if (*path)
		unlink(*path);
	free(take_ptr(*path));
}

void reception_close(struct reception *reception)
{
	drop_path(&reception->control_path);
	drop_path(&reception->monitor_path);
}
