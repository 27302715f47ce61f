/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an RFB program says of its viewers, to one broker after another. Four bytes are a step: what happens, a viewer's number, a mode, a
 * switch. Whatever is said, nobody is more than some broker has allowed, nobody is there twice, and what is kept is what comes back.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "frame/roster.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEP = 4 };

static struct roster roster;
static struct roster_kept kept, again;
static uint32_t everybody;    /* what listeners give without a question */
static uint32_t allowed[256]; /* what one of this number may be beyond that */

static void expect(bool truth)
{
	if (!truth)
		abort();
}

static void listener(uint32_t mode, bool asks)
{
	const struct link_listener policy = {
		.mode = mode,
		.offers = asks ? LINK_OFFER_VNCAUTH : LINK_OFFER_NONE,
		.tickets = asks,
	};

	roster_listener(&roster, &policy);
	if (!asks)
		everybody = MAX(everybody, mode);
}

static void ask(uint32_t number, uint32_t mode)
{
	struct link_message message = {.type = LINK_CHECK};

	message.check.viewer = number | 1;
	message.check.mode = mode;
	message.check.kind = LINK_CHECK_TICKET;
	if (roster_asked(&roster, &message) == 1)
		expect(roster_allowed(&roster, number | 1) <= allowed[number | 1]);
}

static void answer(uint32_t number, uint32_t mode, bool yes)
{
	if (roster_answer(&roster, number, yes ? mode : 0, "label") && yes)
		allowed[number] = MAX(allowed[number], mode);
}

/* As wall_attach(), which gives each number once. */
static void give(uint32_t number, uint32_t mode)
{
	struct wall_viewer *viewer;

	number &= ~1u;
	if (allowed[number])
		return;
	viewer = roster_add(&roster, number);
	if (viewer)
		viewer->mode = allowed[number] = mode;
}

static void seen(enum link_type type, uint32_t number, uint32_t mode)
{
	struct link_message message = {.type = type};

	message.seen.viewer = number;
	message.seen.mode = mode;
	expect(link_check(&message, false, false) == 0);
	(type == LINK_VIEWER_ADDED ? roster_added : roster_gone)(&roster, &message);
}

static void here(uint32_t number, uint32_t mode, bool in)
{
	struct link_message message = {.type = LINK_HERE};

	message.here.viewer = number;
	message.here.mode = mode;
	message.here.in = in;
	if (link_check(&message, false, false) == 0)
		roster_here(&roster, &message);
}

static void next_broker(void)
{
	roster_keep(&roster, &kept);
	expect(kept.used <= ARRAY_SIZE(kept.at));
	memset(&roster, 0, sizeof(roster));
	roster.id = "a";
	expect(roster_adopt(&roster, &kept) == 0);
	memset(&again, 0, sizeof(again));
	roster_keep(&roster, &again);
	expect(again.used == kept.used && again.mode == kept.mode && again.serial == kept.serial);
}

static void check_all(void)
{
	for (size_t i = 0; i < roster.used; i++) {
		const struct wall_viewer *viewer = &roster.viewers[i];
		uint32_t most = allowed[viewer->number];

		if (viewer->number % 2)
			most = MAX(most, everybody);
		expect(viewer->mode <= most);
		for (size_t j = 0; j < i; j++)
			expect(roster.viewers[j].number != viewer->number);
	}
	for (size_t i = 0; i < roster.checks_used; i++)
		expect(roster.checks[i].mode <= allowed[roster.checks[i].number]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	log_set_level(LOG_LEVEL_ERR);
	memset(&roster, 0, sizeof(roster));
	memset(&kept, 0, sizeof(kept));
	memset(allowed, 0, sizeof(allowed));
	roster.id = "a";
	roster.serial = 1;
	everybody = 0;
	for (size_t at = 0; at + STEP <= size && at < 4096; at += STEP) {
		uint32_t number = data[at + 1];
		uint32_t mode = LINK_MODE_VIEW + data[at + 2] % LINK_MODE_EXCLUSIVE;
		bool on = data[at + 3] & 1;

		switch (data[at] % 9) {
		case 0:
			listener(mode, on);
			break;
		case 1:
			ask(number, mode);
			break;
		case 2:
			answer(number, mode, on);
			break;
		case 3:
			give(number, mode);
			break;
		case 4:
			seen(LINK_VIEWER_ADDED, number, mode);
			break;
		case 5:
			seen(LINK_VIEWER_GONE, number, mode);
			break;
		case 6:
			here(number, mode, on);
			break;
		case 7:
			roster_settle(&roster);
			break;
		default:
			next_broker();
			break;
		}
		check_all();
	}
	return 0;
}
