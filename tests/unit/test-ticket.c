/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/vncauth.h"
#include "ticket.h"

static int setup(void **state)
{
	return ticket_store_create((struct ticket_store **)state);
}

static int teardown(void **state)
{
	ticket_store_destroy(*state);
	return 0;
}

static void issue(struct ticket_store *store, const char *id, uint64_t now, uint64_t lifetime,
	char ret[TICKET_CHARS + 1])
{
	struct ticket_grant grant = {.mode = 2};

	snprintf(grant.id, sizeof(grant.id), "%s", id);
	snprintf(grant.label, sizeof(grant.label), "who looks at %s", id);
	assert_int_equal(ticket_issue(store, &grant, now, lifetime, ret), 0);
}

static void digest_text(const char *text, uint8_t ret[TICKET_DIGEST])
{
	assert_int_equal(EVP_Digest(text, strlen(text), ret, NULL, EVP_sha256(), NULL), 1);
}

/* What a viewer that knows @text sends. */
static void digest_answer(
	const struct ticket_store *store, const char *text, uint8_t ret[TICKET_DIGEST])
{
	uint8_t answer[VNCAUTH_CHALLENGE];

	assert_int_equal(vncauth_response(text, ticket_store_challenge(store), answer), 0);
	assert_int_equal(EVP_Digest(answer, sizeof(answer), ret, NULL, EVP_sha256(), NULL), 1);
}

static int show_text(struct ticket_store *store, const char *text, const char *id, uint64_t now)
{
	struct ticket_grant grant;
	uint8_t digest[TICKET_DIGEST];

	digest_text(text, digest);
	return ticket_redeem(store, TICKET_TEXT, digest, id, now, &grant);
}

static void is_good_once(void **state)
{
	struct ticket_store *store = *state;
	struct ticket_grant grant;
	char text[TICKET_CHARS + 1];
	uint8_t digest[TICKET_DIGEST];

	issue(store, "vm1", 1000, 500, text);
	assert_int_equal(strlen(text), TICKET_CHARS);
	digest_text(text, digest);
	assert_int_equal(ticket_redeem(store, TICKET_TEXT, digest, "vm1", 1001, &grant), 0);
	assert_string_equal(grant.id, "vm1");
	assert_string_equal(grant.label, "who looks at vm1");
	assert_int_equal(grant.mode, 2);
	assert_int_equal(ticket_redeem(store, TICKET_TEXT, digest, "vm1", 1001, &grant), -ENOENT);
	digest_answer(store, text, digest);
	assert_int_equal(ticket_redeem(store, TICKET_ANSWER, digest, "vm1", 1001, &grant), -ENOENT);
}

/* Eight characters do, and another store's challenge is another answer. */
static void answers_the_challenge_once(void **state)
{
	struct ticket_store *store = *state, *other;
	struct ticket_grant grant;
	char text[TICKET_CHARS + 1];
	uint8_t digest[TICKET_DIGEST];

	issue(store, "vm1", 0, 500, text);
	assert_int_equal(ticket_store_create(&other), 0);
	digest_answer(other, text, digest);
	ticket_store_destroy(other);
	assert_int_equal(ticket_redeem(store, TICKET_ANSWER, digest, NULL, 1, &grant), -ENOENT);
	text[8] = '\0';
	digest_answer(store, text, digest);
	assert_int_equal(ticket_redeem(store, TICKET_TEXT, digest, NULL, 1, &grant), -ENOENT);
	assert_int_equal(ticket_redeem(store, TICKET_ANSWER, digest, NULL, 1, &grant), 0);
	assert_int_equal(ticket_redeem(store, TICKET_ANSWER, digest, NULL, 1, &grant), -ENOENT);
}

static void ends_in_time(void **state)
{
	struct ticket_store *store = *state;
	char early[TICKET_CHARS + 1], late[TICKET_CHARS + 1];

	assert_int_equal(ticket_expire(store, 0), 0);
	issue(store, "vm1", 1000, 500, early);
	issue(store, "vm1", 1000, 700, late);
	assert_int_equal(ticket_expire(store, 1001), 499);
	assert_int_equal(ticket_expire(store, 1499), 1);
	assert_int_equal(show_text(store, early, "vm1", 1500), -ENOENT);
	assert_int_equal(show_text(store, late, "vm1", 1699), 0);
	assert_int_equal(ticket_expire(store, 1699), 0);
}

static void is_of_one_display(void **state)
{
	struct ticket_store *store = *state;
	char one[TICKET_CHARS + 1], two[TICKET_CHARS + 1];

	issue(store, "vm1", 0, 500, one);
	issue(store, "vm2", 0, 500, two);
	assert_int_equal(show_text(store, one, "vm2", 1), -EXDEV);
	assert_int_equal(show_text(store, one, "vm", 1), -EXDEV);
	ticket_revoke(store, "vm2");
	assert_int_equal(show_text(store, two, NULL, 1), -ENOENT);
	assert_int_equal(show_text(store, one, NULL, 1), 0);
}

static void no_more_than_fit(void **state)
{
	struct ticket_store *store = *state;
	struct ticket_grant grant = {.mode = 1};
	char first[TICKET_CHARS + 1], last[TICKET_CHARS + 1];

	issue(store, "vm", 0, 500, first);
	strcpy(grant.id, "vm");
	for (int i = 1; i < LIMIT_TICKETS_DISPLAY; i++)
		issue(store, "vm", 0, 500, last);
	assert_int_equal(ticket_issue(store, &grant, 0, 500, last), -EDQUOT);
	for (int i = LIMIT_TICKETS_DISPLAY; i < LIMIT_TICKETS; i++) {
		snprintf(grant.id, sizeof(grant.id), "vm%d", i);
		assert_int_equal(ticket_issue(store, &grant, 0, 500, last), 0);
	}
	strcpy(grant.id, "another");
	assert_int_equal(ticket_issue(store, &grant, 0, 500, last), -ENOSPC);
	assert_int_equal(show_text(store, first, "vm", 1), 0);
	assert_int_equal(ticket_issue(store, &grant, 1, 500, last), 0);
	/* All are over now. */
	strcpy(grant.id, "vm");
	assert_int_equal(ticket_issue(store, &grant, 501, 500, last), 0);
	assert_int_equal(ticket_expire(store, 501), 500);
}

/* Nothing that is hard to read out, and no two alike. */
static void reads_well(void **state)
{
	static char texts[LIMIT_TICKETS_DISPLAY][TICKET_CHARS + 1];
	struct ticket_store *store = *state;
	unsigned int seen[256] = {0}, kinds = 0;

	for (int round = 0; round < 64; round++) {
		ticket_revoke(store, "vm1");
		for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
			issue(store, "vm1", 0, 500, texts[i]);
			assert_int_equal(strcspn(texts[i], "0O1lIo :\"\\"), TICKET_CHARS);
			for (size_t k = 0; k < i; k++)
				assert_int_not_equal(strncmp(texts[i], texts[k], 8), 0);
			for (const char *c = texts[i]; *c; c++)
				seen[(unsigned char)*c]++;
		}
	}
	/* 40960 characters of 56 kinds: 731 of each, give or take 27. */
	for (size_t i = 0; i < ARRAY_SIZE(seen); i++) {
		kinds += seen[i] > 0;
		assert_true(!seen[i] || (seen[i] > 731 - 8 * 27 && seen[i] < 731 + 8 * 27));
	}
	assert_int_equal(kinds, 56);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

static bool only_a(void *arg, const char *id)
{
	return strcmp(id, "a") == 0;
}

/* Another daemon goes on with them. */
static void opened_again(void **state)
{
	struct ticket_store *store = *state, *other;
	char texts[3][TICKET_CHARS + 1];
	uint8_t digest[TICKET_DIGEST];
	struct ticket_grant grant;

	issue(store, "a", 0, 100, texts[0]);
	issue(store, "a", 0, 100, texts[1]);
	issue(store, "b", 0, 100, texts[2]);
	assert_int_equal(show_text(store, texts[0], "a", 1), 0);
	assert_int_equal(ticket_store_open(dup(ticket_store_fd(store)), &other), 0);
	assert_memory_equal(ticket_store_challenge(other), ticket_store_challenge(store), 16);
	assert_int_equal(show_text(other, texts[0], "a", 1), -ENOENT);
	digest_answer(other, texts[1], digest);
	assert_int_equal(ticket_redeem(other, TICKET_ANSWER, digest, NULL, 1, &grant), 0);
	assert_string_equal(grant.id, "a");
	assert_int_equal(show_text(store, texts[1], "a", 1), -ENOENT);
	ticket_revoke_orphans(other, only_a, NULL);
	assert_int_equal(show_text(other, texts[2], NULL, 1), -ENOENT);
	assert_int_equal(ticket_expire(other, 1), 0);
	ticket_store_destroy(other);
	assert_int_equal(pwrite(ticket_store_fd(store), "\7", 1, 8), 1);
	assert_int_equal(ticket_store_open(dup(ticket_store_fd(store)), &other), -EPROTONOSUPPORT);
	assert_int_equal(pwrite(ticket_store_fd(store), "x", 1, 0), 1);
	assert_int_equal(ticket_store_open(dup(ticket_store_fd(store)), &other), -EBADMSG);
	assert_int_equal(ticket_store_open(-EBADF, &other), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(opened_again),
		TEST(is_good_once),
		TEST(answers_the_challenge_once),
		TEST(ends_in_time),
		TEST(is_of_one_display),
		TEST(no_more_than_fit),
		TEST(reads_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
