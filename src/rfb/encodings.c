/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/encodings.h"

#include <stddef.h>

#include "base/mem.h"

/* Left out on purpose, though the library knows them: ZlibHex (8, no encoder), TightPNG (not in Debian's build), the extended
 * clipboard (closes viewers in 0.9.14), xvp, keyboard LED state, SupportedMessages, SupportedEncodings and ServerIdentity
 * (UltraVNC's: replies that nobody needs), and server-side scaling. */
static const struct {
	uint32_t first, last;
} permitted[] = {
	{0, 2},			  /* Raw, CopyRect, RRE */
	{4, 7},			  /* CoRRE, Hextile, Zlib, Tight */
	{9, 9},			  /* Ultra */
	{16, 17},		  /* ZRLE, ZYWRLE */
	{0xfffffd00, 0xfffffd05}, /* TurboVNC: chroma subsampling */
	{0xfffffe00, 0xfffffe64}, /* TurboVNC: JPEG quality 0 to 100 */
	{0xffffff00, 0xffffff09}, /* compression level, -256 to -247 */
	{0xffffff20, 0xffffff20}, /* LastRect, -224 */
	{0xffffffe0, 0xffffffe9}, /* JPEG quality level, -32 to -23 */
};

unsigned int encoding_extra(uint32_t encoding)
{
	switch (encoding) {
	case ENCODING_DESKTOP_SIZE:
		return EXTRA_DESKTOP_SIZE;
	case ENCODING_EXTENDED_DESKTOP_SIZE:
		return EXTRA_EXTENDED_DESKTOP_SIZE;
	case ENCODING_POINTER_POSITION:
		return EXTRA_POINTER_POSITION;
	case ENCODING_XCURSOR:
		return EXTRA_XCURSOR;
	case ENCODING_CURSOR:
		return EXTRA_CURSOR;
	case ENCODING_CURSOR_ALPHA:
		return EXTRA_CURSOR_ALPHA;
	default:
		return 0;
	}
}

bool encoding_permitted(uint32_t encoding)
{
	for (size_t i = 0; i < ARRAY_SIZE(permitted); i++)
		if (encoding >= permitted[i].first && encoding <= permitted[i].last)
			return true;
	return false;
}
