/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * Each reader collects its own damage (rfb/bitmaps.h): reader_begin() hands it over, reader_end() lets go of it. Between them it holds
 * a reference to the frame that was the picture's then, and counts as inside for the broker as long as it still is.
 *
 * Whoever takes away the last reason why a grant waited tells the picture's idle(), after it has let go of the mutex.
 */
#include "rfb/reader.h"

#include <errno.h>

#include "base/measure.h"
#include "base/mem.h"
#include "rfb/picture_internal.h"

/* @reader waits no longer. True: the broker does not either. */
static bool leave_line(struct reader *reader)
{
	struct picture *picture = reader->picture;

	return turn_pass(&picture->turns, &reader->turn, picture_readable(picture)) &&
	       picture_grantable(picture);
}

int reader_create(struct picture *picture, int wake, struct reader **ret)
{
	struct reader *reader = new0(struct reader);
	int r = 0;

	if (!reader)
		return -ENOMEM;
	reader->picture = picture;
	pthread_mutex_lock(&picture->mutex);
	if (picture->current)
		r = bitmaps_prepare(&reader->bitmaps, picture->current->frame);
	if (picture->current && r == 0)
		bitmaps_install(&reader->bitmaps, picture->current->frame, false);
	if (r == 0) {
		TAILQ_INSERT_TAIL(&picture->readers, reader, entry);
		turns_join(&picture->turns, &reader->turn, wake);
	}
	pthread_mutex_unlock(&picture->mutex);
	if (r < 0)
		free(reader);
	else
		*ret = reader;
	return r;
}

void reader_destroy(struct reader *reader)
{
	struct picture *picture;
	bool fire;

	if (!reader)
		return;
	picture = reader->picture;
	pthread_mutex_lock(&picture->mutex);
	TAILQ_REMOVE(&picture->readers, reader, entry);
	fire = leave_line(reader);
	turns_leave(&picture->turns, &reader->turn);
	pthread_mutex_unlock(&picture->mutex);
	if (fire)
		picture->idle(picture->arg);
	bitmaps_finish(&reader->bitmaps);
	free(reader);
}

uint32_t reader_behind(const struct reader *reader)
{
	struct picture *picture = reader->picture;
	uint32_t behind;

	pthread_mutex_lock(&picture->mutex);
	behind = reader->behind;
	pthread_mutex_unlock(&picture->mutex);
	return behind;
}

void reader_pass(struct reader *reader, bool listening)
{
	struct picture *picture = reader->picture;
	bool fire;

	pthread_mutex_lock(&picture->mutex);
	fire = leave_line(reader);
	reader->turn.listening = listening;
	pthread_mutex_unlock(&picture->mutex);
	if (fire)
		picture->idle(picture->arg);
}

void reader_rest(struct reader *reader)
{
	struct picture *picture = reader->picture;

	pthread_mutex_lock(&picture->mutex);
	reader->turn.resting = true;
	pthread_mutex_unlock(&picture->mutex);
}

void reader_stir(struct reader *reader)
{
	struct picture *picture = reader->picture;

	pthread_mutex_lock(&picture->mutex);
	reader->turn.resting = false;
	pthread_mutex_unlock(&picture->mutex);
}

bool reader_listen(struct reader *reader)
{
	struct picture *picture = reader->picture;
	bool rests;

	pthread_mutex_lock(&picture->mutex);
	rests = reader->turn.resting && !reader->behind;
	if (rests)
		reader->turn.listening = true;
	pthread_mutex_unlock(&picture->mutex);
	return rests;
}

static void enter(struct reader *reader)
{
	reader->inside = reader->picture->current;
	reader->inside->references++;
	reader->inside->readers++;
	bitmaps_take(&reader->bitmaps, reader->inside->frame);
	reader->behind = 0;
	reader->taken = reader->noticed;
	reader->noticed = 0;
}

const struct frame *reader_begin(struct reader *reader, const uint64_t **ret_damage)
{
	struct picture *picture = reader->picture;
	const struct frame *frame = NULL;

	pthread_mutex_lock(&picture->mutex);
	if (turn_comes(&picture->turns, &reader->turn, picture_readable(picture))) {
		enter(reader);
		turn_begin(
			&picture->turns, &reader->turn, measure_now(), picture_readable(picture));
		frame = reader->inside->frame;
		if (ret_damage)
			*ret_damage = reader->bitmaps.taken;
	} else {
		turn_wait(&picture->turns, &reader->turn);
	}
	pthread_mutex_unlock(&picture->mutex);
	return frame;
}

bool reader_glimpse(struct reader *reader)
{
	struct picture *picture = reader->picture;
	bool begun;

	pthread_mutex_lock(&picture->mutex);
	begun = !reader->behind && turn_glimpse(&picture->turns, &reader->turn, measure_now(),
					   picture_readable(picture));
	if (begun)
		enter(reader);
	pthread_mutex_unlock(&picture->mutex);
	return begun;
}

void reader_end(struct reader *reader)
{
	struct picture *picture = reader->picture;
	bool fire;

	pthread_mutex_lock(&picture->mutex);
	reader->inside->readers--;
	fire = reader->inside == picture->current && picture_grantable(picture);
	held_unref(reader->inside);
	reader->inside = NULL;
	bitmaps_done(&reader->bitmaps);
	turn_end(&picture->turns, &reader->turn, measure_now(), picture_readable(picture));
	pthread_mutex_unlock(&picture->mutex);
	if (fire)
		picture->idle(picture->arg);
}

void reader_copies(struct reader *reader, bool copies)
{
	struct picture *picture = reader->picture;

	if (reader->copies == copies)
		return;
	pthread_mutex_lock(&picture->mutex);
	reader->copies = copies;
	pthread_mutex_unlock(&picture->mutex);
}

size_t reader_moves(const struct reader *reader, const struct move **ret)
{
	*ret = reader->bitmaps.taken_moves;
	return reader->bitmaps.taken_count;
}

struct rect reader_within(const struct reader *reader)
{
	return reader->bitmaps.taken_within;
}

const struct frame *reader_frame(const struct reader *reader)
{
	return reader->inside->frame;
}

uint64_t reader_serial(const struct reader *reader, const struct rect *rect)
{
	return serials_newest(&reader->inside->serials, rect);
}

uint64_t reader_take_noticed(struct reader *reader)
{
	uint64_t taken = reader->taken;

	reader->taken = 0;
	return taken;
}
