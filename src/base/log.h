/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log.h - one line an event: what, which display, what to do.
 *
 * Lines go to the journal with a VFIO_DISPLAY= field when stderr is the journal, else to stderr as plain text.
 * Nobody is waited for: lines that the journal, or the reader of stderr, does not take are lost, and counted in the next one. Of a
 * flood only LIMIT_LOG_LINES are written, unless debug is shown.
 * @id is the display's id or NULL. Never log a password, a ticket or a keystroke. Text of a peer goes through %s only
 * and control characters in a line are replaced. The rooms base, vfio, plane, capture, damage and varlink/wire do not
 * log: they return -errno, and the caller that gives up logs once. (capture/import.c does: it has a program of its own.)
 */
#pragma once

#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>

enum log_level { LOG_LEVEL_ERR, LOG_LEVEL_WARNING, LOG_LEVEL_NOTICE, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Sets what is shown. Until then LOG_LEVEL_INFO. @ident is the program's name, not copied. */
void log_open(const char *ident, enum log_level level);
void log_set_level(enum log_level level);
/* Returns 0 or -EINVAL. Names: err, warning, notice, info, debug. */
int log_level_from_name(const char *name, enum log_level *ret);
enum log_level log_level(void);
bool log_enabled(enum log_level level);

void log_write(enum log_level level, const char *id, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void log_writev(enum log_level level, const char *id, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));

/* More fields of a line, in the journal only. */
struct log_field {
	const char *name;
	const char *value; /* NULL: left out. Control characters are replaced */
};

/* As log_writev(), with fields, some 20 at most; who calls it bounds them. */
void log_event(enum log_level level, const char *id, const struct log_field *fields, size_t fields_used,
	const char *format, va_list args) __attribute__((format(printf, 5, 0)));

#define log_err(id, ...)    log_write(LOG_LEVEL_ERR, id, __VA_ARGS__)
#define log_warn(id, ...)   log_write(LOG_LEVEL_WARNING, id, __VA_ARGS__)
#define log_notice(id, ...) log_write(LOG_LEVEL_NOTICE, id, __VA_ARGS__)
#define log_info(id, ...)   log_write(LOG_LEVEL_INFO, id, __VA_ARGS__)
#define log_debug(id, ...)                                                                         \
	do {                                                                                       \
		if (log_enabled(LOG_LEVEL_DEBUG))                                                  \
			log_write(LOG_LEVEL_DEBUG, id, __VA_ARGS__);                               \
	} while (0)
