/* SPDX-License-Identifier: GPL-2.0-or-later */
/* font.h - our own bitmap font: printable ASCII in cells of TEXT_GLYPH_WIDTH x TEXT_GLYPH_HEIGHT. */
#pragma once

#include <stdbool.h>

#include "frame/text.h"

/* Whether there is ink at column @x, row @y of the glyph of @c; both inside the cell. Any other byte looks like '?'. */
bool font_pixel(char c, unsigned int x, unsigned int y);
