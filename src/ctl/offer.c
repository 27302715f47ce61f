/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/offer.h"

#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "base/mem.h"
#include "ctl/complain.h"
#include "ctl/ctl.h"
#include "ctl/number.h"

void offer_init(struct offer *offer, const char *verb)
{
	*offer = (struct offer){
		.verb = verb,
		.parameters = json_object(),
		.context = json_object(),
	};
	offer->error = json_object_set_new(offer->parameters, "context", offer->context);
}

void offer_finish(struct offer *offer)
{
	for (size_t i = 0; i < offer->fds_used; i++)
		fd_close(offer->fds[i]);
	json_decref(offer->parameters);
}

static int set_number(
	struct offer *offer, const char *field, const char *name, const char *argument)
{
	int value;

	if (number_parse(argument, &value) < 0)
		return complain_usage(offer->verb, "--%s is no number: %s", name, argument);
	offer->error |= json_object_set_new(offer->context, field, json_integer(value));
	return CTL_OK;
}

static int set_text(struct offer *offer, const char *field, const char *text)
{
	offer->error |= json_object_set_new(offer->context, field, json_string(text));
	return CTL_OK;
}

static int set_true(struct offer *offer, json_t *object, const char *field)
{
	offer->error |= json_object_set_new(object, field, json_true());
	return CTL_OK;
}

static int set_label(struct offer *offer, const char *argument)
{
	const char *equals = strchr(argument, '=');
	json_t *labels = json_object_get(offer->context, "labels");
	_cleanup_free_ char *key = NULL;

	if (!equals || equals == argument)
		return complain_usage(offer->verb, "--label takes KEY=VALUE, not %s", argument);
	key = strndup(argument, (size_t)(equals - argument));
	if (!labels) {
		labels = json_object();
		offer->error |= json_object_set_new(offer->context, "labels", labels);
	}
	offer->error |= key ? json_object_set_new(labels, key, json_string(equals + 1)) : -1;
	return CTL_OK;
}

int offer_add_fd(struct offer *offer, const char *field, int fd)
{
	if (json_object_get(offer->parameters, field) ||
		offer->fds_used == ARRAY_SIZE(offer->fds)) {
		fd_close(fd);
		return complain_usage(offer->verb, "%s",
			strcmp(field, "deviceFileDescriptorIndex") == 0
				? "takes one device, by --device or --device-fd"
			: strcmp(field, "leaseFileDescriptorIndex") == 0
				? "takes one lease, by --lease-pid or --lease-fd"
				: "takes each descriptor once");
	}
	offer->error |= json_object_set_new(
		offer->parameters, field, json_integer((json_int_t)offer->fds_used));
	offer->fds[offer->fds_used++] = fd;
	return CTL_OK;
}

int offer_add_inherited(
	struct offer *offer, const char *field, const char *name, const char *argument)
{
	int number;
	int fd;

	if (number_parse(argument, &number) < 0)
		return complain_usage(offer->verb, "--%s is no number: %s", name, argument);
	fd = fcntl(number, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return complain_usage(offer->verb, "--%s %s: %s", name, argument, strerror(errno));
	return offer_add_fd(offer, field, fd);
}

int offer_add_file(struct offer *offer, const char *field, const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return offer_add_fd(offer, field, fd);
	complain(path, "cannot open the device: %s", strerror(errno));
	return CTL_FAILED;
}

static int add_listener(struct offer *offer, const char *mode, const char *address)
{
	json_t *listen = json_object_get(offer->parameters, "listen");

	if (!listen) {
		listen = json_array();
		offer->error |= json_object_set_new(offer->parameters, "listen", listen);
	}
	offer->error |= json_array_append_new(
		listen, json_pack("{s:s, s:s}", "mode", mode, "address", address));
	return CTL_OK;
}

/* Words with commas between, for the last listener; @field gains them. */
static int add_words(struct offer *offer, const char *field, const char *name, const char *argument)
{
	json_t *listen = json_object_get(offer->parameters, "listen");
	json_t *last = json_array_get(listen, json_array_size(listen) - 1);
	json_t *words = json_object_get(last, field);

	if (!json_array_size(listen))
		return complain_usage(
			offer->verb, "--%s belongs to a --listen, which comes before it", name);
	if (!words) {
		words = json_array();
		offer->error |= json_object_set_new(last, field, words);
	}
	for (size_t n; *argument; argument += n + (argument[n] == ',')) {
		n = strcspn(argument, ",");
		offer->error |= json_array_append_new(words, json_stringn(argument, n));
	}
	return CTL_OK;
}

int offer_option(struct offer *offer, int option, const char *name, const char *argument)
{
	switch (option) {
	case OFFER_ID:
		return set_text(offer, "id", argument);
	case OFFER_NAME:
		return set_text(offer, "name", argument);
	case OFFER_MACHINE:
		return set_text(offer, "machine", argument);
	case OFFER_HEAD:
		return set_number(offer, "head", name, argument);
	case OFFER_FRAMES:
		return set_number(offer, "framesPerSecondMaximum", name, argument);
	case OFFER_BYTES:
		return set_number(offer, "bytesPerSecondMaximum", name, argument);
	case OFFER_SHARING:
		return set_text(offer, "sharing", argument);
	case OFFER_LAYOUT:
		return set_text(offer, "keyboardLayout", argument);
	case OFFER_EXCLUSIVE:
		return set_number(offer, "inputExclusiveSeconds", name, argument);
	case OFFER_VIEWERS:
		return set_number(offer, "viewersMaximum", name, argument);
	case OFFER_LABEL:
		return set_label(offer, argument);
	case OFFER_VIEW_ONLY:
		return set_true(offer, offer->context, "viewOnly");
	case OFFER_CHANGE_FD:
		return offer_add_inherited(offer, "changeFileDescriptorIndex", name, argument);
	case OFFER_RENDER_NODE:
		return offer_add_file(offer, "renderNodeFileDescriptorIndex", argument);
	case OFFER_INTERRUPT:
		return set_true(offer, offer->parameters, "displayInterrupt");
	case OFFER_EDID:
		return set_true(offer, offer->parameters, "ownsEdid");
	case OFFER_LISTEN:
		return add_listener(offer, "control", argument);
	case OFFER_LISTEN_VIEW:
		return add_listener(offer, "view", argument);
	case OFFER_LISTEN_EXCLUSIVE:
		return add_listener(offer, "exclusive", argument);
	case OFFER_SECURITY:
		return add_words(offer, "security", name, argument);
	case OFFER_TRANSPORTS:
		return add_words(offer, "transports", name, argument);
	case OFFER_ORIGIN:
		return add_words(offer, "origins", name, argument);
	}
	return CTL_USAGE; /* there is no other */
}
