/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <getopt.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "ctl/complain.h"
#include "ctl/ctl.h"
#include "ctl/number.h"
#include "ctl/offer.h"
#include "ctl/process.h"
#include "ctl/table.h"
#include "ctl/verbs.h"
#include "vfio/guard.h"

enum { OPTION_PID = OFFER_LAST, OPTION_DEVICE, OPTION_LIST };

const struct option_row adopt_options[] = {
	{"pid", OPTION_PID, 0, "PID", NULL, "the VMM's process"},
	{"device", OPTION_DEVICE, 0, "N", NULL, "its descriptor, where it has several displays"},
	{"list", OPTION_LIST, 0, NULL, NULL, "show its VFIO devices and take none"},
	OFFER_OPTIONS,
	{0},
};

struct adoption {
	struct offer offer;
	struct process process;
	char about[24];	 /* "process 1234" */
	int pid, device; /* -1: not given */
	bool list;
};

static int take_number(const char *name, int least, int *ret)
{
	int value;

	if (number_parse(optarg, &value) < 0 || value < least)
		return complain_usage(
			"adopt", "--%s takes a number from %d on, not %s", name, least, optarg);
	*ret = value;
	return CTL_OK;
}

static int take_option(struct adoption *adoption, int option, const char *name)
{
	switch (option) {
	case OPTION_PID:
		return take_number(name, 1, &adoption->pid);
	case OPTION_DEVICE:
		return take_number(name, 0, &adoption->device);
	case OPTION_LIST:
		adoption->list = true;
		return CTL_OK;
	}
	return offer_option(&adoption->offer, option, name, optarg);
}

/* A display needs a name that says where it comes from: the daemon's own choice would not. */
static int take_id(struct adoption *adoption, int argc, char **argv)
{
	struct offer *offer = &adoption->offer;
	char id[24];

	if (argc - optind > 1)
		return complain_usage("adopt", "takes one id, not '%s' too", argv[optind + 1]);
	if (optind < argc && json_object_get(offer->context, "id"))
		return complain_usage("adopt", "takes one id: '%s' or that of --id", argv[optind]);
	if (optind < argc)
		return offer_option(offer, OFFER_ID, "id", argv[optind]);
	if (json_object_get(offer->context, "id"))
		return CTL_OK;
	snprintf(id, sizeof(id), "pid-%d", adoption->pid);
	return offer_option(offer, OFFER_ID, "id", id);
}

static int parse_options(struct ctl *ctl, struct adoption *adoption, int argc, char **argv)
{
	const struct option_row *row;
	int status, wrong = CTL_OK;

	while (wrong == CTL_OK && (row = option_next(ctl, adopt_options, argc, argv, &status)))
		wrong = take_option(adoption, row->value, row->name);
	if (wrong != CTL_OK || status != CTL_OK)
		return wrong != CTL_OK ? wrong : status;
	if (adoption->pid < 0)
		return complain_usage("adopt", "a process is missing; give --pid PID");
	snprintf(adoption->about, sizeof(adoption->about), "process %d", adoption->pid);
	return take_id(adoption, argc, argv);
}

/* What the Yama security module says about who may take descriptors; 0 where there is none. */
static int yama_scope(void)
{
	FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int scope = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%d", &scope) != 1)
		scope = 0;
	fclose(file);
	return scope;
}

static void complain_permission(const char *about)
{
	int scope = yama_scope();

	if (scope >= 3)
		complain(about,
			"nobody may take its descriptors until the next boot: "
			"kernel.yama.ptrace_scope is %d; let the VMM hand its device over itself",
			scope);
	else if (scope > 0)
		complain(about,
			"you may not take its descriptors; be root (CAP_SYS_PTRACE): "
			"kernel.yama.ptrace_scope is %d",
			scope);
	else
		complain(about,
			"you may not take its descriptors; be root (CAP_SYS_PTRACE), or the user "
			"that runs it");
}

static int complain_process(const char *about, int error)
{
	switch (error) {
	case -ESRCH:
		complain(about, "there is no such process, or it has ended");
		return CTL_NOT_FOUND;
	case -EINVAL:
		complain(about, "this is a thread; give the id of its process");
		break;
	case -EACCES:
		complain(about, "you may not see its descriptors; be root (CAP_SYS_PTRACE), or "
				"the user that runs it");
		return CTL_DENIED;
	case -EPERM:
		complain_permission(about);
		return CTL_DENIED;
	case -ENOSYS:
		complain(about, "this kernel cannot take descriptors of a process; Linux 5.6 can");
		break;
	case -E2BIG:
		complain(about, "it has more than %d VFIO devices open; choose one with --device N",
			LIMIT_ADOPT_DEVICES);
		break;
	default:
		complain(about, "cannot take its descriptors: %s", strerror(-error));
	}
	return CTL_FAILED;
}

static bool has_display(const struct process_device *device)
{
	return device->display == PROCESS_DISPLAY_DMABUF ||
	       device->display == PROCESS_DISPLAY_REGION;
}

/* "12 (anon_inode:[vfio-device], dmabuf), 14 (...)" */
static void name_devices(const struct process *process, char *text, size_t size)
{
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < process->devices_used && n < size; i++) {
		const struct process_device *device = &process->devices[i];
		int more = snprintf(text + n, size - n, "%s%d (%s, %s)", i ? ", " : "",
			device->number, device->link, process_display_name(device->display));

		n += more < 0 ? 0 : (size_t)more;
	}
}

/* The one that was asked for, which the daemon may wait for. */
static struct process_device *chosen_device(struct adoption *adoption)
{
	struct process_device *device = adoption->process.devices;

	if (adoption->process.devices_used == 0) {
		complain(adoption->about,
			"its descriptor %d is no VFIO device; 'adopt --pid %d --list' shows those "
			"that are",
			adoption->device, adoption->pid);
		return NULL;
	}
	if (has_display(device) || device->display == PROCESS_DISPLAY_UNBOUND)
		return device;
	complain(adoption->about, "the VFIO device of its descriptor %d %s", device->number,
		device->display == PROCESS_DISPLAY_NONE	    ? "has no display"
		: device->display == PROCESS_DISPLAY_SILENT ? "does not answer"
							    : "answers with errors");
	return NULL;
}

static struct process_device *only_device(struct adoption *adoption)
{
	struct process_device *found = NULL;
	char names[768];
	size_t displays = 0;

	for (size_t i = 0; i < adoption->process.devices_used; i++) {
		if (!has_display(&adoption->process.devices[i]))
			continue;
		found = &adoption->process.devices[i];
		displays++;
	}
	if (displays == 1)
		return found;
	name_devices(&adoption->process, names, sizeof(names));
	if (adoption->process.devices_used == 0)
		complain(adoption->about, "it has no VFIO device open");
	else if (displays == 0)
		complain(adoption->about, "no VFIO device of it has a display: %s", names);
	else
		complain(adoption->about,
			"several VFIO devices of it have a display; choose one with --device N: %s",
			names);
	return NULL;
}

static int print_devices(const struct ctl *ctl, const struct process *process)
{
	struct table table = {.heads = {"DESCRIPTOR", "DEVICE", "DISPLAY"}};
	int error = 0;

	for (size_t i = 0; i < process->devices_used; i++) {
		const struct process_device *device = &process->devices[i];
		const char *display = process_display_name(device->display);
		char number[16];

		snprintf(number, sizeof(number), "%d", device->number);
		if (ctl->json) {
			json_t *json = json_pack("{s:i, s:s, s:s}", "descriptor", device->number,
				"device", device->link, "display", display);

			error |= json ? 0 : -1;
			json_line(json);
			json_decref(json);
		} else {
			error |= table_add(&table,
				(const char *const[TABLE_COLUMNS]){number, device->link, display});
		}
	}
	if (error)
		complain(NULL, "out of memory");
	else if (!ctl->json)
		table_print(&table, stdout);
	table_finish(&table);
	return error ? CTL_FAILED : CTL_OK;
}

/* The offer gains the device, and the process as its lease. */
static int take_device(struct adoption *adoption, struct process_device *device)
{
	int status;

	if (!process_alive(&adoption->process))
		return complain_process(adoption->about, -ESRCH);
	status = offer_add_fd(&adoption->offer, "deviceFileDescriptorIndex", take_fd(&device->fd));
	if (status == CTL_OK)
		status = offer_add_fd(&adoption->offer, "leaseFileDescriptorIndex",
			take_fd(&adoption->process.pidfd));
	return status;
}

static int adopt(const struct ctl *ctl, struct adoption *adoption)
{
	struct process_device *device;
	int status;
	int r;

	/* A mistake here must not reach a running guest's device. Where there is no seccomp, care must do. */
	vfio_guard_install();
	r = process_open(&adoption->process, adoption->pid);
	if (r >= 0)
		r = process_scan(&adoption->process, &process_kernel, adoption->device);
	if (r < 0)
		return complain_process(adoption->about, r);
	if (adoption->list)
		return print_devices(ctl, &adoption->process);
	device = adoption->device >= 0 ? chosen_device(adoption) : only_device(adoption);
	if (!device)
		return CTL_FAILED;
	status = take_device(adoption, device);
	return status == CTL_OK ? offer_register(ctl, &adoption->offer) : status;
}

int verb_adopt(struct ctl *ctl, int argc, char **argv)
{
	struct adoption adoption = {.pid = -1, .device = -1, .process.pidfd = -EBADF};
	int status;

	offer_init(&adoption.offer, "adopt");
	status = parse_options(ctl, &adoption, argc, argv);
	if (status == CTL_OK)
		status = adopt(ctl, &adoption);
	process_finish(&adoption.process);
	offer_finish(&adoption.offer);
	return status;
}
