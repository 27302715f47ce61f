/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gate_keep.h - what systemd keeps of the gate (state/store.h): the sockets that were made for it, its program, and a record that says what
 * they are. Main thread.
 */
#pragma once

struct gate_keep;
struct store;
struct wall;

/* Reads what an earlier daemon has left, if there is anything. What cannot be used is logged. -ENOMEM. */
int gate_keep_create(struct store *store, struct gate_keep **ret);
/* What is in the store stays there. Takes NULL. */
void gate_keep_destroy(struct gate_keep *keep);

/* A socket that listens at @address already, as the configuration spells it: the caller's. -ENOENT: there is none. Once. */
int gate_keep_take(struct gate_keep *keep, const char *address);
/* @fd, borrowed, listens there now. */
void gate_keep_put(struct gate_keep *keep, int fd, const char *address);
/* @wall, borrowed until gate_keep_end(), has its listeners: its program goes on, and the record follows it from now on. Sockets that nobody has
 * taken are closed. */
void gate_keep_begin(struct gate_keep *keep, struct wall *wall);
/* Before the wall's end: what is kept stays as it is. */
void gate_keep_end(struct gate_keep *keep);
