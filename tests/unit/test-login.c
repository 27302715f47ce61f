/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vfio-displayd-login as the broker runs it, with real hashes, PAM's own modules, and a PAM directory of the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <crypt.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/loop.h"
#include "base/mem.h"
#include "frame/child.h"
#include "frame/link.h"
#include "frame/login_link.h"
#include "login.h"
#include "login/passwords.h"
#include "skip.h"

enum { PATIENCE_MS = 20000 };

static struct field {
	struct loop *loop;
	struct loop_source *patience;
	char directory[64], passwords[96];
	struct login_options options;
	struct login *login;
	unsigned int answers;
	unsigned int awaited;
	uint32_t modes[LIMIT_LOGIN_QUEUE + 8]; /* in the order of the answers */
} field;

static void write_file(const char *name, const char *text, mode_t mode)
{
	char path[160];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", field.directory, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void hash(const char *prefix, const char *secret, char ret[CRYPT_OUTPUT_SIZE])
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	struct crypt_data data = {0};

	assert_non_null(crypt_gensalt_rn(prefix, 0, NULL, 0, setting, sizeof(setting)));
	snprintf(ret, CRYPT_OUTPUT_SIZE, "%s", crypt_r(secret, setting, &data));
	assert_int_not_equal(ret[0], '*');
}

static void write_passwords(mode_t mode)
{
	char yescrypt[CRYPT_OUTPUT_SIZE], sha512[CRYPT_OUTPUT_SIZE], text[4096];

	hash("$y$", "geheim", yescrypt);
	hash("$6$", "tr\xc3\xa4ume", sha512);
	snprintf(text, sizeof(text),
		"# who may come in\n\nann:%s\nbob:%s:view:vm1,test-*\ncarl:%s:exclusive\n"
		"dora:%s:emperor\nlocked:!%s\nempty:\nfred:pam:view\ngus:%s:control:vm1:more\n",
		yescrypt, sha512, sha512, sha512, sha512, sha512);
	write_file("passwords", text, mode);
}

static void on_patience(void *arg)
{
	fail_msg("%u of %u answers", field.answers, field.awaited);
}

static int setup(void **state)
{
	memset(&field, 0, sizeof(field));
	strcpy(field.directory, "/tmp/test-login.XXXXXX");
	assert_non_null(mkdtemp(field.directory));
	snprintf(field.passwords, sizeof(field.passwords), "%s/passwords", field.directory);
	write_passwords(0600);
	write_file("yes", "auth required pam_permit.so\naccount required pam_permit.so\n", 0644);
	write_file("no", "auth required pam_deny.so\naccount required pam_permit.so\n", 0644);
	write_file("expired", "auth required pam_permit.so\naccount required pam_deny.so\n", 0644);
	field.options.program = "./vfio-displayd-login";
	field.options.passwords = field.passwords;
	field.options.pam_directory = field.directory;
	assert_int_equal(loop_create(&field.loop), 0);
	assert_int_equal(loop_timer_add(field.loop, on_patience, NULL, &field.patience), 0);
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = {
		"passwords", "yes", "no", "expired", "script", "asks", "seen", "stuck"};
	char path[160];

	login_destroy(field.login);
	child_reap_all();
	loop_source_free(field.patience);
	loop_destroy(field.loop);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", field.directory, names[i]);
		unlink(path);
	}
	return rmdir(field.directory);
}

static void begin(void)
{
	assert_int_equal(login_create(field.loop, &field.options, &field.login), 0);
}

static void on_answer(void *arg, uint32_t mode)
{
	assert_ptr_equal(arg, &field);
	field.modes[field.answers++] = mode;
	if (field.answers == field.awaited)
		loop_stop(field.loop);
}

static int ask(const char *user, const char *secret, const char *id)
{
	const struct login_request request = {
		.user = user, .secret = secret, .id = id, .peer = "192.0.2.7:5000"};

	return login_ask(field.login, &request, on_answer, &field);
}

/* Until so many answers have come. */
static void wait_for(unsigned int answers)
{
	field.awaited = answers;
	loop_timer_once(field.patience, PATIENCE_MS);
	if (field.answers < answers)
		assert_int_equal(loop_run(field.loop), 0);
	loop_timer_stop(field.patience);
	assert_int_equal(field.answers, answers);
}

static uint32_t mode_of(const char *user, const char *secret, const char *id)
{
	assert_int_equal(ask(user, secret, id), 0);
	wait_for(field.answers + 1);
	return field.modes[field.answers - 1];
}

static void hashes_decide(void **state)
{
	begin();
	assert_int_equal(mode_of("ann", "geheim", "vm9"), LINK_MODE_CONTROL);
	assert_int_equal(mode_of("ann", "Geheim", "vm9"), 0);
	assert_int_equal(mode_of("ann", "geheim ", "vm9"), 0);
	assert_int_equal(mode_of("an", "geheim", "vm9"), 0);
	assert_int_equal(mode_of("# who may come in", "geheim", "vm9"), 0);
	assert_int_equal(mode_of("bob", "tr\xc3\xa4ume", "vm1"), LINK_MODE_VIEW);
	assert_int_equal(mode_of("bob", "tr\xc3\xa4ume", "test-77"), LINK_MODE_VIEW);
	assert_int_equal(mode_of("bob", "tr\xc3\xa4ume", "vm2"), 0);
	assert_int_equal(mode_of("bob", "tr\xc3\xa4ume", "vm1,test-1"), 0);
	assert_int_equal(mode_of("carl", "tr\xc3\xa4ume", "vm2"), LINK_MODE_EXCLUSIVE);
	assert_int_equal(mode_of("dora", "tr\xc3\xa4ume", "vm2"), 0);
	assert_int_equal(mode_of("locked", "tr\xc3\xa4ume", "vm2"), 0);
	assert_int_equal(mode_of("empty", "x", "vm2"), 0);
	assert_int_equal(mode_of("gus", "tr\xc3\xa4ume", "vm1"), 0);
	/* Nobody can say what PAM would. */
	assert_int_equal(mode_of("fred", "x", "vm1"), 0);
}

static void file_is_read_again(void **state)
{
	begin();
	assert_int_equal(mode_of("ann", "geheim", "vm1"), LINK_MODE_CONTROL);
	write_file("passwords", "ann:!\n", 0600);
	assert_int_equal(mode_of("ann", "geheim", "vm1"), 0);
	write_passwords(0640);
	assert_int_equal(mode_of("ann", "geheim", "vm1"), LINK_MODE_CONTROL);
	/* As soon as others could have written it, it says nothing. */
	write_passwords(0660);
	assert_int_equal(mode_of("ann", "geheim", "vm1"), 0);
	write_passwords(0604);
	assert_int_equal(mode_of("ann", "geheim", "vm1"), 0);
	unlink(field.passwords);
	assert_int_equal(mode_of("ann", "geheim", "vm1"), 0);
	write_passwords(0600);
	assert_int_equal(mode_of("ann", "geheim", "vm1"), LINK_MODE_CONTROL);
}

/* A user who does not exist costs what one who does costs: a hash like the first one. */
static void nobody_learns_who_exists(void **state)
{
	char text[] = "ann:$6$rounds=2000000$saltsalt$x\n", copy[sizeof(text)];
	struct timespec before, between, after;
	double known, unknown;
	uint32_t mode;

	memcpy(copy, text, sizeof(copy));
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
	assert_int_equal(
		passwords_check_text(text, "ann", "secret", "vm1", &mode), PASSWORDS_WRONG);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &between);
	passwords_waste(copy, "secret");
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
	known = (between.tv_sec - before.tv_sec) + (between.tv_nsec - before.tv_nsec) / 1e9;
	unknown = (after.tv_sec - between.tv_sec) + (after.tv_nsec - between.tv_nsec) / 1e9;
	/* Nothing hashed would be microseconds, the usual hash some hundredth of this one. */
	assert_true(unknown > known / 4);
}

static void pam_decides(void **state)
{
#ifndef HAVE_PAM
	skip_because("built without PAM");
#endif
	field.options.pam_service = "yes";
	begin();
	assert_int_equal(mode_of("zoe", "anything", "vm1"), LINK_MODE_CONTROL);
	assert_int_equal(mode_of("fred", "anything", "vm1"), LINK_MODE_VIEW);
	/* Who is in the file is judged by it. */
	assert_int_equal(mode_of("ann", "wrong", "vm1"), 0);
	assert_int_equal(mode_of("locked", "wrong", "vm1"), 0);
}

static void pam_refuses(void **state)
{
	static const char *const services[] = {"no", "expired", "nowhere"};

#ifndef HAVE_PAM
	skip_because("built without PAM");
#endif
	for (size_t i = 0; i < ARRAY_SIZE(services); i++) {
		field.options.passwords = NULL;
		field.options.pam_service = services[i];
		begin();
		assert_int_equal(mode_of("zoe", "anything", "vm1"), 0);
		login_destroy(take_ptr(field.login));
	}
}

/* What a module learns: the password by the conversation, who, from where, and for what. */
static void pam_modules_are_told(void **state)
{
	char text[512], seen[160];
	FILE *file;

#ifndef HAVE_PAM
	skip_because("built without PAM");
#endif
	snprintf(text, sizeof(text),
		"#!/bin/sh\nread -r secret\necho \"$PAM_USER $PAM_RHOST $VFIO_DISPLAY\" >%s/seen\n"
		"[ \"$secret\" = \"open sesame\" ]\n",
		field.directory);
	write_file("script", text, 0755);
	snprintf(text, sizeof(text),
		"auth required pam_exec.so expose_authtok quiet %s/script\n"
		"account required pam_permit.so\n",
		field.directory);
	write_file("asks", text, 0644);
	field.options.passwords = NULL;
	field.options.pam_service = "asks";
	begin();
	assert_int_equal(mode_of("zoe", "open sesame", "vm1"), LINK_MODE_CONTROL);
	snprintf(text, sizeof(text), "%s/seen", field.directory);
	file = fopen(text, "r");
	assert_non_null(file);
	assert_non_null(fgets(seen, sizeof(seen), file));
	fclose(file);
	assert_string_equal(seen, "zoe 192.0.2.7:5000 vm1\n");
	assert_int_equal(mode_of("zoe", "close sesame", "vm1"), 0);
}

static void who_hangs_is_ended(void **state)
{
#ifndef HAVE_PAM
	skip_because("built without PAM");
#endif
	write_file("script", "#!/bin/sh\nexec sleep 20\n", 0755);
	write_file("stuck", "", 0644);
	{
		char text[256];

		snprintf(text, sizeof(text), "auth required pam_exec.so quiet %s/script\n",
			field.directory);
		write_file("stuck", text, 0644);
	}
	field.options.pam_service = "stuck";
	begin();
	/* Both programs are stuck, and a third waits for them in vain. */
	for (int i = 0; i < LIMIT_LOGIN_PROGRAMS + 1; i++)
		assert_int_equal(ask("zoe", "x", "vm1"), 0);
	wait_for(LIMIT_LOGIN_PROGRAMS + 1);
	for (int i = 0; i < LIMIT_LOGIN_PROGRAMS + 1; i++)
		assert_int_equal(field.modes[i], 0);
	/* Others are served again. */
	assert_int_equal(mode_of("carl", "tr\xc3\xa4ume", "vm2"), LINK_MODE_EXCLUSIVE);
}

static void queue_is_bounded(void **state)
{
	unsigned int asked = 0;

	begin();
	while (ask("carl", "tr\xc3\xa4ume", "vm1") == 0)
		assert_true(++asked <= LIMIT_LOGIN_QUEUE);
	assert_int_equal(asked, LIMIT_LOGIN_QUEUE);
	wait_for(asked);
	for (unsigned int i = 0; i < asked; i++)
		assert_int_equal(field.modes[i], LINK_MODE_EXCLUSIVE);
}

static void program_that_is_not_there(void **state)
{
	field.options.program = "./no-such-program";
	begin();
	assert_int_equal(mode_of("ann", "geheim", "vm1"), 0);
}

/* One that answers what was not asked, or ends at once. */
static void program_that_lies(void **state)
{
	field.options.program = "/bin/true";
	begin();
	assert_int_equal(mode_of("ann", "geheim", "vm1"), 0);
}

static void who_has_gone_is_not_answered(void **state)
{
	begin();
	assert_int_equal(ask("ann", "geheim", "vm1"), 0);
	login_cancel(field.login, &field);
	assert_int_equal(mode_of("carl", "tr\xc3\xa4ume", "vm1"), LINK_MODE_EXCLUSIVE);
	assert_int_equal(field.answers, 1);
}

static void messages_are_checked(void **state)
{
	struct login_message m = {.type = LOGIN_ASK};

	strcpy(m.ask.user, "ann");
	assert_int_equal(login_check(&m, true), -EPROTO);
	strcpy(m.ask.secret, "x");
	assert_int_equal(login_check(&m, true), 0);
	assert_int_equal(login_check(&m, false), -EPROTO);
	memset(m.ask.secret, 'x', sizeof(m.ask.secret));
	assert_int_equal(login_check(&m, true), -EPROTO);
	m = (struct login_message){.type = LOGIN_ANSWER};
	assert_int_equal(login_check(&m, false), 0);
	assert_int_equal(login_check(&m, true), -EPROTO);
	m.answer.mode = LINK_MODE_EXCLUSIVE + 1;
	assert_int_equal(login_check(&m, false), -EPROTO);
	m = (struct login_message){.type = LOGIN_READY};
	assert_int_equal(login_check(&m, false), -EPROTO);
	m.ready.version = LOGIN_VERSION;
	assert_int_equal(login_check(&m, false), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(hashes_decide),
		TEST(file_is_read_again),
		TEST(nobody_learns_who_exists),
		TEST(pam_decides),
		TEST(pam_refuses),
		TEST(pam_modules_are_told),
		TEST(who_hangs_is_ended),
		TEST(queue_is_bounded),
		TEST(program_that_is_not_there),
		TEST(program_that_lies),
		TEST(who_has_gone_is_not_answered),
		TEST(messages_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
