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

static void wait_for_turn(struct program *program)
{
	uint64_t rest = herald_rest(&program->herald);

	if (program->turn && rest < UINT64_MAX)
		loop_timer_once(program->turn, rest);
}

static void on_turn(void *arg)
{
	struct program *program = arg;

	herald_turn(&program->herald);
	wait_for_turn(program);
}

void program_tell(struct program *program, const char *status)
{
	herald_status(&program->herald, "%s", status);
	wait_for_turn(program);
}

static int run(struct program *program)
{
	const struct rlimit files = {FILES, FILES};
	int r = add_signals(program);

	if (r == 0)
		r = loop_timer_add(program->loop, on_turn, program, &program->turn);
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
	herald_ready(&program->herald);
	wait_for_turn(program);
	r = loop_run(program->loop);
	herald_stopping(&program->herald);
	return r;
}

static int run_with(const struct settings *settings)
{
	struct program program = {.settings = settings};
	int r = loop_create(&program.loop);

	if (r < 0)
		return r;
	herald_init(&program.herald);
	r = run(&program);
	running->finish();
	loop_source_free(program.turn);
	for (size_t i = 0; i < ARRAY_SIZE(program.signals); i++)
		loop_source_free(program.signals[i]);
	herald_finish(&program.herald);
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
