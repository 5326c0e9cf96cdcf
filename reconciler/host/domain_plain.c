/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fast path: to load libxml2 and what it brings along costs more than 2 ms, to read with it thrice what the files
 * cost.
 *
 * This is no XML parser. It knows a subset in which every byte can be read in one way only: ASCII, no references, no
 * CDATA, no namespaces but in what is skipped, and no element twice where one of them would win. What is outside of it,
 * and all that is wrong, it leaves to libxml2. So it never has an opinion of its own: a test compares the two.
 */
#include "host/domain_plain.h"

#include <string.h>

#include "base/num.h"

enum { DEPTH_MAX = 48, ATTRIBUTES_MAX = 16, NAME_MAX_LENGTH = 200, NUMBER_SIZE = 24 };

struct span {
	const char *text;
	size_t length;
};

struct attribute {
	struct span name, value;
};

struct tag {
	struct span name;
	struct attribute attributes[ATTRIBUTES_MAX];
	unsigned count;
	bool empty;      /* <name/> */
	bool declares;   /* a prefix */
	bool prefixed;   /* the name or an attribute's, or there is an xmlns without prefix */
	bool after_text; /* there is text, not only blanks, between the tag before and this one */
};

struct reader {
	const char *at, *end;
	unsigned depth;
	bool prefixes_allowed;
	bool ended_after_text; /* tag.after_text of the end tag that each_child() has read last */
	struct gp_arena *arena;
	struct gp_domain_xml *out;
	bool has_uuid, has_metadata, has_devices, has_domain;
};

static bool is(struct span span, const char *text)
{
	return span.length == strlen(text) && memcmp(span.text, text, span.length) == 0;
}

static bool same(struct span a, struct span b)
{
	return a.length == b.length && memcmp(a.text, b.text, a.length) == 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\t';
}

/* No control characters (a carriage return would have to be replaced), nothing beyond ASCII. */
static bool is_plain(char c)
{
	return (c >= ' ' && c < 0x7f) || c == '\n' || c == '\t';
}

/* No document holds a NUL, so it stands for the end. */
static char peek(const struct reader *reader)
{
	return reader->at < reader->end ? *reader->at : '\0';
}

static bool skip_char(struct reader *reader, char c)
{
	if (peek(reader) != c)
		return false;
	reader->at++;
	return true;
}

static bool at_end_tag(const struct reader *reader)
{
	return reader->end - reader->at > 1 && reader->at[0] == '<' && reader->at[1] == '/';
}

static bool at_text(const struct reader *reader, const char *text)
{
	size_t length = strlen(text);
	return (size_t)(reader->end - reader->at) >= length && memcmp(reader->at, text, length) == 0;
}

static bool skip_text(struct reader *reader, const char *text)
{
	if (!at_text(reader, text))
		return false;
	reader->at += strlen(text);
	return true;
}

static bool skip_past(struct reader *reader, const char *text)
{
	const char *found = memmem(reader->at, (size_t)(reader->end - reader->at), text, strlen(text));
	if (found != NULL)
		reader->at = found + strlen(text);
	return found != NULL;
}

static bool skip_blanks(struct reader *reader)
{
	const char *begin = reader->at;
	while (reader->at < reader->end && is_blank(*reader->at))
		reader->at++;
	return reader->at > begin;
}

/* ---- tags ---- */

static bool is_name_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name_char(char c)
{
	return is_name_start(c) || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

static bool read_bare_name(struct reader *reader)
{
	if (!is_name_start(peek(reader)))
		return false;
	while (reader->at < reader->end && is_name_char(*reader->at))
		reader->at++;
	return true;
}

static bool read_name(struct reader *reader, struct span *name, bool *prefixed)
{
	const char *begin = reader->at;
	if (!read_bare_name(reader))
		return false;
	*prefixed = skip_char(reader, ':');
	if (*prefixed && !read_bare_name(reader))
		return false;
	*name = (struct span){begin, (size_t)(reader->at - begin)};
	return name->length <= NAME_MAX_LENGTH;
}

/* A tab or a line break in a value would become a blank. */
static bool read_value(struct reader *reader, struct span *value)
{
	char quote = peek(reader);
	if (quote != '\'' && quote != '"')
		return false;
	const char *begin = ++reader->at;
	for (; reader->at < reader->end && *reader->at != quote; reader->at++)
		if (*reader->at < ' ' || *reader->at >= 0x7f || *reader->at == '&' || *reader->at == '<')
			return false;
	*value = (struct span){begin, (size_t)(reader->at - begin)};
	return reader->at++ < reader->end;
}

#define DECLARATION "xmlns:"

static bool starts_with(struct span span, const char *text)
{
	return span.length > strlen(text) && memcmp(span.text, text, strlen(text)) == 0;
}

static bool read_attribute(struct reader *reader, struct tag *tag)
{
	struct attribute attribute;
	bool prefixed;
	if (tag->count == ATTRIBUTES_MAX || !read_name(reader, &attribute.name, &prefixed) || !skip_char(reader, '=') ||
	    !read_value(reader, &attribute.value))
		return false;
	for (unsigned i = 0; i < tag->count; i++)
		if (same(tag->attributes[i].name, attribute.name))
			return false;
	bool declares = prefixed && starts_with(attribute.name, DECLARATION);
	tag->declares = tag->declares || declares;
	tag->prefixed = tag->prefixed || (prefixed && !declares) || is(attribute.name, "xmlns");
	tag->attributes[tag->count++] = attribute;
	return true;
}

/* Two attributes are the same when their prefixes mean the same: that is for libxml2 to find out. */
static bool prefixes_are_plain(const struct tag *tag)
{
	unsigned prefixed = 0;
	for (unsigned i = 0; tag->prefixed && i < tag->count; i++) {
		struct span name = tag->attributes[i].name;
		if (memchr(name.text, ':', name.length) != NULL && !starts_with(name, DECLARATION))
			prefixed++;
	}
	return prefixed < 2;
}

static bool read_start_tag(struct reader *reader, struct tag *tag)
{
	tag->count = 0;
	tag->empty = tag->declares = false;
	if (!skip_char(reader, '<') || !read_name(reader, &tag->name, &tag->prefixed))
		return false;
	for (;;) {
		bool blank = skip_blanks(reader);
		tag->empty = skip_char(reader, '/');
		if (skip_char(reader, '>'))
			break;
		if (tag->empty)
			return false;
		if (!blank || !read_attribute(reader, tag))
			return false;
	}
	return prefixes_are_plain(tag);
}

static bool read_end_tag(struct reader *reader, struct tag *tag)
{
	if (!skip_text(reader, "</") || !read_name(reader, &tag->name, &tag->prefixed))
		return false;
	skip_blanks(reader);
	return skip_char(reader, '>');
}

static const struct span *attribute_of(const struct tag *tag, const char *name)
{
	for (unsigned i = 0; i < tag->count; i++)
		if (is(tag->attributes[i].name, name))
			return &tag->attributes[i].value;
	return NULL;
}

static bool attribute_is(const struct tag *tag, const char *name, const char *value)
{
	const struct span *found = attribute_of(tag, name);
	return found != NULL && is(*found, value);
}

/* ---- what comes next ---- */

static bool skip_comment(struct reader *reader)
{
	for (reader->at += strlen("<!--"); reader->at < reader->end; reader->at++) {
		if (at_text(reader, "--"))
			return skip_text(reader, "-->");
		if (!is_plain(*reader->at))
			return false;
	}
	return false;
}

/* Up to the next tag. */
static bool skip_to_tag(struct reader *reader, bool *text)
{
	*text = false;
	for (;;) {
		skip_blanks(reader);
		char c = peek(reader);
		if (c != '<') {
			if (!is_plain(c) || c == '&' || c == '>')
				return false;
			*text = true;
			reader->at++;
		} else if (!at_text(reader, "<!--")) {
			return true;
		} else if (!skip_comment(reader)) {
			return false;
		}
	}
}

enum token { TOKEN_STRANGE, TOKEN_START, TOKEN_END };

static enum token next(struct reader *reader, struct tag *tag)
{
	if (!skip_to_tag(reader, &tag->after_text))
		return TOKEN_STRANGE;
	if (at_end_tag(reader))
		return read_end_tag(reader, tag) ? TOKEN_END : TOKEN_STRANGE;
	return read_start_tag(reader, tag) ? TOKEN_START : TOKEN_STRANGE;
}

typedef bool take_fn(struct reader *reader, const struct tag *tag, void *context);

/* Hands over each element inside `parent`, whose start tag was read last, and reads its end tag. */
static bool each_child(struct reader *reader, const struct tag *parent, take_fn *take, void *context)
{
	struct tag tag;
	reader->ended_after_text = false;
	if (parent->prefixed && !reader->prefixes_allowed)
		return false;
	if (parent->empty)
		return true;
	if (++reader->depth > DEPTH_MAX)
		return false;
	enum token token;
	while ((token = next(reader, &tag)) == TOKEN_START)
		if (!take(reader, &tag, context))
			return false;
	reader->depth--;
	reader->ended_after_text = tag.after_text;
	return token == TOKEN_END && same(tag.name, parent->name);
}

static bool skip_element(struct reader *reader, const struct tag *tag, void *context)
{
	return each_child(reader, tag, skip_element, context);
}

/* The text of an element that holds nothing else. */
static const char *read_text(struct reader *reader, const struct tag *tag)
{
	struct tag end;
	const char *begin = reader->at;
	while (reader->at < reader->end && is_plain(*reader->at) && strchr("<&>", *reader->at) == NULL)
		reader->at++;
	size_t length = (size_t)(reader->at - begin);
	if (tag->prefixed || tag->empty || length == 0 || !at_end_tag(reader) || next(reader, &end) != TOKEN_END ||
	    !same(end.name, tag->name))
		return NULL;
	return gp_arena_strndup(reader->arena, begin, length);
}

/* ---- hostdevs ---- */

int gp_domain_number(const char *text, uint32_t max, uint32_t *out)
{
	uint32_t value = 0;
	if (gp_starts_with(text, "0x") || gp_starts_with(text, "0X")) {
		if (gp_parse_hex32(text, &value) < 0)
			return -1;
	} else if (text[0] == '0') {
		for (; *text != '\0'; text++) {
			if (*text < '0' || *text > '7' || value > UINT32_MAX / 8)
				return -1;
			value = value * 8 + (uint32_t)(*text - '0');
		}
	} else if (gp_parse_u32(text, &value) < 0) {
		return -1;
	}
	if (value > max)
		return -1;
	*out = value;
	return 0;
}

static bool read_number(const struct tag *address, const char *name, uint32_t max, uint32_t *out)
{
	char text[NUMBER_SIZE];
	const struct span *value = attribute_of(address, name);
	*out = 0;
	if (value == NULL)
		return true;
	if (value->length >= sizeof(text))
		return false;
	memcpy(text, value->text, value->length);
	text[value->length] = '\0';
	return gp_domain_number(text, max, out) == 0;
}

static bool read_pci_address(const struct tag *tag, struct gp_pci_addr *out)
{
	uint32_t domain, bus, slot, function;
	if (!read_number(tag, "domain", UINT32_MAX, &domain) || !read_number(tag, "bus", 0xff, &bus) ||
	    !read_number(tag, "slot", 0x1f, &slot) || !read_number(tag, "function", 7, &function))
		return false;
	*out = (struct gp_pci_addr){domain, (uint8_t)bus, (uint8_t)slot, (uint8_t)function};
	return true;
}

static bool read_mdev_address(struct reader *reader, const struct tag *tag, struct gp_uuid *out)
{
	const struct span *uuid = attribute_of(tag, "uuid");
	return uuid != NULL && gp_uuid_parse(gp_arena_strndup(reader->arena, uuid->text, uuid->length), out) == 0;
}

struct device {
	struct gp_hostdev *hostdev;
	bool has_source, has_address, has_alias;
	struct gp_str guest;
};

static void device_clear(struct device *device)
{
	gp_str_clear(&device->guest);
}

static bool take_in_source(struct reader *reader, const struct tag *tag, void *context)
{
	struct device *device = context;
	struct gp_hostdev *hostdev = device->hostdev;
	if (!is(tag->name, "address"))
		return skip_element(reader, tag, NULL);
	if (device->has_address)
		return false;
	device->has_address = true;
	bool read = hostdev->type == GP_HOSTDEV_PCI ? read_pci_address(tag, &hostdev->source)
						    : read_mdev_address(reader, tag, &hostdev->mdev);
	return read && skip_element(reader, tag, NULL);
}

static bool take_alias(struct reader *reader, const struct tag *tag, struct device *device)
{
	const struct span *name = attribute_of(tag, "name");
	if (device->has_alias)
		return false;
	device->has_alias = true;
	if (name != NULL && name->length >= 3 && memcmp(name->text, "ua-", 3) == 0)
		device->hostdev->alias = gp_arena_strndup(reader->arena, name->text, name->length);
	device->hostdev->ours = gp_alias_is_ours(device->hostdev->alias);
	return skip_element(reader, tag, NULL);
}

/* As libxml2 writes it: one blank between attributes, double quotes, no element open that could be closed. */
static bool add_start(struct gp_str *guest, const struct tag *tag)
{
	if (tag->declares)
		return false;
	gp_str_add_char(guest, '<');
	gp_str_add_n(guest, tag->name.text, tag->name.length);
	for (unsigned i = 0; i < tag->count; i++) {
		const struct attribute *attribute = &tag->attributes[i];
		if (memchr(attribute->value.text, '"', attribute->value.length) != NULL ||
		    memchr(attribute->value.text, '>', attribute->value.length) != NULL)
			return false;
		gp_str_add_char(guest, ' ');
		gp_str_add_n(guest, attribute->name.text, attribute->name.length);
		gp_str_add(guest, "=\"");
		gp_str_add_n(guest, attribute->value.text, attribute->value.length);
		gp_str_add_char(guest, '"');
	}
	return true;
}

struct guest_element {
	struct gp_str *guest;
	bool open;
};

static bool take_guest_side(struct reader *reader, const struct tag *tag, void *context);

static bool take_inside_guest_side(struct reader *reader, const struct tag *tag, void *context)
{
	struct guest_element *parent = context;
	if (tag->after_text)
		return false;
	if (!parent->open)
		gp_str_add_char(parent->guest, '>');
	parent->open = true;
	return take_guest_side(reader, tag, parent->guest);
}

static bool take_guest_side(struct reader *reader, const struct tag *tag, void *context)
{
	struct gp_str *guest = context;
	struct guest_element element = {guest, false};
	if (!add_start(guest, tag) || !each_child(reader, tag, take_inside_guest_side, &element) ||
	    reader->ended_after_text)
		return false;
	if (element.open)
		gp_str_printf(guest, "</%.*s>", (int)tag->name.length, tag->name.text);
	else
		gp_str_add(guest, "/>");
	return true;
}

static bool take_in_hostdev(struct reader *reader, const struct tag *tag, void *context)
{
	struct device *device = context;
	if (is(tag->name, "alias"))
		return take_alias(reader, tag, device);
	if (!is(tag->name, "source"))
		return take_guest_side(reader, tag, &device->guest);
	if (device->has_source)
		return false;
	device->has_source = true;
	return each_child(reader, tag, take_in_source, device);
}

static bool take_hostdev(struct reader *reader, const struct tag *tag)
{
	const struct span *mode = attribute_of(tag, "mode");
	bool mdev = attribute_is(tag, "type", "mdev");
	if ((mode != NULL && !is(*mode, "subsystem")) || (!mdev && !attribute_is(tag, "type", "pci")))
		return skip_element(reader, tag, NULL);

	struct gp_domain_xml *out = reader->out;
	GP_CLEANUP(device_clear) struct device device = {0};
	device.hostdev = gp_arena_push(reader->arena, out->hostdevs, out->hostdev_count);
	device.hostdev->type = mdev ? GP_HOSTDEV_MDEV : GP_HOSTDEV_PCI;
	device.hostdev->managed = attribute_is(tag, "managed", "yes");
	device.hostdev->display = mdev && attribute_is(tag, "display", "on");
	device.hostdev->ramfb = mdev && attribute_is(tag, "ramfb", "on");
	if (!each_child(reader, tag, take_in_hostdev, &device) || !device.has_address)
		return false;
	device.hostdev->guest_xml =
		device.guest.length == 0 ? "" : gp_arena_strdup(reader->arena, gp_str_text(&device.guest));
	return true;
}

/* ---- the whole domain ---- */

static bool take_device(struct reader *reader, const struct tag *tag, void *context)
{
	if (is(tag->name, "hostdev"))
		return take_hostdev(reader, tag);
	if (is(tag->name, "interface") && attribute_is(tag, "type", "hostdev"))
		return false;
	return skip_element(reader, tag, context);
}

static bool take_name(struct reader *reader, const struct tag *tag)
{
	if (reader->out->name != NULL)
		return false;
	reader->out->name = read_text(reader, tag);
	return reader->out->name != NULL;
}

static bool take_uuid(struct reader *reader, const struct tag *tag)
{
	const char *text = reader->has_uuid ? NULL : read_text(reader, tag);
	reader->has_uuid = true;
	return text != NULL && gp_uuid_parse(text, &reader->out->uuid) == 0;
}

static bool skip_with_prefixes(struct reader *reader, const struct tag *tag)
{
	reader->prefixes_allowed = true;
	bool good = skip_element(reader, tag, NULL);
	reader->prefixes_allowed = false;
	return good;
}

static bool take_metadata(struct reader *reader, const struct tag *tag)
{
	if (reader->has_metadata)
		return false;
	reader->has_metadata = true;
	return !tag->prefixed && skip_with_prefixes(reader, tag);
}

static bool take_devices(struct reader *reader, const struct tag *tag)
{
	if (reader->has_devices)
		return false;
	reader->has_devices = true;
	return each_child(reader, tag, take_device, NULL);
}

/* A prefix that means nothing is as good as none to libxml2. */
static bool is_declared(const struct tag *domain, struct span name)
{
	const char *colon = memchr(name.text, ':', name.length);
	size_t length = colon == NULL ? 0 : (size_t)(colon - name.text), declaration = strlen(DECLARATION);
	for (unsigned i = 0; i < domain->count && length > 0; i++) {
		const struct attribute *attribute = &domain->attributes[i];
		if (starts_with(attribute->name, DECLARATION) && attribute->name.length == declaration + length &&
		    memcmp(attribute->name.text + declaration, name.text, length) == 0)
			return attribute->value.length > 0;
	}
	return false;
}

static bool take_in_domain(struct reader *reader, const struct tag *tag, void *context)
{
	/* <qemu:commandline> and its like */
	if (memchr(tag->name.text, ':', tag->name.length) != NULL)
		return is_declared(context, tag->name) && skip_with_prefixes(reader, tag);
	if (is(tag->name, "name"))
		return take_name(reader, tag);
	if (is(tag->name, "uuid"))
		return take_uuid(reader, tag);
	if (is(tag->name, "metadata"))
		return take_metadata(reader, tag);
	if (is(tag->name, "devices"))
		return take_devices(reader, tag);
	return skip_element(reader, tag, NULL);
}

static bool take_domain(struct reader *reader, const struct tag *tag)
{
	if (reader->has_domain)
		return false;
	reader->has_domain = true;
	return each_child(reader, tag, take_in_domain, (void *)tag) && reader->out->name != NULL;
}

static bool take_in_status(struct reader *reader, const struct tag *tag, void *context)
{
	return is(tag->name, "domain") ? take_domain(reader, tag) : skip_element(reader, tag, context);
}

static bool take_status(struct reader *reader, const struct tag *tag)
{
	const struct span *state = attribute_of(tag, "state"), *pid = attribute_of(tag, "pid");
	if (state != NULL)
		reader->out->state = gp_arena_strndup(reader->arena, state->text, state->length);
	if (pid != NULL && gp_parse_u64(gp_arena_strndup(reader->arena, pid->text, pid->length), &reader->out->pid) < 0)
		reader->out->pid = 0;
	return each_child(reader, tag, take_in_status, NULL) && reader->has_domain;
}

static bool take_root(struct reader *reader)
{
	struct tag root;
	if (next(reader, &root) != TOKEN_START || root.after_text)
		return false;
	if (is(root.name, "domain"))
		return take_domain(reader, &root);
	return is(root.name, "domstatus") && take_status(reader, &root);
}

static bool at_end(struct reader *reader)
{
	bool text;
	return !skip_to_tag(reader, &text) && !text && reader->at == reader->end;
}

bool gp_domain_plain_parse(const char *xml, size_t size, struct gp_arena *arena, struct gp_domain_xml *out)
{
	struct reader reader = {.at = xml, .end = xml + size, .arena = arena, .out = out};
	*out = (struct gp_domain_xml){0};
	/* A disk may be an NVMe drive anywhere in its backing chain. */
	if (memmem(xml, size, "nvme", strlen("nvme")) != NULL)
		return false;
	return take_root(&reader) && at_end(&reader);
}

/* ---- name and uuid alone ---- */

/* <?xml …?> and comments: libvirt's own files begin with a warning to editors. */
static bool skip_prolog(struct reader *reader)
{
	for (;;) {
		skip_blanks(reader);
		if (at_text(reader, "<?xml ")) {
			if (!skip_past(reader, "?>"))
				return false;
		} else if (skip_text(reader, "<!--")) {
			if (!skip_past(reader, "-->"))
				return false;
		} else {
			return true;
		}
	}
}

static const char *plain_element(struct reader *reader, const char *name)
{
	struct tag tag;
	skip_blanks(reader);
	return read_start_tag(reader, &tag) && is(tag.name, name) ? read_text(reader, &tag) : NULL;
}

bool gp_domain_plain_identity(const char *xml, size_t size, struct gp_arena *arena, struct gp_domain_xml *out)
{
	struct reader reader = {.at = xml, .end = xml + size, .arena = arena, .out = out};
	struct tag domain;
	*out = (struct gp_domain_xml){0};
	if (!skip_prolog(&reader) || !read_start_tag(&reader, &domain) || !is(domain.name, "domain") || domain.empty ||
	    domain.prefixed)
		return false;
	const char *name = plain_element(&reader, "name");
	const char *uuid = name == NULL ? NULL : plain_element(&reader, "uuid");
	if (uuid == NULL || gp_uuid_parse(uuid, &out->uuid) < 0)
		return false;
	out->name = name;
	return true;
}
