/* SPDX-License-Identifier: GPL-2.0-or-later */
/* producer.h - the test card as a surface: what a VMM without a VFIO display does (docs/HANDOVER.md). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct producer;

/* @cursor: with a cursor plane. -EINVAL: size or rate (testcard/card.h); -ENOMEM, -EMFILE. */
int producer_create(
	uint32_t width, uint32_t height, uint32_t rate, bool cursor, struct producer **ret);
void producer_destroy(struct producer *producer);
/* Borrowed. The sealed memfd, and the eventfd that is signalled after each frame. */
int producer_surface(const struct producer *producer);
int producer_change(const struct producer *producer);
/* Paints and signals. */
void producer_paint(struct producer *producer, uint64_t frame);
