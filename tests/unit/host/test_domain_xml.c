/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Domain XML: what is read, what survives an edit, and what is not let through. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/domain_plain.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define HEAD                                                                                                           \
	"<domain type='kvm'>\n"                                                                                        \
	"  <name>cad-01</name>\n"                                                                                      \
	"  <uuid>0b5d2f1a-3c53-4d2e-9a0c-000000000001</uuid>\n"
#define DEVICES(devices) HEAD "  <devices>\n" devices "  </devices>\n</domain>\n"
#define OURS                                                                                                           \
	"    <hostdev mode='subsystem' type='pci' managed='yes'>\n"                                                    \
	"      <driver name='vfio'/>\n"                                                                                \
	"      <source>\n"                                                                                             \
	"        <address domain='0x0000' bus='0x41' slot='0x02' function='0x3'/>\n"                                   \
	"      </source>\n"                                                                                            \
	"      <alias name='ua-gpupart-0-vdi'/>\n"                                                                     \
	"      <rom bar='off' file='/a &amp; b'/>\n"                                                                   \
	"      <address type='pci' domain='0x0000' bus='0x03' slot='0x00' function='0x0'/>\n"                          \
	"    </hostdev>\n"
#define GUEST_SIDE                                                                                                     \
	"<driver name=\"vfio\"/><rom bar=\"off\" file=\"/a &amp; b\"/>"                                                \
	"<address type=\"pci\" domain=\"0x0000\" bus=\"0x03\" slot=\"0x00\" function=\"0x0\"/>"
#define FOREIGN                                                                                                        \
	"    <hostdev mode='subsystem' type='pci' managed='no'>\n"                                                     \
	"      <source><address domain='0x0000' bus='0x05' slot='0x00' function='0x0'/></source>\n"                    \
	"    </hostdev>\n"

static struct gp_arena *arena;
static struct gp_error err;

static void setup(void)
{
	arena = gp_arena_new();
}
static void teardown(void)
{
	gp_arena_free(arena);
	gp_error_clear(&err);
}

static struct gp_domain_xml parsed(const char *xml)
{
	struct gp_domain_xml out;
	int rc = gp_domain_xml_parse(xml, strlen(xml), arena, &out, &err);
	ck_assert_msg(rc == 0, "%s", err.message);
	return out;
}

static void refused(const char *xml, const char *why)
{
	struct gp_domain_xml out;
	ck_assert_msg(gp_domain_xml_parse(xml, strlen(xml), arena, &out, &err) == -1, "let through: %.200s", xml);
	ck_assert_int_eq(err.kind, GP_E_CORRUPT);
	ck_assert_msg(strstr(err.message, why) != NULL, "\"%s\" lacks \"%s\"", err.message, why);
	ck_assert_ptr_null(strchr(err.message, '\n'));
	gp_error_clear(&err);
}

static void ck_source(const struct gp_hostdev *hostdev, const char *expected)
{
	char text[GP_PCI_ADDR_SIZE];
	ck_assert_str_eq(gp_pci_addr_format(hostdev->source, text), expected);
}

static struct gp_hostdev pci_at(const char *address)
{
	struct gp_hostdev hostdev = {.type = GP_HOSTDEV_PCI, .managed = true, .guest_xml = ""};
	ck_assert_int_eq(gp_pci_addr_parse(address, &hostdev.source), 0);
	return hostdev;
}

/* ---- reading ---- */

START_TEST(a_hostdev_of_ours_is_read_whole)
{
	struct gp_domain_xml xml = parsed(DEVICES(OURS FOREIGN));
	char uuid[GP_UUID_SIZE];
	ck_assert_str_eq(xml.name, "cad-01");
	ck_assert_str_eq(gp_uuid_format(xml.uuid, uuid), "0b5d2f1a-3c53-4d2e-9a0c-000000000001");
	ck_assert_uint_eq(xml.hostdev_count, 2);

	const struct gp_hostdev *ours = &xml.hostdevs[0];
	ck_assert_int_eq(ours->type, GP_HOSTDEV_PCI);
	ck_source(ours, "0000:41:02.3");
	ck_assert(ours->managed);
	ck_assert(ours->ours);
	ck_assert(!ours->elsewhere);
	ck_assert_str_eq(ours->alias, "ua-gpupart-0-vdi");
	ck_assert_str_eq(ours->guest_xml, GUEST_SIDE);

	ck_source(&xml.hostdevs[1], "0000:05:00.0");
	ck_assert(!xml.hostdevs[1].managed);
	ck_assert(!xml.hostdevs[1].ours);
	ck_assert_ptr_null(xml.hostdevs[1].alias);
	ck_assert_str_eq(xml.hostdevs[1].guest_xml, "");
	ck_assert(!xml.to_start);
	ck_assert_ptr_null(xml.external);
	ck_assert_ptr_null(xml.state);
}
END_TEST

#define PCI(attributes) "<hostdev type='pci'><source><address " attributes "/></source></hostdev>"

START_TEST(addresses_may_be_hex_decimal_octal_or_missing)
{
	static const struct {
		const char *xml;
		const char *address;
	} cases[] = {
		{DEVICES(PCI("domain='0x0001' bus='0x41' slot='0x1f' function='0x7'")), "0001:41:1f.7"},
		{DEVICES(PCI("domain='1' bus='66' slot='31' function='7'")), "0001:42:1f.7"},
		{DEVICES(PCI("bus='0X0a' slot='010' function='0'")), "0000:0a:08.0"},
		{DEVICES(PCI("bus='0x42'")), "0000:42:00.0"},
		{DEVICES(PCI("")), "0000:00:00.0"},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		ck_source(&parsed(cases[i].xml).hostdevs[0], cases[i].address);
}
END_TEST

START_TEST(a_source_that_is_not_understood_makes_all_unknown)
{
	refused(DEVICES(PCI("bus='0x100'")), "bus='0x100'");
	refused(DEVICES(PCI("slot='32'")), "slot='32'");
	refused(DEVICES(PCI("function='8'")), "function='8'");
	refused(DEVICES(PCI("bus='-1'")), "bus='-1'");
	refused(DEVICES(PCI("bus=''")), "bus=''");
	refused(DEVICES(PCI("bus='09'")), "bus='09'");
	refused(DEVICES(PCI("bus='0777777777777777'")), "bus=");
	refused(DEVICES(PCI("bus='4 '")), "bus='4 '");
	refused(DEVICES(PCI("bus='0x'")), "bus='0x'");
	refused(DEVICES(PCI("domain='0x100000000'")), "domain=");
	refused(DEVICES("<hostdev type='pci'/>"), "no source address");
	refused(DEVICES("<hostdev type='pci'><source/></hostdev>"), "no source address");
	refused(DEVICES("<hostdev type='mdev'><source><address/></source></hostdev>"), "without a valid uuid");
	refused(DEVICES("<hostdev type='mdev'><source><address uuid='12'/></source></hostdev>"),
		"without a valid uuid");
}
END_TEST

START_TEST(mediated_devices_are_read_and_others_are_not)
{
	struct gp_domain_xml xml = parsed(DEVICES(
		"<hostdev mode='subsystem' type='usb'><source><vendor id='0x1'/></source></hostdev>"
		"<hostdev mode='capabilities' type='misc'><source><char>/dev/input/event3</char></source></hostdev>"
		"<hostdev mode='subsystem' type='mdev' managed='no' model='vfio-pci' display='off'><source>"
		"<address uuid='c2177883-f1bb-47f0-914d-32a22e3a8804'/></source><alias name='hostdev0'/></hostdev>"));
	char uuid[GP_UUID_SIZE];
	ck_assert_uint_eq(xml.hostdev_count, 1);
	ck_assert_int_eq(xml.hostdevs[0].type, GP_HOSTDEV_MDEV);
	ck_assert_str_eq(gp_uuid_format(xml.hostdevs[0].mdev, uuid), "c2177883-f1bb-47f0-914d-32a22e3a8804");
	ck_assert_ptr_null(xml.hostdevs[0].alias); /* libvirt's own name for it */
}
END_TEST

#define MDEV(attributes, inside)                                                                                       \
	"<hostdev mode='subsystem' type='mdev' model='vfio-pci'" attributes "><source>"                                \
	"<address uuid='c2177883-f1bb-47f0-914d-32a22e3a8804'/></source>" inside "</hostdev>"

/* By both readers: a reference is for libxml2. */
START_TEST(a_display_is_part_of_a_mediated_device)
{
	static const struct {
		const char *xml;
		bool display, ramfb;
	} rows[] = {
		{DEVICES(MDEV("", "")), false, false},
		{DEVICES(MDEV(" display='off' ramfb='off'", "")), false, false},
		{DEVICES(MDEV(" display='on'", "")), true, false},
		{DEVICES(MDEV(" display='on' ramfb='on'", "")), true, true},
		{DEVICES(MDEV(" display='&#111;n' ramfb='on'", "")), true, true},
		{DEVICES("<hostdev type='pci' display='on'><source><address bus='1'/></source></hostdev>"), false,
		 false},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gp_domain_xml xml = parsed(rows[i].xml);
		ck_assert_uint_eq(xml.hostdev_count, 1);
		ck_assert_int_eq(xml.hostdevs[0].display, rows[i].display);
		ck_assert_int_eq(xml.hostdevs[0].ramfb, rows[i].ramfb);
		GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
		gp_domain_xml_hostdev(&xml.hostdevs[0], &text);
		ck_assert_int_eq(strstr(gp_str_text(&text), " display='on'") != NULL, rows[i].display);
		ck_assert_int_eq(strstr(gp_str_text(&text), " ramfb='on'") != NULL, rows[i].ramfb);
	}
}
END_TEST

START_TEST(interfaces_and_nvme_disks_hold_devices_too)
{
	struct gp_domain_xml xml = parsed(DEVICES(
		"<interface type='network'><source network='default'/></interface>"
		"<interface type='hostdev' managed='yes'><mac address='52:54:00:6d:90:02'/><source>"
		"<address type='pci' domain='0x0000' bus='0x07' slot='0x10' function='0x1'/></source>"
		"<alias name='ua-gpupart-0-nic'/></interface>"
		"<disk type='file'><source file='/a'/><backingStore type='nvme'><source type='pci' namespace='1'>"
		"<address domain='0x0000' bus='0x09' slot='0x00' function='0x0'/></source></backingStore></disk>"
		"<disk type='nvme' device='disk'><source type='pci' managed='yes' namespace='1'>"
		"<address domain='0x0000' bus='0x08' slot='0x00' function='0x0'/></source></disk>"));
	static const char *const expected[] = {"0000:07:10.1", "0000:09:00.0", "0000:08:00.0"};
	ck_assert_uint_eq(xml.hostdev_count, COUNT_OF(expected));
	for (size_t i = 0; i < COUNT_OF(expected); i++) {
		ck_source(&xml.hostdevs[i], expected[i]);
		ck_assert(xml.hostdevs[i].elsewhere);
		ck_assert(!xml.hostdevs[i].ours);
	}
}
END_TEST

START_TEST(hostdevs_count_only_where_libvirt_looks)
{
	ck_assert_uint_eq(parsed(HEAD FOREIGN "</domain>").hostdev_count, 0);
	ck_assert_uint_eq(parsed(DEVICES("<!-- " FOREIGN " -->")).hostdev_count, 0);
	ck_assert_uint_eq(parsed(DEVICES("<controller>" FOREIGN "</controller>")).hostdev_count, 0);
	ck_assert_uint_eq(parsed(HEAD "<description><![CDATA[" FOREIGN "]]></description></domain>").hostdev_count, 0);
	ck_assert_uint_eq(parsed(DEVICES("<x:hostdev xmlns:x='urn:x' type='pci'/>")).hostdev_count, 0);
}
END_TEST

#define METADATA(elements) HEAD "<metadata>" elements "</metadata></domain>"

START_TEST(our_mark_is_seen_whatever_its_prefix)
{
	ck_assert(parsed(METADATA("<gpupart:state xmlns:gpupart='urn:gpupart:domain:1' to_start='yes'/>")).to_start);
	ck_assert(parsed(METADATA("<state xmlns=\"urn:gpupart:domain:1\" to_start=\"yes\"/>")).to_start);
	ck_assert(!parsed(METADATA("<a:state xmlns:a='urn:gpupart:domain:1' to_start='no'/>")).to_start);
	ck_assert(!parsed(METADATA("<a:state xmlns:a='urn:gpupart:domain:1'/>")).to_start);
	ck_assert(!parsed(METADATA("<a:state xmlns:a='urn:gpupart:domain:12' to_start='yes'/>")).to_start);
}
END_TEST

START_TEST(managers_are_recognised_by_their_metadata)
{
	ck_assert_str_eq(
		parsed(METADATA("<nova:instance xmlns:nova='http://openstack.org/xmlns/libvirt/nova/1.1'/>")).external,
		"OpenStack Nova");
	ck_assert_str_eq(parsed(METADATA("<o:vm xmlns:o='http://ovirt.org/vm/1.0'><o:a/></o:vm>")).external, "oVirt");
	ck_assert_str_eq(parsed(METADATA("<one:vm xmlns:one='http://opennebula.org/xmlns/libvirt/1.0'/>")).external,
			 "OpenNebula");
	ck_assert_ptr_null(
		parsed(METADATA("<l:os xmlns:l='http://libosinfo.org/xmlns/libvirt/domain/1.0'/>")).external);
}
END_TEST

START_TEST(a_running_domain_on_disk_is_unwrapped)
{
	struct gp_domain_xml xml = parsed(
		"<!--\nWARNING\n-->\n<domstatus state='running' reason='booted' pid='812'>\n<monitor/>\n" DEVICES(
			OURS) "</domstatus>\n");
	ck_assert_str_eq(xml.name, "cad-01");
	ck_assert_str_eq(xml.state, "running");
	ck_assert_uint_eq(xml.pid, 812);
	ck_assert_uint_eq(xml.hostdev_count, 1);

	xml = parsed("<domstatus state='paused'>" HEAD "</domain></domstatus>"); /* nothing of interest inside */
	ck_assert_str_eq(xml.name, "cad-01");
	ck_assert_str_eq(xml.state, "paused");
	ck_assert_uint_eq(xml.pid, 0);
}
END_TEST

START_TEST(plain_documents_take_the_fast_path)
{
	/* What it does not look at is not checked: the proof that it was taken. */
	struct gp_domain_xml xml = parsed("<?xml version='1.0'?>\n<!-- a <name>b</name> -->\n" HEAD "<unclosed>");
	ck_assert_str_eq(xml.name, "cad-01");
	ck_assert_uint_eq(xml.uuid.bytes[15], 1);
	/* A quoted '>' does not end the tag. */
	ck_assert_str_eq(parsed("<domain type='a>b'>\n<name>x</name>"
				"<uuid>0b5d2f1a-3c53-4d2e-9a0c-000000000001</uuid></domain>")
				 .name,
			 "x");
}
END_TEST

START_TEST(what_is_not_plain_is_parsed)
{
	ck_assert_str_eq(parsed("<domain><name>a &amp; b</name></domain>").name, "a & b");
	ck_assert_str_eq(
		parsed("<domain><uuid>0b5d2f1a-3c53-4d2e-9a0c-000000000001</uuid><name>x</name></domain>").name, "x");
	ck_assert_str_eq(parsed("<domain><title><name>no</name></title><name><![CDATA[<y>]]></name></domain>").name,
			 "<y>");
	ck_assert(gp_uuid_is_null(parsed("<domain><name>x</name></domain>").uuid));
	refused("<domain><uuid>0b5d2f1a-3c53-4d2e-9a0c-000000000001</uuid></domain>", "no <name>");
	refused("<domain><name/></domain>", "no <name>");
	refused("<domain><name>x</name><uuid>7</uuid></domain>", "<uuid>");
	refused("<network><name>x</name></network>", "no <domain>");
	refused("<domstatus/>", "no <domain>");
	refused("", "does not begin");
	refused("<domain", "does not parse");
	refused("<domain><name>x</name>\n</demain>", "line 2");
}
END_TEST

/* ---- the fast path against libxml2 ---- */

/* Holds of nearly everything that libvirt writes, all of it plain. */
#define PLAIN                                                                                                          \
	"<!--\nWARNING: THIS IS AN AUTO-GENERATED FILE.\n-->\n"                                                        \
	"<domstatus state='running' reason='booted' pid='812'>\n  <taint flag='x'/>\n"                                 \
	"<domain type='kvm' id='3' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\n"                         \
	"  <name>cad-01</name>\n  <uuid>0b5d2f1a-3c53-4d2e-9a0c-000000000001</uuid>\n"                                 \
	"  <metadata><os:info xmlns:os='http://os' a='1' os:b='2'>t</os:info></metadata>\n"                            \
	"  <os><boot dev='hd'/></os>\n  <devices>\n text <emulator>/bin/q</emulator>\n"                                \
	"    <interface type='user'><mac address='52:54:00:00:00:01'/></interface>\n"                                  \
	"    <hostdev mode='subsystem' type='pci' managed='yes'>\n      <driver name='vfio'/>\n"                       \
	"      <source>\n        <address domain='0x0000' bus='0x41' slot='2' function='03'/>\n      </source>\n"      \
	"      <alias name='ua-gpupart-0-vdi'/>\n      <rom bar='off' file=\"/a'b\"></rom> <!-- kept -->\n"            \
	"      <x a='1'><y/> <z b='2'> </z></x>\n      <address type='pci' bus='0x03'/>\n    </hostdev>\n"             \
	"    <hostdev mode='subsystem' type='mdev' model='vfio-pci'><source>"                                          \
	"<address uuid='0b5d2f1a-3c53-4d2e-9a0c-000000000009'/></source></hostdev>\n"                                  \
	"    <hostdev type='usb'><source/></hostdev>\n  </devices>\n"                                                  \
	"  <qemu:commandline><qemu:arg value='-v'/></qemu:commandline>\n</domain></domstatus>\n"

/* Not plain, and nothing else: whoever reads this is sent to libxml2. */
#define NOT_PLAIN "<!-- hostdev \xc3\xa9 -->"

static void ck_same_hostdev(const struct gp_hostdev *a, const struct gp_hostdev *b, const char *xml)
{
	ck_assert_msg(a->type == b->type && gp_hostdev_same_source(a, b), "another source: %s", xml);
	ck_assert_msg(a->managed == b->managed && a->ours == b->ours && a->elsewhere == b->elsewhere, "%s", xml);
	ck_assert_msg(gp_streq(a->alias, b->alias), "another alias: %s", xml);
	ck_assert_msg(gp_streq(a->guest_xml, b->guest_xml), "'%s', but '%s': %s", a->guest_xml, b->guest_xml, xml);
}

/* What the fast path takes, libxml2 takes, too, and both see the same. True: it was taken. */
static bool ck_fast_path_agrees(struct gp_domain_reader *reader, const char *xml, size_t size)
{
	struct gp_domain_xml fast, slow;
	gp_autofree char *exact = gp_xmalloc(size == 0 ? 1 : size); /* reading past the end is caught */
	memcpy(exact, xml, size);
	if (!gp_domain_plain_parse(exact, size, arena, &fast))
		return false;
	GP_CLEANUP(gp_str_clear) struct gp_str other = {0};
	gp_str_add_n(&other, xml, size);
	gp_str_add(&other, NOT_PLAIN);
	const char *text = gp_str_text(&other);
	ck_assert_msg(!gp_domain_plain_parse(text, other.length, arena, &slow), "not sent to libxml2");
	int rc = gp_domain_reader_parse(reader, text, other.length, arena, &slow, &err);
	ck_assert_msg(rc == 0, "%s: %s", err.message, text);
	ck_assert_msg(gp_uuid_equal(fast.uuid, slow.uuid) && gp_streq(fast.name, slow.name), "%s", text);
	ck_assert_msg(gp_streq(fast.state, slow.state) && fast.pid == slow.pid, "%s", text);
	ck_assert_msg(!slow.to_start && slow.external == NULL, "%s", text);
	ck_assert_msg(fast.hostdev_count == slow.hostdev_count, "%s", text);
	for (size_t i = 0; i < fast.hostdev_count; i++)
		ck_same_hostdev(&fast.hostdevs[i], &slow.hostdevs[i], text);
	return true;
}

START_TEST(the_fast_path_and_libxml2_agree)
{
	static const char *const documents[] = {PLAIN, DEVICES(FOREIGN), DEVICES("<hostdev type='pci'/>"),
						"<domain><name>x</name></domain>"};
	static const char bytes[] = {'<', '>',  '&',  '\'', '"', '\x01', '\xff', ' ',
				     '/', '\r', '\t', '-',  '!', ':',    '=',    'a'};
	struct gp_domain_reader *reader = gp_domain_reader_new();
	ck_assert(ck_fast_path_agrees(reader, PLAIN, strlen(PLAIN)));
	ck_assert(ck_fast_path_agrees(reader, DEVICES(FOREIGN), strlen(DEVICES(FOREIGN))));

	unsigned taken = 0;
	for (size_t d = 0; d < COUNT_OF(documents); d++) {
		size_t size = strlen(documents[d]);
		for (size_t at = 0; at < size; at++) {
			gp_autofree char *wrong = gp_xstrdup(documents[d]);
			taken += ck_fast_path_agrees(reader, wrong, at);
			for (size_t b = 0; b < COUNT_OF(bytes); b++) {
				wrong[at] = bytes[b];
				taken += ck_fast_path_agrees(reader, wrong, size);
			}
			memmove(wrong + at, documents[d] + at + 1, size - at);
			taken += ck_fast_path_agrees(reader, wrong, size - 1);
		}
	}
	ck_assert_uint_gt(taken, 1000); /* it is more than a few that were compared */
	gp_domain_reader_free(reader);
}
END_TEST

START_TEST(what_is_not_plain_is_left_to_libxml2)
{
	static const char *const documents[] = {
		"",
		"<domain/>",
		"<network><name>x</name></network>",
		"<domain><name>x</name><name>y</name></domain>",
		"<domain xmlns='urn:x'><name>x</name></domain>",
		"<domain><x:name>x</x:name><name>y</name></domain>",
		"<domain xmlns:x='u'><name>x</name><devices><x:y/></devices></domain>",
		"<domain xmlns:x='u'><name>x</name><metadata><x:y x:a='1' x:b='1'/></metadata></domain>",
		"<domain><name>a]]>b</name></domain>",
		"<domain><name>x</name></domain><domain><name>y</name></domain>",
		DEVICES("<devices/><disk type='nvme'/>"),
		DEVICES("<interface type='hostdev'><source><address type='pci' bus='1'/></source></interface>"),
		DEVICES("<emulator>a]]>b</emulator>" FOREIGN),
		"<domain xmlns:x=''><name>x</name><x:devices/></domain>",
		DEVICES("<hostdev type='pci'><source><address bus='1'/></source><alias "
			"name='ua-a'/><alias/></hostdev>"),
		DEVICES(PCI("bus='300'")),
		DEVICES(PCI("bus='1' bus='2'")),
		DEVICES("<hostdev type='pci'><source><address bus='1'/><address bus='2'/></source></hostdev>"),
		DEVICES("<hostdev type='pci'><source><address bus='1'/></source><rom> a </rom></hostdev>"),
		DEVICES("<hostdev type='pci'><source><address bus='1'/></source><rom file='a>b'/></hostdev>"),
		DEVICES("<hostdev type='pci'><source><address bus='1'/></source><rom xmlns:a='b'/></hostdev>"),
		HEAD "</domain><?pi?>",
		HEAD "<![CDATA[x]]></domain>",
	};
	struct gp_domain_xml out;
	for (size_t i = 0; i < COUNT_OF(documents); i++)
		ck_assert_msg(!gp_domain_plain_parse(documents[i], strlen(documents[i]), arena, &out), "taken: %s",
			      documents[i]);
}
END_TEST

START_TEST(no_reference_hides_a_device)
{
	/* The same with a letter written as a number. */
	struct gp_domain_xml xml = parsed(
		DEVICES("<interface type='&#104;ostdev'><source><address type='pci' bus='1'/></source></interface>"));
	ck_assert_uint_eq(xml.hostdev_count, 1);
	ck_assert(xml.hostdevs[0].elsewhere);
}
END_TEST

/* ---- hostile documents ---- */

START_TEST(entities_and_doctypes_are_not_let_through)
{
	refused("<!DOCTYPE d [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;'>]><domain><name>&b;</name></domain>",
		"DOCTYPE");
	refused("<!DOCTYPE d [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><domain><name>&x;</name></domain>", "DOCTYPE");
	refused("<!DOCTYPE d SYSTEM 'http://127.0.0.1/x.dtd'><domain><name>x</name></domain>", "DOCTYPE");
	refused("<!DOCTYPE d>" HEAD "</domain>", "DOCTYPE");
	refused("<domain><name>&undeclared;</name></domain>", "does not parse");
	static const struct gp_domain_notes mark = {.to_start = true};
	ck_assert_ptr_null(gp_domain_xml_with_notes("<!DOCTYPE d><domain/>", 21, &mark, &err));
	ck_assert_int_eq(err.kind, GP_E_CORRUPT);
}
END_TEST

START_TEST(encodings_hide_nothing)
{
	/* In UTF-7, "+ADw-hostdev" would be "<hostdev". */
	ck_assert_uint_eq(
		parsed("<?xml version='1.0' encoding='UTF-7'?><domain><name>+ADw-x</name></domain>").hostdev_count, 0);
	refused("<?xml version='1.0' encoding='ISO-8859-1'?><domain><name>\xe9</name></domain>", "does not parse");
	/* Marks of UTF-16, and EBCDIC's "<?xm". */
	refused("\xff\xfe\x3c\x41", "does not begin");
	refused("\xfe\xff\x41\x3c", "does not begin");
	refused("\x4c\x6f\xa7\x94", "does not begin");
	ck_assert_str_eq(parsed("\xef\xbb\xbf<domain><name>x</name></domain>").name, "x");
	struct gp_domain_xml out;
	static const char utf16[] = "\xff\xfe<\0d\0o\0m\0a\0i\0n\0/\0>";
	ck_assert_int_eq(gp_domain_xml_parse(utf16, sizeof(utf16), arena, &out, &err), -1);
	ck_assert_int_eq(err.kind, GP_E_CORRUPT);
}
END_TEST

START_TEST(depth_and_size_are_bounded)
{
	GP_CLEANUP(gp_str_clear) struct gp_str deep = {0};
	gp_str_add(&deep, "<domain><name>x</name><devices><hostdev type='usb'>");
	for (int i = 0; i < 100000; i++)
		gp_str_add(&deep, "<a>");
	refused(gp_str_text(&deep), "does not parse");

	size_t size = (size_t)GP_DOMAIN_XML_MAX + 1;
	gp_autofree char *large = gp_xmalloc(size);
	struct gp_domain_xml out;
	memset(large, ' ', size);
	ck_assert_int_eq(gp_domain_xml_parse(large, size, arena, &out, &err), -1);
	ck_assert_int_eq(err.kind, GP_E_CORRUPT);
	ck_assert_ptr_nonnull(strstr(err.message, "more than"));
}
END_TEST

/* Any single byte of a good document may be missing or wrong: it is read or refused, and nothing worse. */
START_TEST(broken_bytes_do_no_harm)
{
	static const char good[] = METADATA("<g:state xmlns:g='urn:gpupart:domain:1' to_start='yes'/>") "\n";
	static const char more[] = DEVICES(OURS);
	static const char *const documents[] = {good, more};
	static const char bytes[] = {'<', '>', '&', '\'', '\x01', '\xff', ' ', '/'};
	struct gp_domain_reader *reader = gp_domain_reader_new();

	for (size_t d = 0; d < COUNT_OF(documents); d++) {
		size_t size = strlen(documents[d]);
		for (size_t at = 0; at < size; at++) {
			struct gp_domain_xml out;
			gp_autofree char *cut = gp_xmalloc(size); /* exact size: reading past the end is caught */
			memcpy(cut, documents[d], at);
			gp_domain_reader_parse(reader, cut, at, arena, &out, NULL);
			memcpy(cut, documents[d], size);
			cut[at] = bytes[at % sizeof(bytes)];
			gp_domain_reader_parse(reader, cut, size, arena, &out, NULL);
		}
	}
	/* The reader is none the worse for it. */
	struct gp_domain_xml out;
	ck_assert_int_eq(gp_domain_reader_parse(reader, more, strlen(more), arena, &out, &err), 0);
	ck_assert_uint_eq(out.hostdev_count, 1);
	gp_domain_reader_free(reader);
}
END_TEST

START_TEST(libxml2_prints_nothing)
{
	char path[] = "/tmp/gpupart-test-XXXXXX";
	int file = mkstemp(path), kept = dup(STDERR_FILENO);
	ck_assert_int_ge(file, 0);
	dup2(file, STDERR_FILENO);
	struct gp_domain_xml out;
	static const char bad[] = "<domain xmlns:a='b c'><name>x<hostdev></y:z a='1' a='2'>&nope; \xff";
	int rc = gp_domain_xml_parse(bad, strlen(bad), arena, &out, &err);
	dup2(kept, STDERR_FILENO);
	off_t printed = lseek(file, 0, SEEK_END);
	close(kept);
	close(file);
	unlink(path);
	ck_assert_int_eq(rc, -1);
	ck_assert_int_eq(printed, 0);
}
END_TEST

/* ---- writing ---- */

START_TEST(a_hostdev_is_written_as_it_was_read)
{
	struct gp_domain_xml xml = parsed(DEVICES(OURS));
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	gp_domain_xml_hostdev(&xml.hostdevs[0], &text);
	ck_assert_str_eq(
		gp_str_text(&text),
		"<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x0000' bus='0x41' "
		"slot='0x02' function='0x3'/></source><alias name='ua-gpupart-0-vdi'/>" GUEST_SIDE "</hostdev>");

	GP_CLEANUP(gp_str_clear) struct gp_str mdev = {0};
	struct gp_hostdev mediated = {.type = GP_HOSTDEV_MDEV, .alias = "ua-x'<&"};
	gp_domain_xml_hostdev(&mediated, &mdev);
	ck_assert_str_eq(
		gp_str_text(&mdev),
		"<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source><address "
		"uuid='00000000-0000-0000-0000-000000000000'/></source><alias name='ua-x&apos;&lt;&amp;'/></hostdev>");
}
END_TEST

START_TEST(a_mediated_device_gets_what_it_can_have)
{
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	struct gp_hostdev hostdev = {.type = GP_HOSTDEV_MDEV,
				     .guest_xml = "<driver model=\"vfio-pci\"/><boot order=\"2\"/><rom bar=\"off\"/>"
						  "<teaming type=\"persistent\"/><address bus=\"0x07\"/>"};
	gp_domain_xml_hostdev(&hostdev, &text);
	ck_assert_ptr_nonnull(
		strstr(gp_str_text(&text), "</source><rom bar=\"off\"/><address bus=\"0x07\"/></hostdev>"));
	hostdev.guest_xml = "<boot";
	gp_str_clear(&text);
	gp_domain_xml_hostdev(&hostdev, &text);
	ck_assert_ptr_nonnull(strstr(gp_str_text(&text), "<boot</hostdev>")); /* for libvirt to refuse */
	hostdev.type = GP_HOSTDEV_PCI;
	hostdev.guest_xml = "<boot order=\"2\"/>";
	gp_str_clear(&text);
	gp_domain_xml_hostdev(&hostdev, &text);
	ck_assert_ptr_nonnull(strstr(gp_str_text(&text), "<boot order=\"2\"/></hostdev>"));
}
END_TEST

START_TEST(sources_are_compared_not_names)
{
	struct gp_hostdev a = pci_at("0000:41:00.1"), b = pci_at("0000:41:00.1");
	b.alias = "ua-x";
	b.managed = false;
	ck_assert(gp_hostdev_same_source(&a, &b));
	b.source.function = 2;
	ck_assert(!gp_hostdev_same_source(&a, &b));
	b = a;
	b.type = GP_HOSTDEV_MDEV;
	ck_assert(!gp_hostdev_same_source(&a, &b));
	a.type = GP_HOSTDEV_MDEV;
	ck_assert(gp_hostdev_same_source(&a, &b));
	b.mdev.bytes[3] = 1;
	ck_assert(!gp_hostdev_same_source(&a, &b));
}
END_TEST

/* ---- edits ---- */

START_TEST(a_hostdev_is_added_after_the_others)
{
	static const char before[] = "<!-- hand made -->\n" DEVICES(FOREIGN);
	struct gp_hostdev add = pci_at("0000:41:00.1");
	add.alias = "ua-gpupart-0-vdi";
	add.guest_xml = "<rom bar='off'/>";
	gp_autofree char *after = gp_domain_xml_with_hostdev(before, strlen(before), &add, &err);
	ck_assert_ptr_nonnull(after);
	ck_assert_str_eq(
		after,
		"<!-- hand made -->\n"
		"<domain type=\"kvm\">\n"
		"  <name>cad-01</name>\n"
		"  <uuid>0b5d2f1a-3c53-4d2e-9a0c-000000000001</uuid>\n"
		"  <devices>\n"
		"    <hostdev mode=\"subsystem\" type=\"pci\" managed=\"no\">\n"
		"      <source><address domain=\"0x0000\" bus=\"0x05\" slot=\"0x00\" function=\"0x0\"/></source>\n"
		"    </hostdev>\n"
		"    <hostdev mode=\"subsystem\" type=\"pci\" managed=\"yes\"><source><address domain=\"0x0000\" "
		"bus=\"0x41\" slot=\"0x00\" function=\"0x1\"/></source><alias name=\"ua-gpupart-0-vdi\"/><rom "
		"bar=\"off\"/></hostdev>\n"
		"  </devices>\n"
		"</domain>\n");

	bool found = false;
	gp_autofree char *again = gp_domain_xml_without_hostdev(after, strlen(after), &add, &found, &err);
	ck_assert(found);
	ck_assert_uint_eq(parsed(again).hostdev_count, 1);
	gp_autofree char *same = gp_domain_xml_without_hostdev(again, strlen(again), &add, &found, &err);
	ck_assert(!found);
	ck_assert_str_eq(again, same);
}
END_TEST

START_TEST(devices_are_made_where_there_are_none)
{
	struct gp_hostdev add = pci_at("0000:41:00.1");
	gp_autofree char *after = gp_domain_xml_with_hostdev(HEAD "</domain>", strlen(HEAD "</domain>"), &add, &err);
	ck_assert_ptr_nonnull(after);
	ck_assert_uint_eq(parsed(after).hostdev_count, 1);
	ck_assert_ptr_null(gp_domain_xml_with_hostdev("<domain>", 8, &add, &err));
	ck_assert_int_eq(err.kind, GP_E_CORRUPT);
	gp_error_clear(&err);
	ck_assert_ptr_null(gp_domain_xml_without_hostdev("<network/>", 10, &add, NULL, &err));
	ck_assert_int_eq(err.kind, GP_E_CORRUPT);
}
END_TEST

START_TEST(a_guest_side_that_is_no_xml_is_not_added)
{
	struct gp_hostdev add = pci_at("0000:41:00.1");
	add.guest_xml = "</hostdev><evil/>";
	ck_assert_ptr_null(gp_domain_xml_with_hostdev(HEAD "</domain>", strlen(HEAD "</domain>"), &add, &err));
	ck_assert_int_eq(err.kind, GP_E_CORRUPT);
}
END_TEST

START_TEST(the_mark_is_set_once_and_cleared)
{
	static const char before[] = METADATA("<o:vm xmlns:o='http://ovirt.org/vm/1.0'/>");
	static const struct gp_domain_notes mark = {.to_start = true}, nothing = {.to_start = false};
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	gp_autofree char *set = gp_domain_xml_with_notes(before, strlen(before), &mark, &err);
	ck_assert(parsed(set).to_start);
	ck_assert_str_eq(parsed(set).external, "oVirt");
	gp_autofree char *twice = gp_domain_xml_with_notes(set, strlen(set), &mark, &err);
	char *first = strstr(twice, GP_METADATA_URI);
	ck_assert_ptr_nonnull(first);
	ck_assert_ptr_null(strstr(first + 1, GP_METADATA_URI));
	gp_autofree char *cleared = gp_domain_xml_with_notes(twice, strlen(twice), &nothing, &err);
	ck_assert_ptr_null(strstr(cleared, GP_METADATA_URI));
	ck_assert_str_eq(parsed(cleared).external, "oVirt");

	gp_autofree char *fresh = gp_domain_xml_with_notes(HEAD "</domain>", strlen(HEAD "</domain>"), &mark, &err);
	ck_assert(parsed(fresh).to_start);
	ck_assert_ptr_nonnull(
		strstr(fresh, "<gpupart:state xmlns:gpupart=\"urn:gpupart:domain:1\" to_start=\"yes\"/>"));
	ck_assert(gp_domain_xml_notes(&mark, &text));
	ck_assert_str_eq(gp_str_text(&text), "<state to_start='yes'></state>");
	ck_assert(!gp_domain_xml_notes(&nothing, &text));
}
END_TEST

static struct gp_hostdev place_at(unsigned function, const char *guest_xml)
{
	return (struct gp_hostdev){.source = {0, 0x41, 2, (uint8_t)function},
				   .alias = function == 3 ? "ua-gpupart-0-vdi" : "ua-gpupart-1-vdi",
				   .managed = true,
				   .guest_xml = guest_xml};
}

/* XML within XML, with all that needs escaping, twice; and text that comes in many pieces. */
START_TEST(places_come_back_as_they_were_noted)
{
	static const char odd[] = "<rom file=\"/a &amp;  &lt;&gt; ]]&gt; b\"/><x> &amp; <y/>  \xc3\xa9</x>";
	static const char before[] = DEVICES(FOREIGN);
	struct gp_hostdev first = place_at(3, GUEST_SIDE), second = place_at(4, odd);
	struct gp_domain_xml marked = {.to_start = true};
	struct gp_domain_notes one = gp_domain_notes_with(&marked, &first, arena);
	gp_autofree char *with_one = gp_domain_xml_with_notes(before, strlen(before), &one, &err);
	struct gp_domain_xml found = parsed(with_one);

	ck_assert(gp_domain_notes_hold(&found, &one));
	ck_assert(found.to_start);
	ck_assert_uint_eq(found.place_count, 1);
	ck_assert_str_eq(found.places[0].guest_xml, GUEST_SIDE);
	ck_assert_str_eq(found.places[0].alias, "ua-gpupart-0-vdi");
	ck_assert(found.places[0].ours && found.places[0].managed);
	ck_assert_uint_eq(found.hostdev_count, 1);

	struct gp_domain_notes two = gp_domain_notes_with(&found, &second, arena);
	gp_autofree char *with_two = gp_domain_xml_with_notes(with_one, strlen(with_one), &two, &err);
	found = parsed(with_two);
	ck_assert_uint_eq(found.place_count, 2);
	ck_assert_str_eq(found.places[1].guest_xml, odd);
	ck_assert(gp_domain_notes_hold(&found, &two));

	/* What a capture keeps. */
	gp_autofree char *public = gp_domain_xml_public(with_two, strlen(with_two), &err);
	found = parsed(public);
	ck_assert(gp_domain_notes_hold(&found, &two));

	/* The same alias again takes the place of the first. */
	first.source.function = 7;
	struct gp_domain_notes moved = gp_domain_notes_with(&found, &first, arena);
	ck_assert_uint_eq(moved.place_count, 2);
	ck_assert_uint_eq(moved.places[0].source.function, 7);
	ck_assert(!gp_domain_notes_hold(&found, &moved));
	struct gp_domain_notes less = gp_domain_notes_without(&found, "ua-gpupart-1-vdi", arena);
	ck_assert_uint_eq(less.place_count, 1);
	ck_assert(less.to_start);
}
END_TEST

START_TEST(a_place_keeps_the_display)
{
	struct gp_hostdev place = {.type = GP_HOSTDEV_MDEV, .alias = "ua-gpupart-0-vdi", .guest_xml = GUEST_SIDE};
	ck_assert_int_eq(gp_uuid_parse("c2177883-f1bb-47f0-914d-32a22e3a8804", &place.mdev), 0);
	for (int ramfb = 0; ramfb < 2; ramfb++) {
		static const char before[] = DEVICES("");
		struct gp_domain_notes notes = {.places = &place, .place_count = 1};
		place.display = true;
		place.ramfb = ramfb;
		gp_autofree char *text = gp_domain_xml_with_notes(before, strlen(before), &notes, &err);
		struct gp_domain_xml found = parsed(text);
		ck_assert_uint_eq(found.place_count, 1);
		ck_assert(found.places[0].display);
		ck_assert_int_eq(found.places[0].ramfb, ramfb);
		ck_assert(gp_domain_notes_hold(&found, &notes));
		place.display = false;
		ck_assert(!gp_domain_notes_hold(&found, &notes));
	}
}
END_TEST

#define NOTES(places)            METADATA("<g:state xmlns:g='" GP_METADATA_URI "'>" places "</g:state>")
#define PLACE(attributes, guest) NOTES("<g:place " attributes ">" guest "</g:place>")
#define GOOD_PLACE               "alias='ua-gpupart-0-vdi' source='0000:41:02.3' managed='no'"

/* One <place> so often, with so many blanks in it. */
static void refused_notes(int places, size_t blanks, const char *why)
{
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	gp_str_add(&text, HEAD "<metadata><g:state xmlns:g='" GP_METADATA_URI "'>");
	for (int i = 0; i < places; i++) {
		gp_str_add(&text, "<g:place " GOOD_PLACE ">");
		gp_str_add_repeated(&text, ' ', blanks);
		gp_str_add(&text, "</g:place>");
	}
	gp_str_add(&text, "</g:state></metadata></domain>");
	refused(gp_str_text(&text), why);
}

START_TEST(a_place_that_we_cannot_have_noted_is_not_let_through)
{
	ck_assert_uint_eq(parsed(PLACE(GOOD_PLACE, "")).place_count, 1);
	ck_assert(!parsed(PLACE(GOOD_PLACE, "")).places[0].managed);
	ck_assert_uint_eq(parsed(NOTES("<g:later/>")).place_count, 0);
	refused(PLACE("source='0000:41:02.3'", ""), "no alias of ours");
	refused(PLACE("alias='ua-mine' source='0000:41:02.3'", ""), "no alias of ours");
	refused(PLACE("alias='ua-gpupart-0-vdi'", ""), "no valid source");
	refused(PLACE("alias='ua-gpupart-0-vdi' source='../../x'", ""), "no valid source");
	refused(PLACE("alias='ua-gpupart-0-vdi' type='mdev' source='0000:41:02.3'", ""), "no valid source");
	refused(PLACE(GOOD_PLACE, "&lt;address"), "a guest side that is none");
	refused(PLACE(GOOD_PLACE, "words"), "a guest side that is none");
	refused(PLACE(GOOD_PLACE, "&lt;/hostdev>&lt;hostdev>"), "a guest side that is none");
	refused(PLACE(GOOD_PLACE, "&lt;/hostdev>&lt;!-- -->&lt;hostdev/>"), "a guest side that is none");
	refused(PLACE(GOOD_PLACE, "&lt;source>&lt;address bus='1'/>&lt;/source>"), "a guest side that is none");
	refused(PLACE(GOOD_PLACE, "&lt;alias name='x'/>"), "a guest side that is none");
	refused(PLACE(GOOD_PLACE, "&lt;!DOCTYPE x>"), "a guest side that is none");
	refused_notes(GP_PLACES_MAX + 1, 0, "too many neighbours");
	refused_notes(1, GP_PLACE_GUEST_MAX + 1, "a guest side that is none");
}
END_TEST

static bool holds(const char *text, const char *what)
{
	return strstr(text, what) != NULL;
}

START_TEST(libvirt_gives_places_and_drops_names)
{
	static const char before[] = DEVICES(
		"<disk type='file'><address type='pci' domain='0x0000' bus='0x05' slot='0x00' function='0x0'/></disk>"
		"<hostdev mode='subsystem' type='pci'><source><address bus='0x41' function='0x1'/></source>"
		"<alias name='ua-v.d'/></hostdev>"
		"<hostdev mode='subsystem' type='pci'><source><address bus='0x41' function='0x2'/></source>"
		"<alias name='ua-gpupart-0-vdi'/><address type='pci' domain='0' bus='0x09' slot='0' function='0'/>"
		"</hostdev>");
	gp_autofree char *text = gp_domain_xml_settled(before, strlen(before), &err);
	struct gp_domain_xml settled = parsed(text);
	ck_assert_uint_eq(settled.hostdev_count, 2);
	ck_assert_ptr_null(settled.hostdevs[0].alias);
	ck_assert(holds(settled.hostdevs[0].guest_xml, "bus=\"0x06\""));
	ck_assert_str_eq(settled.hostdevs[1].alias, "ua-gpupart-0-vdi");
	ck_assert(holds(settled.hostdevs[1].guest_xml, "bus=\"0x09\""));
	gp_autofree char *again = gp_domain_xml_settled(text, strlen(text), &err);
	ck_assert_str_eq(again, text);

	struct gp_hostdev add = pci_at("0000:41:00.3");
	add.guest_xml = "<address type='pci' domain='0' bus='0x09' slot='0' function='0'/>";
	gp_autofree char *twice = gp_domain_xml_with_hostdev(text, strlen(text), &add, &err);
	ck_assert_ptr_null(gp_domain_xml_settled(twice, strlen(twice), &err));
	ck_assert_int_eq(err.kind, GP_E_IO);
	add.guest_xml = "<address type='pci' domain='0' bus='0x100' slot='0' function='0'/>";
	gp_autofree char *nowhere = gp_domain_xml_with_hostdev(text, strlen(text), &add, &err);
	ck_assert_ptr_null(gp_domain_xml_settled(nowhere, strlen(nowhere), &err));
	ck_assert_int_eq(err.kind, GP_E_IO);
}
END_TEST

#define OS(boot, devices) HEAD "<os><type>hvm</type>" boot "</os><devices>" devices "</devices></domain>"

START_TEST(a_guest_boots_from_devices_in_turn_or_from_kinds_of_them)
{
	static const char none[] = OS("", ""), kinds[] = OS("<boot dev='network'/>", "");
	static const char both[] = OS("<boot dev='hd'/>", "<disk><boot order='1'/></disk>");
	gp_autofree char *disks = gp_domain_xml_settled(none, strlen(none), &err);
	ck_assert(holds(disks, "<boot dev=\"hd\"/>"));
	gp_autofree char *network = gp_domain_xml_settled(kinds, strlen(kinds), &err);
	ck_assert(!holds(network, "\"hd\""));
	ck_assert_ptr_null(gp_domain_xml_settled(both, strlen(both), &err));
	ck_assert_int_eq(err.kind, GP_E_IO);
}
END_TEST

START_TEST(who_takes_a_place_gets_its_turn_to_boot)
{
	static const char before[] = OS("<boot dev='hd'/>", ""), chosen[] = OS("<boot dev='cdrom'/>", "");
	static const char several[] = OS("<boot dev='hd'/><boot dev='cdrom'/>", "");
	struct gp_hostdev place = pci_at("0000:41:00.1"), add = pci_at("0000:41:00.2");
	const struct gp_domain_notes notes = {.places = &place, .place_count = 1};
	place.alias = add.alias = "ua-gpupart-0-vdi";
	place.guest_xml = "<boot order=\"1\"/>";
	add.guest_xml = place.guest_xml;
	gp_autofree char *noted = gp_domain_xml_with_notes(before, strlen(before), &notes, &err);
	struct gp_domain_xml xml = parsed(noted);
	ck_assert(gp_domain_gives_turn_back(&xml, &add));
	gp_autofree char *with = gp_domain_xml_with_hostdev(noted, strlen(noted), &add, &err);
	ck_assert(!holds(with, "\"hd\""));
	gp_autofree char *settled = gp_domain_xml_settled(with, strlen(with), &err);
	ck_assert_ptr_nonnull(settled);

	/* What was chosen stays, and so it does for a device that comes anew. */
	gp_autofree char *noted_chosen = gp_domain_xml_with_notes(chosen, strlen(chosen), &notes, &err);
	gp_autofree char *other = gp_domain_xml_with_hostdev(noted_chosen, strlen(noted_chosen), &add, &err);
	ck_assert(holds(other, "cdrom"));
	gp_autofree char *noted_several = gp_domain_xml_with_notes(several, strlen(several), &notes, &err);
	gp_autofree char *both = gp_domain_xml_with_hostdev(noted_several, strlen(noted_several), &add, &err);
	ck_assert(holds(both, "\"hd\"") || holds(both, "'hd'"));
	gp_autofree char *anew = gp_domain_xml_with_hostdev(before, strlen(before), &add, &err);
	ck_assert(holds(anew, "\"hd\""));
	add.guest_xml = "<rom bar=\"off\"/>";
	ck_assert(!gp_domain_gives_turn_back(&xml, &add));
}
END_TEST

START_TEST(a_place_is_kept_for_one_of_ours_alone)
{
	struct gp_hostdev place = pci_at("0000:41:00.1");
	place.alias = "ua-gpupart-0-vdi";
	ck_assert_int_eq(gp_domain_check_place(&place, &err), 0);
	place.alias = "ua-mine";
	ck_assert_int_eq(gp_domain_check_place(&place, &err), -1);
	ck_assert_int_eq(err.kind, GP_E_INTERNAL);
	place.alias = NULL;
	ck_assert_int_eq(gp_domain_check_place(&place, NULL), -1);
}
END_TEST

START_TEST(the_public_form_replays_and_tells_no_secrets)
{
	static const char full[] =
		HEAD "<description>SECRET</description>"
		     "<metadata><nova:instance xmlns:nova='http://openstack.org/xmlns/libvirt/nova/1.1' owner='SECRET'>"
		     "<nova:user>SECRET</nova:user></nova:instance><x:y xmlns:x='urn:x'>SECRET</x:y>"
		     "<g:state xmlns:g='urn:gpupart:domain:1' to_start='yes'/></metadata>"
		     "<os><cmdline>SECRET</cmdline></os><devices>" OURS FOREIGN
		     "<hostdev mode='subsystem' type='scsi'><source protocol='iscsi'><auth "
		     "username='SECRET'/></source></hostdev>"
		     "<interface type='hostdev'><mac address='SECRET'/><source><address type='pci' "
		     "bus='0x07'/></source></interface>"
		     "<interface type='hostdev'><source dev='SECRET'/></interface>"
		     "<disk type='nvme'><source type='pci' namespace='1'><address "
		     "bus='0x08'/></source><serial>SECRET</serial></disk>"
		     "<disk type='network'><auth username='SECRET'/></disk>"
		     "<graphics type='vnc' passwd='SECRET'/></devices></domain>";
	gp_autofree char *public = gp_domain_xml_public(full, strlen(full), &err);
	ck_assert_ptr_nonnull(public);
	ck_assert_msg(strstr(public, "SECRET") == NULL, "%s", public);

	struct gp_domain_xml before = parsed(full), after = parsed(public);
	ck_assert_str_eq(after.name, before.name);
	ck_assert(gp_uuid_equal(after.uuid, before.uuid));
	ck_assert(after.to_start);
	ck_assert_str_eq(after.external, "OpenStack Nova");
	ck_assert_uint_eq(before.hostdev_count, 4);
	ck_assert_uint_eq(after.hostdev_count, before.hostdev_count);
	for (size_t i = 0; i < after.hostdev_count; i++) {
		ck_assert(gp_hostdev_same_source(&after.hostdevs[i], &before.hostdevs[i]));
		ck_assert(gp_streq(after.hostdevs[i].alias, before.hostdevs[i].alias));
		ck_assert_str_eq(after.hostdevs[i].guest_xml, before.hostdevs[i].guest_xml);
		ck_assert_int_eq(after.hostdevs[i].elsewhere, before.hostdevs[i].elsewhere);
	}
	ck_assert_ptr_null(gp_domain_xml_public("<domain>", 8, &err));
	ck_assert_int_eq(err.kind, GP_E_CORRUPT);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_hostdev_of_ours_is_read_whole,
		addresses_may_be_hex_decimal_octal_or_missing,
		a_source_that_is_not_understood_makes_all_unknown,
		mediated_devices_are_read_and_others_are_not,
		a_display_is_part_of_a_mediated_device,
		interfaces_and_nvme_disks_hold_devices_too,
		hostdevs_count_only_where_libvirt_looks,
		our_mark_is_seen_whatever_its_prefix,
		managers_are_recognised_by_their_metadata,
		a_running_domain_on_disk_is_unwrapped,
		plain_documents_take_the_fast_path,
		what_is_not_plain_is_parsed,
		the_fast_path_and_libxml2_agree,
		what_is_not_plain_is_left_to_libxml2,
		no_reference_hides_a_device,
		entities_and_doctypes_are_not_let_through,
		encodings_hide_nothing,
		depth_and_size_are_bounded,
		broken_bytes_do_no_harm,
		libxml2_prints_nothing,
		a_hostdev_is_written_as_it_was_read,
		a_mediated_device_gets_what_it_can_have,
		sources_are_compared_not_names,
		a_hostdev_is_added_after_the_others,
		devices_are_made_where_there_are_none,
		a_guest_side_that_is_no_xml_is_not_added,
		the_mark_is_set_once_and_cleared,
		places_come_back_as_they_were_noted,
		a_place_keeps_the_display,
		a_place_that_we_cannot_have_noted_is_not_let_through,
		libvirt_gives_places_and_drops_names,
		a_guest_boots_from_devices_in_turn_or_from_kinds_of_them,
		who_takes_a_place_gets_its_turn_to_boot,
		a_place_is_kept_for_one_of_ours_alone,
		the_public_form_replays_and_tells_no_secrets,
	};
	Suite *suite = suite_create("host/domain_xml");
	TCase *tcase = tcase_create("host/domain_xml");
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	for (size_t i = 0; i < COUNT_OF(tests); i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
