/* SPDX-License-Identifier: GPL-2.0-or-later */
/* evdev.h - one input device of the host's kernel (libevdev; Documentation/input/uinput.rst). Apart from uinput.c, since the kernel's headers have a
 * struct input_event of their own. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct evdev;

struct evdev_model {
	const char *name;
	const char *path; /* the physical one, by which udev and administrators find it */
	uint16_t product;
	bool leds, direct, pointer;
	int32_t contacts, most;					      /* slots; the largest place */
	bool (*takes)(const void *arg, uint16_t type, uint16_t code); /* which events it has */
	const void *arg;
};

/* -EACCES, -ENOENT: of /dev/uinput; -ENOMEM, -errno. */
int evdev_create(const struct evdev_model *model, struct evdev **ret);
/* Takes NULL. The kernel lets go of its keys. */
void evdev_destroy(struct evdev *evdev);
/* "/dev/input/eventN" */
const char *evdev_node(const struct evdev *evdev);
/* Readable when what its reader sends back has come. */
int evdev_fd(const struct evdev *evdev);
/* -errno. */
int evdev_write(struct evdev *evdev, uint16_t type, uint16_t code, int32_t value);
/* Takes @leds, bit LED_...: lit, to what they are now. */
void evdev_read_leds(struct evdev *evdev, uint32_t *leds);
/* Somebody has grabbed it, and is alone to read what is written. */
bool evdev_grabbed(const struct evdev *evdev);
