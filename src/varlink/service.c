/* SPDX-License-Identifier: GPL-2.0-or-later */
/* service.c - org.varlink.service, which every Varlink service has: who this is, and what it speaks. */
#include <string.h>

#include "base/mem.h"
#include "varlink/connection.h"

static const char description[] =
	"# What every Varlink service tells about itself.\n"
	"interface org.varlink.service\n"
	"\n"
	"# Who made the service, and the interfaces that it has.\n"
	"method GetInfo() -> (\n"
	"  vendor: string,\n"
	"  product: string,\n"
	"  version: string,\n"
	"  url: string,\n"
	"  interfaces: []string\n"
	")\n"
	"\n"
	"# The text that defines one of them.\n"
	"method GetInterfaceDescription(interface: string) -> (description: string)\n"
	"\n"
	"# There is no such interface here.\n"
	"error InterfaceNotFound (interface: string)\n"
	"\n"
	"# The interface has no such method.\n"
	"error MethodNotFound (method: string)\n"
	"\n"
	"# The interface has the method, this service does not do it.\n"
	"error MethodNotImplemented (method: string)\n"
	"\n"
	"# A parameter is missing, has the wrong type or a bad value.\n"
	"error InvalidParameter (parameter: string)\n"
	"\n"
	"# The caller may not do this: which right it lacks, and who can give it.\n"
	"error PermissionDenied (right: ?string, reason: ?string)\n"
	"\n"
	"# The method answers several times and must be called with \"more\".\n"
	"error ExpectedMore ()\n";

static void get_info(struct varlink_call *call, json_t *parameters, void *arg)
{
	const struct varlink_server *server = arg;
	const struct varlink_identity *identity = server->identity;
	json_t *interfaces = json_array();

	for (size_t i = 0; i < server->exported_used; i++)
		json_array_append_new(interfaces, json_string(server->exported[i].interface->name));
	varlink_reply(call, json_pack("{s:s, s:s, s:s, s:s, s:o}", "vendor", identity->vendor,
				    "product", identity->product, "version", identity->version,
				    "url", identity->url, "interfaces", interfaces));
}

static void get_interface_description(struct varlink_call *call, json_t *parameters, void *arg)
{
	const char *name = json_string_value(json_object_get(parameters, "interface"));
	const struct exported *exported;

	if (!name) {
		varlink_invalid_parameter(call, "interface");
		return;
	}
	exported = server_find(arg, name, strlen(name));
	if (!exported)
		varlink_error(call, "org.varlink.service.InterfaceNotFound",
			json_pack("{s:s}", "interface", name));
	else
		varlink_reply(
			call, json_pack("{s:s}", "description", exported->interface->description));
}

static const struct varlink_method methods[] = {
	{.name = "GetInfo", .fn = get_info},
	{.name = "GetInterfaceDescription", .fn = get_interface_description},
};

const struct varlink_interface service_interface = {
	.name = "org.varlink.service",
	.description = description,
	.methods = methods,
	.methods_used = ARRAY_SIZE(methods),
};
