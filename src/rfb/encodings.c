/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/encodings.h"

#include <stddef.h>

#include "base/mem.h"

#define SUBSAMPLING_4X	0xfffffd01u
#define SUBSAMPLING_8X	0xfffffd04u
#define SUBSAMPLING_16X 0xfffffd05u
#define FINE_QUALITY_0	0xfffffe00u

/* Left out on purpose, though the library knows them: ZlibHex (8, no encoder), TightPNG (not in Debian's build), the extended
 * clipboard (closes viewers in 0.9.14), keyboard LED state, SupportedMessages, SupportedEncodings and ServerIdentity
 * (UltraVNC's: replies that nobody needs), and server-side scaling. */
static const struct {
	uint32_t first, last;
} permitted[] = {
	{0, 2},			  /* Raw, CopyRect, RRE */
	{4, 7},			  /* CoRRE, Hextile, Zlib, Tight */
	{9, 9},			  /* Ultra */
	{16, 17},		  /* ZRLE, ZYWRLE */
	{0xfffffd00, 0xfffffd03}, /* TurboVNC: chroma subsampling: none, 4X, 2X, grey */
	{0xfffffe01, 0xfffffe64}, /* TurboVNC: JPEG quality 1 to 100 */
	{0xffffff00, 0xffffff09}, /* compression level, -256 to -247 */
	{0xffffff20, 0xffffff20}, /* LastRect, -224 */
	{0xffffffe0, 0xffffffe9}, /* JPEG quality level, -32 to -23 */
};

static const struct {
	uint32_t encoding;
	unsigned int extra;
} extras[] = {
	{ENCODING_DESKTOP_SIZE, EXTRA_DESKTOP_SIZE},
	{ENCODING_EXTENDED_DESKTOP_SIZE, EXTRA_EXTENDED_DESKTOP_SIZE},
	{ENCODING_POINTER_POSITION, EXTRA_POINTER_POSITION},
	{ENCODING_XCURSOR, EXTRA_XCURSOR},
	{ENCODING_CURSOR, EXTRA_CURSOR},
	{ENCODING_CURSOR_ALPHA, EXTRA_CURSOR_ALPHA},
	{ENCODING_FENCE, EXTRA_FENCE},
	{ENCODING_CONTINUOUS_UPDATES, EXTRA_CONTINUOUS_UPDATES},
	{ENCODING_NAME, EXTRA_NAME},
	{ENCODING_KEYS, EXTRA_KEYS},
	{ENCODING_LEDS, EXTRA_LEDS},
	{ENCODING_VMWARE_LEDS, EXTRA_VMWARE_LEDS},
	{ENCODING_BUTTONS, EXTRA_BUTTONS},
	{ENCODING_POINTER_MODE, EXTRA_POINTER_MODE},
	{ENCODING_XVP, EXTRA_XVP},
	{ENCODING_H264, EXTRA_H264},
};

unsigned int encoding_extra(uint32_t encoding)
{
	for (size_t i = 0; i < ARRAY_SIZE(extras); i++)
		if (encoding == extras[i].encoding)
			return extras[i].extra;
	return 0;
}

bool encoding_permitted(uint32_t encoding)
{
	for (size_t i = 0; i < ARRAY_SIZE(permitted); i++)
		if (encoding >= permitted[i].first && encoding <= permitted[i].last)
			return true;
	return false;
}

uint32_t encoding_clamped(uint32_t encoding)
{
	switch (encoding) {
	case FINE_QUALITY_0:
		return FINE_QUALITY_0 + 1;
	case SUBSAMPLING_8X:
	case SUBSAMPLING_16X:
		return SUBSAMPLING_4X;
	default:
		return encoding;
	}
}
