/* SPDX-License-Identifier: GPL-2.0-or-later */
/* complaint.h - what is wrong with a line of a file, for who wrote it. */
#pragma once

/* *@ret_error becomes "PATH:LINE: ...", to be freed; NULL: out of memory. Control characters become "?": a file can hold anything, a
 * terminal or a journal should not see it. Returns -EINVAL, so that a caller can end with it; -ENOMEM. */
__attribute__((format(printf, 4, 5))) int complaint(
	char **ret_error, const char *path, unsigned int line, const char *format, ...);
