/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rfb/sharing.h"

#include <errno.h>

int sharing_rank(enum link_sharing policy, enum link_mode mode, bool shared)
{
	if (mode == LINK_MODE_EXCLUSIVE)
		return SHARING_ALONE_BY_RIGHT;
	if (shared || policy == LINK_SHARING_IGNORE)
		return SHARING_TOGETHER;
	if (policy == LINK_SHARING_FORCE_SHARED)
		return -EPERM;
	return mode == LINK_MODE_CONTROL ? SHARING_ALONE : SHARING_TOGETHER;
}

bool sharing_may_be_alone(enum link_sharing policy, enum link_mode mode)
{
	return mode == LINK_MODE_EXCLUSIVE ||
	       (mode == LINK_MODE_CONTROL && policy == LINK_SHARING_ALLOW_EXCLUSIVE);
}
