/* SPDX-License-Identifier: GPL-2.0-or-later */
/* list.h - the table of displays, which list prints once and watch again and again. */
#pragma once

#include <jansson.h>

#include "ctl/table.h"

/* clang-format off */
#define LIST_HEADS {"ID", "STATE", "SIZE", "FORMAT", "VIEWERS", "MACHINE", "NAME", "REASON"}
/* clang-format on */

/* @entry: {context, runtime}, as List replies. 0 or -ENOMEM. */
int list_row(struct table *table, const json_t *entry);
