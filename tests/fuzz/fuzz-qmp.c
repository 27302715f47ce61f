/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What QEMU's monitor says, in pieces of any size, and its schema. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "adapter/qmp_text.h"
#include "adapter/translate.h"
#include "base/limits.h"
#include "base/mem.h"

static int hear(struct qmp_text *text, const uint8_t *data, size_t size)
{
	struct translate translate;
	json_t *object;
	char *into;
	size_t room;
	int r = qmp_text_room(text, LIMIT_QMP_MESSAGE, &into, &room);

	if (r < 0)
		return r;
	room = MIN(room, size);
	memcpy(into, data, room);
	qmp_text_add(text, room);
	while ((r = qmp_text_next(text, &object)) > 0) {
		translate_init(&translate, json_object_get(object, "return"));
		json_decref(object);
	}
	return r < 0 ? r : (int)room;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t step = size ? data[0] % 64 + 1u : 1;
	struct qmp_text text = {0};
	int r = 0;

	for (size_t at = 1; at < size && r >= 0; at += (size_t)MAX(r, 0))
		r = hear(&text, data + at, MIN(step, size - at));
	qmp_text_finish(&text);
	return 0;
}
