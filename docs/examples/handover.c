/* SPDX-License-Identifier: MIT */
/* Hands a display over to vfio-displayd, as a VMM would: C and jansson.
 *
 * usage: handover SOCKET ID [DEVICE]
 *
 * Without DEVICE it makes a surface and draws on it; with the path of a VFIO device (/dev/vfio/devices/vfioN) it hands that over.
 * Viewers connect to ID.vnc, a Unix socket that it makes where it was started: "vncviewer ./ID.vnc".
 * It hears what viewers ask for (shutdown, reboot, reset), goes on when the daemon is restarted, and unregisters on SIGTERM.
 *
 *     cc -o handover handover.c $(pkg-config --cflags --libs jansson)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <vfio-displayd/surface.h>

enum { WIDTH = 640, HEIGHT = 480, START = 4096, STRIDE = WIDTH * 4, SIZE = STRIDE * HEIGHT };
#define XRGB8888 0x34325258u /* DRM_FORMAT_XRGB8888, "XR24" */

struct connection {
	int fd;
	size_t used;
	char buffer[1 << 16]; /* replies to these calls are shorter */
};

static volatile sig_atomic_t ending;

static void on_signal(int number)
{
	ending = 1;
}

static void die(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

/* ---- a surface: what a VMM without a VFIO display draws on ---- */

static int make_surface(uint32_t **ret_pixels)
{
	const struct vfio_displayd_surface head = {
		.magic = VFIO_DISPLAYD_SURFACE_MAGIC,
		.version = VFIO_DISPLAYD_SURFACE_VERSION,
		.sequence = 2,
		.planes[VFIO_DISPLAYD_SURFACE_PRIMARY] =
			{
				.start = START,
				.format = XRGB8888,
				.width = WIDTH,
				.height = HEIGHT,
				.stride = STRIDE,
				.size = SIZE,
				.hot_x = VFIO_DISPLAYD_SURFACE_HOT_UNKNOWN,
				.hot_y = VFIO_DISPLAYD_SURFACE_HOT_UNKNOWN,
			},
	};
	int fd = memfd_create("example", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char *memory;

	if (fd < 0 || ftruncate(fd, START + SIZE) < 0 ||
		fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
		die("memfd");
	memory = mmap(NULL, START + SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		die("mmap");
	memcpy(memory, &head, sizeof(head));
	*ret_pixels = (uint32_t *)(memory + START);
	return fd;
}

static void draw(uint32_t *pixels, int change)
{
	const uint64_t one = 1;
	struct timespec now;
	int bar;

	clock_gettime(CLOCK_MONOTONIC, &now);
	bar = (int)((now.tv_sec * 100 + now.tv_nsec / 10000000) % WIDTH);
	for (int y = 0; y < HEIGHT; y++)
		for (int x = 0; x < WIDTH; x++)
			pixels[y * WIDTH + x] = x >= bar && x < bar + 20 ? 0xffff00 : 0x204080;
	if (write(change, &one, sizeof(one)) < 0 && errno != EAGAIN)
		die("eventfd");
}

/* ---- Varlink: JSON objects with a NUL behind each ---- */

static void connection_open(struct connection *connection, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	connection->used = 0;
	connection->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* The daemon may be on its way up. */
	while (connect(connection->fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		if (ending || (errno != ENOENT && errno != ECONNREFUSED))
			die(path);
		poll(NULL, 0, 100);
	}
}

/* The descriptors ride on the message's first byte. @call is consumed. */
static void send_call(struct connection *connection, json_t *call, const int *fds, size_t n)
{
	char control[CMSG_SPACE(4 * sizeof(int))] = {0};
	char *text = json_dumps(call, JSON_COMPACT);
	struct iovec iov = {.iov_base = text, .iov_len = text ? strlen(text) + 1 : 0};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

	if (n) {
		struct cmsghdr *header = (struct cmsghdr *)control;

		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(n * sizeof(int));
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(header), fds, n * sizeof(int));
	}
	/* It blocks, so a message of this size goes in one piece; if the daemon has gone, receive() will say so. */
	if (!text || (sendmsg(connection->fd, &message, MSG_NOSIGNAL) != (ssize_t)iov.iov_len &&
			     errno != EPIPE && errno != ECONNRESET))
		die("sendmsg");
	free(text);
	json_decref(call);
}

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

/* Anything else will not. */
static bool may_pass(const char *error)
{
	const char *dot = strrchr(error, '.');

	return dot && (strcmp(dot, ".Unavailable") == 0 || strcmp(dot, ".ShuttingDown") == 0);
}

/* The next reply's parameters, the caller's. NULL: the daemon hung up, or it is worth another try. Another error ends the program. */
static json_t *receive(struct connection *connection)
{
	json_t *reply, *parameters;
	char *end;

	while (!(end = memchr(connection->buffer, '\0', connection->used))) {
		ssize_t n = recv(connection->fd, connection->buffer + connection->used,
			sizeof(connection->buffer) - connection->used, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return NULL;
		connection->used += n;
	}
	reply = json_loads(connection->buffer, 0, NULL);
	end++;
	connection->used -= end - connection->buffer;
	memmove(connection->buffer, end, connection->used);
	if (reply && may_pass(text_of(reply, "error"))) {
		json_decref(reply);
		return NULL;
	}
	if (!reply || json_object_get(reply, "error")) {
		fprintf(stderr, "vfio-displayd says: ");
		json_dumpf(reply, stderr, JSON_COMPACT);
		fprintf(stderr, "\n");
		exit(EXIT_FAILURE);
	}
	parameters = json_incref(json_object_get(reply, "parameters"));
	json_decref(reply);
	return parameters;
}

/* ---- the display ---- */

/* Where viewers connect is ours: the daemon could make a socket only where its user may write, and this one is there all the time. */
static int listen_for_viewers(const char *id)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s.vnc", id);
	unlink(address.sun_path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(fd, SOMAXCONN) < 0)
		die(address.sun_path);
	return fd;
}

/* With "more" the connection brings events, and "registered" is the first. The lease is our pidfd: it holds across a restart of the
 * daemon. @change: -1 for a VFIO device without one. */
static void register_display(struct connection *connection, const char *path, const char *id,
	int device, int listener, int change)
{
	int fds[4] = {device, (int)syscall(SYS_pidfd_open, getpid(), 0), listener, change};
	json_t *parameters, *reply = NULL;

	while (!reply) {
		connection_open(connection, path);
		parameters = json_pack("{s:{s:s, s:s}, s:s, s:i, s:i, s:[{s:s, s:i}]}", "context",
			"id", id, "name", "An example", "source", change < 0 ? "vfio" : "surface",
			"deviceFileDescriptorIndex", 0, "leaseFileDescriptorIndex", 1, "listen",
			"mode", "control", "fileDescriptorIndex", 2);
		if (change >= 0)
			json_object_set_new(
				parameters, "changeFileDescriptorIndex", json_integer(3));
		send_call(connection,
			json_pack("{s:s, s:o, s:b}", "method", "org.vfiodisplay.Display.Register",
				"parameters", parameters, "more", 1),
			fds, change < 0 ? 3 : 4);
		reply = receive(connection);
		if (!reply) {
			close(connection->fd);
			if (ending)
				exit(EXIT_FAILURE);
			poll(NULL, 0, 100);
		}
	}
	printf("registered as %s, viewers at %s.vnc\n", text_of(reply, "id"), id);
	fflush(stdout);
	json_decref(reply);
	close(fds[1]);
}

/* False: it is over. */
static bool hear(struct connection *connection, const char *path, const char *id, int device,
	int listener, int change)
{
	json_t *reply = receive(connection);
	const char *event;
	bool over;

	if (!reply) {
		/* Restarted, without systemd to keep the connection. The same call again: where the daemon still has the display, that is no
		 * error. */
		close(connection->fd);
		register_display(connection, path, id, device, listener, change);
		return true;
	}
	event = text_of(reply, "event");
	over = strcmp(event, "unregistered") == 0;
	if (over)
		printf("somebody has unregistered it\n");
	else if (strcmp(event, "powerRequested") == 0)
		printf("viewer %s asks for %s\n", text_of(reply, "viewer"),
			text_of(reply, "action"));
	fflush(stdout);
	json_decref(reply);
	return !over;
}

static void unregister(const char *path, const char *id)
{
	static struct connection other; /* the first one waits for events and takes no other call */

	ending = 0;
	connection_open(&other, path);
	send_call(&other,
		json_pack("{s:s, s:{s:s}}", "method", "org.vfiodisplay.Display.Unregister",
			"parameters", "id", id),
		NULL, 0);
	json_decref(receive(&other));
	close(other.fd);
	printf("unregistered: nobody holds it any more\n");
}

int main(int argc, char **argv)
{
	static struct connection connection;
	struct sigaction action = {.sa_handler = on_signal};
	int change = -1, device, listener;
	uint32_t *pixels = NULL;

	if (argc < 3 || argc > 4) {
		fprintf(stderr, "usage: handover SOCKET ID [DEVICE]\n");
		return EXIT_FAILURE;
	}
	if (argc == 4) {
		device = open(argv[3], O_RDWR | O_CLOEXEC);
	} else {
		device = make_surface(&pixels);
		change = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	}
	if (device < 0)
		die(argv[3]);
	sigaction(SIGTERM, &action, NULL);
	listener = listen_for_viewers(argv[2]);
	register_display(&connection, argv[1], argv[2], device, listener, change);
	while (!ending) {
		struct pollfd waiting = {.fd = connection.fd, .events = POLLIN};

		if (pixels)
			draw(pixels, change);
		if (poll(&waiting, 1, pixels ? 50 : -1) > 0 &&
			!hear(&connection, argv[1], argv[2], device, listener, change))
			return EXIT_SUCCESS;
	}
	unregister(argv[1], argv[2]);
	return EXIT_SUCCESS;
}
