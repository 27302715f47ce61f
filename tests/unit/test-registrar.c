/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "registrar/catalogue.h"
#include "registrar/record.h"
#include "registrar/settings.h"

/* What List says of a display. */
static json_t *entry(const char *id, const char *more, const char *endpoints)
{
	char text[1024];
	json_t *made;

	snprintf(text, sizeof(text),
		"{\"context\":{\"id\":\"%s\"%s},\"runtime\":{\"state\":\"live\",\"viewers\":3,"
		"\"endpoints\":[%s]}}",
		id, more, endpoints);
	made = json_loads(text, 0, NULL);
	assert_non_null(made);
	return made;
}

static int read_settings(struct settings *settings, const char *const *options, char **ret_error)
{
	char *argv[32] = {(char *)"registrar", (char *)"--config", (char *)"/dev/null"};
	enum settings_wish wish = SETTINGS_HELP;
	int argc = 3;

	while (options && *options)
		argv[argc++] = (char *)*options++;
	return settings_read(settings, argc, argv, &wish, ret_error);
}

static void test_defaults(void **state)
{
	struct settings settings;
	char name[256] = "", *error = NULL;

	assert_int_equal(gethostname(name, sizeof(name) - 1), 0);
	assert_int_equal(read_settings(&settings, NULL, &error), 0);
	assert_string_equal(settings.etcd, "http://127.0.0.1:2379");
	assert_string_equal(settings.prefix, "/vfio-displayd/displays");
	assert_string_equal(settings.host, name);
	assert_int_equal(settings.ttl, 15);
	assert_null(settings.redis);
	assert_false(settings.redis_loopback);
	assert_int_equal(settings.log_level, LOG_LEVEL_INFO);
	settings_finish(&settings);
}

static char *written(const char *text)
{
	char *path = strdup("/tmp/vfio-displayd-test.XXXXXX");
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	return path;
}

static void test_the_command_line_counts_more_than_the_file(void **state)
{
	char *path = written(
		"# a comment\n\nhost = a-host\n ttl=7\nprefix = /x//\nredis-loopback = yes\n"
		"etcd = https://a:1 https://b:2\n");
	char *argv[] = {(char *)"registrar", (char *)"--ttl", (char *)"9", (char *)"--config", path,
		(char *)"--log-level=debug"};
	enum settings_wish wish = SETTINGS_HELP;
	struct settings settings;
	char *error = NULL;

	assert_int_equal(settings_read(&settings, ARRAY_SIZE(argv), argv, &wish, &error), 0);
	assert_int_equal(wish, SETTINGS_RUN);
	assert_string_equal(settings.host, "a-host");
	assert_string_equal(settings.prefix, "/x");
	assert_string_equal(settings.etcd, "https://a:1 https://b:2");
	assert_int_equal(settings.ttl, 9);
	assert_true(settings.redis_loopback);
	assert_int_equal(settings.log_level, LOG_LEVEL_DEBUG);
	settings_finish(&settings);
	unlink(path);
	free(path);
}

static void test_a_bad_file_is_named_with_its_line(void **state)
{
	static const struct {
		const char *text, *said;
	} rows[] = {
		{"ttl = 1\n", ":1: ttl: '1' is not one of its values"},
		{"ttl = 3601\n", ":1: ttl: '3601'"},
		{"ttl = 99999999999999999999\n", ":1: ttl:"},
		{"ttl = -3\n", ":1: ttl:"},
		{"ttl = 5s\n", ":1: ttl:"},
		{"\nttl = 5\nttl = 6\n", ":3: ttl is set twice"},
		{"colour = red\n", ":1: there is no key 'colour'"},
		{"just words\n", ":1: this is no 'key = value'"},
		{"redis-loopback = maybe\n", ":1: redis-loopback: 'maybe'"},
		{"host = a/b\n", "the host's name 'a/b'"},
		{"user = root\n", "etcd's user 'root' has no password"},
		{"user = root\npassword-file = /nowhere\n", "/nowhere: No such file"},
		{"user = root\npassword-file = /dev/null\n", "/dev/null: there is no password"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *path = written(rows[i].text);
		char *argv[] = {(char *)"registrar", (char *)"--config", path};
		enum settings_wish wish;
		struct settings settings;
		char *error = NULL;

		assert_int_equal(
			settings_read(&settings, ARRAY_SIZE(argv), argv, &wish, &error), -EINVAL);
		assert_non_null(error);
		if (!strstr(error, rows[i].said))
			fail_msg("'%s', not '%s'", error, rows[i].said);
		if (rows[i].said[0] == ':')
			assert_memory_equal(error, path, strlen(path));
		settings_finish(&settings);
		free(error);
		unlink(path);
		free(path);
	}
}

static void test_a_password_is_the_first_line_of_a_file(void **state)
{
	char *path = written("s3cret words\nnot this\n");
	const char *options[] = {"--user", "me", "--password-file", path, NULL};
	struct settings settings;
	char *error = NULL;

	assert_int_equal(read_settings(&settings, options, &error), 0);
	assert_string_equal(settings.password, "s3cret words");
	settings_finish(&settings);
	unlink(path);
	free(path);
}

static void test_a_record_says_what_others_need(void **state)
{
	const char *options[] = {"--host", "h1", "--address", "192.0.2.7", NULL};
	struct settings settings;
	char *error = NULL;
	json_t *display, *text, *record, *expected;

	assert_int_equal(read_settings(&settings, options, &error), 0);
	display = entry("vm1", ",\"name\":\"A machine\",\"head\":1,\"labels\":{\"a\":\"b\"}",
		"\"unix:/run/x\",\"0.0.0.0:5901\",\"[::]:5902\",\"127.0.0.1:5903\"");
	text = record_make(&settings, display);
	assert_non_null(text);
	record = json_loads(json_string_value(text), 0, NULL);
	expected = json_pack("{s:i, s:s, s:s, s:s, s:s, s:i, s:{s:s}, s:[s,s,s,s], s:s}", "version",
		1, "id", "vm1", "host", "h1", "address", "192.0.2.7", "name", "A machine", "head",
		1, "labels", "a", "b", "endpoints", "unix:/run/x", "192.0.2.7:5901",
		"192.0.2.7:5902", "127.0.0.1:5903", "state", "live");
	assert_non_null(expected);
	assert_true(json_equal(record, expected));
	json_decref(expected);
	json_decref(record);
	json_decref(text);
	json_decref(display);
	display = json_object();
	assert_null(record_make(&settings, display));
	json_decref(display);
	settings_finish(&settings);
}

static void test_tokens_and_targets(void **state)
{
	static const struct {
		const char *label, *loopback, *more, *endpoints; /* label NULL: none is asked for */
		const char *token, *target;
	} rows[] = {
		{NULL, "no", "", "\"192.0.2.7:5901\"", "p:h1:vm1", "{\"host\":\"192.0.2.7:5901\"}"},
		{NULL, "no", "", "\"unix:/x\",\"127.0.0.1:1\",\"192.0.2.7:2\"", "p:h1:vm1",
			"{\"host\":\"192.0.2.7:2\"}"},
		{NULL, "yes", "", "\"unix:/x\",\"127.0.0.1:1\",\"192.0.2.7:2\"", "p:h1:vm1",
			"{\"host\":\"127.0.0.1:1\"}"},
		{NULL, "no", "", "\"unix:/x\",\"127.0.0.1:1\",\"[::1]:2\",\"0.0.0.0:3\"",
			"p:h1:vm1", NULL},
		{"token", "no", ",\"labels\":{\"token\":\"s3\"}", "\"192.0.2.7:1\"", "p:s3",
			"{\"host\":\"192.0.2.7:1\"}"},
		{"token", "no", ",\"labels\":{\"token\":\"\"}", "\"192.0.2.7:1\"", NULL,
			"{\"host\":\"192.0.2.7:1\"}"},
		{"token", "no", "", "\"192.0.2.7:1\"", NULL, "{\"host\":\"192.0.2.7:1\"}"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *options[] = {"--host", "h1", "--redis-prefix", "p:", "--redis-loopback",
			rows[i].loopback, "--redis-token", rows[i].label ? rows[i].label : "",
			NULL};
		json_t *display = entry("vm1", rows[i].more, rows[i].endpoints);
		struct settings settings;
		char *error = NULL, *token, *target;

		assert_int_equal(read_settings(&settings, options, &error), 0);
		token = record_token(&settings, display);
		target = record_target(&settings, display);
		assert_true(!token == !rows[i].token);
		assert_true(!target == !rows[i].target);
		if (token)
			assert_string_equal(token, rows[i].token);
		if (target)
			assert_string_equal(target, rows[i].target);
		free(token);
		free(target);
		json_decref(display);
		settings_finish(&settings);
	}
}

static void test_the_catalogue_changes_when_the_displays_do(void **state)
{
	const char *options[] = {"--redis", "localhost:1", "--host", "h1", NULL};
	json_t *one = entry("one", "", "\"192.0.2.7:1\""), *two = entry("two", "", "");
	json_t *both = json_pack("{s:O, s:O}", "one", one, "two", two),
	       *broken = json_pack("{s:O, s:{}}", "one", one, "x");
	struct catalogue catalogue;
	struct settings settings;
	uint64_t changes;
	char *error = NULL;

	assert_int_equal(read_settings(&settings, options, &error), 0);
	assert_int_equal(catalogue_init(&catalogue, &settings), 0);
	assert_false(catalogue.known);
	assert_int_equal(catalogue_replace(&catalogue, both), 0);
	assert_true(catalogue.known);
	assert_int_equal(json_object_size(catalogue.records), 2);
	assert_int_equal(json_object_size(catalogue.tokens), 1);
	changes = catalogue.changes;
	assert_true(changes > 0);
	assert_int_equal(catalogue_replace(&catalogue, both), 0);
	assert_int_equal(catalogue.changes, changes);
	assert_int_equal(catalogue_replace(&catalogue, broken), -EBADMSG);
	assert_int_equal(json_object_size(catalogue.records), 2);
	assert_int_equal(catalogue.changes, changes);
	catalogue_remove(&catalogue, "one");
	assert_int_equal(json_object_size(catalogue.records), 1);
	assert_int_equal(json_object_size(catalogue.tokens), 0);
	assert_true(catalogue.changes > changes);
	assert_int_equal(catalogue_put(&catalogue, one), 0);
	assert_int_equal(json_object_size(catalogue.records), 2);
	assert_int_equal(catalogue_replace(&catalogue, NULL), 0);
	assert_int_equal(json_object_size(catalogue.records), 0);
	catalogue_finish(&catalogue);
	settings_finish(&settings);
	json_decref(one);
	json_decref(two);
	json_decref(both);
	json_decref(broken);
}

/* The page has each key, and the example file, too. */
static void test_every_key_is_documented(void **state)
{
	static const char *const files[] = {
		"docs/vfio-displayd-registrar.8", "docs/deploy/registrar.conf"};
	const char *root = getenv("srcdir");
	const char *name, *about;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char path[4096], *text = calloc(1, 1 << 16);
		FILE *file;

		snprintf(path, sizeof(path), "%s/%s", root ? root : ".", files[i]);
		file = fopen(path, "r");
		if (!file)
			fail_msg("%s: %s", path, strerror(errno));
		assert_true(fread(text, 1, (1 << 16) - 1, file) > 0);
		fclose(file);
		for (size_t n = 0; settings_name(n, &name, &about); n++) {
			char wanted[64];

			snprintf(wanted, sizeof(wanted), i ? "\n#%s =" : "\n.It Cm %s", name);
			if (!strstr(text, wanted))
				fail_msg("%s lacks %s", files[i], name);
		}
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_the_command_line_counts_more_than_the_file),
		cmocka_unit_test(test_a_bad_file_is_named_with_its_line),
		cmocka_unit_test(test_a_password_is_the_first_line_of_a_file),
		cmocka_unit_test(test_a_record_says_what_others_need),
		cmocka_unit_test(test_tokens_and_targets),
		cmocka_unit_test(test_the_catalogue_changes_when_the_displays_do),
		cmocka_unit_test(test_every_key_is_documented),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
