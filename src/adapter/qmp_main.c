/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vfio-display-input-qmp: carries a display's keys and pointer to QEMU's monitor, a socket that vfio-displayd is never to have: whoever holds it
 * owns the VM, whereas what comes from the daemon can do nothing but type.
 */
#include "adapter/program.h"
#include "adapter/typist.h"
#include "base/loop.h"
#include "base/mem.h"

static struct program *us;
static struct typist *typist;

static void on_changed(void *arg, bool connected)
{
	program_tell(us, connected ? "viewers can type" : "waits for QEMU, or for vfio-displayd");
}

static void on_done(void *arg)
{
	loop_stop(us->loop);
}

static int begin(struct program *program)
{
	const struct settings *settings = program->settings;
	const struct typist_settings of_typist = {
		.post = {settings->socket, settings->id},
		.qmp = {settings->qmp, settings->id, settings->device, settings->head},
		.kinds = settings->kinds,
		.changed = on_changed,
		.done = on_done,
	};

	us = program;
	on_changed(NULL, false);
	return typist_create(program->loop, &of_typist, &typist);
}

static void stop(void)
{
	typist_stop(typist);
}

static void finish(void)
{
	typist_destroy(take_ptr(typist));
}

int main(int argc, char **argv)
{
	static const struct program_row row = {SETTINGS_QMP, begin, stop, finish};

	return program_run(&row, argc, argv);
}
