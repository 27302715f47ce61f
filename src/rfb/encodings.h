/* SPDX-License-Identifier: GPL-2.0-or-later */
/* encodings.h - what a viewer may list in SetEncodings (RFB 7.5.2), and who sends it: LibVNCServer or rfb/notices.h. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define ENCODING_RAW		       0u
#define ENCODING_COPY_RECT	       1u
#define ENCODING_H264		       50u	   /* Open H.264 */
#define ENCODING_DESKTOP_SIZE	       0xffffff21u /* -223 */
#define ENCODING_POINTER_POSITION      0xffffff18u /* -232 */
#define ENCODING_CURSOR		       0xffffff11u /* -239 */
#define ENCODING_XCURSOR	       0xffffff10u /* -240 */
#define ENCODING_POINTER_MODE	       0xfffffeffu /* -257, QEMU Pointer Motion Change */
#define ENCODING_KEYS		       0xfffffefeu /* -258, QEMU Extended Key Event */
#define ENCODING_LEDS		       0xfffffefbu /* -261, QEMU LED State */
#define ENCODING_NAME		       0xfffffecdu /* -307, DesktopName */
#define ENCODING_EXTENDED_DESKTOP_SIZE 0xfffffeccu /* -308 */
#define ENCODING_XVP		       0xfffffecbu /* -309 */
#define ENCODING_FENCE		       0xfffffec8u /* -312 */
#define ENCODING_CONTINUOUS_UPDATES    0xfffffec7u /* -313 */
#define ENCODING_CURSOR_ALPHA	       0xfffffec6u /* -314, Cursor With Alpha */
#define ENCODING_BUTTONS	       0xfffffec4u /* -316, ExtendedMouseButtons */
#define ENCODING_VMWARE_LEDS	       0x574d5668u

/* What a viewer can be told beside pixels, and pixels that are not the library's. LibVNCServer never hears of these. */
enum encoding_extra {
	EXTRA_DESKTOP_SIZE = 1,
	EXTRA_EXTENDED_DESKTOP_SIZE = 2,
	EXTRA_POINTER_POSITION = 4,
	EXTRA_XCURSOR = 8,
	EXTRA_CURSOR = 16,
	EXTRA_CURSOR_ALPHA = 32,
	EXTRA_FENCE = 64,
	EXTRA_CONTINUOUS_UPDATES = 128,
	EXTRA_NAME = 256,
	EXTRA_KEYS = 512,
	EXTRA_LEDS = 1024,
	EXTRA_VMWARE_LEDS = 2048,
	EXTRA_BUTTONS = 4096,
	EXTRA_POINTER_MODE = 8192,
	EXTRA_XVP = 16384,
	EXTRA_H264 = 32768,
	EXTRA_ALL = 65535,
	EXTRA_RESIZES = EXTRA_DESKTOP_SIZE | EXTRA_EXTENDED_DESKTOP_SIZE,
	EXTRA_ANY_LEDS = EXTRA_LEDS | EXTRA_VMWARE_LEDS,
};

/* Fences (rfbproto.rst, ClientFence): those flags that are answered. The request bit is for the parser alone. */
#define FENCE_BLOCK_BEFORE 1u
#define FENCE_SYNC_NEXT	   4u
#define FENCE_FLAGS	   7u /* BlockBefore, BlockAfter, SyncNext */
#define FENCE_REQUEST	   0x80000000u
#define FENCE_PAYLOAD	   64 /* bytes at most */

/* ExtendedDesktopSize: who wanted that size, and what became of SetDesktopSize (rfbproto.rst). */
enum size_reason { REASON_SERVER = 0, REASON_THIS_VIEWER = 1, REASON_OTHER_VIEWER = 2 };
enum size_status { SIZE_DONE = 0, SIZE_PROHIBITED = 1, SIZE_INVALID = 3, SIZE_FORWARDED = 4 };

/* Its bit, or 0. */
unsigned int encoding_extra(uint32_t encoding);
/* May LibVNCServer hear of it? RFB 7.7, 7.8 and TurboVNC's levels. False for whatever version 0.9.14 does not do, or does in a way that
 * a viewer could turn against it, and for the extras. */
bool encoding_permitted(uint32_t encoding);
/* The nearest that LibVNCServer does: it takes no fine quality 0, and of chroma subsampling 8X and 16X no notice. Else @encoding. */
uint32_t encoding_clamped(uint32_t encoding);
