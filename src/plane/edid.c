/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * VESA E-EDID release A revision 2 (EDID 1.4), section 3, and VESA CVT 1.1 with reduced blanking. Multi-byte numbers are
 * little-endian but for the manufacturer; all bytes add up to 0 modulo 256. The four descriptors are the preferred timing, the
 * range limits, the name, and one that is empty. The range limits are those of the modes named here: a guest must not
 * conclude that others will do.
 */
#include "plane/edid.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

#define CLOCK_STEP_KHZ 250u
#define CLOCK_MIN_KHZ \
	10000u /* less passes for garbage: tiny modes get a longer horizontal blanking */
#define CLOCK_MAX_KHZ  655350u
#define REFRESH	       60u
#define H_FRONT	       48u
#define H_SYNC	       32u
#define H_BLANK	       160u
#define V_FRONT	       3u
#define V_BACK_MIN     6u
#define V_BLANK_MIN_US 460u

#define DESCRIPTORS	 54
#define DESCRIPTOR_BYTES 18
#define EMPTY		 0x10
#define NAME		 0xfc
#define RANGES		 0xfd

struct timing {
	uint32_t width, height,
		refresh; /* Hz, as wished for; the clock's steps make it a little less */
	uint32_t clock_khz;
	uint32_t h_blank, v_blank; /* pixels, lines */
	uint32_t v_sync;
};

/* What a guest may choose instead: DMT 1.0, each at 60 Hz. Most have no reduced blanking. */
static const struct {
	uint16_t width, height;
	uint16_t line; /* pixels, with blanking */
	uint32_t clock_khz;
	uint8_t byte, bit; /* established timings I and II; 0: a standard timing */
} others[] = {
	{640, 480, 800, 25175, 35, 0x20},
	{800, 600, 1056, 40000, 35, 0x01},
	{1024, 768, 1344, 65000, 36, 0x08},
	{1280, 720, 1650, 74250, 0, 0},
	{1280, 800, 1680, 83500, 0, 0},
	{1280, 1024, 1688, 108000, 0, 0},
	{1440, 900, 1904, 106500, 0, 0},
	{1600, 1200, 2160, 162000, 0, 0},
	{1680, 1050, 2240, 146250, 0, 0},
	{1920, 1080, 2200, 148500, 0, 0},
	{1920, 1200, 2592, 193250, 0, 0},
};

/* CVT tells a mode's shape by the width of its vertical sync. */
static uint32_t sync_lines(uint32_t width, uint32_t height)
{
	static const struct {
		uint8_t x, y, lines;
	} shapes[] = {{4, 3, 4}, {16, 9, 5}, {16, 10, 6}, {5, 4, 7}, {15, 9, 7}};

	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++)
		if (height * shapes[i].x / shapes[i].y / 8 * 8 == width)
			return shapes[i].lines;
	return 10;
}

static struct timing timing_at(uint32_t width, uint32_t height, uint32_t refresh)
{
	struct timing t = {.width = width, .height = height, .refresh = refresh};
	uint32_t lines, line;

	t.v_sync = sync_lines(width, height);
	/* A blanking of at least 460 us, in lines of (1 s / refresh - 460 us) / height. */
	t.v_blank = V_BLANK_MIN_US * height * refresh / (1000000 - V_BLANK_MIN_US * refresh) + 1;
	t.v_blank = MAX(t.v_blank, V_FRONT + t.v_sync + V_BACK_MIN);
	lines = height + t.v_blank;
	line = MAX(width + H_BLANK, DIV_ROUND_UP(CLOCK_MIN_KHZ * 1000, lines * refresh));
	t.h_blank = line - width;
	t.clock_khz = (uint32_t)((uint64_t)line * lines * refresh / 1000 / CLOCK_STEP_KHZ *
				 CLOCK_STEP_KHZ);
	return t;
}

static struct timing timing_of(uint32_t width, uint32_t height)
{
	uint32_t refresh = REFRESH;
	struct timing t = timing_at(width, height, refresh);

	while (t.clock_khz > CLOCK_MAX_KHZ)
		t = timing_at(width, height, --refresh);
	return t;
}

static uint32_t millimetres(uint32_t pixels)
{
	return pixels * 254 / 960;
}

/* A monitor smaller than a hand is rather none that has a size. */
static bool has_measures(const struct timing *t)
{
	return millimetres(t->width) >= 100 && millimetres(t->height) >= 100;
}

static void put_header(uint8_t *edid, const struct timing *t)
{
	static const uint8_t magic[8] = {0, 255, 255, 255, 255, 255, 255, 0};
	const char maker[3] = {'V', 'F', 'D'};

	memcpy(edid, magic, sizeof(magic));
	edid[8] = (uint8_t)((maker[0] - '@') << 2 | (maker[1] - '@') >> 3);
	edid[9] = (uint8_t)((maker[1] - '@') << 5 | (maker[2] - '@'));
	edid[10] = 1;	 /* product */
	edid[16] = 0xff; /* no week: the year is of the design, not of the making */
	edid[17] = 2026 - 1990;
	edid[18] = 1;
	edid[19] = 4;
	edid[20] = 0xa5; /* digital, 8 bits a colour, DisplayPort */
	if (has_measures(t)) {
		edid[21] = (uint8_t)(millimetres(t->width) / 10);
		edid[22] = (uint8_t)(millimetres(t->height) / 10);
	}
	edid[23] = 220 - 100; /* gamma 2.2 */
	edid[24] = 0x06;      /* sRGB; the preferred mode is the native one */
}

/* The primaries of sRGB and its white, in 1/1024: two bits of each in front, the other eight behind. */
static void put_colours(uint8_t *edid)
{
	static const uint16_t xy[8] = {655, 338, 307, 614, 154, 61, 320, 337};

	for (unsigned int i = 0; i < ARRAY_SIZE(xy); i++) {
		edid[25 + i / 4] |= (uint8_t)((xy[i] & 3) << (6 - i % 4 * 2));
		edid[27 + i] = (uint8_t)(xy[i] >> 2);
	}
}

static uint8_t standard_shape(uint32_t width, uint32_t height)
{
	return width * 10 == height * 16 ? 0x00
	       : width * 3 == height * 4 ? 0x40
	       : width * 4 == height * 5 ? 0x80
					 : 0xc0; /* 16:9 */
}

static bool fits(uint32_t size, uint32_t limit)
{
	return !limit || size <= limit;
}

static bool has_other(const struct edid_monitor *monitor, size_t i)
{
	return fits(others[i].width, monitor->max_width) &&
	       fits(others[i].height, monitor->max_height);
}

static void put_others(uint8_t *edid, const struct edid_monitor *monitor)
{
	uint8_t *standard = edid + 38;

	memset(standard, 1, 16); /* unused */
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		if (!has_other(monitor, i))
			continue;
		if (others[i].byte) {
			edid[others[i].byte] |= others[i].bit;
			continue;
		}
		*standard++ = (uint8_t)(others[i].width / 8 - 31);
		*standard++ = standard_shape(others[i].width, others[i].height); /* 60 Hz: 0 */
	}
}

static void put_timing(uint8_t *d, const struct timing *t)
{
	uint32_t clock = t->clock_khz / 10;
	uint32_t mm_x = has_measures(t) ? millimetres(t->width) : 0;
	uint32_t mm_y = has_measures(t) ? millimetres(t->height) : 0;

	d[0] = (uint8_t)clock;
	d[1] = (uint8_t)(clock >> 8);
	d[2] = (uint8_t)t->width;
	d[3] = (uint8_t)t->h_blank;
	d[4] = (uint8_t)(t->width >> 8 << 4 | t->h_blank >> 8);
	d[5] = (uint8_t)t->height;
	d[6] = (uint8_t)t->v_blank;
	d[7] = (uint8_t)(t->height >> 8 << 4 | t->v_blank >> 8);
	d[8] = H_FRONT;
	d[9] = H_SYNC;
	d[10] = (uint8_t)(V_FRONT << 4 | t->v_sync);
	d[12] = (uint8_t)mm_x;
	d[13] = (uint8_t)mm_y;
	d[14] = (uint8_t)(mm_x >> 8 << 4 | mm_y >> 8);
	d[17] = 0x1a; /* separate syncs, horizontal positive, vertical negative: what reduced blanking looks like */
}

struct ranges {
	uint32_t v_min, v_max; /* Hz */
	uint32_t h_min, h_max; /* kHz */
	uint32_t clock_khz;    /* at most */
};

static void ranges_add(struct ranges *ranges, uint32_t clock_khz, uint32_t line, uint32_t hz)
{
	uint32_t khz = clock_khz / line;

	ranges->v_min = MIN(ranges->v_min, hz - 1);
	ranges->v_max = MAX(ranges->v_max, hz + 1);
	ranges->h_min = MIN(ranges->h_min, khz);
	ranges->h_max = MAX(ranges->h_max, khz + 1);
	ranges->clock_khz = MAX(ranges->clock_khz, clock_khz);
}

static void put_text(uint8_t *d, uint8_t kind, const char *text)
{
	size_t length = strlen(text);

	d[3] = kind;
	memset(d + 5, ' ', 13);
	memcpy(d + 5, text, length);
	if (length < 13)
		d[5 + length] = '\n';
}

static void put_ranges(uint8_t *d, const struct ranges *ranges)
{
	d[3] = RANGES;
	d[5] = (uint8_t)MAX(ranges->v_min, 1u);
	d[6] = (uint8_t)ranges->v_max;
	d[7] = (uint8_t)MAX(ranges->h_min, 1u);
	d[8] = (uint8_t)ranges->h_max;
	d[9] = (uint8_t)DIV_ROUND_UP(ranges->clock_khz, 10000u);
	d[10] = 1; /* no formula: only what is named */
	d[11] = '\n';
	memset(d + 12, ' ', 6);
}

static struct ranges ranges_of(const struct edid_monitor *monitor, const struct timing *t)
{
	struct ranges ranges = {.v_min = UINT32_MAX, .h_min = UINT32_MAX};

	ranges_add(&ranges, t->clock_khz, t->width + t->h_blank, t->refresh);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (has_other(monitor, i))
			ranges_add(&ranges, others[i].clock_khz, others[i].line, REFRESH);
	return ranges;
}

static uint8_t checksum(const uint8_t *edid)
{
	uint8_t sum = 0;

	for (unsigned int i = 0; i < EDID_BYTES - 1; i++)
		sum = (uint8_t)(sum + edid[i]);
	return (uint8_t)-sum;
}

int edid_make(const struct edid_monitor *monitor, uint8_t ret[EDID_BYTES])
{
	uint8_t edid[EDID_BYTES] = {0}, *d = edid + DESCRIPTORS;
	struct ranges ranges;
	struct timing t;

	if (monitor->width < EDID_MIN || monitor->width > EDID_MAX || monitor->height < EDID_MIN ||
		monitor->height > EDID_MAX)
		return -ERANGE;
	t = timing_of(monitor->width, monitor->height);
	ranges = ranges_of(monitor, &t);
	put_header(edid, &t);
	put_colours(edid);
	put_others(edid, monitor);
	put_timing(d, &t);
	put_ranges(d + DESCRIPTOR_BYTES, &ranges);
	put_text(d + 2 * DESCRIPTOR_BYTES, NAME, "vfio-displayd");
	d[3 * DESCRIPTOR_BYTES + 3] = EMPTY;
	edid[EDID_BYTES - 1] = checksum(edid);
	memcpy(ret, edid, sizeof(edid));
	return 0;
}
