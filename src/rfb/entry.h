/* SPDX-License-Identifier: GPL-2.0-or-later */
/* entry.h - a caller on the door's list: the caller's memory, what it came with, and the door's notes about it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "rfb/suspects.h"

struct caller;

struct caller_count {
	uint64_t bytes;	      /* sent */
	uint32_t behind;      /* frames */
	const char *encoding; /* static text */
};

struct caller_entry {
	TAILQ_ENTRY(caller_entry) link; /* callers::all */
	struct caller *caller;
	uint32_t number; /* of its options, as is `peer` */
	char peer[64];
	bool shared; /* ClientInit's flag, once it has joined */
	/* The door's notes. */
	struct suspect who; /* the address that it comes from */
	bool joined; /* a viewer; else somebody who knocks */
	int rank;    /* enum sharing_rank, if joined */
	uint64_t born_ms;
	struct caller_count told; /* what the broker has heard of it; encoding NULL: it is to hear again */
};
