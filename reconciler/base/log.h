/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A log is a value that is handed down; there is no global one. Rooms below `run` do not log: they return errors.
 * A NULL log, or a NULL sink, is silence.
 */
#ifndef GP_BASE_LOG_H
#define GP_BASE_LOG_H

#include <pthread.h>

#include "base/cleanup.h"

enum gp_log_level { GP_LOG_DEBUG, GP_LOG_INFO, GP_LOG_NOTICE, GP_LOG_WARNING, GP_LOG_ERROR };

struct gp_log {
	enum gp_log_level level; /* least level that is passed on */
	void (*sink)(void *context, enum gp_log_level level,
		     const char *line); /* no newline; any thread, one at a time */
	void *context;
	pthread_mutex_t lock; /* ours: one line at a time; all zero is unlocked */
};

void gp_log(struct gp_log *log, enum gp_log_level level, const char *format, ...) GP_PRINTF(3, 4);

#endif
