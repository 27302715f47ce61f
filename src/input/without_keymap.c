/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Built without libxkbcommon: there is the layout that layout.c has itself. */
#include <errno.h>

#include "input/keymap.h"

int keymap_compile(const char *layout, const char *variant, struct keymap *ret)
{
	return -ENOTSUP;
}
