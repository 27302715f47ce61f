/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notify.h - what systemd is told; all of it does nothing where systemd did not start us. Main thread. */
#pragma once

struct loop;
struct notify;

/* Starts answering the watchdog when there is one: from the loop, so that a stuck loop is seen. */
int notify_create(struct loop *loop, struct notify **ret);
void notify_destroy(struct notify *notify);
void notify_ready(void);
void notify_stopping(void);
void notify_status(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The socket that systemd listens on for us under this name (FileDescriptorName=), or -ENOENT. The caller's. */
int notify_listener(const char *name);
