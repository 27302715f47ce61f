/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * The line is taken for a pipe of some length and some width. An update of B bytes that begins at t, when nothing is on its way,
 * is answered at t + trip + B / rate; behind others, B / rate after the answer to them. So each answer gives the rate: the bytes
 * since the answer before, over the time since then, or since the update could have arrived, whichever is shorter. A line that
 * is as fast as we encode shows only that it is not slower.
 *
 * On its way may be what arrives within the shortest round trip and SLACK_NS: then the line is never empty, and an update waits
 * behind SLACK_NS of others at most. An answer comes for a whole update, which may be far more than that. So part of the oldest
 * update counts as arrived once it should have; only of that one, so that a line which has become slow is noticed by its
 * answer staying away.
 *
 * The round trip is measured while the line is empty, by the fence request before an update: behind one it would have the
 * time of the update in it. Others may only shorten it. Routes change, so it is forgotten after two spells; and when the line has
 * not been empty for one, the next update waits until it is.
 *
 * The very first request goes before the first update, with nothing in its way. A viewer that has not answered that within MUTE_NS
 * never will, whatever it has announced; one that has answered may have a slow line, and is waited for longer.
 */
#include "rfb/tempo.h"

#include "base/mem.h"

#define NS_PER_S     1000000000ull
#define SLACK_NS     33000000ull /* two frames of 60 Hz */
#define SPELL_NS     (20 * NS_PER_S)
#define PROBE_NS     NS_PER_S /* between two measurements of the empty line */
#define WINDOW_MIN   (4u << 10)
#define WINDOW_START (16u << 10) /* while the rate is not known */
#define RATE_MAX     (10ull << 30)
#define SAMPLE_MIN   (2u << 10)	 /* bytes; fewer say nothing about a rate */
#define SAMPLE_FULL  (64u << 10) /* a sample of so many bytes changes the rate by a quarter */
#define SHORTEST_NS  50000u	 /* a clock and a scheduler are not better than that */
#define DEAF_NS \
	(10 * NS_PER_S) /* no answer for so long, and the time of the bytes on the slowest of lines */
#define SLOWEST	      (4u << 10)
#define MUTE_NS	      (2 * NS_PER_S)
#define SPARE_UNKNOWN (32u << 10)

void tempo_init(struct tempo *tempo)
{
	*tempo = (struct tempo){.trip_ns = {UINT64_MAX, UINT64_MAX}};
}

void tempo_limits(struct tempo *tempo, uint32_t frames, uint32_t bytes)
{
	uint64_t due = tempo->bytes_due_ns, since = tempo->began_ns;

	tempo->period_ns = NS_PER_S / MAX(frames, 1u);
	if (!bytes)
		tempo->bytes_due_ns = 0;
	else if (bytes != tempo->bytes_maximum && due > since)
		tempo->bytes_due_ns = since + (due - since) * tempo->bytes_maximum / bytes;
	tempo->bytes_maximum = bytes;
}

static void forget_pings(struct tempo *tempo)
{
	tempo->first = tempo->next;
	tempo->acked = tempo->sent;
}

void tempo_fences(struct tempo *tempo, bool known)
{
	if (known == tempo->fences)
		return;
	tempo->fences = known;
	tempo->answers = tempo->deaf = false;
	forget_pings(tempo);
}

static uint32_t outstanding(const struct tempo *tempo)
{
	return tempo->next - tempo->first;
}

static struct tempo_ping *ping_of(struct tempo *tempo, uint32_t id)
{
	return &tempo->pings[id % TEMPO_PINGS];
}

static uint32_t ping(struct tempo *tempo, uint64_t began_ns, uint64_t now, bool empty)
{
	*ping_of(tempo, tempo->next) = (struct tempo_ping){
		.position = tempo->sent,
		.began_ns = began_ns,
		.sent_ns = now,
		.empty = empty,
	};
	return tempo->next++;
}

bool tempo_begin(struct tempo *tempo, uint64_t now, uint32_t *ret_id)
{
	tempo->began_ns = now;
	tempo->frame_due_ns = now + tempo->period_ns;
	if (!tempo->fences || outstanding(tempo) ||
		(tempo->empty_ns && now - tempo->empty_ns < PROBE_NS))
		return false;
	*ret_id = ping(tempo, now, now, true);
	return true;
}

bool tempo_end(struct tempo *tempo, uint64_t now, uint64_t bytes, uint32_t *ret_id)
{
	if (tempo->bytes_maximum)
		tempo->bytes_due_ns = MAX(tempo->bytes_due_ns, tempo->began_ns) +
				      bytes * NS_PER_S / tempo->bytes_maximum;
	tempo->sent += bytes;
	if (!tempo->fences) {
		tempo->acked = tempo->sent;
		return false;
	}
	/* One that does not answer is asked one by one, now and then. */
	if (tempo->deaf && outstanding(tempo) &&
		now - ping_of(tempo, tempo->first)->sent_ns >= DEAF_NS)
		forget_pings(tempo);
	if (!bytes || outstanding(tempo) == TEMPO_PINGS || (tempo->deaf && outstanding(tempo)))
		return false;
	*ret_id = ping(tempo, tempo->began_ns, now, false);
	return true;
}

uint64_t tempo_trip_ns(const struct tempo *tempo)
{
	uint64_t trip = MIN(tempo->trip_ns[0], tempo->trip_ns[1]);

	return trip == UINT64_MAX ? 0 : trip;
}

uint64_t tempo_rate(const struct tempo *tempo)
{
	return tempo->rate;
}

static void note_trip(struct tempo *tempo, uint64_t now, const struct tempo_ping *ping)
{
	uint64_t trip_ns = now - ping->sent_ns;

	if (ping->empty)
		tempo->empty_ns = now;
	if (ping->empty && now - tempo->spell_ns >= SPELL_NS) {
		tempo->trip_ns[1] = tempo->trip_ns[0];
		tempo->trip_ns[0] = UINT64_MAX;
		tempo->spell_ns = now;
	}
	tempo->trip_ns[0] = MIN(tempo->trip_ns[0], trip_ns);
}

/* When the first byte of an update that began then could have been answered. */
static uint64_t opening(const struct tempo *tempo, uint64_t began_ns)
{
	return MAX(began_ns + tempo_trip_ns(tempo), tempo->pong_ns);
}

static void note_rate(struct tempo *tempo, uint64_t now, const struct tempo_ping *oldest,
	const struct tempo_ping *newest)
{
	uint64_t bytes = newest->position - tempo->acked, begin = opening(tempo, oldest->began_ns);
	uint64_t took = MAX(now > begin ? now - begin : 0, (uint64_t)SHORTEST_NS);
	uint64_t written = newest->sent_ns - oldest->began_ns;
	uint64_t rate = MIN(bytes * NS_PER_S / took, RATE_MAX);
	uint64_t weight = MIN(bytes, (uint64_t)SAMPLE_FULL);

	if (bytes < SAMPLE_MIN)
		return;
	if (!tempo->rate)
		tempo->rate = rate;
	else if (rate > tempo->rate)
		tempo->rate += (rate - tempo->rate) * weight / SAMPLE_FULL / 4;
	else if (took > written + written / 4) /* else it is us who are slow */
		tempo->rate -= (tempo->rate - rate) * weight / SAMPLE_FULL / 4;
	tempo->rate = MAX(tempo->rate, (uint64_t)SLOWEST);
}

void tempo_pong(struct tempo *tempo, uint64_t now, uint32_t id)
{
	const struct tempo_ping *oldest = ping_of(tempo, tempo->first), *newest;

	if (id - tempo->first >= outstanding(tempo))
		return;
	newest = ping_of(tempo, id); /* those before it were answered, or never will be */
	note_trip(tempo, now, newest);
	note_rate(tempo, now, oldest, newest);
	tempo->acked = newest->position;
	tempo->first = id + 1;
	tempo->pong_ns = now;
	tempo->answers = true;
	tempo->deaf = false;
}

static uint64_t window(const struct tempo *tempo)
{
	if (!tempo->rate)
		return WINDOW_START;
	return MAX((tempo_trip_ns(tempo) + SLACK_NS) / 1000 * tempo->rate / (NS_PER_S / 1000),
		(uint64_t)WINDOW_MIN);
}

/* 0: now. */
static uint64_t line_due(struct tempo *tempo, uint64_t now)
{
	const struct tempo_ping *oldest = ping_of(tempo, tempo->first);
	uint64_t flight = tempo->sent - tempo->acked, room = window(tempo), part, silence;
	bool drain = outstanding(tempo) == TEMPO_PINGS ||
		     (tempo->empty_ns && now - tempo->empty_ns >= SPELL_NS);

	if (!tempo->fences || tempo->deaf || !outstanding(tempo))
		return 0;
	if (flight <= room && !drain)
		return 0;
	part = oldest->position - tempo->acked;
	if (tempo->rate && flight > room && flight - room <= part && !drain)
		return opening(tempo, oldest->began_ns) + (flight - room) * NS_PER_S / tempo->rate;
	silence =
		oldest->sent_ns + (tempo->answers ? DEAF_NS + part * NS_PER_S / SLOWEST : MUTE_NS);
	if (now < silence)
		return silence;
	tempo->deaf = true;
	forget_pings(tempo);
	return 0;
}

uint64_t tempo_due(struct tempo *tempo, uint64_t now, bool *ret_line)
{
	uint64_t line = MAX(line_due(tempo, now), tempo->bytes_due_ns);

	*ret_line = line > now && line > tempo->frame_due_ns;
	return MAX(line, tempo->frame_due_ns);
}

uint64_t tempo_spare(const struct tempo *tempo)
{
	uint64_t rate = tempo->rate ? tempo->rate : SPARE_UNKNOWN * (NS_PER_S / SLACK_NS);

	if (tempo->bytes_maximum)
		rate = MIN(rate, tempo->bytes_maximum);
	return MAX(rate / 1000 * (SLACK_NS / 1000000), (uint64_t)WINDOW_MIN / 4);
}
