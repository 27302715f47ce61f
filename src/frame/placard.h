/* SPDX-License-Identifier: GPL-2.0-or-later */
/* placard.h - what viewers see when there is no picture: why, in words. */
#pragma once

#include "frame/text.h"

/* Fills the canvas: dark ground, @title large, @reason smaller and wrapped at words, centred. Readable from 320x200 up. */
void placard_draw(const struct canvas *canvas, const char *title, const char *reason);
