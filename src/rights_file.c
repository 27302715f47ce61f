/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rights_file.c - reads a policy file: strictly, since what is misread here lets somebody in, or keeps somebody out. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/complaint.h"
#include "base/fd.h"
#include "base/mem.h"
#include "idmap.h"
#include "rights_rules.h"

#define BLANKS	   " \t\r"
#define ID_CHARS   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
#define IDS_FEWEST 1000 /* a user namespace with fewer ids is not one for many users */

struct reader {
	const char *path;
	unsigned int line;
	struct rights *rights;
	struct idmap users, groups;
	bool has_id; /* the line has said id= */
	char **ret_error;
};

#define complain(reader, ...) \
	complaint((reader)->ret_error, (reader)->path, (reader)->line, __VA_ARGS__)

static int read_rights(struct reader *reader, char *words, struct rule *rule)
{
	char *word;

	while ((word = strsep(&words, ","))) {
		enum right right = RIGHT_OBSERVE;

		while (right < RIGHTS_USED && strcmp(right_name(right), word) != 0)
			right++;
		if (right == RIGHTS_USED)
			return complain(reader,
				"there is no right \"%s\": rights are observe, register, capture, "
				"view, control, exclusive, input, ticket, manage and admin, with "
				"commas and no blanks between",
				word);
		rule->rights |= right_bits(right);
	}
	return 0;
}

/* By the host's name services. -errno where they failed; 0 found, -ENOENT. */
static int look_up(const char *name, struct rule_subject *subject)
{
	const struct passwd *user = NULL;
	const struct group *group = NULL;

	errno = 0;
	if (subject->group)
		group = getgrnam(name);
	else
		user = getpwnam(name);
	if (!user && !group)
		return errno ? -errno : -ENOENT;
	subject->id = user ? user->pw_uid : group->gr_gid;
	return 0;
}

static int find_subject(struct reader *reader, const char *name, struct rule_subject *subject)
{
	const char *kind = subject->group ? "group" : "user";
	uint64_t number = 0;
	int r;

	if (!*name)
		return complain(reader, "%cid= without a name", *kind);
	if (strspn(name, "0123456789") == strlen(name)) {
		for (const char *c = name; *c && number < UINT32_MAX; c++)
			number = number * 10 + (unsigned int)(*c - '0');
		subject->id = (id_t)number;
		return number < UINT32_MAX
			       ? 0
			       : complain(reader, "%s %s: the largest is 4294967294", kind, name);
	}
	r = look_up(name, subject);
	if (r == -ENOMEM || r == 0)
		return r;
	/* What else getpwnam(3) may set where there is no such name. */
	if (r == -ENOENT || r == -ESRCH || r == -EBADF || r == -EPERM)
		return complain(reader, "there is no %s \"%s\" on this host", kind, name);
	return complain(reader, "%s \"%s\" cannot be looked up: %s", kind, name, strerror(-r));
}

static int read_subject(struct reader *reader, const char *name, bool group, struct rule *rule)
{
	struct rights *rights = reader->rights;
	const struct idmap *map = group ? &reader->groups : &reader->users;
	struct rule_subject subject = {.group = group};
	int r;

	r = find_subject(reader, name, &subject);
	if (r < 0)
		return r;
	if (map->seen < IDS_FEWEST || !idmap_has(map, subject.id))
		return complain(reader,
			"%cid %u cannot be told from others here: this user namespace has %lu ids "
			"(is PrivateUsers= set in the service's unit? It must not be)",
			"ug"[group], (unsigned int)subject.id, map->seen);
	if (rights->subjects_used == LIMIT_POLICY_SUBJECTS)
		return complain(reader, "more than %d users and groups", LIMIT_POLICY_SUBJECTS);
	rights->subjects[rights->subjects_used++] = subject;
	rule->subjects_used++;
	return 0;
}

static int read_pattern(struct reader *reader, const char *pattern, struct rule *rule)
{
	if (reader->has_id)
		return complain(reader, "id= a second time: write another line for it");
	reader->has_id = true;
	if (!*pattern || strlen(pattern) > LIMIT_ID_CHARS)
		return complain(reader, "id= takes 1 to %d characters", LIMIT_ID_CHARS);
	if (pattern[strspn(pattern, ID_CHARS "*?")])
		return complain(reader,
			"no display has such an id: it is made of A-Z, a-z, 0-9, \".\", \"_\", "
			"\"-\"; \"*\" and \"?\" stand for others");
	strcpy(rule->pattern, pattern);
	return 0;
}

static int read_word(struct reader *reader, const char *word, struct rule *rule)
{
	if (strncmp(word, "uid=", 4) == 0)
		return read_subject(reader, word + 4, false, rule);
	if (strncmp(word, "gid=", 4) == 0)
		return read_subject(reader, word + 4, true, rule);
	if (strncmp(word, "id=", 3) == 0)
		return read_pattern(reader, word + 3, rule);
	return complain(reader, "\"%s\" is not uid=, gid= or id=", word);
}

static int read_line(struct reader *reader, char *line)
{
	struct rights *rights = reader->rights;
	struct rule *rule = &rights->rules[rights->rules_used];
	char *rest, *word = strtok_r(line, BLANKS, &rest);
	int r;

	if (!word || *word == '#')
		return 0;
	if (strcmp(word, "allow") != 0)
		return complain(
			reader, "a line begins with \"allow\" or \"#\", not with \"%s\"", word);
	if (rights->rules_used == LIMIT_POLICY_RULES)
		return complain(reader, "more than %d lines", LIMIT_POLICY_RULES);
	word = strtok_r(NULL, BLANKS, &rest);
	if (!word || *word == '#')
		return complain(
			reader, "which rights? allow RIGHT[,RIGHT ...] [uid=..] [gid=..] [id=..]");
	*rule = (struct rule){.subjects = (unsigned int)rights->subjects_used, .pattern = "*"};
	reader->has_id = false;
	r = read_rights(reader, word, rule);
	while (r == 0 && (word = strtok_r(NULL, BLANKS, &rest)) && *word != '#')
		r = read_word(reader, word, rule);
	if (r == 0)
		rights->rules_used++;
	return r;
}

static int read_lines(struct reader *reader, char *text, size_t size)
{
	size_t next;
	int r;

	for (size_t at = 0; at < size; at = next) {
		char *end = memchr(text + at, '\n', size - at);
		size_t length = (end ? (size_t)(end - text) : size) - at;

		next = at + length + 1;
		reader->line++;
		text[at + length] = '\0';
		if (memchr(text + at, '\0', length))
			return complain(reader, "a NUL byte: this is not a text file");
		if (length > LIMIT_CONFIG_LINE)
			return complain(reader, "longer than %u characters", LIMIT_CONFIG_LINE);
		r = read_line(reader, text + at);
		if (r < 0)
			return r;
	}
	return 0;
}

int rights_parse(const char *path, char *text, size_t size, struct rights **ret, char **ret_error)
{
	struct reader *reader = new0(struct reader);
	struct rights *rights = new0(struct rights);
	int r = -ENOMEM;

	*ret_error = NULL;
	if (reader && rights) {
		reader->path = path;
		reader->rights = rights;
		reader->ret_error = ret_error;
		rights->path = strdup(path);
		/* Where they cannot be read, nobody can be told from others. */
		idmap_read(IDMAP_UID_PATH, &reader->users);
		idmap_read(IDMAP_GID_PATH, &reader->groups);
		rights->some_hidden = !idmap_is_whole(&reader->users);
		r = rights->path ? read_lines(reader, text, size) : -ENOMEM;
	}
	free(reader);
	if (r < 0)
		rights_destroy(rights);
	else
		*ret = rights;
	return r;
}

/* NULL: nobody but root and who we are ourselves can have written it. */
static const char *why_untrusted(const struct stat *st)
{
	if (st->st_mode & S_IWOTH)
		return "everybody may write it";
	return st->st_uid == 0 || st->st_uid == geteuid() ? NULL
							  : "it belongs neither to root nor to the "
							    "user that the daemon runs as";
}

/* The whole file into @text, which has room for LIMIT_POLICY_BYTES + 1. *ret_why: static text, where strerror() does not say it. */
static int read_file(const char *path, char *text, size_t *ret_size, const char **ret_why)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	size_t size = 0;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	*ret_why = S_ISREG(st.st_mode) ? why_untrusted(&st) : "it is no file";
	if (*ret_why)
		return S_ISREG(st.st_mode) ? -EPERM : -ENOTSUP;
	while (size <= LIMIT_POLICY_BYTES) {
		ssize_t n = read(fd, text + size, LIMIT_POLICY_BYTES + 1 - size);

		if (n < 0)
			return -errno;
		if (n == 0) {
			*ret_size = size;
			return 0;
		}
		size += (size_t)n;
	}
	*ret_why = "it is too large";
	return -EFBIG;
}

int rights_read(const char *path, bool must_exist, struct rights **ret, char **ret_error)
{
	_cleanup_free_ char *text = malloc(LIMIT_POLICY_BYTES + 1);
	const char *why = NULL;
	size_t size = 0;
	int r;

	*ret_error = NULL;
	if (!text)
		return -ENOMEM;
	r = read_file(path, text, &size, &why);
	if (r == -ENOENT && !must_exist)
		return rights_create(ret);
	if (r == 0)
		return rights_parse(path, text, size, ret, ret_error);
	if (asprintf(ret_error, "%s: cannot be used: %s", path, why ? why : strerror(-r)) < 0)
		*ret_error = NULL;
	return r;
}
