/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spool.h - the shots of a film that are kept (rfb/film.h): numbered, and never renumbered; one behind the other in a ring of LIMIT_FILM bytes, where
 * the oldest make room for new ones, but for those that are held.
 *
 *	empty --spool_prepare()--> ready --spool_clear()--> empty
 *
 * Nothing here blocks or locks: it is the film's. Only spool_prepare() allocates.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPOOL_SHOTS 64 /* at most; a power of two */

struct shot {
	uint64_t number, serial; /* serial: what it shows, reader_serial() */
	size_t at;		 /* the spool's */
	uint32_t size;
	bool key;
	unsigned int held; /* by so many */
	const uint8_t *bytes;
};

struct spool {
	uint8_t *ring; /* owned; NULL: empty */
	size_t end;    /* of the newest shot */
	struct shot shots[SPOOL_SHOTS];
	uint64_t oldest, next; /* numbers of those that are kept: [oldest, next) */
};

void spool_init(struct spool *spool);
void spool_finish(struct spool *spool); /* no shot is held */
int spool_prepare(struct spool *spool);	/* memory, if there is none yet; -ENOMEM */

/* The next shot, copied. False: those that are held leave no room. */
bool spool_add(struct spool *spool, uint64_t serial, bool key, const uint8_t *bytes, size_t size);
const struct shot *spool_shot(const struct spool *spool, uint64_t number); /* which is kept */
uint64_t spool_key(const struct spool *spool, uint64_t first); /* the newest key that is kept, from that number on; 0: none */

/* All from the number @first on, the oldest first, which is kept or the next. Returns how many; 0, and holds none, if they are more than @count or of more
 * than @bytes. */
size_t spool_hold(struct spool *spool, uint64_t first, size_t bytes, const struct shot **ret, size_t count);
void spool_drop(struct spool *spool, const struct shot *const *shots, size_t count);

/* Gives the memory back, unless something is held. */
void spool_clear(struct spool *spool);
