/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/num.h"

#include <inttypes.h>
#include <string.h>

enum { SHOWN = 60 /* of a text that is no number, in a message */ };

#define WHOLE        ((uint32_t)1000000)
#define LONGEST_MS   (7 * UINT64_C(86400000))
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* ---- bare numbers ---- */

/* Adds the digits at *at to *value and moves behind them. False on overflow. */
static bool take_digits(const char **at, uint64_t *value)
{
	for (; is_digit(**at); (*at)++)
		if (__builtin_mul_overflow(*value, (uint64_t)10, value) ||
		    __builtin_add_overflow(*value, (uint64_t)(**at - '0'), value))
			return false;
	return true;
}

int gp_parse_u64(const char *text, uint64_t *out)
{
	uint64_t value = 0;
	if (!is_digit(*text) || !take_digits(&text, &value) || *text != '\0')
		return -1;
	*out = value;
	return 0;
}

int gp_parse_u32(const char *text, uint32_t *out)
{
	uint64_t value;
	if (gp_parse_u64(text, &value) < 0 || value > UINT32_MAX)
		return -1;
	*out = (uint32_t)value;
	return 0;
}

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int gp_parse_hex32(const char *text, uint32_t *out)
{
	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		text += 2;
	uint32_t value = 0;
	if (*text == '\0')
		return -1;
	for (; *text != '\0'; text++) {
		int digit = hex_digit(*text);
		if (digit < 0 || value > UINT32_MAX >> 4)
			return -1;
		value = value << 4 | (uint32_t)digit;
	}
	*out = value;
	return 0;
}

int gp_parse_bool(const char *text, bool *out)
{
	if (gp_streq(text, "true") || gp_streq(text, "True") || gp_streq(text, "TRUE"))
		*out = true;
	else if (gp_streq(text, "false") || gp_streq(text, "False") || gp_streq(text, "FALSE"))
		*out = false;
	else
		return -1;
	return 0;
}

/* ---- a number with a fraction and a unit ---- */

struct decimal {
	uint64_t whole;
	uint64_t fraction; /* as digits behind the point, trailing zeros dropped */
	unsigned places;   /* how many they are */
};

enum decimal_fault { DECIMAL_OK, DECIMAL_NONE, DECIMAL_TOO_LARGE, DECIMAL_TOO_FINE };

/* Reads "12" or "12.5" at *at and moves behind it. */
static enum decimal_fault take_decimal(const char **at, struct decimal *out)
{
	*out = (struct decimal){0};
	if (!is_digit(**at))
		return DECIMAL_NONE;
	if (!take_digits(at, &out->whole))
		return DECIMAL_TOO_LARGE;
	if (**at != '.')
		return DECIMAL_OK;
	const char *digits = ++*at;
	while (is_digit(**at))
		(*at)++;
	if (*at == digits)
		return DECIMAL_NONE;
	const char *end = *at;
	while (end > digits && end[-1] == '0')
		end--;
	if (end - digits > 19)
		return DECIMAL_TOO_FINE;
	for (; digits < end; digits++, out->places++)
		out->fraction = out->fraction * 10 + (uint64_t)(*digits - '0');
	return DECIMAL_OK;
}

static uint64_t power(uint64_t base, unsigned exponent)
{
	uint64_t value = 1;
	while (exponent-- > 0)
		value *= base;
	return value;
}

/* ---- sizes ---- */

static const struct size_unit {
	const char *name;
	unsigned shift;
} size_units[] = {{"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}, {"B", 0}};

static int fail_no_size(struct gp_error *err, const char *text)
{
	gp_fail(err, GP_E_INPUT, "'%.*s' is not a size", SHOWN, text);
	return gp_error_remedy(err, "write a size such as 8GiB or 512MiB (units: B, KiB, MiB, GiB, TiB)");
}

static int fail_size_too_large(struct gp_error *err, const char *text)
{
	return gp_fail(err, GP_E_INPUT, "'%.*s' is larger than any size can be", SHOWN, text);
}

static int fail_no_whole_bytes(struct gp_error *err, const char *text)
{
	gp_fail(err, GP_E_INPUT, "'%.*s' is not a whole number of bytes", SHOWN, text);
	return gp_error_remedy(err, "use a smaller unit");
}

/* With 2^shift bytes a unit, fraction / 10^places units are whole bytes only if 5^places divides the fraction; and
 * since its last digit is not 0, the powers of two must then come from the unit. */
static bool scale(const struct decimal *number, unsigned shift, uint64_t *bytes, bool *overflow)
{
	uint64_t fives = power(5, number->places > 19 ? 19 : number->places);
	uint64_t part = 0;
	*overflow = false;
	if (number->fraction != 0) {
		if (number->places > shift || number->fraction % fives != 0)
			return false;
		part = number->fraction / fives << (shift - number->places);
	}
	*overflow = __builtin_mul_overflow(number->whole, (uint64_t)1 << shift, bytes) ||
		    __builtin_add_overflow(*bytes, part, bytes);
	return !*overflow;
}

static const struct size_unit *find_size_unit(const char *name)
{
	for (size_t i = 0; i < COUNT(size_units); i++)
		if (gp_streq(name, size_units[i].name))
			return &size_units[i];
	return NULL;
}

/* "GB", "gb", "G", "g": the binary unit that may have been meant, and the decimal one it may have been instead. */
static const struct size_unit *find_ambiguous_unit(const char *name, uint64_t *decimal_unit)
{
	static const char letters[] = "TGMK";
	const char *letter = *name == '\0' ? NULL : strchr(letters, *name >= 'a' ? *name - 'a' + 'A' : *name);
	bool ends = letter != NULL && (name[1] == '\0' || ((name[1] == 'B' || name[1] == 'b') && name[2] == '\0'));
	if (!ends)
		return NULL;
	*decimal_unit = power(1000, (unsigned)(4 - (letter - letters)));
	return &size_units[letter - letters];
}

/* A size near to `bytes` that reads well: three digits at least, so that rounding costs little. */
static void add_rounded_size(struct gp_str *out, uint64_t bytes)
{
	size_t unit = 0;
	while (unit + 1 < COUNT(size_units) && bytes >> size_units[unit].shift < 100)
		unit++;
	unsigned shift = size_units[unit].shift;
	uint64_t count = bytes >> shift;
	if (shift > 0 && (bytes >> (shift - 1) & 1) != 0)
		count++;
	gp_str_printf(out, "%" PRIu64 "%s", count, size_units[unit].name);
}

static int fail_ambiguous(struct gp_error *err, const char *text, const struct decimal *number,
			  const struct size_unit *binary, uint64_t decimal_unit)
{
	uint64_t as_binary, as_decimal;
	bool overflow;
	if (!scale(number, binary->shift, &as_binary, &overflow) || number->places > 3 ||
	    __builtin_mul_overflow(number->whole, decimal_unit, &as_decimal))
		return fail_no_size(err, text);
	as_decimal += number->fraction * (decimal_unit / power(10, number->places));

	GP_CLEANUP(gp_str_clear) struct gp_str if_binary = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str if_decimal = {0};
	gp_add_size(&if_binary, as_binary);
	add_rounded_size(&if_decimal, as_decimal);
	gp_fail(err, GP_E_INPUT, "'%.*s' could mean %s (%" PRIu64 " bytes) or about %s (%" PRIu64 " bytes)", SHOWN,
		text, gp_str_text(&if_binary), as_binary, gp_str_text(&if_decimal), as_decimal);
	return gp_error_remedy(err, "write %s or %s", gp_str_text(&if_binary), gp_str_text(&if_decimal));
}

static int fail_unit(struct gp_error *err, const char *text, const char *unit)
{
	for (size_t i = 0; i < COUNT(size_units); i++) {
		if (!gp_glob_match(size_units[i].name, unit, true))
			continue;
		gp_fail(err, GP_E_INPUT, "'%.*s' has the unit '%s'", SHOWN, text, unit);
		return gp_error_remedy(err, "write the unit as %s", size_units[i].name);
	}
	return fail_no_size(err, text);
}

int gp_parse_size(const char *text, uint64_t *bytes, struct gp_error *err)
{
	const char *at = text;
	struct decimal number;
	enum decimal_fault fault = take_decimal(&at, &number);
	if (fault == DECIMAL_TOO_LARGE)
		return fail_size_too_large(err, text);
	if (fault == DECIMAL_TOO_FINE)
		return fail_no_whole_bytes(err, text);
	if (fault != DECIMAL_OK)
		return fail_no_size(err, text);
	if (at[0] == ' ' && at[1] != '\0')
		at++;

	uint64_t decimal_unit = 0;
	const struct size_unit *ambiguous = find_ambiguous_unit(at, &decimal_unit);
	if (ambiguous != NULL)
		return fail_ambiguous(err, text, &number, ambiguous, decimal_unit);
	const struct size_unit *unit = *at == '\0' ? find_size_unit("B") : find_size_unit(at);
	if (unit == NULL)
		return fail_unit(err, text, at);

	uint64_t value;
	bool overflow;
	if (!scale(&number, unit->shift, &value, &overflow))
		return overflow ? fail_size_too_large(err, text) : fail_no_whole_bytes(err, text);
	*bytes = value;
	return 0;
}

void gp_add_size(struct gp_str *out, uint64_t bytes)
{
	const struct size_unit *unit = size_units;
	while (unit->shift > 0 && (bytes == 0 || bytes % ((uint64_t)1 << unit->shift) != 0))
		unit++;
	gp_str_printf(out, "%" PRIu64 "%s", bytes >> unit->shift, unit->name);
}

/* ---- shares ---- */

static int fail_share(struct gp_error *err, const char *text, const char *why)
{
	gp_fail(err, GP_E_INPUT, "'%.*s' %s", SHOWN, text, why);
	return gp_error_remedy(err, "write a share such as 25%% or 12.5%%");
}

int gp_parse_share(const char *text, uint32_t *ppm, struct gp_error *err)
{
	const char *at = text;
	struct decimal number;
	enum decimal_fault fault = take_decimal(&at, &number);
	if (fault == DECIMAL_NONE)
		return fail_share(err, text, "is not a share");
	if (gp_streq(at, "") && fault == DECIMAL_OK)
		return fail_share(err, text, "has no '%' sign");
	if (fault == DECIMAL_TOO_LARGE)
		return fail_share(err, text, "is more than the whole");
	if (!gp_streq(at, "%"))
		return fail_share(err, text, "is not a share");
	if (fault == DECIMAL_TOO_FINE || number.places > 4)
		return fail_share(err, text, "is finer than the smallest share, 0.0001%");
	if (number.whole > 100 || (number.whole == 100 && number.fraction > 0))
		return fail_share(err, text, "is more than the whole");
	uint64_t value = number.whole * (WHOLE / 100) + number.fraction * power(10, 4 - number.places);
	if (value == 0)
		return fail_share(err, text, "is nothing");
	*ppm = (uint32_t)value;
	return 0;
}

void gp_add_share(struct gp_str *out, uint64_t ppm)
{
	/* What a person wrote comes back as written; a third is shown as 33.3%; nothing rounds to none or to all. */
	uint64_t shown = ppm;
	bool near_an_end = ppm < WHOLE / 1000 || (ppm < WHOLE && ppm > WHOLE - WHOLE / 1000);
	if (ppm % 100 != 0 && !near_an_end)
		shown = (ppm + 500) / 1000 * 1000;
	gp_str_printf(out, "%" PRIu64, shown / 10000);
	uint64_t fraction = shown % 10000;
	unsigned places = 4;
	while (fraction != 0 && fraction % 10 == 0) {
		fraction /= 10;
		places--;
	}
	if (fraction != 0)
		gp_str_printf(out, ".%0*" PRIu64, (int)places, fraction);
	gp_str_add_char(out, '%');
}

/* ---- durations ---- */

static const struct duration_unit {
	const char *name;
	uint64_t ms;
} duration_units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

static int fail_duration(struct gp_error *err, const char *text, const char *why)
{
	gp_fail(err, GP_E_INPUT, "'%.*s' %s", SHOWN, text, why);
	return gp_error_remedy(err, "write a duration such as 120s, 2m, 1h30m or 500ms");
}

/* The unit that stands at *at, among those smaller than the last one; moves *at behind it. */
static const struct duration_unit *take_duration_unit(const char **at, const struct duration_unit *from)
{
	size_t length = strspn(*at, "abcdefghijklmnopqrstuvwxyz");
	for (; from < duration_units + COUNT(duration_units); from++) {
		if (strlen(from->name) == length && memcmp(*at, from->name, length) == 0) {
			*at += length;
			return from;
		}
	}
	return NULL;
}

int gp_parse_duration(const char *text, uint64_t *ms, struct gp_error *err)
{
	const struct duration_unit *from = duration_units;
	uint64_t total = 0;
	const char *at = text;
	do {
		uint64_t count = 0, part;
		if (!is_digit(*at))
			return fail_duration(err, text, "is not a duration");
		if (!take_digits(&at, &count))
			return fail_duration(err, text, "is longer than 7 days");
		if (*at == '\0')
			return fail_duration(err, text, "has no unit");
		const struct duration_unit *unit = take_duration_unit(&at, from);
		if (unit == NULL)
			return fail_duration(err, text, "is not a duration");
		if (__builtin_mul_overflow(count, unit->ms, &part) || __builtin_add_overflow(total, part, &total) ||
		    total > LONGEST_MS)
			return fail_duration(err, text, "is longer than 7 days");
		from = unit + 1;
	} while (*at != '\0');
	*ms = total;
	return 0;
}

void gp_add_duration(struct gp_str *out, uint64_t ms)
{
	if (ms == 0) {
		gp_str_add(out, "0s");
		return;
	}
	for (size_t i = 0; i < COUNT(duration_units); i++) {
		const struct duration_unit *unit = &duration_units[i];
		if (ms >= unit->ms)
			gp_str_printf(out, "%" PRIu64 "%s", ms / unit->ms, unit->name);
		ms %= unit->ms;
	}
}
