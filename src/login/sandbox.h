/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sandbox.h - what the login program can still do once it has closed the door behind itself. */
#pragma once

#include <stdbool.h>

/* @pam: modules are run, which may open files, connect and start programs; else only files can be opened. -errno. */
int login_sandbox_enter(bool pam);
