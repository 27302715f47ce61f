/* SPDX-License-Identifier: GPL-2.0-or-later */
/* scrape.h - the listening sockets for metrics and the program that serves them (metrics/link.h). Main thread.
 *
 * The program is started when somebody connects and ends when nobody has for long; the sockets stay here, so nobody is refused. What it may ask
 * for is a text, each LIMIT_METRICS_MS at most, and whether the loop goes round.
 */
#pragma once

#include <stdbool.h>

struct loop;
struct manager;
struct scrape;

/* @program: path of vfio-displayd-metrics; outlives it, as @manager does. -ENOMEM. */
int scrape_create(struct loop *loop, const char *program, struct manager *manager, struct scrape **ret);
void scrape_destroy(struct scrape *scrape); /* takes NULL */
/* @fd, a listening stream socket, is consumed in every case. @anywhere: others than this host may connect. -EACCES: they could, and may not;
 * -ENOSPC, -ENOMEM. */
int scrape_listen(struct scrape *scrape, int fd, bool anywhere);
