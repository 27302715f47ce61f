/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/exporter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

#define FIELD "exp_name:\t"

int exporter_parse(const char *text, char ret[EXPORTER_NAME_BYTES])
{
	const char *line = text;
	size_t length;

	/* The first one counts: behind it stands a name that anybody may give to the buffer. */
	while (strncmp(line, FIELD, strlen(FIELD)) != 0) {
		line = strchr(line, '\n');
		if (!line)
			return -ENOENT;
		line++;
	}
	line += strlen(FIELD);
	length = strcspn(line, "\n");
	if (length >= EXPORTER_NAME_BYTES)
		return -ENAMETOOLONG;
	memcpy(ret, line, length);
	ret[length] = '\0';
	return 0;
}

int exporter_name(int fd, char ret[EXPORTER_NAME_BYTES])
{
	_cleanup_fd_ int file = -EBADF;
	char path[32], text[1024];
	size_t size = 0;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return -errno;
	do {
		n = read(file, text + size, sizeof(text) - 1 - size);
		if (n > 0)
			size += (size_t)n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0)
		return -errno;
	text[size] = '\0';
	return exporter_parse(text, ret);
}

bool exporter_miscounts(const char *name)
{
	return strncmp(name, "mbochs", strlen("mbochs")) == 0;
}
