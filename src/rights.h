/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rights.h - who may do what on the control socket. Main thread.
 *
 * A right is a verb on a display, or, without an id, on all that there are and will be. Who has it: root and the daemon's own user have
 * all; the user that registered a display may observe it, issue tickets, send input and manage it; for everything else
 * the policy decides, a file of lines "allow RIGHT[,RIGHT ...] [uid=NAME|N ...] [gid=NAME|N ...] [id=PATTERN]": what no line allows is
 * denied. Without a file whoever can connect has all rights but ticket, manage and admin. On the monitor socket nobody has more than
 * observe.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct rights;
struct varlink_peer;

/* exclusive includes control, control includes view, admin includes all. */
enum right {
	RIGHT_NONE, /* whoever is connected has it */
	RIGHT_OBSERVE,
	RIGHT_REGISTER, /* from here on, not on the monitor socket */
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

/* Reads the policy file at @path. Where there is none, and it need not be there: the policy for that. Names of users and groups are looked up
 * now, which may take as long as the host's name services do. On an error *ret_error, to be freed (NULL: out of memory), is one
 * line, "PATH:LINE: what is wrong"; -ENOENT; -EINVAL: its content, or it names ids that cannot be told apart in this user namespace;
 * -EPERM: others than root and this user could have written it; -EFBIG: LIMIT_POLICY_BYTES. */
int rights_read(const char *path, bool must_exist, struct rights **ret, char **ret_error);
/* The policy in @text, of which @path is the name; @text is changed, and has room for a byte more. */
int rights_parse(const char *path, char *text, size_t size, struct rights **ret, char **ret_error);
/* The policy for when there is no file. */
int rights_create(struct rights **ret);
void rights_destroy(struct rights *rights); /* takes NULL */
/* NULL: there was no file. */
const char *rights_path(const struct rights *rights);

/* @id: of a display that is or is not there; NULL: any there could be. @owner: who registered it, RIGHTS_NO_OWNER: it is not there. */
bool rights_allow(const struct rights *rights, const struct varlink_peer *peer, enum right right,
	const char *id, uid_t owner);
/* There is an id for which the policy gives it. (An owner's rights are not looked at.) */
bool rights_allow_some(
	const struct rights *rights, const struct varlink_peer *peer, enum right right);
/* By having registered it. */
bool rights_owns(const struct rights *rights, const struct varlink_peer *peer, uid_t owner);
/* As the policy file writes it. */
const char *right_name(enum right right);
