/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the gate reads: a WebSocket's path and a TLS server name from a viewer, the inner handshake from a display's program. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "rfb/choice.h"
#include "rfb/passage.h"

#define ID "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Two texts, the first up to a NUL. */
static void choose(const uint8_t *data, size_t size)
{
	char *text = calloc(1, size + 2), choice[LIMIT_ID_CHARS + 1];
	const char *id = choice;

	if (!text)
		return;
	memcpy(text, data, size);
	memset(choice, 'x', sizeof(choice));
	choice_make(text, text + strlen(text) + 1, choice);
	if (!memchr(choice, '\0', sizeof(choice)))
		abort();
	if (*id == '@' && !*++id)
		abort();
	if (id[strspn(id, ID)])
		abort();
	free(text);
}

/* @data: what the display says, in pieces of @piece bytes. */
static void pass(const uint8_t *data, size_t size, size_t piece)
{
	struct passage *passage;
	size_t taken, waiting, seen = 0;
	char said[32];
	int pair[2], r = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ||
		passage_create(pair[1], size & 1, &passage) < 0)
		abort();
	for (size_t at = 0; at < size && r == 0; at += piece) {
		size_t n = MIN(piece, size - at);

		if (send(pair[0], data + at, n, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)n)
			break;
		r = passage_collect(passage);
		if (!passage_open(passage))
			continue;
		if (passage_forward(passage, data, 1, &taken) < 0 || taken != 1)
			abort();
		if (recv(pair[0], said, sizeof(said), MSG_DONTWAIT) < 1)
			abort();
		/* What is passed on is the end of what was said so far. */
		if (memcmp(passage_bytes(passage, &waiting), data + at + n - waiting, waiting))
			abort();
		seen += waiting;
		passage_use(passage, waiting);
	}
	if (seen > size || (r < 0 && !passage->reason))
		abort();
	passage_destroy(passage);
	close(pair[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 4096)
		return 0;
	if (data[0] & 1)
		choose(data + 1, size - 1);
	else
		pass(data + 1, size - 1, data[0] / 2 + 1);
	return 0;
}
