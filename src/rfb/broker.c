/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation: this end of the link is where the picture, the door and the broker meet. What is told to the broker goes through the
 * outbox, so nothing here waits, and a program whose broker has died, but whose link is kept by somebody, goes on. When the next broker says
 * RESUME, all that waits is thrown away, and what is true now is told instead.
 */
#include "rfb/broker.h"

#include <errno.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/probe.h"
#include "rfb/door.h"
#include "rfb/door_events.h"
#include "rfb/facts.h"
#include "rfb/film.h"
#include "rfb/grant.h"
#include "rfb/outbox.h"
#include "rfb/picture.h"
#include "rfb/questions.h"
#include "rfb/tidy.h"
#include "rfb/times.h"
#include "rfb/tls.h"

struct broker {
	struct loop *loop;
	int link; /* borrowed */
	struct loop_source *link_source;
	struct picture *picture;
	struct tidy tidy;   /* the picture's studio */
	struct times times; /* that it was told */
	struct door *door;
	struct link_message hello;
	int result;
	bool leaving; /* STOP has come */

	uint32_t watch; /* viewers who look */
	struct outbox outbox;
	struct grant grant;
	struct questions questions;
	struct facts facts;
};

static const char *id(const struct broker *broker)
{
	return broker->hello.hello.id;
}

static void finish(struct broker *broker, int result)
{
	broker->result = result;
	loop_stop(broker->loop);
}

/* ---- to the broker ---- */

static void note_watch(struct broker *broker)
{
	struct link_message message = {.type = LINK_WATCH};

	message.watch.count = broker->watch;
	message.watch.audience = picture_audience(broker->picture);
	outbox_note(&broker->outbox, &message);
}

/* Without it the broker's count of viewers would be wrong for ever. */
static void post(struct broker *broker, const struct link_message *message)
{
	if (outbox_post(&broker->outbox, message) == 0)
		return;
	log_err(id(broker), "out of memory: giving up");
	finish(broker, -ENOMEM);
}

static void post_seen(struct broker *broker, enum link_type type, uint32_t viewer,
	enum link_mode mode, const char *peer, const char *reason)
{
	struct link_message message = {.type = type};

	message.seen.viewer = viewer;
	message.seen.mode = mode;
	snprintf(message.seen.peer, sizeof(message.seen.peer), "%s", peer);
	snprintf(message.seen.reason, sizeof(message.seen.reason), "%s", reason);
	post(broker, &message);
}

static void on_added(void *arg, uint32_t viewer, enum link_mode mode, const char *peer)
{
	post_seen(arg, LINK_VIEWER_ADDED, viewer, mode, peer, "");
}

static void on_gone(
	void *arg, uint32_t viewer, enum link_mode mode, const char *peer, const char *reason)
{
	struct broker *broker = arg;

	outbox_drop_wishes(&broker->outbox, viewer);
	post_seen(arg, LINK_VIEWER_GONE, viewer, mode, peer, reason);
}

static bool on_state(
	void *arg, uint32_t viewer, uint32_t behind, uint64_t bytes, const char *encoding)
{
	struct link_message message = {.type = LINK_VIEWER_STATE};
	struct broker *broker = arg;

	if (outbox_count(&broker->outbox))
		return false;
	message.state.viewer = viewer;
	message.state.frames_behind = behind;
	message.state.bytes_sent = bytes;
	snprintf(message.state.encoding, sizeof(message.state.encoding), "%s", encoding);
	times_say(&broker->times, &broker->tidy, broker->link);
	return outbox_offer(&broker->outbox, &message);
}

static void on_wish(void *arg, uint32_t viewer, uint32_t width, uint32_t height)
{
	struct link_message message = {.type = LINK_RESIZE};
	struct broker *broker = arg;

	message.resize.viewer = viewer;
	message.resize.width = width;
	message.resize.height = height;
	outbox_note(&broker->outbox, &message);
}

/* None is lost: a second one is refused while one waits. */
static bool on_power(void *arg, uint32_t viewer, enum link_power action)
{
	struct link_message message = {.type = LINK_POWER};
	struct broker *broker = arg;

	if (outbox_waits(&broker->outbox, LINK_POWER))
		return false;
	message.power.viewer = viewer;
	message.power.action = action;
	outbox_note(&broker->outbox, &message);
	return true;
}

static bool on_input(void *arg, const struct link_message *message)
{
	struct broker *broker = arg;

	return outbox_input(&broker->outbox, message);
}

static int on_check(void *arg, const struct link_message *check)
{
	struct broker *broker = arg;
	int r;

	if (outbox_count(&broker->outbox) >= LIMIT_LINK_PENDING)
		return -EAGAIN;
	r = questions_note(&broker->questions, check);
	if (r == 0)
		post(broker, check);
	return r;
}

/* What has been sent will be answered, to nobody; what has not is not sent any more. */
static void on_unasked(void *arg, uint32_t viewer)
{
	struct broker *broker = arg;

	questions_forget(&broker->questions, viewer);
	outbox_drop_check(&broker->outbox, viewer);
}

static void on_watch(void *arg, uint32_t count)
{
	struct broker *broker = arg;

	broker->watch = count;
	note_watch(broker);
}

static bool on_congested(void *arg)
{
	struct broker *broker = arg;

	return outbox_count(&broker->outbox) >= LIMIT_LINK_PENDING;
}

static void on_idle(void *arg)
{
	struct link_message message = {.type = LINK_IDLE};
	struct broker *broker = arg;

	outbox_note(&broker->outbox, &message);
}

static void on_stopped(void *arg)
{
	finish(arg, 0);
}

static const struct door_events door_events = {
	.added = on_added,
	.gone = on_gone,
	.state = on_state,
	.wish = on_wish,
	.power = on_power,
	.input = on_input,
	.check = on_check,
	.unasked = on_unasked,
	.watch = on_watch,
	.congested = on_congested,
	.idle = on_idle,
	.stopped = on_stopped,
};

/* ---- from the broker ---- */

static void got_frame(struct broker *broker, const struct link_message *message, int fd)
{
	const struct frame *frame;
	int r = picture_frame(broker->picture, fd);

	if (r < 0) {
		log_err(id(broker), "frame %u: %s", message->frame.generation, strerror(-r));
		if (r == -EINVAL)
			finish(broker, -EPROTO);
		return;
	}
	frame = picture_current(broker->picture);
	grant_taken(&broker->grant, frame->header.generation);
	door_resize(broker->door, frame->header.width, frame->header.height);
}

static void got_listener(struct broker *broker, struct link_message *message, int fd)
{
	int r = door_listen(broker->door, fd, &message->listener);

	explicit_bzero(message, sizeof(*message));
	if (r < 0)
		log_err(id(broker), "listener: %s", strerror(-r));
}

static void facts_policy(struct facts *facts, const struct link_policy *policy)
{
	facts->power = policy->power;
	facts->frames_maximum = policy->frames_maximum;
	facts->bytes_maximum = policy->bytes_maximum;
}

static void got_fact(struct broker *broker, const struct link_message *message)
{
	struct facts *facts = &broker->facts;

	if (message->type == LINK_NAME)
		snprintf(facts->name, sizeof(facts->name), "%s", message->name.name);
	else if (message->type == LINK_LEDS)
		facts->leds = message->leds.bits;
	else if (message->type == LINK_POINTER_MODE)
		facts->relative = message->pointer_mode.relative;
	else if (message->type == LINK_POLICY) {
		facts_policy(facts, &message->policy);
		door_policy(broker->door, &message->policy);
		film_switch(broker->tidy.film, message->policy.h264);
	}
	door_tell(broker->door, facts);
}

static void count_here(void *arg, const struct link_message *here)
{
	++*(uint32_t *)arg;
}

static void post_here(void *arg, const struct link_message *here)
{
	post(arg, here);
}

/* Everything that has been said so far is void, and so are grants. */
static void got_resume(struct broker *broker, const struct link_message *message)
{
	struct link_message resumed = {.type = LINK_RESUMED};
	const struct frame *frame = picture_current(broker->picture);
	struct facts *facts = &broker->facts;

	if (message->hello.role != broker->hello.hello.role ||
		strcmp(message->hello.id, id(broker)) != 0) {
		finish(broker, -EPROTO);
		return;
	}
	log_set_level(message->hello.log_level);
	outbox_clear(&broker->outbox);
	grant_resume(&broker->grant);
	resumed.resumed.version = LINK_VERSION;
	resumed.resumed.turn = message->hello.turn;
	resumed.resumed.generation = broker->grant.generation;
	resumed.resumed.width = frame ? frame->header.width : 0;
	resumed.resumed.height = frame ? frame->header.height : 0;
	door_here(broker->door, count_here, &resumed.resumed.viewers);
	post(broker, &resumed);
	door_here(broker->door, post_here, broker);
	for (size_t i = 0; i < broker->questions.used; i++)
		post(broker, &broker->questions.at[i]);
	note_watch(broker);
	door_resume(broker->door, message);
	door_policy(broker->door, &message->hello.policy);
	film_switch(broker->tidy.film, message->hello.policy.h264);
	facts_policy(facts, &message->hello.policy);
	snprintf(facts->name, sizeof(facts->name), "%s", message->hello.name);
	door_tell(broker->door, facts);
	log_info(id(broker), "another broker is there");
}

/* What is here already stays when this is bad: a program without any certificate would lock everybody out. */
static void got_tls(struct broker *broker, const struct link_message *message, int fd)
{
	const uint32_t sizes[] = {message->tls.certificates, message->tls.key,
		message->tls.authorities, message->tls.rsa_key};
	const char *why = NULL;
	struct tls *tls;
	int r = tls_load(fd, sizes, &why, &tls);

	fd_close(fd);
	if (r < 0) {
		log_err(id(broker), "certificates: %s", why ? why : strerror(-r));
		return;
	}
	door_tls(broker->door, tls);
	tls_unref(tls);
}

/* @fd is consumed: link_receive() has made sure that there is one where one belongs. */
static void dispatch(struct broker *broker, struct link_message *message, int fd)
{
	switch (message->type) {
	case LINK_LISTENER:
		got_listener(broker, message, fd);
		break;
	case LINK_VIEWER:
		door_attach(broker->door, fd, message->viewer.viewer, message->viewer.mode,
			message->viewer.peer);
		break;
	case LINK_FRAME:
		got_frame(broker, message, fd);
		break;
	case LINK_WANT_WRITE:
		grant_want(&broker->grant, message->publish.generation);
		break;
	case LINK_PUBLISH:
		if (message->publish.generation == broker->grant.generation) {
			PROBE2(published, message->publish.generation, message->publish.damaged);
			picture_noticed(broker->picture, message->publish.noticed);
			picture_moves(
				broker->picture, message->publish.move, message->publish.moves);
			picture_published(broker->picture, message->publish.damaged,
				message->publish.audience);
			door_picture(broker->door);
		}
		break;
	case LINK_DETACH:
		door_detach(broker->door, message->seen.viewer, message->seen.reason);
		break;
	case LINK_SIZES:
		door_sizes(broker->door, message->sizes.width, message->sizes.height);
		break;
	case LINK_NAME:
	case LINK_LEDS:
	case LINK_POINTER_MODE:
	case LINK_POLICY:
		got_fact(broker, message);
		break;
	case LINK_LOG_LEVEL:
		log_set_level(message->log.level);
		break;
	case LINK_UNLISTEN:
		door_unlisten(broker->door);
		break;
	case LINK_TLS:
		got_tls(broker, message, fd);
		break;
	case LINK_RESUME:
		if (!broker->leaving)
			got_resume(broker, message);
		break;
	case LINK_VERDICT:
		questions_forget(&broker->questions, message->verdict.viewer);
		door_verdict(broker->door, message->verdict.viewer, message->verdict.allowed,
			message->verdict.mode, fd);
		break;
	case LINK_STOP:
		broker->leaving = true;
		door_stop(broker->door);
		break;
	default: /* a second HELLO */
		finish(broker, -EPROTO);
	}
}

static void on_link(int link, unsigned int events, void *arg)
{
	struct broker *broker = arg;
	struct link_message message;
	int fd, r = 0;

	if (events & LOOP_WRITE)
		outbox_flush(&broker->outbox);
	if (events & LOOP_WRITE && outbox_room(&broker->outbox))
		door_type(broker->door);
	for (int i = 0; i < 16 && events & LOOP_READ; i++) {
		r = link_receive(link, true, &message, &fd);
		if (r < 0)
			break;
		dispatch(broker, &message, fd);
		/* Mostly nothing waits behind these; what does is read next. */
		if (message.type == LINK_WANT_WRITE || message.type == LINK_PUBLISH)
			break;
	}
	if (r == -EPIPE && broker->leaving) {
		/* After STOP the broker hangs up: what viewers have queued still goes out, the door says when. */
		broker->outbox.source = NULL;
		loop_source_free(take_ptr(broker->link_source));
	} else if (r == -EPIPE)
		finish(broker, 0);
	else if (r < 0 && r != -EAGAIN)
		finish(broker, r);
}

int broker_create(
	struct loop *loop, int link, const struct link_message *hello, struct broker **ret)
{
	struct broker *broker = new0(struct broker);
	struct door_options options;
	int r;

	if (!broker)
		return -ENOMEM;
	broker->loop = loop;
	broker->link = link;
	broker->hello = *hello;
	outbox_init(&broker->outbox, link);
	broker->tidy.filled = -EBADF;
	broker->facts = (struct facts){.leds = LEDS_UNKNOWN};
	facts_policy(&broker->facts, &hello->hello.policy);
	snprintf(broker->facts.name, sizeof(broker->facts.name), "%s", hello->hello.name);
	options = (struct door_options){
		.id = broker->hello.hello.id,
		.name = broker->hello.hello.name,
		.policy = hello->hello.policy,
		.grace_ms = hello->hello.grace_ms,
		.stall_ms = hello->hello.stall_ms,
		.challenge = broker->hello.hello.challenge,
		.gate = hello->hello.role == LINK_ROLE_GATE,
	};
	r = grant_init(&broker->grant, loop, &broker->outbox);
	if (r == 0)
		r = loop_fd_add(loop, link, LOOP_READ, on_link, broker, &broker->link_source);
	broker->outbox.source = broker->link_source;
	if (r == 0)
		r = picture_create(grant_wake, &broker->grant, &broker->picture);
	broker->grant.picture = broker->picture;
	if (r == 0)
		r = tidy_init(&broker->tidy, loop);
	if (r == 0)
		picture_hire(broker->picture, broker->tidy.studio);
	if (r == 0)
		picture_hire_film(broker->picture, broker->tidy.film);
	if (r == 0)
		film_switch(broker->tidy.film, hello->hello.policy.h264);
	if (r == 0)
		r = door_create(
			loop, broker->picture, &options, &door_events, broker, &broker->door);
	if (r < 0) {
		broker_destroy(broker);
		return r;
	}
	door_tell(broker->door, &broker->facts);
	*ret = broker;
	return 0;
}

void broker_destroy(struct broker *broker)
{
	if (!broker)
		return;
	door_destroy(broker->door);
	picture_destroy(broker->picture);
	tidy_finish(&broker->tidy);
	loop_source_free(broker->link_source);
	grant_finish(&broker->grant);
	outbox_clear(&broker->outbox);
	questions_finish(&broker->questions);
	free(broker);
}

int broker_result(const struct broker *broker)
{
	return broker->result;
}
