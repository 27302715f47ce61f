/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mem.h - the few macros that every room uses. */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)                                                                                  \
	({                                                                                         \
		__auto_type a_ = (a);                                                              \
		__auto_type b_ = (b);                                                              \
		a_ < b_ ? a_ : b_;                                                                 \
	})
#define MAX(a, b)                                                                                  \
	({                                                                                         \
		__auto_type a_ = (a);                                                              \
		__auto_type b_ = (b);                                                              \
		a_ > b_ ? a_ : b_;                                                                 \
	})
#define ALIGN_UP(x, to)       (((x) + (to)-1) / (to) * (to))
#define DIV_ROUND_UP(x, by)   (((x) + (by)-1) / (by))
#define container_of(p, t, m) ((t *)((char *)(p)-offsetof(t, m)))

static inline void mem_freep(void *p)
{
	free(*(void **)p);
}

#define _cleanup_free_ __attribute__((cleanup(mem_freep)))

#define new0(type) ((type *)calloc(1, sizeof(type)))

#define take_ptr(p)                                                                                \
	({                                                                                         \
		__auto_type taken_ = (p);                                                          \
		(p) = NULL;                                                                        \
		taken_;                                                                            \
	})
