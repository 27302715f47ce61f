/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "login/passwords.h"

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "frame/link.h"

/* yescrypt as Debian makes it, of nothing: for a file that has no hash to be like. */
static const char usual_setting[] = "$y$j9T$vfiodisplaydsaltvfiod.$";

static const char *const mode_words[] = {
	[LINK_MODE_VIEW] = "view",
	[LINK_MODE_CONTROL] = "control",
	[LINK_MODE_EXCLUSIVE] = "exclusive",
};

/* A line cut into its fields. */
struct line {
	char *user, *hash, *mode, *displays; /* the last two NULL: left out */
};

/* Takes as long wherever they differ. */
static bool same_text(const char *a, const char *b)
{
	size_t n = strlen(a);
	unsigned char differ = 0;

	if (n != strlen(b))
		return false;
	for (size_t i = 0; i < n; i++)
		differ |= a[i] ^ b[i];
	return differ == 0;
}

/* What crypt(3) makes of @secret under @setting, and whether it is that. A hash that locks ("!", "*") is like none. */
static bool hash_matches(const char *setting, const char *secret)
{
	struct crypt_data *data = new0(struct crypt_data);
	const char *hash;
	bool same;

	if (!data)
		return false;
	hash = crypt_r(secret, setting, data);
	same = hash && hash[0] != '*' && same_text(hash, setting);
	explicit_bzero(data, sizeof(*data));
	free(data);
	return same;
}

static bool is_word(const char *hash)
{
	return strcmp(hash, "pam") == 0;
}

/* False: it says nothing (empty, a comment, no hash). */
static bool cut_line(char *text, struct line *ret)
{
	char *rest = text;

	text[strcspn(text, "\r")] = '\0';
	if (!*text || *text == '#')
		return false;
	ret->user = strsep(&rest, ":");
	ret->hash = strsep(&rest, ":");
	ret->mode = strsep(&rest, ":");
	ret->displays = strsep(&rest, ":");
	return ret->hash && *ret->user && *ret->hash && !rest;
}

/* LINK_MODE_CONTROL where it is left out; 0: no such word. */
static uint32_t mode_of(const struct line *line)
{
	if (!line->mode || !*line->mode)
		return LINK_MODE_CONTROL;
	for (uint32_t i = LINK_MODE_VIEW; i < ARRAY_SIZE(mode_words); i++)
		if (strcmp(line->mode, mode_words[i]) == 0)
			return i;
	log_warn(NULL, "passwords: user %s has no mode that is known, and may not come in",
		line->user);
	return 0;
}

static bool may_see(const struct line *line, const char *display)
{
	char *rest = line->displays, *pattern;

	if (!rest || !*rest)
		return true;
	while ((pattern = strsep(&rest, ",")))
		if (*pattern && fnmatch(pattern, display, 0) == 0)
			return true;
	return false;
}

/* The setting that somebody unknown is hashed with; "": there is none in the file. */
static void like_first(const char *text, char *ret, size_t size)
{
	const char *colon;
	size_t n;

	ret[0] = '\0';
	for (const char *at = text; at && *at;
		at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
		if (*at == '#' || *at == '\n' || !(colon = strpbrk(at, ":\n")) || *colon == '\n')
			continue;
		n = strcspn(colon + 1, ":\r\n");
		if (colon[1] != '$' || n >= size)
			continue;
		memcpy(ret, colon + 1, n);
		ret[n] = '\0';
		return;
	}
}

void passwords_waste(const char *text, const char *secret)
{
	char setting[CRYPT_OUTPUT_SIZE];

	like_first(text, setting, sizeof(setting));
	hash_matches(setting[0] ? setting : usual_setting, secret);
}

static enum passwords_verdict judge(
	const struct line *line, const char *secret, const char *display, uint32_t *ret_mode)
{
	uint32_t mode = mode_of(line);
	bool fit = mode && may_see(line, display);

	/* Hashed in any case: what a user may see is nobody else's business. */
	if (is_word(line->hash))
		return fit ? (*ret_mode = mode, PASSWORDS_PAM) : PASSWORDS_WRONG;
	if (!hash_matches(line->hash, secret) || !fit)
		return PASSWORDS_WRONG;
	*ret_mode = mode;
	return PASSWORDS_RIGHT;
}

enum passwords_verdict passwords_check_text(
	char *text, const char *user, const char *secret, const char *display, uint32_t *ret_mode)
{
	struct line line;
	char *rest = text, *next;

	while ((next = strsep(&rest, "\n")))
		if (cut_line(next, &line) && strcmp(line.user, user) == 0)
			return judge(&line, secret, display, ret_mode);
	return PASSWORDS_UNKNOWN;
}

static int fit_to_read(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	/* The group may read it: systemd's credentials look so. */
	if (st.st_mode & (S_IRWXO | S_IWGRP) || (st.st_uid != 0 && st.st_uid != geteuid()))
		return -EACCES;
	return st.st_size > (off_t)LIMIT_PASSWORDS_BYTES ? -EFBIG : 0;
}

/* *ret_text: LIMIT_PASSWORDS_BYTES + 1 bytes, to be wiped. */
static int read_text(const char *path, char **ret_text)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	size_t used = 0;
	char *text;
	int r;

	r = fd < 0 ? -errno : fit_to_read(fd);
	if (r < 0)
		return r;
	text = calloc(1, LIMIT_PASSWORDS_BYTES + 1);
	if (!text)
		return -ENOMEM;
	while (used < LIMIT_PASSWORDS_BYTES) {
		ssize_t n = read(fd, text + used, LIMIT_PASSWORDS_BYTES - used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		used += n;
	}
	*ret_text = text;
	return 0;
}

int passwords_check(const char *path, const char *user, const char *secret, const char *display,
	enum passwords_verdict *ret, uint32_t *ret_mode)
{
	char *text, *copy;
	int r;

	r = read_text(path, &text);
	if (r < 0) {
		log_err(NULL, "passwords %s: %s", path,
			r == -EACCES ? "others may read or write it, or it is somebody else's: "
				       "'chmod 600', and root or the daemon's user must own it"
				     : strerror(-r));
		return r;
	}
	copy = strdup(text);
	if (!copy) {
		free(text);
		return -ENOMEM;
	}
	*ret = passwords_check_text(text, user, secret, display, ret_mode);
	if (*ret == PASSWORDS_UNKNOWN)
		passwords_waste(copy, secret);
	explicit_bzero(copy, strlen(copy));
	explicit_bzero(text, LIMIT_PASSWORDS_BYTES);
	free(copy);
	free(text);
	return 0;
}
