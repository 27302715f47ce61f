/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "handover/context.h"

#include <string.h>

#include "base/discard.h"
#include "base/fd.h"
#include "base/mem.h"

bool context_id_valid(const char *id)
{
	size_t n = strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

	return n >= 1 && n <= LIMIT_ID_CHARS && !id[n] && strcmp(id, ".") != 0 &&
	       strcmp(id, "..") != 0;
}

void context_finish(struct context *context)
{
	for (size_t i = 0; i < context->labels_used; i++) {
		free(context->labels[i].key);
		free(context->labels[i].value);
	}
	context->labels_used = 0;
}

void handover_init(struct handover *handover)
{
	*handover = (struct handover){
		.device = -EBADF,
		.change = -EBADF,
		.render = -EBADF,
		.lease = -EBADF,
		.call = -EBADF,
	};
	for (size_t i = 0; i < LIMIT_LISTENERS; i++)
		handover->listeners[i].fd = -EBADF;
	for (size_t i = 0; i < LIMIT_INPUTS; i++)
		handover->inputs[i].fd = -EBADF;
}

void handover_finish(struct handover *handover)
{
	context_finish(&handover->context);
	fd_discardp(&handover->device);
	fd_discardp(&handover->change);
	fd_discardp(&handover->render);
	fd_discardp(&handover->lease);
	for (size_t i = 0; i < LIMIT_LISTENERS; i++)
		fd_discardp(&handover->listeners[i].fd);
	for (size_t i = 0; i < LIMIT_INPUTS; i++)
		fd_discardp(&handover->inputs[i].fd);
}
