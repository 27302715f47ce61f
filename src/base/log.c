/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "base/mem.h"

static const char *ident = "vfio-displayd";
static _Atomic int shown = LOG_LEVEL_INFO;
static bool to_journal;

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

/* systemd sets JOURNAL_STREAM=DEVICE:INODE of what it connected stderr to (systemd.exec(5)). */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	if (!stream || sscanf(stream, "%llu:%llu", &device, &inode) != 2)
		return false;
	return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void log_open(const char *name, enum log_level level)
{
	ident = name;
	shown = level;
	to_journal = stderr_is_journal();
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

void log_writev(enum log_level level, const char *id, const char *format, va_list args)
{
	int saved = errno;
	char line[1024];

	if (!log_enabled(level))
		return;
	vsnprintf(line, sizeof(line), format, args);
	for (char *c = line; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	if (to_journal)
		sd_journal_send("PRIORITY=%d", priorities[level], "SYSLOG_IDENTIFIER=%s", ident,
			"MESSAGE=%s%s%s", id ? id : "", id ? ": " : "", line,
			id ? "VFIO_DISPLAY=%s" : NULL, id, NULL);
	else
		fprintf(stderr, "%s: %s%s%s%s\n", ident,
			level <= LOG_LEVEL_WARNING
				? (level == LOG_LEVEL_ERR ? "error: " : "warning: ")
				: "",
			id ? id : "", id ? ": " : "", line);
	errno = saved;
}

void log_write(enum log_level level, const char *id, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_writev(level, id, format, args);
	va_end(args);
}
