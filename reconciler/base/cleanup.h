/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ownership made visible.
 *
 * A local that owns something says so where it is declared:
 *
 *	GP_CLEANUP(gp_str_clear) struct gp_str line = {0};
 *	gp_autofree char *path = NULL;
 *	gp_autoclose int fd = -1;
 *
 * A function named *_clear takes a pointer to the object, accepts an object
 * that is all zero, and leaves it all zero. A function named *_free takes the
 * object itself and accepts NULL.
 */
#ifndef GP_BASE_CLEANUP_H
#define GP_BASE_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

#define GP_CLEANUP(fn)             __attribute__((cleanup(fn)))
#define GP_PRINTF(fmt_at, args_at) __attribute__((format(printf, fmt_at, args_at)))
#define GP_UNUSED                  __attribute__((unused))

static inline void gp_cleanup_free(void *owner)
{
	free(*(void **)owner);
}
static inline void gp_cleanup_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define gp_autofree  GP_CLEANUP(gp_cleanup_free)
#define gp_autoclose GP_CLEANUP(gp_cleanup_close)

/* Defines gp_cleanup_NAME for use with GP_CLEANUP, from a _free function. */
#define GP_DEFINE_CLEANUP(type, name)                                                                                  \
	static inline void gp_cleanup_##name(type **owner)                                                             \
	{                                                                                                              \
		name(*owner);                                                                                          \
	}

/* Hands the value on and forgets it: `return gp_take(path);` */
#define gp_take(pointer)                                                                                               \
	__extension__({                                                                                                \
		__typeof__(pointer) gp_taken = (pointer);                                                              \
		(pointer) = NULL;                                                                                      \
		gp_taken;                                                                                              \
	})

#endif
