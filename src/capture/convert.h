/* SPDX-License-Identifier: GPL-2.0-or-later */
/* convert.h - rows of every supported format to XRGB8888 with X = 0. Scalar twins and SIMD, chosen once at run time. */
#pragma once

#include <stdint.h>

#include "capture/view.h"

/* NULL: no such format. The fastest that this CPU has. */
convert_fn convert_find(uint32_t fourcc);
/* The scalar twin; a test holds the two equal. */
convert_fn convert_find_scalar(uint32_t fourcc);
