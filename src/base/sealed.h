/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sealed.h - a text in a memfd that nobody can change any more, to be handed out. */
#pragma once

#include <stddef.h>

/* @name: for /proc. The caller's fd, read from its beginning. -errno. */
int sealed_text(const char *name, const char *text, size_t size, int *ret_fd);
