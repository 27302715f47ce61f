/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream.h - the daemon's end of one device: groups come as records of 8 bytes (input/event.h), LEDs go back. */
#pragma once

#include "adapter/groups.h"

struct loop;
struct loop_source;

struct stream_events {
	/* May hold streams, and destroy none. */
	void (*group)(void *arg, const struct group *group);
	/* The daemon has closed it, or sent what is no such record. Destroys it from outside, later. */
	void (*lost)(void *arg);
};

struct stream {
	const struct stream_events *events;
	void *arg;
	struct loop_source *source;
	int fd; /* owned; -EBADF: lost, or never there */
	bool holds;
	uint8_t bytes[64 * INPUT_RECORD_BYTES];
	size_t from, to; /* what has come and was not looked at */
	struct group group;
	uint32_t leds, leds_told;
};

/* @fd, a connected stream socket that does not block, is consumed in every case. -ENOMEM, -EINVAL. */
int stream_init(struct stream *stream, struct loop *loop, enum input_kind kind, int fd,
	const struct stream_events *events, void *arg);
void stream_finish(struct stream *stream);
/* While it holds nothing is read: the daemon keeps the newest place, and keys in order. */
void stream_hold(struct stream *stream, bool on);
/* Bit LED_...: it is lit. Never waits; the newest state counts. */
void stream_leds(struct stream *stream, uint32_t leds);
