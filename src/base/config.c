/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a file is read, and what is said when that fails. Which keys there are: config_keys.c. */
#include "base/config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/complaint.h"
#include "base/config_keys.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"

struct reader {
	struct config *config;
	const char *path;
	const char *section; /* one of config_keys[]; NULL before the first */
	unsigned int line;
	unsigned int set[CONFIG_KEYS]; /* line that set config_keys[i]; 0: none */
	char **ret_error;
};

#define complain(reader, ...) \
	complaint((reader)->ret_error, (reader)->path, (reader)->line, __VA_ARGS__)

/* Cuts white space off both ends. */
static char *trim(char *text)
{
	size_t length;

	text += strspn(text, " \t\r");
	length = strlen(text);
	while (length && strchr(" \t\r", text[length - 1]))
		text[--length] = '\0';
	return text;
}

static int read_path(struct reader *reader, const struct config_key *key, const char *value)
{
	char *copy = NULL;

	if (*value) {
		if (*value != '/')
			return complain(reader, "%s is an absolute path or empty, not \"%s\"",
				key->name, value);
		if (strlen(value) > key->high)
			return complain(reader, "%s is longer than %" PRIu32 " characters",
				key->name, key->high);
		copy = strdup(value);
		if (!copy)
			return -ENOMEM;
	}
	free(*config_key_text(reader->config, key));
	*config_key_text(reader->config, key) = copy;
	return 0;
}

static int read_number(struct reader *reader, const struct config_key *key, const char *value)
{
	uint64_t number = 0;

	/* Digits only: strtoul would take "-1", "+1", " 1" and "0x1". */
	if (!*value || strspn(value, "0123456789") != strlen(value))
		return complain(reader,
			"%s is a whole number from %" PRIu32 " to %" PRIu32 ", not \"%s\"",
			key->name, key->low, key->high, value);
	for (const char *c = value; *c && number <= UINT32_MAX; c++)
		number = number * 10 + (*c - '0');
	if (number < key->low || number > key->high)
		return complain(reader, "%s is from %" PRIu32 " to %" PRIu32 ", not %s", key->name,
			key->low, key->high, value);
	config_key_store(reader->config, key, number);
	return 0;
}

/* "a, b or c" */
static void list_words(const struct config_key *key, char *words, size_t size)
{
	size_t used = 0;

	words[0] = '\0';
	for (uint32_t i = key->low; i <= key->high && used < size; i++)
		used += snprintf(words + used, size - used, "%s%s",
			i == key->low	? ""
			: i < key->high ? ", "
					: " or ",
			key->words[i]);
}

/* -1: there is no such word. */
static int find_word(const struct config_key *key, const char *word)
{
	for (uint32_t i = key->low; i <= key->high; i++)
		if (strcmp(word, key->words[i]) == 0)
			return (int)i;
	return -1;
}

static int read_word(struct reader *reader, const struct config_key *key, const char *value)
{
	int n = find_word(key, value);
	char words[160];

	if (n >= 0) {
		config_key_store(reader->config, key, n);
		return 0;
	}
	list_words(key, words, sizeof(words));
	return complain(reader, "%s is %s, not \"%s\"", key->name, words, value);
}

static int read_set(struct reader *reader, const struct config_key *key, char *value)
{
	char words[160], *rest = NULL;
	uint32_t set = 0;

	for (char *word = strtok_r(value, " \t", &rest); word;
		word = strtok_r(NULL, " \t", &rest)) {
		int n = find_word(key, word);

		if (n < 0) {
			list_words(key, words, sizeof(words));
			return complain(
				reader, "%s is a list of %s, not \"%s\"", key->name, words, word);
		}
		set |= 1u << n;
	}
	config_key_store(reader->config, key, set);
	return 0;
}

/* Cut into words and joined again: never longer than before. */
static int read_list(struct reader *reader, const struct config_key *key, char *value)
{
	char *joined, *rest = NULL;

	if (strlen(value) > key->high)
		return complain(
			reader, "%s is longer than %" PRIu32 " characters", key->name, key->high);
	joined = calloc(1, strlen(value) + 2);
	if (!joined)
		return -ENOMEM;
	for (char *word = strtok_r(value, " \t", &rest), *to = joined; word;
		word = strtok_r(NULL, " \t", &rest))
		to = stpcpy(stpcpy(to, to == joined ? "" : " "), word);
	free(*config_key_text(reader->config, key));
	*config_key_text(reader->config, key) = *joined ? joined : NULL;
	if (!*joined)
		free(joined);
	return 0;
}

static int read_value(struct reader *reader, const struct config_key *key, char *value)
{
	switch (key->type) {
	case KEY_PATH:
		return read_path(reader, key, value);
	case KEY_NUMBER:
		return read_number(reader, key, value);
	case KEY_SWITCH:
		if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
			return complain(reader, "%s is yes or no, not \"%s\"", key->name, value);
		config_key_store(reader->config, key, strcmp(value, "yes") == 0);
		return 0;
	case KEY_WORD:
		return read_word(reader, key, value);
	case KEY_SET:
		return read_set(reader, key, value);
	case KEY_LIST:
		return read_list(reader, key, value);
	}
	return -EINVAL;
}

static int read_section(struct reader *reader, char *line)
{
	size_t length = strlen(line);
	const char *name;

	if (line[length - 1] != ']')
		return complain(reader, "a section is written [name], not \"%s\"", line);
	line[length - 1] = '\0';
	name = trim(line + 1);
	for (size_t i = 0; i < CONFIG_KEYS; i++)
		if (strcmp(name, config_keys[i].section) == 0) {
			reader->section = config_keys[i].section;
			return 0;
		}
	return complain(reader, "there is no section [%s]", name);
}

static int read_key(struct reader *reader, char *line)
{
	char *value = strchr(line, '=');
	const char *name;

	if (!value)
		return complain(reader,
			"this is no [section], no \"key = value\" and no comment: \"%s\"", line);
	*value++ = '\0';
	name = trim(line);
	if (!reader->section)
		return complain(reader, "\"%s\" stands before the first [section]", name);
	for (size_t i = 0; i < CONFIG_KEYS; i++) {
		if (strcmp(config_keys[i].section, reader->section) != 0 ||
			strcmp(config_keys[i].name, name) != 0)
			continue;
		if (reader->set[i])
			return complain(
				reader, "%s was set in line %u already", name, reader->set[i]);
		reader->set[i] = reader->line;
		return read_value(reader, &config_keys[i], trim(value));
	}
	for (size_t i = 0; i < CONFIG_KEYS; i++)
		if (strcmp(config_keys[i].name, name) == 0)
			return complain(reader, "%s belongs to section [%s], not to [%s]", name,
				config_keys[i].section, reader->section);
	return complain(reader, "there is no key \"%s\" in section [%s]", name, reader->section);
}

static int read_line(struct reader *reader, char *line, size_t length)
{
	if (memchr(line, '\0', length))
		return complain(reader, "a NUL byte: this is not a text file");
	if (length > LIMIT_CONFIG_LINE)
		return complain(reader, "longer than %u characters", LIMIT_CONFIG_LINE);
	line = trim(line);
	if (!*line || *line == '#' || *line == ';')
		return 0;
	return *line == '[' ? read_section(reader, line) : read_key(reader, line);
}

/* What no single key can show to be wrong. */
static int check_whole(struct reader *reader)
{
	const struct config *config = reader->config;

	if (config->timer_fast_ms <= config->timer_slow_ms)
		return 0;
	for (size_t i = 0; i < CONFIG_KEYS; i++)
		if (reader->set[i] &&
			(config_keys[i].offset == offsetof(struct config, timer_fast_ms) ||
				config_keys[i].offset == offsetof(struct config, timer_slow_ms)))
			reader->line = reader->set[i];
	return complain(reader,
		"timer-fast-ms (%" PRIu32 ") is more than timer-slow-ms (%" PRIu32 ")",
		config->timer_fast_ms, config->timer_slow_ms);
}

/* The whole file into @text, which has room for one byte more than LIMIT_CONFIG_BYTES. */
static int read_file(const char *path, bool wait, char *text, size_t *ret_length)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | (wait ? 0 : O_NONBLOCK));
	size_t length = 0;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!wait && S_ISFIFO(st.st_mode))
		return -ENOTSUP;
	while (length <= LIMIT_CONFIG_BYTES) {
		ssize_t n = read(fd, text + length, LIMIT_CONFIG_BYTES + 1 - length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0) {
			*ret_length = length;
			return 0;
		}
		length += n;
	}
	return -EFBIG;
}

static int read_config(struct config *config, const char *path, bool wait, char **ret_error)
{
	struct reader reader = {.config = config, .path = path, .ret_error = ret_error};
	_cleanup_free_ char *text = malloc(LIMIT_CONFIG_BYTES + 1);
	size_t length = 0, next;
	int r;

	*ret_error = NULL;
	if (!text)
		return -ENOMEM;
	r = read_file(path, wait, text, &length);
	if (r < 0) {
		if (asprintf(ret_error, "%s: cannot be read: %s", path, strerror(-r)) < 0)
			*ret_error = NULL;
		return r;
	}
	for (size_t at = 0; at < length; at = next) {
		char *end = memchr(text + at, '\n', length - at);

		next = end ? (size_t)(end - text) + 1 : length;
		reader.line++;
		/* Where the last line has no newline there is room for its NUL: length <= LIMIT_CONFIG_BYTES. */
		text[end ? next - 1 : length] = '\0';
		r = read_line(&reader, text + at, (end ? next - 1 : length) - at);
		if (r < 0)
			return r;
	}
	return check_whole(&reader);
}

int config_read(struct config *config, const char *path, char **ret_error)
{
	return read_config(config, path, true, ret_error);
}

int config_read_again(struct config *config, const char *path, char **ret_error)
{
	return read_config(config, path, false, ret_error);
}

void config_renew(struct config *config, const struct config *newer)
{
	config->h264 = newer->h264;
}
