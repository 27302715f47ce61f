/* SPDX-License-Identifier: GPL-2.0-or-later */
/* typist.h - what the daemon says goes to QEMU, in order, a call for each group; what is down there is let go when whoever held it has gone. */
#pragma once

#include <stdbool.h>

#include "adapter/post.h"
#include "adapter/qmp.h"

struct typist;

struct typist_settings {
	struct post_settings post;
	struct qmp_settings qmp;
	unsigned int
		kinds; /* bit n is enum input_kind n; 0: a keyboard and the pointer that the VM has */
	void (*changed)(
		void *arg, bool connected); /* from the daemon's sockets to QEMU all is there */
	void (*done)(void *arg);	    /* after typist_stop() */
	void *arg;
};

int typist_create(struct loop *loop, const struct typist_settings *settings, struct typist **ret);
/* Takes NULL. */
void typist_destroy(struct typist *typist);
/* Lets go of all keys, and says when QEMU knows, or has not answered for a second. */
void typist_stop(struct typist *typist);
