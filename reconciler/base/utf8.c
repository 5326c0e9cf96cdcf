/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/utf8.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct range {
	uint32_t first;
	uint32_t last;
};

/* Cannot be seen, or turn the writing direction, or end a line for some readers. */
static const struct range treacherous[] = {
	{0x00AD, 0x00AD}, {0x061C, 0x061C}, {0x200B, 0x200F}, {0x2028, 0x202E},
	{0x2060, 0x206F}, {0xFEFF, 0xFEFF}, {0xFFF9, 0xFFFB}, {0xE0000, 0xE007F},
};

/* Two columns wide on a terminal: East Asian writing and pictures, in round figures. */
static const struct range wide[] = {
	{0x1100, 0x115F},   {0x2E80, 0x303E},   {0x3041, 0xA4CF},   {0xAC00, 0xD7A3},
	{0xF900, 0xFAFF},   {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},
	{0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF}, {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD},
};

/* Sit on the character before them. */
static const struct range combining[] = {
	{0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x064B, 0x065F}, {0x1AB0, 0x1AFF},
	{0x1DC0, 0x1DFF}, {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F},
};

static bool in_ranges(uint32_t code, const struct range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	return false;
}

#define IN(code, ranges) in_ranges((code), (ranges), sizeof(ranges) / sizeof((ranges)[0]))

static size_t sequence_length(unsigned char lead)
{
	if (lead < 0x80)
		return 1;
	if (lead >= 0xC2 && lead <= 0xDF)
		return 2;
	if (lead >= 0xE0 && lead <= 0xEF)
		return 3;
	if (lead >= 0xF0 && lead <= 0xF4)
		return 4;
	return 0;
}

/* Overlong spellings, halves of surrogate pairs and what lies behind the last plane. */
static bool is_forbidden(uint32_t code, size_t length)
{
	return (length == 3 && code < 0x800) || (length == 4 && code < 0x10000) || (code >= 0xD800 && code <= 0xDFFF) ||
	       code > 0x10FFFF;
}

size_t gp_utf8_next(const char *text, size_t size, uint32_t *code)
{
	*code = GP_UTF8_INVALID;
	if (size == 0)
		return 0;
	unsigned char lead = (unsigned char)text[0];
	size_t length = sequence_length(lead);
	if (length == 1) {
		*code = lead;
		return 1;
	}
	if (length == 0 || length > size)
		return 1;
	uint32_t value = lead & (0xFFu >> (length + 1));
	for (size_t i = 1; i < length; i++) {
		unsigned char trail = (unsigned char)text[i];
		if ((trail & 0xC0) != 0x80)
			return 1;
		value = value << 6 | (trail & 0x3Fu);
	}
	if (is_forbidden(value, length))
		return 1;
	*code = value;
	return length;
}

size_t gp_utf8_count(const char *text, size_t size)
{
	size_t count = 0;
	uint32_t code;
	for (size_t at = 0; at < size; count++)
		at += gp_utf8_next(text + at, size - at, &code);
	return count;
}

size_t gp_utf8_put(char *out, uint32_t code)
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xC0 | code >> 6);
		out[1] = (char)(0x80 | (code & 0x3F));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xE0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 0x3F));
		out[2] = (char)(0x80 | (code & 0x3F));
		return 3;
	}
	out[0] = (char)(0xF0 | code >> 18);
	out[1] = (char)(0x80 | (code >> 12 & 0x3F));
	out[2] = (char)(0x80 | (code >> 6 & 0x3F));
	out[3] = (char)(0x80 | (code & 0x3F));
	return 4;
}

static unsigned width_of(uint32_t code)
{
	if (code < 0x0300)
		return 1;
	if (IN(code, combining))
		return 0;
	return IN(code, wide) ? 2 : 1;
}

static void spell(struct gp_utf8_shown *shown, const char *format_of, uint32_t code, unsigned digits)
{
	int length = snprintf(shown->text, sizeof(shown->text), "\\%s%0*x", format_of, (int)digits, (unsigned)code);
	shown->width = length > 0 ? (unsigned)length : 0;
}

size_t gp_utf8_show(const char *text, size_t size, struct gp_utf8_shown *shown)
{
	uint32_t code;
	size_t length = gp_utf8_next(text, size, &code);
	*shown = (struct gp_utf8_shown){0};
	if (length == 0)
		return 0;
	if (code == GP_UTF8_INVALID)
		spell(shown, "x", (unsigned char)text[0], 2);
	else if (code < 0x20 || (code >= 0x7F && code < 0xA0))
		spell(shown, "x", code, 2);
	else if (code >= 0xA0 && IN(code, treacherous))
		spell(shown, code > 0xFFFF ? "U" : "u", code, code > 0xFFFF ? 8 : 4);
	else {
		memcpy(shown->text, text, length);
		shown->width = width_of(code);
	}
	return length;
}
