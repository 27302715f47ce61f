/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rights.h - who may do what on the control socket. Main thread.
 *
 * A right is a verb on a display, or, without an id, on all that there are and will be. Who has it: root and the daemon's own user have
 * all; the user that registered a display may observe it, issue tickets, send input and manage it; for everything else
 * the policy decides. Without a policy file whoever can connect has all rights but ticket, manage and admin.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct rights;
struct varlink_peer;

/* exclusive includes control, control includes view, admin includes all. */
enum right {
	RIGHT_NONE, /* whoever is connected has it */
	RIGHT_OBSERVE,
	RIGHT_REGISTER,
	RIGHT_CAPTURE,
	RIGHT_VIEW, /* these three in the order of enum view_mode */
	RIGHT_CONTROL,
	RIGHT_EXCLUSIVE,
	RIGHT_INPUT,
	RIGHT_TICKET,
	RIGHT_MANAGE,
	RIGHT_ADMIN,
	RIGHTS_USED
};

#define RIGHTS_NO_OWNER ((uid_t)-1)

/* The policy for when there is no file. */
int rights_create(struct rights **ret);
void rights_destroy(struct rights *rights); /* takes NULL */

/* @id: of a display that is or is not there; NULL: any there could be. @owner: who registered it, RIGHTS_NO_OWNER: it is not there. */
bool rights_allow(const struct rights *rights, const struct varlink_peer *peer, enum right right, const char *id,
	uid_t owner);
/* There is an id for which the policy gives it. (An owner's rights are not looked at.) */
bool rights_allow_some(const struct rights *rights, const struct varlink_peer *peer, enum right right);
/* As the policy file writes it. */
const char *right_name(enum right right);
