/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dump.h - the state of displays in words, for people who look for what is wrong. Main thread; no driver is asked for it.
 *
 * The words are for reading and may change with any version; what programs need is in List and in the metrics.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct display;
struct manager;

/* @id: that display only; NULL: all for which @may says so (NULL: all). *ret_text, to be freed, has whole lines. -ENOMEM. */
int dump_text(struct manager *manager, const char *id, bool (*may)(void *arg, const char *id), void *arg,
	char **ret_text, size_t *ret_size);
/* To the log, a line each, LIMIT_DUMP_LINES at most. */
void dump_log(struct manager *manager);
