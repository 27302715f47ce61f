/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The framer against bytes, pieces and descriptors of a peer's choice.
 *
 * The input is a list of feeds: a head byte, then that many bytes of a message. The head's low 5 bits are how many bytes
 * follow (0 is 32), bit 5 gives it a descriptor, bits 5 and 6 together 17 of them, and bit 7 says that control data was
 * truncated. After each feed what is complete is taken.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "varlink/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FIRST_FD \
	100 /* all that is given to the wire lies from here on: what is open there at the end has leaked */
#define LAST_FD 300

static int given = -EBADF;

static void expect(bool truth)
{
	if (!truth)
		abort();
}

static bool known_error(int r)
{
	return r == -EBADMSG || r == -EMSGSIZE || r == -EPROTO || r == -EMFILE;
}

static size_t make_fds(uint8_t head, int *ret)
{
	size_t count = !(head & 0x20) ? 0 : head & 0x40 ? LIMIT_VARLINK_FDS + 1 : 1;

	for (size_t i = 0; i < count; i++) {
		ret[i] = fcntl(given, F_DUPFD_CLOEXEC, FIRST_FD);
		expect(ret[i] >= FIRST_FD && ret[i] < LAST_FD);
	}
	return count;
}

/* What comes out can be sent, and comes out again the same. */
static void check_round_trip(const json_t *object)
{
	struct wire_message again;
	struct wire *wire;
	char *bytes, *at;
	size_t size, room;
	int r;

	r = wire_encode(object, &bytes, &size);
	if (r == -EMSGSIZE)
		return;
	expect(r == 0 && bytes[size - 1] == 0);
	expect(wire_create(&wire) == 0);
	for (size_t fed = 0; fed < size; fed += room) {
		room = wire_room(wire, &at);
		expect(room > 0);
		room = MIN(room, size - fed);
		memcpy(at, bytes + fed, room);
		expect(wire_feed(wire, room, NULL, 0, false) == 0);
	}
	expect(wire_take(wire, &again) == 1);
	expect(json_equal(object, again.object));
	wire_message_finish(&again);
	wire_destroy(wire);
	free(bytes);
}

/* Takes all that is complete. Returns 0 or the wire's error. */
static int take_all(struct wire *wire)
{
	struct wire_message message;
	int r;

	while ((r = wire_take(wire, &message)) == 1) {
		expect(json_is_object(message.object));
		expect(message.fds_used <= LIMIT_VARLINK_FDS);
		for (size_t i = 0; i < message.fds_used; i++)
			expect(fcntl(message.fds[i], F_GETFD) >= 0);
		check_round_trip(message.object);
		wire_message_finish(&message);
	}
	return r;
}

static int feed(struct wire *wire, const uint8_t *data, size_t size, uint8_t head)
{
	int fds[LIMIT_VARLINK_FDS + 1];
	size_t fds_used = make_fds(head, fds);
	bool truncated = head & 0x80;
	int r = 0;

	while (size > 0 && r == 0) {
		char *at;
		size_t room = wire_room(wire, &at);

		expect(room > 0 && room <= LIMIT_VARLINK_MESSAGE + 1);
		room = MIN(room, size);
		memcpy(at, data, room);
		r = wire_feed(wire, room, fds, fds_used, truncated);
		expect(r == 0 || known_error(r));
		if (r == 0)
			r = take_all(wire);
		data += room;
		size -= room;
		fds_used = 0;
		truncated = false;
	}
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire *wire;
	char *at;
	int r = 0;

	if (given < 0)
		given = eventfd(0, EFD_CLOEXEC); /* closed at once, see base/discard.h */
	expect(given >= 0 && wire_create(&wire) == 0);
	while (size > 1 && r == 0) {
		uint8_t head = *data;
		size_t now = MIN(size - 1, head & 0x1f ? (size_t)(head & 0x1f) : 32);

		r = feed(wire, data + 1, now, head);
		data += 1 + now;
		size -= 1 + now;
	}
	if (r < 0) {
		expect(known_error(r));
		expect(wire_take(wire, &(struct wire_message){0}) == r);
		expect(wire_room(wire, &at) == 0);
		expect(wire_feed(wire, 0, NULL, 0, false) == r);
	}
	wire_destroy(wire);
	for (int fd = FIRST_FD; fd < FIRST_FD + 2 * LIMIT_VARLINK_FDS; fd++)
		expect(fcntl(fd, F_GETFD) < 0);
	return 0;
}
