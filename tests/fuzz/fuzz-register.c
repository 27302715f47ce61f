/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parameters of Register, from JSON text to a hand-over. Whatever comes in: descriptors end up in the hand-over or closed, each at
 * most once, texts are short and without control characters, and what was accepted says the same when it is described and read again. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "control/describe.h"
#include "control/request.h"
#include "input/layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { GIVEN = 5 };

/* An eventfd is closed at once (base/discard.h), so that a leak can be told from a delay. */
static int descriptor(void)
{
	static int original = -EBADF;

	if (original < 0)
		original = eventfd(0, EFD_CLOEXEC);
	return fcntl(original, F_DUPFD_CLOEXEC, 0);
}

struct message {
	int fds[GIVEN];
};

static int take(void *arg, json_int_t index)
{
	struct message *message = arg;

	if (index < 0)
		abort();
	return index < GIVEN ? take_fd(&message->fds[index]) : -EBADF;
}

static void expect(bool holds)
{
	if (!holds)
		abort();
}

static void check_text(const char *text, size_t max)
{
	expect(strlen(text) <= max);
	for (; *text; text++)
		expect((unsigned char)*text >= ' ' && *text != 0x7f);
}

static void check_handover(const struct handover *handover)
{
	const struct context *context = &handover->context;

	check_text(context->id, LIMIT_ID_CHARS);
	check_text(context->name, LIMIT_NAME_CHARS);
	check_text(context->machine, LIMIT_NAME_CHARS);
	expect(!context->id[0] || context_id_valid(context->id));
	expect(context->frames_maximum <= LIMIT_FRAMES_MAX);
	expect(context->viewers_maximum <= LIMIT_VIEWERS_MAX);
	expect(!context->layout[0] || layout_name_valid(context->layout));
	expect(context->input_exclusive_seconds <= LIMIT_INPUT_IDLE);
	expect(context->labels_used <= LIMIT_LABELS);
	for (size_t i = 0; i < context->labels_used; i++) {
		check_text(context->labels[i].key, LIMIT_LABEL_CHARS);
		check_text(context->labels[i].value, LIMIT_LABEL_CHARS);
	}
	expect(handover->device >= 0);
	expect(handover->source == SOURCE_VFIO ||
		(!handover->display_interrupt && !handover->owns_edid && handover->render < 0));
	expect(handover->listeners_used <= LIMIT_LISTENERS);
	for (size_t i = 0; i < handover->listeners_used; i++)
		expect((handover->listeners[i].fd >= 0) !=
			(handover->listeners[i].address[0] != 0));
}

static json_t *described(const struct context *context)
{
	struct writer writer;

	writer_init(&writer);
	describe_context(&writer, NULL, context);
	return writer_json(&writer);
}

static void check_round(const struct handover *handover)
{
	json_t *context = described(&handover->context), *again, *parameters;
	int device = descriptor();
	struct message message = {.fds = {device, -EBADF, -EBADF, -EBADF, -EBADF}};
	struct request_indexes indexes;
	struct fields_reader reader;
	struct handover second;

	parameters = json_pack("{s:i, s:O}", "deviceFileDescriptorIndex", 0, "context", context);
	fields_init(&reader, take, &message);
	expect(request_register(&reader, parameters, &second, &indexes) == 0);
	again = described(&second.context);
	expect(json_equal(context, again));
	handover_finish(&second);
	json_decref(parameters);
	json_decref(context);
	json_decref(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *parameters = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	struct request_indexes indexes;
	struct fields_reader reader;
	struct handover handover;
	struct message message;
	int probe, r;

	if (!json_is_object(parameters)) {
		json_decref(parameters);
		return 0;
	}
	probe = descriptor();
	close(probe);
	for (size_t i = 0; i < GIVEN; i++)
		message.fds[i] = descriptor();
	fields_init(&reader, take, &message);
	r = request_register(&reader, parameters, &handover, &indexes);
	expect(r == 0 || r == -EINVAL || r == -EBADF);
	check_text(reader.path, sizeof(reader.path) - 1);
	if (r == 0) {
		check_handover(&handover);
		check_round(&handover);
		handover_finish(&handover);
	} else if (r == -EINVAL) {
		expect(reader.path[0]);
	}
	for (size_t i = 0; i < GIVEN; i++)
		fd_closep(&message.fds[i]);
	json_decref(parameters);
	/* The lowest free number is what it was: nothing leaked. */
	r = descriptor();
	expect(r == probe);
	close(r);
	return 0;
}
