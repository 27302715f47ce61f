/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sandbox.h - the metrics program closes the door behind itself: no file, no new socket but those it accepts, no program. */
#pragma once

/* Once everything is open. -errno. */
int metrics_sandbox_enter(void);
