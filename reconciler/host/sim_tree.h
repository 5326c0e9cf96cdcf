/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files, links and directories of a simulated machine, named by a path (printf style) relative to its root. Nothing is
 * reached through a link that leads out of the root. All return 0, or -1 with errno.
 */
#ifndef GP_HOST_SIM_TREE_H
#define GP_HOST_SIM_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "host/host_internal.h"

/* Makes a directory and those above it; one that exists is fine. */
int gp_tree_mkdir(int root, const char *format, ...) GP_PRINTF(2, 3);
/* A file with this text, replaced in one step (readers see the old text or the new one); directories must exist. */
int gp_tree_write(int root, mode_t mode, const char *text, const char *format, ...) GP_PRINTF(4, 5);
int gp_tree_write_bytes(int root, mode_t mode, const void *bytes, size_t size, const char *format, ...) GP_PRINTF(5, 6);
/* Adds a line of text at the end of a file, in one write. */
int gp_tree_append(int root, const char *text, const char *format, ...) GP_PRINTF(3, 4);
/* The whole text, NUL-terminated, caller frees; NULL with errno. *size may be NULL. */
char *gp_tree_read(int root, size_t *size, const char *format, ...) GP_PRINTF(3, 4);
/* As gp_tree_read, without the newline at the end; "" when it cannot be read. Never NULL. */
char *gp_tree_word(int root, const char *format, ...) GP_PRINTF(2, 3);
/* A symbolic link; one that exists is replaced. */
int gp_tree_link(int root, const char *target, const char *format, ...) GP_PRINTF(3, 4);
/* Last component of what a link points to, caller frees; NULL: no such link. */
char *gp_tree_link_name(int root, const char *format, ...) GP_PRINTF(2, 3);
/* The same of a link that stands directly in an open directory. */
char *gp_tree_link_name_at(int dir_fd, const char *name);
/* With all that is below it; links are removed, never followed. What is not there is fine. */
int gp_tree_remove(int root, const char *format, ...) GP_PRINTF(2, 3);
/* Something of that name is there, be it a dangling link. */
bool gp_tree_exists(int root, const char *format, ...) GP_PRINTF(2, 3);
/* Names in a directory, sorted; none when it cannot be read. */
void gp_tree_names(int root, struct gp_names *names, const char *format, ...) GP_PRINTF(3, 4);

/* Takes an exclusive lock on a file, which is made if need be: a descriptor to close, or -1. Waits as long as it takes.
 */
int gp_tree_lock(int root, const char *format, ...) GP_PRINTF(2, 3);
/* .sim/lock: counters, domains, who holds which VF. Held for moments only. */
int gp_tree_lock_machine(int root);

/*
 * A path that nobody is to read. As an ordinary user its mode becomes 0; root would not notice that, so for root a link
 * to itself stands in its place. `show` undoes either.
 */
int gp_tree_hide(int root, const char *path);
int gp_tree_show(int root, const char *path);

#endif
