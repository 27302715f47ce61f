/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gate_keep.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/discard.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "frame/wall.h"
#include "handover/address.h"
#include "state/record.h"
#include "state/store.h"

enum { GATE_VERSION = 1 };

#define GATE_ID "gate" /* in the log */

struct gate_place {
	char name[STORE_NAME]; /* "": nothing is here */
	char address[128];
	bool taken; /* it is the wall's now */
};

struct gate_keep {
	struct store *store;	/* borrowed */
	struct wall *wall;	/* borrowed, NULL: not begun, or ended */
	struct record *record;	/* owned; NULL: nothing is kept */
	char state[STORE_NAME]; /* the record's name */
	struct gate_place places[LIMIT_LISTENERS];
	char link[STORE_NAME], program[STORE_NAME];
	bool adopting; /* what comes back is kept already */
	struct wall_kept kept;
};

/* ---- the record ---- */

static char *write_text(const struct gate_keep *keep)
{
	const struct wall_kept *kept = &keep->kept;
	json_t *places = json_array(), *json;
	char *text;

	for (size_t i = 0; i < ARRAY_SIZE(keep->places); i++)
		if (keep->places[i].name[0])
			json_array_append_new(
				places, json_pack("{s:s, s:s}", "name", keep->places[i].name,
						"address", keep->places[i].address));
	/* Its viewers are their displays'. */
	json = json_pack("{s:i, s:o, s:s, s:s, s:I, s:I, s:I, s:I}", "version", GATE_VERSION,
		"listeners", places, "link", keep->link, "pidfd", keep->program, "speaks",
		(json_int_t)kept->version, "serial", (json_int_t)kept->roster.serial, "mode",
		(json_int_t)kept->roster.mode, "modeChecked",
		(json_int_t)kept->roster.mode_checked);
	text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	return text;
}

static bool read_name(json_t *json, const char *field, char ret[STORE_NAME])
{
	const char *text = json_string_value(json_object_get(json, field));

	if (!text || strlen(text) >= STORE_NAME || (text[0] && !store_is_name(text)))
		return false;
	snprintf(ret, STORE_NAME, "%s", text);
	return true;
}

static bool read_number(json_t *json, const char *field, uint32_t *ret)
{
	json_t *value = json_object_get(json, field);
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 0 || number > UINT32_MAX)
		return false;
	*ret = (uint32_t)number;
	return true;
}

static bool read_places(json_t *places, struct gate_keep *keep)
{
	if (!json_is_array(places) || json_array_size(places) > ARRAY_SIZE(keep->places))
		return false;
	for (size_t i = 0; i < json_array_size(places); i++) {
		struct gate_place *place = &keep->places[i];
		json_t *json = json_array_get(places, i);
		const char *address = json_string_value(json_object_get(json, "address"));

		if (!address || strlen(address) >= sizeof(place->address) ||
			!read_name(json, "name", place->name))
			return false;
		snprintf(place->address, sizeof(place->address), "%s", address);
	}
	return true;
}

static int read_text(const char *text, size_t size, struct gate_keep *keep)
{
	json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
	struct wall_kept *kept = &keep->kept;
	uint32_t version = 0;
	bool good;

	good = read_number(json, "version", &version) && version == GATE_VERSION &&
	       read_places(json_object_get(json, "listeners"), keep) &&
	       read_name(json, "link", keep->link) && read_name(json, "pidfd", keep->program) &&
	       read_number(json, "speaks", &kept->version) &&
	       read_number(json, "serial", &kept->roster.serial) &&
	       read_number(json, "mode", &kept->roster.mode) &&
	       read_number(json, "modeChecked", &kept->roster.mode_checked);
	json_decref(json);
	return good ? 0 : version && version != GATE_VERSION ? -EPROTONOSUPPORT : -EBADMSG;
}

static void drop_all(struct gate_keep *keep)
{
	store_drop(keep->store, keep->state);
	for (size_t i = 0; i < ARRAY_SIZE(keep->places); i++)
		store_drop(keep->store, keep->places[i].name);
	store_drop(keep->store, keep->link);
	store_drop(keep->store, keep->program);
	record_destroy(take_ptr(keep->record));
}

static void note(struct gate_keep *keep)
{
	_cleanup_free_ char *text = NULL;
	int r;

	if (!keep->record)
		return;
	if (keep->wall)
		wall_kept(keep->wall, &keep->kept);
	text = write_text(keep);
	r = text ? record_write(keep->record, text, strlen(text)) : -ENOMEM;
	if (r == 0)
		return;
	log_warn(GATE_ID, "it will not outlive a restart: %s", strerror(-r));
	drop_all(keep);
}

/* ---- what came back ---- */

static int open_record(struct gate_keep *keep)
{
	const char *text;
	size_t size;
	int fd, r;

	if (!store_next(keep->store, STORE_GATE, keep->state))
		return -ENOENT;
	fd = store_claim(keep->store, keep->state, STORE_GATE);
	r = fd < 0 ? fd : record_open(fd, &keep->record);
	if (r < 0)
		return r;
	text = record_text(keep->record, &size);
	return read_text(text, size, keep);
}

static int make_record(struct gate_keep *keep)
{
	int r;

	if (!store_is_open(keep->store))
		return 0;
	r = record_create(&keep->record);
	if (r == 0)
		r = store_put(keep->store, STORE_GATE, record_fd(keep->record), keep->state);
	return r;
}

int gate_keep_create(struct store *store, struct gate_keep **ret)
{
	struct gate_keep *keep = new0(struct gate_keep);
	int r;

	if (!keep)
		return -ENOMEM;
	keep->store = store;
	r = open_record(keep);
	if (r < 0 && r != -ENOENT) {
		log_warn(GATE_ID, "it begins anew: %s",
			r == -EPROTONOSUPPORT ? "it was kept by another version" : strerror(-r));
		drop_all(keep);
		memset(keep->places, 0, sizeof(keep->places));
	}
	if (r < 0)
		r = make_record(keep);
	if (r < 0) {
		log_warn(GATE_ID, "it will not outlive a restart: %s", strerror(-r));
		drop_all(keep);
	}
	*ret = keep;
	return 0;
}

void gate_keep_destroy(struct gate_keep *keep)
{
	if (!keep)
		return;
	record_destroy(keep->record);
	free(keep);
}

int gate_keep_take(struct gate_keep *keep, const char *address)
{
	for (size_t i = 0; i < ARRAY_SIZE(keep->places); i++) {
		struct gate_place *place = &keep->places[i];
		int fd;

		if (!place->name[0] || place->taken || strcmp(place->address, address) != 0)
			continue;
		fd = store_claim(keep->store, place->name, STORE_LISTEN);
		if (fd < 0) {
			place->name[0] = '\0';
			return -ENOENT;
		}
		place->taken = true;
		return fd;
	}
	return -ENOENT;
}

void gate_keep_put(struct gate_keep *keep, int fd, const char *address)
{
	if (!keep->record || strlen(address) >= sizeof(keep->places[0].address))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(keep->places); i++) {
		struct gate_place *place = &keep->places[i];
		int r;

		if (place->name[0])
			continue;
		r = store_put(keep->store, STORE_LISTEN, fd, place->name);
		if (r < 0)
			log_warn(GATE_ID, "%s will not outlive a restart: %s", address,
				strerror(-r));
		snprintf(place->address, sizeof(place->address), "%s", address);
		place->taken = true;
		return;
	}
}

/* Addresses that the configuration does not name any more. */
static void drop_untaken(struct gate_keep *keep)
{
	for (size_t i = 0; i < ARRAY_SIZE(keep->places); i++) {
		struct gate_place *place = &keep->places[i];
		const char *path = address_path(place->address);

		if (!place->name[0] || place->taken)
			continue;
		if (path)
			unlink(path);
		store_drop(keep->store, place->name);
	}
}

/* ---- its program ---- */

/* The descriptors first, then the record: without it they mean nothing. The other way round when it ends. */
static void on_program(void *arg, int link, int pidfd)
{
	struct gate_keep *keep = arg;
	char old_link[STORE_NAME], old_program[STORE_NAME];
	int r = 0;

	if (!keep->record || keep->adopting)
		return;
	memcpy(old_link, keep->link, STORE_NAME);
	memcpy(old_program, keep->program, STORE_NAME);
	keep->link[0] = keep->program[0] = '\0';
	if (link >= 0)
		r = store_put(keep->store, STORE_LINK, link, keep->link);
	if (link >= 0 && r == 0)
		r = store_put(keep->store, STORE_PROGRAM, pidfd, keep->program);
	if (r < 0) {
		log_warn(GATE_ID, "its program will not outlive a restart: %s", strerror(-r));
		store_drop(keep->store, keep->link);
	}
	note(keep);
	store_drop(keep->store, old_link);
	store_drop(keep->store, old_program);
}

static void on_changed(void *arg)
{
	note(arg);
}

static int adopt(struct gate_keep *keep)
{
	int link, program;

	if (!keep->link[0] || !keep->program[0])
		return -ENOENT;
	link = store_claim(keep->store, keep->link, STORE_LINK);
	program = store_claim(keep->store, keep->program, STORE_PROGRAM);
	if (link < 0 || program < 0) {
		fd_close(link);
		fd_close(program);
		return -ENOENT;
	}
	return wall_adopt(keep->wall, link, program, &keep->kept);
}

void gate_keep_begin(struct gate_keep *keep, struct wall *wall)
{
	static const struct wall_keeper keeper = {.program = on_program, .changed = on_changed};
	int r;

	keep->wall = wall;
	r = adopt(keep);
	if (r < 0 && r != -ENOENT)
		log_notice(GATE_ID, "its program cannot go on, viewers must reconnect: %s",
			strerror(-r));
	if (r < 0) {
		store_drop(keep->store, keep->link);
		store_drop(keep->store, keep->program);
	}
	drop_untaken(keep);
	keep->adopting = r == 0;
	wall_keep(wall, &keeper, keep);
	keep->adopting = false;
	note(keep);
}

void gate_keep_end(struct gate_keep *keep)
{
	if (keep->wall)
		wall_keep(keep->wall, NULL, NULL);
	keep->wall = NULL;
}
