/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A simulated machine: the pretend kernel writes, and what it makes and removes in the tree is what happens. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/sim.h"
#include "play.h"

enum { WATCHES = 4096, PAGE = 4096 };

static const char *directory;
static int root = -1;
static int events = -1;
/* What a watch is on: "devices", the name of a driver, or the address of a PF. */
static struct {
	char kind;
	char name[64];
} watches[WATCHES];
static size_t log_offset;

/* The kernel hands an attribute one page, and every attribute here takes all of that or nothing. */
static ssize_t sim_write(const char *path, const char *bytes, size_t size)
{
	char text[PLAY_TEXT_SIZE];
	size_t taken = size < PAGE ? size : PAGE;
	snprintf(text, sizeof(text), "%.*s", (int)taken, bytes);
	int result = gp_kernel_sim_write(root, path + 1, text);
	return result < 0 ? result : (ssize_t)taken;
}

static int sim_run(const char *program, const char *argument, const char *device)
{
	return gp_kernel_sim_run(root, program, argument, device);
}

static void fault(char *const *words, size_t count)
{
	struct gp_error err = {0};
	if (gp_sim_fault(directory, (const char *const *)words, count, &err) < 0)
		play_die("fault %s: %s", words[0], err.message);
	gp_error_clear(&err);
}

static int sim_hold(const char *addr)
{
	struct gp_error err = {0};
	const char *words[] = {"hold", addr};
	int result = gp_sim_fault(directory, words, 2, &err);
	if (result < 0)
		play_die("hold %s: %s", addr, err.message);
	return 0;
}

static void sim_release(void)
{
	char clear[] = "clear";
	char *words[] = {clear};
	fault(words, 1);
}

/* ---- what happens: links that come and go ---- */

static void watch_directory(char kind, const char *name, const char *format)
{
	char place[PLAY_PATH_SIZE], path[PLAY_PATH_SIZE];
	snprintf(place, sizeof(place), "%s/%s", format, name);
	int watch = inotify_add_watch(events, play_path(place, path),
				      IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM | IN_ONLYDIR);
	if (watch < 0 && errno == ENOENT)
		return;
	if (watch < 0 || watch >= WATCHES)
		play_die("cannot watch %s: %s", place, strerror(errno));
	watches[watch].kind = kind;
	snprintf(watches[watch].name, sizeof(watches[watch].name), "%s", name);
}

static void watch_each(char kind, const char *place)
{
	char path[PLAY_PATH_SIZE];
	DIR *list = opendir(play_path(place, path));
	if (list == NULL)
		return;
	for (struct dirent *entry; (entry = readdir(list)) != NULL;)
		if (entry->d_name[0] != '.')
			watch_directory(kind, entry->d_name, place);
	closedir(list);
}

static void sim_watch(void)
{
	if (events >= 0)
		close(events);
	events = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (events < 0)
		play_die("inotify: %s", strerror(errno));
	watch_directory('d', "devices", "/sys/bus/pci");
	watch_directory('d', "devices", "/sys/bus/mdev");
	watch_each('D', "/sys/bus/pci/drivers");
	watch_each('p', "/sys/bus/pci/devices");
}

static void tell_event(const struct inotify_event *event, struct play_text *out)
{
	bool comes = (event->mask & (IN_CREATE | IN_MOVED_TO)) != 0;
	const char *of = watches[event->wd].name;
	unsigned index;
	switch (watches[event->wd].kind) {
	case 'd':
		play_add(out, "%s %s\n", comes ? "add" : "remove", event->name);
		break;
	case 'D':
		if (strchr(event->name, ':') != NULL && comes)
			play_add(out, "bind %s %s\n", event->name, of);
		else if (strchr(event->name, ':') != NULL)
			play_add(out, "unbind %s\n", event->name);
		break;
	default:
		/* Who the VF is, its link no longer says when this is read: play.c knows it by its number. */
		if (comes && sscanf(event->name, "virtfn%u", &index) == 1)
			play_add(out, "linked %s#%u\n", of, index);
		break;
	}
}

static void sim_watched(struct play_text *out)
{
	_Alignas(struct inotify_event) char buffer[PLAY_TEXT_SIZE];
	ssize_t size;
	while ((size = read(events, buffer, sizeof(buffer))) > 0)
		for (char *at = buffer; at < buffer + size;) {
			const struct inotify_event *event = (const void *)at;
			if ((event->mask & IN_Q_OVERFLOW) != 0)
				play_die("events were lost");
			if ((event->mask & IN_IGNORED) == 0)
				tell_event(event, out);
			at += sizeof(*event) + event->len;
		}
}

static void sim_log(struct play_text *out)
{
	char path[PLAY_PATH_SIZE], line[PLAY_PATH_SIZE];
	FILE *file = fopen(play_path("/.sim/dmesg", path), "re");
	if (file == NULL)
		return;
	fseek(file, (long)log_offset, SEEK_SET);
	while (fgets(line, sizeof(line), file) != NULL)
		play_add(out, "%s", line);
	log_offset = (size_t)ftell(file);
	fclose(file);
}

static void sim_apart(char *const *words, size_t count)
{
	if (count < 2 || strcmp(words[0], "fault") != 0)
		play_die("on sim: fault WORDS…");
	fault(words + 1, count - 1);
}

const struct play_machine *play_sim(const char *of)
{
	static const struct play_machine machine = {
		.name = "sim",
		.write = sim_write,
		.run = sim_run,
		.hold = sim_hold,
		.release = sim_release,
		.watch = sim_watch,
		.watched = sim_watched,
		.log = sim_log,
		.apart = sim_apart,
	};
	struct gp_error err = {0};
	directory = of;
	root = gp_sim_open(directory, &err);
	if (root < 0)
		play_die("%s", err.message);
	return &machine;
}
