/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "damage/tiles_internal.h"

struct hash_key tiles_hash_key;
struct span_key tiles_span_key;
const struct hash_kernel *tiles_kernel;
static int kernel_error;

static int kernel_find(const char *name)
{
	for (size_t i = 0; hash_kernels[i]; i++) {
		if (name ? strcmp(name, hash_kernels[i]->name) : !hash_kernels[i]->usable())
			continue;
		if (!hash_kernels[i]->usable())
			return -ENOTSUP;
		tiles_kernel = hash_kernels[i];
		return 0;
	}
	return -ENOTSUP;
}

static void kernel_prepare(void)
{
	kernel_error = hash_key_draw(&tiles_hash_key);
	if (!kernel_error)
		kernel_error = span_key_draw(&tiles_span_key);
	if (!kernel_error)
		kernel_error = kernel_find(NULL);
}

int tiles_kernel_ready(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int r = pthread_once(&once, kernel_prepare);

	return r ? -r : kernel_error;
}

int tiles_select(const char *name)
{
	int r = tiles_kernel_ready();

	return r < 0 ? r : kernel_find(name);
}

const char *tiles_selected(void)
{
	return tiles_kernel_ready() < 0 ? "none" : tiles_kernel->name;
}
