/* SPDX-License-Identifier: GPL-2.0-or-later */
/* match: which GPUs a class speaks of. */
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "model/observed.h"

static bool same_address(const char *text, struct gp_pci_addr addr)
{
	struct gp_pci_addr parsed;
	return gp_pci_addr_parse(text, &parsed) == 0 && gp_pci_addr_compare(parsed, addr) == 0;
}

static bool address_holds(const char *pattern, const struct gp_gpu *gpu)
{
	if (strchr(pattern, '*') == NULL)
		return same_address(pattern, gpu->addr);
	/* "41:*" stands for "0000:41:*", as "41:00.0" does for "0000:41:00.0". */
	char text[GP_PCI_ADDR_SIZE];
	gp_pci_addr_format(gpu->addr, text);
	if (gp_glob_match(pattern, text, true))
		return true;
	return gpu->addr.domain == 0 && gp_glob_match(pattern, strchr(text, ':') + 1, true);
}

static bool id_holds(const char *text, uint16_t id)
{
	uint32_t value;
	return gp_parse_hex32(text, &value) == 0 && value == id;
}

static bool vendor_holds(const char *text, uint16_t id)
{
	static const struct {
		const char *name;
		uint16_t id;
	} vendors[] = {{"nvidia", 0x10de}, {"intel", 0x8086}, {"amd", 0x1002}};
	for (size_t i = 0; i < sizeof(vendors) / sizeof(vendors[0]); i++)
		if (gp_glob_match(vendors[i].name, text, true))
			return id == vendors[i].id;
	return id_holds(text, id);
}

/* "8086:4905" or "4905" */
static bool subsystem_holds(const char *text, const struct gp_gpu *gpu)
{
	const char *colon = strchr(text, ':');
	if (colon == NULL)
		return id_holds(text, gpu->subsystem_device);
	char vendor[8];
	if ((size_t)(colon - text) >= sizeof(vendor))
		return false;
	memcpy(vendor, text, (size_t)(colon - text));
	vendor[colon - text] = '\0';
	return id_holds(vendor, gpu->subsystem_vendor) && id_holds(colon + 1, gpu->subsystem_device);
}

static bool numa_node_holds(const char *text, int node)
{
	char number[16];
	snprintf(number, sizeof(number), "%d", node);
	return gp_streq(text, number);
}

/* "NVIDIA A16", as other tools print it, is the A16 of that vendor. */
static bool model_holds(const char *words, const struct gp_gpu *gpu)
{
	size_t first = strcspn(words, " ");
	char vendor[16];
	if (gp_word_match(words, gpu->model))
		return true;
	if (words[first] == '\0' || first == 0 || first >= sizeof(vendor))
		return false;
	memcpy(vendor, words, first);
	vendor[first] = '\0';
	return strspn(vendor, "0123456789abcdefABCDEFx*") < first && vendor_holds(vendor, gpu->vendor) &&
	       gp_word_match(words + first, gpu->model);
}

static bool value_holds(enum gp_match_key key, const char *value, const struct gp_gpu *gpu)
{
	switch (key) {
	case GP_MATCH_ADDRESS:
		return address_holds(value, gpu);
	case GP_MATCH_VENDOR:
		return vendor_holds(value, gpu->vendor);
	case GP_MATCH_DEVICE:
		return id_holds(value, gpu->device);
	case GP_MATCH_SUBSYSTEM:
		return subsystem_holds(value, gpu);
	case GP_MATCH_MODEL:
		return gpu->model != NULL && model_holds(value, gpu);
	case GP_MATCH_SLOT:
		return gpu->slot != NULL && gp_glob_match(value, gpu->slot, true);
	case GP_MATCH_NUMA_NODE:
		return numa_node_holds(value, gpu->numa_node);
	case GP_MATCH_KEY_COUNT:
		break;
	}
	return false;
}

static bool term_holds(const struct gp_match_term *term, const struct gp_gpu *gpu)
{
	for (size_t i = 0; i < term->value_count; i++)
		if (value_holds(term->key, term->values[i], gpu))
			return true;
	return false;
}

static bool all_hold(const struct gp_match_term *terms, size_t count, const struct gp_gpu *gpu)
{
	for (size_t i = 0; i < count; i++)
		if (!term_holds(&terms[i], gpu))
			return false;
	return true;
}

bool gp_match_holds(const struct gp_match *match, const struct gp_gpu *gpu)
{
	/* A NIC that one class names must not fall to another that says no more than `vendor: intel`. */
	if (gpu->named_only && !gp_match_names_address(match, gpu->addr))
		return false;
	if (!all_hold(match->terms, match->term_count, gpu))
		return false;
	return match->not_count == 0 || !all_hold(match->not_terms, match->not_count, gpu);
}

bool gp_match_names_address(const struct gp_match *match, struct gp_pci_addr addr)
{
	for (size_t i = 0; i < match->term_count; i++) {
		const struct gp_match_term *term = &match->terms[i];
		for (size_t j = 0; term->key == GP_MATCH_ADDRESS && j < term->value_count; j++)
			if (same_address(term->values[j], addr))
				return true;
	}
	return false;
}
