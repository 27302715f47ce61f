/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/screen.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/mem.h"
#include "ctl/table.h"

/* ECMA-48, and xterm's second page (1049), which keeps what was there before. */
#define ENTER	    "\033[?1049h\033[?25l"
#define LEAVE	    "\033[?25h\033[?1049l"
#define HOME	    "\033[H"
#define END_OF_LINE "\033[K"
#define END_OF_PAGE "\033[J"

enum { LINES = 24, COLUMNS = 80 }; /* of one that does not say */

void screen_enter(struct screen *screen)
{
	struct termios quiet;

	if (screen->shown)
		return;
	screen->shown = true;
	/* Who is in the background must not touch the terminal. */
	if (tcgetpgrp(0) == getpgrp() && tcgetattr(0, &screen->before) == 0) {
		quiet = screen->before;
		quiet.c_lflag &= ~(tcflag_t)(ECHO | ICANON);
		screen->quiet = tcsetattr(0, TCSANOW, &quiet) == 0;
	}
	fputs(ENTER, stdout);
	fflush(stdout);
}

void screen_leave(struct screen *screen)
{
	if (!screen->shown)
		return;
	screen->shown = false;
	fputs(LEAVE, stdout);
	fflush(stdout);
	if (screen->quiet)
		tcsetattr(0, TCSANOW, &screen->before);
	screen->quiet = false;
}

void screen_show(const char *text)
{
	struct winsize size;
	size_t lines = LINES, columns = COLUMNS;

	if (ioctl(1, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col) {
		lines = size.ws_row;
		columns = size.ws_col;
	}
	fputs(HOME, stdout);
	for (size_t i = 0; i < lines && *text; i++) {
		const char *end = strchrnul(text, '\n');
		_cleanup_free_ char *line = strndup(text, (size_t)(end - text));

		if (line)
			fwrite(line, 1, text_fit(line, columns), stdout);
		fputs(END_OF_LINE, stdout);
		text = end + (*end == '\n');
		if (i + 1 < lines && *text)
			fputs("\r\n", stdout);
	}
	fputs(END_OF_PAGE, stdout);
	fflush(stdout);
}
