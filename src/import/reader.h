/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reader.h - dma-bufs on one side, memory on the other, a GPU's driver between them. */
#pragma once

#include "capture/import_link.h"

struct reader;

/* Takes @node on success. Loads its driver, and uses it once, so that nothing is left to be loaded later. -ENODEV: there is
 * none for it. */
int reader_create(int node, struct reader **ret);
void reader_destroy(struct reader *reader);

/* Both take @fd in every case. A surface that cannot be mapped: -errno, and the old one is gone. */
void reader_give(struct reader *reader, const struct import_buffer *buffer, int fd);
int reader_surface(struct reader *reader, unsigned int number, uint64_t size, int fd);
void reader_drop(struct reader *reader, unsigned int index);

/* Copies. IMPORT_DONE_WELL, or how far it came and the driver's errno or 0. */
enum import_step reader_copy(
	struct reader *reader, const struct import_copy *copy, uint32_t *ret_error);
