/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sinks between a caller and VMMs that read, write and go as they like. Whatever they do, what a VMM reads is whole groups, and when it has read
 * all there is, no key is down there that was let go.
 */
#include <linux/input-event-codes.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/loop.h"
#include "base/mem.h"
#include "input/inputs.h"
#include "input/sink.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *at;
	size_t left;
};

static uint8_t next(struct input *input)
{
	return input->left ? (input->left--, *input->at++) : 0;
}

/* What one VMM has read. */
struct vmm {
	int fd;
	uint8_t record[INPUT_RECORD_BYTES];
	size_t used;
	bool whole; /* the last one ended a group */
	bool down[LIMIT_INPUT_KEYS], wanted[LIMIT_INPUT_KEYS];
};

static struct loop *loop;
static struct loop_source *timer;
static struct vmm vmms[LIMIT_INPUTS];

static void on_lost(void *arg, size_t n, const char *why)
{
	assert(n < LIMIT_INPUTS && why);
}

static void on_leds(void *arg)
{
}

static const struct inputs_events events = {.lost = on_lost, .leds = on_leds};

static void stop(void *arg)
{
	loop_stop(arg);
}

static void turn(void)
{
	loop_timer_once(timer, 0);
	loop_run(loop);
}

static void begin(struct inputs *inputs)
{
	struct handover_input from[LIMIT_INPUTS];

	inputs_init(inputs, loop, &events, NULL);
	for (size_t i = 0; i < LIMIT_INPUTS; i++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
			abort();
		from[i] = (struct handover_input){pair[0], (enum input_kind)i, 0xffff, 0xffff};
		vmms[i] = (struct vmm){.fd = pair[1], .whole = true};
	}
	if (inputs_set(inputs, from, LIMIT_INPUTS) < 0)
		abort();
}

static void take_record(struct vmm *vmm)
{
	struct input_event event = input_unpack(vmm->record);

	vmm->whole = input_is_report(&event);
	assert(vmm->whole || event.type == EV_KEY || event.type == EV_REL || event.type == EV_ABS);
	if (event.type == EV_KEY)
		vmm->down[event.code] = event.value;
}

/* True: there was something. */
static bool vmm_read(struct vmm *vmm, size_t max)
{
	uint8_t bytes[256];
	ssize_t n = recv(vmm->fd, bytes, MIN(max, sizeof(bytes)), MSG_DONTWAIT);

	for (ssize_t i = 0; i < n; i++) {
		vmm->record[vmm->used++] = bytes[i];
		if (vmm->used == sizeof(vmm->record)) {
			vmm->used = 0;
			take_record(vmm);
		}
	}
	return n > 0;
}

static void vmm_write(struct vmm *vmm, struct input *input)
{
	uint8_t bytes[64];
	size_t n = next(input) % sizeof(bytes);

	for (size_t i = 0; i < n; i++)
		bytes[i] = next(input);
	send(vmm->fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void call(struct inputs *inputs, struct input *input)
{
	static const uint16_t types[] = {EV_KEY, EV_KEY, EV_KEY, EV_REL, EV_ABS, EV_ABS, EV_SYN};
	static const uint16_t bases[] = {0, BTN_LEFT, ABS_MT_SLOT, BTN_TOUCH, KEY_OK};
	enum input_kind kind = (enum input_kind)(next(input) % LIMIT_INPUTS);
	struct input_event list[LIMIT_INPUT_EVENTS];
	unsigned int times = next(input);
	size_t n = next(input) % ARRAY_SIZE(list);

	for (size_t i = 0; i < n; i++) {
		uint8_t choice = next(input);

		list[i].type = types[choice % ARRAY_SIZE(types)];
		list[i].code = (uint16_t)(bases[choice / 8 % ARRAY_SIZE(bases)] + next(input) % 64);
		list[i].value = (int8_t)next(input);
		if (list[i].type == EV_SYN)
			list[i] = (struct input_event){0};
	}
	for (unsigned int t = 0; t <= times; t++) {
		struct inputs_result result = inputs_send(inputs, &kind, list, n);

		if (result.refusal == INPUTS_SENT) {
			for (size_t i = 0; i < n; i++)
				if (list[i].type == EV_KEY)
					vmms[kind].wanted[list[i].code] = list[i].value;
		} else {
			assert(result.refusal == INPUTS_NONE || result.event < n);
		}
	}
}

static void step(struct inputs *inputs, struct input *input)
{
	struct vmm *vmm = &vmms[next(input) % LIMIT_INPUTS];

	switch (next(input) % 8) {
	case 0:
		vmm_read(vmm, next(input));
		break;
	case 1:
		vmm_write(vmm, input);
		break;
	case 2:
		turn();
		break;
	case 3:
		if (next(input) == 77)
			shutdown(vmm->fd, SHUT_RDWR);
		break;
	default:
		call(inputs, input);
	}
}

static void check(const struct inputs *inputs)
{
	bool more = true;

	while (more) {
		more = false;
		turn();
		for (size_t i = 0; i < LIMIT_INPUTS; i++)
			while (vmm_read(&vmms[i], 256))
				more = true;
	}
	for (size_t i = 0; i < LIMIT_INPUTS; i++) {
		if (!sink_connected(inputs->slots[i]->sink))
			continue;
		assert(vmms[i].used == 0 && vmms[i].whole);
		for (size_t code = 0; code < LIMIT_INPUT_KEYS; code++)
			assert(!vmms[i].down[code] || vmms[i].wanted[code]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	struct inputs inputs;

	if (!loop && (loop_create(&loop) < 0 || loop_timer_add(loop, stop, loop, &timer) < 0))
		abort();
	begin(&inputs);
	while (input.left)
		step(&inputs, &input);
	check(&inputs);
	inputs_finish(&inputs);
	for (size_t i = 0; i < LIMIT_INPUTS; i++)
		fd_close(vmms[i].fd);
	return 0;
}
