/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/journal.h"
#include "base/limits.h"
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

enum log_level log_level(void)
{
	return shown;
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

static void mask(char *text)
{
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
}

/* A line with what belongs to it. */
struct line {
	enum log_level level;
	const char *id; /* NULL: none */
	const char *text;
	const struct log_field *fields;
	size_t fields_used;
};

struct entry {
	const char *fields[JOURNAL_FIELDS_MAX];
	size_t used;
	char text[LINE * 3]; /* what they point to */
	size_t text_used;
};

/* One that does not fit is left out. */
__attribute__((format(printf, 2, 3))) static void entry_add(
	struct entry *entry, const char *format, ...)
{
	char *text = entry->text + entry->text_used;
	size_t room = sizeof(entry->text) - entry->text_used;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, room, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= room || entry->used == JOURNAL_FIELDS_MAX)
		return;
	mask(text);
	entry->fields[entry->used++] = text;
	entry->text_used += (size_t)n + 1;
}

static int send_to_journal(const struct line *line)
{
	struct entry entry = {.used = 0};
	const char *id = line->id;

	pthread_once(&journal_once, open_journal);
	entry_add(&entry, "PRIORITY=%d", priorities[line->level]);
	entry_add(&entry, "SYSLOG_IDENTIFIER=%s", ident);
	entry_add(&entry, "MESSAGE=%s%s%s", id ? id : "", id ? ": " : "", line->text);
	if (id)
		entry_add(&entry, "VFIO_DISPLAY=%s", id);
	for (size_t i = 0; i < line->fields_used; i++)
		if (line->fields[i].value)
			entry_add(&entry, "%s=%s", line->fields[i].name, line->fields[i].value);
	return journal_send(entry.fields, entry.used);
}

/* A pipe whose reader has stopped is not waited for either: one that poll() says can be written to takes PIPE_BUF bytes (pipe(7)). */
static int send_to_stderr(const struct line *line)
{
	struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
	const char *id = line->id;
	char text[LINE + 160];
	int n;

	if (poll(&room, 1, 0) == 0)
		return -EAGAIN;
	n = snprintf(text, sizeof(text), "%s: %s%s%s%s\n", ident,
		line->level == LOG_LEVEL_ERR	   ? "error: "
		: line->level == LOG_LEVEL_WARNING ? "warning: "
						   : "",
		id ? id : "", id ? ": " : "", line->text);
	return write(STDERR_FILENO, text, n) < 0 ? -errno : 0;
}

static int send_line(const struct line *line)
{
	return to_journal ? send_to_journal(line) : send_to_stderr(line);
}

/* Says how many were lost as soon as one can be said again. */
static bool send_or_lose(const struct line *line)
{
	unsigned int before = atomic_exchange(&lost, 0);
	char text[80];
	const struct line count = {.level = LOG_LEVEL_WARNING, .text = text};

	snprintf(text, sizeof(text), "%u lines were lost here: nobody took them", before);
	if (before && send_line(&count) == -EAGAIN)
		atomic_fetch_add(&lost, before + 1);
	else if (send_line(line) == -EAGAIN)
		atomic_fetch_add(&lost, 1);
	else
		return true;
	return false;
}

/* False: nobody took it. */
__attribute__((format(printf, 5, 0))) static bool write_event(enum log_level level, const char *id,
	const struct log_field *fields, size_t fields_used, const char *format, va_list args)
{
	int saved = errno;
	char text[LINE];
	const struct line line = {
		.level = level,
		.id = id,
		.text = text,
		.fields = fields,
		.fields_used = fields_used,
	};
	bool taken;

	vsnprintf(text, sizeof(text), format, args);
	mask(text);
	taken = send_or_lose(&line);
	errno = saved;
	return taken;
}

void log_event(enum log_level level, const char *id, const struct log_field *fields,
	size_t fields_used, const char *format, va_list args)
{
	if (log_enabled(level))
		write_event(level, id, fields, fields_used, format, args);
}

/* What is not counted. */
__attribute__((format(printf, 2, 3))) static void say(enum log_level level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_event(level, NULL, NULL, 0, format, args);
	va_end(args);
}

static unsigned long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (unsigned long)now.tv_sec * 1000 + (unsigned long)now.tv_nsec / 1000000;
}

/* Much of what is said can be brought about by peers, and a line too many is harmless in itself. But journald takes only so many of a
 * service, and then throws away what comes, audit lines with it. Who wants to read everything has asked for debug. */
static struct {
	pthread_mutex_t lock;
	unsigned long since; /* ms */
	unsigned int lines, left_out;
} flood = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool worth_a_line(void)
{
	unsigned int before = 0;
	bool worth, first;

	if (log_enabled(LOG_LEVEL_DEBUG))
		return true;
	pthread_mutex_lock(&flood.lock);
	if (now_ms() - flood.since >= LIMIT_VIEWER_LINES_MS || !flood.since) {
		before = flood.left_out;
		flood.since = now_ms();
		flood.lines = flood.left_out = 0;
	}
	worth = flood.lines < LIMIT_LOG_LINES;
	flood.lines += worth;
	first = !worth && flood.left_out++ == 0;
	pthread_mutex_unlock(&flood.lock);
	if (before)
		say(LOG_LEVEL_NOTICE, "%u lines were left out, too many came", before);
	if (first)
		say(LOG_LEVEL_NOTICE, "too much happens for a line each");
	return worth;
}

/* It was lost, and is counted there. */
static void take_back(void)
{
	pthread_mutex_lock(&flood.lock);
	if (flood.lines > 0)
		flood.lines--;
	pthread_mutex_unlock(&flood.lock);
}

void log_writev(enum log_level level, const char *id, const char *format, va_list args)
{
	int saved = errno;

	if (log_enabled(level) && worth_a_line() && !write_event(level, id, NULL, 0, format, args))
		take_back();
	errno = saved;
}

void log_write(enum log_level level, const char *id, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_writev(level, id, format, args);
	va_end(args);
}
