/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "testcard/pointer.h"

#include <math.h>
#include <stdbool.h>

#include "base/mem.h"

#define SHAPE_MS 3000  /* then the other one */
#define LOOP_MS	 12000 /* the path: three times across, twice down */
#define SAMPLES	 8     /* for each pixel, both ways */
#define ARROW	 48.0  /* units that the arrow's corners are given in, for each side */

static const double arrow[][2] = {
	{2, 2}, {2, 38}, {10.5, 30}, {16.5, 44}, {23, 41}, {17, 27.5}, {29, 27.5}};

/* How far (@x, @y) is from the arrow's outline, negative inside. */
static double arrow_distance(double x, double y)
{
	double nearest = INFINITY;
	bool inside = false;

	for (size_t i = 0, j = ARRAY_SIZE(arrow) - 1; i < ARRAY_SIZE(arrow); j = i++) {
		double ax = arrow[j][0], ay = arrow[j][1];
		double dx = arrow[i][0] - ax, dy = arrow[i][1] - ay;
		double along = ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy);

		along = fmin(fmax(along, 0), 1);
		nearest = fmin(nearest, hypot(x - ax - along * dx, y - ay - along * dy));
		if ((ay > y) != (ay + dy > y) && x < ax + (y - ay) / dy * dx)
			inside = !inside;
	}
	return inside ? -nearest : nearest;
}

static double ring_distance(double x, double y)
{
	double distance = hypot(x - ARROW / 2, y - ARROW / 2);

	return fabs(distance - 15) - 4.5;
}

uint32_t pointer_side(uint32_t width, uint32_t height)
{
	uint32_t unit = MIN(width / 320, height / 200);

	return unit <= 3 ? 32 : MIN(unit * 12, 128u);
}

void pointer_draw(uint32_t shape, uint32_t side, uint32_t *pixels)
{
	for (uint32_t y = 0; y < side; y++)
		for (uint32_t x = 0; x < side; x++) {
			unsigned int dark = 0, light = 0, alpha, grey;

			for (int s = 0; s < SAMPLES * SAMPLES; s++) {
				double px = (x + (s % SAMPLES + 0.5) / SAMPLES) * ARROW / side;
				double py = (y + (s / SAMPLES + 0.5) / SAMPLES) * ARROW / side;
				double away =
					shape == 0 ? arrow_distance(px, py) : ring_distance(px, py);

				light += away < -2.2;
				dark += away >= -2.2 && away < 0.8;
			}
			/* White on a near-black edge; premultiplied, so never brighter than alpha. */
			alpha = (light + dark) * 255 / (SAMPLES * SAMPLES);
			grey = (light * 255 + dark * 16) / (SAMPLES * SAMPLES);
			pixels[(size_t)y * side + x] = alpha << 24 | grey << 16 | grey << 8 | grey;
		}
}

void pointer_at(uint32_t width, uint32_t height, uint64_t ms, struct pointer *ret)
{
	uint32_t side = pointer_side(width, height), shape = ms / SHAPE_MS % POINTER_SHAPES;
	double turn = (double)(ms % LOOP_MS) / LOOP_MS * 2 * M_PI;
	uint32_t hot = shape == 0 ? side * 2 / (uint32_t)ARROW : side / 2;
	int32_t x = lround(width * (0.5 + 0.46 * sin(3 * turn + M_PI / 2)));
	int32_t y = lround(height * (0.5 + 0.46 * sin(2 * turn)));

	*ret = (struct pointer){
		.side = side,
		.shape = shape,
		.x = x - (int32_t)hot,
		.y = y - (int32_t)hot,
		.hot_x = hot,
		.hot_y = hot,
		.serial = ms / SHAPE_MS + 1,
	};
}
