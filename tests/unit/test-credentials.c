/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tickets are real, the login program is not: it is in test-login. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "base/loop.h"
#include "base/mem.h"
#include "bulletin.h"
#include "credentials.h"
#include "login.h"
#include "ticket.h"

/* ---- A login program of paper ---- */

static struct {
	bool there;
	char user[LIMIT_USER_CHARS + 1], secret[LIMIT_SECRET_CHARS + 1], id[LIMIT_ID_CHARS + 1];
	login_fn fn;
	void *arg;
	int error; /* of login_ask() */
} asked;

int login_create(struct loop *loop, const struct login_options *options, struct login **ret)
{
	asked.there = true;
	*ret = (struct login *)&asked;
	return 0;
}

void login_destroy(struct login *login)
{
	asked.there = false;
}

int login_ask(struct login *login, const struct login_request *request, login_fn fn, void *arg)
{
	snprintf(asked.user, sizeof(asked.user), "%s", request->user);
	snprintf(asked.secret, sizeof(asked.secret), "%s", request->secret);
	snprintf(asked.id, sizeof(asked.id), "%s", request->id);
	asked.fn = fn;
	asked.arg = arg;
	return asked.error;
}

void login_cancel(struct login *login, void *arg)
{
	if (arg == asked.arg)
		asked.fn = NULL;
}

/* ---- A bulletin of paper ---- */

static struct {
	unsigned int times;
	char id[LIMIT_ID_CHARS + 1], label[LIMIT_LABEL_CHARS + 1], peer[64];
} told;

void bulletin_ticket_used(const char *id, const char *label, const char *peer)
{
	told.times++;
	snprintf(told.id, sizeof(told.id), "%s", id);
	snprintf(told.label, sizeof(told.label), "%s", label);
	snprintf(told.peer, sizeof(told.peer), "%s", peer);
}

/* ---- The scene: displays vm1, and vm2 which may only be looked at ---- */

static struct field {
	struct loop *loop;
	struct config config;
	struct credentials *credentials;
	struct context one, two;
	struct credentials_answer answer;
	unsigned int answers;
} field;

static const struct context *find(void *arg, const char *id)
{
	struct field *f = arg;

	return strcmp(id, f->one.id) == 0 ? &f->one : strcmp(id, f->two.id) == 0 ? &f->two : NULL;
}

static void on_answer(void *arg, const struct credentials_answer *answer)
{
	assert_ptr_equal(arg, &field);
	field.answer = *answer;
	field.answers++;
}

static int setup(void **state)
{
	memset(&field, 0, sizeof(field));
	memset(&asked, 0, sizeof(asked));
	memset(&told, 0, sizeof(told));
	field.one = (struct context){.id = "vm1"};
	field.two = (struct context){.id = "vm2", .view_only = true};
	field.config.passwords = (char *)"/no/such/file";
	field.config.login_program = (char *)"/no/such/program";
	assert_int_equal(loop_create(&field.loop), 0);
	return credentials_create(field.loop, &field.config, find, &field, &field.credentials);
}

static int teardown(void **state)
{
	credentials_destroy(field.credentials);
	assert_false(asked.there);
	loop_destroy(field.loop);
	return 0;
}

static struct link_message ask(enum link_check_kind kind, uint32_t mode)
{
	struct link_message message = {.type = LINK_CHECK};

	message.check.viewer = 1;
	message.check.kind = kind;
	message.check.mode = mode;
	strcpy(message.check.peer, "192.0.2.1:50000");
	return message;
}

static struct link_message show(const char *text, uint32_t mode)
{
	struct link_message message = ask(LINK_CHECK_TICKET, mode);

	assert_int_equal(
		EVP_Digest(text, strlen(text), message.check.digest, NULL, EVP_sha256(), NULL), 1);
	return message;
}

static struct link_message log_in(const char *user, const char *secret, uint32_t mode)
{
	struct link_message message = ask(LINK_CHECK_LOGIN, mode);

	strcpy(message.check.user, user);
	strcpy(message.check.secret, secret);
	return message;
}

static void issue(const char *id, uint32_t mode, char ret[TICKET_CHARS + 1])
{
	struct ticket_grant grant = {.mode = mode, .label = "ann"};

	strcpy(grant.id, id);
	assert_int_equal(
		credentials_issue(field.credentials, &grant, 60, ret, TICKET_CHARS + 1), 0);
}

/* @id: whose program asks, NULL: the gate. Returns the mode. */
static uint32_t check(const char *id, const struct link_message *message)
{
	static uint64_t number;
	unsigned int answers = field.answers;

	credentials_check(field.credentials, id, ++number, message, on_answer, &field);
	assert_int_equal(field.answers, answers + 1);
	assert_int_equal(field.answer.check, number);
	return field.answer.mode;
}

static void ticket_opens_its_display_once(void **state)
{
	char text[TICKET_CHARS + 1];
	struct link_message message;

	issue("vm1", LINK_MODE_CONTROL, text);
	message = show(text, LINK_MODE_EXCLUSIVE);
	assert_int_equal(check("vm2", &message), 0);
	assert_string_equal(field.answer.id, "");
	assert_int_equal(told.times, 0);
	assert_int_equal(check("vm1", &message), LINK_MODE_CONTROL);
	assert_string_equal(field.answer.label, "ann");
	assert_string_equal(told.id, "vm1");
	assert_string_equal(told.label, "ann");
	assert_string_equal(told.peer, "192.0.2.1:50000");
	assert_int_equal(check("vm1", &message), 0);
	assert_int_equal(told.times, 1);
	assert_string_equal(field.answer.label, "");
	assert_int_equal(credentials_counts(field.credentials).tickets, 1);
	/* What is no ticket may be a password yet. */
	assert_int_equal(credentials_counts(field.credentials).refused, 1);
}

static void listener_and_display_bound_the_mode(void **state)
{
	char text[TICKET_CHARS + 1];
	struct link_message message;

	issue("vm1", LINK_MODE_EXCLUSIVE, text);
	message = show(text, LINK_MODE_VIEW);
	assert_int_equal(check("vm1", &message), LINK_MODE_VIEW);
	issue("vm2", LINK_MODE_EXCLUSIVE, text);
	message = show(text, LINK_MODE_EXCLUSIVE);
	assert_int_equal(check("vm2", &message), LINK_MODE_VIEW);
	issue("vm1", LINK_MODE_EXCLUSIVE, text);
	message = show(text, LINK_MODE_EXCLUSIVE);
	assert_int_equal(check("vm1", &message), LINK_MODE_EXCLUSIVE);
}

static void gate_learns_the_display_from_the_ticket(void **state)
{
	char text[TICKET_CHARS + 1];
	struct link_message message;

	issue("vm1", LINK_MODE_VIEW, text);
	message = show(text, LINK_MODE_CONTROL);
	strcpy(message.check.display, "vm2");
	assert_int_equal(check(NULL, &message), 0);
	message.check.display[0] = '\0';
	assert_int_equal(check(NULL, &message), LINK_MODE_VIEW);
	assert_string_equal(field.answer.id, "vm1");
}

static void ticket_ends_with_its_display(void **state)
{
	char text[TICKET_CHARS + 1];
	struct link_message message;

	issue("vm1", LINK_MODE_VIEW, text);
	message = show(text, LINK_MODE_VIEW);
	credentials_revoke(field.credentials, "vm1");
	assert_int_equal(check("vm1", &message), 0);
	issue("vm1", LINK_MODE_VIEW, text);
	message = show(text, LINK_MODE_VIEW);
	strcpy(field.one.id, "another");
	assert_int_equal(check(NULL, &message), 0);
}

static void name_is_enough_at_the_gate_only(void **state)
{
	struct link_message message = ask(LINK_CHECK_NAME, LINK_MODE_CONTROL);

	assert_int_equal(check(NULL, &message), 0);
	strcpy(message.check.display, "vm1");
	assert_int_equal(check("vm1", &message), 0);
	assert_int_equal(check(NULL, &message), LINK_MODE_CONTROL);
	assert_string_equal(field.answer.id, "vm1");
	strcpy(message.check.display, "vm3");
	assert_int_equal(check(NULL, &message), 0);
}

static void login_takes_its_time(void **state)
{
	struct link_message message = log_in("bob", "geheim", LINK_MODE_EXCLUSIVE);

	credentials_check(field.credentials, "vm1", 77, &message, on_answer, &field);
	assert_int_equal(field.answers, 0);
	assert_string_equal(asked.user, "bob");
	assert_string_equal(asked.secret, "geheim");
	assert_string_equal(asked.id, "vm1");
	asked.fn(asked.arg, LINK_MODE_CONTROL);
	assert_int_equal(field.answers, 1);
	assert_int_equal(field.answer.check, 77);
	assert_int_equal(field.answer.mode, LINK_MODE_CONTROL);
	assert_string_equal(field.answer.label, "bob");
	credentials_check(field.credentials, "vm2", 78, &message, on_answer, &field);
	asked.fn(asked.arg, LINK_MODE_CONTROL);
	assert_int_equal(field.answer.mode, LINK_MODE_VIEW);
	credentials_check(field.credentials, "vm1", 79, &message, on_answer, &field);
	asked.fn(asked.arg, 0);
	assert_int_equal(field.answer.check, 79);
	assert_int_equal(field.answer.mode, 0);
	assert_string_equal(field.answer.label, "");
	assert_int_equal(credentials_counts(field.credentials).logins, 2);
}

/* What was true when the password came need not be when it has been found right. */
static void a_display_that_changes_meanwhile(void **state)
{
	struct link_message message = log_in("bob", "geheim", LINK_MODE_EXCLUSIVE);

	credentials_check(field.credentials, NULL, 80, &message, on_answer, &field);
	assert_int_equal(field.answer.mode, 0); /* it named none */
	strcpy(message.check.display, "vm1");
	credentials_check(field.credentials, NULL, 81, &message, on_answer, &field);
	field.one.view_only = true;
	asked.fn(asked.arg, LINK_MODE_EXCLUSIVE);
	assert_int_equal(field.answer.check, 81);
	assert_int_equal(field.answer.mode, LINK_MODE_VIEW);
}

/* However many guess at one display, users of another are still heard. */
static void each_has_its_share(void **state)
{
	struct link_message message = log_in("bob", "geheim", LINK_MODE_VIEW);
	struct field other;

	for (unsigned int i = 0; i < LIMIT_LOGIN_SHARE; i++)
		credentials_check(field.credentials, "vm1", i, &message, on_answer, &field);
	assert_int_equal(field.answers, 0);
	credentials_check(field.credentials, "vm1", 99, &message, on_answer, &field);
	assert_int_equal(field.answers, 1);
	assert_int_equal(field.answer.check, 99);
	assert_int_equal(field.answer.mode, 0);
	credentials_check(field.credentials, "vm2", 100, &message, on_answer, &other);
	assert_int_equal(field.answers, 1);
	credentials_cancel(field.credentials, &other);
}

static void login_is_refused_at_once(void **state)
{
	struct link_message message = log_in("", "geheim", LINK_MODE_VIEW);

	assert_int_equal(check("vm1", &message), 0);
	message = log_in("bob", "", LINK_MODE_VIEW);
	assert_int_equal(check("vm1", &message), 0);
	message = log_in("bob", "geheim", LINK_MODE_VIEW);
	assert_int_equal(check(NULL, &message), 0);
	strcpy(message.check.display, "vm3");
	assert_int_equal(check(NULL, &message), 0);
	assert_null(asked.fn);
	asked.error = -EAGAIN;
	assert_int_equal(check("vm1", &message), 0);
}

static void nobody_answers_who_has_gone(void **state)
{
	struct link_message message = log_in("bob", "geheim", LINK_MODE_VIEW);

	credentials_check(field.credentials, "vm1", 1, &message, on_answer, &field);
	credentials_cancel(field.credentials, &asked);
	assert_non_null(asked.fn);
	credentials_cancel(field.credentials, &field);
	assert_null(asked.fn);
	/* The display goes while its user is asked for the password. */
	credentials_check(field.credentials, "vm1", 2, &message, on_answer, &field);
	field.one.id[0] = 'x';
	asked.fn(asked.arg, LINK_MODE_VIEW);
	assert_int_equal(field.answers, 1);
	assert_int_equal(field.answer.mode, 0);
	credentials_check(field.credentials, "xm1", 3, &message, on_answer, &field);
}

static void without_users_there_is_no_program(void **state)
{
	struct link_message message = log_in("bob", "geheim", LINK_MODE_VIEW);

	credentials_destroy(field.credentials);
	field.config.passwords = NULL;
	assert_int_equal(
		credentials_create(field.loop, &field.config, find, &field, &field.credentials), 0);
	assert_false(asked.there);
	assert_int_equal(check("vm1", &message), 0);
	message = show("no ticket", LINK_MODE_VIEW);
	assert_int_equal(check("vm1", &message), 0);
	assert_int_equal(credentials_counts(field.credentials).refused, 2);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ticket_opens_its_display_once),
		TEST(listener_and_display_bound_the_mode),
		TEST(gate_learns_the_display_from_the_ticket),
		TEST(ticket_ends_with_its_display),
		TEST(name_is_enough_at_the_gate_only),
		TEST(login_takes_its_time),
		TEST(a_display_that_changes_meanwhile),
		TEST(each_has_its_share),
		TEST(login_is_refused_at_once),
		TEST(nobody_answers_who_has_gone),
		TEST(without_users_there_is_no_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
