/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/envelope.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "rfb/rsaaes.h"
#include "rfb/seal.h"

struct envelope {
	struct seal from_viewer, to_viewer;
	const char *reason; /* static text */
	uint8_t *
		kept; /* owned: what of a message did not fit; LIMIT_SEALED bytes, NULL before the first */
	size_t kept_at, kept_size;
};

static ssize_t fail(struct envelope *envelope, int error)
{
	envelope->reason = error == -EBADMSG	? "a sealed message is not what was sent"
			   : error == -EMSGSIZE ? "a sealed message is too large"
						: "out of memory";
	return error;
}

static size_t give_kept(struct envelope *envelope, uint8_t *to, size_t room)
{
	size_t n = MIN(room, envelope->kept_size - envelope->kept_at);

	memcpy(to, envelope->kept + envelope->kept_at, n);
	envelope->kept_at += n;
	if (envelope->kept_at == envelope->kept_size) {
		explicit_bzero(envelope->kept, envelope->kept_size);
		free(take_ptr(envelope->kept));
		envelope->kept_at = envelope->kept_size = 0;
	}
	return n;
}

static ssize_t decode(
	void *layer, const uint8_t *from, size_t size, size_t *ret_used, uint8_t *to, size_t room)
{
	struct envelope *envelope = layer;
	size_t inside = 0;
	int used;

	*ret_used = 0;
	if (envelope->kept)
		return give_kept(envelope, to, room);
	if (room >= LIMIT_SEALED) {
		used = seal_open(&envelope->from_viewer, from, size, LIMIT_SEALED, to, &inside);
		*ret_used = MAX(used, 0);
		return used < 0 ? fail(envelope, used) : (ssize_t)inside;
	}
	envelope->kept = malloc(LIMIT_SEALED);
	if (!envelope->kept)
		return fail(envelope, -ENOMEM);
	used = seal_open(&envelope->from_viewer, from, size, LIMIT_SEALED, envelope->kept, &inside);
	if (used <= 0 || !inside) {
		free(take_ptr(envelope->kept));
		*ret_used = MAX(used, 0);
		return used < 0 ? fail(envelope, used) : 0;
	}
	*ret_used = used;
	envelope->kept_size = inside;
	return give_kept(envelope, to, room);
}

static ssize_t encode(void *layer, uint8_t *message, size_t size, size_t *ret_at)
{
	struct envelope *envelope = layer;
	int r = seal_close(&envelope->to_viewer, message + SEAL_HEAD, size, message);

	*ret_at = 0;
	return r < 0 ? fail(envelope, r) : (ssize_t)(size + SEAL_EXTRA);
}

static const char *reason(const void *layer)
{
	const struct envelope *envelope = layer;

	return envelope->reason;
}

static void destroy(void *layer)
{
	struct envelope *envelope = layer;

	seal_finish(&envelope->from_viewer);
	seal_finish(&envelope->to_viewer);
	if (envelope->kept)
		explicit_bzero(envelope->kept, envelope->kept_size);
	free(envelope->kept);
	free(envelope);
}

const struct layer_ops envelope_ops = {
	.in_maximum = LIMIT_SEALED + SEAL_EXTRA,
	.plain_maximum = SEAL_SENT,
	.head = SEAL_HEAD,
	.tail = EAX_BLOCK,
	.decode = decode,
	.encode = encode,
	.reason = reason,
	.destroy = destroy,
};

int envelope_create(const struct rsaaes *rsaaes, struct envelope **ret)
{
	struct envelope *envelope = new0(struct envelope);
	uint8_t viewers[32], ours[32];
	size_t size;
	int r;

	if (!envelope)
		return -ENOMEM;
	rsaaes_session_keys(rsaaes, viewers, ours, &size);
	r = seal_init(&envelope->from_viewer, viewers, size);
	if (r == 0)
		r = seal_init(&envelope->to_viewer, ours, size);
	explicit_bzero(viewers, sizeof(viewers));
	explicit_bzero(ours, sizeof(ours));
	if (r < 0) {
		destroy(envelope);
		return r;
	}
	*ret = envelope;
	return 0;
}
