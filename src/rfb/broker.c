/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Theory of operation: what the broker must not miss is kept until the link takes it. TAKEN, MAY_WRITE, BUSY, WATCH, RESIZE, POWER and
 * IDLE are one flag each, since only the newest counts, and RESIZE and POWER only while their viewer is there. A second POWER is refused while one waits; VIEWER_ADDED and VIEWER_GONE wait in a list, which is bounded because nobody is admitted while it is
 * long (door_events::congested), and those who are in can each leave once. VIEWER_STATE is offered again by the door.
 *
 * So it does not matter whether anybody reads: a program whose broker has died, but whose link is kept by somebody, goes on. When the next
 * broker says RESUME, all that waits is thrown away, and what is true now is told instead.
 */
#include "rfb/broker.h"

#include <errno.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/queue.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/measure.h"
#include "base/mem.h"
#include "base/probe.h"
#include "rfb/door.h"
#include "rfb/facts.h"
#include "rfb/picture.h"
#include "rfb/questions.h"
#include "rfb/tls.h"

struct pending {
	STAILQ_ENTRY(pending) link; /* broker::pending */
	struct link_message message;
};

/* A CHECK may hold a password. */
static void pending_free(struct pending *pending)
{
	explicit_bzero(pending, sizeof(*pending));
	free(pending);
}

struct broker {
	struct loop *loop;
	int link; /* borrowed */
	struct loop_source *link_source;
	int idle; /* eventfd: the picture may be granted */
	struct loop_source *idle_source;
	struct loop_source *busy_timer;
	struct picture *picture;
	struct door *door;
	struct link_message hello;
	uint32_t generation; /* of the newest frame */
	int result;
	bool leaving; /* STOP has come */

	STAILQ_HEAD(, pending) pending;
	unsigned int pending_count;
	bool say_may_write, say_watch, say_idle, say_busy, say_taken, say_resize, say_power;
	uint32_t granted, watch;
	struct link_message resize, power;
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

/* True: it is on its way, or nobody is there to hear it. */
static bool say(struct broker *broker, const struct link_message *message)
{
	int r = link_send(broker->link, message, -EBADF);

	return r != -EAGAIN && r != -ENOBUFS && r != -ENOMEM;
}

static bool say_flag(struct broker *broker, bool *flag, const struct link_message *message)
{
	if (*flag && !say(broker, message))
		return false;
	*flag = false;
	return true;
}

static bool say_generation(
	struct broker *broker, bool *flag, enum link_type type, uint32_t generation)
{
	struct link_message message = {.type = type};

	message.publish.generation = generation;
	return say_flag(broker, flag, &message);
}

static bool say_flags(struct broker *broker)
{
	struct link_message watch = {.type = LINK_WATCH}, idle = {.type = LINK_IDLE};

	watch.watch.count = broker->watch;
	return say_generation(broker, &broker->say_taken, LINK_TAKEN, broker->generation) &&
	       say_generation(broker, &broker->say_may_write, LINK_MAY_WRITE, broker->granted) &&
	       say_flag(broker, &broker->say_watch, &watch) &&
	       say_generation(broker, &broker->say_busy, LINK_BUSY, broker->generation) &&
	       say_flag(broker, &broker->say_resize, &broker->resize) &&
	       say_flag(broker, &broker->say_power, &broker->power) &&
	       say_flag(broker, &broker->say_idle, &idle);
}

static bool say_pending(struct broker *broker)
{
	struct pending *pending;

	while ((pending = STAILQ_FIRST(&broker->pending))) {
		if (!say(broker, &pending->message))
			return false;
		STAILQ_REMOVE_HEAD(&broker->pending, link);
		broker->pending_count--;
		pending_free(pending);
	}
	return true;
}

/* The list first: a viewer is known before it is counted. */
static void say_all(struct broker *broker)
{
	bool all;

	if (!broker->link_source)
		return; /* the broker has gone; we only see our viewers off */
	all = say_pending(broker) && say_flags(broker);
	loop_fd_events(broker->link_source, LOOP_READ | (all ? 0 : LOOP_WRITE));
}

static void post(struct broker *broker, const struct link_message *message)
{
	struct pending *pending = new0(struct pending);

	if (!pending) {
		/* The broker's count of viewers would be wrong for ever. */
		log_err(id(broker), "out of memory: giving up");
		finish(broker, -ENOMEM);
		return;
	}
	pending->message = *message;
	STAILQ_INSERT_TAIL(&broker->pending, pending, link);
	broker->pending_count++;
	say_all(broker);
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

	if (broker->resize.resize.viewer == viewer)
		broker->say_resize = false;
	if (broker->power.power.viewer == viewer)
		broker->say_power = false;
	post_seen(arg, LINK_VIEWER_GONE, viewer, mode, peer, reason);
}

/* What cannot be sent now is for the next time. */
static void say_times(struct broker *broker)
{
	struct link_message message = {.type = LINK_TIMES};

	measure_take(MEASURE_ENCODE, &message.times.encode);
	measure_take(MEASURE_WIRE, &message.times.wire);
	if (!message.times.encode.sum_ns || link_send(broker->link, &message, -EBADF) == 0)
		return;
	measure_add(MEASURE_ENCODE, &message.times.encode);
	measure_add(MEASURE_WIRE, &message.times.wire);
}

static bool on_state(
	void *arg, uint32_t viewer, uint32_t behind, uint64_t bytes, const char *encoding)
{
	struct link_message message = {.type = LINK_VIEWER_STATE};
	struct broker *broker = arg;

	if (broker->pending_count)
		return false;
	message.state.viewer = viewer;
	message.state.frames_behind = behind;
	message.state.bytes_sent = bytes;
	snprintf(message.state.encoding, sizeof(message.state.encoding), "%s", encoding);
	say_times(broker);
	return say(broker, &message);
}

static void on_wish(void *arg, uint32_t viewer, uint32_t width, uint32_t height)
{
	struct broker *broker = arg;

	broker->resize.type = LINK_RESIZE;
	broker->resize.resize.viewer = viewer;
	broker->resize.resize.width = width;
	broker->resize.resize.height = height;
	broker->say_resize = true;
	say_all(broker);
}

static bool on_power(void *arg, uint32_t viewer, enum link_power action)
{
	struct broker *broker = arg;

	if (broker->say_power)
		return false;
	broker->power.type = LINK_POWER;
	broker->power.power.viewer = viewer;
	broker->power.power.action = action;
	broker->say_power = true;
	say_all(broker);
	return true;
}

static int on_check(void *arg, const struct link_message *check)
{
	struct broker *broker = arg;
	int r;

	if (broker->pending_count >= LIMIT_LINK_PENDING)
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
	struct pending *pending;

	questions_forget(&broker->questions, viewer);
	STAILQ_FOREACH (pending, &broker->pending, link) {
		if (pending->message.type != LINK_CHECK || pending->message.check.viewer != viewer)
			continue;
		STAILQ_REMOVE(&broker->pending, pending, pending, link);
		broker->pending_count--;
		pending_free(pending);
		return;
	}
}

static void on_watch(void *arg, uint32_t count)
{
	struct broker *broker = arg;

	broker->watch = count;
	broker->say_watch = true;
	say_all(broker);
}

static bool on_congested(void *arg)
{
	struct broker *broker = arg;

	return broker->pending_count >= LIMIT_LINK_PENDING;
}

static void on_idle(void *arg)
{
	struct broker *broker = arg;

	broker->say_idle = true;
	say_all(broker);
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
	.check = on_check,
	.unasked = on_unasked,
	.watch = on_watch,
	.congested = on_congested,
	.idle = on_idle,
	.stopped = on_stopped,
};

/* Any thread. */
static void wake(void *arg)
{
	struct broker *broker = arg;
	uint64_t one = 1;

	if (write(broker->idle, &one, sizeof(one)) < 0)
		return; /* the counter is full: awake already */
}

static void grant(struct broker *broker)
{
	uint32_t generation;

	if (!picture_granted(broker->picture, &generation))
		return;
	broker->granted = generation;
	broker->say_may_write = true;
	broker->say_busy = false;
	loop_timer_stop(broker->busy_timer);
	say_all(broker);
}

static void on_busy(void *arg)
{
	struct broker *broker = arg;

	if (!picture_encoding(broker->picture))
		return;
	broker->say_busy = true;
	say_all(broker);
	loop_timer_once(broker->busy_timer, LIMIT_BUSY_MS);
}

static void on_wake(int fd, unsigned int events, void *arg)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) == sizeof(count))
		grant(arg);
}

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
	broker->generation = frame->header.generation;
	broker->say_taken = true;
	say_all(broker);
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
	}
	door_tell(broker->door, facts);
}

static void say_no_more(struct broker *broker)
{
	struct pending *pending;

	while ((pending = STAILQ_FIRST(&broker->pending))) {
		STAILQ_REMOVE_HEAD(&broker->pending, link);
		pending_free(pending);
	}
	broker->pending_count = 0;
	broker->say_may_write = broker->say_busy = broker->say_taken = broker->say_idle = false;
	broker->say_resize = broker->say_power = false;
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
	log_set_level(MIN(message->hello.log_level, (uint32_t)LOG_LEVEL_DEBUG));
	say_no_more(broker);
	loop_timer_stop(broker->busy_timer);
	picture_resume(broker->picture);
	resumed.resumed.version = LINK_VERSION;
	resumed.resumed.turn = message->hello.turn;
	resumed.resumed.generation = broker->generation;
	resumed.resumed.width = frame ? frame->header.width : 0;
	resumed.resumed.height = frame ? frame->header.height : 0;
	door_here(broker->door, count_here, &resumed.resumed.viewers);
	post(broker, &resumed);
	door_here(broker->door, post_here, broker);
	for (size_t i = 0; i < broker->questions.used; i++)
		post(broker, &broker->questions.at[i]);
	broker->say_watch = true;
	say_all(broker);
	door_resume(broker->door, message);
	door_policy(broker->door, &message->hello.policy);
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
		if (message->publish.generation == broker->generation) {
			picture_want_write(broker->picture);
			loop_timer_once(broker->busy_timer, LIMIT_BUSY_MS);
			grant(broker);
		}
		break;
	case LINK_PUBLISH:
		if (message->publish.generation == broker->generation) {
			PROBE2(published, message->publish.generation, message->publish.damaged);
			picture_noticed(broker->picture, message->publish.noticed);
			picture_published(broker->picture, message->publish.damaged);
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
		say_all(broker);
	for (int i = 0; i < 16 && events & LOOP_READ; i++) {
		r = link_receive(link, true, &message, &fd);
		if (r < 0)
			break;
		dispatch(broker, &message, fd);
	}
	if (r == -EPIPE && broker->leaving) {
		/* After STOP the broker hangs up: what viewers have queued still goes out, the door says when. */
		loop_source_free(broker->link_source);
		broker->link_source = NULL;
	} else if (r == -EPIPE)
		finish(broker, 0);
	else if (r < 0 && r != -EAGAIN)
		finish(broker, r);
}

/* ---- life ---- */

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
	STAILQ_INIT(&broker->pending);
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
	broker->idle = fd_move_high(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	r = broker->idle < 0 ? -errno : 0;
	if (r == 0)
		r = loop_fd_add(
			loop, broker->idle, LOOP_READ, on_wake, broker, &broker->idle_source);
	if (r == 0)
		r = loop_fd_add(loop, link, LOOP_READ, on_link, broker, &broker->link_source);
	if (r == 0)
		r = loop_timer_add(loop, on_busy, broker, &broker->busy_timer);
	if (r == 0)
		r = picture_create(wake, broker, &broker->picture);
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
	loop_source_free(broker->link_source);
	loop_source_free(broker->idle_source);
	loop_source_free(broker->busy_timer);
	fd_close(broker->idle);
	say_no_more(broker);
	questions_finish(&broker->questions);
	free(broker);
}

int broker_result(const struct broker *broker)
{
	return broker->result;
}
