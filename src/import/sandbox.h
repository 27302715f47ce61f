/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sandbox.h - the import program may talk to its node and on its socket, and nothing else. */
#pragma once

/* As the RFB program's: no path can be opened, no socket made, no program run, no memory made executable, and no ioctl but
 * DRM's and dma-buf's. For all threads that there are and will be: a driver has some by now. In a build with a sanitizer the
 * filter is left out, because its runtime needs more. -errno. */
int import_sandbox_enter(void);
