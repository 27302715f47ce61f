/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * Whatever is new is a new bundle: a memfd that is filled, sealed whole, and then replaces the one before. RFB programs that hold that
 * one keep what they have read.
 *
 * A key of RSA-AES takes a second to make. A thread does that, writes the file and posts the text to the loop, where it joins what has
 * been read. Had a file come meanwhile, the file counts. Where there is no key, RSA-AES is not offered.
 */
#include "secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/config.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "pem.h"

enum item { CERTIFICATE, KEY, AUTHORITIES, RSA_KEY, ITEMS };

static const struct {
	const char *key;	/* in the configuration */
	const char *credential; /* of systemd */
	bool secret;		/* others may not read it */
} items[ITEMS] = {
	[CERTIFICATE] = {"certificate", "tls.cert", false},
	[KEY] = {"key", "tls.key", true},
	[AUTHORITIES] = {"client-ca", "tls.ca", false},
	[RSA_KEY] = {"rsa-key", "rsa.key", true},
};

/* What was read in one go. */
struct content {
	struct pem pem[ITEMS];
	char *path[ITEMS]; /* owned; NULL: none */
};

struct secrets {
	struct loop *loop;
	const struct config *config;
	char *state_path; /* of the RSA key that is made */
	secrets_fn made;
	void *arg;
	struct content content;
	int bundle;	 /* owned, -EBADF: nothing to tell */
	struct job *job; /* not NULL: a key is being made */
};

/* A key that is made; on_made() frees it. */
struct job {
	struct secrets *secrets; /* NULL: nobody wants it any more */
	struct loop *loop;
	const char *path; /* secrets::state_path */
	pthread_t thread;
	_Atomic bool unwanted; /* set by the main thread */
	bool posted;
	struct pem key;
	int result;
};

static void content_finish(struct content *content)
{
	for (int i = 0; i < ITEMS; i++) {
		pem_finish(&content->pem[i]);
		free(content->path[i]);
		content->path[i] = NULL;
	}
}

char *secrets_credential(const char *name)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	char *path;

	if (!directory || asprintf(&path, "%s/%s", directory, name) < 0)
		return NULL;
	if (access(path, F_OK) == 0)
		return path;
	free(path);
	return NULL;
}

static char *find_path(const struct secrets *secrets, enum item item)
{
	const struct config *config = secrets->config;
	const char *const configured[ITEMS] = {
		[CERTIFICATE] = config->certificate,
		[KEY] = config->key,
		[AUTHORITIES] = config->client_ca,
		[RSA_KEY] = config->rsa_key,
	};
	char *path;

	if (configured[item])
		return strdup(configured[item]);
	path = secrets_credential(items[item].credential);
	if (!path && item == RSA_KEY && access(secrets->state_path, F_OK) == 0)
		path = strdup(secrets->state_path);
	return path;
}

static const char *file_wrong(int fd, bool secret)
{
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return strerror(errno);
	if (!S_ISREG(st.st_mode))
		return "is not a file";
	if (secret && st.st_mode & S_IRWXO)
		return "is a secret that everybody may read or write; make that 'chmod 600'";
	if (st.st_size > LIMIT_PEM)
		return "is too long";
	return NULL;
}

/* NULL, or what is wrong. */
static const char *read_file(const char *path, bool secret, struct pem *ret)
{
	/* A FIFO must not hold us up. */
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	const char *wrong = file_wrong(fd, secret);
	ssize_t n = 1;

	if (wrong)
		return wrong;
	ret->text = calloc(1, LIMIT_PEM + 1);
	if (!ret->text)
		return strerror(ENOMEM);
	while (ret->size < LIMIT_PEM && n > 0) {
		n = read(fd, ret->text + ret->size, LIMIT_PEM - ret->size);
		if (n < 0)
			return strerror(errno);
		ret->size += n;
	}
	return ret->size ? NULL : "is empty";
}

static int complain(char **ret_error, enum item item, const char *path, const char *wrong)
{
	if (asprintf(ret_error, "%s %s: %s", items[item].key, path ? path : "(none)", wrong) < 0)
		*ret_error = NULL;
	return -EINVAL;
}

static int check(const struct content *content, char **ret_error)
{
	const struct pem *pem = content->pem;
	char *const *path = content->path;
	const char *wrong, *remark;
	int key;

	if (pem[KEY].text && !pem[CERTIFICATE].text)
		return complain(
			ret_error, CERTIFICATE, NULL, "there is a key and no certificate for it");
	if (pem[CERTIFICATE].text && !pem[KEY].text)
		return complain(ret_error, KEY, NULL, "there is a certificate without its key");
	if (pem[CERTIFICATE].text) {
		wrong = pem_check_chain(&pem[CERTIFICATE], &pem[KEY], &key, &remark);
		if (wrong)
			return complain(ret_error, key ? KEY : CERTIFICATE,
				path[key ? KEY : CERTIFICATE], wrong);
		/* Viewers refuse it, but displays on Unix sockets need none: no reason not to start. And clocks can be wrong. */
		if (remark)
			log_warn(NULL, "certificate %s %s", path[CERTIFICATE], remark);
	}
	wrong = pem[AUTHORITIES].text ? pem_check_authorities(&pem[AUTHORITIES]) : NULL;
	if (wrong)
		return complain(ret_error, AUTHORITIES, path[AUTHORITIES], wrong);
	wrong = pem[RSA_KEY].text ? pem_check_rsa(&pem[RSA_KEY]) : NULL;
	if (wrong)
		return complain(ret_error, RSA_KEY, path[RSA_KEY], wrong);
	return 0;
}

static int write_all(int fd, const struct pem *pem)
{
	for (size_t at = 0; at < pem->size;) {
		ssize_t n = write(fd, pem->text + at, pem->size - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
	}
	return 0;
}

static int make_bundle(const struct content *content, int *ret_fd)
{
	_cleanup_fd_ int fd = -EBADF;
	size_t size = 0;
	int r;

	for (int i = 0; i < ITEMS; i++)
		size += content->pem[i].size;
	if (!size) {
		*ret_fd = -EBADF;
		return 0;
	}
	fd = fd_move_high(memfd_create("vfio-display-tls", MFD_CLOEXEC | MFD_ALLOW_SEALING));
	if (fd < 0)
		return -errno;
	for (int i = 0; i < ITEMS; i++) {
		r = write_all(fd, &content->pem[i]);
		if (r < 0)
			return r;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

static struct content take_content(struct secrets *secrets)
{
	struct content content = secrets->content;

	secrets->content = (struct content){0};
	return content;
}

/* @content is taken on success. */
static int use(struct secrets *secrets, struct content *content)
{
	int fd = -EBADF;
	int r = make_bundle(content, &fd);

	if (r < 0)
		return r;
	content_finish(&secrets->content);
	secrets->content = *content;
	*content = (struct content){0};
	fd_close(secrets->bundle);
	secrets->bundle = fd;
	return 0;
}

/* Listeners were allowed because of these: without authorities x509None would let everybody in. Only a file that has no name in the
 * configuration can go unnoticed, a credential of systemd. */
static int check_loss(
	const struct secrets *secrets, const struct content *content, char **ret_error)
{
	static const enum item kept[] = {CERTIFICATE, AUTHORITIES};

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (secrets->content.pem[kept[i]].text && !content->pem[kept[i]].text)
			return complain(ret_error, kept[i], secrets->content.path[kept[i]],
				"has gone; to do without it takes a restart");
	return 0;
}

int secrets_load(struct secrets *secrets, char **ret_error)
{
	struct content content = {0};
	const char *wrong;
	int r = 0;

	*ret_error = NULL;
	for (int i = 0; i < ITEMS && r == 0; i++) {
		content.path[i] = find_path(secrets, i);
		if (!content.path[i])
			continue;
		wrong = read_file(content.path[i], items[i].secret, &content.pem[i]);
		if (wrong)
			r = complain(ret_error, i, content.path[i], wrong);
	}
	/* One that was made and could not be written is still a key. */
	if (r == 0 && !content.pem[RSA_KEY].text && secrets->content.pem[RSA_KEY].text &&
		!secrets->content.path[RSA_KEY]) {
		content.pem[RSA_KEY] = secrets->content.pem[RSA_KEY];
		secrets->content.pem[RSA_KEY] = (struct pem){0};
	}
	if (r == 0)
		r = check(&content, ret_error);
	if (r == 0)
		r = check_loss(secrets, &content, ret_error);
	if (r == 0)
		r = use(secrets, &content);
	if (r < 0 && !*ret_error && asprintf(ret_error, "certificates: %s", strerror(-r)) < 0)
		*ret_error = NULL;
	content_finish(&content);
	return r;
}

int secrets_bundle(const struct secrets *secrets, struct link_message *ret)
{
	const struct pem *pem = secrets->content.pem;

	*ret = (struct link_message){.type = LINK_TLS};
	ret->tls.certificates = pem[CERTIFICATE].size;
	ret->tls.key = pem[KEY].size;
	ret->tls.authorities = pem[AUTHORITIES].size;
	ret->tls.rsa_key = pem[RSA_KEY].size;
	return secrets->bundle;
}

bool secrets_certificate(const struct secrets *secrets)
{
	return secrets->content.pem[CERTIFICATE].text;
}

bool secrets_authorities(const struct secrets *secrets)
{
	return secrets->content.pem[AUTHORITIES].text;
}

/* ---- a key of RSA-AES ---- */

/* Under another name first: half a key is never there. */
static int keep(const char *path, const struct pem *pem)
{
	_cleanup_free_ char *new_path = NULL;
	_cleanup_fd_ int fd = -EBADF;
	int r;

	if (asprintf(&new_path, "%s.new", path) < 0)
		return -ENOMEM;
	unlink(new_path);
	fd = open(new_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, pem);
	if (r == 0 && (fsync(fd) < 0 || rename(new_path, path) < 0))
		r = -errno;
	if (r < 0)
		unlink(new_path);
	return r;
}

static int join_content(struct secrets *secrets, struct pem *key)
{
	struct content content = take_content(secrets);
	int r;

	content.pem[RSA_KEY] = *key;
	r = use(secrets, &content);
	if (r < 0) {
		content.pem[RSA_KEY] = (struct pem){0};
		secrets->content = content;
		return r;
	}
	*key = (struct pem){0};
	return 0;
}

static void on_made(void *arg)
{
	struct job *job = arg;
	struct secrets *secrets = job->secrets;
	int r = job->result;

	if (secrets) {
		pthread_join(job->thread, NULL);
		secrets->job = NULL;
		if (r == 0 && !secrets->content.pem[RSA_KEY].text)
			r = join_content(secrets, &job->key);
		if (r < 0)
			log_err(NULL, "no key for RSA-AES could be made: %s", strerror(-r));
		else
			secrets->made(secrets->arg);
	}
	pem_finish(&job->key);
	free(job);
}

static void *make_rsa(void *arg)
{
	struct job *job = arg;
	int r;

	job->result = pem_make_rsa(&job->unwanted, &job->key);
	r = job->result < 0 ? 0 : keep(job->path, &job->key);
	if (r < 0)
		log_warn(NULL, "%s: %s: the key of RSA-AES will be another after a restart",
			job->path, strerror(-r));
	job->posted = loop_post(job->loop, on_made, job) == 0;
	return NULL;
}

void secrets_want_rsa(struct secrets *secrets)
{
	struct job *job;

	if (secrets->content.pem[RSA_KEY].text || secrets->job)
		return;
	job = new0(struct job);
	if (!job)
		return;
	job->secrets = secrets;
	job->loop = secrets->loop;
	job->path = secrets->state_path;
	secrets->job = job;
	if (pthread_create(&job->thread, NULL, make_rsa, job) == 0)
		return;
	log_err(NULL, "no thread to make a key for RSA-AES");
	secrets->job = NULL;
	free(job);
}

/* ---- life ---- */

int secrets_create(struct loop *loop, const struct config *config, const char *state_dir,
	secrets_fn made, void *arg, struct secrets **ret)
{
	struct secrets *secrets = new0(struct secrets);

	if (!secrets || asprintf(&secrets->state_path, "%s/rsa.key", state_dir) < 0) {
		free(secrets);
		return -ENOMEM;
	}
	secrets->loop = loop;
	secrets->config = config;
	secrets->made = made;
	secrets->arg = arg;
	secrets->bundle = -EBADF;
	*ret = secrets;
	return 0;
}

void secrets_destroy(struct secrets *secrets)
{
	if (!secrets)
		return;
	if (secrets->job) {
		atomic_store(&secrets->job->unwanted, true);
		pthread_join(secrets->job->thread, NULL);
		secrets->job->secrets = NULL;
		if (!secrets->job->posted) {
			pem_finish(&secrets->job->key);
			free(secrets->job);
		}
	}
	content_finish(&secrets->content);
	fd_close(secrets->bundle);
	free(secrets->state_path);
	free(secrets);
}
