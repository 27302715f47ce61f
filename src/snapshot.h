/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapshot.h - one picture, copied for somebody who asked for it once (the method Capture). */
#pragma once

#include <stdint.h>

#include "capture/view.h"

/* A picture as a sealed memfd, rows of XRGB8888. */
struct snapshot {
	int fd; /* the receiver's */
	uint32_t width, height, stride;
};

/* Copies what @view shows. -EFAULT: SIGBUS on the way; -ENOMEM, -EMFILE and others of memfd_create(2). */
int snapshot_copy(const struct view *view, struct snapshot *ret);
