/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that is given back all at once.
 *
 * The values that cross borders (desired, observed, plan) are graphs of small
 * objects with one lifetime. Each owns one arena; everything they point to,
 * strings included, lives in it, so there is nothing to free one by one.
 * Running out of memory ends the process (exit 1, one line on stderr): no
 * caller could do better.
 */
#ifndef GP_BASE_ARENA_H
#define GP_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

#include "base/cleanup.h"

struct gp_arena;

struct gp_arena *gp_arena_new(void);
void gp_arena_free(struct gp_arena *arena);
GP_DEFINE_CLEANUP(struct gp_arena, gp_arena_free)

/* Zeroed, aligned for any type. */
void *gp_arena_alloc(struct gp_arena *arena, size_t size);
/* Moves an array of `old_count` items to one of `new_count`; the rest is zero. */
void *gp_arena_grow(struct gp_arena *arena, const void *items, size_t item_size, size_t old_count, size_t new_count);
char *gp_arena_strdup(struct gp_arena *arena, const char *text); /* NULL gives NULL */
char *gp_arena_strndup(struct gp_arena *arena, const char *text, size_t length);
char *gp_arena_printf(struct gp_arena *arena, const char *format, ...) GP_PRINTF(2, 3);
char *gp_arena_vprintf(struct gp_arena *arena, const char *format, va_list args) GP_PRINTF(2, 0);

#define gp_arena_new_of(arena, type)          ((type *)gp_arena_alloc((arena), sizeof(type)))
#define gp_arena_array_of(arena, type, count) ((type *)gp_arena_grow((arena), NULL, sizeof(type), 0, (count)))

/*
 * Appends one zeroed item to an array kept as (items, count) in an arena and
 * evaluates to a pointer to it. Capacity is the next power of two, so that no
 * third field is needed.
 *
 *	struct gp_gpu *gpu = gp_arena_push(arena, observed->gpus, observed->gpu_count);
 */
#define gp_arena_push(arena, items, count)                                                                             \
	__extension__({                                                                                                \
		if (((count) & ((count)-1)) == 0)                                                                      \
			(items) = gp_arena_grow((arena), (items), sizeof(*(items)), (count),                           \
						(count) == 0 ? 1 : (count)*2);                                         \
		&(items)[(count)++];                                                                                   \
	})

#endif
