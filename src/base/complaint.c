/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/complaint.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

int complaint(char **ret_error, const char *path, unsigned int line, const char *format, ...)
{
	_cleanup_free_ char *what = NULL;
	va_list args;
	int r;

	*ret_error = NULL;
	va_start(args, format);
	r = vasprintf(&what, format, args);
	va_end(args);
	if (r < 0) {
		what = NULL;
		return -ENOMEM;
	}
	for (char *c = what; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
	if (asprintf(ret_error, "%s:%u: %s", path, line, what) < 0) {
		*ret_error = NULL;
		return -ENOMEM;
	}
	return -EINVAL;
}
