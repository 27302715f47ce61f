/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "peers/usage.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void add_thread(pid_t pid, const char *tid, struct usage *usage)
{
	unsigned long switches;
	char path[64], line[128];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%.20s/status", pid, tid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "voluntary_ctxt_switches: %lu", &switches) == 1)
			usage->wakeups += switches;
	if (file)
		fclose(file);
}

static void add_process(pid_t pid, struct usage *usage)
{
	char path[64];
	struct dirent *entry;
	struct timespec ts;
	clockid_t clock;
	FILE *file;
	DIR *dir;
	int child;

	if (clock_getcpuclockid(pid, &clock) == 0 && clock_gettime(clock, &ts) == 0)
		usage->cpu_ms += (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		add_thread(pid, entry->d_name, usage);
		snprintf(path, sizeof(path), "/proc/%d/task/%.20s/children", pid, entry->d_name);
		file = fopen(path, "re");
		while (file && fscanf(file, "%d", &child) == 1)
			add_process(child, usage);
		if (file)
			fclose(file);
	}
	if (dir)
		closedir(dir);
}

struct usage usage_of(const pid_t *pids, size_t count)
{
	struct usage usage = {0};

	for (size_t i = 0; i < count; i++)
		add_process(pids[i], &usage);
	usage.at_ms = now_ms();
	return usage;
}
