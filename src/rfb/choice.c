/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/choice.h"

#include <string.h>

#define PREFIX "/displays/"

#define ID_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

static void by_path(const char *id, char ret[LIMIT_ID_CHARS + 1])
{
	size_t size = strcspn(id, "?#");

	if (size < 1 || size > LIMIT_ID_CHARS || strspn(id, ID_CHARACTERS) < size) {
		memcpy(ret, ".", 2);
		return;
	}
	memcpy(ret, id, size);
	ret[size] = '\0';
}

static void by_name(const char *name, char ret[LIMIT_ID_CHARS + 1])
{
	size_t size = strlen(name);

	if (size > LIMIT_ID_CHARS - 1)
		size = strcspn(name, ".");
	if (size > LIMIT_ID_CHARS - 1 || strspn(name, ID_CHARACTERS) < size)
		size = 0;
	ret[0] = size ? '@' : '\0';
	memcpy(ret + 1, name, size);
	ret[1 + size] = '\0';
}

void choice_make(const char *path, const char *server_name, char ret[LIMIT_ID_CHARS + 1])
{
	ret[0] = '\0';
	if (path && strncmp(path, PREFIX, strlen(PREFIX)) == 0)
		by_path(path + strlen(PREFIX), ret);
	else if (server_name)
		by_name(server_name, ret);
}
