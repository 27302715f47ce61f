/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/journal.h"
#include "base/mem.h"

#define LINE 1024

static const char *ident = "vfio-displayd";
static _Atomic int shown = LOG_LEVEL_INFO;
static bool to_journal;
static pthread_once_t journal_once = PTHREAD_ONCE_INIT;
static _Atomic unsigned int lost; /* lines that nobody took */

static const char *const level_names[] = {
	[LOG_LEVEL_ERR] = "err",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_NOTICE] = "notice",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

/* syslog(3) priorities, as the journal wants them. */
static const int priorities[] = {3, 4, 5, 6, 7};

static_assert(ARRAY_SIZE(level_names) == LOG_LEVEL_DEBUG + 1, "a name for each level");
static_assert(ARRAY_SIZE(priorities) == LOG_LEVEL_DEBUG + 1, "a priority for each level");

void log_open(const char *name, enum log_level level)
{
	ident = name;
	shown = level;
	to_journal = journal_is_stderr();
}

void log_set_level(enum log_level level)
{
	shown = level;
}

int log_level_from_name(const char *name, enum log_level *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(level_names); i++)
		if (strcmp(name, level_names[i]) == 0) {
			*ret = i;
			return 0;
		}
	return -EINVAL;
}

bool log_enabled(enum log_level level)
{
	return (int)level <= shown;
}

/* With the first line, not with log_open(): a program closes what it should not have before it says anything. */
static void open_journal(void)
{
	journal_open(JOURNAL_SOCKET);
}

static int send_to_journal(enum log_level level, const char *id, const char *line)
{
	char priority[16], identifier[64], message[LINE + 80], display[80];
	const char *fields[] = {priority, identifier, message, display};

	pthread_once(&journal_once, open_journal);
	snprintf(priority, sizeof(priority), "PRIORITY=%d", priorities[level]);
	snprintf(identifier, sizeof(identifier), "SYSLOG_IDENTIFIER=%s", ident);
	snprintf(message, sizeof(message), "MESSAGE=%s%s%s", id ? id : "", id ? ": " : "", line);
	snprintf(display, sizeof(display), "VFIO_DISPLAY=%s", id ? id : "");
	return journal_send(fields, ARRAY_SIZE(fields) - !id);
}

/* A pipe whose reader has stopped is not waited for either: one that poll() says can be written to takes PIPE_BUF bytes (pipe(7)). */
static int send_to_stderr(enum log_level level, const char *id, const char *line)
{
	struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
	char text[LINE + 160];
	int n;

	if (poll(&room, 1, 0) == 0)
		return -EAGAIN;
	n = snprintf(text, sizeof(text), "%s: %s%s%s%s\n", ident,
		level == LOG_LEVEL_ERR	     ? "error: "
		: level == LOG_LEVEL_WARNING ? "warning: "
					     : "",
		id ? id : "", id ? ": " : "", line);
	return write(STDERR_FILENO, text, n) < 0 ? -errno : 0;
}

static int send_line(enum log_level level, const char *id, const char *line)
{
	return to_journal ? send_to_journal(level, id, line) : send_to_stderr(level, id, line);
}

/* Says how many were lost as soon as one can be said again. */
static void send_or_lose(enum log_level level, const char *id, const char *line)
{
	unsigned int before = atomic_exchange(&lost, 0);
	char text[80];

	snprintf(text, sizeof(text), "%u lines were lost here: nobody took them", before);
	if (before && send_line(LOG_LEVEL_WARNING, NULL, text) == -EAGAIN)
		atomic_fetch_add(&lost, before + 1);
	else if (send_line(level, id, line) == -EAGAIN)
		atomic_fetch_add(&lost, 1);
}

void log_writev(enum log_level level, const char *id, const char *format, va_list args)
{
	int saved = errno;
	char line[LINE];

	if (!log_enabled(level))
		return;
	vsnprintf(line, sizeof(line), format, args);
	for (char *c = line; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	send_or_lose(level, id, line);
	errno = saved;
}

void log_write(enum log_level level, const char *id, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_writev(level, id, format, args);
	va_end(args);
}
