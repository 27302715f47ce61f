/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * One mutex guards everything but the encoding itself, which is done by the one worker that has set `making`; the encoder is its own then. All who
 * want a shot have the frame at rest, so it is the same that they want; they wait for the one who makes it, who waits for nobody.
 *
 * Shots are kept in a spool, which is the maker's, too, while it has no memory yet; those that somebody is just writing are held. A reel begins with
 * the next number, and with a key. Where there is no room for a shot, or the encoder fails, the reel ends: what the encoder has gone on from would
 * be missing to everybody.
 *
 * Motion is judged with each publish, so that a picture which stands still wakes nobody up. Meanwhile a film that has stopped is there still, and is
 * not sent: who wants something then, because a cursor moves, may have all of it exact by now.
 *
 * What changes all the time may be text that scrolls. So the maker looks at some squares of the area, first and then now and then: few colours are no
 * film, and Tight sends them smaller and exact.
 */
#include "rfb/film.h"

#include <errno.h>
#include <pthread.h>

#include "base/limits.h"
#include "base/mem.h"
#include "rfb/h264.h"
#include "rfb/motion.h"
#include "rfb/palette.h"
#include "rfb/spool.h"

#define KEY_NS 1000000000ull /* keys for those who come are so far apart */
#define REST_NS \
	(2 * MOTION_WINDOW_NS) /* where nothing was published for so long there is a picture */
#define BEHIND_MAX (2u << 20)  /* bytes that a viewer may be behind */
#define FALL_NS \
	4000000000ull /* without shots for who was too slow, and twice as long each time ... */
#define FALLS_MAX   3 /* ... up to so often */
#define STEP_NS	    1000000000ull
#define JUDGE_SHOTS 64
#define SQUARES	    4 /* in each direction, that are looked at */
#define SQUARE	    64
#define MANY_MIN    6		  /* of them have many colours in a film */
#define FEW_NS	    4000000000ull /* what had few colours is not looked at again for so long */

static_assert(LIMIT_FILM >= 2 * BEHIND_MAX, "who is not too far behind finds all shots");
static_assert(LIMIT_VIEWER_QUEUE_SLACK >= BEHIND_MAX + (1u << 20),
	"all that one update has of a film fits into a viewer's queue, beside the rest of it");
static_assert(SPOOL_SHOTS >= 2 * FILM_BATCH, "likewise");

struct film {
	pthread_mutex_t mutex;
	pthread_cond_t made;
	void (*filled)(void *arg);
	void *arg;
	bool on, told;
	unsigned int audience;

	struct motion motion;
	uint32_t generation;   /* of the motion's frame */
	uint64_t published_ns; /* the last publish */
	uint64_t rest_until;   /* few colours */

	uint32_t reel; /* changes with all that ends one */
	struct rect area;
	bool making, key_wanted, used;
	struct h264 *encoder; /* owned; NULL: none yet */
	uint32_t encoder_reel;
	uint64_t key_ns;       /* the last one */
	unsigned int judge_in; /* shots */
	struct film_counts counts;
	unsigned int step, step_least; /* quality: in force; that somebody wanted since step_ns */
	uint64_t step_ns;

	struct spool spool;
	uint64_t began; /* the reel's first shot, or the next */
};

int film_create(void (*filled)(void *arg), void *arg, struct film **ret)
{
	struct film *film = new0(struct film);

	if (!film)
		return -ENOMEM;
	pthread_mutex_init(&film->mutex, NULL);
	pthread_cond_init(&film->made, NULL);
	film->filled = filled;
	film->arg = arg;
	film->on = h264_there();
	spool_init(&film->spool);
	film->reel = 1;
	film->began = film->spool.next;
	*ret = film;
	return 0;
}

void film_destroy(struct film *film)
{
	if (!film)
		return;
	h264_destroy(film->encoder);
	spool_finish(&film->spool);
	motion_finish(&film->motion);
	pthread_cond_destroy(&film->made);
	pthread_mutex_destroy(&film->mutex);
	free(film);
}

/* ---- where ---- */

static void end_reel(struct film *film)
{
	film->reel = film->reel == UINT32_MAX ? 1 : film->reel + 1;
	film->began = film->spool.next;
	film->key_wanted = false;
	film->judge_in = 0;
}

/* There is none, until there is motion again. */
static void stop(struct film *film)
{
	film->area.width = 0;
	end_reel(film);
}

/* Its memory too, until looks() wants it. */
static void forget_motion(struct film *film, uint32_t width, uint32_t height)
{
	motion_finish(&film->motion);
	film->motion.width = width;
	film->motion.height = height;
}

void film_switch(struct film *film, bool on)
{
	pthread_mutex_lock(&film->mutex);
	on = on && h264_there();
	if (film->on && !on) {
		stop(film);
		forget_motion(film, film->motion.width, film->motion.height);
	}
	film->on = on;
	pthread_mutex_unlock(&film->mutex);
}

void film_audience(struct film *film, bool more)
{
	pthread_mutex_lock(&film->mutex);
	film->audience += more ? 1 : -1;
	if (!film->audience) {
		stop(film);
		forget_motion(film, film->motion.width, film->motion.height);
	}
	pthread_mutex_unlock(&film->mutex);
}

void film_frame(struct film *film, uint32_t width, uint32_t height, uint32_t generation)
{
	pthread_mutex_lock(&film->mutex);
	film->generation = generation;
	stop(film);
	forget_motion(film, width, height);
	pthread_mutex_unlock(&film->mutex);
}

/* Nobody looks for motion before there is somebody for it, nor has memory for it. */
static bool looks(struct film *film)
{
	struct motion *motion = &film->motion;

	return film->on && film->audience && motion->width &&
	       (motion->counts || motion_resize(motion, motion->width, motion->height) == 0);
}

void film_published(struct film *film, const uint64_t *bitmap, uint64_t now)
{
	pthread_mutex_lock(&film->mutex);
	film->published_ns = now;
	if (looks(film) && now >= film->rest_until && motion_note(&film->motion, bitmap, now)) {
		film->area = film->motion.area;
		end_reel(film);
	}
	pthread_mutex_unlock(&film->mutex);
}

bool film_showing(struct film *film, uint32_t generation, struct rect *ret_area, uint32_t *ret_reel)
{
	bool showing;

	pthread_mutex_lock(&film->mutex);
	showing = film->area.width && film->generation == generation;
	if (showing) {
		*ret_area = film->area;
		*ret_reel = film->reel;
	}
	pthread_mutex_unlock(&film->mutex);
	return showing;
}

/* ---- is it a film? ---- */

static bool square_has_many(const uint32_t *pixels, size_t stride, uint32_t width, uint32_t height)
{
	struct palette palette;

	palette_clear(&palette);
	return !palette_add(&palette, pixels, stride, width, height);
}

static bool many_colours(const struct film_want *want, const struct rect *area)
{
	uint32_t width = area->width / SQUARES, height = area->height / SQUARES;
	unsigned int many = 0;

	for (unsigned int i = 0; i < SQUARES * SQUARES; i++) {
		uint32_t x = area->x + i % SQUARES * width, y = area->y + i / SQUARES * height;

		many += square_has_many(want->pixels + y * want->stride + x, want->stride,
			MIN(width, (uint32_t)SQUARE), MIN(height, (uint32_t)SQUARE));
	}
	return many >= MANY_MIN;
}

/* ---- making ---- */

static int prepare(struct film *film, uint32_t reel, const struct rect *area)
{
	int r = spool_prepare(&film->spool);

	if (r < 0)
		return r;
	if (film->encoder && film->encoder_reel != reel) {
		h264_destroy(film->encoder);
		film->encoder = NULL;
	}
	if (!film->encoder)
		r = h264_create(area->width, area->height, &film->encoder);
	film->encoder_reel = reel;
	return r;
}

/* By the one who is making, without the mutex. -EDOM: it is no film. */
static int encode(struct film *film, const struct film_want *want, const struct rect *area,
	bool judge, bool key, unsigned int step, const uint8_t **ret_bytes, size_t *ret_size)
{
	int r;

	if (judge && !many_colours(want, area))
		return -EDOM;
	r = prepare(film, want->reel, area);
	if (r < 0)
		return r;
	return h264_encode(film->encoder, want->pixels + area->y * want->stride + area->x,
		want->stride, key, step, ret_bytes, ret_size);
}

static void fail(struct film *film, const struct film_want *want)
{
	if (film->reel != want->reel)
		return;
	stop(film);
	forget_motion(film, film->motion.width, film->motion.height);
	film->rest_until = want->now + FEW_NS;
}

static void keep(struct film *film, const struct film_want *want, bool key, const uint8_t *bytes,
	size_t size)
{
	if (film->reel != want->reel)
		return;
	if (!spool_add(&film->spool, want->serial, key, bytes, size)) {
		end_reel(film);
		return;
	}
	film->counts.made++;
	film->judge_in = film->judge_in ? film->judge_in - 1 : JUDGE_SHOTS;
	if (key) {
		film->key_ns = want->now;
		film->key_wanted = false;
	}
}

/* Under the mutex, which is let go of meanwhile. */
static void make(struct film *film, const struct film_want *want, bool key)
{
	const struct rect area = film->area;
	const unsigned int step = film->step;
	bool judge = !film->judge_in, tell;
	const uint8_t *bytes = NULL;
	size_t size = 0;
	int r;

	film->making = film->used = true;
	tell = !film->told && film->filled;
	film->told = true;
	pthread_mutex_unlock(&film->mutex);
	r = encode(film, want, &area, judge, key, step, &bytes, &size);
	pthread_mutex_lock(&film->mutex);
	/* Of so many bytes, noise that fills a large screen, nobody could be sent it, nor the next ones. */
	if (r == 0 && size <= BEHIND_MAX)
		keep(film, want, key, bytes, size);
	else
		fail(film, want);
	film->making = false;
	pthread_cond_broadcast(&film->made);
	if (tell)
		film->filled(film->arg);
}

/* ---- quality ---- */

/* Up at once for who can take more; down where nobody could for a second. */
static void note_step(struct film *film, const struct film_want *want)
{
	film->step_least = MIN(film->step_least, want->step);
	film->step = MIN(film->step, want->step);
	if (want->now - film->step_ns < STEP_NS)
		return;
	film->step = film->step_least;
	film->step_least = want->step;
	film->step_ns = want->now;
}

/* ---- taking ---- */

static bool rests(const struct film *film, uint64_t now)
{
	return now >= film->published_ns + REST_NS;
}

static bool begins(const struct film *film, const struct film_place *place)
{
	return place->reel != film->reel || place->shot + 1 < film->spool.oldest;
}

static bool shows(const struct film *film, uint64_t serial)
{
	const struct spool *spool = &film->spool;

	return spool->next > film->began && spool_shot(spool, spool->next - 1)->serial == serial;
}

static void fall(struct film_place *place, uint64_t now)
{
	place->reel = 0;
	place->back_ns = now + (FALL_NS << place->falls);
	if (place->falls < FALLS_MAX)
		place->falls++;
}

static size_t collect(struct film *film, const struct film_want *want, struct film_place *place,
	const struct shot *ret[FILM_BATCH], bool *ret_anew)
{
	bool anew = begins(film, place);
	uint64_t first = anew ? spool_key(&film->spool, film->began) : place->shot + 1;
	size_t count = first ? spool_hold(&film->spool, first, BEHIND_MAX, ret, FILM_BATCH) : 0;

	if (!count) {
		if (!anew) {
			fall(place, want->now);
			film->counts.late++;
		}
		film->key_wanted = true;
		return 0;
	}
	film->counts.sent += count;
	place->reel = film->reel;
	place->shot = film->spool.next - 1;
	place->serial = want->serial;
	*ret_anew = anew;
	return count;
}

size_t film_take(struct film *film, const struct film_want *want, struct film_place *place,
	const struct shot *ret[FILM_BATCH], bool *ret_anew)
{
	size_t count = 0;

	if (want->now < place->back_ns)
		return 0;
	pthread_mutex_lock(&film->mutex);
	while (film->making)
		pthread_cond_wait(&film->made, &film->mutex);
	if (rests(film, want->now))
		goto out;
	if (film->reel == want->reel && film->area.width)
		note_step(film, want);
	if (film->reel == want->reel && film->area.width && !shows(film, want->serial)) {
		bool key = begins(film, place) || film->key_wanted;

		key = key && want->now >= film->key_ns + KEY_NS;
		make(film, want, key || film->spool.next == film->began);
	}
	if (film->reel == want->reel && film->area.width && shows(film, want->serial) &&
		!(place->reel == film->reel && place->shot == film->spool.next - 1))
		count = collect(film, want, place, ret, ret_anew);
out:
	pthread_mutex_unlock(&film->mutex);
	return count;
}

void film_drop(struct film *film, const struct shot *const *shots, size_t count)
{
	pthread_mutex_lock(&film->mutex);
	spool_drop(&film->spool, shots, count);
	pthread_mutex_unlock(&film->mutex);
}

/* ---- the rest ---- */

static void clear(struct film *film)
{
	h264_destroy(film->encoder);
	film->encoder = NULL;
	end_reel(film);
	spool_clear(&film->spool);
}

bool film_tidy(struct film *film)
{
	bool left;

	pthread_mutex_lock(&film->mutex);
	if (!film->making && !film->used)
		clear(film);
	film->used = false;
	left = film->making || film->encoder || film->spool.ring;
	film->told = left;
	pthread_mutex_unlock(&film->mutex);
	return left;
}

struct film_counts film_counts(struct film *film)
{
	struct film_counts counts;

	pthread_mutex_lock(&film->mutex);
	counts = film->counts;
	pthread_mutex_unlock(&film->mutex);
	return counts;
}
