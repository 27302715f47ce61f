/* SPDX-License-Identifier: GPL-2.0-or-later */
/* encodings.h - which encodings a viewer may ask LibVNCServer for. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define ENCODING_RAW		       0u
#define ENCODING_DESKTOP_SIZE	       0xffffff21u /* -223 */
#define ENCODING_EXTENDED_DESKTOP_SIZE 0xfffffeccu /* -308 */

/* RFB 7.7, 7.8 and TurboVNC's levels. False for whatever LibVNCServer 0.9.14 does not do, or does in a way that a viewer
 * could turn against it. */
bool encoding_permitted(uint32_t encoding);
