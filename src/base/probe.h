/* SPDX-License-Identifier: GPL-2.0-or-later */
/* probe.h - static probes along the straight line, for bpftrace, perf and SystemTap.
 *
 * A probe is one nop until somebody attaches to it; its arguments are at hand anyway where it stands. Built in where <sys/sdt.h> is
 * found, unless --disable-usdt. docs/OBSERVE.md lists them all with their arguments; tests/platform/probes.sh holds the programs to that list.
 */
#pragma once

#ifdef HAVE_USDT
#include <sys/sdt.h>
#define PROBE1(name, a)		 DTRACE_PROBE1(vfio_displayd, name, a)
#define PROBE2(name, a, b)	 DTRACE_PROBE2(vfio_displayd, name, a, b)
#define PROBE3(name, a, b, c)	 DTRACE_PROBE3(vfio_displayd, name, a, b, c)
#define PROBE4(name, a, b, c, d) DTRACE_PROBE4(vfio_displayd, name, a, b, c, d)
#else
#define PROBE1(name, a)		 ((void)(a))
#define PROBE2(name, a, b)	 ((void)(a), (void)(b))
#define PROBE3(name, a, b, c)	 ((void)(a), (void)(b), (void)(c))
#define PROBE4(name, a, b, c, d) ((void)(a), (void)(b), (void)(c), (void)(d))
#endif
