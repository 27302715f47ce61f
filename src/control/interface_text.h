/* SPDX-License-Identifier: GPL-2.0-or-later */
/* interface_text.h - data/org.vfiodisplay.Display.varlink as a string, made at build time (data/module.am). */
#pragma once

extern const char interface_text[]; /* ends with a newline */
