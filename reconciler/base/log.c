/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/log.h"

#include <stdarg.h>

#include "base/str.h"

void gp_log(struct gp_log *log, enum gp_log_level level, const char *format, ...)
{
	if (log == NULL || log->sink == NULL || level < log->level)
		return;
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str line = {0};
	va_list args;
	va_start(args, format);
	gp_str_vprintf(&text, format, args);
	va_end(args);
	/* A VM's name must not forge a second line. */
	gp_str_add_shown(&line, gp_str_text(&text));

	pthread_mutex_lock(&log->lock);
	log->sink(log->context, level, gp_str_text(&line));
	pthread_mutex_unlock(&log->lock);
}
