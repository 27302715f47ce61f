/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/websocket.h"

#include <errno.h>

#include "base/limits.h"
#include "base/mem.h"
#include "rfb/upgrade.h"
#include "rfb/wire.h"

#define CONTROL	  125
#define OUT_HEAD  4	/* two bytes and 16 bits of length */
#define OUT_PLAIN 16380 /* with its head one record of TLS */

enum opcode { CONTINUATION = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };
enum code {
	CODE_NONE = 0,
	CODE_NORMAL = 1000,
	CODE_PROTOCOL = 1002,
	CODE_UNSUPPORTED = 1003,
	CODE_NO_CODE = 1005,
	CODE_TOO_BIG = 1009,
};

struct websocket {
	struct upgrade_place place;
	struct upgrade upgrade;
	const char *reason;
	bool answered; /* the HTTP answer is out */

	enum opcode opcode; /* of the frame that is being read */
	bool inside;	    /* a frame */
	bool fragmented;    /* a message goes on in the next frame */
	bool last;
	uint64_t left;
	uint8_t mask[4];
	unsigned int mask_at;

	enum code code; /* to be sent; then */
	bool closed;
	bool ponging;
	uint8_t control[CONTROL], pong[CONTROL];
	size_t control_size, pong_size;
};

int websocket_create(const struct upgrade_place *place, struct websocket **ret)
{
	struct websocket *websocket = new0(struct websocket);

	if (!websocket)
		return -ENOMEM;
	websocket->place = *place;
	*ret = websocket;
	return 0;
}

const char *websocket_path(const struct websocket *websocket)
{
	return websocket->upgrade.status == 101 ? websocket->upgrade.path : NULL;
}

static int give_up(struct websocket *websocket, enum code code, const char *reason)
{
	websocket->code = code;
	websocket->reason = reason;
	return -EPROTO;
}

static int read_request(
	struct websocket *websocket, const uint8_t *from, size_t size, size_t *ret_used)
{
	size_t head = upgrade_head((const char *)from, size);

	if (head) {
		upgrade_read((const char *)from, head, &websocket->place, &websocket->upgrade);
		*ret_used = head;
	} else if (size >= LIMIT_HTTP_HEAD) {
		upgrade_refuse(431, "too long a request", &websocket->upgrade);
		*ret_used = size;
	} else {
		return 0;
	}
	if (websocket->upgrade.status == 101)
		return 0;
	websocket->reason = websocket->upgrade.reason;
	return -EPROTO;
}

static bool is_control(enum opcode opcode)
{
	return opcode & 8;
}

/* Where the length is longer than it must be, an observer might read another frame than we do. */
static int read_length(struct websocket *websocket, const uint8_t *from, unsigned int length)
{
	if (length < 126) {
		websocket->left = length;
		return 0;
	}
	if (is_control(websocket->opcode))
		return give_up(websocket, CODE_PROTOCOL, "WebSocket: a long control frame");
	websocket->left = length == 126 ? wire_u16(from)
					: (uint64_t)wire_u32(from) << 32 | wire_u32(from + 4);
	if (websocket->left < 126 || (length == 127 && websocket->left <= 0xffff))
		return give_up(websocket, CODE_PROTOCOL, "WebSocket: a bad length");
	if (websocket->left > LIMIT_WEBSOCKET_FRAME)
		return give_up(websocket, CODE_TOO_BIG, "WebSocket: a frame over its bound");
	return 0;
}

static int check_opcode(struct websocket *websocket)
{
	switch (websocket->opcode) {
	case CONTINUATION:
	case BINARY:
		if (websocket->fragmented != (websocket->opcode == CONTINUATION))
			return give_up(websocket, CODE_PROTOCOL, "WebSocket: a lost fragment");
		websocket->fragmented = !websocket->last;
		return 0;
	case TEXT:
		return give_up(websocket, CODE_UNSUPPORTED, "WebSocket: text");
	case CLOSE:
	case PING:
	case PONG:
		if (!websocket->last)
			return give_up(
				websocket, CODE_PROTOCOL, "WebSocket: a control frame in pieces");
		websocket->control_size = 0;
		return 0;
	}
	return give_up(websocket, CODE_PROTOCOL, "WebSocket: an unknown frame");
}

static int read_head(
	struct websocket *websocket, const uint8_t *from, size_t size, size_t *ret_used)
{
	unsigned int length;
	size_t need = 6;
	int r;

	if (size < 2)
		return 0;
	if (from[0] & 0x70)
		return give_up(websocket, CODE_PROTOCOL, "WebSocket: reserved bits");
	if (!(from[1] & 0x80))
		return give_up(websocket, CODE_PROTOCOL, "WebSocket: a frame without mask");
	websocket->opcode = from[0] & 0xf;
	websocket->last = from[0] & 0x80;
	length = from[1] & 0x7f;
	need += length == 126 ? 2 : length == 127 ? 8 : 0;
	if (size < need)
		return 0;
	r = check_opcode(websocket);
	if (r == 0)
		r = read_length(websocket, from + 2, length);
	if (r < 0)
		return r;
	memcpy(websocket->mask, from + need - 4, 4);
	websocket->mask_at = 0;
	websocket->inside = true;
	*ret_used = need;
	return 0;
}

static size_t unmask(
	struct websocket *websocket, const uint8_t *from, size_t size, uint8_t *to, size_t room)
{
	size_t n = MIN(size, room);

	n = MIN(n, websocket->left);
	for (size_t i = 0; i < n; i++)
		to[i] = from[i] ^ websocket->mask[(websocket->mask_at + i) & 3];
	websocket->mask_at = (websocket->mask_at + n) & 3;
	websocket->left -= n;
	return n;
}

/* RFC 6455 7.4. */
static bool is_code(unsigned int code)
{
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1011) ||
	       (code >= 3000 && code <= 4999);
}

static int obey(struct websocket *websocket)
{
	switch (websocket->opcode) {
	case PING:
		memcpy(websocket->pong, websocket->control, websocket->control_size);
		websocket->pong_size = websocket->control_size;
		websocket->ponging = true;
		return 0;
	case CLOSE:
		if (websocket->control_size == 1 ||
			(websocket->control_size && !is_code(wire_u16(websocket->control))))
			return give_up(websocket, CODE_PROTOCOL, "WebSocket: a bad close code");
		websocket->code =
			websocket->control_size ? wire_u16(websocket->control) : CODE_NO_CODE;
		return -EPIPE;
	default:
		return 0;
	}
}

/* One step: a head, or some of what belongs to it. */
static ssize_t decode(
	void *layer, const uint8_t *from, size_t size, size_t *ret_used, uint8_t *to, size_t room)
{
	struct websocket *websocket = layer;
	ssize_t n = 0;

	*ret_used = 0;
	if (websocket->upgrade.status != 101)
		return read_request(websocket, from, size, ret_used);
	if (!websocket->inside) {
		n = read_head(websocket, from, size, ret_used);
	} else if (is_control(websocket->opcode)) {
		*ret_used = unmask(websocket, from, size,
			websocket->control + websocket->control_size, CONTROL);
		websocket->control_size += *ret_used;
	} else {
		n = *ret_used = unmask(websocket, from, size, to, room);
	}
	if (n < 0 || !websocket->inside || websocket->left)
		return n;
	websocket->inside = false;
	return is_control(websocket->opcode) ? obey(websocket) : n;
}

static ssize_t encode(void *layer, uint8_t *message, size_t size, size_t *ret_at)
{
	size_t head = size < 126 ? 2 : OUT_HEAD;

	*ret_at = OUT_HEAD - head;
	message += *ret_at;
	message[0] = 0x80 | BINARY;
	message[1] = size < 126 ? size : 126;
	if (size >= 126)
		wire_put_u16(message + 2, size);
	return head + size;
}

static size_t say_close(struct websocket *websocket, uint8_t *to)
{
	size_t size = websocket->code == CODE_NO_CODE ? 0 : 2;

	websocket->closed = true;
	to[0] = 0x80 | CLOSE;
	to[1] = size;
	wire_put_u16(to + 2, websocket->code);
	return 2 + size;
}

static size_t say_pong(struct websocket *websocket, uint8_t *to)
{
	websocket->ponging = false;
	to[0] = 0x80 | PONG;
	to[1] = websocket->pong_size;
	memcpy(to + 2, websocket->pong, websocket->pong_size);
	return 2 + websocket->pong_size;
}

static size_t say(void *layer, uint8_t *to, size_t room)
{
	struct websocket *websocket = layer;

	if (websocket->upgrade.status && !websocket->answered) {
		websocket->answered = true;
		return upgrade_answer(&websocket->upgrade, (char *)to);
	}
	if (websocket->closed)
		return 0;
	if (websocket->code)
		return say_close(websocket, to);
	return websocket->ponging ? say_pong(websocket, to) : 0;
}

static bool is_open(const void *layer)
{
	const struct websocket *websocket = layer;

	return websocket->upgrade.status == 101 && !websocket->closed;
}

static size_t part(void *layer, uint8_t *to, size_t room)
{
	struct websocket *websocket = layer;

	if (!is_open(websocket))
		return 0;
	websocket->code = CODE_NORMAL;
	return say_close(websocket, to);
}

static const char *reason(const void *layer)
{
	const struct websocket *websocket = layer;

	return websocket->reason;
}

const struct layer_ops websocket_layer = {
	.in_maximum = LIMIT_HTTP_HEAD,
	.plain_maximum = OUT_PLAIN,
	.head = OUT_HEAD,
	.decode = decode,
	.encode = encode,
	.say = say,
	.part = part,
	.open = is_open,
	.reason = reason,
	.destroy = free,
};
