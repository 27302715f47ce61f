/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/config.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"

static char path[64];

static int setup(void **state)
{
	int fd;

	snprintf(path, sizeof(path), "/tmp/test-config.XXXXXX");
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static int teardown(void **state)
{
	return unlink(path);
}

static void put(const char *text, size_t length)
{
	_cleanup_fd_ int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, length), length);
}

/* Reads @text over the defaults. */
static int read_text(struct config *config, const char *text, char **ret_error)
{
	put(text, strlen(text));
	config_init(config);
	return config_read(config, path, ret_error);
}

static void expect_error(const char *text, const char *message)
{
	struct config config;
	char *error, *expected;

	assert_int_equal(read_text(&config, text, &error), -EINVAL);
	assert_non_null(error);
	assert_true(asprintf(&expected, "%s:%s", path, message) > 0);
	assert_string_equal(error, expected);
	free(expected);
	free(error);
	config_finish(&config);
}

static void expect_fine(const char *text)
{
	struct config config;
	char *error;

	assert_int_equal(read_text(&config, text, &error), 0);
	assert_null(error);
	config_finish(&config);
}

static void defaults_are_the_documented_ones(void **state)
{
	struct config config;

	config_init(&config);
	assert_null(config.control_socket);
	assert_true(config.unix_sockets);
	assert_null(config.unix_directory);
	assert_null(config.password_file);
	assert_null(config.certificate);
	assert_null(config.key);
	assert_null(config.client_ca);
	assert_null(config.rsa_key);
	assert_int_equal(config.security, 0);
	assert_int_equal(config.security_local, 0);
	assert_false(config.insecure);
	assert_int_equal(config.transports, 0);
	assert_null(config.origins);
	assert_int_equal(config.shared, CONFIG_SHARED_IGNORE);
	assert_int_equal(config.linger_seconds, 60);
	assert_int_equal(config.bytes_maximum, 0);
	assert_null(config.gate_listen);
	assert_int_equal(config.gate_mode, 2);
	assert_int_equal(config.gate_security, 0);
	assert_int_equal(config.viewers_maximum, LIMIT_VIEWERS);
	assert_int_equal(config.frames_maximum, 60);
	assert_true(config.h264);
	assert_int_equal(config.grace_seconds, 10);
	assert_int_equal(config.stall_seconds, LIMIT_STALL_MS / 1000);
	assert_int_equal(config.timer_fast_ms, 16);
	assert_int_equal(config.timer_slow_ms, 80);
	assert_int_equal(config.timer_still_ms, 500);
	assert_int_equal(config.safety_ms, 1000);
	assert_int_equal(config.scan_share, 50);
	assert_int_equal(config.log_level, LOG_LEVEL_INFO);
	config_finish(&config);
}

static void every_key_is_read(void **state)
{
	struct config config;
	char *error;

	assert_int_equal(read_text(&config,
				 "; all of them\r\n"
				 "[control]\nsocket = /run/a b/c\n\n"
				 "[ viewers ]\n"
				 "unix-sockets=no\n"
				 "\tunix-directory =\t/run/d \n"
				 "password-file = /etc/p#w\n"
				 "viewers-maximum = 128\n"
				 "frames-per-second-maximum = 240\n"
				 "h264 = no\n"
				 "grace-seconds = 0\n"
				 "stall-seconds = 3600\n"
				 "[capture]\n"
				 "timer-fast-ms = 4\n"
				 "timer-slow-ms = 10000\n"
				 "timer-still-ms = 10\n"
				 "safety-ms = 00100\n"
				 "[log]\n"
				 "level = debug",
				 &error),
		0);
	assert_null(error);
	assert_string_equal(config.control_socket, "/run/a b/c");
	assert_false(config.unix_sockets);
	assert_string_equal(config.unix_directory, "/run/d");
	assert_string_equal(config.password_file, "/etc/p#w");
	assert_int_equal(config.viewers_maximum, 128);
	assert_int_equal(config.frames_maximum, 240);
	assert_false(config.h264);
	assert_int_equal(config.grace_seconds, 0);
	assert_int_equal(config.stall_seconds, 3600);
	assert_int_equal(config.timer_fast_ms, 4);
	assert_int_equal(config.timer_slow_ms, 10000);
	assert_int_equal(config.timer_still_ms, 10);
	assert_int_equal(config.safety_ms, 100);
	assert_int_equal(config.log_level, LOG_LEVEL_DEBUG);
	config_finish(&config);
}

static void lists_are_words(void **state)
{
	struct config config;
	char *error;

	assert_int_equal(read_text(&config,
				 "[viewers]\nsecurity = x509None\t rsaAes256 none none\n"
				 "security-local =\ntransports = websocket rfb\n"
				 "origins =  https://a.example\t\thttps://b.example:8443 \n"
				 "insecure = yes\nshared = force-shared\n"
				 "bytes-per-second-maximum = 4294967295\n"
				 "[gate]\nlisten = *:5900 [::1]:5901\nmode = view\n"
				 "security = vncauth\n",
				 &error),
		0);
	assert_int_equal(config.security, 1 << 5 | 1 << 9 | 1 << 0);
	assert_int_equal(config.security_local, 0);
	assert_int_equal(config.transports, 3);
	assert_string_equal(config.origins, "https://a.example https://b.example:8443");
	assert_true(config.insecure);
	assert_int_equal(config.shared, CONFIG_SHARED_FORCE);
	assert_int_equal(config.bytes_maximum, UINT32_MAX);
	assert_string_equal(config.gate_listen, "*:5900 [::1]:5901");
	assert_int_equal(config.gate_mode, 1);
	assert_int_equal(config.gate_security, 1 << 1);
	config_finish(&config);
	assert_int_equal(read_text(&config, "[viewers]\norigins = \t\n", &error), 0);
	assert_null(config.origins);
	config_finish(&config);
	for (size_t i = 0; config_offer(i); i++) {
		char text[64];

		snprintf(text, sizeof(text), "[viewers]\nsecurity = %s\n", config_offer(i));
		assert_int_equal(read_text(&config, text, &error), 0);
		assert_int_equal(config.security, 1u << i);
		config_finish(&config);
	}
	expect_error("[viewers]\nsecurity = none, vncauth\n",
		"2: security is a list of none, vncauth, tlsNone, tlsVnc, tlsPlain, x509None, "
		"x509Vnc, x509Plain, rsaAes or rsaAes256, not \"none,\"");
	expect_error("[viewers]\ntransports = tls\n",
		"2: transports is a list of rfb, websocket or secureWebsocket, not \"tls\"");
	expect_error("[gate]\nmode = \n", "2: mode is view, control or exclusive, not \"\"");
	expect_error("[viewers]\nbytes-per-second-maximum = 4294967296\n",
		"2: bytes-per-second-maximum is from 0 to 4294967295, not 4294967296");
}

static void a_second_file_is_read_over_the_first(void **state)
{
	struct config config;
	char *error;

	assert_int_equal(
		read_text(&config, "[control]\nsocket = /a\n[log]\nlevel = err\n", &error), 0);
	put("[control]\nsocket =\n", strlen("[control]\nsocket =\n"));
	assert_int_equal(config_read(&config, path, &error), 0);
	assert_null(config.control_socket);
	assert_int_equal(config.log_level, LOG_LEVEL_ERR);
	config_finish(&config);
}

static void mistakes_are_one_clear_line(void **state)
{
	expect_error("[controls]\n", "1: there is no section [controls]");
	expect_error("\n\n[control\n", "3: a section is written [name], not \"[control\"");
	expect_error("[\n", "1: a section is written [name], not \"[\"");
	expect_error("[]\n", "1: there is no section []");
	expect_error("socket = /x\n", "1: \"socket\" stands before the first [section]");
	expect_error("[log]\nlevels = err\n", "2: there is no key \"levels\" in section [log]");
	expect_error(
		"[log]\nsocket = /x\n", "2: socket belongs to section [control], not to [log]");
	expect_error("[log]\nlevel\n",
		"2: this is no [section], no \"key = value\" and no comment: \"level\"");
	expect_error("[log]\n= err\n", "2: there is no key \"\" in section [log]");
	expect_error("[log]\nlevel = loud\n",
		"2: level is err, warning, notice, info or debug, not \"loud\"");
	expect_error(
		"[log]\nlevel = \n", "2: level is err, warning, notice, info or debug, not \"\"");
	expect_error("[log]\nlevel = err\n[control]\n[log]\nlevel = err\n",
		"5: level was set in line 2 already");
	expect_error(
		"[viewers]\nunix-sockets = true\n", "2: unix-sockets is yes or no, not \"true\"");
	expect_error("[control]\nsocket = run/x\n",
		"2: socket is an absolute path or empty, not \"run/x\"");
	expect_error("[log]\nlevel = \033[31m\n",
		"2: level is err, warning, notice, info or debug, not \"?[31m\"");
}

static void numbers_stay_in_their_range(void **state)
{
	expect_error(
		"[viewers]\nviewers-maximum = 0\n", "2: viewers-maximum is from 1 to 128, not 0");
	expect_error("[viewers]\nviewers-maximum = 129\n",
		"2: viewers-maximum is from 1 to 128, not 129");
	expect_fine("[viewers]\nviewers-maximum = 1\n");
	expect_fine("[viewers]\nviewers-maximum = 128\n");
	/* 2^32 + 1, 2^64 + 1 */
	expect_error("[viewers]\nviewers-maximum = 4294967297\n",
		"2: viewers-maximum is from 1 to 128, not 4294967297");
	expect_error("[viewers]\nviewers-maximum = 18446744073709551617\n",
		"2: viewers-maximum is from 1 to 128, not 18446744073709551617");
	for (size_t i = 0; i < 6; i++) {
		static const char *const wrong[] = {"-1", "+1", "0x1", "1s", "1 2", ""};
		char text[64], message[128];

		snprintf(text, sizeof(text), "[viewers]\nviewers-maximum = %s\n", wrong[i]);
		snprintf(message, sizeof(message),
			"2: viewers-maximum is a whole number from 1 to 128, not \"%s\"", wrong[i]);
		expect_error(text, message);
	}
	expect_error("[capture]\ntimer-fast-ms = 200\n",
		"2: timer-fast-ms (200) is more than timer-slow-ms (80)");
	expect_fine("[capture]\ntimer-fast-ms = 200\ntimer-slow-ms = 200\n");
}

static void sizes_are_bounded(void **state)
{
	struct config config;
	char *error, *text;

	text = malloc(LIMIT_CONFIG_BYTES + 1);
	assert_non_null(text);
	memset(text, '#', LIMIT_CONFIG_LINE);
	text[LIMIT_CONFIG_LINE] = '\0';
	expect_fine(text);
	text[LIMIT_CONFIG_LINE] = '#';
	text[LIMIT_CONFIG_LINE + 1] = '\0';
	expect_error(text, "1: longer than 1024 characters");

	memset(text, '\n', LIMIT_CONFIG_BYTES + 1);
	config_init(&config);
	put(text, LIMIT_CONFIG_BYTES);
	assert_int_equal(config_read(&config, path, &error), 0);
	put(text, LIMIT_CONFIG_BYTES + 1);
	assert_int_equal(config_read(&config, path, &error), -EFBIG);
	assert_non_null(strstr(error, "cannot be read"));
	free(error);

	memset(text, 'a', 200);
	memcpy(text, "[control]\nsocket = /", 20);
	text[200] = '\0';
	expect_error(text, "2: socket is longer than 107 characters");
	free(text);
	config_finish(&config);
}

static void what_is_no_text_is_refused(void **state)
{
	struct config config;
	char *error, fifo[80];

	config_init(&config);
	put("\n[log]\0\n", 8);
	assert_int_equal(config_read(&config, path, &error), -EINVAL);
	assert_non_null(strstr(error, ":2: a NUL byte"));
	free(error);
	assert_int_equal(config_read(&config, "/nowhere/at/all", &error), -ENOENT);
	assert_string_equal(error, "/nowhere/at/all: cannot be read: No such file or directory");
	free(error);
	assert_int_equal(config_read(&config, "/", &error), -EISDIR);
	free(error);
	assert_int_equal(config_read(&config, "/dev/null", &error), 0);
	/* Nobody writes there: it must not be waited for. */
	snprintf(fifo, sizeof(fifo), "%s.fifo", path);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(config_read_again(&config, fifo, &error), -ENOTSUP);
	free(error);
	assert_int_equal(unlink(fifo), 0);
	config_finish(&config);
}

/* The shipped file, with the marks of commented keys ("#key") removed if @uncomment. */
static char *shipped(bool uncomment)
{
	const char *top = getenv("srcdir");
	char *name, *text = calloc(1, LIMIT_CONFIG_BYTES + 1);
	size_t length, to = 0;
	FILE *file;

	assert_non_null(text);
	assert_true(asprintf(&name, "%s/conf/vfio-displayd.conf", top ? top : ".") > 0);
	file = fopen(name, "re");
	assert_non_null(file);
	length = fread(text, 1, LIMIT_CONFIG_BYTES, file);
	fclose(file);
	free(name);
	for (size_t i = 0; uncomment && i <= length; i++)
		if (text[i] != '#' || (i && text[i - 1] != '\n') || strchr(" \n", text[i + 1]))
			text[to++] = text[i];
	return text;
}

static void shipped_file_has_every_key_with_its_default(void **state)
{
	char *text = shipped(false), preset[32];
	const char *section, *name;
	size_t n, lines = 0;

	for (n = 0; config_key(n, &section, &name, preset, sizeof(preset)); n++) {
		char *head, *next, *line, *at;

		assert_true(asprintf(&head, "\n[%s]\n", section) > 0);
		assert_true(asprintf(&line, "\n#%s =%s%s\n", name, *preset ? " " : "", preset) > 0);
		at = strstr(text, head);
		if (!at)
			fail_msg("[%s] is missing", section);
		next = strstr(at + 1, "\n[");
		at = strstr(at, line);
		if (!at || (next && at > next))
			fail_msg("[%s] has no line %s", section, line + 1);
		free(head);
		free(line);
	}
	for (char *at = text; (at = strstr(at, "\n#")); at++)
		lines += !strchr(" \n", at[2]);
	assert_int_equal(lines, n);
	assert_false(config_key(n + 1, &section, &name, preset, sizeof(preset)));
	free(text);
}

static void shipped_file_is_the_default(void **state)
{
	struct config preset, config;
	char *error;

	config_init(&preset);
	for (int uncomment = 0; uncomment < 2; uncomment++) {
		char *text = shipped(uncomment);

		if (read_text(&config, text, &error) < 0)
			fail_msg("%s", error);
		assert_memory_equal(&config, &preset, sizeof(config));
		config_finish(&config);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_the_documented_ones),
		cmocka_unit_test(every_key_is_read),
		cmocka_unit_test(lists_are_words),
		cmocka_unit_test(a_second_file_is_read_over_the_first),
		cmocka_unit_test(mistakes_are_one_clear_line),
		cmocka_unit_test(numbers_stay_in_their_range),
		cmocka_unit_test(sizes_are_bounded),
		cmocka_unit_test(what_is_no_text_is_refused),
		cmocka_unit_test(shipped_file_has_every_key_with_its_default),
		cmocka_unit_test(shipped_file_is_the_default),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
