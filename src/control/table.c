/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/table.h"

#include "base/mem.h"
#include "control/interface_text.h"
#include "control/methods.h"
#include "control/request.h"

#define NOTHING(...)

/* What is checked, and for whom. */
#define ROW(n, method, f, r, i, m, p, h) \
	{.name = #n, .right = (r), .id = (i), .mode = (m), .parameters = &(p), .help = (h)},
/* What varlink/ runs. */
#define CALL(n, method, f, r, i, m, p, h) {#n, .flags = (f), .fn = (method)},

#define METHOD	ROW
#define SERVICE NOTHING
const struct control_method control_methods[] = {
#include "control/table.inc"
};
#undef METHOD
#define METHOD CALL
static const struct varlink_method control_calls[] = {
#include "control/table.inc"
};
#undef METHOD
#undef SERVICE

#define METHOD	NOTHING
#define SERVICE ROW
const struct control_method service_methods[] = {
#include "control/table.inc"
};
#undef SERVICE
#define SERVICE CALL
static const struct varlink_method service_calls[] = {
#include "control/table.inc"
};
#undef METHOD
#undef SERVICE

const size_t control_methods_used = ARRAY_SIZE(control_methods);
const size_t service_methods_used = ARRAY_SIZE(service_methods);

static bool admit_control(struct varlink_call *call, size_t method, json_t *parameters, void *arg)
{
	return control_admit(call, &control_methods[method], parameters, arg);
}

static bool admit_service(struct varlink_call *call, size_t method, json_t *parameters, void *arg)
{
	return control_admit(call, &service_methods[method], parameters, arg);
}

const struct varlink_interface control_interface = {
	.name = "org.vfiodisplay.Display",
	.description = interface_text,
	.methods = control_calls,
	.methods_used = ARRAY_SIZE(control_calls),
	.admit = admit_control,
};

const struct varlink_interface upkeep_interface = {
	.name = "io.systemd.service",
	.description = service_text,
	.methods = service_calls,
	.methods_used = ARRAY_SIZE(service_calls),
	.admit = admit_service,
};
