/* SPDX-License-Identifier: GPL-2.0-or-later */
/* capture.h - from a plane to pixels that the CPU may read: mappings, the dma-buf cache, SIGBUS.
 *
 * A capture belongs to one thread and borrows its source. One fd and one mapping for each dma-buf id, kept while the display is
 * on in one mode (bounded by LIMIT_DMABUFS, least recently used closed first); but with mbochs, where asking for an id again has
 * killed kernels, as long as the source lives. What cannot be mapped is remembered as long as its fd is open. Region
 * mappings are dropped when geometry changes and when the plane goes off.
 */
#pragma once

#include <stdint.h>

#include "capture/view.h"
#include "plane/plane.h"
#include "plane/source.h"

struct capture;
struct importer;

int capture_create(struct source *source, struct capture **ret);
/* Unmaps everything, closes every dma-buf. Takes NULL. Call it before source_destroy(). */
void capture_destroy(struct capture *capture);
/* Before the first look. Takes @importer (capture/import.h), for dma-bufs that the CPU cannot read. */
void capture_set_importer(struct capture *capture, struct importer *importer);

/* Maps @plane (which plane_unsuitable() found good) and starts reading.
 * 0: *ret is valid until capture_end(). -ESTALE: query again now. -ENODEV: the CPU cannot map this buffer,
 * -ENOTSUP: its format or layout; both final for this plane. -ENOMEM, -EIO and others, but never -EAGAIN: try later.
 * capture_reason() says each in words. A SIGBUS on the way: capture_forget(), so that the next look maps anew. */
int capture_begin(struct capture *capture, const struct plane *plane, struct view *ret);
void capture_end(struct capture *capture);
/* In words, for the last error; valid until the next look. */
const char *capture_reason(const struct capture *capture);
/* The display is off, or its memory vanished under a reader: all mappings go, and all dma-bufs that may (see above). */
void capture_forget(struct capture *capture);

/* Runs fn(arg), which reads a view. 0 and up: what fn returned; -EFAULT: SIGBUS on the way (fn was left by
 * siglongjmp, so fn must hold no lock and own nothing). Installs the process-wide handler at the first call. */
int capture_guard(int (*fn)(void *arg), void *arg);

/* For tests. */
unsigned int capture_buffers_open(const struct capture *capture);
