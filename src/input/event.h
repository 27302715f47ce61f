/* SPDX-License-Identifier: GPL-2.0-or-later */
/* event.h - input events as the kernel numbers them (linux/input-event-codes.h), and which kind of sink takes which.
 *
 * On the wire, a stream socket, an event is the 8 bytes of struct virtio_input_event (linux/virtio_input.h): le16 type, le16 code,
 * le32 value, signed in two's complement. Events that belong together end with EV_SYN, SYN_REPORT, 0.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "handover/context.h"

enum { INPUT_RECORD_BYTES = 8 };

struct input_event {
	uint16_t type, code;
	int32_t value;
};

void input_pack(const struct input_event *event, uint8_t record[INPUT_RECORD_BYTES]);
struct input_event input_unpack(const uint8_t record[INPUT_RECORD_BYTES]);

bool input_is_report(const struct input_event *event);
/* It says where something is, or how far it went: of several only the last, or their sum, matters. */
bool input_is_motion(const struct input_event *event);
/* About one of several contacts: which one, ABS_MT_SLOT says before it. */
bool input_is_contact(const struct input_event *event);

/* Whether a sink of @kind has any event of that type; has that one; can have that value. EV_SYN is nobody's here. */
bool input_takes_type(enum input_kind kind, uint16_t type);
bool input_takes(enum input_kind kind, uint16_t type, uint16_t code);
bool input_takes_value(const struct handover_input *input, const struct input_event *event);

/* "keyboard"; NULL: past the end. */
const char *input_kind_name(size_t kind);
