/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/times.h"

#include <errno.h>

#include "base/measure.h"
#include "frame/link.h"
#include "rfb/tidy.h"

/* An update adds to both measures in the other order, while we take: with none encoded there is none that would be lost. */
void times_say(struct times *times, const struct tidy *tidy, int link)
{
	struct link_message message = {.type = LINK_TIMES};
	struct studio_counts counts = studio_counts(tidy->studio);
	struct film_counts film = film_counts(tidy->film);

	message.times.areas_encoded = counts.made - times->studio.made;
	message.times.areas_shared = counts.shared - times->studio.shared;
	message.times.shots_encoded = film.made - times->film.made;
	message.times.shots_sent = film.sent - times->film.sent;
	message.times.shots_late = film.late - times->film.late;
	measure_take(MEASURE_WIRE, &message.times.wire);
	measure_take(MEASURE_ENCODE, &message.times.encode);
	if (!message.times.encode.sum_ns)
		return;
	if (link_send(link, &message, -EBADF) == 0) {
		times->studio = counts;
		times->film = film;
		return;
	}
	measure_add(MEASURE_ENCODE, &message.times.encode);
	measure_add(MEASURE_WIRE, &message.times.wire);
}
