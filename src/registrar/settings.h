/* SPDX-License-Identifier: GPL-2.0-or-later */
/* settings.h - what vfio-displayd-registrar is told: a file of "key = value" lines, and options of the same names, which count more.
 *
 * One table in settings.c has each with its range and default; vfio-displayd-registrar(8) explains them. An empty value is the default.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

struct settings {
	char *socket;		   /* of vfio-displayd */
	char *etcd;		   /* URLs, one space between */
	char *prefix;		   /* of keys, without "/" at its end */
	char *host;		   /* this host's part of a key: [A-Za-z0-9._-]{1,64} */
	char *address;		   /* where others reach this host; NULL: they are not told */
	char *ca;		   /* PEM, who signs etcd's certificate; NULL: the system's */
	char *certificate, *key;   /* PEM, to show etcd; NULL: none */
	char *user, *password;	   /* etcd's; NULL: none. The password is what the file has */
	char *password_file;
	char *redis;		   /* HOST:PORT or unix:/PATH; NULL: no tokens are mirrored */
	char *redis_user, *redis_password, *redis_password_file;
	char *redis_prefix;	   /* before each token; NULL: none */
	char *redis_token;	   /* the label that is the token; NULL: HOST:ID */
	uint32_t redis_loopback;   /* 1: endpoints that only this host reaches are mirrored too */
	uint32_t ttl;		   /* seconds that a record outlives this program, 2 to 3600 */
	uint32_t log_level;	   /* enum log_level */
};

enum settings_wish { SETTINGS_RUN, SETTINGS_HELP, SETTINGS_VERSION };

/* Defaults, then the file (--config, or the default one if it is there), then @argv. 0; -EINVAL, -ENOMEM, -errno: *@ret_error is
 * one line that says where and what (to be freed; NULL where memory was short). Pair with settings_finish() in every case. */
int settings_read(struct settings *settings, int argc, char **argv, enum settings_wish *ret_wish,
	char **ret_error);
void settings_finish(struct settings *settings);
/* The table, for the help and for who checks a page against it: name @n and what is said of it. false: there is no such. */
bool settings_name(size_t n, const char **ret_name, const char **ret_about);
