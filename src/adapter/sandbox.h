/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sandbox.h - what an adapter may still do once it is set up: read and write what is open, and connect to sockets on this host. */
#pragma once

/* Cannot be undone. -errno. */
int adapter_sandbox_enter(void);
