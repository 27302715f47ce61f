/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * One buffer, towards the viewer. While it is full the display's program is not read, so that its queue for this viewer grows, as it would
 * for a slow network, with that program's own bounds and stall time. Towards the display nothing is kept here: what its program does
 * not take stays with the caller, who then does not read the network.
 *
 * The inner handshake's few bytes come through the same buffer: each step waits until it is whole there. Its answers are a few bytes
 * into an empty socket buffer, which always fit.
 */
#include "rfb/passage.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/mem.h"

#define GREETING_TEXT "RFB 003.008\n"
#define GREETING_SIZE 12
#define SECURITY_NONE 1

enum step { GREETING, OFFER, RESULT, OPEN };

int passage_create(int place, bool shared, struct passage **ret)
{
	struct passage *passage = malloc(sizeof(*passage));

	if (!passage) {
		fd_close(place);
		return -ENOMEM;
	}
	passage->place = fd_move_high(place);
	passage->shared = shared;
	passage->step = GREETING;
	passage->reason = NULL;
	passage->at = passage->size = 0;
	if (passage->place < 0) {
		free(passage);
		return -EMFILE;
	}
	*ret = passage;
	return 0;
}

void passage_destroy(struct passage *passage)
{
	if (!passage)
		return;
	fd_close(passage->place);
	free(passage);
}

static int give_up(struct passage *passage, int error, const char *reason)
{
	passage->reason = reason;
	return error;
}

bool passage_open(const struct passage *passage)
{
	return passage->step == OPEN;
}

bool passage_has_room(const struct passage *passage)
{
	return passage->size < PASSAGE_BYTES;
}

const uint8_t *passage_bytes(const struct passage *passage, size_t *ret_size)
{
	*ret_size = passage->step == OPEN ? passage->size - passage->at : 0;
	return passage->bytes + passage->at;
}

void passage_use(struct passage *passage, size_t size)
{
	passage->at += size;
	if (passage->at == passage->size)
		passage->at = passage->size = 0;
}

static int say(struct passage *passage, const void *what, size_t size)
{
	ssize_t n = send(passage->place, what, size, MSG_DONTWAIT | MSG_NOSIGNAL);

	return n == (ssize_t)size ? 0 : give_up(passage, -EPIPE, "its display has gone");
}

/* Each returns the bytes that it has used, 0: it needs more, or -errno. */
static int got_greeting(struct passage *passage, const uint8_t *in, size_t size)
{
	if (size < GREETING_SIZE)
		return 0;
	if (memcmp(in, GREETING_TEXT, GREETING_SIZE) != 0)
		return give_up(passage, -EPROTO, "its display speaks no RFB");
	passage->step = OFFER;
	return say(passage, GREETING_TEXT, GREETING_SIZE) < 0 ? -EPIPE : GREETING_SIZE;
}

static int got_offer(struct passage *passage, const uint8_t *in, size_t size)
{
	static const uint8_t none = SECURITY_NONE;

	if (size < 1 || size < 1u + in[0])
		return 0;
	/* No types: a reason follows, such as that the display is full. It is in that program's log. */
	if (!memchr(in + 1, SECURITY_NONE, in[0]))
		return give_up(passage, -EACCES, "its display does not let it in");
	passage->step = RESULT;
	return say(passage, &none, 1) < 0 ? -EPIPE : 1 + in[0];
}

static int got_result(struct passage *passage, const uint8_t *in, size_t size)
{
	static const uint8_t ok[4];
	uint8_t shared = passage->shared;

	if (size < sizeof(ok))
		return 0;
	if (memcmp(in, ok, sizeof(ok)) != 0)
		return give_up(passage, -EACCES, "its display does not let it in");
	passage->step = OPEN;
	return say(passage, &shared, 1) < 0 ? -EPIPE : (int)sizeof(ok);
}

static int shake_hands(struct passage *passage)
{
	static int (*const steps[])(struct passage *, const uint8_t *, size_t) = {
		[GREETING] = got_greeting,
		[OFFER] = got_offer,
		[RESULT] = got_result,
	};

	while (passage->step != OPEN) {
		int n = steps[passage->step](
			passage, passage->bytes + passage->at, passage->size - passage->at);

		if (n <= 0)
			return n;
		passage_use(passage, n);
	}
	return 0;
}

int passage_collect(struct passage *passage)
{
	ssize_t n;

	if (!passage_has_room(passage))
		return 0;
	n = recv(passage->place, passage->bytes + passage->size, PASSAGE_BYTES - passage->size,
		MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return give_up(passage, -EPIPE, "closed by its display");
	passage->size += n;
	return shake_hands(passage);
}

int passage_forward(struct passage *passage, const uint8_t *from, size_t size, size_t *ret_taken)
{
	ssize_t n;

	*ret_taken = 0;
	if (!passage_open(passage) || !size)
		return 0;
	n = send(passage->place, from, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	/* The end of file there says why; what it has said is still to be passed on. */
	*ret_taken = n < 0 ? size : (size_t)n;
	return 0;
}
