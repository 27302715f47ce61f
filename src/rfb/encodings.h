/* SPDX-License-Identifier: GPL-2.0-or-later */
/* encodings.h - what a viewer may list in SetEncodings (RFB 7.5.2), and who sends it: LibVNCServer or rfb/notices.h. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define ENCODING_RAW		       0u
#define ENCODING_DESKTOP_SIZE	       0xffffff21u /* -223 */
#define ENCODING_POINTER_POSITION      0xffffff18u /* -232 */
#define ENCODING_CURSOR		       0xffffff11u /* -239 */
#define ENCODING_XCURSOR	       0xffffff10u /* -240 */
#define ENCODING_EXTENDED_DESKTOP_SIZE 0xfffffeccu /* -308 */
#define ENCODING_CURSOR_ALPHA	       0xfffffec6u /* -314, Cursor With Alpha */

/* What a viewer can be told beside pixels. LibVNCServer never hears of these. */
enum encoding_extra {
	EXTRA_DESKTOP_SIZE = 1,
	EXTRA_EXTENDED_DESKTOP_SIZE = 2,
	EXTRA_POINTER_POSITION = 4,
	EXTRA_XCURSOR = 8,
	EXTRA_CURSOR = 16,
	EXTRA_CURSOR_ALPHA = 32,
	EXTRA_RESIZES = EXTRA_DESKTOP_SIZE | EXTRA_EXTENDED_DESKTOP_SIZE,
};

/* ExtendedDesktopSize: who wanted that size, and what became of SetDesktopSize (rfbproto.rst). */
enum size_reason { REASON_SERVER = 0, REASON_THIS_VIEWER = 1, REASON_OTHER_VIEWER = 2 };
enum size_status { SIZE_DONE = 0, SIZE_PROHIBITED = 1, SIZE_INVALID = 3, SIZE_FORWARDED = 4 };

/* Its bit, or 0. */
unsigned int encoding_extra(uint32_t encoding);
/* May LibVNCServer hear of it? RFB 7.7, 7.8 and TurboVNC's levels. False for whatever version 0.9.14 does not do, or does in a way that
 * a viewer could turn against it, and for the extras. */
bool encoding_permitted(uint32_t encoding);
