/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vfio-displayd-testcard: a display that needs no guest. It registers through the control socket as a VMM does, only that
 * the daemon gives it the connection. The connection is the lease: when it ends, so does this program.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/timerfd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "testcard/card.h"
#include "testcard/producer.h"
#include "varlink/client.h"

#define REGISTER_TIMEOUT_MS 30000

enum { EXIT_USAGE = 2 };

struct arguments {
	uint32_t fd; /* UINT32_MAX: not given */
	uint32_t width, height, rate;
	const char *listen; /* NULL: nowhere */
	const char *id;
	bool still;
};

static const char usage[] =
	"usage: vfio-displayd-testcard --fd N [--size WxH] [--rate FPS] [--listen ADDRESS]\n"
	"                              [--id ID] [--still]\n"
	"Registers a test card as a display. Started by vfio-displayd --testcard.\n"
	"\n"
	"  --fd N          a connection to the control socket\n"
	"  --size WxH      320x200 to 7680x4320 [1280x720]\n"
	"  --rate FPS      1 to 120 [30]\n"
	"  --listen ADDRESS  where viewers find it: HOST:PORT or unix:PATH [nowhere]\n"
	"  --id ID         [testcard]\n"
	"  --still         paint once, without a cursor: for comparisons\n";

/* Digits up to @end, one of them at least. */
static bool parse_number(const char *text, char end, uint32_t low, uint32_t high, uint32_t *ret)
{
	uint64_t number = 0;
	size_t n = strspn(text, "0123456789");

	if (n == 0 || n > 9 || text[n] != end)
		return false;
	for (size_t i = 0; i < n; i++)
		number = number * 10 + (text[i] - '0');
	if (number < low || number > high)
		return false;
	*ret = number;
	return true;
}

static bool parse_size(const char *text, struct arguments *a)
{
	const char *x = strchr(text, 'x');

	return x && parse_number(text, 'x', CARD_WIDTH_MIN, CARD_WIDTH_MAX, &a->width) &&
	       parse_number(x + 1, '\0', CARD_HEIGHT_MIN, CARD_HEIGHT_MAX, &a->height);
}

static bool parse_option(int c, struct arguments *a)
{
	switch (c) {
	case 'f':
		return parse_number(optarg, '\0', 0, 1 << 20, &a->fd);
	case 's':
		return parse_size(optarg, a);
	case 'r':
		return parse_number(optarg, '\0', CARD_RATE_MIN, CARD_RATE_MAX, &a->rate);
	case 'l':
		a->listen = optarg;
		return true;
	case 'i':
		a->id = optarg;
		return true;
	case 'S':
		a->still = true;
		return true;
	}
	return false;
}

/* -1: go on; else the exit status. */
static int parse_arguments(int argc, char **argv, struct arguments *a)
{
	static const struct option options[] = {
		{"fd", required_argument, NULL, 'f'},
		{"size", required_argument, NULL, 's'},
		{"rate", required_argument, NULL, 'r'},
		{"listen", required_argument, NULL, 'l'},
		{"id", required_argument, NULL, 'i'},
		{"still", no_argument, NULL, 'S'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int c, at;

	while ((c = getopt_long(argc, argv, "", options, &at)) != -1) {
		if (c == 'h')
			return fputs(usage, stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
		if (c == '?')
			return EXIT_USAGE;
		if (!parse_option(c, a)) {
			log_err(a->id, "\"%s\" is no %s%s", optarg, options[at].name,
				c == 'f' ? ""
					 : ": a test card is 320x200 to 7680x4320, at 1 to 120 "
					   "frames for each second");
			return EXIT_USAGE;
		}
	}
	if (optind < argc || a->fd == UINT32_MAX) {
		log_err(a->id, "--fd and nothing but options is needed, see --help");
		return EXIT_USAGE;
	}
	return -1;
}

static json_t *register_parameters(const struct arguments *a)
{
	json_t *listen = json_array();

	if (a->listen)
		json_array_append_new(
			listen, json_pack("{s:s, s:s}", "mode", "control", "address", a->listen));
	return json_pack("{s:{s:s, s:s}, s:s, s:i, s:i, s:o}", "context", "id", a->id, "name",
		"Test card", "source", "surface", "deviceFileDescriptorIndex", 0,
		"changeFileDescriptorIndex", 1, "listen", listen);
}

/* Reads one reply. 1: go on; 0: the registration ended; -errno, logged. */
static int read_reply(const struct arguments *a, struct varlink_client *client, int timeout_ms)
{
	struct varlink_result result;
	int r = varlink_client_receive(client, timeout_ms, &result);

	if (r == -EPIPE)
		return 0;
	if (r == -ETIMEDOUT && timeout_ms == 0)
		return 1;
	if (r < 0) {
		log_err(a->id, "the control connection failed: %s", strerror(-r));
		return r;
	}
	if (result.error) {
		_cleanup_free_ char *details = json_dumps(result.parameters, JSON_COMPACT);

		log_err(a->id, "Register was refused: %s %s", result.error, details ? details : "");
		r = -ECONNREFUSED;
	} else {
		r = result.continues;
	}
	varlink_result_finish(&result);
	return r;
}

static int register_card(
	const struct arguments *a, struct varlink_client *client, const struct producer *producer)
{
	int fds[] = {producer_surface(producer), producer_change(producer)};
	json_t *parameters = register_parameters(a);
	int r;

	if (!parameters)
		return -ENOMEM;
	r = varlink_client_send(
		client, "org.vfiodisplay.Display.Register", parameters, true, fds, ARRAY_SIZE(fds));
	if (r < 0) {
		log_err(a->id, "cannot send Register: %s", strerror(-r));
		return r;
	}
	return read_reply(a, client, REGISTER_TIMEOUT_MS);
}

static int start_timer(uint32_t rate)
{
	struct itimerspec every = {0};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	if (rate == 1)
		every.it_interval.tv_sec = 1;
	else
		every.it_interval.tv_nsec = 1000000000 / rate;
	every.it_value = every.it_interval;
	if (fd < 0 || timerfd_settime(fd, 0, &every, NULL) < 0) {
		int r = -errno;

		fd_close(fd);
		return r;
	}
	return fd;
}

/* Paints until the registration ends. Frames whose time has passed are skipped. */
static int paint(
	const struct arguments *a, struct varlink_client *client, struct producer *producer)
{
	_cleanup_fd_ int timer = a->still ? -EBADF : start_timer(a->rate);
	uint64_t frame = 0, passed;
	int r;

	if (timer < 0 && !a->still)
		return timer;
	for (;;) {
		struct pollfd fds[] = {
			{.fd = varlink_client_fd(client), .events = POLLIN},
			{.fd = a->still ? -1 : timer, .events = POLLIN},
		};

		if (poll(fds, ARRAY_SIZE(fds), -1) < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (fds[0].revents) {
			r = read_reply(a, client, 0);
			if (r <= 0)
				return r;
		}
		if (fds[1].revents && read(timer, &passed, sizeof(passed)) == sizeof(passed)) {
			frame += passed;
			producer_paint(producer, frame);
		}
	}
}

static int run(const struct arguments *a)
{
	struct varlink_client *client;
	struct producer *producer;
	int r;

	r = varlink_client_adopt(a->fd, &client);
	if (r < 0) {
		log_err(a->id, "descriptor %" PRIu32 " is no connection: %s", a->fd, strerror(-r));
		return r;
	}
	r = producer_create(a->width, a->height, a->rate, !a->still, &producer);
	if (r < 0) {
		log_err(a->id, "cannot make a surface: %s", strerror(-r));
	} else {
		r = register_card(a, client, producer);
		if (r > 0)
			r = paint(a, client, producer);
		producer_destroy(producer);
	}
	varlink_client_destroy(client);
	return r;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {
		.fd = UINT32_MAX, .width = 1280, .height = 720, .rate = 30, .id = "testcard"};
	int r;

	log_open("vfio-displayd-testcard", LOG_LEVEL_INFO);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);  /* the daemon's: it reloads */
	signal(SIGUSR1, SIG_IGN); /* likewise: it tells its state */
	r = parse_arguments(argc, argv, &arguments);
	if (r >= 0)
		return r;
	return run(&arguments) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
