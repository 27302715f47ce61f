/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A WebSocket from its HTTP request on, in pieces, by a viewer that reads its answers or does not. First byte: bit 0: it has asked
 * already; bit 1: it reads nothing; the rest: piece size. Whatever comes, no more plain bytes come out than went in, and what goes to
 * the viewer is bounded by what it sent.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "rfb/level.h"
#include "rfb/upgrade.h"
#include "rfb/websocket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char request[] =
	"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
	"Sec-WebSocket-Version: 13\r\n"
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

struct wires {
	const uint8_t *in;
	size_t size, piece, out;
	bool deaf;
};

static void expect(bool truth)
{
	if (!truth)
		abort();
}

static ssize_t receive(void *arg, void *to, size_t room)
{
	struct wires *wires = arg;
	size_t n = MIN(wires->size, room);

	n = MIN(n, wires->piece);
	if (!n)
		return -EAGAIN;
	memcpy(to, wires->in, n);
	wires->in += n;
	wires->size -= n;
	return n;
}

static ssize_t send_out(void *arg, const struct iovec *iov, size_t iov_used)
{
	struct wires *wires = arg;

	if (wires->deaf)
		return -EAGAIN;
	wires->out += iov->iov_len;
	return iov->iov_len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wires wires = {.in = data + 1, .size = size - 1};
	struct below below = {.receive = receive, .send = send_out, .arg = &wires};
	const struct upgrade_place place = {.open = size && data[0] & 2};
	struct websocket *websocket;
	struct level level;
	size_t plain = 0;
	bool asked;
	ssize_t n;

	if (!size || websocket_create(&place, &websocket) < 0)
		return 0;
	asked = data[0] & 1;
	wires.piece = data[0] / 4 + 1;
	if (level_init(&level, &websocket_layer, websocket, &below, request,
		    asked ? strlen(request) : 0) < 0)
		return 0;
	for (;;) {
		uint8_t to[300];
		bool more = wires.size;

		n = level_receive(&level, to, sizeof(to));
		expect(n != 0 && n <= (ssize_t)sizeof(to));
		if (n > 0)
			plain += n;
		else if (n != -EAGAIN || (!more && !level.again))
			break;
		wires.deaf = data[0] & 2;
	}
	expect(plain < size);
	expect(n == -EAGAIN || n == -EPROTO || n == -EPIPE);
	expect(n != -EPROTO || websocket_layer.reason(websocket));
	expect(!level_open(&level) || websocket_path(websocket));
	expect(!asked || websocket_path(websocket));
	/* A pong has four bytes less than its ping. */
	expect(wires.out <= size + 512);
	level_finish(&level);
	return 0;
}
