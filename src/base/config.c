/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"

enum key_type {
	KEY_PATH,
	KEY_SWITCH,
	KEY_NUMBER,
	KEY_WORD,
	KEY_SET,  /* words of a table, as bits; 0: the default */
	KEY_LIST, /* any words, kept as a text with one space between; NULL: none */
};

struct key {
	const char *section, *name;
	enum key_type type;
	size_t offset;	    /* in struct config */
	uint32_t low, high; /* a number's range; a path's or list's longest length in high */
	uint32_t preset;
	const char *const *words; /* of KEY_WORD for low to high, of KEY_SET for bit 0 to high */
};

/* A socket's path has to fit, with its NUL. */
#define SOCKET_PATH_CHARS (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

static const char *const level_words[] = {"err", "warning", "notice", "info", "debug"};
static const char *const import_words[] = {"auto", "always", "never"};
static const char *const offer_words[] = {"none", "vncauth", "tlsNone", "tlsVnc", "tlsPlain",
	"x509None", "x509Vnc", "x509Plain", "rsaAes", "rsaAes256"};
static const char *const transport_words[] = {"rfb", "websocket", "secureWebsocket"};
static const char *const shared_words[] = {"ignore", "allow-exclusive", "force-shared"};
static const char *const mode_words[] = {"", "view", "control", "exclusive"};

#define OFFER_LAST (ARRAY_SIZE(offer_words) - 1)

static_assert(ARRAY_SIZE(level_words) == LOG_LEVEL_DEBUG + 1, "a word for each level");
static_assert(ARRAY_SIZE(import_words) == IMPORT_NEVER + 1, "a word for each policy");
static_assert(ARRAY_SIZE(shared_words) == CONFIG_SHARED_FORCE + 1, "a word for each policy");

static const struct key keys[] = {
	{"control", "socket", KEY_PATH, offsetof(struct config, control_socket), 0,
		SOCKET_PATH_CHARS, 0, NULL},
	{"control", "monitor", KEY_PATH, offsetof(struct config, monitor_socket), 0,
		SOCKET_PATH_CHARS, 0, NULL},
	{"control", "policy", KEY_PATH, offsetof(struct config, policy), 0, LIMIT_CONFIG_LINE, 0,
		NULL},
	{"viewers", "unix-sockets", KEY_SWITCH, offsetof(struct config, unix_sockets), 0, 1, 1,
		NULL},
	{"viewers", "unix-directory", KEY_PATH, offsetof(struct config, unix_directory), 0,
		SOCKET_PATH_CHARS - 2, 0, NULL},
	{"viewers", "password-file", KEY_PATH, offsetof(struct config, password_file), 0,
		LIMIT_CONFIG_LINE, 0, NULL},
	{"viewers", "passwords", KEY_PATH, offsetof(struct config, passwords), 0, LIMIT_CONFIG_LINE,
		0, NULL},
	{"viewers", "pam-service", KEY_LIST, offsetof(struct config, pam_service), 0, 64, 0, NULL},
	{"viewers", "certificate", KEY_PATH, offsetof(struct config, certificate), 0,
		LIMIT_CONFIG_LINE, 0, NULL},
	{"viewers", "key", KEY_PATH, offsetof(struct config, key), 0, LIMIT_CONFIG_LINE, 0, NULL},
	{"viewers", "client-ca", KEY_PATH, offsetof(struct config, client_ca), 0, LIMIT_CONFIG_LINE,
		0, NULL},
	{"viewers", "rsa-key", KEY_PATH, offsetof(struct config, rsa_key), 0, LIMIT_CONFIG_LINE, 0,
		NULL},
	{"viewers", "security", KEY_SET, offsetof(struct config, security), 0, OFFER_LAST, 0,
		offer_words},
	{"viewers", "security-local", KEY_SET, offsetof(struct config, security_local), 0,
		OFFER_LAST, 0, offer_words},
	{"viewers", "insecure", KEY_SWITCH, offsetof(struct config, insecure), 0, 1, 0, NULL},
	{"viewers", "transports", KEY_SET, offsetof(struct config, transports), 0,
		ARRAY_SIZE(transport_words) - 1, 0, transport_words},
	{"viewers", "origins", KEY_LIST, offsetof(struct config, origins), 0, 255, 0, NULL},
	{"viewers", "shared", KEY_WORD, offsetof(struct config, shared), 0, CONFIG_SHARED_FORCE,
		CONFIG_SHARED_IGNORE, shared_words},
	{"viewers", "linger-seconds", KEY_NUMBER, offsetof(struct config, linger_seconds), 0, 3600,
		60, NULL},
	{"viewers", "bytes-per-second-maximum", KEY_NUMBER, offsetof(struct config, bytes_maximum),
		0, UINT32_MAX, 0, NULL},
	{"viewers", "viewers-maximum", KEY_NUMBER, offsetof(struct config, viewers_maximum), 1,
		LIMIT_VIEWERS_MAX, LIMIT_VIEWERS, NULL},
	{"viewers", "frames-per-second-maximum", KEY_NUMBER,
		offsetof(struct config, frames_maximum), 1, 240, 60, NULL},
	{"viewers", "grace-seconds", KEY_NUMBER, offsetof(struct config, grace_seconds), 0, 3600,
		10, NULL},
	{"viewers", "stall-seconds", KEY_NUMBER, offsetof(struct config, stall_seconds), 1, 3600,
		LIMIT_STALL_MS / 1000, NULL},
	{"gate", "listen", KEY_LIST, offsetof(struct config, gate_listen), 0, LIMIT_CONFIG_LINE, 0,
		NULL},
	{"gate", "mode", KEY_WORD, offsetof(struct config, gate_mode), 1, 3, 2, mode_words},
	{"gate", "security", KEY_SET, offsetof(struct config, gate_security), 0, OFFER_LAST, 0,
		offer_words},
	{"capture", "timer-fast-ms", KEY_NUMBER, offsetof(struct config, timer_fast_ms), 4, 1000,
		16, NULL},
	{"capture", "timer-slow-ms", KEY_NUMBER, offsetof(struct config, timer_slow_ms), 10, 10000,
		100, NULL},
	{"capture", "safety-ms", KEY_NUMBER, offsetof(struct config, safety_ms), 100, 60000, 1000,
		NULL},
	{"capture", "render-node", KEY_PATH, offsetof(struct config, render_node), 0,
		LIMIT_CONFIG_LINE, 0, NULL},
	{"capture", "import", KEY_WORD, offsetof(struct config, import), 0, IMPORT_NEVER,
		IMPORT_AUTO, import_words},
	{"metrics", "listen", KEY_LIST, offsetof(struct config, metrics_listen), 0, 128, 0, NULL},
	{"metrics", "insecure", KEY_SWITCH, offsetof(struct config, metrics_insecure), 0, 1, 0,
		NULL},
	{"log", "level", KEY_WORD, offsetof(struct config, log_level), 0, LOG_LEVEL_DEBUG,
		LOG_LEVEL_INFO, level_words},
};

static_assert(sizeof(enum log_level) == sizeof(uint32_t), "a word is stored as a number");
static_assert(sizeof(enum import_policy) == sizeof(uint32_t), "a word is stored as a number");

struct reader {
	struct config *config;
	const char *path;
	const char *section; /* one of keys[]; NULL before the first */
	unsigned int line;
	unsigned int set[ARRAY_SIZE(keys)]; /* line that set keys[i]; 0: none */
	char **ret_error;
};

/* Where a KEY_PATH or KEY_LIST is kept. */
static char **key_text(struct config *config, const struct key *key)
{
	return (char **)((char *)config + key->offset);
}

static void key_store(struct config *config, const struct key *key, uint32_t value)
{
	char *at = (char *)config + key->offset;

	switch (key->type) {
	case KEY_SWITCH:
		*(bool *)at = value;
		break;
	case KEY_NUMBER:
	case KEY_WORD:
	case KEY_SET:
		memcpy(at, &value, sizeof(value));
		break;
	case KEY_PATH:
	case KEY_LIST:
		break;
	}
}

void config_init(struct config *config)
{
	*config = (struct config){0};
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		key_store(config, &keys[i], keys[i].preset);
}

void config_finish(struct config *config)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].type == KEY_PATH || keys[i].type == KEY_LIST) {
			free(*key_text(config, &keys[i]));
			*key_text(config, &keys[i]) = NULL;
		}
}

const char *config_offer(size_t n)
{
	return n < ARRAY_SIZE(offer_words) ? offer_words[n] : NULL;
}

const char *config_transport(size_t n)
{
	return n < ARRAY_SIZE(transport_words) ? transport_words[n] : NULL;
}

bool config_key(
	size_t n, const char **ret_section, const char **ret_name, char *ret_preset, size_t size)
{
	const struct key *key;

	if (n >= ARRAY_SIZE(keys))
		return false;
	key = &keys[n];
	switch (key->type) {
	case KEY_PATH:
	case KEY_LIST:
	case KEY_SET:
		snprintf(ret_preset, size, "%s", "");
		break;
	case KEY_SWITCH:
		snprintf(ret_preset, size, "%s", key->preset ? "yes" : "no");
		break;
	case KEY_NUMBER:
		snprintf(ret_preset, size, "%" PRIu32, key->preset);
		break;
	case KEY_WORD:
		snprintf(ret_preset, size, "%s", key->words[key->preset]);
		break;
	}
	*ret_section = key->section;
	*ret_name = key->name;
	return true;
}

/* Returns -EINVAL, so that a caller can end with it. */
__attribute__((format(printf, 2, 3))) static int complain(
	struct reader *reader, const char *format, ...)
{
	_cleanup_free_ char *what = NULL;
	va_list args;
	int r;

	va_start(args, format);
	r = vasprintf(&what, format, args);
	va_end(args);
	if (r < 0) {
		what = NULL;
		return -ENOMEM;
	}
	/* A file can hold anything, a terminal or a journal should not see it. */
	for (char *c = what; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
	if (asprintf(reader->ret_error, "%s:%u: %s", reader->path, reader->line, what) < 0) {
		*reader->ret_error = NULL;
		return -ENOMEM;
	}
	return -EINVAL;
}

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

static int read_path(struct reader *reader, const struct key *key, const char *value)
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
	free(*key_text(reader->config, key));
	*key_text(reader->config, key) = copy;
	return 0;
}

static int read_number(struct reader *reader, const struct key *key, const char *value)
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
	key_store(reader->config, key, number);
	return 0;
}

/* "a, b or c" */
static void list_words(const struct key *key, char *words, size_t size)
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
static int find_word(const struct key *key, const char *word)
{
	for (uint32_t i = key->low; i <= key->high; i++)
		if (strcmp(word, key->words[i]) == 0)
			return (int)i;
	return -1;
}

static int read_word(struct reader *reader, const struct key *key, const char *value)
{
	int n = find_word(key, value);
	char words[160];

	if (n >= 0) {
		key_store(reader->config, key, n);
		return 0;
	}
	list_words(key, words, sizeof(words));
	return complain(reader, "%s is %s, not \"%s\"", key->name, words, value);
}

static int read_set(struct reader *reader, const struct key *key, char *value)
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
	key_store(reader->config, key, set);
	return 0;
}

/* Cut into words and joined again: never longer than before. */
static int read_list(struct reader *reader, const struct key *key, char *value)
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
	free(*key_text(reader->config, key));
	*key_text(reader->config, key) = *joined ? joined : NULL;
	if (!*joined)
		free(joined);
	return 0;
}

static int read_value(struct reader *reader, const struct key *key, char *value)
{
	switch (key->type) {
	case KEY_PATH:
		return read_path(reader, key, value);
	case KEY_NUMBER:
		return read_number(reader, key, value);
	case KEY_SWITCH:
		if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
			return complain(reader, "%s is yes or no, not \"%s\"", key->name, value);
		key_store(reader->config, key, strcmp(value, "yes") == 0);
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
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strcmp(name, keys[i].section) == 0) {
			reader->section = keys[i].section;
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
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strcmp(keys[i].section, reader->section) != 0 ||
			strcmp(keys[i].name, name) != 0)
			continue;
		if (reader->set[i])
			return complain(
				reader, "%s was set in line %u already", name, reader->set[i]);
		reader->set[i] = reader->line;
		return read_value(reader, &keys[i], trim(value));
	}
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strcmp(keys[i].name, name) == 0)
			return complain(reader, "%s belongs to section [%s], not to [%s]", name,
				keys[i].section, reader->section);
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
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (reader->set[i] &&
			(keys[i].offset == offsetof(struct config, timer_fast_ms) ||
				keys[i].offset == offsetof(struct config, timer_slow_ms)))
			reader->line = reader->set[i];
	return complain(reader,
		"timer-fast-ms (%" PRIu32 ") is more than timer-slow-ms (%" PRIu32 ")",
		config->timer_fast_ms, config->timer_slow_ms);
}

/* The whole file into @text, which has room for one byte more than LIMIT_CONFIG_BYTES. */
static int read_file(const char *path, char *text, size_t *ret_length)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t length = 0;

	if (fd < 0)
		return -errno;
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

int config_read(struct config *config, const char *path, char **ret_error)
{
	struct reader reader = {.config = config, .path = path, .ret_error = ret_error};
	_cleanup_free_ char *text = malloc(LIMIT_CONFIG_BYTES + 1);
	size_t length = 0, next;
	int r;

	*ret_error = NULL;
	if (!text)
		return -ENOMEM;
	r = read_file(path, text, &length);
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
