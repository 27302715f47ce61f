/* SPDX-License-Identifier: GPL-2.0-or-later */
/* screen.h - a terminal that shows one page again and again, and is left as it was found. */
#pragma once

#include <termios.h>

#include <stdbool.h>

struct screen {
	struct termios before;
	bool quiet; /* what is typed is not shown */
	bool shown;
};

/* On standard output, which is a terminal. */
void screen_enter(struct screen *screen);
/* Harmless where it is left already. */
void screen_leave(struct screen *screen);
/* Its lines, as many and as much of each as there is room for now; what text_safe() made. */
void screen_show(const char *text);
