/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation: what is due is never a list. It is the difference between the facts and what the viewer was told last, or
 * a bit that is not yet set in `said`. Whatever a viewer does to its encodings, at most five rectangles come of it.
 */
#include "rfb/tidings.h"

#include <stdio.h>

#include "base/mem.h"
#include "rfb/encodings.h"
#include "rfb/update.h"
#include "rfb/wire.h"

enum { END_OF_CONTINUOUS_UPDATES = 150, FENCE = 248, XVP = 250 };
enum { XVP_VERSION = 1, XVP_FAIL = 0, XVP_INIT = 1 };

/* Extras that are answered by an empty rectangle of the same encoding, once. */
static const struct {
	unsigned int extra;
	uint32_t encoding;
} acknowledged[] = {
	{EXTRA_KEYS, ENCODING_KEYS},
	{EXTRA_BUTTONS, ENCODING_BUTTONS},
};

void tidings_init(struct tidings *tidings, const char *name)
{
	*tidings = (struct tidings){.leds = LEDS_UNKNOWN, .relative = -1};
	snprintf(tidings->name, sizeof(tidings->name), "%s", name);
	memcpy(tidings->facts.name, tidings->name, sizeof(tidings->name));
	tidings->facts.leds = LEDS_UNKNOWN;
	tidings->mail.facts = tidings->facts;
}

void tidings_tell(struct tidings *tidings, const struct facts *facts)
{
	tidings->mail.facts = *facts;
}

void tidings_deny(struct tidings *tidings)
{
	if (tidings->mail.denials < TIDINGS_DENIALS)
		tidings->mail.denials++;
}

void tidings_take(struct tidings *tidings, unsigned int extras, unsigned int dropped)
{
	tidings->facts = tidings->mail.facts;
	tidings->denials += tidings->mail.denials;
	tidings->mail.denials = 0;
	/* A viewer that could not hear for a while may have forgotten. */
	if (dropped & EXTRA_ANY_LEDS || !(extras & EXTRA_ANY_LEDS))
		tidings->leds = LEDS_UNKNOWN;
	if (dropped & EXTRA_POINTER_MODE || !(extras & EXTRA_POINTER_MODE))
		tidings->relative = -1;
	tidings->extras = extras;
}

/* True once for each extra. */
static bool first(struct tidings *tidings, unsigned int extra)
{
	if (!(tidings->extras & extra) || tidings->said & extra)
		return false;
	tidings->said |= extra;
	return true;
}

bool tidings_fence(rfbClientPtr client, uint32_t flags, const void *payload, size_t size)
{
	uint8_t message[9 + FENCE_PAYLOAD] = {FENCE};

	size = MIN(size, (size_t)FENCE_PAYLOAD);
	wire_put_u32(message + 4, flags);
	message[8] = size;
	if (size)
		memcpy(message + 9, payload, size);
	return update_put(client, message, 9 + size) && update_flush(client);
}

bool tidings_end_continuous(rfbClientPtr client)
{
	static const uint8_t message = END_OF_CONTINUOUS_UPDATES;

	return update_put(client, &message, 1) && update_flush(client);
}

static bool put_xvp(rfbClientPtr client, uint8_t code)
{
	const uint8_t message[4] = {XVP, 0, XVP_VERSION, code};

	return update_put(client, message, sizeof(message)) && update_flush(client);
}

bool tidings_speak(struct tidings *tidings, rfbClientPtr client)
{
	if (first(tidings, EXTRA_FENCE) && !tidings_fence(client, FENCE_REQUEST, NULL, 0))
		return false;
	if (first(tidings, EXTRA_CONTINUOUS_UPDATES) && !tidings_end_continuous(client))
		return false;
	if (tidings->facts.power && first(tidings, EXTRA_XVP) && !put_xvp(client, XVP_INIT))
		return false;
	for (; tidings->denials; tidings->denials--)
		if (!put_xvp(client, XVP_FAIL))
			return false;
	return true;
}

static unsigned int acknowledgements(const struct tidings *tidings)
{
	return __builtin_popcount(tidings->extras & ~tidings->said & (EXTRA_KEYS | EXTRA_BUTTONS));
}

static bool name_due(const struct tidings *tidings)
{
	return tidings->extras & EXTRA_NAME && strcmp(tidings->name, tidings->facts.name) != 0;
}

static bool leds_due(const struct tidings *tidings)
{
	return tidings->extras & EXTRA_ANY_LEDS && tidings->facts.leds != LEDS_UNKNOWN &&
	       tidings->leds != tidings->facts.leds;
}

static bool relative_due(const struct tidings *tidings)
{
	return tidings->extras & EXTRA_POINTER_MODE &&
	       tidings->relative != (int)tidings->facts.relative;
}

unsigned int tidings_due(const struct tidings *tidings)
{
	return acknowledgements(tidings) + name_due(tidings) + leds_due(tidings) +
	       relative_due(tidings);
}

static bool write_acknowledgements(struct tidings *tidings, rfbClientPtr client)
{
	for (size_t i = 0; i < ARRAY_SIZE(acknowledged); i++)
		if (first(tidings, acknowledged[i].extra) &&
			!update_put_rect(client, 0, 0, 0, 0, acknowledged[i].encoding))
			return false;
	return true;
}

static bool write_name(struct tidings *tidings, rfbClientPtr client)
{
	size_t length = strlen(tidings->facts.name);
	uint8_t size[4];

	memcpy(tidings->name, tidings->facts.name, sizeof(tidings->name));
	wire_put_u32(size, length);
	return update_put_rect(client, 0, 0, 0, 0, ENCODING_NAME) &&
	       update_put(client, size, sizeof(size)) && update_put(client, tidings->name, length);
}

/* VMware's number is wider, the bits are the same. */
static bool write_leds(struct tidings *tidings, rfbClientPtr client)
{
	bool qemu = tidings->extras & EXTRA_LEDS;
	uint8_t state[4];

	tidings->leds = tidings->facts.leds;
	wire_put_u32(state, tidings->leds);
	return update_put_rect(client, 0, 0, 0, 0, qemu ? ENCODING_LEDS : ENCODING_VMWARE_LEDS) &&
	       (qemu ? update_put(client, state + 3, 1) : update_put(client, state, 4));
}

static bool write_relative(struct tidings *tidings, rfbClientPtr client)
{
	tidings->relative = tidings->facts.relative;
	return update_put_rect(client, !tidings->relative, 0, 0, 0, ENCODING_POINTER_MODE);
}

bool tidings_write(struct tidings *tidings, rfbClientPtr client)
{
	return write_acknowledgements(tidings, client) &&
	       (!name_due(tidings) || write_name(tidings, client)) &&
	       (!leds_due(tidings) || write_leds(tidings, client)) &&
	       (!relative_due(tidings) || write_relative(tidings, client));
}
