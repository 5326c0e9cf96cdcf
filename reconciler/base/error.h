/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Errors are values with a kind.
 *
 * Retry and exit codes are decided by the kind, never by the text. The words
 * answer five questions: where, what was wanted, what was found, who is in the
 * way, what would work.
 *
 * Functions that can fail take `struct gp_error *err` last and return -1 (or
 * NULL) with it filled; they return 0 and leave it untouched on success.
 * Passing NULL for err is allowed when the caller does not care.
 *
 *	return gp_fail(err, GP_E_BUSY, "VF %u is held", index);
 *	return gp_fail_at(err, GP_E_INPUT, mark, "unknown key '%s'", key);
 *
 * gp_fail* return -1, so that a failing path is one line.
 */
#ifndef GP_BASE_ERROR_H
#define GP_BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct gp_source;

/* A place in a source text. No source: no place. Lines and columns count from 1 (columns in characters). */
struct gp_mark {
	const struct gp_source *source;
	uint32_t line;
	uint32_t column;
};

enum gp_error_kind {
	GP_E_NONE = 0,
	GP_E_USAGE,       /* the command line is wrong                       exit 64 */
	GP_E_INPUT,       /* the files are wrong, or ask what cannot be      exit 3 */
	GP_E_REFUSED,     /* would disturb somebody; policy says no          exit 4 */
	GP_E_STALE,       /* the host is no longer what the plan stands on   exit 6 */
	GP_E_VERIFY,      /* applied, but the read-back does not agree       exit 5 */
	GP_E_BUSY,        /* held by somebody; may be free later (retry) */
	GP_E_TIMEOUT,     /* the deadline passed (retry) */
	GP_E_UNAVAILABLE, /* a daemon or file system is not there (retry) */
	GP_E_NOT_FOUND,   /* the object is not there */
	GP_E_PERMISSION,  /* needs other privileges */
	GP_E_UNSUPPORTED, /* this kernel, driver or libvirt cannot do it */
	GP_E_CORRUPT,     /* text from the kernel, libvirt or a helper does not parse */
	GP_E_IO,          /* a system call failed; .sys says how */
	GP_E_INTERNAL,    /* a fault of ours */
	GP_E_KINDS
};

/* Strings are owned; all zero is "no error". */
struct gp_error {
	enum gp_error_kind kind;
	int sys;             /* errno, or 0 */
	struct gp_mark mark; /* place in a file, if any */
	char *subject;       /* "0000:41:00.0 sriov_numvfs", "domain web-01": place on the host, or NULL */
	char *message;       /* what was wanted and what was found, one sentence without a full stop */
	char *holder;        /* who is in the way, or NULL */
	char *remedy;        /* what would work, or NULL */
};

void gp_error_clear(struct gp_error *err);
void gp_error_move(struct gp_error *to, struct gp_error *from); /* clears `to` first */
void gp_error_copy(struct gp_error *to, const struct gp_error *from);

int gp_fail(struct gp_error *err, enum gp_error_kind kind, const char *format, ...) GP_PRINTF(3, 4);
int gp_fail_at(struct gp_error *err, enum gp_error_kind kind, struct gp_mark mark, const char *format, ...)
	GP_PRINTF(4, 5);
/* Appends ": strerror(sys)" and chooses the kind from errno (ENOENT not found, EACCES/EPERM permission,
 * EBUSY busy, ETIMEDOUT timeout, else io). */
int gp_fail_errno(struct gp_error *err, int sys, const char *format, ...) GP_PRINTF(3, 4);
/* Adds to an error that is already set. They do nothing when err is NULL or empty; they return -1. */
int gp_error_subject(struct gp_error *err, const char *format, ...) GP_PRINTF(2, 3);
int gp_error_holder(struct gp_error *err, const char *format, ...) GP_PRINTF(2, 3);
int gp_error_remedy(struct gp_error *err, const char *format, ...) GP_PRINTF(2, 3);
/* Puts "PREFIX: " before the message. */
int gp_error_prefix(struct gp_error *err, const char *format, ...) GP_PRINTF(2, 3);

bool gp_error_may_retry(enum gp_error_kind kind);
const char *gp_error_kind_name(enum gp_error_kind kind); /* "busy", for JSON and tests */

#endif
