/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of a handful of devices, straight from the text of pci.ids.
 *
 * libpci could do this, but it reads the whole list into a hash first: 10 ms and 1.4 ms more to free it, against 0.5 ms
 *for one pass over the text (Debian 12, 36,186 lines), which is more than the rest of a plan takes; and it ends the
 *program on a line that it does not like.
 *
 *	10de  NVIDIA Corporation
 *		25b6  GA107GL [A2 / A16]
 *			10de 14a9  A16
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "host/host_internal.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Does the line begin with these four hex digits and a blank? */
static bool starts_with_id(const char *line, const char *end, uint16_t id)
{
	if (end - line < 5 || line[4] != ' ')
		return false;
	unsigned value = 0;
	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(line[i]);
		if (digit < 0)
			return false;
		value = value << 4 | (unsigned)digit;
	}
	return value == id;
}

static const char *skip_blanks(const char *text, const char *end)
{
	while (text < end && *text == ' ')
		text++;
	return text;
}

static void take_name(const char *text, const char *end, const char **name, size_t *length)
{
	text = skip_blanks(text, end);
	while (end > text && (end[-1] == ' ' || end[-1] == '\r' || end[-1] == '\t'))
		end--;
	*name = text;
	*length = (size_t)(end - text);
}

static int depth_of(const char *line, const char *end)
{
	int depth = 0;
	while (line + depth < end && depth < 3 && line[depth] == '\t')
		depth++;
	return depth;
}

struct finder {
	const struct gp_gpu *gpu;
	struct gp_pci_id_names *names;
	bool in_vendor, in_device;
};

/* False: all that can be found was found. */
static bool look_at(struct finder *finder, const char *line, const char *end)
{
	struct gp_pci_id_names *names = finder->names;
	const struct gp_gpu *gpu = finder->gpu;
	int depth = depth_of(line, end);
	const char *text = line + depth;
	if (text == end || *text == '#')
		return true;
	if (depth == 0) {
		if (finder->in_vendor)
			return false;
		finder->in_vendor = starts_with_id(text, end, gpu->vendor);
		if (finder->in_vendor)
			take_name(text + 4, end, &names->vendor, &names->vendor_length);
	} else if (depth == 1 && finder->in_vendor) {
		if (finder->in_device)
			return false;
		finder->in_device = starts_with_id(text, end, gpu->device);
		if (finder->in_device)
			take_name(text + 4, end, &names->device, &names->device_length);
	} else if (depth == 2 && finder->in_device && starts_with_id(text, end, gpu->subsystem_vendor) &&
		   starts_with_id(text + 5, end, gpu->subsystem_device)) {
		take_name(text + 9, end, &names->subsystem, &names->subsystem_length);
		return false;
	}
	return true;
}

void gp_pci_ids_find(const char *text, size_t size, const struct gp_gpu *gpu, struct gp_pci_id_names *names)
{
	*names = (struct gp_pci_id_names){0};
	struct finder finder = {.gpu = gpu, .names = names};
	const char *end = text + size;
	while (text < end) {
		const char *line_end = memchr(text, '\n', (size_t)(end - text));
		if (line_end == NULL)
			line_end = end;
		if (!look_at(&finder, text, line_end))
			return;
		text = line_end < end ? line_end + 1 : end;
	}
}

static char *bracketed(struct gp_arena *arena, const char *name, size_t length)
{
	if (length < 3 || name[length - 1] != ']')
		return NULL;
	const char *open = memrchr(name, '[', length);
	if (open == NULL || open + 2 >= name + length)
		return NULL;
	return gp_arena_strndup(arena, open + 1, (size_t)(name + length - 1 - (open + 1)));
}

char *gp_pci_ids_model(struct gp_arena *arena, const struct gp_gpu *gpu, const struct gp_pci_id_names *names)
{
	if (names->device == NULL)
		return gp_arena_printf(arena, "%04x:%04x", gpu->vendor, gpu->device);
	char *whole = gp_arena_strndup(arena, names->device, names->device_length);
	if (names->subsystem != NULL) {
		/* "A16" picks one of "GA107GL [A2 / A16]"; a board maker's fancy name picks nothing. */
		char *subsystem = gp_arena_strndup(arena, names->subsystem, names->subsystem_length);
		if (*subsystem != '\0' && gp_word_match(subsystem, whole))
			return subsystem;
	}
	char *marketing = bracketed(arena, names->device, names->device_length);
	return marketing != NULL ? marketing : whole;
}

int gp_pci_ids_open(struct gp_host *host)
{
	static const char *const places[] = {"usr/share/misc/pci.ids", "usr/share/hwdata/pci.ids"};
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int fd = gp_open_inside(host->root_fd, places[i], O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, GP_INSIDE_ROOT);
		if (fd >= 0)
			return fd;
	}
	return -1;
}
