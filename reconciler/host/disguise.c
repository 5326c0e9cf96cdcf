/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/disguise.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/domain_xml.h"
#include "host/xml_tags.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A mediated device that some VM would be given: its own, and the next ones where that name is taken. */
enum { REQUESTS = 16, ATTEMPTS = 4, ATTEMPT_STEP = 1 << 16 };

struct derived {
	struct gp_uuid real, disguised;
};

struct gp_disguise {
	struct gp_renames *renames;
	unsigned last[GP_IDENTITY_COUNT]; /* number given last */
	int width[GP_IDENTITY_COUNT];     /* digits of a number: names then sort as they did */
	unsigned last_mdev;
	struct derived *derived; /* sorted by `real` */
	size_t derived_count;
};

static const struct {
	const char *what;   /* for the owner's eyes */
	const char *prefix; /* of the number that stands for it; NULL: it is no number */
} kinds[GP_IDENTITY_COUNT] = {
	[GP_IDENTITY_HOST] = {"host", NULL},     [GP_IDENTITY_VM] = {"VM", "vm-"},
	[GP_IDENTITY_UUID] = {"UUID", NULL},     [GP_IDENTITY_CLASS] = {"class", "class-"},
	[GP_IDENTITY_ALIAS] = {"alias", "ua-"},  [GP_IDENTITY_FILE] = {"file", "/file-"},
	[GP_IDENTITY_KERNEL] = {"kernel", NULL}, [GP_IDENTITY_PROCESS] = {"process", "process-"},
};

/* ---- the list ---- */

void gp_renames_clear(struct gp_renames *renames)
{
	for (size_t i = 0; i < renames->count; i++) {
		free(renames->items[i].from);
		free(renames->items[i].to);
	}
	free(renames->items);
	*renames = (struct gp_renames){0};
}

static const char *note(struct gp_disguise *disguise, enum gp_identity kind, const char *from, char *to)
{
	struct gp_renames *renames = disguise->renames;
	if ((renames->count & (renames->count - 1)) == 0)
		renames->items = gp_xrealloc(renames->items,
					     (renames->count == 0 ? 1 : renames->count * 2) * sizeof(*renames->items));
	struct gp_rename *rename = &renames->items[renames->count++];
	rename->what = kinds[kind].what;
	rename->from = gp_xstrdup(from);
	rename->to = to;
	return rename->to;
}

static const char *find(const struct gp_disguise *disguise, enum gp_identity kind, const char *from)
{
	const struct gp_renames *renames = disguise->renames;
	for (size_t i = 0; i < renames->count; i++)
		if (renames->items[i].what == kinds[kind].what && gp_streq(renames->items[i].from, from))
			return renames->items[i].to;
	return NULL;
}

struct gp_disguise *gp_disguise_new(struct gp_renames *renames)
{
	struct gp_disguise *disguise = gp_xcalloc(1, sizeof(*disguise));
	disguise->renames = renames;
	return disguise;
}

void gp_disguise_free(struct gp_disguise *disguise)
{
	if (disguise != NULL)
		free(disguise->derived);
	free(disguise);
}

/* ---- words ---- */

/* "6.8.0-45-acme" → "6.8.0-45" */
static char *numbers_of(const char *release)
{
	size_t length = strspn(release, "0123456789.-");
	while (release[length] != '\0' && length > 0 && isdigit((unsigned char)release[length - 1]))
		length--; /* "1.fc40a": not half a word */
	while (length > 0 && !isdigit((unsigned char)release[length - 1]))
		length--;
	return length == 0 ? gp_xstrdup("unknown") : gp_xasprintf("%.*s", (int)length, release);
}

static char *made_up(struct gp_disguise *disguise, enum gp_identity kind, const char *real)
{
	if (kind == GP_IDENTITY_HOST)
		return gp_xstrdup("anonymous");
	if (kind == GP_IDENTITY_KERNEL)
		return numbers_of(real);
	return gp_xasprintf("%s%0*u", kinds[kind].prefix, disguise->width[kind], ++disguise->last[kind]);
}

/* Programs that such a host has whoever owns it; the kernel's own threads hang as well. */
static bool tells_nothing(const char *process)
{
	static const char *const names[] = {"systemd",         "init",         "libvirtd",   "virtqemud",
					    "nvidia-vgpu-mgr", "gpupart",      "nvidia-smi", "nvidia-vgpud",
					    "gpupart-write",   "sriov-manage", "modprobe",   "rmmod",
					    "qemu-system-x86"};
	for (size_t i = 0; i < COUNT(names); i++)
		if (gp_streq(process, names[i]))
			return true;
	return gp_starts_with(process, "kworker/");
}

const char *gp_disguise_word(struct gp_disguise *disguise, enum gp_identity kind, const char *real)
{
	if (disguise == NULL || real == NULL || (kind == GP_IDENTITY_PROCESS && tells_nothing(real)))
		return real;
	const char *known = find(disguise, kind, real);
	return known != NULL ? known : note(disguise, kind, real, made_up(disguise, kind, real));
}

/* ---- UUIDs ---- */

/* Drawn once, for nothing but this. */
static const struct gp_uuid space = {
	{0x1d, 0x3e, 0xa0, 0x52, 0x9b, 0x47, 0x4c, 0x6f, 0x8e, 0x21, 0x70, 0xc5, 0x0a, 0x9d, 0xb3, 0x6e}};

static struct gp_uuid note_uuid(struct gp_disguise *disguise, struct gp_uuid real, struct gp_uuid disguised)
{
	char from[GP_UUID_SIZE], to[GP_UUID_SIZE];
	note(disguise, GP_IDENTITY_UUID, gp_uuid_format(real, from), gp_xstrdup(gp_uuid_format(disguised, to)));
	return disguised;
}

static int compare_derived(const void *a, const void *b)
{
	return memcmp(&((const struct derived *)a)->real, &((const struct derived *)b)->real, sizeof(struct gp_uuid));
}

struct gp_uuid gp_disguise_uuid(struct gp_disguise *disguise, struct gp_uuid real)
{
	char text[GP_UUID_SIZE], name[32];
	struct gp_uuid known;
	if (disguise == NULL || gp_uuid_is_null(real))
		return real;
	const char *found = find(disguise, GP_IDENTITY_UUID, gp_uuid_format(real, text));
	if (found != NULL && gp_uuid_parse(found, &known) == 0)
		return known;
	const struct derived key = {.real = real};
	const struct derived *ours =
		disguise->derived_count == 0
			? NULL
			: bsearch(&key, disguise->derived, disguise->derived_count, sizeof(key), compare_derived);
	if (ours != NULL)
		return note_uuid(disguise, real, ours->disguised);
	snprintf(name, sizeof(name), "mdev-%u", ++disguise->last_mdev);
	return note_uuid(disguise, real, gp_uuid_from_name(space, name));
}

static void derive(struct gp_disguise *disguise, const struct gp_domain *domain)
{
	struct gp_uuid disguised = gp_disguise_uuid(disguise, domain->uuid);
	for (uint32_t attempt = 0; attempt < ATTEMPTS; attempt++)
		for (uint32_t request = 0; request < REQUESTS; request++) {
			uint32_t number = request + attempt * ATTEMPT_STEP;
			disguise->derived[disguise->derived_count++] =
				(struct derived){gp_mdev_uuid(domain->uuid, number), gp_mdev_uuid(disguised, number)};
		}
}

static bool names_mdev(const struct gp_hostdev *hostdevs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (hostdevs[i].type == GP_HOSTDEV_MDEV)
			return true;
	return false;
}

static bool any_mdev(const struct gp_observed *observed, const struct gp_names *mdevs)
{
	for (size_t i = 0; i < observed->domain_count; i++) {
		const struct gp_domain *domain = &observed->domains[i];
		if (names_mdev(domain->config, domain->config_count) || names_mdev(domain->live, domain->live_count) ||
		    names_mdev(domain->places, domain->place_count))
			return true;
	}
	return mdevs->count > 0;
}

static void learn_derived(struct gp_disguise *disguise, const struct gp_observed *observed)
{
	size_t most = observed->domain_count * REQUESTS * ATTEMPTS;
	disguise->derived = gp_xcalloc(most + 1, sizeof(*disguise->derived));
	for (size_t i = 0; i < observed->domain_count; i++)
		if (!gp_uuid_is_null(observed->domains[i].uuid))
			derive(disguise, &observed->domains[i]);
	qsort(disguise->derived, disguise->derived_count, sizeof(*disguise->derived), compare_derived);
}

/* ---- what is known from the beginning ---- */

static void learn_classes_of(const struct gp_hostdev *hostdevs, size_t count, struct gp_names *classes)
{
	const char *name;
	uint32_t request;
	for (size_t i = 0; i < count; i++)
		if (hostdevs[i].alias != NULL && gp_alias_parse(hostdevs[i].alias, &request, &name) == 0)
			gp_names_add(classes, name);
}

static int digits_of(size_t count)
{
	int digits = 1;
	for (; count >= 10; count /= 10)
		digits++;
	return digits;
}

static void learn_classes(struct gp_disguise *disguise, const struct gp_observed *observed)
{
	struct gp_names classes = {0};
	for (size_t i = 0; i < observed->domain_count; i++) {
		const struct gp_domain *domain = &observed->domains[i];
		learn_classes_of(domain->config, domain->config_count, &classes);
		learn_classes_of(domain->live, domain->live_count, &classes);
		learn_classes_of(domain->places, domain->place_count, &classes);
	}
	gp_names_sort(&classes);
	size_t different = 0;
	for (size_t i = 0; i < classes.count; i++)
		different += i == 0 || !gp_streq(gp_names_at(&classes, i), gp_names_at(&classes, i - 1));
	disguise->width[GP_IDENTITY_CLASS] = digits_of(different);
	for (size_t i = 0; i < classes.count; i++)
		gp_disguise_word(disguise, GP_IDENTITY_CLASS, gp_names_at(&classes, i));
	gp_names_clear(&classes);
}

void gp_disguise_learn(struct gp_disguise *disguise, const char *host, const struct gp_observed *observed,
		       const struct gp_names *mdevs)
{
	if (disguise == NULL)
		return;
	gp_disguise_word(disguise, GP_IDENTITY_HOST, host);
	disguise->width[GP_IDENTITY_VM] = digits_of(observed->domain_count);
	for (size_t i = 0; i < observed->domain_count; i++) {
		const struct gp_domain *domain = &observed->domains[i];
		const char *name = gp_disguise_word(disguise, GP_IDENTITY_VM, domain->name);
		if (!gp_uuid_is_null(domain->uuid))
			note_uuid(disguise, domain->uuid, gp_uuid_from_name(space, name));
	}
	learn_classes(disguise, observed);
	if (any_mdev(observed, mdevs))
		learn_derived(disguise, observed);
}

/* ---- paths ---- */

#define MODULES "lib/modules/"

static void add_component(struct gp_disguise *disguise, const char *component, struct gp_str *out)
{
	struct gp_uuid uuid;
	char text[GP_UUID_SIZE];
	gp_str_add(out, gp_uuid_parse(component, &uuid) < 0 ? component
							    : gp_uuid_format(gp_disguise_uuid(disguise, uuid), text));
}

char *gp_disguise_path(struct gp_disguise *disguise, const char *path)
{
	struct gp_str out = {0};
	if (disguise == NULL)
		return gp_xstrdup(path);
	size_t modules = gp_starts_with(path, MODULES) ? strlen(MODULES) : 0;
	for (size_t at = 0, length; path[at] != '\0'; at += length) {
		length = strcspn(path + at, "/");
		gp_autofree char *component = gp_xasprintf("%.*s", (int)length, path + at);
		if (modules > 0 && at == modules)
			gp_str_add(&out, gp_disguise_word(disguise, GP_IDENTITY_KERNEL, component));
		else
			add_component(disguise, component, &out);
		if (path[at + length] == '/') {
			gp_str_add_char(&out, '/');
			length++;
		}
	}
	return gp_str_take(&out);
}

/* ---- domains ---- */

static const char *disguise_alias(struct gp_disguise *disguise, const char *alias, struct gp_arena *arena)
{
	const char *name;
	uint32_t request;
	GP_CLEANUP(gp_str_clear) struct gp_str ours = {0};
	if (alias == NULL)
		return NULL;
	if (gp_alias_parse(alias, &request, &name) < 0)
		return gp_arena_strdup(arena, gp_disguise_word(disguise, GP_IDENTITY_ALIAS, alias));
	return gp_arena_strdup(arena,
			       gp_alias_format(&ours, request, gp_disguise_word(disguise, GP_IDENTITY_CLASS, name)));
}

/* What of an element of the guest side is kept. `named`: its value names something of this host. */
static const struct {
	const char *element, *attribute;
	enum gp_identity named; /* GP_IDENTITY_COUNT: nothing */
} guest_side[] = {
	{"address", "type", GP_IDENTITY_COUNT},     {"address", "domain", GP_IDENTITY_COUNT},
	{"address", "bus", GP_IDENTITY_COUNT},      {"address", "slot", GP_IDENTITY_COUNT},
	{"address", "function", GP_IDENTITY_COUNT}, {"address", "multifunction", GP_IDENTITY_COUNT},
	{"rom", "bar", GP_IDENTITY_COUNT},          {"rom", "enabled", GP_IDENTITY_COUNT},
	{"rom", "file", GP_IDENTITY_FILE},          {"driver", "name", GP_IDENTITY_COUNT},
	{"boot", "order", GP_IDENTITY_COUNT},       {"acpi", "index", GP_IDENTITY_COUNT},
	{"teaming", "type", GP_IDENTITY_COUNT},     {"teaming", "persistent", GP_IDENTITY_ALIAS},
};

static bool is_kept(struct gp_piece element, struct gp_piece attribute, enum gp_identity *named)
{
	for (size_t i = 0; i < COUNT(guest_side); i++) {
		*named = guest_side[i].named;
		if (gp_piece_is(element, guest_side[i].element) &&
		    (attribute.text == NULL || gp_piece_is(attribute, guest_side[i].attribute)))
			return true;
	}
	return false;
}

/* One attribute behind `*at`. False: there is no more, or none that is written as libxml2 writes them. */
static bool next_attribute(const char **at, const char *end, struct gp_piece *name, struct gp_piece *value)
{
	while (*at < end && isspace((unsigned char)**at))
		++*at;
	const char *equals = memchr(*at, '=', (size_t)(end - *at));
	if (equals == NULL || end - equals < 3 || (equals[1] != '"' && equals[1] != '\''))
		return false;
	const char *close = memchr(equals + 2, equals[1], (size_t)(end - equals - 2));
	if (close == NULL)
		return false;
	*name = (struct gp_piece){*at, (size_t)(equals - *at)};
	*value = (struct gp_piece){equals + 2, (size_t)(close - equals - 2)};
	*at = close + 1;
	return true;
}

static void add_element(struct gp_disguise *disguise, const struct gp_tag *tag, struct gp_str *out)
{
	enum gp_identity named;
	struct gp_piece name, value;
	const char *at = tag->attributes.text, *end = at + tag->attributes.length;
	gp_str_printf(out, "<%.*s", (int)tag->name.length, tag->name.text);
	while (next_attribute(&at, end, &name, &value)) {
		if (!is_kept(tag->name, name, &named))
			continue;
		gp_autofree char *text = gp_xasprintf("%.*s", (int)value.length, value.text);
		/* In the quotes that it stands in: it may hold the others. */
		char quote = value.text[-1];
		gp_str_printf(out, " %.*s=%c%s%c", (int)name.length, name.text, quote,
			      named == GP_IDENTITY_COUNT ? text : gp_disguise_word(disguise, named, text), quote);
	}
	gp_str_add(out, "/>");
}

/* Empty elements, as libvirt has them here; what lies within others stays out with them. */
static const char *disguise_guest_side(struct gp_disguise *disguise, const char *xml, struct gp_arena *arena)
{
	GP_CLEANUP(gp_str_clear) struct gp_str out = {0};
	struct gp_tag tag;
	struct gp_piece before;
	enum gp_identity named;
	if (xml == NULL)
		return NULL;
	struct gp_tag_scanner scanner = {.begin = xml, .at = xml, .end = xml + strlen(xml)};
	for (unsigned depth = 0;;) {
		gp_tag_next(&scanner, &tag, &before);
		if (tag.kind == GP_TAG_NONE)
			return gp_arena_strdup(arena, gp_str_text(&out));
		if (tag.kind == GP_TAG_EMPTY && depth == 0 && is_kept(tag.name, (struct gp_piece){0}, &named))
			add_element(disguise, &tag, &out);
		depth += tag.kind == GP_TAG_START;
		depth -= tag.kind == GP_TAG_END && depth > 0;
	}
}

static struct gp_hostdev *disguise_hostdevs(struct gp_disguise *disguise, const struct gp_hostdev *real, size_t count,
					    struct gp_arena *arena)
{
	struct gp_hostdev *copies = gp_arena_array_of(arena, struct gp_hostdev, count);
	for (size_t i = 0; i < count; i++) {
		copies[i] = real[i];
		copies[i].alias = disguise_alias(disguise, real[i].alias, arena);
		copies[i].guest_xml = disguise_guest_side(disguise, real[i].guest_xml, arena);
		if (real[i].type == GP_HOSTDEV_MDEV)
			copies[i].mdev = gp_disguise_uuid(disguise, real[i].mdev);
	}
	return copies;
}

struct gp_domain gp_disguise_domain(struct gp_disguise *disguise, const struct gp_domain *real, struct gp_arena *arena)
{
	struct gp_domain copy = *real;
	if (disguise == NULL)
		return copy;
	copy.name = gp_arena_strdup(arena, gp_disguise_word(disguise, GP_IDENTITY_VM, real->name));
	copy.uuid = gp_disguise_uuid(disguise, real->uuid);
	copy.config = disguise_hostdevs(disguise, real->config, real->config_count, arena);
	copy.live = disguise_hostdevs(disguise, real->live, real->live_count, arena);
	copy.places = disguise_hostdevs(disguise, real->places, real->place_count, arena);
	return copy;
}
