/* SPDX-License-Identifier: GPL-2.0-or-later */
/* restore.h - displays that an earlier daemon had, from what systemd has kept of them. Main thread. */
#pragma once

struct credentials;
struct manager;
struct registry;
struct store;
struct varlink_server;

/* Before any display is there. Tickets of displays that do not come back are revoked by restore_displays(). */
void restore_tickets(struct credentials *credentials, struct store *store);
/* All that has come back is in @store. Leases are looked at first: what ended meanwhile is let go. */
void restore_displays(struct registry *registry, struct store *store, struct varlink_server *server, struct manager *manager);
/* When everybody has taken what is theirs: what cannot be placed is closed and removed. */
void restore_settle(struct store *store);
