/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vfio/irq_sets.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

#define TURNS	    7
#define ENTRIES	    ((TURNS + 1) * IRQ_SETS_INDEXES)
#define TABLE_BYTES ((size_t)ENTRIES * sizeof(struct entry))
#define SEALS	    (F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* struct vfio_irq_set and its data. */
struct entry {
	uint32_t argsz, flags, index, start, count;
	int32_t event; /* DATA_NONE: not looked at */
} __attribute__((aligned(IRQ_SETS_ALIGN)));

_Static_assert(sizeof(struct entry) == IRQ_SETS_ALIGN, "the filter counts on it");
_Static_assert(offsetof(struct entry, index) == offsetof(struct vfio_irq_set, index), "ABI");
_Static_assert(offsetof(struct entry, event) == sizeof(struct vfio_irq_set), "ABI");

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const struct entry *table; /* TURNS rows that arm, then one that disarms */
static int nothing = -EBADF;	  /* what stands at a number that has no turn */
static int numbers[TURNS];
static bool taken[TURNS];

/* An eventfd under as many numbers as there are turns. */
static int set_numbers_aside(void)
{
	int aside[TURNS + 1];
	size_t n = 0;
	int r = 0;

	for (; n < ARRAY_SIZE(aside) && r >= 0; n++) {
		int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

		r = fd < 0 ? -errno : fd_move_high(fd);
		aside[n] = r;
	}
	if (r < 0) {
		while (n > 0)
			fd_close(aside[--n]);
		return r;
	}
	memcpy(numbers, aside, sizeof(numbers));
	nothing = aside[TURNS];
	return 0;
}

static void entry_make(struct entry *entry, unsigned int row, uint32_t index)
{
	bool arms = row < TURNS;

	memset(entry, 0, sizeof(*entry));
	if (index < VFIO_PCI_NUM_IRQS)
		return;
	entry->argsz = sizeof(struct vfio_irq_set) + (arms ? sizeof(entry->event) : 0);
	entry->flags = VFIO_IRQ_SET_ACTION_TRIGGER |
		       (arms ? VFIO_IRQ_SET_DATA_EVENTFD : VFIO_IRQ_SET_DATA_NONE);
	entry->index = index;
	entry->count = arms;
	entry->event = arms ? numbers[row] : 0;
}

static int write_table(int fd)
{
	for (unsigned int i = 0; i < ENTRIES; i++) {
		struct entry entry;
		ssize_t n;

		entry_make(&entry, i / IRQ_SETS_INDEXES, i % IRQ_SETS_INDEXES);
		n = pwrite(fd, &entry, sizeof(entry), (off_t)(i * sizeof(entry)));
		if (n != (ssize_t)sizeof(entry))
			return n < 0 ? -errno : -EIO;
	}
	return fcntl(fd, F_ADD_SEALS, SEALS) < 0 ? -errno : 0;
}

static int make_table(void)
{
	_cleanup_fd_ int fd = memfd_create("irq-sets", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *memory;
	int r;

	if (fd < 0)
		return -errno;
	r = nothing < 0 ? set_numbers_aside() : 0;
	if (r >= 0)
		r = write_table(fd);
	if (r < 0)
		return r;
	/* Shared, so that the seal counts: what was opened for writing could otherwise be made writable here. */
	memory = mmap(NULL, TABLE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	table = memory;
	return 0;
}

int irq_sets_create(void)
{
	int r = 0;

	pthread_mutex_lock(&lock);
	if (!table)
		r = make_table();
	pthread_mutex_unlock(&lock);
	return r;
}

const void *irq_sets_table(size_t *ret_size)
{
	*ret_size = table ? TABLE_BYTES : 0;
	return table;
}

int irq_sets_take(int event)
{
	int turn = -EBUSY;

	pthread_mutex_lock(&lock);
	for (int i = 0; i < TURNS && turn < 0; i++)
		if (table && !taken[i]) {
			taken[i] = true;
			turn = i;
		}
	pthread_mutex_unlock(&lock);
	if (turn >= 0 && dup3(event, numbers[turn], O_CLOEXEC) < 0) {
		int r = -errno;

		irq_sets_give(turn);
		return r;
	}
	return turn;
}

void irq_sets_give(int turn)
{
	dup3(nothing, numbers[turn], O_CLOEXEC);
	pthread_mutex_lock(&lock);
	taken[turn] = false;
	pthread_mutex_unlock(&lock);
}

static const void *entry_at(unsigned int row, uint32_t index)
{
	if (!table || index < VFIO_PCI_NUM_IRQS || index >= IRQ_SETS_INDEXES)
		return NULL;
	return &table[row * IRQ_SETS_INDEXES + index];
}

const void *irq_sets_arm(int turn, uint32_t index)
{
	return entry_at((unsigned int)turn, index);
}

const void *irq_sets_disarm(uint32_t index)
{
	return entry_at(TURNS, index);
}
