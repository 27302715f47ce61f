/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bench-replay: gives LibVNCServer's client library the bytes that bench-play's viewer got, and compares the pictures.
 *
 *   bench-replay RECORDING MARKS
 *
 * MARKS has a line for each picture: after how many bytes it was complete, and its hash. Prints how many of them were the same here.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <rfb/rfbclient.h>
#include <stdbool.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct feed {
	const uint8_t *bytes;
	size_t size;
	int fd;
	_Atomic size_t limit, sent;
};

/* Sends as far as the limit goes, and takes away what the library says. */
static void *run_feed(void *data)
{
	struct feed *f = data;
	uint8_t away[4096];

	while (f->sent < f->size) {
		size_t part = f->limit - f->sent;
		ssize_t n = 0;

		while (recv(f->fd, away, sizeof(away), MSG_DONTWAIT) > 0)
			;
		if (part)
			n = send(f->fd, f->bytes + f->sent, part < 65536 ? part : 65536,
				MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0)
			f->sent += (size_t)n;
		else if (n < 0 && errno != EAGAIN)
			break;
		else
			usleep(200);
	}
	return NULL;
}

static uint64_t hash(const rfbClient *client)
{
	const uint32_t *pixels = (const uint32_t *)(const void *)client->frameBuffer;
	uint64_t sum = 1469598103934665603ULL;

	for (size_t i = 0; i < (size_t)client->width * (size_t)client->height; i++)
		sum = (sum ^ (pixels[i] & 0xffffff)) * 1099511628211ULL;
	return sum;
}

/* Whether everything up to the limit has been decoded. */
static bool caught_up(const struct feed *f, const rfbClient *client)
{
	int waiting = 1;

	return f->sent == f->limit && ioctl(client->sock, FIONREAD, &waiting) == 0 &&
	       waiting == 0 && client->buffered == 0;
}

static bool play_to(struct feed *f, rfbClient *client, size_t mark)
{
	f->limit = mark;
	while (!caught_up(f, client)) {
		struct pollfd p = {.fd = client->sock, .events = POLLIN};

		if (client->buffered == 0 && poll(&p, 1, 1) == 0)
			continue;
		if (!HandleRFBServerMessage(client))
			return false;
	}
	return true;
}

static rfbClient *make_client(int fd)
{
	rfbClient *client = rfbGetClient(8, 3, 4);

	if (!client)
		return NULL;
	client->format.redShift = 16;
	client->format.greenShift = 8;
	client->format.blueShift = 0;
	client->canHandleNewFBSize = FALSE;
	client->sock = fd;
	client->appData.encodingsString = "tight copyrect raw";
	client->appData.useRemoteCursor = FALSE;
	return client;
}

static int replay(struct feed *f, rfbClient *client, FILE *marks)
{
	unsigned long long mark, sum;
	int pictures = 0, same = 0;

	if (fscanf(marks, "%llu %llx", &mark, &sum) != 2)
		return -ENODATA;
	f->limit = mark;
	if (!InitialiseRFBConnection(client))
		return -EPROTO;
	client->width = client->si.framebufferWidth;
	client->height = client->si.framebufferHeight;
	if (!client->MallocFrameBuffer(client) || !SetFormatAndEncodings(client))
		return -EPROTO;
	do {
		if (!play_to(f, client, mark))
			return -EPROTO;
		pictures++;
		same += hash(client) == sum;
	} while (fscanf(marks, "%llu %llx", &mark, &sum) == 2);
	printf("{\"pictures\": %d, \"same\": %d}\n", pictures, same);
	return 0;
}

static void quiet(const char *format, ...)
{
	(void)format;
}

int main(int argc, char **argv)
{
	struct feed feed = {0};
	pthread_t thread;
	rfbClient *client;
	struct stat st;
	int fds[2], r;
	FILE *marks;

	if (argc != 3)
		return EXIT_FAILURE;
	feed.fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	marks = fopen(argv[2], "re");
	if (feed.fd < 0 || !marks || fstat(feed.fd, &st) < 0 ||
		socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0) {
		perror("bench-replay");
		return EXIT_FAILURE;
	}
	feed.size = (size_t)st.st_size;
	feed.bytes = mmap(NULL, feed.size, PROT_READ, MAP_PRIVATE, feed.fd, 0);
	feed.fd = fds[0];
	rfbClientLog = quiet;
	client = make_client(fds[1]);
	if (feed.bytes == MAP_FAILED || !client ||
		pthread_create(&thread, NULL, run_feed, &feed) != 0)
		return EXIT_FAILURE;
	r = replay(&feed, client, marks);
	if (r < 0)
		fprintf(stderr, "bench-replay: %s\n", strerror(-r));
	shutdown(fds[0], SHUT_RDWR);
	feed.sent = feed.limit = feed.size;
	pthread_join(thread, NULL);
	fclose(marks);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
