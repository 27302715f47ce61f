/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qmp.h - a connection to QEMU's monitor (QMP, docs/interop/qmp-spec of QEMU) that comes back, for input-send-event alone.
 *
 * One socket serves one client at a time: QEMU needs one of its own for this.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct qmp;

struct qmp_settings {
	const char *path;   /* of the socket; borrowed, as the next ones are */
	const char *id;	    /* the display's, for the log */
	const char *device; /* QEMU's id of the display device whose input it is; NULL: of any */
	uint32_t head;
};

/* Which QEMU this is. */
struct qmp_facts {
	const json_t *schema; /* borrowed, until the call returns */
	bool absolute;	      /* a pointer of this VM takes places */
};

struct qmp_events {
	void (*up)(void *arg, const struct qmp_facts *facts);
	void (*down)(void *arg);		 /* what had no answer will get none */
	void (*answered)(void *arg, bool taken); /* the oldest call */
};

int qmp_create(struct loop *loop, const struct qmp_settings *settings,
	const struct qmp_events *events, void *arg, struct qmp **ret);
/* Takes NULL. */
void qmp_destroy(struct qmp *qmp);
bool qmp_up(const struct qmp *qmp);
/* One call of input-send-event. @events is stolen. Not while LIMIT_QMP_FLIGHT of them have no answer, or while it is down. -ENOMEM: nothing was sent. */
int qmp_input(struct qmp *qmp, json_t *events);
