/* SPDX-License-Identifier: GPL-2.0-or-later */
/* convert_x86.h - the SIMD twins of convert.c. None reads a byte beyond the row. */
#pragma once

#include <stdint.h>

#include "capture/view.h"

enum convert_x86_level { CONVERT_SSSE3, CONVERT_AVX2 };

/* The fastest that this CPU has, NULL: none. On other machines always NULL. */
convert_fn convert_x86_find(uint32_t fourcc);
/* One kernel, for tests. The caller knows that the CPU has it. NULL: none. */
convert_fn convert_x86_find_level(uint32_t fourcc, enum convert_x86_level level);
