/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/shared.h"

#include "base/mem.h"

struct shared *shared_create(
	const char *first, size_t first_size, const char *rest, size_t rest_size)
{
	struct shared *shared = malloc(sizeof(*shared) + first_size + rest_size);

	if (!shared)
		return NULL;
	shared->references = 1;
	shared->size = first_size + rest_size;
	memcpy(shared->bytes, first, first_size);
	memcpy(shared->bytes + first_size, rest, rest_size);
	return shared;
}

struct shared *shared_reference(struct shared *shared)
{
	shared->references++;
	return shared;
}

void shared_release(struct shared *shared)
{
	if (shared && --shared->references == 0)
		free(shared);
}
