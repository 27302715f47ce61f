/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/notices.h"

#include "base/mem.h"
#include "rfb/encodings.h"
#include "rfb/update.h"
#include "rfb/wire.h"

#define SCREEN_ID 1

void notices_init(struct notices *notices, const char *name)
{
	*notices = (struct notices){0};
	tidings_init(&notices->tidings, name);
	pthread_mutex_init(&notices->lock, NULL);
}

void notices_finish(struct notices *notices)
{
	pthread_mutex_destroy(&notices->lock);
}

void notices_extras(struct notices *notices, unsigned int extras)
{
	pthread_mutex_lock(&notices->lock);
	notices->mail.dropped |= notices->mail.extras & ~extras;
	notices->mail.extras = extras;
	pthread_mutex_unlock(&notices->lock);
}

void notices_layout(struct notices *notices)
{
	pthread_mutex_lock(&notices->lock);
	notices->mail.layout = true;
	pthread_mutex_unlock(&notices->lock);
}

void notices_answer(struct notices *notices, enum size_status status)
{
	pthread_mutex_lock(&notices->lock);
	if (notices->mail.answer_count < NOTICES_ANSWERS)
		notices->mail.answers[notices->mail.answer_count++] = status;
	pthread_mutex_unlock(&notices->lock);
}

void notices_reason(struct notices *notices, enum size_reason reason)
{
	pthread_mutex_lock(&notices->lock);
	notices->mail.reason = reason;
	pthread_mutex_unlock(&notices->lock);
}

void notices_tell(struct notices *notices, const struct facts *facts)
{
	pthread_mutex_lock(&notices->lock);
	tidings_tell(&notices->tidings, facts);
	pthread_mutex_unlock(&notices->lock);
}

void notices_deny(struct notices *notices)
{
	pthread_mutex_lock(&notices->lock);
	tidings_deny(&notices->tidings);
	pthread_mutex_unlock(&notices->lock);
}

/* What is new to the viewer since it can be told. @dropped: what it could not be told for a while. */
static void take_extras(struct notices *notices, unsigned int extras, unsigned int dropped)
{
	unsigned int kept = notices->extras & ~dropped, gained = extras & ~kept;
	enum shape_kind kind = shape_kind(extras);

	if (kind != shape_kind(notices->extras) || kind != shape_kind(kept))
		notices->shape = kind != SHAPE_NONE;
	if (!(extras & EXTRA_POINTER_POSITION))
		notices->pointer = false;
	else if (gained & EXTRA_POINTER_POSITION)
		notices->pointer = notices->pointed;
	if (gained & EXTRA_EXTENDED_DESKTOP_SIZE)
		notices->layout = true;
	notices->extras = extras;
}

void notices_take(struct notices *notices)
{
	pthread_mutex_lock(&notices->lock);
	take_extras(notices, notices->mail.extras, notices->mail.dropped);
	tidings_take(&notices->tidings, notices->mail.extras, notices->mail.dropped);
	notices->mail.dropped = 0;
	notices->layout |= notices->mail.layout;
	notices->mail.layout = false;
	notices->reason = notices->mail.reason;
	for (; notices->mail.answer_count && notices->answer_count < NOTICES_ANSWERS;
		notices->mail.answer_count--) {
		notices->answers[notices->answer_count++] = notices->mail.answers[0];
		memmove(notices->mail.answers, notices->mail.answers + 1, NOTICES_ANSWERS - 1);
	}
	pthread_mutex_unlock(&notices->lock);
}

bool notices_due(const struct notices *notices)
{
	return notices->layout || notices->resized || notices->shape || notices->pointer ||
	       notices->answer_count || tidings_due(&notices->tidings);
}

bool notices_speak(struct notices *notices, rfbClientPtr client)
{
	return tidings_speak(&notices->tidings, client);
}

void notices_resized(struct notices *notices)
{
	notices->resized = true;
}

void notices_reshaped(struct notices *notices)
{
	notices->shape = shape_kind(notices->extras) != SHAPE_NONE;
}

void notices_point(struct notices *notices, uint16_t x, uint16_t y)
{
	if (notices->pointed && x == notices->pointer_x && y == notices->pointer_y)
		return;
	notices->pointed = true;
	notices->pointer_x = x;
	notices->pointer_y = y;
	if (notices->extras & EXTRA_POINTER_POSITION)
		notices->pointer = true;
}

/* There is one screen, as large as the picture. */
static bool put_layout(rfbClientPtr client, const struct frame *frame, enum size_reason reason,
	enum size_status status)
{
	uint32_t width = frame->header.width, height = frame->header.height;
	uint8_t screens[4 + 16] = {1};

	wire_put_u32(screens + 4, SCREEN_ID);
	wire_put_u16(screens + 12, width);
	wire_put_u16(screens + 14, height);
	return update_put_rect(
		       client, reason, status, width, height, ENCODING_EXTENDED_DESKTOP_SIZE) &&
	       update_put(client, screens, sizeof(screens));
}

/* Answers first: the change that one of them may have led to comes after it. */
static bool write_sizes(struct notices *notices, rfbClientPtr client, const struct frame *frame)
{
	bool extended = notices->extras & EXTRA_EXTENDED_DESKTOP_SIZE;
	bool layout = notices->resized || (extended && notices->layout);
	unsigned int answers = extended ? notices->answer_count : 0;
	bool going = true;

	notices->answer_count = 0;
	notices->layout = false;
	if (!answers && !layout)
		return true;
	going = update_put_head(client, answers + layout);
	for (unsigned int i = 0; i < answers && going; i++)
		going = put_layout(client, frame, REASON_THIS_VIEWER, notices->answers[i]);
	if (going && layout && extended)
		going = put_layout(client, frame,
			notices->resized ? notices->reason : REASON_SERVER, SIZE_DONE);
	else if (going && layout)
		going = update_put_rect(client, 0, 0, frame->header.width, frame->header.height,
			ENCODING_DESKTOP_SIZE);
	notices->resized = false;
	return going && update_flush(client);
}

bool notices_write(struct notices *notices, rfbClientPtr client, const struct cursor *cursor,
	const struct frame *frame)
{
	enum shape_kind kind = shape_kind(notices->extras);
	bool pointer = notices->pointer, shape = notices->shape && kind != SHAPE_NONE;
	unsigned int tidings = tidings_due(&notices->tidings);

	if (!write_sizes(notices, client, frame))
		return false;
	notices->pointer = notices->shape = false;
	if (!pointer && !shape && !tidings)
		return true;
	if (!update_put_head(client, pointer + shape + tidings))
		return false;
	if (!tidings_write(&notices->tidings, client))
		return false;
	if (pointer && !update_put_rect(client, notices->pointer_x, notices->pointer_y, 0, 0,
			       ENCODING_POINTER_POSITION))
		return false;
	if (shape && !shape_write(client, kind, &cursor->live, frame_cursor_pixels(frame)))
		return false;
	return update_flush(client);
}
