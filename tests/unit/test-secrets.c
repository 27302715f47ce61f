/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The administrator's files, good and bad, made by the openssl command as an administrator would. */
#include "secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/config.h"
#include "base/fd.h"
#include "base/loop.h"
#include "base/mem.h"
#include "pem.h"

static char dir[64];
static struct loop *loop;
static unsigned int made;

/* Each stays where it is to the end. */
static char *path(const char *name)
{
	static char paths[64][128];
	static unsigned int used;
	char full[128];

	snprintf(full, sizeof(full), "%s/%s", dir, name);
	for (unsigned int i = 0; i < used; i++)
		if (strcmp(paths[i], full) == 0)
			return paths[i];
	assert_true(used < ARRAY_SIZE(paths));
	memcpy(paths[used], full, sizeof(full));
	return paths[used++];
}

static void shell(const char *command)
{
	char line[1024];

	snprintf(line, sizeof(line), "cd %s && { %s; } >/dev/null 2>&1", dir, command);
	if (system(line) != 0)
		fail_msg("%s", command);
}

static void on_made(void *arg)
{
	made++;
	loop_stop(loop);
}

/* Loads what @config says. *ret_error: to be freed; the result of secrets_load(). */
static int load(const struct config *config, struct secrets **ret, char **ret_error)
{
	assert_int_equal(secrets_create(loop, config, dir, on_made, NULL, ret), 0);
	return secrets_load(*ret, ret_error);
}

static void expect_wrong(const struct config *config, const char *words)
{
	struct secrets *secrets;
	struct link_message message;
	char *error;

	assert_int_equal(load(config, &secrets, &error), -EINVAL);
	assert_non_null(error);
	if (!strstr(error, words))
		fail_msg("\"%s\" does not say \"%s\"", error, words);
	assert_int_equal(secrets_bundle(secrets, &message), -EBADF);
	free(error);
	secrets_destroy(secrets);
}

static void expect_text(int fd, size_t at, size_t size, const char *file)
{
	char have[16384], want[16384];
	_cleanup_fd_ int other = open(file, O_RDONLY | O_CLOEXEC);

	assert_true(size && size < sizeof(have));
	assert_int_equal(pread(fd, have, size, at), size);
	assert_int_equal(read(other, want, sizeof(want)), size);
	assert_memory_equal(have, want, size);
}

static void everything_is_in_one_sealed_file(void **state)
{
	const struct config config = {
		.certificate = path("chain.pem"),
		.key = path("leaf.key"),
		.client_ca = path("ca.pem"),
		.rsa_key = path("rsa.pem"),
	};
	struct link_message message;
	struct secrets *secrets;
	struct stat st;
	char *error;
	int fd;

	assert_int_equal(load(&config, &secrets, &error), 0);
	assert_null(error);
	fd = secrets_bundle(secrets, &message);
	assert_true(fd >= 0);
	assert_int_equal(message.type, LINK_TLS);
	assert_int_equal(link_check(&message, true, true), 0);
	expect_text(fd, 0, message.tls.certificates, config.certificate);
	expect_text(fd, message.tls.certificates, message.tls.key, config.key);
	expect_text(fd, message.tls.certificates + message.tls.key, message.tls.authorities,
		config.client_ca);
	expect_text(fd, message.tls.certificates + message.tls.key + message.tls.authorities,
		message.tls.rsa_key, config.rsa_key);
	assert_int_equal(
		fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, message.tls.certificates + message.tls.key +
					     message.tls.authorities + message.tls.rsa_key);
	assert_true(secrets_certificate(secrets));
	assert_true(secrets_authorities(secrets));
	secrets_destroy(secrets);
}

static void nothing_is_fine(void **state)
{
	const struct config config = {0};
	struct link_message message;
	struct secrets *secrets;
	char *error;

	assert_int_equal(load(&config, &secrets, &error), 0);
	assert_int_equal(secrets_bundle(secrets, &message), -EBADF);
	assert_false(secrets_certificate(secrets));
	assert_false(secrets_authorities(secrets));
	secrets_destroy(secrets);
}

static void bad_files_are_named(void **state)
{
	char *leaf = path("leaf.pem"), *key = path("leaf.key");

	expect_wrong(&(struct config){.certificate = leaf}, "key (none): there is a certificate");
	expect_wrong(&(struct config){.key = key}, "certificate (none): there is a key");
	expect_wrong(&(struct config){.certificate = path("nowhere"), .key = key},
		"certificate /tmp/test-secrets");
	expect_wrong(&(struct config){.certificate = path("nowhere"), .key = key},
		"No such file or directory");
	expect_wrong(&(struct config){.certificate = leaf, .key = path("ca.key")},
		"ca.key: is not the key of the certificate");
	expect_wrong(&(struct config){.certificate = leaf, .key = path("locked.key")},
		"locked.key: has a passphrase");
	expect_wrong(&(struct config){.certificate = leaf, .key = leaf}, "key /tmp/test-secrets");
	expect_wrong(&(struct config){.certificate = leaf, .key = path("open.key")},
		"open.key: is a secret that everybody may read");
	expect_wrong(&(struct config){.certificate = key, .key = key},
		"leaf.key: is not a certificate in PEM");
	expect_wrong(&(struct config){.certificate = path("half.pem"), .key = key},
		"half.pem: has a certificate in it that cannot be read");
	expect_wrong(&(struct config){.certificate = path("empty"), .key = key}, "is empty");
	expect_wrong(&(struct config){.certificate = path("long"), .key = key}, "is too long");
	expect_wrong(&(struct config){.certificate = dir, .key = key}, "is not a file");
	expect_wrong(&(struct config){.certificate = path("fifo"), .key = key}, "is not a file");
	expect_wrong(&(struct config){.certificate = path("short.pem"), .key = path("short.key")},
		"short.pem: has a key that is too short");
	expect_wrong(&(struct config){.client_ca = key}, "client-ca ");
	expect_wrong(&(struct config){.client_ca = leaf}, "may not sign others");
	expect_wrong(&(struct config){.rsa_key = leaf}, "rsa-key ");
	expect_wrong(&(struct config){.rsa_key = path("short.key")}, "less than 2048");
	expect_wrong(&(struct config){.rsa_key = path("curve.key")}, "is not an RSA key");
}

/* A calendar, or a clock, is no reason to show no displays at all. */
static void an_old_certificate_is_used(void **state)
{
	const struct config config = {.certificate = path("old.pem"), .key = path("leaf.key")};
	struct secrets *secrets;
	char *error;

	assert_int_equal(load(&config, &secrets, &error), 0);
	assert_true(secrets_certificate(secrets));
	secrets_destroy(secrets);
}

static void an_error_keeps_what_was_there(void **state)
{
	const struct config config = {.certificate = path("now.pem"), .key = path("now.key")};
	struct link_message before, after;
	struct secrets *secrets;
	char *error;
	int fd;

	shell("cp leaf.pem now.pem; cp -p leaf.key now.key");
	assert_int_equal(load(&config, &secrets, &error), 0);
	fd = secrets_bundle(secrets, &before);
	shell("cp -p ca.key now.key");
	assert_int_equal(secrets_load(secrets, &error), -EINVAL);
	assert_non_null(strstr(error, "now.key: is not the key"));
	free(error);
	assert_int_equal(secrets_bundle(secrets, &after), fd);
	assert_memory_equal(&before, &after, sizeof(before));
	expect_text(fd, before.tls.certificates, before.tls.key, path("leaf.key"));
	shell("cp ca.pem now.pem");
	assert_int_equal(secrets_load(secrets, &error), 0);
	fd = secrets_bundle(secrets, &after);
	expect_text(fd, after.tls.certificates, after.tls.key, path("ca.key"));
	secrets_destroy(secrets);
}

static void credentials_of_systemd(void **state)
{
	const struct config config = {0},
			    other = {.certificate = path("ca.pem"), .key = path("ca.key")};
	struct link_message message;
	struct secrets *secrets;
	char *error;
	int fd;

	shell("mkdir -p c && cp chain.pem c/tls.cert && cp -p leaf.key c/tls.key && "
	      "cp ca.pem c/tls.ca && cp -p rsa.pem c/rsa.key && chmod 440 c/*");
	setenv("CREDENTIALS_DIRECTORY", path("c"), 1);
	assert_int_equal(load(&config, &secrets, &error), 0);
	assert_true(secrets_certificate(secrets) && secrets_authorities(secrets));
	secrets_bundle(secrets, &message);
	assert_true(message.tls.rsa_key);
	/* One that goes while the daemon runs takes no rule away that listeners were allowed for. */
	shell("mv c/tls.ca c/tls.gone");
	assert_int_equal(secrets_load(secrets, &error), -EINVAL);
	assert_non_null(strstr(error, "tls.ca: has gone"));
	free(error);
	assert_true(secrets_authorities(secrets));
	shell("mv c/tls.gone c/tls.ca; mv c/tls.cert c/cert; mv c/tls.key c/key; mv c/tls.ca c/ca");
	assert_int_equal(secrets_load(secrets, &error), -EINVAL);
	free(error);
	assert_true(secrets_certificate(secrets));
	shell("mv c/cert c/tls.cert; mv c/key c/tls.key; mv c/ca c/tls.ca");
	assert_int_equal(secrets_load(secrets, &error), 0);
	secrets_destroy(secrets);
	/* The configuration is more important. */
	assert_int_equal(load(&other, &secrets, &error), 0);
	fd = secrets_bundle(secrets, &message);
	expect_text(fd, 0, message.tls.certificates, path("ca.pem"));
	secrets_destroy(secrets);
	unsetenv("CREDENTIALS_DIRECTORY");
}

static void an_rsa_key_is_made_once(void **state)
{
	const struct config config = {.certificate = path("leaf.pem"), .key = path("leaf.key")};
	char first[8192] = "", second[8192] = "";
	struct link_message message;
	struct secrets *secrets;
	struct stat st;
	char *error;
	int fd;

	assert_int_equal(load(&config, &secrets, &error), 0);
	secrets_bundle(secrets, &message);
	assert_int_equal(message.tls.rsa_key, 0);
	secrets_want_rsa(secrets);
	secrets_want_rsa(secrets);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(made, 1);
	fd = secrets_bundle(secrets, &message);
	assert_true(message.tls.rsa_key && message.tls.certificates);
	assert_true(pread(fd, first, sizeof(first), 0) > 0);
	assert_int_equal(stat(path("rsa.key"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	secrets_destroy(secrets);
	/* Another start finds it. */
	assert_int_equal(load(&config, &secrets, &error), 0);
	fd = secrets_bundle(secrets, &message);
	assert_true(pread(fd, second, sizeof(second), 0) > 0);
	assert_string_equal(first, second);
	secrets_want_rsa(secrets);
	secrets_destroy(secrets);
	assert_int_equal(unlink(path("rsa.key")), 0);
}

static void an_rsa_key_that_cannot_be_kept(void **state)
{
	const struct config config = {0};
	struct link_message message;
	struct secrets *secrets;
	char *error;

	assert_int_equal(secrets_create(loop, &config, "/nonexistent", on_made, NULL, &secrets), 0);
	secrets_want_rsa(secrets);
	assert_int_equal(loop_run(loop), 0);
	assert_true(secrets_bundle(secrets, &message) >= 0);
	assert_true(message.tls.rsa_key);
	/* It outlives a reload. */
	assert_int_equal(secrets_load(secrets, &error), 0);
	secrets_bundle(secrets, &message);
	assert_true(message.tls.rsa_key);
	secrets_destroy(secrets);
}

static void nobody_waits_for_a_key_any_more(void **state)
{
	const struct config config = {0};
	struct secrets *secrets;
	_Atomic bool unwanted = true;
	struct pem key = {0};
	char *error;

	assert_int_equal(load(&config, &secrets, &error), 0);
	secrets_want_rsa(secrets);
	secrets_destroy(secrets);
	/* It ends when it is told so, not when it is done. */
	assert_int_equal(pem_make_rsa(&unwanted, &key), -ECANCELED);
	assert_null(key.text);
}

static int setup(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/test-secrets.XXXXXX");
	if (!mkdtemp(dir) || loop_create(&loop) < 0)
		return -1;
	umask(077);
	shell("openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=ca "
	      "-days 30");
	shell("openssl req -newkey rsa:2048 -nodes -keyout leaf.key -out leaf.csr -subj /CN=leaf");
	shell("printf 'basicConstraints=critical,CA:FALSE\\n' >ext");
	shell("openssl x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile "
	      "ext "
	      "-days 30 -out leaf.pem");
	/* `openssl x509` of 3.5 and later makes no certificate that ends before it begins. */
	shell("printf "
	      "'[ca]\\ndefault_ca=d\\n[d]\\ndatabase=index\\nnew_certs_dir=.\\nserial=next\\n"
	      "default_md=sha256\\npolicy=p\\n[p]\\ncommonName=supplied\\n' >ca.conf; : >index");
	shell("openssl ca -batch -notext -config ca.conf -create_serial -cert ca.pem "
	      "-keyfile ca.key -extfile ext -in leaf.csr -out old.pem "
	      "-startdate 20200101000000Z -enddate 20200201000000Z");
	shell("cat leaf.pem ca.pem >chain.pem");
	shell("{ cat leaf.pem; head -n 5 ca.pem; } >half.pem");
	shell("openssl rsa -in leaf.key -aes128 -passout pass:x -out locked.key");
	shell("cp leaf.key open.key; chmod 644 open.key; : >empty; mkfifo fifo");
	shell("head -c 70000 /dev/zero >long");
	shell("openssl req -x509 -newkey rsa:1024 -nodes -keyout short.key -out short.pem "
	      "-subj /CN=s");
	shell("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out curve.key");
	shell("openssl genrsa -out rsa.pem 2048");
	return 0;
}

static int teardown(void **state)
{
	loop_destroy(loop);
	shell("rm -rf ./*");
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_in_one_sealed_file),
		cmocka_unit_test(nothing_is_fine),
		cmocka_unit_test(bad_files_are_named),
		cmocka_unit_test(an_old_certificate_is_used),
		cmocka_unit_test(an_error_keeps_what_was_there),
		cmocka_unit_test(credentials_of_systemd),
		cmocka_unit_test(an_rsa_key_is_made_once),
		cmocka_unit_test(an_rsa_key_that_cannot_be_kept),
		cmocka_unit_test(nobody_waits_for_a_key_any_more),
	};

	if (system("openssl version >/dev/null 2>&1") != 0)
		return 77;
	return cmocka_run_group_tests(tests, setup, teardown);
}
