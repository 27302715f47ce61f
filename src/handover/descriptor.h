/* SPDX-License-Identifier: GPL-2.0-or-later */
/* descriptor.h - what kind of fd a peer handed over, found out without touching what is behind it.
 *
 * None of these blocks or issues an ioctl: they run on the main loop. Each returns NULL when the fd is fit, else a static text
 * that says what it is not ("is not an eventfd").
 */
#pragma once

#include <stdbool.h>

const char *descriptor_vfio_device(
	int fd); /* anon_inode:[vfio-device], or a char device under /dev/vfio/devices */
const char *descriptor_surface(
	int fd); /* a memfd sealed against shrinking, large enough for a header */
const char *descriptor_render(int fd);	       /* a DRM render or primary node, open for reading and writing */
const char *descriptor_eventfd(int fd);	 /* non-semaphore or semaphore, both are fine */
const char *descriptor_listener(int fd); /* AF_UNIX or AF_INET(6) stream socket that listens */
const char *descriptor_stream(int fd);	 /* connected stream socket */
const char *descriptor_lease(int fd);	 /* pidfd, pipe or connected socket */
/* The same, of what /proc/PID/fd says about another process's: a hint, to be checked once it is ours. */
bool descriptor_link_is_vfio(const char *link);
/* 1: both refer to the same open file description (kcmp); 0; -errno. */
int descriptor_same_file(int a, int b);
/* 1: both refer to the same open file description or the same character device; 0; -errno. */
int descriptor_same(int a, int b);
