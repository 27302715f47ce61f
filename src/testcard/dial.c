/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testcard/dial.h"

#include <math.h>

#include "base/mem.h"
#include "testcard/colour.h"

#define TRAIL 49152u /* three quarters of a turn */

/* How much of a pixel lies inside an edge that is @inside pixels away. */
static uint32_t cover(double inside)
{
	return inside <= -0.5 ? 0 : inside >= 0.5 ? 256 : (uint32_t)((inside + 0.5) * 256);
}

static struct dial_pixel dial_pixel_at(double dx, double dy, double radius)
{
	double distance = hypot(dx, dy), turn = atan2(dx, -dy) / (2 * M_PI);
	double thick = fmax(radius / 24, 1), hour, off;
	struct dial_pixel pixel = {.colour = COLOUR_PANEL};

	turn -= floor(turn);
	pixel.angle = (uint32_t)(turn * 65536) & 0xffff;
	pixel.colour = colour_mix(pixel.colour, COLOUR_EDGE, cover(radius - distance));
	pixel.colour = colour_mix(pixel.colour, COLOUR_ARENA, cover(radius - thick - distance));
	pixel.weight = cover(radius - thick - distance);
	/* Two fainter rings, and twelve marks at the rim. */
	for (int ring = 1; ring < 3; ring++)
		pixel.colour = colour_mix(pixel.colour, COLOUR_EDGE,
			cover(thick / 3 - fabs(distance - radius * ring / 3)) / 2);
	hour = round(turn * 12) / 12;
	off = fabs(sin((turn - hour) * 2 * M_PI)) * distance;
	if (distance > radius * 0.82 && distance < radius * 0.93)
		pixel.colour = colour_mix(pixel.colour, COLOUR_QUIET, cover(thick / 2 - off));
	return pixel;
}

struct dial_pixel *dial_create(uint32_t side)
{
	struct dial_pixel *dial = calloc((size_t)side * side, sizeof(*dial));
	double half = side / 2.0;

	if (!dial)
		return NULL;
	for (uint32_t y = 0; y < side; y++)
		for (uint32_t x = 0; x < side; x++)
			dial[(size_t)y * side + x] =
				dial_pixel_at(x + 0.5 - half, y + 0.5 - half, half - 0.5);
	return dial;
}

void dial_draw(const struct dial_pixel *dial, uint32_t side, const struct canvas *canvas, int32_t x,
	int32_t y, uint16_t angle)
{
	for (uint32_t j = 0; j < side; j++) {
		uint32_t *row =
			(uint32_t *)((uint8_t *)canvas->pixels + (size_t)(y + j) * canvas->stride) +
			x;

		for (uint32_t i = 0; i < side; i++, dial++) {
			uint16_t behind = angle - dial->angle;
			uint32_t light = 0;

			if (dial->weight && behind < TRAIL) {
				light = 256 - behind * 256 / TRAIL;
				light = light * light / 256 * 3 / 4 * dial->weight / 256;
			}
			row[i] = colour_mix(dial->colour, COLOUR_SWEEP, light);
		}
	}
}
