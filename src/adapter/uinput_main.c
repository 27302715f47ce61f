/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vfio-display-input-uinput: makes a display's keyboard and pointers devices of the host's kernel, for a VMM that takes those (QEMU's input-linux and
 * virtio-input-host-pci). They are there from the start until the end of this program, whatever becomes of the daemon: a VMM opens them once.
 */
#include "adapter/post.h"
#include "adapter/program.h"
#include "adapter/uinput.h"
#include "base/loop.h"
#include "base/mem.h"

static struct program *us;
static struct post *post;
static struct uinput *devices[LIMIT_INPUTS];
static struct loop_source *leaving;

enum { LEAVE_MS = 100 };

static void release_all(void)
{
	for (size_t kind = 0; kind < LIMIT_INPUTS; kind++)
		if (devices[kind])
			uinput_release(devices[kind]);
}

static void on_leds(void *arg, uint32_t leds)
{
	if (post)
		post_leds(post, leds);
}

static void on_group(void *arg, const struct group *group)
{
	uinput_send(devices[group->kind], group);
}

static void on_changed(void *arg, bool connected)
{
	if (!connected)
		release_all();
	program_tell(us, connected ? "viewers can type" : "waits for vfio-displayd");
}

static int begin(struct program *program)
{
	static const struct post_events events = {.group = on_group, .changed = on_changed};
	const struct settings *settings = program->settings;
	const struct post_settings of_post = {settings->socket, settings->id};
	unsigned int kinds = settings->kinds;
	int r = 0;

	us = program;
	if (!kinds)
		kinds = 1u << INPUT_KEYBOARD | 1u << INPUT_ABSOLUTE_POINTER;
	for (size_t kind = 0; kind < LIMIT_INPUTS && r == 0; kind++) {
		const struct uinput_settings of_device = {
			settings->id, (enum input_kind)kind, settings->ungrabbed};

		if (kinds >> kind & 1)
			r = uinput_create(program->loop, &of_device, on_leds, NULL, &devices[kind]);
	}
	if (r == 0)
		r = post_create(program->loop, &of_post, &events, NULL, &post);
	if (r < 0)
		return r;
	program_tell(program, "waits for vfio-displayd");
	post_offer(post, kinds);
	return 0;
}

static void on_left(void *arg)
{
	loop_stop(us->loop);
}

/* What a reader has not read when a device goes, it never reads. */
static void stop(void)
{
	post_offer(post, 0);
	release_all();
	if (loop_timer_add(us->loop, on_left, NULL, &leaving) < 0)
		return loop_stop(us->loop);
	loop_timer_once(leaving, LEAVE_MS);
}

static void finish(void)
{
	loop_source_free(take_ptr(leaving));
	post_destroy(take_ptr(post));
	for (size_t kind = 0; kind < LIMIT_INPUTS; kind++)
		uinput_destroy(take_ptr(devices[kind]));
}

int main(int argc, char **argv)
{
	static const struct program_row row = {SETTINGS_UINPUT, begin, stop, finish};

	return program_run(&row, argc, argv);
}
