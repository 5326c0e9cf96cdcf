/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NVIDIA's list of vGPU types: what is taken from it, what is passed over, and what is not let through. */
#include <stdlib.h>
#include <string.h>

#include "host_tree.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

#define HEAD                                                                                                           \
	"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"                                                                 \
	"<!DOCTYPE vgpu SYSTEM \"http://example.org/dtd/vgpuConfig.dtd\">\n"                                           \
	"<!-- types > and GPUs -->\n"                                                                                  \
	"<vgpuconfig>\n"                                                                                               \
	"  <version>1.0</version>\n"                                                                                   \
	"  <globalSettings><homogeneousVgpus>TRUE</homogeneousVgpus></globalSettings>\n"
#define TAIL "</vgpuconfig>\n"

#define TYPE_4Q                                                                                                        \
	"  <vgpuType id=\"713\" name=\"NVIDIA A16-4Q\" class=\"Quadro\">\n"                                            \
	"    <devId vendorId=\"0x10de\" deviceId=\"0x25b6\" subsystemVendorId=\"0x10de\" "                             \
	"subsystemId=\"0x159d\"></devId>\n"                                                                            \
	"    <framebuffer>0xec000000</framebuffer>\n"                                                                  \
	"    <mappableVideoSize>0x400000</mappableVideoSize>\n"                                                        \
	"    <fbReservation>0x14000000</fbReservation>\n"                                                              \
	"    <numHeads>4</numHeads>\n"                                                                                 \
	"    <display width=\"7680\" height=\"4320\"></display>\n"                                                     \
	"    <multiVgpuSupported>1</multiVgpuSupported>\n"                                                             \
	"    <future><framebuffer>1</framebuffer></future>\n"                                                          \
	"    <digest type=\"signature\">0123abcd</digest>\n"                                                           \
	"  </vgpuType>\n"
#define TYPE_16A                                                                                                       \
	"  <vgpuType id='0x2d0' class='NVS' name='GRID A16-16A'>"                                                      \
	"<framebuffer> 17179869184 </framebuffer><numHeads>1</numHeads>"                                               \
	"<display width='1280' height='1024'/><multiVgpuSupported>0</multiVgpuSupported></vgpuType>\n"
#define TYPE_2Q                                                                                                        \
	"  <vgpuType id=\"745\" name=\"A2-2Q\"><profileSize>0x80000000</profileSize>"                                  \
	"<framebuffer>0x70000000</framebuffer></vgpuType>\n"
#define SUPPORTS(id, most)                                                                                             \
	"    <supportedVgpu vgpuId=\"" id "\"><maxVgpus>" most "</maxVgpus>"                                           \
	"<digest type=\"signature\">ff</digest></supportedVgpu>\n"
#define PGPU(device, subsystem, types)                                                                                 \
	"  <pgpu>\n    <devId vendorId=\"0x10de\" deviceId=\"" device "\" subsystemVendorId=\"0x10de\" "               \
	"subsystemId=\"" subsystem "\"></devId>\n" types "  </pgpu>\n"

static const struct gp_gpu a16 = {
	.vendor = 0x10de, .device = 0x25b6, .subsystem_vendor = 0x10de, .subsystem_device = 0x14a9};
static const struct gp_gpu a2 = {
	.vendor = 0x10de, .device = 0x25b6, .subsystem_vendor = 0x10de, .subsystem_device = 0x157e};

struct fixture {
	struct tree tree;
	struct gp_host *host;
	const struct gp_vgpu_type *types;
	size_t count;
	struct gp_error err;
};

static void tear_down(struct fixture *f)
{
	gp_host_close(f->host);
	gp_error_clear(&f->err);
	tree_remove(&f->tree);
}

#define FIXTURE GP_CLEANUP(tear_down) struct fixture

static struct fixture open_with(const char *path, const char *text)
{
	struct fixture f = {0};
	tree_make(&f.tree);
	tree_directory(&f.tree, "sys/bus/pci/devices");
	if (path != NULL)
		tree_file(&f.tree, path, text);
	f.host = tree_open(&f.tree, false, GP_HOST_READ_ONLY);
	return f;
}

static struct fixture with(const char *text)
{
	return open_with(GP_VGPU_CONFIG, text);
}

static int ask(struct fixture *f, const struct gp_gpu *gpu)
{
	gp_error_clear(&f->err);
	return gp_host_vgpu_types(f->host, gpu, &f->types, &f->count, &f->err);
}

static void ask_well(struct fixture *f, const struct gp_gpu *gpu, size_t count)
{
	ck_assert_msg(ask(f, gpu) == 0, "%s", f->err.message);
	ck_assert_uint_eq(f->count, count);
}

/* ---- what is taken ---- */

START_TEST(a_type_is_told_in_full)
{
	FIXTURE f =
		with(HEAD TYPE_4Q TYPE_16A PGPU("0x25B6", "0x14A9", SUPPORTS("713", "4") SUPPORTS("720", "1")) TAIL);
	ask_well(&f, &a16, 2);
	ck_assert_uint_eq(f.types[0].id, 713);
	ck_assert_str_eq(f.types[0].name, "A16-4Q");
	ck_assert_uint_eq(f.types[0].framebuffer, 4 * GIB);
	ck_assert_uint_eq(f.types[0].most, 4);
	ck_assert(f.types[0].multiple);
	ck_assert(!f.types[0].mig);
	ck_assert_uint_eq(f.types[1].id, 720);
	ck_assert_str_eq(f.types[1].name, "A16-16A");
	ck_assert_uint_eq(f.types[1].framebuffer, 16 * GIB);
	ck_assert(!f.types[1].multiple);
}
END_TEST

START_TEST(the_whole_size_goes_before_the_sum)
{
	FIXTURE f = with(HEAD TYPE_2Q PGPU("0x25b6", "0x157e", SUPPORTS("745", "8")) TAIL);
	ask_well(&f, &a2, 1);
	ck_assert_uint_eq(f.types[0].framebuffer, 2 * GIB);
}
END_TEST

START_TEST(the_subsystem_goes_before_any)
{
	FIXTURE f = with(HEAD TYPE_4Q TYPE_2Q PGPU("0x25b6", "0x0", SUPPORTS("745", "2"))
				 PGPU("0x25b6", "0x14a9", SUPPORTS("713", "4")) TAIL);
	ask_well(&f, &a16, 1);
	ck_assert_str_eq(f.types[0].name, "A16-4Q");
	ask_well(&f, &a2, 1);
	ck_assert_str_eq(f.types[0].name, "A2-2Q");
	/* What was given out before is still there. */
	const struct gp_vgpu_type *before = f.types;
	ask_well(&f, &a16, 1);
	ask_well(&f, &a2, 1);
	ck_assert_ptr_eq(f.types, before);
}
END_TEST

START_TEST(another_gpu_has_none)
{
	FIXTURE f = with(HEAD TYPE_4Q PGPU("0x25b6", "0x14a9", SUPPORTS("713", "4")) TAIL);
	ask_well(&f, &a2, 0);
	struct gp_gpu other = a16;
	other.device = 0x2204;
	ask_well(&f, &other, 0);
	other = a16;
	other.vendor = 0x8086;
	ask_well(&f, &other, 0);
	other = a16;
	other.subsystem_vendor = 0x1028;
	ask_well(&f, &other, 0);
}
END_TEST

START_TEST(entries_for_one_gpu_add_up)
{
	FIXTURE f = with(HEAD TYPE_4Q TYPE_2Q PGPU("0x25b6", "0x14a9", SUPPORTS("713", "4"))
				 PGPU("0x25b6", "0x14a9", SUPPORTS("745", "8") SUPPORTS("713", "2")) TAIL);
	ask_well(&f, &a16, 2);
	ck_assert_uint_eq(f.types[0].most, 4);
	ck_assert_str_eq(f.types[1].name, "A2-2Q");
}
END_TEST

START_TEST(mig_types_are_marked)
{
	static const struct {
		const char *name, *inside;
		bool mig;
	} rows[] = {
		{"NVIDIA A100-1-5C", "", true},
		{"NVIDIA A100-1-5CME", "", true},
		{"DC-2-48Q", "", true},
		{"NVIDIA RTX6000-Ada-4Q", "", false},
		{"A100-40C", "", false},
		{"A30-6C", "<gpuInstanceSize>0x1</gpuInstanceSize>", true},
		{"A30-6C", "<gpuInstanceSize>0x0</gpuInstanceSize>", false},
		{"-4Q", "", false},
		{"1-4Q", "", false},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		gp_autofree char *text = gp_xasprintf(HEAD "<vgpuType id=\"7\" name=\"%s\">%s</vgpuType>" PGPU(
							      "0x25b6", "0x0", SUPPORTS("7", "1")) TAIL,
						      rows[i].name, rows[i].inside);
		FIXTURE f = with(text);
		ask_well(&f, &a16, 1);
		ck_assert_msg(f.types[0].mig == rows[i].mig, "row %zu", i);
	}
}
END_TEST

/* The driver says for a whole GPU that only a vGPU which takes all of it may be one of several. */
START_TEST(a_gpu_can_forbid_several_fractional_types)
{
	static const char text[] =
		HEAD TYPE_4Q "<pgpu fractionalMultiVgpu=\"%s\"><devId vendorId=\"0x10de\" deviceId=\"0x25b6\" "
			     "subsystemId=\"0x0\"/>" SUPPORTS("713", "%s") "</pgpu>" TAIL;
	static const struct {
		const char *fractional, *most;
		bool multiple;
	} rows[] = {{"0", "4", false}, {"0", "1", true}, {"1", "4", true}, {"", "4", true}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		GP_CLEANUP(gp_str_clear) struct gp_str filled = {0};
		gp_str_add_n(&filled, text, (size_t)(strstr(text, "%s") - text));
		gp_str_add(&filled, rows[i].fractional);
		const char *rest = strstr(text, "%s") + 2;
		gp_str_add_n(&filled, rest, (size_t)(strstr(rest, "%s") - rest));
		gp_str_add(&filled, rows[i].most);
		gp_str_add(&filled, strstr(rest, "%s") + 2);
		FIXTURE f = with(filled.text);
		ask_well(&f, &a16, 1);
		ck_assert_msg(f.types[0].multiple == rows[i].multiple, "row %zu", i);
	}
}
END_TEST

START_TEST(it_may_lie_under_etc)
{
	FIXTURE f = open_with("etc/nvidia/vgpu/vgpuConfig.xml",
			      HEAD TYPE_4Q PGPU("0x25b6", "0x14a9", SUPPORTS("713", "4")) TAIL);
	ask_well(&f, &a16, 1);
}
END_TEST

START_TEST(it_is_read_once)
{
	FIXTURE f = with(HEAD TYPE_4Q PGPU("0x25b6", "0x14a9", SUPPORTS("713", "4")) TAIL);
	ask_well(&f, &a16, 1);
	tree_file(&f.tree, GP_VGPU_CONFIG, "gone");
	ask_well(&f, &a2, 0);
	ask_well(&f, &a16, 1);
}
END_TEST

/* ---- what is passed over ---- */

#define LONG_NAME                                                                                                      \
	"<vgpuType id=\"712\" name=\"a name that is much longer than any name of a vGPU type in the world can be, "    \
	"however new it is\"/>"

/* Each leaves one type less, and does no harm to the other. */
START_TEST(what_cannot_be_told_is_left_out)
{
	static const char *const types[] = {
		"<vgpuType name=\"A16-2Q\"><framebuffer>1</framebuffer></vgpuType>",
		"<vgpuType id=\"\" name=\"A16-2Q\"/>",
		"<vgpuType id=\"0\" name=\"A16-2Q\"/>",
		"<vgpuType id=\"-712\" name=\"A16-2Q\"/>",
		"<vgpuType id=\"4294968008\" name=\"A16-2Q\"/>",
		"<vgpuType id=\"712\"/>",
		"<vgpuType id=\"712\" name=\"\"/>",
		"<vgpuType id=\"712\" name=\"A16&#45;2Q\"/>",
		"<vgpuType id=\"712\" name=\"A16-2Q\x1b[31m\"/>",
		"<vgpuType id=\"712\" name=\"A16\n2Q\"/>",
		LONG_NAME,
		"<vgpuType id=\"712\" name/>",
		"<wrapper><vgpuType id=\"712\" name=\"A16-2Q\"/></wrapper>",
		"<!-- <vgpuType id=\"712\" name=\"A16-2Q\"/> -->",
		"<![CDATA[<vgpuType id=\"712\" name=\"A16-2Q\"/>]]>",
		"",
	};
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		gp_autofree char *text = gp_xasprintf(
			HEAD "%s" TYPE_4Q PGPU("0x25b6", "0x14a9", SUPPORTS("712", "8") SUPPORTS("713", "4")) TAIL,
			types[i]);
		FIXTURE f = with(text);
		ck_assert_msg(ask(&f, &a16) == 0, "row %zu: %s", i, f.err.message);
		ck_assert_msg(f.count == 1, "row %zu: %zu", i, f.count);
		ck_assert_str_eq(f.types[0].name, "A16-4Q");
	}
}
END_TEST

START_TEST(a_maximum_that_cannot_be_told_leaves_the_type_out)
{
	static const char *const most[] = {"", "0", "0x0", "none", "4 4", "99999999999999999999999"};
	for (size_t i = 0; i < sizeof(most) / sizeof(most[0]); i++) {
		gp_autofree char *text = gp_xasprintf(
			HEAD TYPE_4Q TYPE_2Q PGPU("0x25b6", "0x14a9", SUPPORTS("745", "%s") SUPPORTS("713", "4")) TAIL,
			most[i]);
		FIXTURE f = with(text);
		ask_well(&f, &a16, 1);
	}
}
END_TEST

START_TEST(a_size_that_cannot_be_told_is_none)
{
	static const char *const sizes[] = {
		"",
		"<framebuffer/>",
		"<framebuffer>much</framebuffer>",
		"<framebuffer>0xffffffffffffffff</framebuffer><fbReservation>1</fbReservation>",
		"<framebuffer>18446744073709551616</framebuffer>",
		"<fbReservation>0x14000000</fbReservation>",
	};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		gp_autofree char *text = gp_xasprintf(HEAD "<vgpuType id=\"1\" name=\"A16-4Q\">%s</vgpuType>" PGPU(
							      "0x25b6", "0x0", SUPPORTS("1", "4")) TAIL,
						      sizes[i]);
		FIXTURE f = with(text);
		ask_well(&f, &a16, 1);
		ck_assert_uint_eq(f.types[0].framebuffer, 0);
		ck_assert(!f.types[0].multiple);
	}
}
END_TEST

START_TEST(the_first_of_two_types_with_one_id_counts)
{
	FIXTURE f = with(HEAD TYPE_4Q
			 "<vgpuType id=\"713\" name=\"Other-1Q\"/>" PGPU("0x25b6", "0x0", SUPPORTS("713", "4")) TAIL);
	ask_well(&f, &a16, 1);
	ck_assert_str_eq(f.types[0].name, "A16-4Q");
}
END_TEST

/* ---- what is not let through ---- */

struct bad_row {
	const char *text, *message;
};

#define LIST "NVIDIA's list of vGPU types, "

START_TEST(what_is_no_such_file_is_said)
{
	static const struct bad_row rows[] = {
		{"", LIST "line 1: is none: it does not begin with <vgpuconfig>"},
		{"hello\n", LIST "line 1: is none: it does not begin with <vgpuconfig>"},
		{"<?xml version=\"1.0\"?>\n<domain/>\n", LIST "line 2: is none: it does not begin with <vgpuconfig>"},
		{HEAD TYPE_4Q, LIST "line 18: ends before its end tag"},
		{HEAD "<vgpuType id=\"1", LIST "line 7: ends in the middle of a tag"},
		{HEAD "<!-- never ends", LIST "line 7: ends in the middle of a tag"},
		{HEAD "<vgpuType></pgpu>" TAIL, LIST "line 7: has an end tag that ends nothing"},
		{HEAD TAIL TAIL, LIST "line 8: has an end tag that ends nothing"},
		{HEAD "<vgpuType <pgpu>" TAIL, LIST "line 7: has a '<' inside of a tag"},
		{HEAD "< >" TAIL, LIST "line 7: has a tag without a name"},
		{"<!DOCTYPE vgpuconfig [\n<!ENTITY a \"b\">\n]>\n<vgpuconfig/>",
		 LIST "line 1: has declarations of its own (DOCTYPE), which are not let through"},
		{"<!DOCTYPE vgpuconfig SYSTEM \"a>b\"\n [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>\n<vgpuconfig/>",
		 LIST "line 2: has declarations of its own (DOCTYPE), which are not let through"},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		FIXTURE f = with(rows[i].text);
		ck_assert_msg(ask(&f, &a16) == -1, "row %zu", i);
		ck_assert_int_eq(f.err.kind, GP_E_CORRUPT);
		ck_assert_str_eq(f.err.message, rows[i].message);
		ck_assert_ptr_nonnull(strstr(f.err.subject, "/" GP_VGPU_CONFIG));
		ck_assert_uint_eq(f.count, 0);
	}
}
END_TEST

START_TEST(bytes_that_are_no_text_are_said)
{
	FIXTURE f = with("");
	tree_bytes(&f.tree, GP_VGPU_CONFIG, "<vgpuconfig>\0</vgpuconfig>", 26);
	ck_assert_int_eq(ask(&f, &a16), -1);
	ck_assert_str_eq(f.err.message, LIST "line 1: holds bytes that are no text");
}
END_TEST

START_TEST(depth_is_bounded)
{
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	gp_str_add(&text, "<vgpuconfig>");
	for (int i = 0; i < 100; i++)
		gp_str_add(&text, "<a>");
	FIXTURE f = with(text.text);
	ck_assert_int_eq(ask(&f, &a16), -1);
	ck_assert_str_eq(f.err.message, LIST "line 1: is nested too deeply");
}
END_TEST

START_TEST(size_is_bounded)
{
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	gp_str_add(&text, "<vgpuconfig>");
	gp_str_add_repeated(&text, ' ', 8 * MIB);
	gp_str_add(&text, "</vgpuconfig>");
	FIXTURE f = with(text.text);
	ck_assert_int_eq(ask(&f, &a16), -1);
	ck_assert_int_eq(f.err.kind, GP_E_CORRUPT);
	ck_assert_str_eq(f.err.message, "NVIDIA's list of vGPU types is no file of at most 8 MiB");
}
END_TEST

START_TEST(a_directory_is_none)
{
	FIXTURE f = open_with(GP_VGPU_CONFIG "/x", "y");
	ck_assert_int_eq(ask(&f, &a16), -1);
	ck_assert_int_eq(f.err.kind, GP_E_CORRUPT);
}
END_TEST

START_TEST(no_file_is_no_vgpu_driver)
{
	FIXTURE f = open_with(NULL, NULL);
	ck_assert_int_eq(ask(&f, &a16), -1);
	ck_assert_int_eq(f.err.kind, GP_E_NOT_FOUND);
	/* It may be installed while we look. */
	tree_file(&f.tree, GP_VGPU_CONFIG, HEAD TYPE_4Q PGPU("0x25b6", "0x14a9", SUPPORTS("713", "4")) TAIL);
	ask_well(&f, &a16, 1);
}
END_TEST

/* Cut off anywhere it is a fault, never a shorter list: but for the blanks at its end. */
START_TEST(cut_off_anywhere_it_is_a_fault)
{
	static const char whole[] = HEAD TYPE_4Q TYPE_16A PGPU("0x25b6", "0x14a9", SUPPORTS("713", "4")) TAIL;
	FIXTURE f = with("");
	for (size_t size = 0; size < sizeof(whole) - 2; size++) {
		/* A page of its own, so that reading beyond the end is seen by the sanitizer of the heap. */
		tree_bytes(&f.tree, GP_VGPU_CONFIG, whole, size);
		ck_assert_msg(ask(&f, &a16) == -1, "%zu bytes", size);
		ck_assert_int_eq(f.err.kind, GP_E_CORRUPT);
	}
	tree_bytes(&f.tree, GP_VGPU_CONFIG, whole, sizeof(whole) - 2);
	ask_well(&f, &a16, 1);
}
END_TEST

START_TEST(names_of_several_words_are_names)
{
	static const struct {
		const char *written, *name;
	} rows[] = {
		{"NVIDIA RTX Pro 6000 Blackwell DC-4Q", "RTX Pro 6000 Blackwell DC-4Q"},
		{"NVIDIA  A16-4Q ", "A16-4Q"},
		{"A (b/c)-4Q", "A (b/c)-4Q"},
		{"A16-4Q, A16-4C", NULL}, /* nobody could tell a list of them apart */
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		gp_autofree char *text = gp_xasprintf(
			HEAD "<vgpuType id=\"7\" name=\"%s\"/>" PGPU("0x25b6", "0x0", SUPPORTS("7", "1")) TAIL,
			rows[i].written);
		FIXTURE f = with(text);
		ask_well(&f, &a16, rows[i].name == NULL ? 0 : 1);
		if (rows[i].name != NULL)
			ck_assert_str_eq(f.types[0].name, rows[i].name);
	}
}
END_TEST

/* A GPU that lists so many types, some of them more than once. */
static void list_types(struct gp_str *xml, unsigned types, unsigned supported)
{
	gp_str_clear(xml);
	gp_str_add(xml, "<vgpuconfig>");
	for (unsigned i = 1; i <= types; i++)
		gp_str_printf(xml, "<vgpuType id=\"%u\" name=\"A16-%uQ\"/>", i, i);
	gp_str_add(xml, "<pgpu><devId deviceId=\"0x25b6\"/>");
	for (unsigned i = 0; i < supported; i++)
		gp_str_printf(xml, "<supportedVgpu vgpuId=\"%u\"><maxVgpus>1</maxVgpus></supportedVgpu>",
			      i % types + 1);
	gp_str_add(xml, "</pgpu></vgpuconfig>");
}

START_TEST(types_of_one_gpu_are_bounded)
{
	GP_CLEANUP(gp_str_clear) struct gp_str xml = {0};
	list_types(&xml, 2048, 4096);
	FIXTURE most = with(xml.text);
	ask_well(&most, &a16, 2048);
	list_types(&xml, 2048, 4097);
	FIXTURE more = with(xml.text);
	ck_assert_int_eq(ask(&more, &a16), -1);
	ck_assert_int_eq(more.err.kind, GP_E_CORRUPT);
	ck_assert_ptr_nonnull(strstr(more.err.message, "lists more vGPU types for a GPU than any can have"));
}
END_TEST

/* Any byte may be any other: it is told or refused, and nothing is read that is not there. */
START_TEST(any_byte_may_be_wrong)
{
	static const char whole[] =
		"<!DOCTYPE a \"b\"><!--c--><vgpuconfig><vgpuType id='7' name=\"A16-4Q\"><framebuffer> "
		"0x10 </framebuffer></vgpuType><pgpu><devId deviceId='0x25b6'/><supportedVgpu "
		"vgpuId=\"7\"><maxVgpus>4</maxVgpus></supportedVgpu></pgpu></vgpuconfig>\n";
	static const char bytes[] = {'\0', '<', '>', '/', '"', '\'', '!', '[', ' ', 'a'};
	FIXTURE f = with("");
	for (size_t at = 0; at < sizeof(whole) - 1; at++)
		for (size_t b = 0; b < sizeof(bytes); b++) {
			char text[sizeof(whole)];
			memcpy(text, whole, sizeof(whole));
			text[at] = bytes[b];
			tree_bytes(&f.tree, GP_VGPU_CONFIG, text, sizeof(whole) - 1);
			struct gp_host *host = tree_open(&f.tree, false, GP_HOST_READ_ONLY);
			gp_error_clear(&f.err);
			int result = gp_host_vgpu_types(host, &a16, &f.types, &f.count, &f.err);
			ck_assert_int_eq(result, f.err.kind == GP_E_NONE ? 0 : -1);
			ck_assert(result == 0 || f.err.kind == GP_E_CORRUPT);
			gp_host_close(host);
		}
}
END_TEST

TREE_RUN("host_vgpu_config", a_type_is_told_in_full, the_whole_size_goes_before_the_sum, the_subsystem_goes_before_any,
	 another_gpu_has_none, entries_for_one_gpu_add_up, mig_types_are_marked,
	 a_gpu_can_forbid_several_fractional_types, it_may_lie_under_etc, it_is_read_once,
	 what_cannot_be_told_is_left_out, a_maximum_that_cannot_be_told_leaves_the_type_out,
	 a_size_that_cannot_be_told_is_none, the_first_of_two_types_with_one_id_counts, what_is_no_such_file_is_said,
	 bytes_that_are_no_text_are_said, depth_is_bounded, size_is_bounded, a_directory_is_none,
	 no_file_is_no_vgpu_driver, cut_off_anywhere_it_is_a_fault, any_byte_may_be_wrong,
	 names_of_several_words_are_names, types_of_one_gpu_are_bounded)
