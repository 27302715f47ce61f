/* SPDX-License-Identifier: GPL-2.0-or-later */
/* idmap.h - which user or group ids can be seen in this user namespace (user_namespaces(7)).
 *
 * A peer whose id has no place in the namespace reads as 65534, so that many look like one. systemd's PrivateUsers=yes does that to
 * all but root and the service's own user.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define IDMAP_HIDDEN	   65534 /* kernel/user.c: overflowuid and overflowgid, unless somebody has changed them */
#define IDMAP_UID_PATH "/proc/self/uid_map"
#define IDMAP_GID_PATH "/proc/self/gid_map"

struct idmap {
	struct {
		unsigned long first, used;
	} ranges[340]; /* as many as a map can have (UID_GID_MAP_MAX_EXTENTS) */
	size_t ranges_used;
	unsigned long seen; /* all of them together */
};

/* Reads it from @path. -errno; -EINVAL: that is no map. */
int idmap_read(const char *path, struct idmap *ret);
/* Nobody is hidden. */
bool idmap_is_whole(const struct idmap *map);
/* A peer that reads as @id is @id. */
bool idmap_has(const struct idmap *map, id_t id);
