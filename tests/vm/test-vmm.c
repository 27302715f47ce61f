/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-vmm - a VMM without a guest: opens one mdev display, plays the guest's driver and hands the device to vfio-displayd.
 *
 * Reads commands from stdin, one a line, and answers each with one line: "ok ..." or "error ...". Ends with stdin.
 *
 *	open UUID			close
 *	mode W H [STRIDE_PIXELS]	on | off | reset
 *	paint PATTERN SEED [X Y W H]	readback
 *	register ID LEASE [eventfd] [listen=ADDRESS]	LEASE: connection, pidfd, pipe
 *	signal				unregister | drop (connection, pipe and eventfd, without a word)
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "guest_device.h"
#include "pattern.h"
#include "registration.h"

#define WORDS_MAXIMUM 8

struct vmm {
	const char *socket_path;
	struct guest_device device;
	struct registration registration;
	char text[1024]; /* of the answer */
};

struct command {
	const char *name;
	int words_minimum; /* with the name */
	int (*run)(struct vmm *vmm, int count, char **words);
};

static int number(const char *word, uint32_t *ret)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(word, &end, 10);
	if (errno || *end || end == word || value > UINT32_MAX)
		return -EINVAL;
	*ret = (uint32_t)value;
	return 0;
}

static int numbers(int count, char **words, uint32_t *ret)
{
	for (int i = 0; i < count; i++)
		if (number(words[i], &ret[i]) < 0)
			return -EINVAL;
	return 0;
}

static int run_open(struct vmm *vmm, int count, char **words)
{
	int r = guest_device_open(&vmm->device, words[1]);

	if (r == 0)
		snprintf(vmm->text, sizeof(vmm->text), "%ux%u", vmm->device.width,
			vmm->device.height);
	return r;
}

static int run_close(struct vmm *vmm, int count, char **words)
{
	guest_device_close(&vmm->device);
	return 0;
}

static int run_mode(struct vmm *vmm, int count, char **words)
{
	uint32_t mode[3] = {0};

	if (numbers(MIN(count - 1, 3), words + 1, mode) < 0)
		return -EINVAL;
	return guest_device_set_mode(&vmm->device, mode[0], mode[1], count > 3 ? mode[2] : mode[0]);
}

static int run_on(struct vmm *vmm, int count, char **words)
{
	return guest_device_enable(&vmm->device, true);
}

static int run_off(struct vmm *vmm, int count, char **words)
{
	return guest_device_enable(&vmm->device, false);
}

static int run_reset(struct vmm *vmm, int count, char **words)
{
	return guest_device_reset(&vmm->device);
}

static int run_paint(struct vmm *vmm, int count, char **words)
{
	uint32_t area[4] = {0, 0, vmm->device.width, vmm->device.height}, seed;
	const struct pattern *pattern = pattern_find(words[1]);

	if (!pattern || number(words[2], &seed) < 0)
		return -EINVAL;
	if (count > 3 && (count != 7 || numbers(4, words + 3, area) < 0))
		return -EINVAL;
	return guest_device_paint(&vmm->device, pattern, seed, area[0], area[1], area[2], area[3]);
}

static int run_readback(struct vmm *vmm, int count, char **words)
{
	size_t different = 0;
	int r = guest_device_read_back(&vmm->device, vmm->text, sizeof(vmm->text), &different);

	if (r == 0 && different) {
		snprintf(vmm->text, sizeof(vmm->text), "%zu bytes differ", different);
		return -EBADMSG;
	}
	return r;
}

static int run_register(struct vmm *vmm, int count, char **words)
{
	static const char *const leases[] = {
		[LEASE_CONNECTION] = "connection",
		[LEASE_PIDFD] = "pidfd",
		[LEASE_PIPE] = "pipe",
	};
	struct registration_options options = {.socket_path = vmm->socket_path, .id = words[1]};
	size_t lease = 0;

	while (lease < ARRAY_SIZE(leases) && strcmp(leases[lease], words[2]))
		lease++;
	if (lease == ARRAY_SIZE(leases))
		return -EINVAL;
	options.lease = (enum lease_kind)lease;
	for (int i = 3; i < count; i++) {
		if (!strcmp(words[i], "eventfd"))
			options.change = true;
		else if (!strncmp(words[i], "listen=", 7))
			options.listen = words[i] + 7;
		else
			return -EINVAL;
	}
	return registration_make(
		&vmm->registration, &options, vmm->device.device, vmm->text, sizeof(vmm->text));
}

static int run_signal(struct vmm *vmm, int count, char **words)
{
	return registration_signal(&vmm->registration);
}

static int run_unregister(struct vmm *vmm, int count, char **words)
{
	return registration_end(&vmm->registration, vmm->socket_path, vmm->text, sizeof(vmm->text));
}

static int run_drop(struct vmm *vmm, int count, char **words)
{
	registration_finish(&vmm->registration);
	return 0;
}

static const struct command commands[] = {
	{"open", 2, run_open},
	{"close", 1, run_close},
	{"mode", 3, run_mode},
	{"on", 1, run_on},
	{"off", 1, run_off},
	{"reset", 1, run_reset},
	{"paint", 3, run_paint},
	{"readback", 1, run_readback},
	{"register", 3, run_register},
	{"signal", 1, run_signal},
	{"unregister", 1, run_unregister},
	{"drop", 1, run_drop},
};

static int run_line(struct vmm *vmm, char *line)
{
	char *words[WORDS_MAXIMUM], *rest = NULL;
	int count = 0;

	for (char *word = strtok_r(line, " \n", &rest); word && count < WORDS_MAXIMUM;
		word = strtok_r(NULL, " \n", &rest))
		words[count++] = word;
	vmm->text[0] = 0;
	for (size_t i = 0; count && i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, words[0]) && count >= commands[i].words_minimum)
			return commands[i].run(vmm, count, words);
	return -ENOSYS;
}

int main(int argc, char **argv)
{
	struct vmm vmm = {.socket_path = argc > 1 ? argv[1]
						  : RUNSTATEDIR
						 "/vfio-displayd/org.vfiodisplay.Display",
		.device = {.container = -EBADF, .group = -EBADF, .device = -EBADF}};
	char line[512];

	registration_init(&vmm.registration);
	while (fgets(line, sizeof(line), stdin)) {
		int r = run_line(&vmm, line);

		if (r < 0)
			printf("error %s: %s\n", strerror(-r), vmm.text);
		else
			printf("ok %s\n", vmm.text);
		fflush(stdout);
	}
	registration_finish(&vmm.registration);
	guest_device_close(&vmm.device);
	return 0;
}
