/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * One mutex guards everything but the encoding itself, which is done by a maker that is busy: its context and its key belong to
 * the thread that took it. A key that a busy maker has is not made twice. Nobody who holds a maker waits for anything, so the
 * others' wait ends.
 *
 * What a rectangle shows is said by its area and the number of the publish that last changed it, which never comes again. So a print is right
 * for ever and nothing is ever taken back; what is old is not asked for any more.
 *
 * Prints lie in sheets, one behind the other, and are never moved. A sheet with a print that is held stays. For room the
 * oldest one that nobody has wanted for a while goes, or, over the bound, the oldest that is not held. They are mapped, not from malloc(): what is
 * given back is gone.
 */
#include "rfb/studio.h"

#include <errno.h>
#include <pthread.h>
#include <stdalign.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <time.h>

#include "base/mem.h"

#define HASH_SLOTS 1024		/* a power of two: 4K has some hundred rectangles */
#define REST_NS	   500000000ull /* not wanted for so long: others are behind by then, or gone */

struct sheet {
	TAILQ_ENTRY(sheet) link; /* studio::sheets, the oldest first */
	unsigned int held;	 /* prints that are; each as often as it is */
	bool wanted;		 /* since it was last tidied */
	uint64_t wanted_ns;
	size_t used;
	alignas(16) uint8_t room[];
};

#define SHEET_ROOM (STUDIO_SHEET - sizeof(struct sheet))

struct maker {
	bool busy;
	struct rect rect; /* what it makes; serial 0: nothing that anybody else could want */
	uint64_t serial;
	struct tight_wish wish;
	struct tight *tight;  /* owned; NULL: not needed yet */
	uint8_t *bytes;	      /* owned, likewise */
	struct mosaic mosaic; /* what it has made */
};

struct studio {
	pthread_mutex_t mutex;
	pthread_cond_t finished;
	uint64_t turn;
	struct print *slots[HASH_SLOTS];
	TAILQ_HEAD(sheets, sheet) sheets; /* owned */
	unsigned int sheet_count, sheets_maximum;
	struct studio_counts counts;
	void (*filled)(void *arg);
	void *arg;
	bool told; /* that there is something to be tidied */
	unsigned int makers_count;
	struct maker makers[];
};

static_assert(sizeof(struct print) + (16 << 10) + 3 * STUDIO_PIXELS < SHEET_ROOM,
	"a rectangle and what deflate may add to it fit into a sheet");

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

int studio_create(const struct studio_options *options, struct studio **ret)
{
	struct studio *studio =
		calloc(1, sizeof(*studio) + options->makers * sizeof(studio->makers[0]));

	if (!studio)
		return -ENOMEM;
	pthread_mutex_init(&studio->mutex, NULL);
	pthread_cond_init(&studio->finished, NULL);
	TAILQ_INIT(&studio->sheets);
	studio->makers_count = options->makers;
	studio->sheets_maximum = options->maximum / STUDIO_SHEET;
	studio->filled = options->filled;
	studio->arg = options->arg;
	*ret = studio;
	return 0;
}

/* ---- prints ---- */

static uint64_t mixed(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
	return hash ^ hash >> 32;
}

static struct print **slot_of(struct studio *studio, const struct rect *rect, uint64_t serial)
{
	uint64_t hash = mixed(serial, (uint64_t)rect->x << 32 | rect->y);

	hash = mixed(hash, (uint64_t)rect->width << 32 | rect->height);
	return &studio->slots[hash % HASH_SLOTS];
}

static bool same_wish(const struct tight_wish *a, const struct tight_wish *b)
{
	return a->quality == b->quality && a->subsampling == b->subsampling &&
	       a->compression == b->compression;
}

static bool same_rect(const struct rect *a, const struct rect *b)
{
	return a->x == b->x && a->y == b->y && a->width == b->width && a->height == b->height;
}

static struct print *find(struct studio *studio, const struct print_want *want)
{
	struct print *print = NULL;

	if (want->serial)
		print = *slot_of(studio, &want->rect, want->serial);
	while (print && !(print->serial == want->serial && same_rect(&print->rect, &want->rect) &&
				same_wish(&print->wish, &want->wish)))
		print = print->next;
	return print;
}

static size_t room_of(size_t size)
{
	return ALIGN_UP(sizeof(struct print) + size, alignof(struct print));
}

static void unlist(struct studio *studio, const struct print *print)
{
	struct print **at = slot_of(studio, &print->rect, print->serial);

	if (!print->serial)
		return;
	while (*at != print)
		at = &(*at)->next;
	*at = print->next;
}

static void hold(const struct print *print)
{
	struct sheet *sheet = print->sheet;

	sheet->held++;
	sheet->wanted = true;
	sheet->wanted_ns = now_ns();
}

/* ---- sheets ---- */

static void sheet_wipe(struct studio *studio, struct sheet *sheet)
{
	for (size_t at = 0; at < sheet->used;) {
		struct print *print = (struct print *)(sheet->room + at);

		unlist(studio, print);
		at += room_of(print->size);
	}
	sheet->used = 0;
}

static void sheet_free(struct studio *studio, struct sheet *sheet)
{
	sheet_wipe(studio, sheet);
	TAILQ_REMOVE(&studio->sheets, sheet, link);
	studio->sheet_count--;
	munmap(sheet, STUDIO_SHEET);
}

static struct sheet *sheet_new(struct studio *studio)
{
	struct sheet *sheet = mmap(
		NULL, STUDIO_SHEET, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (sheet == MAP_FAILED)
		return NULL;
	TAILQ_INSERT_TAIL(&studio->sheets, sheet, link);
	studio->sheet_count++;
	return sheet;
}

/* The oldest that may go. */
static struct sheet *sheet_spare(const struct studio *studio, uint64_t before_ns)
{
	struct sheet *sheet;

	TAILQ_FOREACH (sheet, &studio->sheets, link)
		if (!sheet->held && sheet->wanted_ns <= before_ns)
			return sheet;
	return NULL;
}

/* An empty one, which is the last then. */
static int sheet_turn(struct studio *studio, bool must)
{
	bool full = studio->sheet_count >= studio->sheets_maximum;
	struct sheet *sheet = sheet_spare(studio, full ? UINT64_MAX : now_ns() - REST_NS);

	if (sheet) {
		sheet_wipe(studio, sheet);
		TAILQ_REMOVE(&studio->sheets, sheet, link);
		TAILQ_INSERT_TAIL(&studio->sheets, sheet, link);
		return 0;
	}
	if (full && !must)
		return -ENOSPC;
	return sheet_new(studio) ? 0 : -ENOMEM;
}

static int sheet_room(struct studio *studio, size_t size, bool must, struct sheet **ret)
{
	struct sheet *last = TAILQ_LAST(&studio->sheets, sheets);
	int r;

	if (!last || last->used + size > SHEET_ROOM) {
		r = sheet_turn(studio, must);
		if (r < 0)
			return r;
		last = TAILQ_LAST(&studio->sheets, sheets);
	}
	*ret = last;
	return 0;
}

static int keep(struct studio *studio, const struct print_want *want, const struct maker *maker,
	size_t size, const struct print **ret)
{
	struct print *print, **slot;
	struct sheet *sheet;
	int r = sheet_room(studio, room_of(size), want->must, &sheet);

	if (r < 0)
		return r;
	print = (struct print *)(sheet->room + sheet->used);
	sheet->used += room_of(size);
	*print = (struct print){
		.rect = want->rect,
		.serial = want->serial,
		.wish = want->wish,
		.rectangles = maker->mosaic.rectangles,
		.lossy = maker->mosaic.lossy,
		.size = size,
		.sheet = sheet,
	};
	memcpy(print->bytes, maker->bytes, size);
	if (want->serial) {
		slot = slot_of(studio, &want->rect, want->serial);
		print->next = *slot;
		*slot = print;
	}
	hold(print);
	*ret = print;
	return 0;
}

/* ---- making ---- */

static bool makes(const struct maker *maker, const struct print_want *want)
{
	return maker->busy && want->serial && maker->serial == want->serial &&
	       same_rect(&maker->rect, &want->rect) && same_wish(&maker->wish, &want->wish);
}

/* NULL: there is none, or @want is in the making. One that has worked before comes first. */
static struct maker *maker_take(struct studio *studio, const struct print_want *want)
{
	struct maker *maker, *free = NULL;

	for (maker = studio->makers; maker < studio->makers + studio->makers_count; maker++) {
		if (makes(maker, want))
			return NULL;
		if (!maker->busy && (!free || (!free->tight && maker->tight)))
			free = maker;
	}
	if (!free)
		return NULL;
	free->busy = true;
	free->rect = want->rect;
	free->serial = want->serial;
	free->wish = want->wish;
	return free;
}

static void maker_give(struct studio *studio, struct maker *maker)
{
	maker->busy = false;
	studio->turn++;
	pthread_cond_broadcast(&studio->finished);
}

static int maker_prepare(struct maker *maker)
{
	if (!maker->bytes)
		maker->bytes = malloc(SHEET_ROOM);
	if (!maker->bytes)
		return -ENOMEM;
	return maker->tight ? 0 : tight_create(&maker->tight);
}

static size_t make(struct maker *maker, const struct print_want *want)
{
	assert(room_of(mosaic_bound(&want->rect)) <= SHEET_ROOM);
	return mosaic_make(maker->tight, want->pixels, want->stride, &want->rect, &want->wish,
		maker->bytes, &maker->mosaic);
}

int studio_take(struct studio *studio, const struct print_want *want, const struct print **ret)
{
	const struct print *print;
	struct maker *maker = NULL;
	bool tell;
	size_t size = 0;
	int r;

	pthread_mutex_lock(&studio->mutex);
	print = find(studio, want);
	if (print) {
		hold(print);
		studio->counts.shared++;
		*ret = print;
	} else {
		maker = maker_take(studio, want);
	}
	pthread_mutex_unlock(&studio->mutex);
	if (!maker)
		return print ? 0 : -EAGAIN;

	r = maker_prepare(maker);
	if (r == 0)
		size = make(maker, want);
	pthread_mutex_lock(&studio->mutex);
	if (r == 0) {
		r = keep(studio, want, maker, size, ret);
		studio->counts.made++;
	}
	maker_give(studio, maker);
	tell = !studio->told && studio->filled;
	studio->told = true;
	pthread_mutex_unlock(&studio->mutex);
	if (tell)
		studio->filled(studio->arg);
	return r;
}

void studio_drop(struct studio *studio, const struct print *const *prints, size_t count)
{
	bool room = false;

	pthread_mutex_lock(&studio->mutex);
	for (size_t i = 0; i < count; i++) {
		struct sheet *sheet = prints[i]->sheet;

		if (--sheet->held)
			continue;
		room = true;
		if (studio->sheet_count > studio->sheets_maximum)
			sheet_free(studio, sheet);
	}
	/* Who found none may find some. */
	if (room) {
		studio->turn++;
		pthread_cond_broadcast(&studio->finished);
	}
	pthread_mutex_unlock(&studio->mutex);
}

uint64_t studio_turn(struct studio *studio)
{
	uint64_t turn;

	pthread_mutex_lock(&studio->mutex);
	turn = studio->turn;
	pthread_mutex_unlock(&studio->mutex);
	return turn;
}

void studio_wait(struct studio *studio, uint64_t turn)
{
	pthread_mutex_lock(&studio->mutex);
	while (studio->turn == turn)
		pthread_cond_wait(&studio->finished, &studio->mutex);
	pthread_mutex_unlock(&studio->mutex);
}

/* ---- the rest ---- */

static void maker_clear(struct maker *maker)
{
	tight_destroy(maker->tight);
	free(maker->bytes);
	maker->tight = NULL;
	maker->bytes = NULL;
}

bool studio_tidy(struct studio *studio)
{
	struct sheet *sheet, *next;
	bool left;

	pthread_mutex_lock(&studio->mutex);
	for (sheet = TAILQ_FIRST(&studio->sheets); sheet; sheet = next) {
		next = TAILQ_NEXT(sheet, link);
		if (!sheet->held && !sheet->wanted)
			sheet_free(studio, sheet);
		else
			sheet->wanted = false;
	}
	left = !TAILQ_EMPTY(&studio->sheets);
	for (unsigned int i = 0; !left && i < studio->makers_count; i++) {
		if (!studio->makers[i].busy)
			maker_clear(&studio->makers[i]);
		else
			left = true;
	}
	studio->told = left;
	pthread_mutex_unlock(&studio->mutex);
	return left;
}

struct studio_counts studio_counts(struct studio *studio)
{
	struct studio_counts counts;

	pthread_mutex_lock(&studio->mutex);
	counts = studio->counts;
	counts.bytes = (size_t)studio->sheet_count * STUDIO_SHEET;
	pthread_mutex_unlock(&studio->mutex);
	return counts;
}

void studio_destroy(struct studio *studio)
{
	if (!studio)
		return;
	while (!TAILQ_EMPTY(&studio->sheets))
		sheet_free(studio, TAILQ_FIRST(&studio->sheets));
	for (unsigned int i = 0; i < studio->makers_count; i++)
		maker_clear(&studio->makers[i]);
	pthread_cond_destroy(&studio->finished);
	pthread_mutex_destroy(&studio->mutex);
	free(studio);
}
