/* SPDX-License-Identifier: GPL-2.0-or-later */
/* skip.h - a test that cannot be played here says why: ./check shows the line. */
#pragma once

#define skip_because(reason)                                                                       \
	do {                                                                                       \
		print_message("# skipped: %s\n", reason);                                          \
		skip();                                                                            \
	} while (0)
