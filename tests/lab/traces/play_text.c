/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "play_text.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEVICES "/sys/bus/pci/devices"

enum { CONFIG_SIZE = 4096, EXTENDED = 0x100, NAMES = 1024, GROUPS = 512, GROUP_SIZE = 16 };

/* "$VF3" and "0000:01:00.4"; the group that it was last seen in. */
static struct name {
	char name[24], addr[PLAY_ADDR_SIZE], group[GROUP_SIZE];
} names[NAMES];
static size_t name_count;
/* Numbers of groups in the order of first sight. */
static char groups[GROUPS][GROUP_SIZE];
static size_t group_count;

/* ---- config space ---- */

bool play_read_config(const char *addr, unsigned char config[CONFIG_SIZE])
{
	char place[PLAY_PATH_SIZE], path[PLAY_PATH_SIZE];
	snprintf(place, sizeof(place), DEVICES "/%s/config", addr);
	int fd = open(play_path(place, path), O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? -1 : read(fd, config, CONFIG_SIZE);
	if (fd >= 0)
		close(fd);
	return size == CONFIG_SIZE;
}

unsigned play_word(const unsigned char *config, unsigned at)
{
	return config[at] | (unsigned)config[at + 1] << 8;
}

unsigned play_find_sriov(const unsigned char config[CONFIG_SIZE])
{
	for (unsigned at = EXTENDED, steps = 0; at >= EXTENDED && at < CONFIG_SIZE - 4 && steps < 64; steps++) {
		if (play_word(config, at) == PCI_EXT_CAP_ID_SRIOV)
			return at;
		at = play_word(config, at + 2) >> 4;
	}
	return 0;
}

/* ---- names ---- */

static void add_name(const char *prefix, long index, unsigned domain, unsigned rid)
{
	if (name_count == NAMES)
		play_die("too many devices");
	struct name *name = &names[name_count++];
	if (index < 0)
		snprintf(name->name, sizeof(name->name), "$%s", prefix);
	else
		snprintf(name->name, sizeof(name->name), "$%sVF%ld", prefix, index);
	snprintf(name->addr, sizeof(name->addr), "%04x:%02x:%02x.%x", domain & 0xffff, rid >> 8 & 0xff, rid >> 3 & 0x1f,
		 rid & 7);
}

void play_name_pf(unsigned nth, const char *addr)
{
	unsigned domain, bus, slot, function;
	unsigned char config[CONFIG_SIZE];
	if (sscanf(addr, "%x:%x:%x.%x", &domain, &bus, &slot, &function) != 4)
		play_die("'%s' is no PCI address", addr);
	unsigned rid = bus << 8 | slot << 3 | function;
	add_name(nth == 0 ? "PF" : "OTHER", -1, domain, rid);
	unsigned at = play_read_config(addr, config) ? play_find_sriov(config) : 0;
	if (at == 0)
		return;
	unsigned offset = play_word(config, at + PCI_SRIOV_VF_OFFSET);
	unsigned stride = play_word(config, at + PCI_SRIOV_VF_STRIDE);
	unsigned total = play_word(config, at + PCI_SRIOV_TOTAL_VF);
	for (unsigned i = 0; i < total && i < PLAY_VFS; i++)
		add_name(nth == 0 ? "" : "OTHER_", i, domain, rid + offset + i * stride);
}

static const struct name *name_of(const char *addr)
{
	for (size_t i = 0; i < name_count; i++)
		if (strncmp(names[i].addr, addr, strlen(names[i].addr)) == 0)
			return &names[i];
	return NULL;
}

/* The longest of the names that stand here. */
static struct name *name_at(const char *text)
{
	struct name *found = NULL;
	for (size_t i = 0; i < name_count; i++)
		if (strncmp(names[i].name, text, strlen(names[i].name)) == 0 &&
		    (found == NULL || strlen(names[i].name) > strlen(found->name)))
			found = &names[i];
	return found;
}

/* ---- groups ---- */

static size_t group_number(const char *group, size_t length)
{
	for (size_t i = 0; i < group_count; i++)
		if (strlen(groups[i]) == length && strncmp(groups[i], group, length) == 0)
			return i + 1;
	if (group_count == GROUPS || length >= GROUP_SIZE)
		play_die("too many IOMMU groups");
	snprintf(groups[group_count], GROUP_SIZE, "%.*s", (int)length, group);
	return ++group_count;
}

/* The group that the device is in, or was in when it was last asked for. */
static const char *group_of(struct name *name)
{
	char place[PLAY_PATH_SIZE], path[PLAY_PATH_SIZE], target[PLAY_PATH_SIZE];
	snprintf(place, sizeof(place), DEVICES "/%s/iommu_group", name->addr);
	ssize_t length = readlink(play_path(place, path), target, sizeof(target) - 1);
	if (length > 0) {
		target[length] = '\0';
		snprintf(name->group, sizeof(name->group), "%.15s", strrchr(target, '/') + 1);
	}
	if (name->group[0] == '\0')
		play_die("%s is in no IOMMU group", name->name);
	return name->group;
}

/* ---- from names to what they stand for ---- */

void play_expand(const char *text, char *out, size_t size)
{
	static const struct {
		const char *name, *place;
	} places[] = {
		{"$DEV", DEVICES},
		{"$DRV", "/sys/bus/pci/drivers"},
		{"$GROUPS", "/sys/kernel/iommu_groups"},
	};
	static const char group[] = "$GROUP_";
	size_t used = 0;
	out[0] = '\0';
	while (*text != '\0' && used + 1 < size) {
		const char *stands_for = NULL;
		char one[2] = {*text, '\0'};
		size_t length = 1;
		for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && stands_for == NULL; i++)
			if (strncmp(text, places[i].name, strlen(places[i].name)) == 0) {
				stands_for = places[i].place;
				length = strlen(places[i].name);
			}
		if (stands_for == NULL && strncmp(text, group, strlen(group)) == 0) {
			char dollar[PLAY_PATH_SIZE];
			snprintf(dollar, sizeof(dollar), "$%.32s", text + strlen(group));
			struct name *name = name_at(dollar);
			if (name != NULL) {
				stands_for = group_of(name);
				length = strlen(group) - 1 + strlen(name->name);
			}
		}
		struct name *name = stands_for == NULL && *text == '$' ? name_at(text) : NULL;
		if (name != NULL) {
			stands_for = name->addr;
			length = strlen(name->name);
		}
		if (stands_for == NULL)
			stands_for = one;
		used += (size_t)snprintf(out + used, size - used, "%s", stands_for);
		text += length;
	}
	if (used >= size || *text != '\0')
		play_die("a word is too long");
}

/* ---- and back ---- */

void play_add_named(struct play_text *out, const char *text)
{
	while (*text != '\0') {
		const struct name *name = isxdigit((unsigned char)*text) ? name_of(text) : NULL;
		unsigned index;
		int length = 0;
		if (name == NULL) {
			play_add(out, "%c", *text++);
			continue;
		}
		text += strlen(name->addr);
		/* "0000:01:00.0#3": VF 3 of that PF */
		if (sscanf(text, "#%u%n", &index, &length) == 1 && length > 0) {
			text += length;
			play_add(out, "%sVF%u", strcmp(name->name, "$PF") == 0 ? "$" : "$OTHER_", index);
		} else {
			play_add(out, "%s", name->name);
		}
	}
}

void play_add_name_in(struct play_text *out, const char *directory, const char *name)
{
	const char *last = strrchr(directory, '/');
	bool holds_groups = last != NULL && (strcmp(last, "/iommu_groups") == 0 || strcmp(last, "/vfio") == 0);
	if (holds_groups && name[0] != '\0' && strspn(name, "0123456789") == strlen(name))
		play_add(out, "$G%zu", group_number(name, strlen(name)));
	else
		play_add_named(out, name);
}

void play_add_target(struct play_text *out, const char *target)
{
	const char *rest = target;
	unsigned up = 0;
	for (; strncmp(rest, "../", 3) == 0; rest += 3)
		up++;
	const char *last = strrchr(rest, '/');
	if (up < 2 || last == NULL) {
		play_add_named(out, target);
		return;
	}
	play_add(out, ".../");
	if (strncmp(rest, "devices/pci", strlen("devices/pci")) == 0) {
		play_add(out, "devices/.../");
		play_add_named(out, last + 1);
		return;
	}
	char directory[PLAY_PATH_SIZE];
	snprintf(directory, sizeof(directory), "/%.*s", (int)(last - rest), rest);
	play_add(out, "%s/", directory + 1);
	play_add_name_in(out, directory, last + 1);
}

void play_add_escaped(struct play_text *out, const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)bytes[i];
		if (c == '\n')
			play_add(out, "\\n");
		else if (c == '\t')
			play_add(out, "\\t");
		else if (c == '\'' || c == '\\')
			play_add(out, "\\%c", c);
		else if (c < ' ' || c > '~')
			play_add(out, "\\x%02x", c);
		else
			play_add(out, "%c", c);
	}
}
