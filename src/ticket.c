/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ticket.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/vncauth.h"

_Static_assert(TICKET_CHALLENGE == VNCAUTH_CHALLENGE, "a ticket answers VNC authentication");

/* 56 characters, none of which is easily taken for another: 46 bits in the 8 that VNC authentication uses. */
static const char alphabet[] = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz";

enum { ALPHABET = sizeof(alphabet) - 1 };

enum { TICKETS_VERSION = 1 };

static const char magic[8] = "vfiotkt";

struct ticket {
	_Atomic uint32_t
		good; /* all else is to be believed. Set last, cleared first: see ticket_store_fd() */
	uint32_t reserved;
	uint8_t digests[2][TICKET_DIGEST]; /* by enum ticket_proof */
	uint64_t expires;
	struct ticket_grant grant;
};

struct layout {
	char magic[8];
	uint32_t version, bytes;
	uint8_t challenge[TICKET_CHALLENGE];
	struct ticket tickets[LIMIT_TICKETS];
};

struct ticket_store {
	int fd;		       /* owned */
	struct layout *layout; /* mapped, shared */
	size_t used;
	uint8_t *challenge; /* into layout */
	struct ticket *tickets;
};

static int map(int fd, struct ticket_store **ret)
{
	struct ticket_store *store = new0(struct ticket_store);
	void *at = MAP_FAILED;

	if (store)
		at = mmap(NULL, sizeof(*store->layout), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED) {
		free(store);
		return -ENOMEM;
	}
	store->fd = fd;
	store->layout = at;
	store->challenge = store->layout->challenge;
	store->tickets = store->layout->tickets;
	*ret = store;
	return 0;
}

int ticket_store_create(struct ticket_store **ret)
{
	_cleanup_fd_ int fd = fd_move_high(
		memfd_create("vfio-displayd-tickets", MFD_CLOEXEC | MFD_ALLOW_SEALING));
	struct ticket_store *store;
	int r;

	if (fd < 0 || ftruncate(fd, sizeof(struct layout)) < 0 ||
		fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -ENOMEM;
	r = map(fd, &store);
	if (r < 0)
		return r;
	take_fd(&fd);
	r = vncauth_open();
	if (r == 0)
		r = vncauth_challenge(store->challenge);
	if (r < 0) {
		ticket_store_destroy(store);
		return r;
	}
	store->layout->version = TICKETS_VERSION;
	store->layout->bytes = sizeof(*store->layout);
	memcpy(store->layout->magic, magic, sizeof(magic));
	*ret = store;
	return 0;
}

static int check(const struct layout *layout)
{
	if (memcmp(layout->magic, magic, sizeof(magic)) != 0)
		return -EBADMSG;
	if (layout->version != TICKETS_VERSION || layout->bytes != sizeof(*layout))
		return -EPROTONOSUPPORT;
	for (size_t i = 0; i < LIMIT_TICKETS; i++) {
		const struct ticket_grant *grant = &layout->tickets[i].grant;

		if (layout->tickets[i].good &&
			(!memchr(grant->id, 0, sizeof(grant->id)) ||
				!memchr(grant->label, 0, sizeof(grant->label))))
			return -EBADMSG;
	}
	return 0;
}

int ticket_store_open(int fd, struct ticket_store **ret)
{
	_cleanup_fd_ int own = fd;
	struct ticket_store *store;
	struct stat st;
	int r, seals = fcntl(own, F_GET_SEALS);

	if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(own, &st) < 0)
		return -EBADMSG;
	if (st.st_size != sizeof(struct layout))
		return -EPROTONOSUPPORT;
	r = map(own, &store);
	if (r < 0)
		return r;
	take_fd(&own);
	r = check(store->layout);
	if (r == 0)
		r = vncauth_open();
	if (r < 0) {
		ticket_store_destroy(store);
		return r;
	}
	for (size_t i = 0; i < LIMIT_TICKETS; i++)
		store->used += store->tickets[i].good != 0;
	*ret = store;
	return 0;
}

int ticket_store_fd(const struct ticket_store *store)
{
	return store->fd;
}

/* What is in it may be kept for the next daemon, and is not wiped. */
void ticket_store_destroy(struct ticket_store *store)
{
	if (!store)
		return;
	munmap(store->layout, sizeof(*store->layout));
	fd_close(store->fd);
	free(store);
}

const uint8_t *ticket_store_challenge(const struct ticket_store *store)
{
	return store->challenge;
}

static void remove_at(struct ticket_store *store, size_t at)
{
	struct ticket *ticket = &store->tickets[at];

	atomic_store(&ticket->good, 0);
	explicit_bzero(ticket->digests, sizeof(ticket->digests));
	store->used--;
}

static void add(struct ticket_store *store, const struct ticket *from)
{
	for (size_t i = 0; i < LIMIT_TICKETS; i++) {
		struct ticket *ticket = &store->tickets[i];

		if (ticket->good)
			continue;
		memcpy(ticket->digests, from->digests, sizeof(ticket->digests));
		ticket->expires = from->expires;
		ticket->grant = from->grant;
		atomic_store(&ticket->good, 1);
		store->used++;
		return;
	}
}

uint64_t ticket_expire(struct ticket_store *store, uint64_t now)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < LIMIT_TICKETS; i++) {
		if (!store->tickets[i].good)
			continue;
		if (store->tickets[i].expires <= now)
			remove_at(store, i);
		else
			next = MIN(next, store->tickets[i].expires);
	}
	return store->used ? next - now : 0;
}

void ticket_revoke(struct ticket_store *store, const char *id)
{
	for (size_t i = 0; i < LIMIT_TICKETS; i++)
		if (store->tickets[i].good && strcmp(store->tickets[i].grant.id, id) == 0)
			remove_at(store, i);
}

void ticket_revoke_orphans(
	struct ticket_store *store, bool (*there)(void *arg, const char *id), void *arg)
{
	for (size_t i = 0; i < LIMIT_TICKETS; i++)
		if (store->tickets[i].good && !there(arg, store->tickets[i].grant.id))
			remove_at(store, i);
}

static size_t count_of(const struct ticket_store *store, const char *id)
{
	size_t n = 0;

	for (size_t i = 0; i < LIMIT_TICKETS; i++)
		n += store->tickets[i].good && strcmp(store->tickets[i].grant.id, id) == 0;
	return n;
}

/* The place of the ticket with this digest, or -1. Takes as long whether and wherever it is. */
static ssize_t find(const struct ticket_store *store, enum ticket_proof proof,
	const uint8_t digest[TICKET_DIGEST])
{
	ssize_t found = -1;

	for (size_t i = 0; i < LIMIT_TICKETS; i++) {
		const ssize_t same = (CRYPTO_memcmp(store->tickets[i].digests[proof], digest,
					      TICKET_DIGEST) == 0) &
				     (store->tickets[i].good != 0);

		found = (-same & (ssize_t)i) | ((same - 1) & found);
	}
	return found;
}

/* Each character as likely as another: a byte that would favour the first ones is drawn again. */
static int draw_text(char ret[TICKET_CHARS + 1])
{
	uint8_t bytes[64];
	size_t used = 0;

	while (used < TICKET_CHARS) {
		if (getrandom(bytes, sizeof(bytes), GRND_NONBLOCK) != sizeof(bytes))
			return -EIO;
		for (size_t i = 0; i < sizeof(bytes) && used < TICKET_CHARS; i++)
			if (bytes[i] < 256 / ALPHABET * ALPHABET)
				ret[used++] = alphabet[bytes[i] % ALPHABET];
	}
	ret[used] = '\0';
	explicit_bzero(bytes, sizeof(bytes));
	return 0;
}

static int digest_of(const void *data, size_t size, uint8_t ret[TICKET_DIGEST])
{
	return EVP_Digest(data, size, ret, NULL, EVP_sha256(), NULL) == 1 ? 0 : -EIO;
}

static int draw(struct ticket_store *store, struct ticket *ticket, char ret[TICKET_CHARS + 1])
{
	uint8_t answer[VNCAUTH_CHALLENGE];
	int r;

	/* Two that answer alike would be told apart by nothing. */
	do {
		r = draw_text(ret);
		if (r == 0)
			r = vncauth_response(ret, store->challenge, answer);
		if (r == 0)
			r = digest_of(answer, sizeof(answer), ticket->digests[TICKET_ANSWER]);
	} while (r == 0 && find(store, TICKET_ANSWER, ticket->digests[TICKET_ANSWER]) >= 0);
	if (r == 0)
		r = digest_of(ret, TICKET_CHARS, ticket->digests[TICKET_TEXT]);
	explicit_bzero(answer, sizeof(answer));
	return r;
}

int ticket_issue(struct ticket_store *store, const struct ticket_grant *grant, uint64_t now,
	uint64_t lifetime, char ret_text[TICKET_CHARS + 1])
{
	struct ticket ticket = {.grant = *grant, .expires = now + lifetime};
	char text[TICKET_CHARS + 1];
	int r;

	ticket_expire(store, now);
	if (count_of(store, grant->id) >= LIMIT_TICKETS_DISPLAY)
		return -EDQUOT;
	if (store->used == LIMIT_TICKETS)
		return -ENOSPC;
	r = draw(store, &ticket, text);
	if (r == 0) {
		add(store, &ticket);
		memcpy(ret_text, text, sizeof(text));
	}
	explicit_bzero(text, sizeof(text));
	explicit_bzero(&ticket, sizeof(ticket));
	return r;
}

int ticket_redeem(struct ticket_store *store, enum ticket_proof proof,
	const uint8_t digest[TICKET_DIGEST], const char *id, uint64_t now, struct ticket_grant *ret)
{
	ssize_t at;

	ticket_expire(store, now);
	at = find(store, proof, digest);
	if (at < 0)
		return -ENOENT;
	if (id && strcmp(store->tickets[at].grant.id, id) != 0)
		return -EXDEV;
	*ret = store->tickets[at].grant;
	remove_at(store, at);
	return 0;
}
