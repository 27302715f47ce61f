/* SPDX-License-Identifier: GPL-2.0-or-later */
/* In vfio-displayd-import's place: does what the display's id says, which is mostly wrong. dma-bufs are memfds here. */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/packet.h"
#include "base/spawn.h"
#include "capture/import_link.h"

static char way[LIMIT_ID_CHARS + 1];
static struct import_buffer buffers[LIMIT_DMABUFS];
static int fds[LIMIT_DMABUFS];
static struct {
	uint8_t *base;
	uint64_t size;
	int fd;
} surfaces[IMPORT_SURFACES];
static unsigned int copies;

static bool is(const char *name)
{
	return strcmp(way, name) == 0;
}

static void send_done(uint32_t turn, enum import_step step, uint32_t error, int fd)
{
	struct import_message message = {.type = IMPORT_DONE};

	message.done.turn = turn;
	message.done.step = step;
	message.done.error = error;
	import_send(SPAWN_SOCKET, &message, fd);
}

static void send_type(uint32_t type, uint32_t version)
{
	const struct import_message message = {.type = type, .version = version};

	import_send(SPAWN_SOCKET, &message, -EBADF);
}

static void copy_rows(const struct import_copy *copy)
{
	const struct import_buffer *buffer = &buffers[copy->index];
	struct stat st;
	uint8_t *from;

	if (fds[copy->index] <= 0 || fstat(fds[copy->index], &st) < 0)
		exit(3);
	from = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fds[copy->index], 0);
	if (from == MAP_FAILED)
		exit(4);
	for (uint32_t y = 0; y < copy->rows; y++)
		memcpy(surfaces[copy->surface].base + copy->start + (size_t)y * copy->stride,
			from + buffer->offset + (size_t)y * buffer->stride, copy->row_bytes);
	munmap(from, (size_t)st.st_size);
}

/* A surface's size is the daemon's business alone. */
static void try_to_resize(const struct import_copy *copy)
{
	int fd = surfaces[copy->surface].fd;

	if (ftruncate(fd, 4096) == 0 || ftruncate(fd, 1 << 30) == 0 ||
		fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == 0)
		exit(5);
}

static void obey_copy(const struct import_copy *copy)
{
	copies++;
	if (is("die-copy") || (is("die-second") && copies == 2))
		exit(0);
	if (is("hang-copy"))
		return;
	if (is("refuse") || is("cannot-map")) {
		if (copies > 1)
			exit(6);
		send_done(copy->turn, is("refuse") ? IMPORT_NO_IMPORT : IMPORT_NO_MAP,
			is("refuse") ? EINVAL : 0, -EBADF);
		return;
	}
	if (is("late"))
		poll(NULL, 0, LIMIT_IMPORT_COPY_MS + 500);
	if (is("resize"))
		try_to_resize(copy);
	copy_rows(copy);
	if (is("lie-step"))
		send_done(copy->turn, IMPORT_NO_ROOM + 1, 0, -EBADF);
	else if (is("lie-error"))
		send_done(copy->turn, IMPORT_NO_MAP, 0x7fffffff, -EBADF);
	else if (is("send-fd"))
		send_done(copy->turn, IMPORT_DONE_WELL, 0, fds[copy->index]);
	else if (is("lie-type"))
		send_type(77, 0);
	else if (is("ready-again"))
		send_type(IMPORT_READY, IMPORT_VERSION);
	else if (is("short"))
		packet_send(SPAWN_SOCKET, "abcd", 4, -EBADF);
	else
		send_done(copy->turn + is("lie-turn"), IMPORT_DONE_WELL, 0, -EBADF);
	if (is("idle"))
		exit(0);
	if (is("twice"))
		send_done(copy->turn, IMPORT_DONE_WELL, 0, -EBADF);
}

static void obey(const struct import_message *m, int fd)
{
	void *base;

	switch (m->type) {
	case IMPORT_SURFACE:
		base = mmap(NULL, m->surface.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (base == MAP_FAILED)
			exit(7);
		surfaces[m->surface.surface].base = base;
		surfaces[m->surface.surface].size = m->surface.size;
		surfaces[m->surface.surface].fd = fd;
		break;
	case IMPORT_GIVE:
		fds[m->give.index] = fd;
		buffers[m->give.index] = m->give;
		break;
	case IMPORT_DROP:
		fd_close(fds[m->drop.index]);
		fds[m->drop.index] = 0;
		break;
	case IMPORT_COPY:
		obey_copy(&m->copy);
		break;
	default:
		exit(8);
	}
}

static void start(const struct import_message *hello)
{
	memcpy(way, hello->hello.id, sizeof(way));
	if (is("die-start"))
		exit(1);
	if (is("hang-start"))
		return;
	if (is("slow-start"))
		poll(NULL, 0, LIMIT_IMPORT_COPY_MS + 500);
	if (is("flood"))
		for (unsigned int i = 0; i < 1000; i++)
			send_type(IMPORT_READY, IMPORT_VERSION);
	if (is("done-first"))
		send_done(0, IMPORT_DONE_WELL, 0, -EBADF);
	else
		send_type(IMPORT_READY, IMPORT_VERSION + is("version"));
}

int main(void)
{
	struct pollfd pollfd = {.fd = SPAWN_SOCKET, .events = POLLIN};
	struct import_message message;
	int fd, r;

	for (;;) {
		r = import_receive(SPAWN_SOCKET, true, &message, &fd);
		if (r == -EAGAIN)
			poll(&pollfd, 1, -1);
		else if (r < 0)
			return r == -EPIPE ? 0 : 2;
		else if (message.type == IMPORT_HELLO)
			start(&message);
		else
			obey(&message, fd);
	}
}
