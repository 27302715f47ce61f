/* SPDX-License-Identifier: GPL-2.0-or-later */
/* upgrade.h - the HTTP request that makes a connection a WebSocket (RFC 6455 4.2), and its answer. Sans I/O.
 *
 * GET of "/", "/websockify" or "/displays/<id>", which may have a query that is not looked at. HTTP/1.1 with Host, no body.
 * Origin, which browsers send and their scripts cannot change, must be one of the list; programs that are no browsers send none and
 * may come, as they could send any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/limits.h"

#define UPGRADE_PATH   (sizeof("/displays/") + LIMIT_ID_CHARS)
#define UPGRADE_ANSWER 512 /* bytes at most */

/* All borrowed. */
struct upgrade_place {
	/* "https://host" and "https://host:port" with a space between, compared as a whole; "*": any; "" or NULL: the host that
	 * Host names, on whatever port. */
	const char *origins;
	const char *display; /* the only id that the path may have; NULL: any */
	/* Nothing is asked for, and no certificate says who we are: then the host that Host names must be an address or localhost. A
	 * name's owner may point it at us, and his page would be of the same host. */
	bool open;
};

struct upgrade {
	unsigned int status;	 /* HTTP's: 101 or what is wrong */
	const char *reason;	 /* static text: why not 101 */
	char path[UPGRADE_PATH]; /* without query */
	char accept[32];	 /* Sec-WebSocket-Accept */
	bool binary;		 /* the subprotocol "binary" was asked for */
};

/* Bytes of the head that begins at @data, up to and with its empty line. 0: it has no end yet. */
size_t upgrade_head(const char *data, size_t size);
/* @head: whole, with its empty line. */
void upgrade_read(const char *head, size_t size, const struct upgrade_place *place, struct upgrade *ret);
/* An answer without a request that could be read. */
void upgrade_refuse(unsigned int status, const char *reason, struct upgrade *ret);
/* Returns the bytes written to @to. */
size_t upgrade_answer(const struct upgrade *upgrade, char to[UPGRADE_ANSWER]);
