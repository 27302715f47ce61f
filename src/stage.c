/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stage.h"

#include <errno.h>
#include <stdio.h>

#include "base/limits.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/probe.h"
#include "capture/capture.h"
#include "damage/move.h"
#include "damage/rects.h"
#include "damage/tiles.h"
#include "frame/frame.h"
#include "frame/placard.h"
#include "frame/wall.h"

enum {
	PLACARD_WIDTH = 1024, /* where no picture was there before */
	PLACARD_HEIGHT = 768,
	PLACARD_WIDTH_MIN = 320, /* words must fit */
	PLACARD_HEIGHT_MIN = 200,
	CURSOR_FAR = 4 * LIMIT_WIDTH,
};

enum turn { FRESH, VIEWERS, ASKED, OURS }; /* whose the frame is; FRESH: nobody reads it yet */

struct stage {
	struct wall *wall;
	struct frame *frame; /* owned, NULL: none */
	struct tiles *tiles; /* owned, NULL for a placard */
	enum turn turn;
	uint64_t asked_at, heard_at; /* heard_at: asked, or told that it takes longer */
	uint32_t generation;
	uint32_t taken;		 /* the newest frame that the RFB program is known to have */
	bool blocked;		 /* a new frame must wait for that */
	uint32_t width, height;	 /* of the last picture */
	uint64_t noticed;	 /* when the change was first looked at; 0: not known, or none */
	bool changed;		 /* something to publish beside damage: cursor, placard */
	bool torn;		 /* reading the picture failed halfway: not to be seen like this */
	uint32_t *cursor_pixels; /* owned: LIMIT_CURSOR^2, allocated with the first cursor */
	enum frame_placard shown;
	char words[256]; /* on the placard */
};

int stage_create(struct wall *wall, struct stage **ret)
{
	struct stage *stage = new0(struct stage);

	if (!stage)
		return -ENOMEM;
	stage->wall = wall;
	*ret = stage;
	return 0;
}

void stage_strike(struct stage *stage)
{
	wall_show(stage->wall, NULL);
	frame_destroy(take_ptr(stage->frame));
	tiles_destroy(take_ptr(stage->tiles));
	stage->turn = FRESH;
	stage->changed = false;
	stage->taken = stage->generation;
	stage->blocked = false;
}

void stage_destroy(struct stage *stage)
{
	if (!stage)
		return;
	stage_strike(stage);
	free(stage->cursor_pixels);
	free(stage);
}

bool stage_ask(struct stage *stage)
{
	if (stage->turn == VIEWERS &&
		wall_want_write(stage->wall, stage->frame->header.generation) == 0) {
		stage->turn = ASKED;
		stage->asked_at = stage->heard_at = loop_now_ms();
	}
	return stage->turn == FRESH || stage->turn == OURS;
}

static bool gate(void *arg)
{
	return stage_ask(arg);
}

void stage_granted(struct stage *stage, uint32_t generation)
{
	if (stage->turn != ASKED || stage->frame->header.generation != generation)
		return;
	PROBE1(granted, generation);
	stage->turn = OURS;
}

void stage_busy(struct stage *stage, uint32_t generation)
{
	if (stage->turn == ASKED && stage->frame->header.generation == generation)
		stage->heard_at = loop_now_ms();
}

bool stage_taken(struct stage *stage, uint32_t generation)
{
	bool was_blocked = stage->blocked;

	/* Of what was sent and not yet known to be there; anything else is old or a lie. */
	if (generation - stage->taken > stage->generation - stage->taken)
		return false;
	stage->taken = generation;
	stage->blocked = false;
	return was_blocked;
}

int stage_patience(struct stage *stage, uint64_t now)
{
	uint64_t end;

	if (stage->turn != ASKED && !stage->blocked)
		return -1;
	end = stage->heard_at + LIMIT_GRANT_MS;
	if (!stage->blocked)
		end = MIN(end, stage->asked_at + LIMIT_ENCODE_MS);
	if (now < end)
		return end - now;
	wall_stuck(stage->wall);
	if (stage->turn == ASKED)
		stage->turn = VIEWERS;
	stage->heard_at = now;
	return 0;
}

/* Each frame on its way is memory that nobody counts. */
static bool too_many_untaken(struct stage *stage)
{
	if (stage->generation - stage->taken < LIMIT_FRAMES_UNTAKEN)
		return false;
	if (!stage->blocked)
		stage->heard_at = loop_now_ms();
	stage->blocked = true;
	return true;
}

void stage_patience_anew(struct stage *stage, uint64_t now)
{
	stage->asked_at = stage->heard_at = now;
}

/* A frame that nobody reads yet. The old one lives on in the RFB program until its last reader leaves it. */
static int new_frame(
	struct stage *stage, uint32_t width, uint32_t height, enum frame_placard placard)
{
	struct wall_before before = wall_before(stage->wall);
	struct tiles *tiles = NULL;
	struct frame *frame;
	int r;

	if (!stage->frame && before.generation)
		stage->generation = stage->taken = before.generation;
	if (too_many_untaken(stage))
		return -EAGAIN;
	if (placard == FRAME_PICTURE) {
		r = tiles_create(width, height, &tiles);
		if (r < 0)
			return r;
	}
	r = frame_create(width, height, stage->generation + 1, &frame);
	if (r < 0) {
		tiles_destroy(tiles);
		return r;
	}
	stage->generation++;
	frame_live(frame)->placard = placard;
	/* Viewers know an image by its number, in this frame or in the last. */
	if (stage->frame)
		frame_live(frame)->cursor.serial = frame_live(stage->frame)->cursor.serial;
	wall_show(stage->wall, frame);
	frame_destroy(stage->frame);
	tiles_destroy(stage->tiles);
	stage->frame = frame;
	stage->tiles = tiles;
	stage->turn = FRESH;
	stage->shown = placard;
	stage->changed = true;
	stage->torn = false;
	stage->words[0] = '\0';
	return 0;
}

bool stage_shows_picture(const struct stage *stage)
{
	return stage->tiles;
}

/* tiles_look() or one of its kin. */
typedef int (*look_fn)(struct tiles *tiles, const struct view *view, uint32_t *dst,
	size_t dst_stride, tiles_gate_fn gate, void *gate_arg);

struct looking {
	struct stage *stage;
	const struct view *view;
	look_fn look;
	bool sparse;
};

static int guarded_look(void *arg)
{
	struct looking *looking = arg;
	struct stage *stage = looking->stage;

	return looking->look(stage->tiles, looking->view, frame_pixels(stage->frame),
		stage->frame->header.stride, gate, stage);
}

static int look(struct stage *stage, const struct view *view, look_fn how)
{
	struct looking looking = {.stage = stage, .view = view, .look = how};
	int r = tiles_make_room(stage->tiles, view);

	if (r < 0)
		return r;
	r = capture_guard(guarded_look, &looking);
	if (r != -EAGAIN)
		stage->torn = r < 0;
	return r;
}

int stage_picture(struct stage *stage, const struct view *view)
{
	int r;

	if (!stage->tiles || stage->frame->header.width != view->width ||
		stage->frame->header.height != view->height) {
		r = new_frame(stage, view->width, view->height, FRAME_PICTURE);
		if (r < 0)
			return r;
	}
	stage->width = view->width;
	stage->height = view->height;
	return look(stage, view, tiles_look);
}

static int guarded_probe(void *arg)
{
	struct looking *looking = arg;
	struct stage *stage = looking->stage;

	return (int)tiles_probe(stage->tiles, looking->view, frame_pixels(stage->frame),
		stage->frame->header.stride, looking->sparse);
}

/* A look at a part of it can be of use. */
static bool has_whole_picture(const struct stage *stage, const struct view *view)
{
	return stage->tiles && !stage->torn && stage->frame->header.width == view->width &&
	       stage->frame->header.height == view->height;
}

int stage_probe(struct stage *stage, const struct view *view, bool sparse)
{
	struct looking looking = {.stage = stage, .view = view, .sparse = sparse};

	if (!has_whole_picture(stage, view))
		return TILES_UNKNOWN;
	return capture_guard(guarded_probe, &looking);
}

int stage_picture_near(struct stage *stage, const struct view *view)
{
	return has_whole_picture(stage, view) ? look(stage, view, tiles_look_near)
					      : stage_picture(stage, view);
}

int stage_picture_warm(struct stage *stage, const struct view *view)
{
	return has_whole_picture(stage, view) ? look(stage, view, tiles_look_warm) : 0;
}

bool stage_found_warm(const struct stage *stage)
{
	return stage->tiles && tiles_found_warm(stage->tiles);
}

void stage_rest(struct stage *stage)
{
	if (stage->tiles && !stage->torn)
		tiles_rest(stage->tiles);
}

struct copying {
	uint32_t *to;
	const struct view *from;
};

/* Alpha counts here, so not through view->convert. */
static int guarded_copy(void *arg)
{
	struct copying *copying = arg;
	const struct view *view = copying->from;

	for (uint32_t y = 0; y < view->rows_readable; y++)
		memcpy(copying->to + (size_t)y * view->width,
			view->pixels + (size_t)y * view->stride, view->width * 4);
	return 0;
}

static int32_t clamp(int32_t position)
{
	if (position < -CURSOR_FAR)
		return -CURSOR_FAR;
	return MIN(position, (int32_t)CURSOR_FAR);
}

static void place_cursor(struct frame_cursor *cursor, const struct plane *plane)
{
	cursor->visible = true;
	cursor->width = plane->width;
	cursor->height = plane->height;
	cursor->x = clamp(plane->x);
	cursor->y = clamp(plane->y);
	cursor->hot_x = plane->hot_x < plane->width ? plane->hot_x : 0;
	cursor->hot_y = plane->hot_y < plane->height ? plane->hot_y : 0;
}

int stage_cursor(struct stage *stage, const struct plane *plane, const struct view *view)
{
	struct frame_cursor cursor, *live;
	struct copying copying = {.from = view};
	bool image_changed = false;
	size_t bytes = 0;
	int r;

	if (!stage->tiles)
		return 0;
	live = &frame_live(stage->frame)->cursor;
	cursor = *live;
	cursor.visible = false;
	if (plane) {
		if (!stage->cursor_pixels)
			stage->cursor_pixels = calloc(LIMIT_CURSOR * LIMIT_CURSOR, 4);
		if (!stage->cursor_pixels)
			return -ENOMEM;
		copying.to = stage->cursor_pixels;
		r = capture_guard(guarded_copy, &copying);
		if (r < 0)
			return r;
		place_cursor(&cursor, plane);
		bytes = (size_t)plane->width * plane->height * 4;
		image_changed =
			cursor.width != live->width || cursor.height != live->height ||
			cursor.hot_x != live->hot_x || cursor.hot_y != live->hot_y ||
			memcmp(stage->cursor_pixels, frame_cursor_pixels(stage->frame), bytes) != 0;
	}
	if (!image_changed && memcmp(&cursor, live, sizeof(cursor)) == 0)
		return 0;
	if (!gate(stage))
		return -EAGAIN;
	if (image_changed) {
		memcpy(frame_cursor_pixels(stage->frame), stage->cursor_pixels, bytes);
		cursor.serial++;
	}
	*live = cursor;
	stage->changed = true;
	return 1;
}

static int show_words(struct stage *stage, uint32_t width, uint32_t height,
	enum frame_placard placard, const char *title, const char *reason)
{
	char words[sizeof(stage->words)];
	struct canvas canvas;
	int r;

	snprintf(words, sizeof(words), "%s: %s", title, reason);
	if (stage->frame && stage->shown == placard && strcmp(words, stage->words) == 0)
		return 0;
	r = new_frame(stage, width, height, placard);
	if (r < 0)
		return r;
	memcpy(stage->words, words, sizeof(words));
	canvas.pixels = frame_pixels(stage->frame);
	canvas.width = width;
	canvas.height = height;
	canvas.stride = stage->frame->header.stride;
	placard_draw(&canvas, title, reason);
	return 1;
}

int stage_placard(struct stage *stage, bool passing, const char *title, const char *reason)
{
	enum frame_placard placard = passing ? FRAME_PASSING_WORDS : FRAME_WORDS;
	struct wall_before before = wall_before(stage->wall);

	if (!stage->width) {
		stage->width = before.width;
		stage->height = before.height;
	}
	if (!stage->width)
		return show_words(stage, PLACARD_WIDTH, PLACARD_HEIGHT, placard, title, reason);
	return show_words(stage, MAX(stage->width, (uint32_t)PLACARD_WIDTH_MIN),
		MAX(stage->height, (uint32_t)PLACARD_HEIGHT_MIN), placard, title, reason);
}

int stage_excuse(struct stage *stage, const char *title, const char *reason)
{
	return show_words(stage, PLACARD_WIDTH, PLACARD_HEIGHT, FRAME_WORDS, title, reason);
}

void stage_noticed(struct stage *stage, uint64_t ns)
{
	if (!stage->noticed)
		stage->noticed = ns;
}

/* Nothing is said where something moved. */
static void tell_news(struct stage *stage, size_t moves)
{
	struct rect news;

	if (moves || !tiles_news(stage->tiles, &news))
		news = (struct rect){0};
	memcpy(frame_live(stage->frame)->news,
		(uint32_t[]){news.x, news.y, news.width, news.height},
		sizeof(frame_live(stage->frame)->news));
}

int stage_publish(struct stage *stage, uint64_t audience)
{
	struct move moves[LIMIT_MOVES];
	struct wall_news news = {.audience = audience, .moves = moves};
	bool damaged;

	if (!stage->frame || stage->turn == VIEWERS || stage->turn == ASKED || stage->torn)
		return -EAGAIN;
	damaged = stage->tiles ? tiles_damaged(stage->tiles) : stage->changed;
	if (stage->turn == FRESH && !damaged)
		return -EAGAIN; /* the first look failed: there is nothing to see yet */
	if (stage->tiles) {
		news.move_count = tiles_take_moves(stage->tiles, moves, frame_left(stage->frame));
		tell_news(stage, news.move_count);
		tiles_take_damage(stage->tiles, frame_damage(stage->frame));
	}
	news.generation = stage->frame->header.generation;
	news.damaged = damaged;
	news.noticed = stage->noticed;
	wall_publish(stage->wall, &news);
	stage->noticed = 0;
	damaged |= stage->changed;
	stage->changed = false;
	stage->turn = VIEWERS;
	return damaged;
}
