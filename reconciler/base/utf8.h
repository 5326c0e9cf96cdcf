/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UTF-8, read by hand: what is shown must not depend on a locale. */
#ifndef GP_BASE_UTF8_H
#define GP_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

enum { GP_UTF8_SHOWN_MAX = 12 };
#define GP_UTF8_INVALID UINT32_MAX

/* Reads one character and returns its bytes, 0 at the end. A byte that starts no valid sequence is one character,
 * GP_UTF8_INVALID. */
size_t gp_utf8_next(const char *text, size_t size, uint32_t *code);
size_t gp_utf8_count(const char *text, size_t size);
/* Appends a code point; `out` has room for 4 bytes. Returns the bytes written. */
size_t gp_utf8_put(char *out, uint32_t code);

/* A character as it may be shown to a person. */
struct gp_utf8_shown {
	char text[GP_UTF8_SHOWN_MAX]; /* NUL-terminated */
	unsigned width;               /* columns on a terminal */
};
/*
 * Like gp_utf8_next. Whatever could steer a terminal or mislead the reader is spelled out: control characters and
 * invalid bytes as \xNN, characters that turn the writing direction or cannot be seen as \uNNNN.
 */
size_t gp_utf8_show(const char *text, size_t size, struct gp_utf8_shown *shown);

#endif
