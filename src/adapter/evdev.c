/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "adapter/evdev.h"

#include <libevdev/libevdev-uinput.h>
#include <libevdev/libevdev.h>
#include <linux/uinput.h>
#include <sys/ioctl.h>
#include <time.h>

#include "base/fd.h"
#include "base/mem.h"

enum {
	VENDOR = 0x1209,
	MODEL = 1,
	TRACKING_MOST = 0xffff,
	NODE_TRIES = 100,
	NODE_WAIT_NS = 20000000
};

struct evdev {
	int fd;	    /* owned: of /dev/uinput */
	int reader; /* owned: of the device itself, to ask who has grabbed it */
	struct libevdev_uinput *device;
};

static void enable(struct libevdev *device, const struct evdev_model *model, unsigned int type,
	unsigned int most)
{
	for (unsigned int code = 0; code <= most; code++) {
		struct input_absinfo range = {.maximum = model->most};

		if (code == ABS_MT_SLOT)
			range.maximum = model->contacts - 1;
		else if (code == ABS_MT_TRACKING_ID)
			range.maximum = TRACKING_MOST;
		if (model->takes(model->arg, (uint16_t)type, (uint16_t)code))
			libevdev_enable_event_code(
				device, type, code, type == EV_ABS ? &range : NULL);
	}
}

static struct libevdev *describe(const struct evdev_model *model)
{
	struct libevdev *device = libevdev_new();

	if (!device)
		return NULL;
	libevdev_set_name(device, model->name);
	libevdev_set_id_bustype(device, BUS_VIRTUAL);
	libevdev_set_id_vendor(device, VENDOR);
	libevdev_set_id_product(device, model->product);
	libevdev_set_id_version(device, MODEL);
	enable(device, model, EV_KEY, KEY_MAX);
	enable(device, model, EV_REL, REL_MAX);
	enable(device, model, EV_ABS, ABS_MAX);
	for (unsigned int led = 0; model->leds && led <= LED_SCROLLL; led++)
		libevdev_enable_event_code(device, EV_LED, led, NULL);
	if (model->direct)
		libevdev_enable_property(device, INPUT_PROP_DIRECT);
	if (model->pointer)
		libevdev_enable_property(device, INPUT_PROP_POINTER);
	return device;
}

/* udev gives it its group, a moment after it is there. */
static int open_reader(const char *node)
{
	const struct timespec moment = {.tv_nsec = NODE_WAIT_NS};
	int fd = -EBADF;

	for (int i = 0; node && i < NODE_TRIES; i++) {
		fd = open(node, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd >= 0 || (errno != ENOENT && errno != EACCES))
			break;
		nanosleep(&moment, NULL);
	}
	return !node ? -ENODEV : fd < 0 ? -errno : fd;
}

static int evdev_open(struct evdev *evdev, const struct evdev_model *model)
{
	struct libevdev *device = describe(model);
	int r;

	if (!device)
		return -ENOMEM;
	evdev->fd = open("/dev/uinput", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	r = evdev->fd < 0 || ioctl(evdev->fd, UI_SET_PHYS, model->path) < 0 ? -errno : 0;
	if (r == 0)
		r = libevdev_uinput_create_from_device(device, evdev->fd, &evdev->device);
	libevdev_free(device);
	if (r < 0)
		return r;
	evdev->reader = open_reader(evdev_node(evdev));
	return evdev->reader < 0 ? evdev->reader : 0;
}

int evdev_create(const struct evdev_model *model, struct evdev **ret)
{
	struct evdev *evdev = new0(struct evdev);
	int r;

	if (!evdev)
		return -ENOMEM;
	evdev->fd = evdev->reader = -EBADF;
	r = evdev_open(evdev, model);
	if (r < 0) {
		evdev_destroy(evdev);
		return r;
	}
	*ret = evdev;
	return 0;
}

void evdev_destroy(struct evdev *evdev)
{
	if (!evdev)
		return;
	fd_close(evdev->reader);
	libevdev_uinput_destroy(evdev->device);
	fd_close(evdev->fd);
	free(evdev);
}

const char *evdev_node(const struct evdev *evdev)
{
	return libevdev_uinput_get_devnode(evdev->device);
}

int evdev_fd(const struct evdev *evdev)
{
	return evdev->fd;
}

int evdev_write(struct evdev *evdev, uint16_t type, uint16_t code, int32_t value)
{
	return libevdev_uinput_write_event(evdev->device, type, code, value);
}

void evdev_read_leds(struct evdev *evdev, uint32_t *leds)
{
	struct input_event events[32];
	ssize_t n = read(evdev->fd, events, sizeof(events));

	for (ssize_t i = 0; i < n / (ssize_t)sizeof(events[0]); i++)
		if (events[i].type == EV_LED && events[i].code <= LED_MAX)
			*leds = events[i].value ? *leds | 1u << events[i].code
						: *leds & ~(1u << events[i].code);
}

bool evdev_grabbed(const struct evdev *evdev)
{
	if (ioctl(evdev->reader, EVIOCGRAB, 1) < 0)
		return errno == EBUSY;
	ioctl(evdev->reader, EVIOCGRAB, 0);
	return false;
}
