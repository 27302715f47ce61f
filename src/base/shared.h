/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shared.h - bytes that do not change any more and have several owners. One thread. */
#pragma once

#include <stddef.h>

struct shared {
	size_t references;
	size_t size;
	char bytes[];
};

/* A copy of @size bytes of @first and then of @rest, with one reference. NULL: out of memory. */
struct shared *shared_create(const char *first, size_t first_size, const char *rest, size_t rest_size);
struct shared *shared_reference(struct shared *shared);
/* The last one frees it. Takes NULL. */
void shared_release(struct shared *shared);
