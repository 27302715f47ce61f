/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation
 *
 * An input device of the kernel is everybody's: the host's own console types what comes from any keyboard, and a desktop moves its pointer, unless
 * one program has grabbed it (EVIOCGRAB), as QEMU does. So before each group it is asked whether somebody has: a grab of our own that
 * fails says so. One that succeeds is given back at once, the group is thrown away, and for ASK_MS nothing is asked, so that a QEMU that
 * comes at that moment hardly ever finds the device grabbed by us. What is down when a grab ends is let go at once: a release
 * types nothing anywhere.
 */
#include "adapter/uinput.h"

#include <errno.h>
#include <linux/input-event-codes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "adapter/evdev.h"
#include "adapter/held.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"

enum { ASK_MS = 100, PLACE_MOST = 32767 };

struct uinput {
	struct uinput_settings settings;
	struct loop_source *source;
	uinput_leds_fn leds_fn;
	void *arg;
	struct evdev *evdev;
	struct held held;
	uint32_t leds;
	uint64_t
		alone_ms; /* when it was found that nobody had grabbed it; 0: somebody has, or it was not asked */
	bool told; /* the log says so */
};

/* ---- What goes to it ---- */

static void write_group(struct uinput *uinput, const struct group *group)
{
	int r = 0;

	for (size_t i = 0; i < group->used && r == 0; i++)
		r = evdev_write(uinput->evdev, group->events[i].type, group->events[i].code,
			group->events[i].value);
	if (r == 0)
		r = evdev_write(uinput->evdev, EV_SYN, SYN_REPORT, 0);
	if (r < 0) /* the kernel takes as many as there are: this is its memory, or the device is no more */
		log_warn(uinput->settings.id, "%s: %s", evdev_node(uinput->evdev), strerror(-r));
	held_sent(&uinput->held, group);
}

void uinput_release(struct uinput *uinput)
{
	struct group group;

	held_let_go(&uinput->held);
	while (held_settle(&uinput->held, &group))
		write_group(uinput, &group);
}

/* Whether what is written now is read by a VMM alone. */
static bool is_grabbed(struct uinput *uinput)
{
	uint64_t now = loop_now_ms();

	if (uinput->alone_ms && now - uinput->alone_ms < ASK_MS)
		return false;
	uinput->alone_ms = evdev_grabbed(uinput->evdev) ? 0 : now;
	if (!uinput->alone_ms == uinput->told)
		log_notice(uinput->settings.id,
			uinput->told ? "%s is grabbed"
				     : "nobody has grabbed %s: what is typed there is thrown away",
			evdev_node(uinput->evdev));
	uinput->told = uinput->alone_ms;
	return !uinput->alone_ms;
}

void uinput_send(struct uinput *uinput, const struct group *group)
{
	if (uinput->settings.ungrabbed || is_grabbed(uinput))
		return write_group(uinput, group);
	if (held_any(&uinput->held))
		uinput_release(uinput);
}

/* ---- What it is ---- */

static const char *kind_word(enum input_kind kind)
{
	static const char *const words[] = {
		[INPUT_KEYBOARD] = "keyboard",
		[INPUT_ABSOLUTE_POINTER] = "tablet",
		[INPUT_RELATIVE_POINTER] = "mouse",
		[INPUT_TOUCH] = "touch",
	};

	return words[kind];
}

static bool takes(const void *arg, uint16_t type, uint16_t code)
{
	const struct uinput *uinput = arg;

	return input_takes(uinput->settings.kind, type, code);
}

static int make_device(struct uinput *uinput)
{
	const struct uinput_settings *settings = &uinput->settings;
	char name[48 + LIMIT_ID_CHARS], path[48 + LIMIT_ID_CHARS];
	const struct evdev_model model = {
		.name = name,
		.path = path,
		.product = (uint16_t)(settings->kind + 1),
		.leds = settings->kind == INPUT_KEYBOARD,
		.direct = settings->kind == INPUT_TOUCH,
		.pointer = settings->kind == INPUT_ABSOLUTE_POINTER ||
			   settings->kind == INPUT_RELATIVE_POINTER,
		.contacts = LIMIT_INPUT_CONTACTS,
		.most = PLACE_MOST,
		.takes = takes,
		.arg = uinput,
	};

	/* The kernel cuts names at 80. */
	snprintf(name, sizeof(name), "vfio-displayd %.50s %s", settings->id,
		kind_word(settings->kind));
	snprintf(
		path, sizeof(path), "vfio-displayd/%s-%s", settings->id, kind_word(settings->kind));
	return evdev_create(&model, &uinput->evdev);
}

static void on_readable(int fd, unsigned int events, void *arg)
{
	struct uinput *uinput = arg;
	uint32_t leds = uinput->leds;

	evdev_read_leds(uinput->evdev, &leds);
	if (leds == uinput->leds)
		return;
	uinput->leds = leds;
	uinput->leds_fn(uinput->arg, leds);
}

static const char *what_to_do(int error)
{
	if (access("/dev/uinput", F_OK) < 0)
		return "; 'modprobe uinput' makes it";
	return error == -EACCES || error == -EPERM ? "; it and /dev/input/event* are to be opened: "
						     "run this as root, or in their groups"
						   : "";
}

int uinput_create(struct loop *loop, const struct uinput_settings *settings, uinput_leds_fn leds,
	void *arg, struct uinput **ret)
{
	struct uinput *uinput = new0(struct uinput);
	int r;

	if (!uinput)
		return -ENOMEM;
	uinput->settings = *settings;
	uinput->leds_fn = leds;
	uinput->arg = arg;
	r = make_device(uinput);
	if (r == 0 && settings->kind == INPUT_KEYBOARD)
		r = loop_fd_add(loop, evdev_fd(uinput->evdev), LOOP_READ, on_readable, uinput,
			&uinput->source);
	if (r < 0) {
		log_err(settings->id, "cannot make a %s with /dev/uinput: %s%s",
			kind_word(settings->kind), strerror(-r), what_to_do(r));
		uinput_destroy(uinput);
		return r;
	}
	log_info(settings->id, "its %s is %s, /dev/input/vfio-displayd/%s-%s by udev",
		kind_word(settings->kind), evdev_node(uinput->evdev), settings->id,
		kind_word(settings->kind));
	*ret = uinput;
	return 0;
}

void uinput_destroy(struct uinput *uinput)
{
	if (!uinput)
		return;
	loop_source_free(uinput->source);
	evdev_destroy(uinput->evdev);
	free(uinput);
}
