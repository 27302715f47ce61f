/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/limits.h"
#include "base/mem.h"
#include "control/control.h"

/* Names for good: one is added with what it names, and never used for something else. */
static const char *const capabilities[] = {
	"source-vfio-dmabuf",
	"source-vfio-region",
	"source-surface",
	"change-eventfd",
	"change-interrupt",
	"change-timer",
	"lease-descriptor",
	"lease-connection",
	"listen-descriptor",
	"listen-address",
	"attach-socket",
	"attach-descriptor",
	"capture",
	"cursor",
	"edid",
#ifdef HAVE_GBM
	"import",
#endif
	"update",
	"power",
	"tickets",
	"subscribe",
	"input",
	"rfb-none",
	"rfb-vncauth",
	"rfb-tls",
	"rfb-x509",
	"rfb-rsa-aes",
	"websocket",
	"gate",
	"reload",
	"metrics",
	"dump",
};

static const struct {
	const char *name;
	json_int_t value;
} limits[] = {
	{"displays", LIMIT_DISPLAYS},
	{"width", LIMIT_WIDTH},
	{"height", LIMIT_HEIGHT},
	{"listeners", LIMIT_LISTENERS},
	{"labels", LIMIT_LABELS},
	{"labelBytes", LIMIT_LABEL_BYTES},
	{"framesPerSecondMaximum", LIMIT_FRAMES_MAX},
	{"viewersMaximum", LIMIT_VIEWERS_MAX},
	{"tickets", LIMIT_TICKETS},
	{"ticketsPerDisplay", LIMIT_TICKETS_DISPLAY},
	{"ticketSeconds", LIMIT_TICKET_SECONDS},
	{"inputEvents", LIMIT_INPUT_EVENTS},
	{"textCharacters", LIMIT_TYPE_CHARS},
	{"typing", LIMIT_TYPISTS},
	{"messageBytes", LIMIT_VARLINK_MESSAGE},
	{"messageFileDescriptors", LIMIT_VARLINK_FDS},
	{"connections", LIMIT_VARLINK_CONNECTIONS},
	{"connectionsPerUser", LIMIT_VARLINK_PER_UID},
};

json_t *control_capabilities(void)
{
	json_t *names = json_array(), *caps = json_object();
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++)
		error |= json_array_append_new(names, json_string(capabilities[i]));
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		error |= json_object_set_new(caps, limits[i].name, json_integer(limits[i].value));
	if (error) {
		json_decref(names);
		json_decref(caps);
		return NULL;
	}
	return json_pack("{s:o, s:o}", "capabilities", names, "limits", caps);
}
