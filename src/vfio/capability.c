/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vfio/capability.h"

#include <errno.h>
#include <string.h>

int capability_read(const struct capability_chain *chain, void *ret, uint32_t size)
{
	if (chain->at < chain->base || chain->at > chain->size || chain->size - chain->at < size)
		return -EPROTO;
	memcpy(ret, chain->info + chain->at, size);
	return 0;
}

int capability_next(struct capability_chain *chain)
{
	uint32_t last = chain->at;

	if (!chain->next)
		return 0;
	chain->at = chain->next;
	if (chain->at <= last)
		return -EPROTO;
	if (capability_read(chain, &chain->header, sizeof(chain->header)) < 0)
		return -EPROTO;
	chain->next = chain->header.next;
	return 1;
}
