/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A growing string. All zero is the empty string; out of memory ends the process. */
#ifndef GP_BASE_STR_H
#define GP_BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

struct gp_str {
	char *text; /* NUL-terminated once anything was added; NULL before */
	size_t length;
	size_t capacity;
};

void gp_str_clear(struct gp_str *str);
const char *gp_str_text(const struct gp_str *str); /* "" when empty, never NULL */
char *gp_str_take(struct gp_str *str);             /* caller frees; never NULL */
void gp_str_add(struct gp_str *str, const char *text);
void gp_str_add_n(struct gp_str *str, const char *text, size_t length);
void gp_str_add_char(struct gp_str *str, char c);
void gp_str_add_repeated(struct gp_str *str, char c, size_t count);
void gp_str_printf(struct gp_str *str, const char *format, ...) GP_PRINTF(2, 3);
void gp_str_vprintf(struct gp_str *str, const char *format, va_list args) GP_PRINTF(2, 0);
/* Text from outside, made fit for a terminal or a log: see gp_utf8_show. */
void gp_str_add_shown(struct gp_str *str, const char *text);
/* Pads with blanks until the current line is `column` wide (UTF-8 code points). */
void gp_str_pad_to(struct gp_str *str, size_t column);

/* Small helpers on plain strings. */
bool gp_streq(const char *a, const char *b); /* NULL equals only NULL */
bool gp_starts_with(const char *text, const char *prefix);
/* The same items between commas, whatever blanks are around them: "a=1, b" and "a=1,b ". */
bool gp_same_list(const char *a, const char *b);
/* Shell-like pattern of '*' alone; `fold` ignores ASCII case. */
bool gp_glob_match(const char *pattern, const char *text, bool fold);
/* Whole words of `words`, in order and adjacent, found in `text`, without case (A10 is not A100).
 * A word of `words` may hold '*'. Words are split at anything but letters, digits, '.', '+' and '*'. */
bool gp_word_match(const char *words, const char *text);
/* Optimal string alignment distance, for did-you-mean. */
unsigned gp_edit_distance(const char *a, const char *b);
/* The candidate nearest to `found`, or NULL when none is near enough to suggest. */
const char *gp_did_you_mean(const char *found, const char *const *candidates, size_t count);
/* One line on stderr, exit 1. */
_Noreturn void gp_out_of_memory(void);
/* xmalloc family: out of memory ends the process. */
void *gp_xmalloc(size_t size);
void *gp_xcalloc(size_t count, size_t size);
void *gp_xrealloc(void *old, size_t size);
char *gp_xstrdup(const char *text);
char *gp_xasprintf(const char *format, ...) GP_PRINTF(1, 2);

#endif
