/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Policies: what is read, what is refused with which line, and who may do what then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"
#include "idmap.h"
#include "rights_rules.h"
#include "varlink/server.h"

#define ANN 40001
#define BOB 40002

static const gid_t staff[] = {40100, 40101};

static const struct varlink_peer root = {.uid = 0},
				 ann = {.uid = ANN, .gid = ANN, .groups = staff, .groups_used = 2},
				 bob = {.uid = BOB, .gid = BOB},
				 watcher = {.uid = 0, .monitor = true};

static struct rights *parse(const char *text)
{
	_cleanup_free_ char *copy = malloc(strlen(text) + 1), *error = NULL;
	struct rights *rights = NULL;

	memcpy(copy, text, strlen(text) + 1);
	if (rights_parse("/p", copy, strlen(text), &rights, &error) < 0)
		fail_msg("%s", error);
	return rights;
}

static bool may(const struct rights *rights, const struct varlink_peer *peer, enum right right,
	const char *id)
{
	return rights_allow(rights, peer, right, id, RIGHTS_NO_OWNER);
}

static void test_without_file(void **state)
{
	struct rights *rights;

	assert_int_equal(rights_create(&rights), 0);
	assert_null(rights_path(rights));
	for (enum right right = RIGHT_NONE; right < RIGHTS_USED; right++) {
		bool given = right < RIGHT_TICKET;

		assert_int_equal(may(rights, &bob, right, "vm1"), given);
		assert_int_equal(may(rights, &bob, right, NULL), given);
		assert_int_equal(rights_allow_some(rights, &bob, right), given);
		assert_true(may(rights, &root, right, "vm1"));
		assert_true(may(rights, &root, right, NULL));
		assert_int_equal(may(rights, &watcher, right, "vm1"), right <= RIGHT_OBSERVE);
		assert_int_equal(
			rights_allow_some(rights, &watcher, right), right <= RIGHT_OBSERVE);
	}
	rights_destroy(rights);
	rights_destroy(NULL);
}

static void test_owner(void **state)
{
	static const bool given[RIGHTS_USED] = {[RIGHT_NONE] = true,
		[RIGHT_OBSERVE] = true,
		[RIGHT_INPUT] = true,
		[RIGHT_TICKET] = true,
		[RIGHT_MANAGE] = true};
	struct varlink_peer hidden = {.uid = IDMAP_HIDDEN};
	struct rights *rights = parse("");

	for (enum right right = RIGHT_NONE; right < RIGHTS_USED; right++) {
		assert_int_equal(rights_allow(rights, &ann, right, "vm1", ANN), given[right]);
		assert_int_equal(
			rights_allow(rights, &ann, right, "vm1", BOB), right == RIGHT_NONE);
		assert_int_equal(may(rights, &ann, right, "vm1"), right == RIGHT_NONE);
		assert_int_equal(rights_allow(rights, &ann, right, NULL, ANN), right == RIGHT_NONE);
		assert_int_equal(rights_allow_some(rights, &ann, right), right == RIGHT_NONE);
	}
	/* Where many users look like one, that one owns nothing. */
	rights->some_hidden = false;
	assert_true(rights_allow(rights, &hidden, RIGHT_MANAGE, "vm1", IDMAP_HIDDEN));
	rights->some_hidden = true;
	assert_false(rights_allow(rights, &hidden, RIGHT_MANAGE, "vm1", IDMAP_HIDDEN));
	assert_true(rights_allow(rights, &ann, RIGHT_MANAGE, "vm1", ANN));
	rights_destroy(rights);
}

static void test_lines(void **state)
{
	struct rights *rights = parse("# comment\n\n"
				      "allow observe,capture uid=40002 id=vm-?\t# for Bob\r\n"
				      "  allow exclusive gid=40101 gid=7 id=*.test\n"
				      "allow register uid=40001 uid=40002 id=new-*\n"
				      "allow manage gid=40002\n"
				      "allow view id=open");

	assert_string_equal(rights_path(rights), "/p");
	assert_true(may(rights, &bob, RIGHT_OBSERVE, "vm-1"));
	assert_true(may(rights, &bob, RIGHT_CAPTURE, "vm-1"));
	assert_false(may(rights, &bob, RIGHT_VIEW, "vm-1"));
	assert_false(may(rights, &bob, RIGHT_OBSERVE, "vm-12"));
	assert_false(may(rights, &bob, RIGHT_OBSERVE, NULL));
	assert_true(rights_allow_some(rights, &bob, RIGHT_OBSERVE));
	assert_false(may(rights, &ann, RIGHT_OBSERVE, "vm-1"));
	assert_false(rights_allow_some(rights, &ann, RIGHT_OBSERVE));
	/* By a supplementary group, with what is included. */
	assert_true(may(rights, &ann, RIGHT_EXCLUSIVE, "a.test"));
	assert_true(may(rights, &ann, RIGHT_CONTROL, ".test"));
	assert_true(may(rights, &ann, RIGHT_VIEW, "a.test"));
	assert_false(may(rights, &ann, RIGHT_OBSERVE, "a.test"));
	assert_false(may(rights, &bob, RIGHT_EXCLUSIVE, "a.test"));
	/* Each of those named. */
	assert_true(may(rights, &ann, RIGHT_REGISTER, "new-"));
	assert_true(may(rights, &bob, RIGHT_REGISTER, "new-1"));
	assert_false(may(rights, &bob, RIGHT_REGISTER, NULL));
	/* By the primary group, on all. */
	assert_true(may(rights, &bob, RIGHT_MANAGE, NULL));
	assert_false(may(rights, &bob, RIGHT_ADMIN, NULL));
	/* Everybody. */
	assert_true(may(rights, &ann, RIGHT_VIEW, "open"));
	assert_false(may(rights, &ann, RIGHT_CONTROL, "open"));
	rights_destroy(rights);

	rights = parse("allow admin uid=40001\nallow admin uid=40002 id=vm1\n");
	for (enum right right = RIGHT_OBSERVE; right < RIGHTS_USED; right++) {
		assert_true(may(rights, &ann, right, NULL));
		assert_true(may(rights, &bob, right, "vm1"));
		assert_false(may(rights, &bob, right, NULL));
		assert_false(may(rights, &bob, right, "vm2"));
	}
	rights_destroy(rights);
	rights = parse("allow observe uid=root gid=root id=x");
	assert_int_equal(rights->subjects_used, 2);
	assert_int_equal(rights->subjects[1].id, 0);
	rights_destroy(rights);
}

static void test_patterns(void **state)
{
	static const struct {
		const char *pattern, *id;
		bool match;
	} cases[] = {
		{"a", "a", true},
		{"a", "b", false},
		{"a", "ab", false},
		{"ab", "a", false},
		{"*", "", true},
		{"", "", true},
		{"?", "", false},
		{"*", "abc", true},
		{"a*", "a", true},
		{"a**", "abc", true},
		{"*c", "abc", true},
		{"*b", "abc", false},
		{"a?c", "abc", true},
		{"*ab*ab", "abxabab", true},
		{"*ab*ab", "abxaba", false},
		{"a*b?d*", "axxbbccdee", false},
		{"a*b?d*", "axxbbdee", true},
		{"[a]", "a", false},
		{"A", "a", false},
		{"*a*a*a*a*a*a*a*a*a*b",
			"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (rule_matches_id(cases[i].pattern, cases[i].id) != cases[i].match)
			fail_msg("%s with %s", cases[i].pattern, cases[i].id);
}

static void refused(const char *text, size_t size, const char *wanted)
{
	_cleanup_free_ char *copy = malloc(size + 1), *error = NULL;
	struct rights *rights = (void *)0x1;

	memcpy(copy, text, size);
	assert_int_equal(rights_parse("/p", copy, size, &rights, &error), -EINVAL);
	assert_ptr_equal(rights, (void *)0x1);
	assert_non_null(error);
	if (!strstr(error, wanted))
		fail_msg("%s, not %s", error, wanted);
}

static void test_what_is_wrong(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{"deny observe", "/p:1: a line begins with \"allow\""},
		{"#\n\nallow", "/p:3: which rights?"},
		{"allow # nothing", "/p:1: which rights?"},
		{"allow look", "there is no right \"look\""},
		{"allow none", "there is no right \"none\""},
		{"allow observe,", "there is no right \"\""},
		{"allow observe, view", "there is no right \"\""},
		{"allow Observe", "there is no right \"Observe\""},
		{"allow observe view", "\"view\" is not uid=, gid= or id="},
		{"allow observe id=a id=b", "id= a second time"},
		{"allow observe id=", "id= takes 1 to 64"},
		{"allow observe "
		 "id=12345678901234567890123456789012345678901234567890123456789012345",
			"id= takes 1 to 64"},
		{"allow observe id=a/b", "no display has such an id"},
		{"allow observe id=[ab]", "no display has such an id"},
		{"allow observe uid=", "uid= without a name"},
		{"allow observe gid=", "gid= without a name"},
		{"allow observe uid=no-such-user-here", "there is no user \"no-such-user-here\""},
		{"allow observe gid=no-such-group-here",
			"there is no group \"no-such-group-here\""},
		{"allow observe uid=4294967295", "the largest is 4294967294"},
		{"allow observe uid=18446744073709551617", "the largest is 4294967294"},
		{"allow observe uid=-1", "there is no user \"-1\""},
		{"allow observe user=ann", "\"user=ann\" is not uid=, gid= or id="},
		{"\033[1m", "begins with \"allow\" or \"#\", not with \"?[1m\""},
	};
	char line[LIMIT_CONFIG_LINE + 2];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		refused(cases[i].text, strlen(cases[i].text), cases[i].error);
	refused("allow obs\0rve", 13, "/p:1: a NUL byte");
	memset(line, '#', sizeof(line));
	refused(line, LIMIT_CONFIG_LINE + 1, "/p:1: longer than");
}

static void test_caps(void **state)
{
	_cleanup_free_ char *text = calloc(LIMIT_POLICY_RULES + 1, 32);
	struct rights *rights;
	size_t size = 0;
	char wanted[64];

	for (int i = 0; i < LIMIT_POLICY_RULES; i++)
		size += (size_t)sprintf(text + size, "allow view id=vm%d\n", i);
	rights = parse(text);
	assert_true(may(rights, &ann, RIGHT_VIEW, "vm1023"));
	rights_destroy(rights);
	sprintf(text + size, "allow view\n");
	snprintf(wanted, sizeof(wanted), "/p:%d: more than", LIMIT_POLICY_RULES + 1);
	refused(text, strlen(text), wanted);

	size = 0;
	for (int i = 0; i < LIMIT_POLICY_SUBJECTS; i++)
		size += (size_t)sprintf(text + size, "%s uid=1",
			i == 0	 ? "allow view"
			: i % 64 ? ""
				 : "\nallow view");
	rights_destroy(parse(text));
	sprintf(text + size, " uid=1\n");
	refused(text, strlen(text), "users and groups");
}

/* ---- Files ---- */

static void write_file(const char *path, const char *text, mode_t mode)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void test_files(void **state)
{
	char directory[] = "/tmp/vfio-displayd-test.XXXXXX", path[64];
	struct rights *rights = NULL;
	char *error = NULL;

	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/policy", directory);
	assert_int_equal(rights_read(path, true, &rights, &error), -ENOENT);
	assert_non_null(strstr(error, path));
	free(error);
	assert_int_equal(rights_read(path, false, &rights, &error), 0);
	assert_null(rights_path(rights));
	rights_destroy(rights);
	write_file(path, "allow view", 0600);
	assert_int_equal(rights_read(path, false, &rights, &error), 0);
	assert_string_equal(rights_path(rights), path);
	assert_false(may(rights, &ann, RIGHT_OBSERVE, "vm1"));
	rights_destroy(rights);
	write_file(path, "allow view\nallow", 0644);
	assert_int_equal(rights_read(path, false, &rights, &error), -EINVAL);
	assert_non_null(strstr(error, "/policy:2: "));
	free(error);
	write_file(path, "allow view", 0646);
	assert_int_equal(rights_read(path, false, &rights, &error), -EPERM);
	assert_non_null(strstr(error, "everybody may write it"));
	free(error);
	if (geteuid() == 0) { /* else nobody can give a file away */
		assert_int_equal(chmod(path, 0644), 0);
		assert_int_equal(chown(path, 12345, 0), 0);
		assert_int_equal(rights_read(path, false, &rights, &error), -EPERM);
		assert_non_null(strstr(error, "belongs neither to root"));
		free(error);
	}
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(rights_read(path, false, &rights, &error), -ENOTSUP);
	free(error);
	rmdir(path);
	write_file(path, "", 0600);
	assert_int_equal(truncate(path, LIMIT_POLICY_BYTES + 1), 0);
	assert_int_equal(rights_read(path, false, &rights, &error), -EFBIG);
	free(error);
	unlink(path);
	rmdir(directory);
}

static void test_idmap(void **state)
{
	static const struct {
		const char *text;
		int result;
		bool whole, has_0, has_1000, has_hidden;
	} cases[] = {
		{"         0          0 4294967295\n", 0, true, true, true, true},
		{"0 1000 1\n", 0, false, true, false, false},
		{"0 0 1\n990 990 20\n", 0, false, true, true, false},
		{"0 0 65536\n", 0, false, true, true, false},
		{"", -EINVAL, false, false, false, false},
		{"0 0\n", -EINVAL, false, false, false, false},
		{"nothing\n", -EINVAL, false, false, false, false},
	};
	char directory[] = "/tmp/vfio-displayd-test.XXXXXX", path[64];
	struct idmap map;

	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/map", directory);
	assert_int_equal(idmap_read(path, &map), -ENOENT);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		write_file(path, cases[i].text, 0600);
		assert_int_equal(idmap_read(path, &map), cases[i].result);
		if (cases[i].result < 0)
			continue;
		assert_int_equal(idmap_is_whole(&map), cases[i].whole);
		assert_int_equal(idmap_has(&map, 0), cases[i].has_0);
		assert_int_equal(idmap_has(&map, 1000), cases[i].has_1000);
		assert_int_equal(idmap_has(&map, IDMAP_HIDDEN), cases[i].has_hidden);
	}
	unlink(path);
	rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_file),
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_what_is_wrong),
		cmocka_unit_test(test_caps),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_idmap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
