/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * One mutex guards everything here, and it is held for short copies only. A frame may be read when it was published and the
 * broker neither wants to write it nor was told that it may:
 *
 *	frame ----------> (nobody reads) --published--> readable
 *	readable --want_write--> (readers inside go on, no new one) --granted--> (broker writes) --published--> readable
 *
 * "No new one" is what keeps the broker from starving behind readers that overlap. A grant is handed out once, when the last
 * reader is out; that reader calls idle() after it has let go of the mutex. Whose turn it is to be inside, and for whom the grant waits
 * beside them, is rfb/turns.c.
 *
 * Frames are counted: the picture holds one reference, each reader inside another, so that a new frame never pulls the old
 * one away from under an encoder. Readers of an older frame do not delay grants for the new one.
 */
#include "rfb/picture_internal.h"

#include <errno.h>

#include "base/fd.h"
#include "base/measure.h"
#include "base/mem.h"
#include "base/processors.h"
#include "rfb/film.h"

void held_unref(struct held *held)
{
	if (!held || --held->references)
		return;
	frame_destroy(held->frame);
	serials_finish(&held->serials);
	free(held);
}

int picture_create(void (*idle)(void *arg), void *arg, struct picture **ret)
{
	struct picture *picture = new0(struct picture);

	if (!picture)
		return -ENOMEM;
	pthread_mutex_init(&picture->mutex, NULL);
	picture->idle = idle;
	picture->arg = arg;
	TAILQ_INIT(&picture->readers);
	turns_init(&picture->turns, processors_count());
	*ret = picture;
	return 0;
}

void picture_destroy(struct picture *picture)
{
	if (!picture)
		return;
	held_unref(picture->current);
	pthread_mutex_destroy(&picture->mutex);
	free(picture);
}

/* All readers get their bitmaps for @frame or none does. */
static int readers_prepare(struct picture *picture, const struct frame *frame)
{
	struct reader *reader;

	TAILQ_FOREACH (reader, &picture->readers, entry)
		if (bitmaps_prepare(&reader->bitmaps, frame) < 0)
			goto fail;
	return 0;
fail:
	TAILQ_FOREACH (reader, &picture->readers, entry)
		bitmaps_unprepare(&reader->bitmaps);
	return -ENOMEM;
}

/* @fd is consumed in every case. */
static int held_create(int fd, struct held **ret)
{
	struct held *held = new0(struct held);
	int r;

	if (!held) {
		fd_close(fd);
		return -ENOMEM;
	}
	r = frame_open(fd, false, &held->frame);
	if (r < 0) {
		fd_close(fd);
		free(held);
		return r;
	}
	held->references = 1;
	*ret = held;
	return 0;
}

int picture_frame(struct picture *picture, int fd)
{
	struct held *held, *old;
	struct reader *reader;
	int r;

	r = held_create(fd, &held);
	if (r < 0)
		return r;
	pthread_mutex_lock(&picture->mutex);
	r = serials_init(&held->serials, held->frame->header.width, held->frame->header.height,
		++picture->serial);
	if (r == 0)
		r = readers_prepare(picture, held->frame);
	if (r < 0) {
		old = held;
	} else {
		TAILQ_FOREACH (reader, &picture->readers, entry)
			bitmaps_install(&reader->bitmaps, held->frame, reader->inside);
		old = picture->current;
		picture->current = held;
		picture->ready = picture->wanted = picture->writing = false;
		turns_void(&picture->turns);
		if (picture->film)
			film_frame(picture->film, held->frame->header.width,
				held->frame->header.height, held->frame->header.generation);
	}
	held_unref(old);
	pthread_mutex_unlock(&picture->mutex);
	return r;
}

void picture_want_write(struct picture *picture)
{
	pthread_mutex_lock(&picture->mutex);
	picture->wanted = true;
	pthread_mutex_unlock(&picture->mutex);
}

bool picture_granted(struct picture *picture, uint32_t *ret_generation)
{
	bool granted;

	pthread_mutex_lock(&picture->mutex);
	granted = picture_grantable(picture);
	if (granted) {
		picture->wanted = false;
		picture->writing = true;
		*ret_generation = picture->current->frame->header.generation;
	}
	pthread_mutex_unlock(&picture->mutex);
	return granted;
}

void picture_published(struct picture *picture, bool damaged, uint32_t audience)
{
	struct reader *reader;

	pthread_mutex_lock(&picture->mutex);
	if (!picture->current)
		goto out;
	/* What was on its way while an audience left is no picture for who comes later. */
	picture->ready |= audience == picture->audience;
	picture->writing = false;
	if (damaged)
		serials_note(&picture->current->serials, frame_damage(picture->current->frame),
			++picture->serial);
	if (damaged && picture->film)
		film_published(picture->film,
			picture->move_count ? frame_left(picture->current->frame)
					    : frame_damage(picture->current->frame),
			measure_now());
	TAILQ_FOREACH (reader, &picture->readers, entry) {
		if (damaged)
			bitmaps_follow(&reader->bitmaps, picture->current->frame, picture->moves,
				reader->copies ? picture->move_count : 0);
		reader->behind++;
		if (!reader->noticed)
			reader->noticed = picture->noticed;
	}
	if (picture->ready)
		turns_call(&picture->turns);
out:
	picture->noticed = 0;
	picture->move_count = 0;
	pthread_mutex_unlock(&picture->mutex);
	turns_wake(&picture->turns);
}

void picture_moves(struct picture *picture, const struct move *moves, size_t count)
{
	const struct frame_header *header;

	pthread_mutex_lock(&picture->mutex);
	picture->move_count = 0;
	header = picture->current ? &picture->current->frame->header : NULL;
	for (size_t i = 0; i < count; i++) {
		if (count > ARRAY_SIZE(picture->moves) || !header ||
			!move_valid(&moves[i], header->width, header->height)) {
			picture->move_count = 0;
			break;
		}
		picture->moves[picture->move_count++] = moves[i];
	}
	pthread_mutex_unlock(&picture->mutex);
}

void picture_noticed(struct picture *picture, uint64_t ns)
{
	pthread_mutex_lock(&picture->mutex);
	picture->noticed = ns;
	pthread_mutex_unlock(&picture->mutex);
}

bool picture_ready(struct picture *picture)
{
	bool ready;

	pthread_mutex_lock(&picture->mutex);
	ready = picture->ready;
	pthread_mutex_unlock(&picture->mutex);
	return ready;
}

bool picture_passes(struct picture *picture)
{
	bool passes;

	pthread_mutex_lock(&picture->mutex);
	passes = picture->current && picture->current->frame->header.placard == FRAME_PASSING_WORDS;
	pthread_mutex_unlock(&picture->mutex);
	return passes;
}

uint32_t picture_watched(struct picture *picture)
{
	uint32_t audience;

	pthread_mutex_lock(&picture->mutex);
	audience = ++picture->audience;
	picture->ready = false;
	pthread_mutex_unlock(&picture->mutex);
	return audience;
}

uint32_t picture_audience(struct picture *picture)
{
	uint32_t audience;

	pthread_mutex_lock(&picture->mutex);
	audience = picture->audience;
	pthread_mutex_unlock(&picture->mutex);
	return audience;
}

void picture_unwatched(struct picture *picture)
{
	pthread_mutex_lock(&picture->mutex);
	picture->ready = false;
	pthread_mutex_unlock(&picture->mutex);
}

void picture_resume(struct picture *picture)
{
	pthread_mutex_lock(&picture->mutex);
	picture->ready = picture->wanted = picture->writing = false;
	pthread_mutex_unlock(&picture->mutex);
}

const struct frame *picture_current(struct picture *picture)
{
	const struct frame *frame;

	pthread_mutex_lock(&picture->mutex);
	frame = picture->current ? picture->current->frame : NULL;
	pthread_mutex_unlock(&picture->mutex);
	return frame;
}

void picture_hire(struct picture *picture, struct studio *studio)
{
	picture->studio = studio;
}

struct studio *picture_studio(const struct picture *picture)
{
	return picture->studio;
}

void picture_hire_film(struct picture *picture, struct film *film)
{
	picture->film = film;
}

struct film *picture_film(const struct picture *picture)
{
	return picture->film;
}

bool picture_encoding(struct picture *picture)
{
	bool encoding;

	pthread_mutex_lock(&picture->mutex);
	encoding = picture->wanted && !picture_grantable(picture);
	pthread_mutex_unlock(&picture->mutex);
	return encoding;
}
