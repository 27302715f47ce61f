/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frame/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "frame/font.h"
#include "frame/placard.h"

#define PAPER 0x00123456u
#define INK   0x00abcdefu

/* Exactly as many bytes as the canvas has, so that the address sanitizer sees one pixel too many; @padding bytes behind each
 * row but the last. */
static struct canvas canvas_make(uint32_t width, uint32_t height, uint32_t padding)
{
	struct canvas canvas = {.width = width, .height = height, .stride = width * 4 + padding};
	size_t size = (size_t)canvas.stride * height - padding;

	canvas.pixels = malloc(size);
	assert_non_null(canvas.pixels);
	for (size_t i = 0; i < size / 4; i++)
		canvas.pixels[i] = PAPER;
	return canvas;
}

static uint32_t pixel(const struct canvas *canvas, uint32_t x, uint32_t y)
{
	return canvas->pixels[y * (canvas->stride / 4) + x];
}

static unsigned int count(const struct canvas *canvas, uint32_t colour)
{
	unsigned int n = 0;

	for (uint32_t y = 0; y < canvas->height; y++)
		for (uint32_t x = 0; x < canvas->width; x++)
			n += pixel(canvas, x, y) == colour;
	return n;
}

static void glyphs_have_ink_and_differ(void **state)
{
	char pictures[0x7f][TEXT_GLYPH_WIDTH * TEXT_GLYPH_HEIGHT + 1] = {0};

	for (int c = 0x20; c < 0x7f; c++) {
		for (unsigned int y = 0; y < TEXT_GLYPH_HEIGHT; y++)
			for (unsigned int x = 0; x < TEXT_GLYPH_WIDTH; x++)
				pictures[c][y * TEXT_GLYPH_WIDTH + x] =
					font_pixel(c, x, y) ? '#' : '.';
		assert_int_equal(!strchr(pictures[c], '#'), c == ' ');
		for (int other = 0x20; other < c; other++)
			if (strcmp(pictures[c], pictures[other]) == 0)
				fail_msg("'%c' looks like '%c'", c, other);
	}
}

static void letters_leave_room_between_lines(void **state)
{
	for (int c = 0x20; c < 0x7f; c++)
		for (unsigned int x = 0; x < TEXT_GLYPH_WIDTH; x++) {
			assert_false(font_pixel(c, x, 0));
			assert_false(font_pixel(c, x, TEXT_GLYPH_HEIGHT - 1));
		}
}

static void other_bytes_are_question_marks(void **state)
{
	struct canvas a = canvas_make(64, 16, 0), b = canvas_make(64, 16, 0);

	text_draw(&a, 0, 0, 1, INK, "\001\037\177\200\377x\n");
	text_draw(&b, 0, 0, 1, INK, "?????x?");
	assert_memory_equal(a.pixels, b.pixels, 64 * 16 * 4);
	free(a.pixels);
	free(b.pixels);
}

static void scale_makes_squares(void **state)
{
	struct canvas canvas = canvas_make(40, 60, 12);

	text_draw(&canvas, 5, 7, 3, INK, "R");
	for (uint32_t y = 0; y < 48; y++)
		for (uint32_t x = 0; x < 24; x++)
			assert_int_equal(pixel(&canvas, 5 + x, 7 + y),
				font_pixel('R', x / 3, y / 3) ? INK : PAPER);
	free(canvas.pixels);
}

/* The letters of a clipped text are those of the whole text, moved. */
static void text_is_clipped_at_every_edge(void **state)
{
	struct canvas whole = canvas_make(48, 32, 0);

	text_draw(&whole, 0, 0, 2, INK, "@W#");
	for (int32_t y = -34; y <= 12; y++)
		for (int32_t x = -50; x <= 22; x++) {
			struct canvas canvas = canvas_make(21, 11, 4);

			text_draw(&canvas, x, y, 2, INK, "@W#");
			for (int32_t j = 0; j < 11; j++)
				for (int32_t i = 0; i < 21; i++) {
					bool inside = i >= x && i < x + 48 && j >= y && j < y + 32;

					assert_int_equal(pixel(&canvas, i, j),
						inside ? pixel(&whole, i - x, j - y) : PAPER);
				}
			free(canvas.pixels);
		}
	free(whole.pixels);
}

static void far_away_is_nothing(void **state)
{
	static const int32_t far[] = {INT32_MIN, INT32_MIN + 1, -1000, 1000, INT32_MAX};
	struct canvas canvas = canvas_make(9, 7, 0);

	for (size_t i = 0; i < ARRAY_SIZE(far); i++) {
		text_draw(&canvas, far[i], 0, 1, INK, "x");
		text_draw(&canvas, 0, far[i], 1, INK, "x");
		text_fill(&canvas, far[i], 0, 900, 7, INK);
		text_fill(&canvas, 0, far[i], 9, 900, INK);
	}
	text_fill(&canvas, INT32_MAX, INT32_MAX, UINT32_MAX, UINT32_MAX, INK);
	text_fill(&canvas, 3, 3, 0, 4, INK);
	text_fill(&canvas, 3, 3, 4, 0, INK);
	assert_int_equal(count(&canvas, PAPER), 63);
	text_fill(&canvas, -1, -1, 3, 3, INK);
	text_fill(&canvas, 8, 6, UINT32_MAX, UINT32_MAX, INK);
	assert_int_equal(count(&canvas, INK), 5);
	text_fill(&canvas, INT32_MIN, INT32_MIN, UINT32_MAX, UINT32_MAX, PAPER);
	assert_int_equal(count(&canvas, PAPER), 63);
	free(canvas.pixels);
}

static void placards_fit_every_size(void **state)
{
	static const uint32_t sizes[][2] = {
		{1, 1}, {7, 5}, {16, 300}, {300, 16}, {320, 200}, {641, 479}, {1920, 1080}};
	char endless[2000];

	memset(endless, 'm', sizeof(endless));
	endless[sizeof(endless) - 1] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct canvas canvas = canvas_make(sizes[i][0], sizes[i][1], 4 * (i % 2));

		placard_draw(&canvas, "No picture yet", "The guest has not turned its screen on.");
		assert_int_equal(count(&canvas, PAPER), 0);
		placard_draw(&canvas, endless, endless);
		placard_draw(&canvas, endless, "");
		placard_draw(&canvas, "", "   ");
		placard_draw(&canvas, "", "");
		free(canvas.pixels);
	}
}

static void placards_show_both_texts(void **state)
{
	struct canvas a = canvas_make(320, 200, 0), b = canvas_make(320, 200, 0);
	size_t size = 320 * 200 * 4;

	placard_draw(&a, "No picture yet", "because");
	placard_draw(&b, "No picture yet", "because");
	assert_memory_equal(a.pixels, b.pixels, size);
	placard_draw(&b, "No picture yet", "becausE");
	assert_memory_not_equal(a.pixels, b.pixels, size);
	placard_draw(&b, "No picture Yet", "because");
	assert_memory_not_equal(a.pixels, b.pixels, size);
	free(a.pixels);
	free(b.pixels);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(glyphs_have_ink_and_differ),
		cmocka_unit_test(letters_leave_room_between_lines),
		cmocka_unit_test(other_bytes_are_question_marks),
		cmocka_unit_test(scale_makes_squares),
		cmocka_unit_test(text_is_clipped_at_every_edge),
		cmocka_unit_test(far_away_is_nothing),
		cmocka_unit_test(placards_fit_every_size),
		cmocka_unit_test(placards_show_both_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
