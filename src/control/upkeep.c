/* SPDX-License-Identifier: GPL-2.0-or-later */
/* upkeep.c - io.systemd.service, as systemd's own services have it (systemd 256 and later), as far as it means something here. */
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "control/methods.h"
#include "control/refuse.h"
#include "control/request.h"
#include "manager.h"
#include "varlink/server.h"

const char service_text[] =
	"# What can be asked of a running service.\n"
	"interface io.systemd.service\n"
	"\n"
	"# Answers: it is alive.\n"
	"method Ping() -> ()\n"
	"\n"
	"# Reads the policy, and certificates and keys for new connections, again; those "
	"that are there go on. For who has the right admin.\n"
	"# Where they cannot be used, those from before stay, and the "
	"answer is org.vfiodisplay.Display.Unavailable with the reason.\n"
	"method Reload() -> ()\n"
	"\n"
	"# What is logged from now on, by the numbers of syslog(3): 0 to 3 "
	"errors, 4 warnings, too, 5 notices, 6 information, 7 all.\n"
	"# Programs for viewers hear of it, too. For who has the right admin.\n"
	"method SetLogLevel(level: int) -> ()\n";

/* True: there are no parameters, as there should be. */
static bool takes_nothing(struct varlink_call *call, json_t *parameters)
{
	struct fields_reader reader;
	int r;

	method_reader(&reader, call);
	r = request_nothing(&reader, parameters);
	if (r < 0)
		refuse_request(call, &reader, r);
	return r == 0;
}

void method_ping(struct varlink_call *call, json_t *parameters, void *arg)
{
	if (takes_nothing(call, parameters))
		varlink_reply(call, NULL);
}

void method_reload(struct varlink_call *call, json_t *parameters, void *arg)
{
	_cleanup_free_ char *error = NULL;

	if (!takes_nothing(call, parameters))
		return;
	if (manager_reload(arg, &error) < 0)
		refuse_unavailable(call, error ? error : "out of memory");
	else
		varlink_reply(call, NULL);
}

void method_set_log_level(struct varlink_call *call, json_t *parameters, void *arg)
{
	static const enum log_level levels[] = {LOG_LEVEL_ERR, LOG_LEVEL_ERR, LOG_LEVEL_ERR,
		LOG_LEVEL_ERR, LOG_LEVEL_WARNING, LOG_LEVEL_NOTICE, LOG_LEVEL_INFO,
		LOG_LEVEL_DEBUG};
	const struct varlink_peer *peer = varlink_call_peer(call);
	struct request_log_level request;
	struct fields_reader reader;
	int r;

	method_reader(&reader, call);
	r = request_log_level(&reader, parameters, &request);
	if (r < 0)
		return refuse_request(call, &reader, r);
	log_set_level(LOG_LEVEL_NOTICE);
	log_notice(NULL, "uid %u, pid %d sets the log level to %u", (unsigned int)peer->uid,
		(int)peer->pid, (unsigned int)request.level);
	manager_log_level(arg, levels[request.level]);
	varlink_reply(call, NULL);
}
