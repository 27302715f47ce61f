/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "registrar/settings.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"

#define DEFAULT_FILE SYSCONFDIR "/vfio-displayd/registrar.conf"

enum kind { KIND_TEXT, KIND_NUMBER, KIND_WORD };

struct setting {
	const char *name, *about;
	enum kind kind;
	size_t offset;
	const char *preset;	  /* NULL: none */
	uint32_t low, high;	  /* KIND_NUMBER */
	const char *const *words; /* KIND_WORD: word n is the number n */
};

static const char *const switch_words[] = {"no", "yes", NULL};
static const char *const level_words[] = {"err", "warning", "notice", "info", "debug", NULL};

/* clang-format off */
#define TEXT(name_, field, preset_, about_) \
	{.name = name_, .about = about_, .offset = offsetof(struct settings, field), .preset = preset_}
/* clang-format on */

static const struct setting table[] = {
	TEXT("socket", socket, RUNSTATEDIR "/vfio-displayd/monitor", "where vfio-displayd answers"),
	TEXT("etcd", etcd, "http://127.0.0.1:2379", "URLs of etcd's servers, space between"),
	TEXT("prefix", prefix, "/vfio-displayd/displays", "of keys; PREFIX/HOST/ID is a display"),
	TEXT("host", host, NULL, "this host's name in keys, if not its host name"),
	TEXT("address", address, NULL, "where others reach this host"),
	TEXT("ca", ca, NULL, "PEM file: who signs etcd's certificate"),
	TEXT("certificate", certificate, NULL, "PEM file: what etcd is shown"),
	TEXT("key", key, NULL, "PEM file: its key"),
	TEXT("user", user, NULL, "user of etcd"),
	TEXT("password-file", password_file, NULL, "file with that user's password"),
	TEXT("redis", redis, NULL, "HOST:PORT or unix:/PATH: tokens are mirrored there"),
	TEXT("redis-user", redis_user, NULL, "user of Redis"),
	TEXT("redis-password-file", redis_password_file, NULL, "file with Redis' password"),
	TEXT("redis-prefix", redis_prefix, NULL, "put before each token"),
	TEXT("redis-token", redis_token, NULL, "label whose value is the token, not HOST:ID"),
	{"redis-loopback", "yes or no: mirror what only this host reaches", KIND_WORD,
		offsetof(struct settings, redis_loopback), "no", 0, 0, switch_words},
	{"ttl", "seconds that records outlive this program, 2 to 3600", KIND_NUMBER,
		offsetof(struct settings, ttl), "15", 2, 3600, NULL},
	{"log-level", "err, warning, notice, info or debug", KIND_WORD,
		offsetof(struct settings, log_level), "info", 0, 0, level_words},
};

struct reader {
	struct settings *settings;
	bool set[ARRAY_SIZE(table)]; /* by the source that is read now */
	const char *file;	     /* --config; NULL: not said */
	enum settings_wish wish;
	char *error;
};

__attribute__((format(printf, 2, 3))) static int wrong(
	struct reader *reader, const char *format, ...)
{
	va_list args;

	free(reader->error);
	va_start(args, format);
	if (vasprintf(&reader->error, format, args) < 0)
		reader->error = NULL;
	va_end(args);
	return -EINVAL;
}

bool settings_name(size_t n, const char **ret_name, const char **ret_about)
{
	if (n >= ARRAY_SIZE(table))
		return false;
	*ret_name = table[n].name;
	*ret_about = table[n].about;
	return true;
}

static char **text_at(struct settings *settings, const struct setting *setting)
{
	return (char **)((char *)settings + setting->offset);
}

static int parse_number(const struct setting *setting, const char *value, uint32_t *ret)
{
	unsigned long number;
	char *end;

	for (uint32_t i = 0; setting->words && setting->words[i]; i++)
		if (strcmp(setting->words[i], value) == 0) {
			*ret = i;
			return 0;
		}
	if (setting->words || !isdigit((unsigned char)value[0]))
		return -EINVAL;
	number = strtoul(value, &end, 10); /* ULONG_MAX where it is too large */
	if (*end || number < setting->low || number > setting->high)
		return -EINVAL;
	*ret = (uint32_t)number;
	return 0;
}

/* @value NULL or empty: the default. */
static int store(struct settings *settings, const struct setting *setting, const char *value)
{
	char **at = text_at(settings, setting);
	char *copy;

	if (!value || !value[0])
		value = setting->preset;
	if (setting->kind != KIND_TEXT)
		return parse_number(
			setting, value, (uint32_t *)((char *)settings + setting->offset));
	copy = value ? strdup(value) : NULL;
	if (value && !copy)
		return -ENOMEM;
	free(*at);
	*at = copy;
	return 0;
}

/* @where: what stands before a complaint, "FILE:LINE: " or "--". */
static int take(struct reader *reader, const char *where, const char *name, const char *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		int r;

		if (strcmp(table[i].name, name) != 0)
			continue;
		if (reader->set[i])
			return wrong(reader, "%s%s is set twice", where, name);
		reader->set[i] = true;
		r = store(reader->settings, &table[i], value);
		if (r == -EINVAL)
			wrong(reader, "%s%s: '%s' is not one of its values (%s)", where, name,
				value, table[i].about);
		return r;
	}
	return wrong(reader, "%sthere is no key '%s'", where, name);
}

/* Without white space at both ends. */
static char *strip(char *text)
{
	size_t n;

	while (isspace((unsigned char)*text))
		text++;
	n = strlen(text);
	while (n > 0 && isspace((unsigned char)text[n - 1]))
		text[--n] = '\0';
	return text;
}

static int take_line(struct reader *reader, const char *path, unsigned int number, char *line)
{
	char *name = strip(line), *equals = strchr(name, '=');
	char where[PATH_MAX + 16];

	if (name[0] == '\0' || name[0] == '#' || name[0] == ';')
		return 0;
	if (!equals)
		return wrong(reader, "%s:%u: this is no 'key = value'", path, number);
	*equals = '\0';
	snprintf(where, sizeof(where), "%s:%u: ", path, number);
	return take(reader, where, strip(name), strip(equals + 1));
}

static int read_file(struct reader *reader)
{
	const char *path = reader->file ? reader->file : DEFAULT_FILE;
	FILE *file = fopen(path, "re");
	char line[LIMIT_CONFIG_LINE];
	unsigned int number = 0;
	int r = 0;

	if (!file && errno == ENOENT && !reader->file)
		return 0;
	if (!file)
		return wrong(reader, "%s: %s", path, strerror(errno));
	while (r >= 0 && fgets(line, sizeof(line), file)) {
		number++;
		if (!strchr(line, '\n') && !feof(file))
			r = wrong(reader, "%s:%u: the line is too long", path, number);
		else
			r = take_line(reader, path, number, line);
	}
	if (r >= 0 && ferror(file))
		r = wrong(reader, "%s: cannot be read", path);
	fclose(file);
	memset(reader->set, 0, sizeof(reader->set)); /* the command line counts more */
	return r;
}

/* Options that are not in the table; those of the table come after them. */
enum { OPTION_CONFIG, OPTION_HELP, OPTION_VERSION, OPTION_TABLE };

static void name_options(struct option *options)
{
	options[OPTION_CONFIG] = (struct option){"config", required_argument, NULL, OPTION_CONFIG};
	options[OPTION_HELP] = (struct option){"help", no_argument, NULL, OPTION_HELP};
	options[OPTION_VERSION] = (struct option){"version", no_argument, NULL, OPTION_VERSION};
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		options[OPTION_TABLE + i] = (struct option){
			table[i].name, required_argument, NULL, (int)(OPTION_TABLE + i)};
	options[OPTION_TABLE + ARRAY_SIZE(table)] = (struct option){0};
}

/* Twice: what is not in the table first, for the file comes before the rest. */
static int read_options(struct reader *reader, int argc, char **argv, bool of_table)
{
	struct option options[OPTION_TABLE + ARRAY_SIZE(table) + 1];
	int option, r = 0;

	name_options(options);
	optind = 0;
	while (r >= 0 && (option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == '?')
			r = wrong(reader, "see --help");
		else if (option == OPTION_CONFIG)
			reader->file = optarg;
		else if (option == OPTION_HELP)
			reader->wish = SETTINGS_HELP;
		else if (option == OPTION_VERSION)
			reader->wish = SETTINGS_VERSION;
		else if (of_table)
			r = take(reader, "--", options[option].name, optarg);
	}
	if (r >= 0 && optind < argc)
		r = wrong(reader, "'%s' is no option; see --help", argv[optind]);
	return r;
}

/* The first line of @path; without one, of systemd's credential @credential if there is one. */
static int read_password(
	struct reader *reader, const char *path, const char *credential, char **ret)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	char own[PATH_MAX], line[LIMIT_CONFIG_LINE] = "";
	FILE *file;

	if (!path && !directory)
		return 0;
	if (!path) {
		snprintf(own, sizeof(own), "%s/%s", directory, credential);
		if (access(own, F_OK) < 0)
			return 0;
		path = own;
	}
	file = fopen(path, "re");
	if (!file)
		return wrong(reader, "%s: %s", path, strerror(errno));
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	fclose(file);
	line[strcspn(line, "\r\n")] = '\0';
	if (!line[0])
		return wrong(reader, "%s: there is no password in its first line", path);
	*ret = strdup(line);
	explicit_bzero(line, sizeof(line));
	return *ret ? 0 : -ENOMEM;
}

static int check_host(struct reader *reader)
{
	char name[HOST_NAME_MAX + 1] = "";
	const char *host = reader->settings->host;
	int r;

	if (!host) {
		if (gethostname(name, sizeof(name) - 1) < 0)
			return -errno;
		r = store(reader->settings, &(struct setting)TEXT("", host, NULL, ""), name);
		if (r < 0)
			return r;
		host = reader->settings->host;
	}
	for (size_t i = 0; host && host[i]; i++)
		if (i == LIMIT_ID_CHARS ||
			(!isalnum((unsigned char)host[i]) && !strchr("._-", host[i])))
			return wrong(reader,
				"the host's name '%s' is not 1 to %d of A-Z a-z 0-9 . _ -; say "
				"--host",
				host, LIMIT_ID_CHARS);
	return host ? 0 : wrong(reader, "this host has no name; say --host");
}

static int check(struct reader *reader)
{
	struct settings *settings = reader->settings;
	size_t n = strlen(settings->prefix);
	int r;

	while (n > 0 && settings->prefix[n - 1] == '/')
		settings->prefix[--n] = '\0';
	r = check_host(reader);
	if (r >= 0)
		r = read_password(
			reader, settings->password_file, "etcd.password", &settings->password);
	if (r >= 0)
		r = read_password(reader, settings->redis_password_file, "redis.password",
			&settings->redis_password);
	if (r >= 0 && settings->user && !settings->password)
		r = wrong(reader, "etcd's user '%s' has no password; say --password-file",
			settings->user);
	return r;
}

int settings_read(struct settings *settings, int argc, char **argv, enum settings_wish *ret_wish,
	char **ret_error)
{
	struct reader reader = {.settings = settings};
	int r = 0;

	*settings = (struct settings){0};
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(table); i++)
		r = store(settings, &table[i], NULL);
	if (r >= 0)
		r = read_options(&reader, argc, argv, false);
	if (r >= 0 && reader.wish == SETTINGS_RUN)
		r = read_file(&reader);
	if (r >= 0 && reader.wish == SETTINGS_RUN)
		r = read_options(&reader, argc, argv, true);
	if (r >= 0 && reader.wish == SETTINGS_RUN)
		r = check(&reader);
	if (r >= 0)
		*ret_wish = reader.wish;
	else
		*ret_error = take_ptr(reader.error);
	free(reader.error);
	return r;
}

void settings_finish(struct settings *settings)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].kind == KIND_TEXT)
			free(*text_at(settings, &table[i]));
	if (settings->password)
		explicit_bzero(settings->password, strlen(settings->password));
	if (settings->redis_password)
		explicit_bzero(settings->redis_password, strlen(settings->redis_password));
	free(settings->password);
	free(settings->redis_password);
	*settings = (struct settings){0};
}
