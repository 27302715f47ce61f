/* SPDX-License-Identifier: GPL-2.0-or-later */
/* interface.h - the table of methods and the interfaces' texts say the same, in both directions. Tests for cmocka. */
#pragma once

#include <jansson.h>

void test_display_interface(void **state);
void test_service_interface(void **state);
void test_errors(void **state);

/* The text of org.vfiodisplay.Display or io.systemd.service says that @method may answer this: @error NULL: a reply. Errors of others
 * are not looked at. */
void interface_expect_reply(const char *method, const char *error, json_t *parameters);
