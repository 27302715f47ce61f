/* SPDX-License-Identifier: GPL-2.0-or-later */
/* number.h - a decimal number of a command line or of a file name, 0 to INT_MAX. */
#pragma once

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

/* -EINVAL: it is none. */
static inline int number_parse(const char *text, int *ret)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || end == text || *end || value < 0 || value > INT_MAX)
		return -EINVAL;
	*ret = (int)value;
	return 0;
}
