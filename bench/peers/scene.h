/* SPDX-License-Identifier: GPL-2.0-or-later */
/* scene.h - pictures that look like real screens, frame after frame, the same in every run. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct scene_kind;

struct scene {
	const struct scene_kind *kind;
	uint32_t width, height;
	uint32_t *pixels; /* XRGB8888, rows of @width without gaps: the frame as it is now */
	uint32_t *page;	  /* what lies under it or scrolls through it, @page_rows rows of @width */
	uint32_t page_rows;
	uint32_t frame; /* steps taken */
	uint64_t random;
	int64_t at[4]; /* the scene's own places: carets, scroll offsets */
	unsigned int amount;
};

/* Makes the scene @name at its first frame, or fails with -EINVAL for an unknown name, -ENOMEM. Sizes from 320x240.
 * "area-N" changes N percent of the picture in each frame. */
int scene_create(const char *name, uint32_t width, uint32_t height, struct scene **ret_scene);
/* Another one at the same frame; -ENOMEM. */
int scene_copy(const struct scene *scene, struct scene **ret_scene);
void scene_destroy(struct scene *scene);

/* Draws the next frame. */
void scene_step(struct scene *scene);

/* All names but "area-N", by turns; NULL after the last. */
const char *scene_name(size_t i);
