/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sharing.h - may a viewer be alone at a display? Pure.
 *
 * Two things make a viewer alone: its right (mode exclusive, which a ticket, a listener or the caller of Attach gives), whatever the policy;
 * and its wish, ClientInit's flag (RFB 7.3.1), where the policy allows that. The policies are QEMU's (share= of its VNC server):
 * ignore, the flag means nothing; allow-exclusive, who wishes to be alone is; force-shared, who wishes that is refused. A viewer that may
 * only look is never alone.
 */
#pragma once

#include <stdbool.h>

#include "frame/link.h"

/* The larger closes the smaller and is refused by none of them; the same makes room for the newcomer, but for SHARING_TOGETHER. */
enum sharing_rank { SHARING_TOGETHER, SHARING_ALONE, SHARING_ALONE_BY_RIGHT };

/* enum sharing_rank, or -EPERM: it may not come in. @shared: the flag. */
int sharing_rank(enum link_sharing policy, enum link_mode mode, bool shared);
/* May somebody who comes with this @mode be alone? */
bool sharing_may_be_alone(enum link_sharing policy, enum link_mode mode);
