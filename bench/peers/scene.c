/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "peers/scene.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frame/text.h"
#include "peers/brush.h"

struct scene_kind {
	const char *name;
	void (*begin)(struct scene *scene);
	void (*step)(struct scene *scene);
	unsigned int page; /* height of the page, in quarters of the picture's */
};

enum { BAR = 32 /* height of title bars and panels */ };

static struct sheet whole(struct scene *s)
{
	return (struct sheet){s->pixels, s->width, s->height};
}

static struct sheet page_of(struct scene *s)
{
	return (struct sheet){s->page, s->width, s->page_rows};
}

static uint32_t below(struct scene *s, uint32_t limit)
{
	return brush_below(&s->random, limit);
}

static void copy_box(const struct sheet *to, int32_t x, int32_t y, int32_t width, int32_t height,
	const struct sheet *from, int32_t from_x, int32_t from_y)
{
	for (int32_t j = 0; j < height; j++)
		memcpy(&to->pixels[(size_t)(y + j) * to->width + x],
			&from->pixels[(size_t)(from_y + j) * from->width + from_x],
			(size_t)width * 4);
}

/* ---- Parts of pictures ---- */

static void photo(const struct sheet *sheet, int32_t x, int32_t y, int32_t width, int32_t height,
	uint64_t seed, uint32_t grain)
{
	struct brush_view view = {
		.u = brush_random(&seed),
		.v = brush_random(&seed),
		.u_x = 20000 + (int32_t)brush_below(&seed, 20000),
		.v_x = (int32_t)brush_below(&seed, 9000),
		.u_y = -(int32_t)brush_below(&seed, 9000),
		.v_y = 20000 + (int32_t)brush_below(&seed, 20000),
		.grain = grain,
		.random = seed,
	};

	brush_photo(sheet, x, y, width, height, &view);
}

static void prose(struct scene *s, const struct sheet *sheet, int32_t x, int32_t y, int32_t width,
	int32_t height, uint32_t colour)
{
	char text[400];

	for (int32_t line = 0; (line + 1) * BRUSH_LINE <= height; line++) {
		size_t letters = (size_t)width / 7;

		if (line % 7 == 6)
			continue;
		if (line % 7 == 5)
			letters = letters * (30 + below(s, 60)) / 100;
		brush_words(&s->random, text, letters < sizeof(text) ? letters : sizeof(text));
		brush_smooth(sheet, 3 * x, y + line * BRUSH_LINE, text, colour);
	}
}

static void window(struct scene *s, const struct sheet *sheet, int32_t x, int32_t y, int32_t width,
	int32_t height, uint32_t ground)
{
	brush_box(sheet, x, y, width, height, 0x8899aa);
	for (int32_t i = 0; i < BAR - 2; i++) /* a title bar that fades */
		brush_box(sheet, x + 1, y + 1 + i, width - 2, 1, 0x4a6fa5 + (uint32_t)i * 0x010101);
	brush_smooth(sheet, 3 * (x + 12), y + 8, "Window - Program", 0xffffff);
	brush_box(sheet, x + width - 28, y + 7, 18, 18, 0xcc4444);
	brush_box(sheet, x + 1, y + BAR - 1, width - 2, height - BAR, ground);
	(void)s;
}

static void desktop(struct scene *s, const struct sheet *sheet)
{
	int32_t width = (int32_t)s->width, height = (int32_t)s->height;

	photo(sheet, 0, 0, width, height, 7, 0);
	brush_box(sheet, 0, height - BAR, width, BAR, 0x202830);
	for (int32_t i = 0; i < 6; i++) {
		brush_box(sheet, 8 + 40 * i, height - BAR + 4, 24, 24,
			0x3355aa + (uint32_t)i * 0x1a0c05);
		brush_box(sheet, 24, 24 + 80 * i, 48, 48, 0xddaa33 - (uint32_t)i * 0x140804);
		brush_smooth(sheet, 3 * 24, 76 + 80 * i, "folder", 0xffffff);
	}
	window(s, sheet, width / 2, height / 8, width * 2 / 5, height / 2, 0xffffff);
	prose(s, sheet, width / 2 + 12, height / 8 + BAR + 8, width * 2 / 5 - 24,
		height / 2 - BAR - 16, 0x202020);
}

/* ---- Text that is typed ---- */

static void type_begin(struct scene *s)
{
	struct sheet sheet = whole(s);
	int32_t width = (int32_t)s->width, height = (int32_t)s->height;

	desktop(s, &sheet);
	window(s, &sheet, width / 16, height / 16, width * 3 / 4, height * 3 / 4, 0xffffff);
	s->at[2] = width / 16 + 24;
	s->at[3] = height / 16 + BAR + 16;
	prose(s, &sheet, (int32_t)s->at[2], (int32_t)s->at[3], width * 3 / 4 - 48, height / 2,
		0x101010);
	s->at[0] = 3 * s->at[2];
	s->at[1] = s->at[3] + height / 2 / BRUSH_LINE * BRUSH_LINE;
}

static void type_step(struct scene *s)
{
	struct sheet sheet = whole(s);
	char letter[2] = {(char)('a' + below(s, 26)), 0};
	int32_t right = (int32_t)(s->at[2] + s->width * 3 / 4 - 60);

	brush_box(&sheet, (int32_t)(s->at[0] + 2) / 3, (int32_t)s->at[1] - 1, 2, 16, 0xffffff);
	if (s->at[0] / 3 >= right) {
		s->at[0] = 3 * s->at[2];
		s->at[1] += BRUSH_LINE;
		if (s->at[1] + 2 * BRUSH_LINE > s->height * 13 / 16)
			s->at[1] = s->at[3];
		brush_box(&sheet, (int32_t)s->at[2], (int32_t)s->at[1],
			right - (int32_t)s->at[2] + 16, BRUSH_LINE, 0xffffff);
	}
	s->at[0] = brush_smooth(&sheet, (int32_t)s->at[0], (int32_t)s->at[1], letter, 0x101010);
	s->at[0] += s->frame % 6 ? 0 : 11;
	brush_box(&sheet, (int32_t)(s->at[0] + 2) / 3, (int32_t)s->at[1] - 1, 2, 16, 0);
}

/* ---- Consoles ---- */

struct console {
	int32_t x, y, columns, rows;
	uint32_t ground;
};

static void console_line(struct scene *s, const struct console *c, int32_t row, bool coloured)
{
	static const uint32_t inks[] = {0xd0d0d0, 0x5fd75f, 0xd0d0d0, 0xd7af5f, 0x5f87ff, 0xd75f5f};
	struct sheet sheet = whole(s);
	char text[512];
	int32_t x = c->x, y = c->y + row * TEXT_GLYPH_HEIGHT, letters;

	brush_box(&sheet, c->x, y, c->columns * TEXT_GLYPH_WIDTH, TEXT_GLYPH_HEIGHT, c->ground);
	if (!coloured) {
		letters = snprintf(
			text, sizeof(text), "[%5u.%06u] ", s->frame / 7, below(s, 1000000));
		brush_sharp(&sheet, x, y, text, 0xaaaaaa, c->ground);
		x += letters * TEXT_GLYPH_WIDTH;
	}
	for (int part = 0; part < (coloured ? 3 : 1); part++) {
		letters = (c->columns - 20) / (coloured ? 3 : 2);
		letters = 4 + (int32_t)below(s, (uint32_t)letters);
		brush_words(&s->random, text,
			(size_t)letters < sizeof(text) ? (size_t)letters : sizeof(text));
		brush_sharp(&sheet, x, y, text, coloured ? inks[below(s, 6)] : 0xaaaaaa, c->ground);
		x += (int32_t)strlen(text) * TEXT_GLYPH_WIDTH;
	}
}

static void console_scroll(
	struct scene *s, const struct console *c, int32_t lines, int32_t rows, bool coloured)
{
	struct sheet sheet = whole(s);

	copy_box(&sheet, c->x, c->y, c->columns * TEXT_GLYPH_WIDTH,
		(rows - lines) * TEXT_GLYPH_HEIGHT, &sheet, c->x, c->y + lines * TEXT_GLYPH_HEIGHT);
	for (int32_t i = rows - lines; i < rows; i++)
		console_line(s, c, i, coloured);
}

static struct console terminal(struct scene *s)
{
	return (struct console){(int32_t)s->width / 16 + 4, (int32_t)s->height / 16 + BAR + 3,
		((int32_t)s->width * 3 / 4 - 8) / TEXT_GLYPH_WIDTH,
		((int32_t)s->height * 3 / 4 - BAR - 6) / TEXT_GLYPH_HEIGHT, 0x1c1c24};
}

static void term_begin(struct scene *s)
{
	struct sheet sheet = whole(s);
	struct console c = terminal(s);

	desktop(s, &sheet);
	window(s, &sheet, (int32_t)s->width / 16, (int32_t)s->height / 16,
		(int32_t)s->width * 3 / 4, (int32_t)s->height * 3 / 4, c.ground);
	for (int32_t i = 0; i < c.rows; i++)
		console_line(s, &c, i, true);
}

static void term_step(struct scene *s)
{
	struct sheet sheet = whole(s);
	struct console c = terminal(s);
	char text[64];

	console_scroll(s, &c, 1 + (int32_t)below(s, 6), c.rows - 1, true);
	snprintf(text, sizeof(text), "[0] make* %7u %02u:%02u ", s->frame, s->frame / 60 % 60,
		s->frame % 60);
	brush_sharp(&sheet, c.x, c.y + (c.rows - 1) * TEXT_GLYPH_HEIGHT, text, 0, 0x5fd75f);
}

static struct console boot_console(struct scene *s)
{
	return (struct console){0, 0, (int32_t)s->width / TEXT_GLYPH_WIDTH,
		(int32_t)s->height / TEXT_GLYPH_HEIGHT, 0};
}

static void boot_begin(struct scene *s)
{
	struct console c = boot_console(s);

	memset(s->pixels, 0, (size_t)s->width * s->height * 4);
	for (int32_t i = 0; i < c.rows; i++)
		console_line(s, &c, i, false);
}

static void boot_step(struct scene *s)
{
	struct console c = boot_console(s);

	console_scroll(s, &c, 1 + (int32_t)below(s, 3), c.rows, false);
}

/* ---- A window that is dragged ---- */

static void drag_begin(struct scene *s)
{
	struct sheet sheet = whole(s), page = page_of(s);
	int32_t width = (int32_t)s->width / 3, height = (int32_t)s->height / 3;

	desktop(s, &page);
	window(s, &page, 0, (int32_t)s->height, width, height, 0xf8f8f0);
	prose(s, &page, 12, (int32_t)s->height + BAR + 8, width - 24, height - BAR - 16, 0x203040);
	photo(&page, width / 2, (int32_t)s->height + height / 2, width / 3, height / 3, 11, 1);
	copy_box(&sheet, 0, 0, (int32_t)s->width, (int32_t)s->height, &page, 0, 0);
	s->at[0] = s->width / 5;
	s->at[1] = s->height / 5;
	s->at[2] = s->at[3] = 1;
	copy_box(&sheet, (int32_t)s->at[0], (int32_t)s->at[1], width, height, &page, 0,
		(int32_t)s->height);
}

static void drag_step(struct scene *s)
{
	struct sheet sheet = whole(s), page = page_of(s);
	int32_t width = (int32_t)s->width / 3, height = (int32_t)s->height / 3;
	int64_t x, y;

	copy_box(&sheet, (int32_t)s->at[0], (int32_t)s->at[1], width, height, &page,
		(int32_t)s->at[0], (int32_t)s->at[1]);
	x = s->at[0] + s->at[2] * (6 + below(s, 28));
	y = s->at[1] + s->at[3] * (2 + below(s, 14));
	if (x < 0 || x + width > s->width)
		s->at[2] = -s->at[2];
	else
		s->at[0] = x;
	if (y < 0 || y + height + BAR > s->height)
		s->at[3] = -s->at[3];
	else
		s->at[1] = y;
	copy_box(&sheet, (int32_t)s->at[0], (int32_t)s->at[1], width, height, &page, 0,
		(int32_t)s->height);
}

/* ---- Pages that scroll: by whole pixels, and by fractions ---- */

static void web_page(struct scene *s)
{
	struct sheet page = page_of(s);
	int32_t width = (int32_t)s->width, column = width * 3 / 5;

	brush_box(&page, 0, 0, width, (int32_t)s->page_rows, 0xffffff);
	for (int32_t y = 20, i = 0; y < (int32_t)s->page_rows - 420; i++) {
		brush_box(&page, width / 7, y, column, 2, 0x3366cc);
		brush_smooth(&page, 3 * (width / 7), y + 8, "A heading of this section", 0x3366cc);
		if (i % 2) {
			prose(s, &page, width / 7, y + 40, column, 260, 0x222222);
			y += 320;
		} else {
			prose(s, &page, width / 7, y + 40, column - 480, 340, 0x222222);
			photo(&page, width / 7 + column - 460, y + 40, 440, 300, (uint64_t)i, 2);
			y += 400;
		}
	}
	for (int32_t y = 40; y < (int32_t)s->page_rows - 300; y += 380) {
		brush_box(&page, width * 4 / 5, y, width / 7, 300, 0xeef2f8);
		prose(s, &page, width * 4 / 5 + 8, y + 10, width / 7 - 16, 280, 0x0645ad);
	}
}

static void show_page(struct scene *s, int64_t at_256ths)
{
	struct sheet sheet = whole(s), page = page_of(s);
	uint32_t row = (uint32_t)(at_256ths >> 8), part = at_256ths & 255, top = 80;
	int32_t side = 16, knob = (int32_t)((uint64_t)row * (s->height - top) / s->page_rows);

	for (uint32_t y = top; y < s->height; y++) {
		const uint32_t *a = &page.pixels[(size_t)(row + y - top) * s->width],
			       *b = a + s->width;
		uint32_t *to = &sheet.pixels[(size_t)y * s->width];

		if (!part) {
			memcpy(to, a, (s->width - (size_t)side) * 4);
			continue;
		}
		for (uint32_t x = 0; x < s->width - (uint32_t)side; x++) {
			uint32_t rb =
				((a[x] & 0xff00ff) * (256 - part) + (b[x] & 0xff00ff) * part) >> 8 &
				0xff00ff;
			uint32_t g =
				((a[x] & 0xff00) * (256 - part) + (b[x] & 0xff00) * part) >> 8 &
				0xff00;

			to[x] = rb | g;
		}
	}
	brush_box(&sheet, (int32_t)s->width - side, (int32_t)top, side, (int32_t)(s->height - top),
		0xe4e4e4);
	brush_box(&sheet, (int32_t)s->width - side + 2, (int32_t)top + knob, side - 4,
		(int32_t)s->height / 3, 0x9a9a9a);
}

static void scroll_begin(struct scene *s)
{
	struct sheet sheet = whole(s);

	web_page(s);
	brush_box(&sheet, 0, 0, (int32_t)s->width, 80, 0xd8dce4);
	brush_box(&sheet, 120, 44, (int32_t)s->width - 300, 28, 0xffffff);
	brush_smooth(&sheet, 3 * 132, 51, "https://www.example.org/pages/A_long_page", 0x333333);
	brush_smooth(&sheet, 3 * 24, 12, "A long page", 0x111111);
	s->at[1] = 1;
	show_page(s, 0);
}

static void scroll_by(struct scene *s, int64_t step)
{
	int64_t limit = (int64_t)(s->page_rows - s->height) << 8, to = s->at[0] + s->at[1] * step;

	if (to < 0 || to >= limit) {
		s->at[1] = -s->at[1];
		to = s->at[0] + s->at[1] * step;
	}
	s->at[0] = to;
	show_page(s, to);
}

static void scroll_step(struct scene *s)
{
	scroll_by(s, (int64_t)(40 + below(s, 80)) << 8);
}

/* 13.3 pixels, and a third of one more now and then: every row is another blend. */
static void fraction_step(struct scene *s)
{
	scroll_by(s, 13 * 256 + 77 + (int64_t)below(s, 100));
}

/* ---- Moving pictures and still ones ---- */

static void video_step(struct scene *s)
{
	struct sheet sheet = whole(s);
	int32_t zoom = 14000 + (int32_t)(s->frame * 137 % 9000),
		turn = (int32_t)(s->frame * 211 % 6000) - 3000;
	struct brush_view view = {
		.u = s->frame * 90001,
		.v = s->frame * 41017,
		.u_x = zoom,
		.v_x = turn,
		.u_y = -turn,
		.v_y = zoom,
		.grain = 1,
		.random = s->frame,
	};

	brush_photo(&sheet, (int32_t)s->width / 5 + 1, (int32_t)s->height / 5 + BAR - 1,
		(int32_t)s->width / 2, (int32_t)s->height / 2, &view);
}

static void video_begin(struct scene *s)
{
	struct sheet sheet = whole(s);

	desktop(s, &sheet);
	window(s, &sheet, (int32_t)s->width / 5, (int32_t)s->height / 5, (int32_t)s->width / 2 + 2,
		(int32_t)s->height / 2 + BAR, 0);
	video_step(s);
}

static void photo_step(struct scene *s)
{
	struct sheet sheet = whole(s);

	photo(&sheet, (int32_t)s->width / 20, 40, (int32_t)s->width * 9 / 10,
		(int32_t)s->height - 80, s->frame + 100, 3);
}

static void photo_begin(struct scene *s)
{
	struct sheet sheet = whole(s);

	brush_box(&sheet, 0, 0, (int32_t)s->width, (int32_t)s->height, 0x181818);
	photo_step(s);
}

static void idle_begin(struct scene *s)
{
	struct sheet sheet = whole(s);

	desktop(s, &sheet);
}

static void idle_step(struct scene *s)
{
	struct sheet sheet = whole(s);
	char text[32];

	snprintf(text, sizeof(text), "%02u:%02u:%02u", 9 + s->frame / 3600, s->frame / 60 % 60,
		s->frame % 60);
	brush_box(&sheet, (int32_t)s->width - 90, (int32_t)s->height - BAR + 8, 80, 18, 0x202830);
	brush_smooth(
		&sheet, 3 * ((int32_t)s->width - 84), (int32_t)s->height - BAR + 9, text, 0xf0f0f0);
}

/* ---- So much of the picture ---- */

static void area_step(struct scene *s)
{
	struct sheet sheet = whole(s);
	uint32_t side = 1, width, height, third;

	while (side * side < 100 * s->amount) /* percent: it has the picture's shape */
		side++;
	width = s->width * side / 100;
	height = s->height * s->amount / side;
	third = height / 3;
	brush_box(&sheet, 0, 0, (int32_t)width, (int32_t)height, 0xfffdf8);
	prose(s, &sheet, 8, 4, (int32_t)width - 16, (int32_t)(height - third), 0x222222);
	photo(&sheet, 0, (int32_t)(height - third), (int32_t)width, (int32_t)third, s->frame, 2);
}

static void area_begin(struct scene *s)
{
	idle_begin(s);
	area_step(s);
}

static const struct scene_kind kinds[] = {
	{"type", type_begin, type_step, 0},
	{"term", term_begin, term_step, 0},
	{"drag", drag_begin, drag_step, 6},
	{"scroll", scroll_begin, scroll_step, 12},
	{"video", video_begin, video_step, 0},
	{"photo", photo_begin, photo_step, 0},
	{"boot", boot_begin, boot_step, 0},
	{"idle", idle_begin, idle_step, 0},
	{"fraction", scroll_begin, fraction_step, 12},
};
static const struct scene_kind area = {"area", area_begin, area_step, 0};

const char *scene_name(size_t i)
{
	return i < sizeof(kinds) / sizeof(kinds[0]) ? kinds[i].name : NULL;
}

static const struct scene_kind *find(const char *name, unsigned int *ret_amount)
{
	if (sscanf(name, "area-%u", ret_amount) == 1)
		return *ret_amount >= 1 && *ret_amount <= 100 ? &area : NULL;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

static struct scene *make_scene(const struct scene_kind *kind, uint32_t width, uint32_t height)
{
	struct scene *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->kind = kind;
	s->width = width;
	s->height = height;
	s->page_rows = height * kind->page / 4;
	s->pixels = calloc((size_t)width * height, 4);
	s->page = s->page_rows ? calloc((size_t)width * s->page_rows, 4) : NULL;
	if (s->pixels && (s->page || !s->page_rows))
		return s;
	scene_destroy(s);
	return NULL;
}

int scene_create(const char *name, uint32_t width, uint32_t height, struct scene **ret_scene)
{
	unsigned int amount = 0;
	const struct scene_kind *kind = find(name, &amount);
	struct scene *s;

	if (!kind || width < 320 || height < 240)
		return -EINVAL;
	s = make_scene(kind, width, height);
	if (!s)
		return -ENOMEM;
	s->random = 1;
	s->amount = amount;
	kind->begin(s);
	*ret_scene = s;
	return 0;
}

int scene_copy(const struct scene *scene, struct scene **ret_scene)
{
	struct scene *s = make_scene(scene->kind, scene->width, scene->height), made;

	if (!s)
		return -ENOMEM;
	made = *s;
	memcpy(made.pixels, scene->pixels, (size_t)s->width * s->height * 4);
	if (made.page)
		memcpy(made.page, scene->page, (size_t)s->width * s->page_rows * 4);
	*s = *scene;
	s->pixels = made.pixels;
	s->page = made.page;
	*ret_scene = s;
	return 0;
}

void scene_destroy(struct scene *scene)
{
	if (!scene)
		return;
	free(scene->pixels);
	free(scene->page);
	free(scene);
}

void scene_step(struct scene *scene)
{
	scene->frame++;
	scene->kind->step(scene);
}
