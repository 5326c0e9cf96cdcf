/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/domain_xml.h"

#include <string.h>

#include "base/num.h"
#include "host/domain_plain.h"
#include "host/libxml_demand.h"

/*
 * No option lets an entity be replaced, a DTD be loaded or the network be used. A declared encoding is ignored, or it
 * could hide the words that the fast path looks for. libxml2 stays silent: with NOERROR and NOWARNING it only remembers
 * the last error in the context.
 */
enum {
	PARSE_OPTIONS =
		XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_IGNORE_ENC | XML_PARSE_COMPACT
};

/* Metadata of programs that start and stop the domains they define. Others (pacemaker, a script) leave no trace there.
 */
static const struct {
	const char *uri_prefix;
	const char *manager;
} managers[] = {
	{"http://openstack.org/xmlns/libvirt/nova/", "OpenStack Nova"},
	{"http://ovirt.org/vm/", "oVirt"},
	{"http://opennebula.org/xmlns/libvirt/", "OpenNebula"},
};
enum { MANAGER_COUNT = sizeof(managers) / sizeof(managers[0]) };

/* <state to_start='yes'><place alias='…' type='pci' source='0000:41:00.1' managed='yes'>guest side, escaped</place> …
 */
#define STATE_ELEMENT  "state"
#define MARK_ATTRIBUTE "to_start"
#define PLACE_ELEMENT  "place"

/* ---- small words on libxml2 ---- */

static const xmlChar *xml_text(const char *text)
{
	return (const xmlChar *)text;
}
static const char *c_text(const xmlChar *text)
{
	return (const char *)text;
}
static void free_xml_text(xmlChar **text)
{
	if (*text != NULL)
		xmlFree(*text);
}
static void free_xml_doc(xmlDoc **doc)
{
	if (*doc != NULL)
		xmlFreeDoc(*doc);
}
#define gp_autoxml GP_CLEANUP(free_xml_text) xmlChar

static void *must(void *node)
{
	if (node == NULL)
		gp_out_of_memory();
	return node;
}

/* An element of libvirt's own vocabulary, which has no namespace. */
static bool is_element(const xmlNode *node, const char *name)
{
	return node->type == XML_ELEMENT_NODE && node->ns == NULL && gp_streq(c_text(node->name), name);
}

static xmlNode *child_element(const xmlNode *parent, const char *name)
{
	if (parent == NULL)
		return NULL;
	for (xmlNode *child = parent->children; child != NULL; child = child->next)
		if (is_element(child, name))
			return child;
	return NULL;
}

static const char *namespace_of(const xmlNode *node)
{
	return node->type == XML_ELEMENT_NODE && node->ns != NULL ? c_text(node->ns->href) : NULL;
}

static bool attribute_is(const xmlNode *node, const char *name, const char *value)
{
	gp_autoxml *found = xmlGetNoNsProp(node, xml_text(name));
	return gp_streq(c_text(found), value);
}

static char *attribute_dup(const xmlNode *node, const char *name, struct gp_arena *arena)
{
	gp_autoxml *found = xmlGetNoNsProp(node, xml_text(name));
	return gp_arena_strdup(arena, c_text(found));
}

static const char *manager_of_uri(const char *uri)
{
	for (size_t i = 0; uri != NULL && i < MANAGER_COUNT; i++)
		if (gp_starts_with(uri, managers[i].uri_prefix))
			return managers[i].manager;
	return NULL;
}

const char *gp_domain_xml_manager_uri(const char *manager)
{
	for (size_t i = 0; i < MANAGER_COUNT; i++)
		if (gp_streq(manager, managers[i].manager))
			return managers[i].uri_prefix;
	return NULL;
}

static bool is_ours(const xmlNode *node)
{
	return gp_streq(namespace_of(node), GP_METADATA_URI);
}

/* ---- the reader: a tree of only those elements that we look at ---- */

struct gp_domain_reader {
	xmlParserCtxt *parser; /* NULL: not needed so far */
	unsigned kept;         /* open elements that are in the tree */
	unsigned skipped;      /* open elements that are not: inside the first of them nothing is kept */
	unsigned wrapper;      /* 1 when <domain> is inside <domstatus> */
	bool doctype;
};

/* libxml2 hands attributes over in fives: name, prefix, URI, value, end of value. */
enum { ATTRIBUTE_PARTS = 5, ATTRIBUTE_NAME = 0, ATTRIBUTE_VALUE = 3, ATTRIBUTE_END = 4 };

static bool sax_attribute_is(int count, const xmlChar **attributes, const char *name, const char *value)
{
	for (int i = 0; i < count; i++) {
		const xmlChar **attribute = attributes + (size_t)i * ATTRIBUTE_PARTS;
		const char *begin = c_text(attribute[ATTRIBUTE_VALUE]);
		size_t length = (size_t)(c_text(attribute[ATTRIBUTE_END]) - begin);
		if (gp_streq(c_text(attribute[ATTRIBUTE_NAME]), name))
			return length == strlen(value) && memcmp(begin, value, length) == 0;
	}
	return false;
}

static bool wanted_in_domain(const char *name)
{
	return gp_streq(name, "name") || gp_streq(name, "uuid") || gp_streq(name, "metadata") ||
	       gp_streq(name, "devices");
}

/* What can hold a PCI device. A disk may do so in its backing chain, so any disk is looked at. */
static bool wanted_device(const char *name, int count, const xmlChar **attributes)
{
	return gp_streq(name, "hostdev") || gp_streq(name, "disk") ||
	       (gp_streq(name, "interface") && sax_attribute_is(count, attributes, "type", "hostdev"));
}

/* Is the element, a child of the parser's current node, one that we look at? */
static bool is_wanted(const struct gp_domain_reader *reader, const char *name, const char *uri, int count,
		      const xmlChar **attributes)
{
	const xmlNode *parent = reader->parser->node;
	unsigned level = reader->kept - reader->wrapper;

	if (parent == NULL)
		return true;
	if (level == 0)
		return uri == NULL && gp_streq(name, "domain");
	if (level == 1)
		return uri == NULL && wanted_in_domain(name);
	if (level == 2 && is_element(parent, "metadata"))
		return gp_streq(uri, GP_METADATA_URI) || manager_of_uri(uri) != NULL;
	if (level == 2 && is_element(parent, "devices"))
		return uri == NULL && wanted_device(name, count, attributes);
	return level > 2 && manager_of_uri(namespace_of(parent)) == NULL;
}

static struct gp_domain_reader *reader_of(void *context)
{
	return ((xmlParserCtxt *)context)->_private;
}

/* After a fault libxml2 goes on calling now and then, but starts and ends no longer match. */
static bool is_broken(const struct gp_domain_reader *reader)
{
	return reader->parser->wellFormed == 0;
}

static void on_start(void *context, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri, int namespace_count,
		     const xmlChar **namespaces, int attribute_count, int defaulted, const xmlChar **attributes)
{
	struct gp_domain_reader *reader = reader_of(context);

	if (is_broken(reader))
		return;
	if (reader->skipped > 0 || !is_wanted(reader, c_text(name), c_text(uri), attribute_count, attributes)) {
		reader->skipped++;
		return;
	}
	if (reader->kept == 0 && gp_streq(c_text(name), "domstatus"))
		reader->wrapper = 1;
	reader->kept++;
	xmlSAX2StartElementNs(context, name, prefix, uri, namespace_count, namespaces, attribute_count, defaulted,
			      attributes);
}

static void on_end(void *context, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
	struct gp_domain_reader *reader = reader_of(context);

	if (is_broken(reader))
		return;
	if (reader->skipped > 0) {
		reader->skipped--;
		return;
	}
	reader->kept--;
	xmlSAX2EndElementNs(context, name, prefix, uri);
}

static bool is_blank(const xmlChar *text, int length)
{
	int at = 0;
	while (at < length && strchr(" \t\r\n", text[at]) != NULL)
		at++;
	return at == length;
}

/* Text comes in pieces: one of a <place> may be blank and belong to it all the same. */
static bool is_place(const xmlNode *node)
{
	return is_ours(node->parent) && gp_streq(c_text(node->name), PLACE_ELEMENT);
}

/* Text matters in <name> and <uuid>, in our notes, and below a device unless it is indentation; nowhere else. */
static void on_text(void *context, const xmlChar *text, int length)
{
	const struct gp_domain_reader *reader = reader_of(context);
	unsigned level = reader->kept - reader->wrapper;

	if (is_broken(reader) || reader->skipped > 0 || level < 2)
		return;
	const char *name = c_text(reader->parser->node->name);
	bool wanted = level > 2 ? is_place(reader->parser->node) || !is_blank(text, length)
				: gp_streq(name, "name") || gp_streq(name, "uuid");
	if (wanted)
		xmlSAX2Characters(context, text, length);
}

static void on_doctype(void *context, const xmlChar *name, const xmlChar *external_id, const xmlChar *system_id)
{
	(void)name;
	(void)external_id;
	(void)system_id;
	reader_of(context)->doctype = true;
	xmlStopParser(context);
}

static xmlParserCtxt *new_parser(struct gp_domain_reader *reader, struct gp_error *err)
{
	if (gp_libxml_load(err) < 0)
		return NULL;
	xmlParserCtxt *parser = xmlNewParserCtxt();
	if (parser == NULL)
		gp_out_of_memory();
	parser->_private = reader;
	parser->sax->internalSubset = on_doctype;
	return parser;
}

static int open_parser(struct gp_domain_reader *reader, struct gp_error *err)
{
	if (reader->parser != NULL)
		return 0;
	reader->parser = new_parser(reader, err);
	if (reader->parser == NULL)
		return -1;
	xmlSAXHandler *sax = reader->parser->sax;
	sax->startElementNs = on_start;
	sax->endElementNs = on_end;
	sax->characters = on_text;
	sax->ignorableWhitespace = on_text;
	sax->cdataBlock = on_text;
	sax->comment = NULL;
	sax->processingInstruction = NULL;
	return 0;
}

struct gp_domain_reader *gp_domain_reader_new(void)
{
	return gp_xcalloc(1, sizeof(struct gp_domain_reader));
}

void gp_domain_reader_free(struct gp_domain_reader *reader)
{
	if (reader == NULL)
		return;
	if (reader->parser != NULL)
		xmlFreeParserCtxt(reader->parser);
	free(reader);
}

static int fail_parse(const struct gp_domain_reader *reader, struct gp_error *err)
{
	if (reader->doctype)
		return gp_fail(err, GP_E_CORRUPT, "domain XML has a DOCTYPE, which is not let through");

	const xmlError *last = xmlCtxtGetLastError(reader->parser);
	if (last == NULL || last->message == NULL)
		return gp_fail(err, GP_E_CORRUPT, "domain XML does not parse");
	GP_CLEANUP(gp_str_clear) struct gp_str line = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str shown = {0};
	gp_str_add_n(&line, last->message, strcspn(last->message, "\n"));
	gp_str_add_shown(&shown, gp_str_text(&line));
	return gp_fail(err, GP_E_CORRUPT, "domain XML does not parse, line %d: %s", last->line, gp_str_text(&shown));
}

static int check_bytes(const char *xml, size_t size, struct gp_error *err)
{
	if (size > GP_DOMAIN_XML_MAX)
		return gp_fail(err, GP_E_CORRUPT, "domain XML has %zu bytes, more than the %d that are let through",
			       size, (int)GP_DOMAIN_XML_MAX);
	if (memchr(xml, '\0', size) != NULL)
		return gp_fail(err, GP_E_CORRUPT, "domain XML holds a NUL byte");
	return 0;
}

/* libxml2 goes by the first bytes when it guesses an encoding (UTF-16 by its mark, EBCDIC by its '<'). */
static int check_begin(const char *xml, size_t size, struct gp_error *err)
{
	static const char utf8_mark[] = {'\xef', '\xbb', '\xbf'};
	bool marked = size >= sizeof(utf8_mark) && memcmp(xml, utf8_mark, sizeof(utf8_mark)) == 0;
	if (size > 0 && (marked || strchr("< \t\r\n", xml[0]) != NULL))
		return 0;
	return gp_fail(err, GP_E_CORRUPT, "domain XML does not begin with '<'");
}

/* The document as the reader's handlers let it become; caller frees. */
static xmlDoc *read_document(struct gp_domain_reader *reader, const char *xml, size_t size, struct gp_error *err)
{
	reader->kept = reader->skipped = reader->wrapper = 0;
	reader->doctype = false;
	if (check_bytes(xml, size, err) < 0 || check_begin(xml, size, err) < 0 || open_parser(reader, err) < 0)
		return NULL;
	xmlDoc *doc = xmlCtxtReadMemory(reader->parser, xml, (int)size, "domain.xml", NULL, PARSE_OPTIONS);
	if (doc == NULL || reader->doctype) {
		fail_parse(reader, err);
		xmlFreeDoc(doc);
		return NULL;
	}
	return doc;
}

/* <domain>, be it the root or inside <domstatus>. */
static xmlNode *domain_of(xmlDoc *doc, struct gp_error *err)
{
	xmlNode *root = xmlDocGetRootElement(doc);
	if (root != NULL && is_element(root, "domain"))
		return root;
	if (root != NULL && is_element(root, "domstatus") && child_element(root, "domain") != NULL)
		return child_element(root, "domain");
	gp_fail(err, GP_E_CORRUPT, "domain XML holds no <domain>");
	return NULL;
}

/* An editor keeps every element; only the DOCTYPE rule is the reader's. */
static xmlDoc *read_whole(const char *xml, size_t size, struct gp_error *err)
{
	struct gp_domain_reader whole = {0};
	whole.parser = new_parser(&whole, err);
	if (whole.parser == NULL)
		return NULL;
	xmlDoc *doc = read_document(&whole, xml, size, err);
	xmlFreeParserCtxt(whole.parser);
	return doc;
}

static bool is_blank_text(const xmlNode *node)
{
	return node != NULL && xmlIsBlankNode(node) == 1;
}

/* ---- the fast path ---- */

static bool contains(const char *xml, size_t size, const char *needle)
{
	return memmem(xml, size, needle, strlen(needle)) != NULL;
}

/* Any of these may err on the side of yes. A reference could stand for a letter of the words that are looked for. */
static bool mentions_devices(const char *xml, size_t size)
{
	return contains(xml, size, "hostdev") || contains(xml, size, "nvme") || contains(xml, size, "<!DOCTYPE") ||
	       contains(xml, size, "&#");
}

static bool mentions_metadata(const char *xml, size_t size)
{
	if (!contains(xml, size, "<metadata"))
		return false;
	if (contains(xml, size, GP_METADATA_URI) || contains(xml, size, "&#"))
		return true;
	for (size_t i = 0; i < MANAGER_COUNT; i++)
		if (contains(xml, size, managers[i].uri_prefix))
			return true;
	return false;
}

static bool parse_fast(const char *xml, size_t size, struct gp_arena *arena, struct gp_domain_xml *out)
{
	if (mentions_metadata(xml, size))
		return false;
	return mentions_devices(xml, size) ? gp_domain_plain_parse(xml, size, arena, out)
					   : gp_domain_plain_identity(xml, size, arena, out);
}

/* ---- hostdevs ---- */

static int read_number(const xmlNode *address, const char *name, uint32_t max, uint32_t *out, struct gp_error *err)
{
	*out = 0;
	gp_autoxml *text = xmlGetNoNsProp(address, xml_text(name));
	if (text == NULL)
		return 0;
	if (gp_domain_number(c_text(text), max, out) == 0)
		return 0;
	GP_CLEANUP(gp_str_clear) struct gp_str shown = {0};
	gp_str_add_shown(&shown, c_text(text));
	return gp_fail(err, GP_E_CORRUPT, "domain XML, line %ld: %s='%s' is no part of a PCI address",
		       xmlGetLineNo(address), name, gp_str_text(&shown));
}

static int read_pci_address(const xmlNode *address, struct gp_pci_addr *out, struct gp_error *err)
{
	uint32_t domain, bus, slot, function;
	if (read_number(address, "domain", UINT32_MAX, &domain, err) < 0 ||
	    read_number(address, "bus", 0xff, &bus, err) < 0 || read_number(address, "slot", 0x1f, &slot, err) < 0 ||
	    read_number(address, "function", 7, &function, err) < 0)
		return -1;
	*out = (struct gp_pci_addr){domain, (uint8_t)bus, (uint8_t)slot, (uint8_t)function};
	return 0;
}

static int read_mdev_address(const xmlNode *address, struct gp_uuid *out, struct gp_error *err)
{
	gp_autoxml *text = xmlGetNoNsProp(address, xml_text("uuid"));
	if (text == NULL || gp_uuid_parse(c_text(text), out) < 0)
		return gp_fail(err, GP_E_CORRUPT, "domain XML, line %ld: a mediated device without a valid uuid",
			       xmlGetLineNo(address));
	return 0;
}

static int read_source(const xmlNode *device, struct gp_hostdev *out, struct gp_error *err)
{
	const xmlNode *address = child_element(child_element(device, "source"), "address");
	if (address == NULL)
		return gp_fail(err, GP_E_CORRUPT, "domain XML, line %ld: <%s> has no source address",
			       xmlGetLineNo(device), c_text(device->name));
	return out->type == GP_HOSTDEV_PCI ? read_pci_address(address, &out->source, err)
					   : read_mdev_address(address, &out->mdev, err);
}

/* libvirt names the devices of a running domain itself; only "ua-" names are somebody's. */
static const char *read_alias(const xmlNode *device, struct gp_arena *arena)
{
	const xmlNode *alias = child_element(device, "alias");
	const char *name = alias == NULL ? NULL : attribute_dup(alias, "name", arena);
	return name != NULL && gp_starts_with(name, "ua-") ? name : NULL;
}

/* Children in a foreign namespace are left out: libvirt drops them too, and alone they would lose their prefix. */
static bool is_guest_side(const xmlNode *node)
{
	return node->type == XML_ELEMENT_NODE && node->ns == NULL && !is_element(node, "source") &&
	       !is_element(node, "alias");
}

static const char *read_guest_side(const xmlNode *device, struct gp_arena *arena)
{
	xmlBuffer *buffer = NULL;
	for (xmlNode *child = device->children; child != NULL; child = child->next) {
		if (!is_guest_side(child))
			continue;
		if (buffer == NULL && (buffer = xmlBufferCreate()) == NULL)
			gp_out_of_memory();
		xmlNodeDump(buffer, child->doc, child, 0, 0);
	}
	if (buffer == NULL)
		return "";
	const char *text = gp_arena_strdup(arena, c_text(xmlBufferContent(buffer)));
	xmlBufferFree(buffer);
	return text;
}

static bool is_hostdev(const xmlNode *node, enum gp_hostdev_type *type)
{
	gp_autoxml *mode = xmlGetNoNsProp(node, xml_text("mode"));
	if (!is_element(node, "hostdev") || (mode != NULL && !gp_streq(c_text(mode), "subsystem")))
		return false;
	gp_autoxml *kind = xmlGetNoNsProp(node, xml_text("type"));
	*type = gp_streq(c_text(kind), "mdev") ? GP_HOSTDEV_MDEV : GP_HOSTDEV_PCI;
	return gp_streq(c_text(kind), "pci") || gp_streq(c_text(kind), "mdev");
}

static int add_hostdev(const xmlNode *node, enum gp_hostdev_type type, struct gp_arena *arena,
		       struct gp_domain_xml *out, struct gp_error *err)
{
	struct gp_hostdev *hostdev = gp_arena_push(arena, out->hostdevs, out->hostdev_count);
	hostdev->type = type;
	hostdev->managed = attribute_is(node, "managed", "yes");
	hostdev->display = type == GP_HOSTDEV_MDEV && attribute_is(node, "display", "on");
	hostdev->ramfb = type == GP_HOSTDEV_MDEV && attribute_is(node, "ramfb", "on");
	hostdev->alias = read_alias(node, arena);
	hostdev->ours = gp_alias_is_ours(hostdev->alias);
	hostdev->guest_xml = read_guest_side(node, arena);
	return read_source(node, hostdev, err);
}

static int add_elsewhere(const xmlNode *node, struct gp_arena *arena, struct gp_domain_xml *out, struct gp_error *err)
{
	struct gp_hostdev *hostdev = gp_arena_push(arena, out->hostdevs, out->hostdev_count);
	hostdev->type = GP_HOSTDEV_PCI;
	hostdev->managed = attribute_is(node, "managed", "yes");
	hostdev->guest_xml = "";
	hostdev->elsewhere = true;
	return read_source(node, hostdev, err);
}

/* An interface's source may also name a network device (type='netdev'); then its address is not in the XML. */
static bool is_pci_interface(const xmlNode *node)
{
	const xmlNode *address = child_element(child_element(node, "source"), "address");
	return is_element(node, "interface") && address != NULL && attribute_is(address, "type", "pci");
}

/* A disk, its mirror or an image in its backing chain may be an NVMe drive that QEMU drives through VFIO. */
static int add_nvme(const xmlNode *node, struct gp_arena *arena, struct gp_domain_xml *out, struct gp_error *err)
{
	if (attribute_is(node, "type", "nvme") && add_elsewhere(node, arena, out, err) < 0)
		return -1;
	for (const xmlNode *child = node->children; child != NULL; child = child->next)
		if ((is_element(child, "backingStore") || is_element(child, "mirror")) &&
		    add_nvme(child, arena, out, err) < 0)
			return -1;
	return 0;
}

static int add_device(const xmlNode *node, struct gp_arena *arena, struct gp_domain_xml *out, struct gp_error *err)
{
	enum gp_hostdev_type type;
	if (is_hostdev(node, &type))
		return add_hostdev(node, type, arena, out, err);
	if (is_pci_interface(node))
		return add_elsewhere(node, arena, out, err);
	return is_element(node, "disk") ? add_nvme(node, arena, out, err) : 0;
}

bool gp_domain_has_plugged(const struct gp_domain *domain, const struct gp_hostdev *devices, size_t count)
{
	for (size_t i = 0; i < domain->live_count; i++)
		for (size_t j = 0; j < count; j++)
			if (gp_hostdev_same_source(&domain->live[i], &devices[j]))
				return true;
	return false;
}

/* ---- the whole domain ---- */

static int read_identity(const xmlNode *domain, struct gp_arena *arena, struct gp_domain_xml *out, struct gp_error *err)
{
	gp_autoxml *name = xmlNodeGetContent(child_element(domain, "name"));
	if (name == NULL || name[0] == '\0')
		return gp_fail(err, GP_E_CORRUPT, "domain XML has no <name>");
	out->name = gp_arena_strdup(arena, c_text(name));

	gp_autoxml *uuid = xmlNodeGetContent(child_element(domain, "uuid"));
	if (uuid != NULL && gp_uuid_parse(c_text(uuid), &out->uuid) < 0)
		return gp_fail(err, GP_E_CORRUPT, "domain XML has an <uuid> that is none");
	return 0;
}

static int fail_place(const xmlNode *place, const char *what, struct gp_error *err)
{
	gp_fail(err, GP_E_CORRUPT, "domain XML, line %ld: our note of an unfinished exchange has %s",
		xmlGetLineNo(place), what);
	return gp_error_remedy(err,
			       "remove the note by hand: virsh metadata NAME " GP_METADATA_URI " --config --remove");
}

/* The guest side is XML within XML: it is taken only if it is what we could have written. */
static const char *read_kept_guest_side(const char *text, struct gp_arena *arena)
{
	if (strlen(text) > GP_PLACE_GUEST_MAX)
		return NULL;
	gp_autofree char *wrapped = gp_xasprintf("<hostdev>%s</hostdev>", text);
	GP_CLEANUP(free_xml_doc) xmlDoc *doc = read_whole(wrapped, strlen(wrapped), NULL);
	const xmlNode *hostdev = doc == NULL ? NULL : xmlDocGetRootElement(doc);
	if (hostdev == NULL || hostdev->next != NULL)
		return NULL;
	for (const xmlNode *child = hostdev->children; child != NULL; child = child->next)
		if (!is_guest_side(child) && !is_blank_text(child))
			return NULL;
	return read_guest_side(hostdev, arena);
}

static int read_place_source(const xmlNode *node, struct gp_hostdev *place)
{
	gp_autoxml *source = xmlGetNoNsProp(node, xml_text("source"));
	place->type = attribute_is(node, "type", "mdev") ? GP_HOSTDEV_MDEV : GP_HOSTDEV_PCI;
	if (source == NULL)
		return -1;
	return place->type == GP_HOSTDEV_PCI ? gp_pci_addr_parse(c_text(source), &place->source)
					     : gp_uuid_parse(c_text(source), &place->mdev);
}

static int read_place(const xmlNode *node, struct gp_arena *arena, struct gp_domain_xml *out, struct gp_error *err)
{
	struct gp_hostdev place = {.managed = attribute_is(node, "managed", "yes"), .ours = true};
	gp_autoxml *guest = xmlNodeGetContent(node);
	uint32_t request;
	const char *class_name;

	place.alias = attribute_dup(node, "alias", arena);
	if (place.alias == NULL || gp_alias_parse(place.alias, &request, &class_name) < 0)
		return fail_place(node, "no alias of ours", err);
	if (read_place_source(node, &place) < 0)
		return fail_place(node, "no valid source", err);
	place.display = attribute_is(node, "display", "on");
	place.ramfb = attribute_is(node, "ramfb", "on");
	place.guest_xml = read_kept_guest_side(guest == NULL ? "" : c_text(guest), arena);
	if (place.guest_xml == NULL)
		return fail_place(node, "a guest side that is none", err);
	if (out->place_count == GP_PLACES_MAX)
		return fail_place(node, "too many neighbours", err);
	*gp_arena_push(arena, out->places, out->place_count) = place;
	return 0;
}

/* Elements that a later version may add are passed over. */
static int read_notes(const xmlNode *ours, struct gp_arena *arena, struct gp_domain_xml *out, struct gp_error *err)
{
	out->to_start = attribute_is(ours, MARK_ATTRIBUTE, "yes");
	for (const xmlNode *child = ours->children; child != NULL; child = child->next)
		if (child->type == XML_ELEMENT_NODE && gp_streq(c_text(child->name), PLACE_ELEMENT) &&
		    read_place(child, arena, out, err) < 0)
			return -1;
	return 0;
}

static int read_metadata(const xmlNode *metadata, struct gp_arena *arena, struct gp_domain_xml *out,
			 struct gp_error *err)
{
	for (const xmlNode *child = metadata == NULL ? NULL : metadata->children; child != NULL; child = child->next) {
		const char *manager = manager_of_uri(namespace_of(child));
		if (manager != NULL)
			out->external = manager;
		else if (is_ours(child) && read_notes(child, arena, out, err) < 0)
			return -1;
	}
	return 0;
}

static int read_devices(const xmlNode *devices, struct gp_arena *arena, struct gp_domain_xml *out, struct gp_error *err)
{
	for (const xmlNode *child = devices == NULL ? NULL : devices->children; child != NULL; child = child->next)
		if (add_device(child, arena, out, err) < 0)
			return -1;
	return 0;
}

static void read_status(const xmlNode *domain, struct gp_arena *arena, struct gp_domain_xml *out)
{
	const xmlNode *status = domain->parent;
	if (status == NULL || !is_element(status, "domstatus"))
		return;
	out->state = attribute_dup(status, "state", arena);
	gp_autoxml *pid = xmlGetNoNsProp(status, xml_text("pid"));
	if (pid != NULL && gp_parse_u64(c_text(pid), &out->pid) < 0)
		out->pid = 0;
}

static int read_domain(xmlDoc *doc, struct gp_arena *arena, struct gp_domain_xml *out, struct gp_error *err)
{
	const xmlNode *domain = domain_of(doc, err);
	if (domain == NULL || read_identity(domain, arena, out, err) < 0)
		return -1;
	read_status(domain, arena, out);
	if (read_metadata(child_element(domain, "metadata"), arena, out, err) < 0)
		return -1;
	return read_devices(child_element(domain, "devices"), arena, out, err);
}

int gp_domain_reader_parse(struct gp_domain_reader *reader, const char *xml, size_t size, struct gp_arena *arena,
			   struct gp_domain_xml *out, struct gp_error *err)
{
	*out = (struct gp_domain_xml){0};
	if (check_bytes(xml, size, err) < 0)
		return -1;
	if (parse_fast(xml, size, arena, out))
		return 0;
	*out = (struct gp_domain_xml){0};
	GP_CLEANUP(free_xml_doc) xmlDoc *doc = read_document(reader, xml, size, err);
	return doc == NULL ? -1 : read_domain(doc, arena, out, err);
}

int gp_domain_xml_parse(const char *xml, size_t size, struct gp_arena *arena, struct gp_domain_xml *out,
			struct gp_error *err)
{
	GP_CLEANUP(gp_cleanup_gp_domain_reader_free) struct gp_domain_reader *reader = gp_domain_reader_new();
	return gp_domain_reader_parse(reader, xml, size, arena, out, err);
}

/* ---- writing ---- */

static void add_escaped(struct gp_str *out, const char *text)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '&':
			gp_str_add(out, "&amp;");
			break;
		case '<':
			gp_str_add(out, "&lt;");
			break;
		case '\'':
			gp_str_add(out, "&apos;");
			break;
		default:
			gp_str_add_char(out, *text);
		}
	}
}

/* What only a PCI device can have: libvirt refuses a mediated one with it. */
static const char *const pci_only[] = {"boot", "driver", "teaming"};
enum { PCI_ONLY_COUNT = sizeof(pci_only) / sizeof(pci_only[0]) };

static bool mentions_pci_only(const char *guest_xml)
{
	for (size_t i = 0; i < PCI_ONLY_COUNT; i++) {
		gp_autofree char *tag = gp_xasprintf("<%s", pci_only[i]);
		if (strstr(guest_xml, tag) != NULL)
			return true;
	}
	return false;
}

static bool is_pci_only(const xmlNode *node)
{
	for (size_t i = 0; i < PCI_ONLY_COUNT; i++)
		if (is_element(node, pci_only[i]))
			return true;
	return false;
}

/* As it was kept; a mediated device that stands in for a PCI device gets what it can have of it. */
static void add_guest_side(const struct gp_hostdev *hostdev, struct gp_str *out)
{
	const char *guest_xml = hostdev->guest_xml == NULL ? "" : hostdev->guest_xml;
	bool whole = hostdev->type != GP_HOSTDEV_MDEV || !mentions_pci_only(guest_xml);
	gp_autofree char *wrapped = whole ? NULL : gp_xasprintf("<hostdev>%s</hostdev>", guest_xml);
	GP_CLEANUP(free_xml_doc) xmlDoc *doc = whole ? NULL : read_whole(wrapped, strlen(wrapped), NULL);
	if (doc == NULL) {
		gp_str_add(out, guest_xml);
		return;
	}
	xmlBuffer *buffer = must(xmlBufferCreate());
	for (xmlNode *child = xmlDocGetRootElement(doc)->children; child != NULL; child = child->next)
		if (!is_pci_only(child))
			xmlNodeDump(buffer, doc, child, 0, 0);
	gp_str_add(out, c_text(xmlBufferContent(buffer)));
	xmlBufferFree(buffer);
}

void gp_domain_xml_hostdev(const struct gp_hostdev *hostdev, struct gp_str *out)
{
	if (hostdev->type == GP_HOSTDEV_PCI) {
		struct gp_pci_addr addr = hostdev->source;
		gp_str_printf(out,
			      "<hostdev mode='subsystem' type='pci' managed='%s'><source><address domain='0x%04x' "
			      "bus='0x%02x' slot='0x%02x' function='0x%x'/></source>",
			      hostdev->managed ? "yes" : "no", addr.domain, addr.bus, addr.slot, addr.function);
	} else {
		char uuid[GP_UUID_SIZE];
		gp_str_printf(out,
			      "<hostdev mode='subsystem' type='mdev' model='vfio-pci'%s%s><source><address uuid='%s'/>"
			      "</source>",
			      hostdev->display ? " display='on'" : "", hostdev->ramfb ? " ramfb='on'" : "",
			      gp_uuid_format(hostdev->mdev, uuid));
	}
	if (hostdev->alias != NULL) {
		gp_str_add(out, "<alias name='");
		add_escaped(out, hostdev->alias);
		gp_str_add(out, "'/>");
	}
	add_guest_side(hostdev, out);
	gp_str_add(out, "</hostdev>");
}

/* ---- our notes ---- */

/* In text, only these two matter; and "]]>" may not stand there. */
static void add_escaped_text(struct gp_str *out, const char *text)
{
	for (; *text != '\0'; text++)
		if (*text == '&' || *text == '<' || *text == '>')
			gp_str_add(out, *text == '&' ? "&amp;" : *text == '<' ? "&lt;" : "&gt;");
		else
			gp_str_add_char(out, *text);
}

static void add_place(const struct gp_hostdev *place, const char *prefix, struct gp_str *out)
{
	char pci[GP_PCI_ADDR_SIZE], uuid[GP_UUID_SIZE];
	bool is_mdev = place->type == GP_HOSTDEV_MDEV;

	gp_str_printf(out, "<%s" PLACE_ELEMENT " alias='", prefix);
	add_escaped(out, place->alias);
	gp_str_printf(out, "' type='%s' source='%s' managed='%s'%s%s>", is_mdev ? "mdev" : "pci",
		      is_mdev ? gp_uuid_format(place->mdev, uuid) : gp_pci_addr_format(place->source, pci),
		      place->managed ? "yes" : "no", place->display ? " display='on'" : "",
		      place->ramfb ? " ramfb='on'" : "");
	add_escaped_text(out, place->guest_xml == NULL ? "" : place->guest_xml);
	gp_str_printf(out, "</%s" PLACE_ELEMENT ">", prefix);
}

/* prefix: "" or with its colon; declaration: what binds it. */
static bool add_notes(const struct gp_domain_notes *notes, const char *prefix, const char *declaration,
		      struct gp_str *out)
{
	if (!notes->to_start && notes->place_count == 0)
		return false;
	gp_str_printf(out, "<%s" STATE_ELEMENT "%s%s>", prefix, declaration,
		      notes->to_start ? " " MARK_ATTRIBUTE "='yes'" : "");
	for (size_t i = 0; i < notes->place_count; i++)
		add_place(&notes->places[i], prefix, out);
	gp_str_printf(out, "</%s" STATE_ELEMENT ">", prefix);
	return true;
}

bool gp_domain_xml_notes(const struct gp_domain_notes *notes, struct gp_str *out)
{
	return add_notes(notes, "", "", out);
}

struct gp_domain_notes gp_domain_notes_without(const struct gp_domain_xml *xml, const char *alias,
					       struct gp_arena *arena)
{
	struct gp_hostdev *places = NULL;
	size_t count = 0;

	for (size_t i = 0; i < xml->place_count; i++)
		if (!gp_streq(xml->places[i].alias, alias))
			*gp_arena_push(arena, places, count) = xml->places[i];
	return (struct gp_domain_notes){xml->to_start, places, count};
}

struct gp_domain_notes gp_domain_notes_with(const struct gp_domain_xml *xml, const struct gp_hostdev *place,
					    struct gp_arena *arena)
{
	struct gp_hostdev *places = NULL;
	size_t count = 0;
	bool found = false;

	for (size_t i = 0; i < xml->place_count; i++) {
		bool same = gp_streq(xml->places[i].alias, place->alias);
		*gp_arena_push(arena, places, count) = same ? *place : xml->places[i];
		found = found || same;
	}
	if (!found)
		*gp_arena_push(arena, places, count) = *place;
	return (struct gp_domain_notes){xml->to_start, places, count};
}

int gp_domain_check_place(const struct gp_hostdev *place, struct gp_error *err)
{
	uint32_t request;
	const char *class_name;
	if (place->alias != NULL && gp_alias_parse(place->alias, &request, &class_name) == 0)
		return 0;
	return gp_fail(err, GP_E_INTERNAL, "a place is kept for a hostdev of ours, not for '%s'",
		       place->alias == NULL ? "" : place->alias);
}

bool gp_domain_notes_hold(const struct gp_domain_xml *xml, const struct gp_domain_notes *notes)
{
	if (xml->to_start != notes->to_start || xml->place_count != notes->place_count)
		return false;
	for (size_t i = 0; i < xml->place_count; i++) {
		const struct gp_hostdev *is = &xml->places[i], *wanted = &notes->places[i];
		if (!gp_streq(is->alias, wanted->alias) || !gp_hostdev_same_source(is, wanted) ||
		    is->managed != wanted->managed || is->display != wanted->display || is->ramfb != wanted->ramfb ||
		    !gp_streq(is->guest_xml, wanted->guest_xml))
			return false;
	}
	return true;
}

/* ---- edits ---- */

static char *document_text(xmlDoc *doc)
{
	xmlBuffer *buffer = xmlBufferCreate();
	if (buffer == NULL)
		gp_out_of_memory();
	/* Node by node, since a whole document would be given an XML declaration that it may not have had. */
	for (xmlNode *node = doc->children; node != NULL; node = node->next) {
		xmlNodeDump(buffer, doc, node, 0, 0);
		xmlBufferCat(buffer, xml_text("\n"));
	}
	char *text = gp_xstrdup(c_text(xmlBufferContent(buffer)));
	xmlBufferFree(buffer);
	return text;
}

static void append(xmlNode *parent, xmlNode *child)
{
	must(xmlAddChild(parent, child));
}

/* Children stand two blanks deeper than their parent, as libvirt writes them. */
static void append_indented(xmlNode *parent, xmlNode *child, unsigned depth)
{
	GP_CLEANUP(gp_str_clear) struct gp_str before = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str after = {0};

	if (!is_blank_text(parent->last)) {
		gp_str_add_char(&before, '\n');
		gp_str_add_repeated(&before, ' ', (size_t)depth * 2);
	}
	gp_str_add(&before, "  ");
	gp_str_add_char(&after, '\n');
	gp_str_add_repeated(&after, ' ', (size_t)depth * 2);

	append(parent, must(xmlNewText(xml_text(gp_str_text(&before)))));
	append(parent, child);
	append(parent, must(xmlNewText(xml_text(gp_str_text(&after)))));
}

static void remove_indented(xmlNode *node)
{
	xmlNode *blank = node->prev;
	if (is_blank_text(blank)) {
		xmlUnlinkNode(blank);
		xmlFreeNode(blank);
	}
	xmlUnlinkNode(node);
	xmlFreeNode(node);
}

static xmlNode *child_made(xmlNode *domain, const char *name)
{
	xmlNode *child = child_element(domain, name);
	if (child == NULL) {
		child = must(xmlNewNode(NULL, xml_text(name)));
		append_indented(domain, child, 0);
	}
	return child;
}

/* The text of an element, as a node that belongs to nobody yet. */
static xmlNode *parse_element(const char *text, struct gp_error *err)
{
	GP_CLEANUP(free_xml_doc) xmlDoc *doc = read_whole(text, strlen(text), err);
	return doc == NULL ? NULL : must(xmlCopyNode(xmlDocGetRootElement(doc), 1));
}

static bool has_turn_to_boot(const struct gp_hostdev *hostdev)
{
	return hostdev->guest_xml != NULL && strstr(hostdev->guest_xml, "<boot") != NULL;
}

bool gp_domain_gives_turn_back(const struct gp_domain_xml *xml, const struct gp_hostdev *add)
{
	for (size_t i = 0; i < xml->place_count; i++)
		if (gp_streq(xml->places[i].alias, add->alias) && has_turn_to_boot(&xml->places[i]))
			return has_turn_to_boot(add);
	return false;
}

/* <os><boot dev='hd'/>, alone: what libvirt puts into a definition in which no device has a turn. */
static void make_way_for_turn(const xmlNode *domain, const struct gp_hostdev *add)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	struct gp_domain_xml notes = {0};
	xmlNode *boot = child_element(child_element(domain, "os"), "boot");
	if (boot == NULL || !attribute_is(boot, "dev", "hd") ||
	    read_metadata(child_element(domain, "metadata"), arena, &notes, NULL) < 0 ||
	    !gp_domain_gives_turn_back(&notes, add))
		return;
	for (const xmlNode *next = boot->next; next != NULL; next = next->next)
		if (is_element(next, "boot"))
			return;
	remove_indented(boot);
}

char *gp_domain_xml_with_hostdev(const char *xml, size_t size, const struct gp_hostdev *add, struct gp_error *err)
{
	GP_CLEANUP(free_xml_doc) xmlDoc *doc = read_whole(xml, size, err);
	xmlNode *domain = doc == NULL ? NULL : domain_of(doc, err);
	if (domain == NULL)
		return NULL;

	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	gp_domain_xml_hostdev(add, &text);
	xmlNode *hostdev = parse_element(gp_str_text(&text), err);
	if (hostdev == NULL)
		return NULL;
	make_way_for_turn(domain, add);
	append_indented(child_made(domain, "devices"), hostdev, 1);
	return document_text(doc);
}

/* The <hostdev> with this source, or NULL. One that cannot be understood is not it. */
static xmlNode *find_hostdev(const xmlNode *domain, const struct gp_hostdev *wanted)
{
	const xmlNode *devices = child_element(domain, "devices");
	for (xmlNode *child = devices == NULL ? NULL : devices->children; child != NULL; child = child->next) {
		struct gp_hostdev found = {0};
		if (is_hostdev(child, &found.type) && read_source(child, &found, NULL) == 0 &&
		    gp_hostdev_same_source(&found, wanted))
			return child;
	}
	return NULL;
}

char *gp_domain_xml_without_hostdev(const char *xml, size_t size, const struct gp_hostdev *remove, bool *found,
				    struct gp_error *err)
{
	GP_CLEANUP(free_xml_doc) xmlDoc *doc = read_whole(xml, size, err);
	const xmlNode *domain = doc == NULL ? NULL : domain_of(doc, err);
	if (domain == NULL)
		return NULL;

	xmlNode *hostdev = find_hostdev(domain, remove);
	if (found != NULL)
		*found = hostdev != NULL;
	if (hostdev != NULL)
		remove_indented(hostdev);
	return document_text(doc);
}

static xmlNode *find_ours(const xmlNode *metadata)
{
	for (xmlNode *child = metadata == NULL ? NULL : metadata->children; child != NULL; child = child->next)
		if (is_ours(child))
			return child;
	return NULL;
}

char *gp_domain_xml_with_notes(const char *xml, size_t size, const struct gp_domain_notes *notes, struct gp_error *err)
{
	GP_CLEANUP(free_xml_doc) xmlDoc *doc = read_whole(xml, size, err);
	xmlNode *domain = doc == NULL ? NULL : domain_of(doc, err);
	if (domain == NULL)
		return NULL;

	xmlNode *old;
	while ((old = find_ours(child_element(domain, "metadata"))) != NULL)
		remove_indented(old);
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	if (add_notes(notes, GP_METADATA_PREFIX ":", " xmlns:" GP_METADATA_PREFIX "='" GP_METADATA_URI "'", &text)) {
		xmlNode *ours = parse_element(gp_str_text(&text), err);
		if (ours == NULL)
			return NULL;
		append_indented(child_made(domain, "metadata"), ours, 1);
	}
	return document_text(doc);
}

/* ---- what libvirt makes of it ---- */

/* The names of others than libvirt itself: it drops what is none without a word. */
static bool is_kept_alias(const char *alias)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	return alias != NULL && gp_starts_with(alias, "ua-") && alias[strspn(alias, allowed)] == '\0';
}

static void drop_alias(const xmlNode *device)
{
	xmlNode *alias = child_element(device, "alias");
	gp_autoxml *name = alias == NULL ? NULL : xmlGetNoNsProp(alias, xml_text("name"));
	if (alias != NULL && !is_kept_alias(c_text(name)))
		remove_indented(alias);
}

/* Buses of the guest, by number: taken is what a device of its definition is on. */
enum { GUEST_BUSES = 256, FIRST_GUEST_BUS = 5 };

static int take_guest_address(const xmlNode *device, bool taken[GUEST_BUSES], struct gp_error *err)
{
	struct gp_pci_addr found;
	const xmlNode *address = child_element(device, "address");
	if (address == NULL || !attribute_is(address, "type", "pci"))
		return 0;
	GP_CLEANUP(gp_error_clear) struct gp_error problem = {0};
	if (read_pci_address(address, &found, &problem) < 0)
		return gp_fail(err, GP_E_IO, "XML error: Invalid PCI address: %s", problem.message);
	if (taken[found.bus] && found.bus >= FIRST_GUEST_BUS)
		return gp_fail(err, GP_E_IO, "XML error: Attempted double use of PCI Address %04x:%02x:%02x.%x",
			       found.domain, found.bus, found.slot, found.function);
	taken[found.bus] = true;
	return 0;
}

static void give_guest_address(xmlNode *device, bool taken[GUEST_BUSES])
{
	unsigned bus = FIRST_GUEST_BUS;
	while (bus < GUEST_BUSES - 1 && taken[bus])
		bus++;
	taken[bus] = true;
	gp_autofree char *text =
		gp_xasprintf("<address type='pci' domain='0x0000' bus='0x%02x' slot='0x00' function='0x0'/>", bus);
	append(device, must(parse_element(text, NULL)));
}

static int settle_devices(const xmlNode *devices, struct gp_error *err)
{
	bool taken[GUEST_BUSES] = {false};
	enum gp_hostdev_type type;
	for (xmlNode *child = devices == NULL ? NULL : devices->children; child != NULL; child = child->next)
		if (child->type == XML_ELEMENT_NODE && take_guest_address(child, taken, err) < 0)
			return -1;
	for (xmlNode *child = devices == NULL ? NULL : devices->children; child != NULL; child = child->next) {
		if (!is_hostdev(child, &type))
			continue;
		drop_alias(child);
		if (child_element(child, "address") == NULL)
			give_guest_address(child, taken);
	}
	return 0;
}

/* A guest boots from its devices in turn, or from the kinds of device that <os> lists: from disks, if nothing is said.
 */
static int settle_boot(const xmlNode *domain, struct gp_error *err)
{
	const xmlNode *devices = child_element(domain, "devices");
	xmlNode *os = child_element(domain, "os");
	bool by_devices = false;
	for (const xmlNode *child = devices == NULL ? NULL : devices->children; child != NULL; child = child->next)
		by_devices = by_devices || child_element(child, "boot") != NULL;
	bool by_kinds = child_element(os, "boot") != NULL;
	if (by_devices && by_kinds)
		return gp_fail(err, GP_E_IO,
			       "unsupported configuration: per-device boot elements cannot be used together with "
			       "os/boot elements");
	if (os != NULL && !by_devices && !by_kinds)
		append(os, must(parse_element("<boot dev='hd'/>", NULL)));
	return 0;
}

char *gp_domain_xml_settled(const char *xml, size_t size, struct gp_error *err)
{
	GP_CLEANUP(free_xml_doc) xmlDoc *doc = read_whole(xml, size, err);
	const xmlNode *domain = doc == NULL ? NULL : domain_of(doc, err);
	if (domain == NULL || settle_boot(domain, err) < 0 || settle_devices(child_element(domain, "devices"), err) < 0)
		return NULL;
	return document_text(doc);
}

/* ---- the public form ---- */

static void drop(xmlNode *node)
{
	xmlUnlinkNode(node);
	xmlFreeNode(node);
}

static void drop_attributes(xmlNode *node)
{
	while (node->properties != NULL)
		xmlRemoveProp(node->properties);
}

/* The manager's element stays, to tell that there is one; what it says is its own business. */
static void strip_metadata(const xmlNode *metadata)
{
	for (xmlNode *child = metadata == NULL ? NULL : metadata->children; child != NULL; child = child->next)
		if (!is_ours(child))
			drop_attributes(child);
}

/* Only where the device is, and its alias. */
static void strip_to_source(xmlNode *device)
{
	for (xmlNode *child = device->children, *next; child != NULL; child = next) {
		next = child->next;
		if (is_element(child, "backingStore") || is_element(child, "mirror"))
			strip_to_source(child);
		else if (!is_element(child, "source") && !is_element(child, "alias"))
			drop(child);
	}
}

static bool is_public_device(const xmlNode *device)
{
	enum gp_hostdev_type type;
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	struct gp_domain_xml found = {0};
	if (is_element(device, "hostdev"))
		return is_hostdev(device, &type);
	return add_device(device, arena, &found, NULL) == 0 && found.hostdev_count > 0;
}

static void strip_devices(const xmlNode *devices)
{
	for (xmlNode *child = devices == NULL ? NULL : devices->children, *next; child != NULL; child = next) {
		next = child->next;
		if (!is_public_device(child))
			drop(child);
		else if (!is_element(child, "hostdev"))
			strip_to_source(child);
	}
}

char *gp_domain_xml_public(const char *xml, size_t size, struct gp_error *err)
{
	GP_CLEANUP(gp_cleanup_gp_domain_reader_free) struct gp_domain_reader *reader = gp_domain_reader_new();
	GP_CLEANUP(free_xml_doc) xmlDoc *doc = read_document(reader, xml, size, err);
	const xmlNode *domain = doc == NULL ? NULL : domain_of(doc, err);
	if (domain == NULL)
		return NULL;
	strip_metadata(child_element(domain, "metadata"));
	strip_devices(child_element(domain, "devices"));
	return document_text(doc);
}
