/* SPDX-License-Identifier: GPL-2.0-or-later */
/* import.h - reading dma-bufs through vfio-displayd-import, a program beside the daemon that may hold a GPU's driver.
 *
 * An importer belongs to one capture thread. It starts the program with the first buffer, waits for each copy a bounded time,
 * and kills a program that lies or does not answer; the next one is started a second later at the
 * earliest, and less and less often.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "plane/plane.h"

struct importer;

struct importer_options {
	const char *program;   /* NULL: this build has none. Borrowed for the importer's life, as all text here */
	const char *id;	       /* of the display, for the log */
	const char *node_path; /* render node of the configuration, opened when first needed; NULL: none */
	int node;	       /* render node that came with the display, taken on success; -EBADF: none */
	enum import_policy policy;
	/* Asked about every 50 ms while the program is waited for: true: the display ends, give up. May be NULL. */
	bool (*stopping)(void *arg);
	void *arg;
};

/* Pixels at rest: until the next call. */
struct imported {
	const uint8_t *pixels;
	uint32_t stride; /* bytes; linear, in the plane's own fourcc */
};

int importer_create(const struct importer_options *options, struct importer **ret);
/* Ends the program, so that it holds no dma-buf any more. Takes NULL. */
void importer_destroy(struct importer *importer);

/* Every dma-buf goes this way, mappable or not. */
bool importer_is_first_choice(const struct importer *importer);
/* Why nothing can be imported: NULL (it can), or a static text. */
const char *importer_absent(const struct importer *importer);
/* Copies @plane out of @dmabuf, the cache's entry @index. @row: bytes of its pixels side by side. -ENODEV: it cannot be imported, not like this;
 * -EIO: not now. importer_reason() says why. */
int importer_copy(struct importer *importer, unsigned int index, int dmabuf,
	const struct plane *plane, uint32_t row, struct imported *ret);
/* The entry's dma-buf is about to be closed. */
void importer_drop(struct importer *importer, unsigned int index);
/* Of the last error; valid until the next call. */
const char *importer_reason(const struct importer *importer);
