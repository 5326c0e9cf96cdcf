/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How texts must be written, and the one form in which the rest of the program gets them. */
#include <string.h>

#include "base/num.h"
#include "intent/file.h"
#include "intent/intent.h"

enum {
	LONGEST_CLASS = 32,
	LONGEST_HOST = 253,
	LONGEST_PROFILE = 64,
	LONGEST_PARAMS = 4095,
	LONGEST_PATH = 4095,
	ID_MAX = 0xFFFF
};

#define LOWER    "abcdefghijklmnopqrstuvwxyz"
#define UPPER    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS   "0123456789"
#define WORDS    LOWER UPPER DIGITS
#define HEX      DIGITS "abcdefABCDEF"
#define CONTROLS 0x20

static bool holds_only(const char *text, const char *allowed)
{
	return text[0] != '\0' && text[strspn(text, allowed)] == '\0';
}

static bool is_printable(const char *text)
{
	for (const char *at = text; *at != '\0'; at++)
		if ((unsigned char)*at < CONTROLS || *at == 0x7F)
			return false;
	return text[0] != '\0';
}

static const char *lower(struct gp_arena *arena, const char *text)
{
	char *copy = gp_arena_strdup(arena, text);
	for (char *at = copy; *at != '\0'; at++)
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at - 'A' + 'a');
	return copy;
}

/* ---- names ---- */

static const char *normal_class(struct gp_arena *arena GP_UNUSED, const char *text)
{
	bool good = holds_only(text, LOWER DIGITS "-") && strlen(text) <= LONGEST_CLASS && !gp_streq(text, "none");
	return good ? text : NULL;
}
const struct gp_text_rule gp_rule_class = {"1 to 32 of the letters a-z, digits and '-'", NULL, normal_class};

static const char *normal_host(struct gp_arena *arena GP_UNUSED, const char *text)
{
	return holds_only(text, WORDS "-_.*") && strlen(text) <= LONGEST_HOST ? text : NULL;
}
const struct gp_text_rule gp_rule_host = {"a host name, in which '*' stands for any text",
					  "list hosts one by one, or as gpu-*; ranges are not read here", normal_host};

/* One that can never match would leave a VM unprotected without a word. */
static const char *normal_protect(struct gp_arena *arena GP_UNUSED, const char *text)
{
	struct gp_uuid uuid;
	bool good = is_printable(text) && strpbrk(text, "[]/") == NULL && gp_uuid_parse(text, &uuid) < 0;
	return good ? text : NULL;
}
const struct gp_text_rule gp_rule_protect = {"the name of a domain, in which '*' stands for any text",
					     "name domains such as db-1 or db-*; ranges and UUIDs are not read here",
					     normal_protect};

/* ---- what back-ends read ---- */

static const char *normal_series(struct gp_arena *arena GP_UNUSED, const char *text)
{
	return strlen(text) == 1 && strchr("QBAC", text[0]) != NULL ? text : NULL;
}
const struct gp_text_rule gp_rule_series = {"Q, B, A or C", NULL, normal_series};

static const char *normal_word(struct gp_arena *arena GP_UNUSED, const char *text)
{
	return holds_only(text, WORDS "-_.+") ? text : NULL;
}
const struct gp_text_rule gp_rule_scheduler = {"a word such as equal-share", NULL, normal_word};
const struct gp_text_rule gp_rule_mig = {"the name of a MIG profile such as 1g.10gb", NULL, normal_word};

/* As the driver names types, which is after their board: "RTX Pro 6000 Blackwell DC-4Q". */
static const char *normal_profile(struct gp_arena *arena GP_UNUSED, const char *text)
{
	size_t length = strlen(text);
	bool good = holds_only(text, WORDS " -_.+/()") && length <= LONGEST_PROFILE && text[0] != ' ' &&
		    text[length - 1] != ' ';
	return good ? text : NULL;
}
const struct gp_text_rule gp_rule_profile = {"the name of a vGPU type such as A16-4Q", NULL, normal_profile};

/* "key=value,key=value", or "none" for "": it ends up in an attribute of the driver, which reads nothing else, and a
 * page of it at most. */
static const char *normal_params(struct gp_arena *arena GP_UNUSED, const char *text)
{
	static const char allowed[] = WORDS "_.-";
	if (gp_streq(text, "none"))
		return "";
	for (const char *at = text; strlen(text) <= LONGEST_PARAMS;) {
		size_t key = strspn(at, allowed);
		if (key == 0 || at[key] != '=')
			return NULL;
		at += key + 1;
		size_t value = strspn(at, allowed);
		at += value;
		if (value == 0 || (*at != ',' && *at != '\0'))
			return NULL;
		if (*at++ == '\0')
			return text;
	}
	return NULL;
}
const struct gp_text_rule gp_rule_vgpu_params = {
	"settings such as \"frame_rate_limiter=0,disable_vnc=1\", or none",
	"write key=value, separated by commas without blanks; letters, digits, '_', '.' and '-'", normal_params};

/* What is run as root is named without a detour. */
static const char *normal_sriov_manage(struct gp_arena *arena GP_UNUSED, const char *text)
{
	const char *name = strrchr(text, '/');
	bool good = text[0] == '/' && is_printable(text) && strlen(text) <= LONGEST_PATH &&
		    gp_streq(name + 1, "sriov-manage") && strstr(text, "/../") == NULL;
	return good ? text : NULL;
}
const struct gp_text_rule gp_rule_sriov_manage = {
	"the full path of NVIDIA's sriov-manage",
	"write it as the driver installs it, /usr/lib/nvidia/sriov-manage: from '/' on, with that name at its end, "
	"without '..'",
	normal_sriov_manage};

/* ---- what GPUs are told by ---- */

static const char *normal_address(struct gp_arena *arena, const char *text)
{
	struct gp_pci_addr addr;
	char full[GP_PCI_ADDR_SIZE];
	if (gp_pci_addr_parse(text, &addr) == 0)
		return gp_arena_strdup(arena, gp_pci_addr_format(addr, full));
	return strchr(text, '*') != NULL && holds_only(text, HEX ":.*") ? lower(arena, text) : NULL;
}

static const char *normal_id(struct gp_arena *arena, const char *text)
{
	/* Four digits, unless 0x says that they are digits: A16 is the name of a GPU, not an id. */
	uint32_t id;
	bool is_id = strlen(text) == 4 || gp_starts_with(text, "0x") || gp_starts_with(text, "0X");
	if (!is_id || gp_parse_hex32(text, &id) < 0 || id > ID_MAX)
		return NULL;
	return gp_arena_printf(arena, "%04x", id);
}

static const char *normal_vendor(struct gp_arena *arena, const char *text)
{
	static const char *const names[] = {"nvidia", "intel", "amd"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (gp_glob_match(names[i], text, true))
			return names[i];
	return normal_id(arena, text);
}

static const char *normal_subsystem(struct gp_arena *arena, const char *text)
{
	const char *colon = strchr(text, ':');
	if (colon == NULL)
		return normal_id(arena, text);
	const char *vendor = normal_id(arena, gp_arena_strndup(arena, text, (size_t)(colon - text)));
	const char *device = normal_id(arena, colon + 1);
	return vendor == NULL || device == NULL ? NULL : gp_arena_printf(arena, "%s:%s", vendor, device);
}

static const char *normal_model(struct gp_arena *arena GP_UNUSED, const char *text)
{
	return is_printable(text) && strpbrk(text, WORDS) != NULL ? text : NULL;
}

static const char *normal_slot(struct gp_arena *arena GP_UNUSED, const char *text)
{
	return is_printable(text) ? text : NULL;
}

static const char *normal_node(struct gp_arena *arena, const char *text)
{
	uint32_t node;
	return gp_parse_u32(text, &node) < 0 ? NULL : gp_arena_printf(arena, "%u", node);
}

const struct gp_term_rule gp_term_rules[GP_MATCH_KEY_COUNT] = {
	[GP_MATCH_ADDRESS] = {GP_MATCH_ADDRESS,
			      {"a PCI address such as 0000:41:00.0, in which '*' stands for any text", NULL,
			       normal_address}},
	[GP_MATCH_VENDOR] = {GP_MATCH_VENDOR,
			     {"nvidia, intel, amd, or a PCI vendor id such as 8086", NULL, normal_vendor}},
	[GP_MATCH_DEVICE] = {GP_MATCH_DEVICE,
			     {"a PCI device id of four hexadecimal digits such as 56c0",
			      "a name such as A16 belongs under 'model'", normal_id}},
	[GP_MATCH_SUBSYSTEM] = {GP_MATCH_SUBSYSTEM,
				{"a PCI subsystem id such as 8086:4905 or 4905", NULL, normal_subsystem}},
	[GP_MATCH_MODEL] = {GP_MATCH_MODEL, {"words of the name of the GPU such as A16", NULL, normal_model}},
	[GP_MATCH_SLOT] = {GP_MATCH_SLOT, {"the name of a slot, in which '*' stands for any text", NULL, normal_slot}},
	[GP_MATCH_NUMA_NODE] = {GP_MATCH_NUMA_NODE, {"the number of a NUMA node such as 0", NULL, normal_node}},
};
