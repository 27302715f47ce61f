/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tokens.h for a build without hiredis. */
#include "registrar/tokens.h"

#include <errno.h>

#include "base/log.h"
#include "registrar/settings.h"

int tokens_init(
	struct tokens *tokens, const struct settings *settings, const struct catalogue *catalogue)
{
	*tokens = (struct tokens){.settings = settings, .catalogue = catalogue};
	if (!settings->redis)
		return 0;
	log_err(NULL, "redis: this vfio-displayd-registrar was built without hiredis");
	return -ENOTSUP;
}

void tokens_finish(struct tokens *tokens)
{
}

uint64_t tokens_due(const struct tokens *tokens)
{
	return UINT64_MAX;
}

void tokens_turn(struct tokens *tokens)
{
}
