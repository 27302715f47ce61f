/* SPDX-License-Identifier: GPL-2.0-or-later */
/* layer.h - what can be put on top of a connection (transport_push()): bytes of the viewer to encoded messages and back.
 * Sans I/O: buffers and sockets are the transport's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct layer_ops {
	size_t in_maximum;    /* the largest piece of input that decode() may have to see at once */
	size_t plain_maximum; /* bytes that encode() takes at once */
	size_t head, tail;    /* most bytes that encode() puts in front of them and behind them */
	/* Input to plain bytes. *ret_used: bytes of @from that are done with, set in every case. Returns the number of bytes
	 * written to @to, at most @room (> 0), which may be less than there is: it is called again, with @size 0 too, for what it has kept.
	 * 0 with nothing used: it needs more than @size bytes. -errno: the connection ends; -EPIPE: because the peer wants that. */
	ssize_t (*decode)(void *layer, const uint8_t *from, size_t size, size_t *ret_used, uint8_t *to, size_t room);
	/* The plain bytes are at @message + head, 0 < @size <= plain_maximum. Encodes in place. Returns the bytes of the
	 * message, which begins at @message + *ret_at; -errno. */
	ssize_t (*encode)(void *layer, uint8_t *message, size_t size, size_t *ret_at);
	/* Bytes that the layer itself has to say, such as answers of its protocol: written to @to, at most @room, which is
	 * head + plain_maximum + tail. Returns how many; 0: none. Asked for after each decode() and before each encode(). NULL:
	 * never any. */
	size_t (*say)(void *layer, uint8_t *to, size_t room);
	/* Its last words, when no more plain bytes come; as say(). NULL: none. */
	size_t (*part)(void *layer, uint8_t *to, size_t room);
	/* False: its handshake is still going on, plain bytes must wait. NULL: always. */
	bool (*open)(const void *layer);
	/* Why decode() or encode() failed: static text. NULL: nothing to tell. */
	const char *(*reason)(const void *layer);
	void (*destroy)(void *layer);
};
