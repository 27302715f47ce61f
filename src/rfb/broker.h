/* SPDX-License-Identifier: GPL-2.0-or-later */
/* broker.h - this program's end of the wall (frame/link.h): the broker's messages to the picture and the door, and back.
 */
#pragma once

#include "frame/link.h"

struct broker;
struct loop;

/* @link: borrowed, non-blocking by its calls. @hello: the first message, checked. */
int broker_create(struct loop *loop, int link, const struct link_message *hello, struct broker **ret);
/* Takes NULL. */
void broker_destroy(struct broker *broker);
/* After the loop has ended: 0: STOP was obeyed or the broker is gone; -EPROTO: it lied. */
int broker_result(const struct broker *broker);
