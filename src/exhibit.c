/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "exhibit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "frame/child.h"
#include "varlink/server.h"

int exhibit_start(struct loop *loop, struct varlink_server *server,
	const struct exhibit_options *options, void (*ended)(void *arg, const char *how), void *arg,
	struct child **ret)
{
	char *arguments[12] = {(char *)"vfio-displayd-testcard", (char *)"--fd", (char *)"3"};
	_cleanup_fd_ int theirs = -EBADF;
	char size[32], *rate;
	int pair[2], n = 3, r;

	snprintf(size, sizeof(size), "%s", options->testcard);
	rate = strchr(size, '@');
	if (rate) {
		*rate++ = '\0';
		arguments[n++] = (char *)"--rate";
		arguments[n++] = rate;
	}
	if (size[0]) {
		arguments[n++] = (char *)"--size";
		arguments[n++] = size;
	}
	if (options->listen) {
		arguments[n++] = (char *)"--listen";
		arguments[n++] = (char *)options->listen;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	theirs = pair[1];
	r = varlink_server_adopt(server, pair[0]);
	return r < 0 ? r : child_spawn(loop, options->program, arguments, theirs, ended, arg, ret);
}
