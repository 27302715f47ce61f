/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table.h - the rows of table.inc as structs, and how a call is held to its row. */
#pragma once

#include <jansson.h>

#include "control/fields.h"
#include "rights.h"
#include "varlink/server.h"

struct manager;

struct control_method {
	const char *name;
	enum right right;
	const char *id;	  /* NULL: none */
	const char *mode; /* NULL: none */
	const struct field_set *parameters;
	const char *help;
};

extern const struct control_method control_methods[], service_methods[];
extern const size_t control_methods_used, service_methods_used;
extern const struct varlink_interface control_interface, upkeep_interface;

/* admit.c. May the caller do this? false: it has been refused, and the call is ended. What it learns does not tell whether an id
 * exists that it may neither observe nor register. */
bool control_admit(struct varlink_call *call, const struct control_method *row, json_t *parameters, struct manager *manager);
