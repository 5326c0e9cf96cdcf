/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "../base/base_suite.h"
#include "model/ident.h"

/* ---- PCI addresses ---- */

static struct gp_pci_addr addr(const char *text)
{
	struct gp_pci_addr out;
	ck_assert_msg(gp_pci_addr_parse(text, &out) == 0, "'%s' was not taken", text);
	return out;
}

START_TEST(an_address_comes_back_as_it_was)
{
	static const char *const same[] = {"0000:41:00.0", "0000:ff:1f.7", "ffff:00:00.0", "10000:e1:00.0",
					   "ffffffff:ff:1f.7"};
	char text[GP_PCI_ADDR_SIZE];
	for (size_t i = 0; i < COUNT_OF(same); i++)
		ck_assert_str_eq(gp_pci_addr_format(addr(same[i]), text), same[i]);
	ck_assert_str_eq(gp_pci_addr_format(addr("41:00.1"), text), "0000:41:00.1");
	ck_assert_str_eq(gp_pci_addr_format(addr("00AB:CD:1E.5"), text), "00ab:cd:1e.5");
}
END_TEST

START_TEST(what_is_no_address_is_refused)
{
	static const char *const bad[] = {"",
					  "41",
					  "41:00",
					  "41:00.",
					  "41:00.8",
					  "41:20.0",
					  "141:00.0",
					  "1:00.0",
					  "41:0.0",
					  "0:41:00.0",
					  "000:41:00.0",
					  "000000000:41:00.0",
					  "0000:41:00.0 ",
					  " 0000:41:00.0",
					  "0000:41:00.00",
					  "0000.41.00.0",
					  "0000:41:00:0",
					  "0000:4g:00.0",
					  "0000:*:00.0",
					  "-000:41:00.0",
					  "0x00:41:00.0"};
	struct gp_pci_addr out = {.bus = 7};
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		ck_assert_msg(gp_pci_addr_parse(bad[i], &out) == -1, "'%s' was taken", bad[i]);
		ck_assert_uint_eq(out.bus, 7);
	}
}
END_TEST

START_TEST(addresses_are_ordered_by_each_part)
{
	static const char *const ascending[] = {"0000:00:00.0", "0000:00:00.7", "0000:00:01.0", "0000:00:1f.7",
						"0000:01:00.0", "0000:ff:1f.7", "0001:00:00.0", "10000:00:00.0"};
	for (size_t i = 0; i < COUNT_OF(ascending); i++)
		for (size_t j = 0; j < COUNT_OF(ascending); j++)
			ck_assert_int_eq(gp_pci_addr_compare(addr(ascending[i]), addr(ascending[j])),
					 (i > j) - (i < j));
}
END_TEST

START_TEST(a_routing_id_is_bus_slot_and_function)
{
	ck_assert_uint_eq(gp_pci_addr_rid(addr("0000:41:00.0")), 0x4100);
	ck_assert_uint_eq(gp_pci_addr_rid(addr("0000:41:1f.7")), 0x41ff);
	ck_assert_uint_eq(gp_pci_addr_rid(addr("0003:ff:02.5")), 0xff15);
	for (uint32_t rid = 0; rid <= 0xffff; rid++) {
		struct gp_pci_addr made = gp_pci_addr_from_rid(3, rid);
		ck_assert_uint_eq(gp_pci_addr_rid(made), rid);
		ck_assert_uint_eq(made.domain, 3);
	}
}
END_TEST

/* ---- UUIDs ---- */

START_TEST(a_uuid_comes_back_in_small_letters)
{
	struct gp_uuid uuid;
	char text[GP_UUID_SIZE];
	ck_assert_int_eq(gp_uuid_parse("C7A5FDBD-edaf-9455-926a-d65c16db1809", &uuid), 0);
	ck_assert_uint_eq(uuid.bytes[0], 0xc7);
	ck_assert_uint_eq(uuid.bytes[15], 0x09);
	ck_assert_str_eq(gp_uuid_format(uuid, text), "c7a5fdbd-edaf-9455-926a-d65c16db1809");
	ck_assert(gp_uuid_equal(uuid, uuid));
	ck_assert(!gp_uuid_is_null(uuid));
	ck_assert(gp_uuid_is_null((struct gp_uuid){0}));
	ck_assert(!gp_uuid_equal(uuid, (struct gp_uuid){0}));
}
END_TEST

START_TEST(what_is_no_uuid_is_refused)
{
	static const char *const bad[] = {"",
					  "c7a5fdbd",
					  "c7a5fdbdedaf9455926ad65c16db1809",
					  "c7a5fdbd-edaf-9455-926a-d65c16db180",
					  "c7a5fdbd-edaf-9455-926a-d65c16db18091",
					  "c7a5fdbd-edaf-9455-926a-d65c16db180g",
					  "c7a5fdb-dedaf-9455-926a-d65c16db1809",
					  "{c7a5fdbd-edaf-9455-926a-d65c16db1809}"};
	struct gp_uuid uuid = {0};
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		ck_assert_msg(gp_uuid_parse(bad[i], &uuid) == -1, "'%s' was taken", bad[i]);
		ck_assert(gp_uuid_is_null(uuid));
	}
}
END_TEST

/* ---- VFs by name ---- */

START_TEST(a_vf_is_named_by_pf_and_index)
{
	struct gp_vf_ref vf;
	char text[GP_VF_REF_SIZE];
	ck_assert_int_eq(gp_vf_ref_parse("vf:0000:41:00.0/3", &vf), 0);
	ck_assert_uint_eq(vf.index, 3);
	ck_assert_uint_eq(vf.pf.bus, 0x41);
	ck_assert_str_eq(gp_vf_ref_format(vf, text), "vf:0000:41:00.0/3");
	struct gp_vf_ref longest = {.pf = addr("ffffffff:ff:1f.7"), .index = UINT32_MAX};
	ck_assert_str_eq(gp_vf_ref_format(longest, text), "vf:ffffffff:ff:1f.7/4294967295");
}
END_TEST

START_TEST(what_names_no_vf_is_refused)
{
	static const char *const bad[] = {"",
					  "vf:",
					  "0000:41:00.0/3",
					  "vf:0000:41:00.0",
					  "vf:0000:41:00.0/",
					  "vf:0000:41:00.0/-1",
					  "vf:0000:41:00.0/4294967296",
					  "vf:0000:41:00.0/3/4",
					  "vf:/3",
					  "vf:0000:41:00.0000000000000000000000000/3"};
	struct gp_vf_ref vf = {.index = 9};
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		ck_assert_msg(gp_vf_ref_parse(bad[i], &vf) == -1, "'%s' was taken", bad[i]);
		ck_assert_uint_eq(vf.index, 9);
	}
}
END_TEST

/* ---- our alias ---- */

START_TEST(our_alias_tells_request_and_class)
{
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	uint32_t request;
	const char *class_name;
	ck_assert_str_eq(gp_alias_format(&text, 12, "cad-large"), "ua-gpupart-12-cad-large");
	ck_assert(gp_alias_is_ours(gp_str_text(&text)));
	ck_assert_int_eq(gp_alias_parse(gp_str_text(&text), &request, &class_name), 0);
	ck_assert_uint_eq(request, 12);
	ck_assert_str_eq(class_name, "cad-large");
}
END_TEST

START_TEST(an_alias_is_appended)
{
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	gp_str_add(&text, "alias ");
	ck_assert_str_eq(gp_alias_format(&text, 0, "vdi"), "ua-gpupart-0-vdi");
	ck_assert_str_eq(gp_str_text(&text), "alias ua-gpupart-0-vdi");
}
END_TEST

START_TEST(other_aliases_are_not_ours)
{
	static const char *const foreign[] = {"", "ua-gpu", "hostdev0", "ua-gpupar", "xua-gpupart-0-vdi"};
	static const char *const ours_but_odd[] = {"ua-gpupart-",
						   "ua-gpupart-x",
						   "ua-gpupart-0",
						   "ua-gpupart-0-",
						   "ua-gpupart--vdi",
						   "ua-gpupart-x-vdi",
						   "ua-gpupart-4294967296-vdi",
						   "ua-gpupart-00000000000000-vdi"};
	uint32_t request;
	const char *class_name;
	ck_assert(!gp_alias_is_ours(NULL));
	ck_assert_int_eq(gp_alias_parse(NULL, &request, &class_name), -1);
	for (size_t i = 0; i < COUNT_OF(foreign); i++)
		ck_assert_msg(!gp_alias_is_ours(foreign[i]), "'%s' was taken", foreign[i]);
	for (size_t i = 0; i < COUNT_OF(ours_but_odd); i++) {
		ck_assert(gp_alias_is_ours(ours_but_odd[i]));
		ck_assert_msg(gp_alias_parse(ours_but_odd[i], &request, &class_name) == -1, "'%s' was taken",
			      ours_but_odd[i]);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		an_address_comes_back_as_it_was,    what_is_no_address_is_refused,
		addresses_are_ordered_by_each_part, a_routing_id_is_bus_slot_and_function,
		a_uuid_comes_back_in_small_letters, what_is_no_uuid_is_refused,
		a_vf_is_named_by_pf_and_index,      what_names_no_vf_is_refused,
		our_alias_tells_request_and_class,  an_alias_is_appended,
		other_aliases_are_not_ours,
	};
	return run_tests("model_ident", tests, COUNT_OF(tests));
}
