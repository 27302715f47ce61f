/* SPDX-License-Identifier: GPL-2.0-or-later */
/* login.h - is this the user's password? Asked of vfio-displayd-login, so that slow hashes and PAM keep nobody waiting. Main thread.
 *
 * Programs are started when somebody asks, at most LIMIT_LOGIN_PROGRAMS, answer one request after another, and are ended when they
 * have had nothing to do for LIMIT_LOGIN_IDLE_MS. One that dies or takes too long refuses who was waiting for it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct login;
struct loop;

struct login_options {
	const char *program;	   /* path of vfio-displayd-login */
	const char *passwords;	   /* the file of users, NULL: none */
	const char *pam_service;   /* NULL: PAM is not asked */
	const char *pam_directory; /* where PAM finds its services; NULL: where it always does */
};

struct login_request {
	const char *user, *secret;
	const char *id;	  /* of the display */
	const char *peer; /* where the viewer comes from */
};

/* @mode: enum link_mode, the most that this user gets; 0: refused. */
typedef void (*login_fn)(void *arg, uint32_t mode);

/* All of @options outlives it. -ENOMEM. */
int login_create(struct loop *loop, const struct login_options *options, struct login **ret);
/* Nobody is answered any more. Takes NULL. */
void login_destroy(struct login *login);
/* @fn comes later, once, within LIMIT_LOGIN_MS and a little, unless login_cancel() comes first. @request is copied. -EAGAIN: too many
 * wait; -ENOMEM. */
int login_ask(struct login *login, const struct login_request *request, login_fn fn, void *arg);
/* Harmless where nothing was asked with @arg. */
void login_cancel(struct login *login, void *arg);
