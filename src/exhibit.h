/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exhibit.h - the test card's program as the daemon starts it: a program like a VMM, which registers a surface through the control socket. Only,
 * it is given its connection.
 */
#pragma once

struct child;
struct loop;
struct varlink_server;

struct exhibit_options {
	const char *program;  /* path of vfio-displayd-testcard */
	const char *testcard; /* "", "WxH" or "WxH@FPS" */
	const char *listen;   /* where its viewers find it; NULL: nowhere but by Attach */
};

/* *@ret runs until @ended, as child_spawn() says. -errno. */
int exhibit_start(struct loop *loop, struct varlink_server *server, const struct exhibit_options *options,
	void (*ended)(void *arg, const char *how), void *arg, struct child **ret);
