/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vfio-displayd: shows the screens of virtual machines whose display lives in a VFIO device. See docs/ARCHITECTURE.md. */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/config.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/control.h"
#include "input/layout.h"
#include "manager.h"
#include "varlink/wire.h"
#include "vfio/guard.h"

#define CONFIG_PATH  SYSCONFDIR "/vfio-displayd/vfio-displayd.conf"
#define POLICY_PATH  SYSCONFDIR "/vfio-displayd/policy"
#define CONTROL_PATH RUNSTATEDIR "/vfio-displayd/org.vfiodisplay.Display"

enum { EXIT_USAGE = 2 };

struct arguments {
	struct manager_options options;
};

static const char usage[] =
	"usage: vfio-displayd [options]\n"
	"Shows the screens of virtual machines whose display lives in a VFIO device.\n"
	"\n"
	"  --config FILE             configuration [" CONFIG_PATH "]\n"
	"  --control PATH            control socket [" CONTROL_PATH "]\n"
	"  --state-dir DIR           directory of rfb/, the displays' sockets [the control "
	"socket's]\n"
	"  --testcard[=WxH[@FPS]]    show a test card as display \"testcard\" [1280x720@30]\n"
	"  --listen HOST:PORT|unix:PATH  where viewers find the test card\n"
	"  --print-capabilities      what this build can do, as JSON\n"
	"  --version, --help\n";

enum { OPT_CONFIG = 256, OPT_CONTROL, OPT_STATE_DIR, OPT_TESTCARD, OPT_LISTEN, OPT_CAPABILITIES };

static const struct option long_options[] = {
	{"config", required_argument, NULL, OPT_CONFIG},
	{"control", required_argument, NULL, OPT_CONTROL},
	{"state-dir", required_argument, NULL, OPT_STATE_DIR},
	{"testcard", optional_argument, NULL, OPT_TESTCARD},
	{"listen", required_argument, NULL, OPT_LISTEN},
	{"print-capabilities", no_argument, NULL, OPT_CAPABILITIES},
	{"version", no_argument, NULL, 'V'},
	{"help", no_argument, NULL, 'h'},
	{0},
};

static int print_capabilities(void)
{
	json_t *capabilities = control_capabilities();
	int r = capabilities ? json_dumpf(capabilities, stdout, JSON_INDENT(2)) : -1;

	json_decref(capabilities);
	return r < 0 || puts("") < 0 || fflush(stdout) != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* -1: go on; else the exit status. */
static int parse_arguments(int argc, char **argv, struct arguments *a)
{
	struct manager_options *o = &a->options;
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (c) {
		case OPT_CONFIG:
			o->config_path = optarg;
			o->config_optional = false;
			break;
		case OPT_CONTROL:
			o->control_path = optarg;
			break;
		case OPT_STATE_DIR:
			o->state_dir = optarg;
			break;
		case OPT_TESTCARD:
			o->testcard = optarg ? optarg : "";
			break;
		case OPT_LISTEN:
			o->listen = optarg;
			break;
		case OPT_CAPABILITIES:
			return print_capabilities();
		case 'V':
			return puts(PACKAGE_STRING) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
		case 'h':
			return fputs(usage, stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
		default:
			fprintf(stderr, "vfio-displayd: see --help\n");
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "vfio-displayd: unexpected argument \"%s\", see --help\n",
			argv[optind]);
		return EXIT_USAGE;
	}
	if (o->listen && !o->testcard) {
		fprintf(stderr, "vfio-displayd: --listen is the test card's, add --testcard\n");
		return EXIT_USAGE;
	}
	return -1;
}

static int load_config(const struct arguments *a, struct config *config)
{
	const char *path = a->options.config_path;
	_cleanup_free_ char *error = NULL;
	int r;

	r = config_read(config, path, &error);
	if (r == -ENOENT && a->options.config_optional)
		return 0;
	if (r < 0)
		log_err(NULL, "%s", error ? error : "out of memory");
	if (r < 0 || !config->keyboard_layout || layout_name_valid(config->keyboard_layout))
		return r;
	log_err(NULL, "%s: keyboard-layout is no layout's name, such as de or de(nodeadkeys)",
		path);
	return -EINVAL;
}

#define MMAP_FROM (32 << 10) /* bytes */

/* In the build tree and in any prefix the programs lie beside us; installed, in LIBEXECDIR. */
static char *find_program(const char *name)
{
	char self[512];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *path, *slash;

	if (n > 0) {
		self[n] = '\0';
		slash = strrchr(self, '/');
		if (slash && asprintf(&path, "%.*s/%s", (int)(slash - self), self, name) >= 0) {
			if (access(path, X_OK) == 0)
				return path;
			free(path);
		}
	}
	return asprintf(&path, "%s/%s", LIBEXECDIR, name) < 0 ? NULL : path;
}

/* 100 displays with viewers need some thousand descriptors; the soft limit is often 1024. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = MIN(limit.rlim_max, (rlim_t)65536);
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int run(const struct arguments *a, struct config *config)
{
	struct manager_options options = a->options;
	struct manager *manager;
	int r;

	r = load_config(a, config);
	if (r < 0)
		return r;
	log_set_level(config->log_level);
#ifndef HAVE_PAM
	if (config->pam_service) {
		log_err(NULL, "pam-service = %s: this vfio-displayd was built without PAM",
			config->pam_service);
		return -EINVAL;
	}
#endif
	options.policy_path = POLICY_PATH;
	if (!options.control_path)
		options.control_path =
			config->control_socket ? config->control_socket : CONTROL_PATH;
	config->rfb_program = find_program("vfio-displayd-rfb");
	config->testcard_program = find_program("vfio-displayd-testcard");
	config->login_program = find_program("vfio-displayd-login");
	config->metrics_program = find_program("vfio-displayd-metrics");
	if (!config->rfb_program || !config->testcard_program || !config->login_program ||
		!config->metrics_program)
		return -ENOMEM;
#ifdef HAVE_GBM
	config->import_program = find_program("vfio-displayd-import");
	if (!config->import_program)
		return -ENOMEM;
#endif
	r = vfio_guard_install();
	if (r < 0) {
		log_err(NULL, "cannot install the system call filter: %s", strerror(-r));
		return r;
	}
	r = manager_create(config, &options, &manager);
	if (r < 0)
		return r;
	r = manager_run(manager);
	manager_destroy(manager);
	return r;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {
		.options = {.config_path = CONFIG_PATH, .config_optional = true}};
	struct config config;
	int r;

	/* Large pieces that are given back go to the kernel, whatever else has been freed. */
	mallopt(M_MMAP_THRESHOLD, MMAP_FROM);
	log_open("vfio-displayd", LOG_LEVEL_INFO);
	r = parse_arguments(argc, argv, &arguments);
	if (r >= 0)
		return r;
	signal(SIGPIPE, SIG_IGN);
	/* Until somebody hears them, and when nobody does any more: they ask for nothing then. */
	signal(SIGHUP, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	raise_descriptor_limit();
	wire_forget();
	config_init(&config);
	r = run(&arguments, &config);
	free(config.rfb_program);
	free(config.testcard_program);
	free(config.login_program);
	free(config.metrics_program);
	free(config.import_program);
	config_finish(&config);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
