/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/str.h"

/* Under AddressSanitizer each object gets memory of its own, or a step past its end would go unseen. */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define GP_ARENA_ONE_BY_ONE
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(GP_ARENA_ONE_BY_ONE)
enum { FIRST_CHUNK = 0, LARGEST_CHUNK = 0, POPULATED_CHUNK = 1 };
#else
enum { FIRST_CHUNK = 16 * 1024, LARGEST_CHUNK = 256 * 1024, POPULATED_CHUNK = 256 * 1024 };
#endif

struct chunk {
	struct chunk *next;
	size_t used;
	size_t size;
	alignas(max_align_t) char bytes[];
};

struct gp_arena {
	struct chunk *chunks; /* the first is the one being filled */
	size_t next_chunk;
};

struct gp_arena *gp_arena_new(void)
{
	struct gp_arena *arena = gp_xcalloc(1, sizeof(*arena));
	arena->next_chunk = FIRST_CHUNK;
	return arena;
}

void gp_arena_free(struct gp_arena *arena)
{
	if (arena == NULL)
		return;
	for (struct chunk *chunk = arena->chunks, *next; chunk != NULL; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	free(arena);
}

static struct chunk *new_chunk(size_t size)
{
	size_t whole;
	if (__builtin_add_overflow(size, sizeof(struct chunk), &whole))
		gp_out_of_memory();
	struct chunk *chunk = gp_xcalloc(1, whole);
	chunk->size = size;
	return chunk;
}

/* An object that would waste much of a chunk gets one of its own, behind the chunk being filled. */
static void *alloc_apart(struct gp_arena *arena, size_t size)
{
	struct chunk *chunk = new_chunk(size);
	chunk->used = size;
	if (arena->chunks == NULL) {
		arena->chunks = chunk;
	} else {
		chunk->next = arena->chunks->next;
		arena->chunks->next = chunk;
	}
	return chunk->bytes;
}

/* All pages at once: with a page fault each, a fifth of the time of reading a large file went there. It is advice,
 * which an older kernel does not know. */
static void populate(struct chunk *chunk)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t before = -(uintptr_t)chunk & (page - 1); /* bytes to the first whole page */
	size_t whole = sizeof(*chunk) + chunk->size - before;
	(void)madvise((char *)chunk + before, whole & ~(page - 1), MADV_POPULATE_WRITE);
}

static void start_chunk(struct gp_arena *arena)
{
	struct chunk *chunk = new_chunk(arena->next_chunk);
	if (chunk->size >= POPULATED_CHUNK)
		populate(chunk);
	chunk->next = arena->chunks;
	arena->chunks = chunk;
	if (arena->next_chunk != LARGEST_CHUNK)
		arena->next_chunk *= 2;
}

/* `align` is a power of two, at most that of max_align_t. */
static void *alloc_aligned(struct gp_arena *arena, size_t size, size_t align)
{
	if (size > arena->next_chunk / 4)
		return alloc_apart(arena, size);
	struct chunk *chunk = arena->chunks;
	size_t start = chunk == NULL ? 0 : (chunk->used + align - 1) & ~(align - 1);
	if (chunk == NULL || start > chunk->size || size > chunk->size - start) {
		start_chunk(arena);
		chunk = arena->chunks;
		start = 0;
	}
	chunk->used = start + size;
	return chunk->bytes + start;
}

void *gp_arena_alloc(struct gp_arena *arena, size_t size)
{
	return alloc_aligned(arena, size == 0 ? 1 : size, alignof(max_align_t));
}

void *gp_arena_grow(struct gp_arena *arena, const void *items, size_t item_size, size_t old_count, size_t new_count)
{
	size_t size;
	if (__builtin_mul_overflow(item_size, new_count, &size))
		gp_out_of_memory();
	void *grown = gp_arena_alloc(arena, size);
	size_t kept = old_count < new_count ? old_count : new_count;
	if (items != NULL && kept > 0)
		memcpy(grown, items, item_size * kept);
	return grown;
}

char *gp_arena_strdup(struct gp_arena *arena, const char *text)
{
	return text == NULL ? NULL : gp_arena_strndup(arena, text, strlen(text));
}

char *gp_arena_strndup(struct gp_arena *arena, const char *text, size_t length)
{
	if (length == SIZE_MAX)
		gp_out_of_memory();
	char *copy = alloc_aligned(arena, length + 1, 1);
	if (length > 0)
		memcpy(copy, text, length);
	return copy;
}

char *gp_arena_printf(struct gp_arena *arena, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char *text = gp_arena_vprintf(arena, format, args);
	va_end(args);
	return text;
}

char *gp_arena_vprintf(struct gp_arena *arena, const char *format, va_list args)
{
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	gp_str_vprintf(&text, format, args);
	return gp_arena_strndup(arena, gp_str_text(&text), text.length);
}
