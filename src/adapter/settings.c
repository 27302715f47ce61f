/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "adapter/settings.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "handover/context.h"
#include "input/event.h"

enum name { DISPLAY, SOCKET, KINDS, LOG, QMP, DEVICE, HEAD, UNGRABBED, HELP, SHOW_VERSION, NAMES };

static const struct {
	const char *name, *value, *about;
	unsigned int programs;
} table[NAMES] = {
	[DISPLAY] = {"display", "ID", "whose input it is", SETTINGS_QMP | SETTINGS_UINPUT},
	[SOCKET] = {"socket", "PATH", "where vfio-displayd answers",
		SETTINGS_QMP | SETTINGS_UINPUT},
	[KINDS] = {"kinds", "LIST", "of keyboard,absolutePointer,relativePointer,touch",
		SETTINGS_QMP | SETTINGS_UINPUT},
	[LOG] = {"log-level", "LEVEL", "err, warning, notice, info or debug",
		SETTINGS_QMP | SETTINGS_UINPUT},
	[QMP] = {"qmp", "PATH", "the socket of QEMU's monitor", SETTINGS_QMP},
	[DEVICE] = {"device", "QDEV", "QEMU's id of the display device whose input it is",
		SETTINGS_QMP},
	[HEAD] = {"head", "N", "which of its heads; 0", SETTINGS_QMP},
	[UNGRABBED] = {"ungrabbed", "drop|send",
		"what is done with events while nobody has grabbed the device; drop",
		SETTINGS_UINPUT},
	[HELP] = {"help", NULL, "shows this", SETTINGS_QMP | SETTINGS_UINPUT},
	[SHOW_VERSION] = {"version", NULL, "shows the version", SETTINGS_QMP | SETTINGS_UINPUT},
};

const char *settings_program_name(enum settings_program program)
{
	return program == SETTINGS_QMP ? "vfio-display-input-qmp" : "vfio-display-input-uinput";
}

void settings_help(enum settings_program program)
{
	printf("Usage: %s --display ID %s[OPTION...]\n\n", settings_program_name(program),
		program == SETTINGS_QMP ? "--qmp PATH " : "");
	for (size_t i = 0; i < NAMES; i++)
		if (table[i].programs & program)
			printf("  --%s%s%-*s %s\n", table[i].name, table[i].value ? " " : "",
				22 - (int)strlen(table[i].name),
				table[i].value ? table[i].value : "", table[i].about);
	printf("\n%s(8) says more.\n", settings_program_name(program));
}

__attribute__((format(printf, 2, 3))) static int wrong(
	enum settings_program program, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", settings_program_name(program));
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return -EINVAL;
}

static int parse_kinds(const char *list, unsigned int *ret)
{
	unsigned int kinds = 0;

	while (*list) {
		size_t length = strcspn(list, ","), kind = 0;
		const char *name;

		while ((name = input_kind_name(kind)) &&
			(strlen(name) != length || strncmp(list, name, length) != 0))
			kind++;
		if (!name)
			return -EINVAL;
		kinds |= 1u << kind;
		list += length + !!list[length];
	}
	*ret = kinds;
	return 0;
}

static int parse_head(const char *text, uint32_t *ret)
{
	char *end;
	unsigned long head = strtoul(text, &end, 10);

	if (!*text || *end || head > 255)
		return -EINVAL;
	*ret = (uint32_t)head;
	return 0;
}

/* An empty value is as if it was not said: a unit's environment has them. */
static int take(struct settings *settings, enum name name, const char *value)
{
	if (!value[0])
		return 0;
	switch (name) {
	case DISPLAY:
		settings->id = value;
		return context_id_valid(value) ? 0 : -EINVAL;
	case SOCKET:
		settings->socket = value;
		return 0;
	case KINDS:
		return parse_kinds(value, &settings->kinds);
	case LOG:
		return log_level_from_name(value, &settings->log_level);
	case QMP:
		settings->qmp = value;
		return 0;
	case DEVICE:
		settings->device = value;
		return 0;
	case HEAD:
		return parse_head(value, &settings->head);
	case UNGRABBED:
		settings->ungrabbed = strcmp(value, "send") == 0;
		return settings->ungrabbed || strcmp(value, "drop") == 0 ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

static void name_options(struct option *options, enum settings_program program)
{
	size_t used = 0;

	for (int i = 0; i < NAMES; i++)
		if (table[i].programs & program)
			options[used++] = (struct option){table[i].name,
				table[i].value ? required_argument : no_argument, NULL, i};
	options[used] = (struct option){0};
}

int settings_read(struct settings *settings, enum settings_program program, int argc, char **argv,
	enum settings_wish *ret_wish)
{
	struct option options[NAMES + 1];
	int name;

	*settings =
		(struct settings){.socket = RUNSTATEDIR "/vfio-displayd/org.vfiodisplay.Display",
			.log_level = LOG_LEVEL_INFO};
	*ret_wish = SETTINGS_RUN;
	name_options(options, program);
	while ((name = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (name == '?')
			return wrong(program, "see --help");
		if (name == HELP || name == SHOW_VERSION)
			*ret_wish = name == HELP ? SETTINGS_HELP : SETTINGS_VERSION;
		else if (take(settings, (enum name)name, optarg) < 0)
			return wrong(program, "--%s: '%s' is not one of its values (%s)",
				table[name].name, optarg, table[name].about);
	}
	if (*ret_wish != SETTINGS_RUN)
		return 0;
	if (optind < argc)
		return wrong(program, "'%s' is no option; see --help", argv[optind]);
	if (!settings->id)
		return wrong(program, "say whose input it is: --display ID");
	if (program == SETTINGS_QMP && !settings->qmp)
		return wrong(program, "say where QEMU's monitor is: --qmp PATH");
	return 0;
}
