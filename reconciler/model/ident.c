/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/ident.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <uuid/uuid.h>

#include "base/num.h"

enum { DOMAIN_DIGITS_MIN = 4, DOMAIN_DIGITS_MAX = 8, RID_BITS = 16, MAX_SLOT = 31, MAX_FUNCTION = 7 };

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

/* Reads up to `most` hex digits at *at, moves behind them and returns how many there were. */
static unsigned take_hex(const char **at, unsigned most, uint32_t *value)
{
	unsigned digits = 0;
	*value = 0;
	while (digits < most && hex_digit(**at) >= 0) {
		*value = *value << 4 | (uint32_t)hex_digit(**at);
		digits++;
		(*at)++;
	}
	return digits;
}

static bool take_char(const char **at, char c)
{
	if (**at != c)
		return false;
	(*at)++;
	return true;
}

/* ---- PCI addresses ---- */

/* "41:00.0" */
static int take_bus_slot_function(const char *at, struct gp_pci_addr *out)
{
	uint32_t bus, slot, function;
	if (take_hex(&at, 2, &bus) != 2 || !take_char(&at, ':') || take_hex(&at, 2, &slot) != 2 ||
	    !take_char(&at, '.') || take_hex(&at, 1, &function) != 1 || *at != '\0')
		return -1;
	if (slot > MAX_SLOT || function > MAX_FUNCTION)
		return -1;
	out->bus = (uint8_t)bus;
	out->slot = (uint8_t)slot;
	out->function = (uint8_t)function;
	return 0;
}

int gp_pci_addr_parse(const char *text, struct gp_pci_addr *out)
{
	struct gp_pci_addr addr = {0};
	const char *rest = text;
	uint32_t domain;
	/* A domain has at least four digits, so it cannot be taken for a bus. */
	if (take_hex(&rest, DOMAIN_DIGITS_MAX, &domain) >= DOMAIN_DIGITS_MIN) {
		if (!take_char(&rest, ':'))
			return -1;
		addr.domain = domain;
		text = rest;
	}
	if (take_bus_slot_function(text, &addr) < 0)
		return -1;
	*out = addr;
	return 0;
}

static char *put_hex(char *at, uint32_t value, unsigned digits)
{
	for (unsigned i = digits; i > 0; i--)
		*at++ = "0123456789abcdef"[value >> (4 * (i - 1)) & 0xf];
	return at;
}

const char *gp_pci_addr_format(struct gp_pci_addr addr, char out[GP_PCI_ADDR_SIZE])
{
	/* Not snprintf: a host has thousands of these, and each is formatted several times. */
	unsigned domain_digits = DOMAIN_DIGITS_MIN;
	while (domain_digits < DOMAIN_DIGITS_MAX && addr.domain >> (4 * domain_digits) != 0)
		domain_digits++;
	char *at = put_hex(out, addr.domain, domain_digits);
	*at++ = ':';
	at = put_hex(at, addr.bus, 2);
	*at++ = ':';
	at = put_hex(at, addr.slot & MAX_SLOT, 2);
	*at++ = '.';
	at = put_hex(at, addr.function & MAX_FUNCTION, 1);
	*at = '\0';
	return out;
}

uint16_t gp_pci_addr_rid(struct gp_pci_addr addr)
{
	return (uint16_t)(addr.bus << 8 | (addr.slot & MAX_SLOT) << 3 | (addr.function & MAX_FUNCTION));
}

struct gp_pci_addr gp_pci_addr_from_rid(uint32_t domain, uint32_t rid)
{
	return (struct gp_pci_addr){
		.domain = domain,
		.bus = (uint8_t)(rid >> 8),
		.slot = (uint8_t)(rid >> 3 & MAX_SLOT),
		.function = (uint8_t)(rid & MAX_FUNCTION),
	};
}

int gp_pci_addr_compare(struct gp_pci_addr a, struct gp_pci_addr b)
{
	uint64_t left = (uint64_t)a.domain << RID_BITS | gp_pci_addr_rid(a);
	uint64_t right = (uint64_t)b.domain << RID_BITS | gp_pci_addr_rid(b);
	return (left > right) - (left < right);
}

/* ---- UUIDs ---- */

static bool dash_before_byte(size_t byte)
{
	return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

int gp_uuid_parse(const char *text, struct gp_uuid *out)
{
	struct gp_uuid uuid;
	for (size_t i = 0; i < sizeof(uuid.bytes); i++) {
		uint32_t byte;
		if (dash_before_byte(i) && !take_char(&text, '-'))
			return -1;
		if (take_hex(&text, 2, &byte) != 2)
			return -1;
		uuid.bytes[i] = (uint8_t)byte;
	}
	if (*text != '\0')
		return -1;
	*out = uuid;
	return 0;
}

const char *gp_uuid_format(struct gp_uuid uuid, char out[GP_UUID_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	char *at = out;
	for (size_t i = 0; i < sizeof(uuid.bytes); i++) {
		if (dash_before_byte(i))
			*at++ = '-';
		*at++ = digits[uuid.bytes[i] >> 4];
		*at++ = digits[uuid.bytes[i] & 15];
	}
	*at = '\0';
	return out;
}

bool gp_uuid_equal(struct gp_uuid a, struct gp_uuid b)
{
	return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}

bool gp_uuid_is_null(struct gp_uuid uuid)
{
	return gp_uuid_equal(uuid, (struct gp_uuid){0});
}

/* ---- VFs by name ---- */

#define VF_PREFIX "vf:"

const char *gp_vf_ref_format(struct gp_vf_ref vf, char out[GP_VF_REF_SIZE])
{
	char pf[GP_PCI_ADDR_SIZE];
	snprintf(out, GP_VF_REF_SIZE, VF_PREFIX "%s/%" PRIu32, gp_pci_addr_format(vf.pf, pf), vf.index);
	return out;
}

int gp_vf_ref_parse(const char *text, struct gp_vf_ref *out)
{
	if (!gp_starts_with(text, VF_PREFIX))
		return -1;
	text += strlen(VF_PREFIX);
	const char *slash = strchr(text, '/');
	char pf[GP_PCI_ADDR_SIZE];
	if (slash == NULL || (size_t)(slash - text) >= sizeof(pf))
		return -1;
	memcpy(pf, text, (size_t)(slash - text));
	pf[slash - text] = '\0';

	struct gp_vf_ref vf;
	if (gp_pci_addr_parse(pf, &vf.pf) < 0 || gp_parse_u32(slash + 1, &vf.index) < 0)
		return -1;
	*out = vf;
	return 0;
}

/* ---- our mark on a hostdev ---- */

bool gp_alias_is_ours(const char *alias)
{
	return alias != NULL && gp_starts_with(alias, GP_ALIAS_PREFIX);
}

const char *gp_alias_format(struct gp_str *out, uint32_t request, const char *class_name)
{
	size_t start = out->length;
	gp_str_printf(out, GP_ALIAS_PREFIX "%" PRIu32 "-%s", request, class_name);
	return gp_str_text(out) + start;
}

int gp_alias_parse(const char *alias, uint32_t *request, const char **class_name)
{
	enum { U32_DIGITS = 10 };
	if (!gp_alias_is_ours(alias))
		return -1;
	const char *digits = alias + strlen(GP_ALIAS_PREFIX);
	const char *dash = strchr(digits, '-');
	char number[U32_DIGITS + 1];
	if (dash == NULL || (size_t)(dash - digits) >= sizeof(number) || dash[1] == '\0')
		return -1;
	memcpy(number, digits, (size_t)(dash - digits));
	number[dash - digits] = '\0';
	if (gp_parse_u32(number, request) < 0)
		return -1;
	*class_name = dash + 1;
	return 0;
}

struct gp_uuid gp_uuid_from_name(struct gp_uuid space, const char *name)
{
	struct gp_uuid uuid;

	uuid_generate_sha1(uuid.bytes, space.bytes, name, strlen(name));
	return uuid;
}

struct gp_uuid gp_mdev_uuid(struct gp_uuid domain, uint32_t request)
{
	/* gpupart's own name space, drawn once: changed, every VM would lose its mediated devices. */
	static const struct gp_uuid space = {
		{0x6b, 0x0c, 0x7f, 0x0e, 0x52, 0x8a, 0x4d, 0x39, 0xb1, 0x0f, 0x3d, 0x2c, 0x55, 0x9e, 0xe8, 0x14}};
	char name[GP_UUID_SIZE + 16], text[GP_UUID_SIZE];

	snprintf(name, sizeof(name), "%s/%u", gp_uuid_format(domain, text), request);
	return gp_uuid_from_name(space, name);
}
