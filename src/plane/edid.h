/* SPDX-License-Identifier: GPL-2.0-or-later */
/* edid.h - the description of a monitor that prefers a given size: one base block of EDID 1.4, which is all that GVT-g takes.
 *
 * The preferred mode is a detailed timing: CVT 1.1's formula for reduced blanking, at 60 Hz or as near below it as a pixel clock
 * of 655.35 MHz, the field's end, allows (4095x4095: 36 Hz). The size is carried as it is: CVT would round widths to multiples of
 * 8, but 1366 columns are 1366, and a guest whose hardware wants 8 rounds itself. A few common sizes at 60 Hz are there too,
 * as far as the device can show them. One pixel is 1/96 inch, so guests do not scale.
 */
#pragma once

#include <stdint.h>

#define EDID_BYTES 128
#define EDID_MIN   64 /* pixels: the smallest that Linux takes from a detailed timing (drm_edid.c) */
#define EDID_MAX   4095 /* pixels: where a detailed timing's 12 bits end */

struct edid_monitor {
	uint32_t width, height;		/* pixels: preferred, EDID_MIN to EDID_MAX */
	uint32_t max_width, max_height; /* no other mode goes beyond; 0: no limit */
};

/* -ERANGE: such a size cannot be described. */
int edid_make(const struct edid_monitor *monitor, uint8_t ret[EDID_BYTES]);
