/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "adapter/program.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "adapter/sandbox.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"

/* What a service manager does not start again, as of vfio-displayd. */
#define EXIT_USAGE 2

/* Four devices with their sockets, the peers, and what the loop has. */
enum { FILES = 64 };

static const struct program_row *running;

static void on_signal(void *arg)
{
	running->stop();
}

static int add_signals(struct program *program)
{
	int r = loop_signal_add(program->loop, SIGTERM, on_signal, program, &program->signals[0]);

	signal(SIGPIPE, SIG_IGN);
	return r < 0 ? r
		     : loop_signal_add(
			       program->loop, SIGINT, on_signal, program, &program->signals[1]);
}

void program_tell(struct program *program, const char *status)
{
	char text[160];
	int n = snprintf(text, sizeof(text), "STATUS=%s", status);

	messenger_send(&program->messenger, text, (size_t)n, -EBADF);
}

static int run(struct program *program)
{
	static const char ready[] = "READY=1", stopping[] = "STOPPING=1";
	const struct rlimit files = {FILES, FILES};
	int r = add_signals(program);

	if (r == 0)
		r = messenger_init(&program->messenger);
	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		log_warn(NULL, "cannot confine itself: %m");
	if (r == 0)
		r = running->begin(program);
	/* This line opens the way to the journal, which the sandbox would not let us find. */
	if (r == 0)
		log_info(program->settings->id, "its input is carried");
	if (r == 0)
		r = adapter_sandbox_enter();
	if (r < 0)
		return r;
	messenger_send(&program->messenger, ready, sizeof(ready) - 1, -EBADF);
	r = loop_run(program->loop);
	messenger_send(&program->messenger, stopping, sizeof(stopping) - 1, -EBADF);
	return r;
}

static int run_with(const struct settings *settings)
{
	struct program program = {.settings = settings, .messenger = {.fd = -EBADF}};
	int r = loop_create(&program.loop);

	if (r < 0)
		return r;
	r = run(&program);
	running->finish();
	for (size_t i = 0; i < ARRAY_SIZE(program.signals); i++)
		loop_source_free(program.signals[i]);
	messenger_finish(&program.messenger);
	loop_destroy(program.loop);
	return r;
}

int program_run(const struct program_row *row, int argc, char **argv)
{
	const char *name = settings_program_name(row->program);
	enum settings_wish wish;
	struct settings settings;
	int r;

	running = row;
	if (settings_read(&settings, row->program, argc, argv, &wish) < 0)
		return EXIT_USAGE;
	if (wish == SETTINGS_HELP) {
		settings_help(row->program);
		return EXIT_SUCCESS;
	}
	if (wish == SETTINGS_VERSION) {
		printf("%s %s\n", name, PACKAGE_VERSION);
		return EXIT_SUCCESS;
	}
	log_open(name, settings.log_level);
	r = run_with(&settings);
	if (r < 0)
		log_err(settings.id, "cannot go on: %s", strerror(-r));
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
