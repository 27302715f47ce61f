/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idmap.h"

#include <errno.h>
#include <stdio.h>

#include "base/mem.h"

/* All ids but the last one, which means "none". */
#define ALL 4294967295ul

int idmap_read(const char *path, struct idmap *ret)
{
	unsigned long inside, outside, used;
	struct idmap map = {0};
	FILE *file = fopen(path, "re");
	int n;

	if (!file)
		return -errno;
	while ((n = fscanf(file, "%lu %lu %lu", &inside, &outside, &used)) == 3) {
		if (map.ranges_used == ARRAY_SIZE(map.ranges)) {
			n = 0;
			break;
		}
		map.ranges[map.ranges_used].first = inside;
		map.ranges[map.ranges_used++].used = used;
		map.seen += used;
	}
	fclose(file);
	if (n != EOF || map.ranges_used == 0)
		return -EINVAL;
	*ret = map;
	return 0;
}

bool idmap_is_whole(const struct idmap *map)
{
	return map->seen >= ALL;
}

bool idmap_has(const struct idmap *map, id_t id)
{
	if (idmap_is_whole(map))
		return true;
	/* It may be anybody. */
	if (id == IDMAP_HIDDEN)
		return false;
	for (size_t i = 0; i < map->ranges_used; i++)
		if (id >= map->ranges[i].first && id - map->ranges[i].first < map->ranges[i].used)
			return true;
	return false;
}
