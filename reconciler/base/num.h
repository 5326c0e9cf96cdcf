/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Strict numbers: the whole text must be the number; no sign, blank or overflow is let through.
 * All return 0, or -1 with *out untouched.
 */
#ifndef GP_BASE_NUM_H
#define GP_BASE_NUM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

int gp_parse_u64(const char *text, uint64_t *out); /* decimal */
int gp_parse_u32(const char *text, uint32_t *out);
int gp_parse_hex32(const char *text, uint32_t *out); /* with or without 0x */
int gp_parse_bool(const char *text, bool *out);      /* true, false (YAML 1.2 core schema) */

/* "8GiB", "512 MiB", "0.5TiB", "1024" (bytes). GP_E_INPUT otherwise; "8GB" is refused with the two values that it
 * could mean. */
int gp_parse_size(const char *text, uint64_t *bytes, struct gp_error *err);
/* "25%", "12.5%", "100%": millionths of the whole, 1…1000000. */
int gp_parse_share(const char *text, uint32_t *ppm, struct gp_error *err);
/* "120s", "2m", "1h30m", "500ms". Milliseconds, at most 7 days. */
int gp_parse_duration(const char *text, uint64_t *ms, struct gp_error *err);

/* Exact and short: "8GiB", "1536MiB", "1000B". */
void gp_add_size(struct gp_str *out, uint64_t bytes);
/* "25%", "33.3%". */
void gp_add_share(struct gp_str *out, uint64_t ppm);
void gp_add_duration(struct gp_str *out, uint64_t ms);

#endif
