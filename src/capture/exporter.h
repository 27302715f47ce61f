/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exporter.h - which driver a dma-buf comes from, as the kernel tells in /proc/self/fdinfo (drivers/dma-buf/dma-buf.c,
 * dma_buf_show_fdinfo). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define EXPORTER_NAME_BYTES 64 /* a kernel module's name is shorter (MODULE_NAME_LEN) */

/* The driver's name. -ENOENT: not a dma-buf; others: fdinfo cannot be read. */
int exporter_name(int fd, char ret[EXPORTER_NAME_BYTES]);
/* The same of fdinfo's text, which ends with a NUL. */
int exporter_parse(const char *text, char ret[EXPORTER_NAME_BYTES]);

/* Asked a second time for a dma-buf, the driver loses count of its references, and the kernel's memory is damaged: the sample
 * driver mbochs (samples/vfio-mdev/mbochs.c, mbochs_get_gfx_dmabuf), under whatever name it is built. */
bool exporter_miscounts(const char *name);
