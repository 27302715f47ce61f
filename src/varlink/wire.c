/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * One buffer holds the bytes of the message that is being received, and perhaps some of the next one. While it begins
 * with a complete message there is no room, so it never holds more than one message's limit. The descriptors belong to
 * the message that the buffer begins with: they are taken in only while it is empty, and leave with that message.
 *
 * Messages carry passwords, and what somebody types. So bytes are overwritten as soon as they are no message's any more, here and in
 * what the parser makes of them (wire_forget()).
 */
#include "varlink/wire.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>

#include "base/discard.h"
#include "base/fd.h"
#include "base/mem.h"

#define WIRE_FIRST 4096	 /* bytes of a new buffer: most messages are smaller */
#define WIRE_KEEP  16384 /* a larger buffer is given back once it is empty */

struct wire {
	char *bytes; /* owned */
	size_t size; /* allocated, at most LIMIT_VARLINK_MESSAGE + 1 */
	size_t used;
	size_t end;    /* offset of the first message's NUL, while complete */
	bool complete; /* the buffer begins with a whole message */
	int error;     /* 0, or the -errno that killed this wire */
	int fds[LIMIT_VARLINK_FDS];
	size_t fds_used;
};

static void close_all(const int *fds, size_t fds_used)
{
	for (size_t i = 0; i < fds_used; i++)
		fd_discard(fds[i]);
}

int wire_create(struct wire **ret)
{
	struct wire *wire = new0(struct wire);

	if (!wire)
		return -ENOMEM;
	*ret = wire;
	return 0;
}

static void forget(char *bytes, size_t size)
{
	if (bytes)
		explicit_bzero(bytes, size);
	free(bytes);
}

static void free_forgotten(void *memory)
{
	forget(memory, memory ? malloc_usable_size(memory) : 0);
}

void wire_forget(void)
{
	json_set_alloc_funcs(malloc, free_forgotten);
}

static void wire_clear(struct wire *wire)
{
	close_all(wire->fds, wire->fds_used);
	wire->fds_used = 0;
	forget(take_ptr(wire->bytes), wire->size);
	wire->size = wire->used = 0;
	wire->complete = false;
}

void wire_destroy(struct wire *wire)
{
	if (!wire)
		return;
	wire_clear(wire);
	free(wire);
}

static int wire_fail(struct wire *wire, int error)
{
	wire_clear(wire);
	wire->error = error;
	return error;
}

static int wire_grow(struct wire *wire)
{
	size_t twice = MAX(wire->size * 2, (size_t)WIRE_FIRST);
	size_t size = MIN(twice, (size_t)LIMIT_VARLINK_MESSAGE + 1);
	char *bytes = malloc(size);

	if (!bytes)
		return -ENOMEM;
	if (wire->used)
		memcpy(bytes, wire->bytes, wire->used);
	forget(wire->bytes, wire->size);
	wire->bytes = bytes;
	wire->size = size;
	return 0;
}

size_t wire_room(struct wire *wire, char **ret_at)
{
	if (wire->error < 0 || wire->complete)
		return 0;
	if (wire->used == wire->size && wire_grow(wire) < 0) {
		wire_fail(wire, -ENOMEM);
		return 0;
	}
	*ret_at = wire->bytes + wire->used;
	return wire->used ? wire->size - wire->used : 1;
}

/* Looks for the first message's end in the bytes from @from on. */
static void wire_scan(struct wire *wire, size_t from)
{
	const char *nul =
		wire->used > from ? memchr(wire->bytes + from, 0, wire->used - from) : NULL;

	wire->complete = nul != NULL;
	if (nul)
		wire->end = nul - wire->bytes;
}

int wire_feed(struct wire *wire, size_t bytes, const int *fds, size_t fds_used, bool truncated)
{
	size_t from = wire->used;
	int error = wire->error;

	if (error == 0 && bytes > 0 && (wire->complete || bytes > wire->size - wire->used))
		error = -EINVAL;
	if (error == 0 && (truncated || fds_used > LIMIT_VARLINK_FDS))
		error = -EMFILE;
	if (error == 0 && fds_used > 0 && (wire->used > 0 || bytes == 0))
		error = -EPROTO;
	if (error < 0) {
		close_all(fds, fds_used);
		return wire_fail(wire, error);
	}
	if (fds_used > 0)
		memcpy(wire->fds, fds, fds_used * sizeof(*fds));
	wire->fds_used += fds_used;
	if (bytes == 0)
		return 0;
	wire->used += bytes;
	wire_scan(wire, from);
	if (!wire->complete && wire->used > LIMIT_VARLINK_MESSAGE)
		return wire_fail(wire, -EMSGSIZE);
	return 0;
}

/* Before the parser runs: it recurses for each level, and allocates. */
static bool too_deep(const char *text, size_t size)
{
	bool string = false;
	unsigned int depth = 0;

	for (size_t i = 0; i < size; i++) {
		char c = text[i];

		if (string && c == '\\')
			i++;
		else if (c == '"')
			string = !string;
		else if (string)
			continue;
		else if ((c == '{' || c == '[') && ++depth > LIMIT_VARLINK_DEPTH)
			return true;
		else if ((c == '}' || c == ']') && depth > 0)
			depth--;
	}
	return false;
}

static int parse(const char *text, size_t size, json_t **ret)
{
	json_error_t error;
	json_t *object;

	if (too_deep(text, size))
		return -EBADMSG;
	object = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
	if (!object)
		return json_error_code(&error) == json_error_out_of_memory ? -ENOMEM : -EBADMSG;
	if (!json_is_object(object)) {
		json_decref(object);
		return -EBADMSG;
	}
	*ret = object;
	return 0;
}

int wire_take(struct wire *wire, struct wire_message *ret)
{
	json_t *object;
	int r;

	if (wire->error < 0)
		return wire->error;
	if (!wire->complete)
		return 0;
	r = parse(wire->bytes, wire->end, &object);
	if (r < 0)
		return wire_fail(wire, r);
	ret->object = object;
	memcpy(ret->fds, wire->fds, wire->fds_used * sizeof(*wire->fds));
	ret->fds_used = wire->fds_used;
	wire->fds_used = 0;
	wire->used -= wire->end + 1;
	memmove(wire->bytes, wire->bytes + wire->end + 1, wire->used);
	explicit_bzero(wire->bytes + wire->used, wire->end + 1);
	wire_scan(wire, 0);
	if (wire->used == 0 && wire->size > WIRE_KEEP) {
		free(take_ptr(wire->bytes));
		wire->size = 0;
	}
	return 1;
}

void wire_message_finish(struct wire_message *message)
{
	json_decref(take_ptr(message->object));
	close_all(message->fds, message->fds_used);
	message->fds_used = 0;
}

int wire_encode(const json_t *object, char **ret, size_t *ret_size)
{
	/* A NUL in a string comes out as \u0000: the text holds none. */
	char *text = json_dumps(object, JSON_COMPACT);
	size_t size;

	if (!text)
		return -ENOMEM;
	size = strlen(text);
	if (size > LIMIT_VARLINK_MESSAGE) {
		free(text);
		return -EMSGSIZE;
	}
	*ret = text;
	*ret_size = size + 1;
	return 0;
}
