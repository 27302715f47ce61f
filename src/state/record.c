/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "state/record.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/limits.h"
#include "base/mem.h"

enum { RECORD_VERSION = 2 };

static const char magic[8] = "vfiodpy";

struct slot {
	uint64_t hash; /* of text */
	uint64_t size;
	char text[LIMIT_RECORD_BYTES];
};

/* Only pages that were written to take memory. */
struct layout {
	char magic[8];
	uint32_t version;
	uint32_t bytes;		  /* of all this */
	_Atomic uint64_t current; /* which slot; the one store that counts */
	uint64_t words[RECORD_WORDS];
	struct slot slots[2];
};

struct record {
	int fd;		       /* owned */
	struct layout *layout; /* mapped, shared */
};

/* FNV-1a. Damage is not expected: this tells a slot that was made current by us from all else. */
static uint64_t hash_of(const char *text, size_t size)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (uint8_t)text[i]) * 0x100000001b3u;
	return hash;
}

static int map(int fd, struct record **ret)
{
	struct record *record = new0(struct record);
	void *at;

	if (!record)
		return -ENOMEM;
	at = mmap(NULL, sizeof(*record->layout), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED) {
		free(record);
		return -ENOMEM;
	}
	record->fd = fd;
	record->layout = at;
	*ret = record;
	return 0;
}

int record_create(struct record **ret)
{
	_cleanup_fd_ int fd =
		fd_move_high(memfd_create("vfio-displayd-record", MFD_CLOEXEC | MFD_ALLOW_SEALING));
	struct layout *layout;
	int r;

	if (fd < 0)
		return -EMFILE;
	if (ftruncate(fd, sizeof(struct layout)) < 0 ||
		fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	r = map(fd, ret);
	if (r < 0)
		return r;
	take_fd(&fd);
	layout = (*ret)->layout;
	layout->version = RECORD_VERSION;
	layout->bytes = sizeof(*layout);
	layout->slots[0].hash = hash_of("", 0);
	memcpy(layout->magic, magic, sizeof(magic));
	return 0;
}

static int check(const struct layout *layout)
{
	const struct slot *slot;
	uint64_t current;

	if (memcmp(layout->magic, magic, sizeof(magic)) != 0)
		return -EBADMSG;
	if (layout->version != RECORD_VERSION || layout->bytes != sizeof(*layout))
		return -EPROTONOSUPPORT;
	current = atomic_load_explicit(&layout->current, memory_order_acquire);
	if (current >= ARRAY_SIZE(layout->slots))
		return -EBADMSG;
	slot = &layout->slots[current];
	if (slot->size > sizeof(slot->text) || hash_of(slot->text, slot->size) != slot->hash)
		return -EBADMSG;
	return 0;
}

int record_open(int fd, struct record **ret)
{
	_cleanup_fd_ int own = fd;
	struct record *record;
	struct stat st;
	int seals, r;

	/* The header's place is the same in every version. */
	seals = fcntl(own, F_GET_SEALS);
	if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(own, &st) < 0)
		return -EBADMSG;
	if (st.st_size != sizeof(struct layout))
		return st.st_size >= (off_t)offsetof(struct layout, current) ? -EPROTONOSUPPORT
									     : -EBADMSG;
	r = map(own, &record);
	if (r < 0)
		return r;
	take_fd(&own);
	r = check(record->layout);
	if (r < 0)
		record_destroy(record);
	else
		*ret = record;
	return r;
}

void record_destroy(struct record *record)
{
	if (!record)
		return;
	munmap(record->layout, sizeof(*record->layout));
	fd_close(record->fd);
	free(record);
}

int record_fd(const struct record *record)
{
	return record->fd;
}

int record_write(struct record *record, const char *text, size_t size)
{
	struct layout *layout = record->layout;
	uint64_t next = !atomic_load_explicit(&layout->current, memory_order_relaxed);
	struct slot *slot = &layout->slots[next];

	if (size > sizeof(slot->text))
		return -EMSGSIZE;
	memcpy(slot->text, text, size);
	slot->size = size;
	slot->hash = hash_of(text, size);
	atomic_store_explicit(&layout->current, next, memory_order_release);
	return 0;
}

uint64_t *record_words(struct record *record)
{
	return record->layout->words;
}

const char *record_text(const struct record *record, size_t *ret_size)
{
	const struct layout *layout = record->layout;
	const struct slot *slot =
		&layout->slots[atomic_load_explicit(&layout->current, memory_order_acquire)];

	*ret_size = slot->size;
	return slot->text;
}
