/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * An entry is a file that systemd keeps, by its name. Of kinds that a registrant may give twice the entry has a descriptor of its own, since
 * the only way to know a file again is to hold it (kcmp(2)); of the others only while a start goes on, until the thing that it was
 * has claimed it. What changes is told in order (orders.h), and a barrier says how far systemd has come.
 */
#include "state/store.h"

#include <errno.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <sys/queue.h>
#include <sys/syscall.h>

#include "base/discard.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "state/orders.h"

enum { BUCKETS = 256, DIGITS = 36 };

static const struct {
	const char *name;
	bool shared; /* a registrant may give it for two displays */
} kinds[STORE_KINDS] = {
	[STORE_STATE] = {"state", false},
	[STORE_TICKETS] = {"tickets", false},
	[STORE_GATE] = {"gate", false},
	[STORE_DEVICE] = {"device", false},
	[STORE_LEASE] = {"lease", true},
	[STORE_CHANGE] = {"change", true},
	[STORE_RENDER] = {"render", true},
	[STORE_LISTEN] = {"listen", true},
	[STORE_INPUT] = {"input", true},
	[STORE_CALL] = {"call", false},
	[STORE_LINK] = {"link", false},
	[STORE_PROGRAM] = {"rfb", false},
};

struct entry {
	TAILQ_ENTRY(entry) link; /* store::entries: in the order in which they came */
	LIST_ENTRY(entry) in_bucket;
	enum store_kind kind;
	uint32_t number;
	unsigned int uses; /* 0: came back, and nobody has claimed it */
	int copy; /* owned; of shared kinds to know them again, of the others until store_settle() */
	bool old; /* came back */
};

struct barrier {
	TAILQ_ENTRY(barrier) link; /* store::barriers */
	struct store *store;
	int fd; /* owned: hangs up when systemd has come so far */
	struct loop_source *source, *timer;
	store_fn fn;
	void *arg;
};

struct store {
	struct loop *loop;
	struct orders orders;
	TAILQ_HEAD(, barrier) barriers;
	TAILQ_HEAD(, entry) entries;
	LIST_HEAD(, entry) buckets[BUCKETS];
	unsigned int used;
	size_t names_bytes;
	uint32_t last_number;
};

/* ---- names ---- */

static size_t write_name(enum store_kind kind, uint32_t number, char ret[STORE_NAME])
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	char text[8];
	size_t n = sizeof(text);

	text[--n] = '\0';
	do {
		text[--n] = digits[number % DIGITS];
		number /= DIGITS;
	} while (number);
	return (size_t)snprintf(ret, STORE_NAME, "%s.%s", kinds[kind].name, text + n);
}

static bool parse_name(const char *name, enum store_kind *ret_kind, uint32_t *ret_number)
{
	const char *dot = strchr(name, '.');
	char again[STORE_NAME], *end;
	unsigned long number;

	if (!dot || strlen(dot) > 7)
		return false;
	number = strtoul(dot + 1, &end, DIGITS);
	for (unsigned int kind = 0; kind < STORE_KINDS; kind++) {
		if (number > UINT32_MAX || strlen(kinds[kind].name) != (size_t)(dot - name) ||
			memcmp(kinds[kind].name, name, dot - name) != 0)
			continue;
		write_name(kind, number, again);
		*ret_kind = kind;
		*ret_number = number;
		return strcmp(again, name) == 0;
	}
	return false;
}

bool store_is_name(const char *name)
{
	enum store_kind kind;
	uint32_t number;

	return parse_name(name, &kind, &number);
}

/* ---- what is kept ---- */

static struct entry *find(const struct store *store, const char *name)
{
	enum store_kind kind;
	struct entry *entry;
	uint32_t number;

	if (!parse_name(name, &kind, &number))
		return NULL;
	LIST_FOREACH (entry, &store->buckets[number % BUCKETS], in_bucket) {
		if (entry->number == number && entry->kind == kind)
			return entry;
	}
	return NULL;
}

static size_t name_bytes(const struct entry *entry)
{
	char name[STORE_NAME];

	return write_name(entry->kind, entry->number, name) + 1;
}

static struct entry *entry_add(struct store *store, enum store_kind kind, uint32_t number)
{
	struct entry *entry = new0(struct entry);

	if (!entry)
		return NULL;
	entry->kind = kind;
	entry->number = number;
	entry->copy = -EBADF;
	TAILQ_INSERT_TAIL(&store->entries, entry, link);
	LIST_INSERT_HEAD(&store->buckets[number % BUCKETS], entry, in_bucket);
	store->used++;
	store->names_bytes += name_bytes(entry);
	return entry;
}

static void entry_free(struct store *store, struct entry *entry)
{
	store->used--;
	store->names_bytes -= name_bytes(entry);
	TAILQ_REMOVE(&store->entries, entry, link);
	LIST_REMOVE(entry, in_bucket);
	fd_discard(entry->copy);
	free(entry);
}

static bool is_file(const struct entry *entry, int fd)
{
	pid_t self = getpid();

	return entry->copy >= 0 && syscall(SYS_kcmp, self, self, KCMP_FILE, entry->copy, fd) == 0;
}

/* The entry that keeps this very file already. */
static struct entry *find_same(const struct store *store, int fd)
{
	struct entry *entry;

	TAILQ_FOREACH (entry, &store->entries, link) {
		if (kinds[entry->kind].shared && is_file(entry, fd))
			return entry;
	}
	return NULL;
}

int store_put(struct store *store, enum store_kind kind, int fd, char ret_name[STORE_NAME])
{
	struct entry *entry;
	int r;

	ret_name[0] = '\0';
	if (!store_is_open(store))
		return 0;
	entry = kinds[kind].shared ? find_same(store, fd) : NULL;
	if (entry) {
		entry->uses++;
		write_name(entry->kind, entry->number, ret_name);
		return 0;
	}
	if (store->used >= LIMIT_STORE || store->names_bytes + STORE_NAME > LIMIT_STORE_NAMES)
		return -ENOSPC;
	entry = entry_add(store, kind, ++store->last_number);
	if (!entry)
		return -ENOMEM;
	entry->uses = 1;
	if (kinds[kind].shared)
		entry->copy = fcntl(fd, F_DUPFD_CLOEXEC, FD_HIGH);
	write_name(kind, entry->number, ret_name);
	r = kinds[kind].shared && entry->copy < 0
		    ? -EMFILE
		    : orders_tell(&store->orders, ORDER_PUT, ret_name, fd);
	if (r < 0) {
		entry_free(store, entry);
		ret_name[0] = '\0';
	}
	return r;
}

void store_drop(struct store *store, char name[STORE_NAME])
{
	struct entry *entry = name[0] ? find(store, name) : NULL;

	if (entry && (!entry->uses || --entry->uses == 0)) {
		entry_free(store, entry);
		if (!orders_take_back(&store->orders, name) &&
			orders_tell(&store->orders, ORDER_DROP, name, -EBADF) < 0)
			log_err(NULL, "out of memory: systemd keeps %s until the daemon is stopped",
				name);
	}
	name[0] = '\0';
}

/* ---- start ---- */

void store_returned(struct store *store, const char *name, int fd)
{
	enum store_kind kind;
	struct entry *entry;
	uint32_t number;

	if (!parse_name(name, &kind, &number) || find(store, name) ||
		!(entry = entry_add(store, kind, number))) {
		fd_discard(fd);
		return;
	}
	entry->old = true;
	entry->copy = fd;
	store->last_number = MAX(store->last_number, number);
}

int store_claim(struct store *store, const char *name, enum store_kind kind)
{
	struct entry *entry = find(store, name);
	int fd;

	/* A shared one has the name of what it was first. */
	if (!entry || entry->copy < 0 ||
		(entry->kind != kind && !(kinds[kind].shared && kinds[entry->kind].shared)) ||
		(entry->uses && !kinds[kind].shared))
		return -ENOENT;
	fd = fcntl(entry->copy, F_DUPFD_CLOEXEC, FD_HIGH);
	if (fd < 0)
		return -EMFILE;
	entry->uses++;
	return fd;
}

bool store_holds(const struct store *store, const char *name, int fd)
{
	const struct entry *entry = find(store, name);

	return entry && is_file(entry, fd);
}

bool store_next(const struct store *store, enum store_kind kind, char name[STORE_NAME])
{
	struct entry *entry = name[0] ? find(store, name) : NULL;

	entry = entry ? TAILQ_NEXT(entry, link) : TAILQ_FIRST(&store->entries);
	while (entry && (!entry->old || entry->kind != kind))
		entry = TAILQ_NEXT(entry, link);
	if (entry)
		write_name(kind, entry->number, name);
	return entry;
}

unsigned int store_settle(struct store *store)
{
	struct entry *entry, *next;
	unsigned int removed = 0;

	for (entry = TAILQ_FIRST(&store->entries); entry; entry = next) {
		char name[STORE_NAME];

		next = TAILQ_NEXT(entry, link);
		entry->old = false;
		if (!entry->uses) {
			write_name(entry->kind, entry->number, name);
			store_drop(store, name);
			removed++;
		} else if (!kinds[entry->kind].shared) {
			fd_discardp(&entry->copy);
		}
	}
	return removed;
}

/* ---- barriers ---- */

static void barrier_free(struct barrier *barrier)
{
	TAILQ_REMOVE(&barrier->store->barriers, barrier, link);
	loop_source_free(barrier->source);
	loop_source_free(barrier->timer);
	fd_close(barrier->fd);
	free(barrier);
}

static void barrier_passed(struct barrier *barrier)
{
	store_fn fn = barrier->fn;
	void *arg = barrier->arg;

	barrier_free(barrier);
	fn(arg);
}

static void on_barrier(int fd, unsigned int events, void *arg)
{
	barrier_passed(arg);
}

static void on_barrier_late(void *arg)
{
	log_warn(NULL, "systemd does not answer: what it keeps may still be open");
	barrier_passed(arg);
}

int store_barrier(struct store *store, store_fn fn, void *arg)
{
	_cleanup_fd_ int theirs = -EBADF;
	struct barrier *barrier;
	int pair[2], r;

	if (!store_is_open(store))
		return -ENOTCONN;
	if (pipe2(pair, O_CLOEXEC) < 0)
		return -EMFILE;
	theirs = pair[1];
	barrier = new0(struct barrier);
	if (!barrier) {
		fd_close(pair[0]);
		return -ENOMEM;
	}
	barrier->store = store;
	barrier->fn = fn;
	barrier->arg = arg;
	barrier->fd = fd_move_high(pair[0]);
	TAILQ_INSERT_TAIL(&store->barriers, barrier, link);
	r = loop_fd_add(store->loop, barrier->fd, LOOP_READ, on_barrier, barrier, &barrier->source);
	if (r == 0)
		r = loop_timer_add(store->loop, on_barrier_late, barrier, &barrier->timer);
	if (r == 0)
		r = loop_timer_once(barrier->timer, LIMIT_STORE_MS);
	if (r == 0)
		r = orders_tell(&store->orders, ORDER_BARRIER, "", theirs);
	if (r < 0)
		barrier_free(barrier);
	return r;
}

void store_unbar(struct store *store, store_fn fn, void *arg)
{
	struct barrier *barrier, *next;

	for (barrier = TAILQ_FIRST(&store->barriers); barrier; barrier = next) {
		next = TAILQ_NEXT(barrier, link);
		if (barrier->fn == fn && barrier->arg == arg)
			barrier_free(barrier);
	}
}

/* ---- life ---- */

int store_create(struct loop *loop, struct store **ret)
{
	struct store *store = new0(struct store);
	int r;

	if (!store)
		return -ENOMEM;
	store->loop = loop;
	TAILQ_INIT(&store->barriers);
	TAILQ_INIT(&store->entries);
	r = orders_init(&store->orders, loop);
	if (r < 0) {
		store_destroy(store);
		return r;
	}
	*ret = store;
	return 0;
}

void store_destroy(struct store *store)
{
	if (!store)
		return;
	/* What systemd was not told yet it must hear: a display that has ended would come back. */
	orders_hurry(&store->orders);
	while (!TAILQ_EMPTY(&store->barriers))
		barrier_free(TAILQ_FIRST(&store->barriers));
	while (!TAILQ_EMPTY(&store->entries))
		entry_free(store, TAILQ_FIRST(&store->entries));
	orders_finish(&store->orders);
	free(store);
}

unsigned int store_used(const struct store *store)
{
	return store->used;
}

unsigned int store_waiting(const struct store *store)
{
	return orders_waiting(&store->orders);
}

bool store_is_open(const struct store *store)
{
	return orders_open(&store->orders);
}
