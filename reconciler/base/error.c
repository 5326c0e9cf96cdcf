/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/error.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

void gp_error_clear(struct gp_error *err)
{
	if (err == NULL)
		return;
	free(err->subject);
	free(err->message);
	free(err->holder);
	free(err->remedy);
	*err = (struct gp_error){0};
}

void gp_error_move(struct gp_error *to, struct gp_error *from)
{
	if (to == from)
		return;
	gp_error_clear(to);
	if (to == NULL) {
		gp_error_clear(from);
		return;
	}
	*to = *from;
	*from = (struct gp_error){0};
}

static char *copy_text(const char *text)
{
	return text == NULL ? NULL : gp_xstrdup(text);
}

void gp_error_copy(struct gp_error *to, const struct gp_error *from)
{
	if (to == NULL || to == from)
		return;
	gp_error_clear(to);
	*to = *from;
	to->subject = copy_text(from->subject);
	to->message = copy_text(from->message);
	to->holder = copy_text(from->holder);
	to->remedy = copy_text(from->remedy);
}

static char *vformat(const char *format, va_list args) GP_PRINTF(1, 0);

static char *vformat(const char *format, va_list args)
{
	struct gp_str text = {0};
	gp_str_vprintf(&text, format, args);
	return gp_str_take(&text);
}

/* Takes the message, which was made before the old error goes: its arguments may live in there. */
static int set(struct gp_error *err, struct gp_error what)
{
	gp_error_clear(err);
	*err = what;
	return -1;
}

int gp_fail(struct gp_error *err, enum gp_error_kind kind, const char *format, ...)
{
	if (err == NULL)
		return -1;
	va_list args;
	va_start(args, format);
	char *message = vformat(format, args);
	va_end(args);
	return set(err, (struct gp_error){.kind = kind, .message = message});
}

int gp_fail_at(struct gp_error *err, enum gp_error_kind kind, struct gp_mark mark, const char *format, ...)
{
	if (err == NULL)
		return -1;
	va_list args;
	va_start(args, format);
	char *message = vformat(format, args);
	va_end(args);
	return set(err, (struct gp_error){.kind = kind, .mark = mark, .message = message});
}

static enum gp_error_kind kind_of_errno(int sys)
{
	switch (sys) {
	case ENOENT:
		return GP_E_NOT_FOUND;
	case EACCES:
	case EPERM:
		return GP_E_PERMISSION;
	case EBUSY:
		return GP_E_BUSY;
	case ETIMEDOUT:
		return GP_E_TIMEOUT;
	default:
		return GP_E_IO;
	}
}

int gp_fail_errno(struct gp_error *err, int sys, const char *format, ...)
{
	if (err == NULL)
		return -1;
	va_list args;
	va_start(args, format);
	gp_autofree char *what = vformat(format, args);
	va_end(args);
	char *message = gp_xasprintf("%s: %s", what, strerror(sys));
	return set(err, (struct gp_error){.kind = kind_of_errno(sys), .sys = sys, .message = message});
}

static bool is_set(const struct gp_error *err)
{
	return err != NULL && err->kind != GP_E_NONE;
}

static int replace(char **field, char *text)
{
	free(*field);
	*field = text;
	return -1;
}

int gp_error_subject(struct gp_error *err, const char *format, ...)
{
	if (!is_set(err))
		return -1;
	va_list args;
	va_start(args, format);
	char *text = vformat(format, args);
	va_end(args);
	return replace(&err->subject, text);
}

int gp_error_holder(struct gp_error *err, const char *format, ...)
{
	if (!is_set(err))
		return -1;
	va_list args;
	va_start(args, format);
	char *text = vformat(format, args);
	va_end(args);
	return replace(&err->holder, text);
}

int gp_error_remedy(struct gp_error *err, const char *format, ...)
{
	if (!is_set(err))
		return -1;
	va_list args;
	va_start(args, format);
	char *text = vformat(format, args);
	va_end(args);
	return replace(&err->remedy, text);
}

int gp_error_prefix(struct gp_error *err, const char *format, ...)
{
	if (!is_set(err))
		return -1;
	va_list args;
	va_start(args, format);
	gp_autofree char *prefix = vformat(format, args);
	va_end(args);
	return replace(&err->message, gp_xasprintf("%s: %s", prefix, err->message == NULL ? "" : err->message));
}

bool gp_error_may_retry(enum gp_error_kind kind)
{
	return kind == GP_E_BUSY || kind == GP_E_TIMEOUT || kind == GP_E_UNAVAILABLE;
}

const char *gp_error_kind_name(enum gp_error_kind kind)
{
	static const char *const names[GP_E_KINDS] = {
		[GP_E_NONE] = "none",
		[GP_E_USAGE] = "usage",
		[GP_E_INPUT] = "input",
		[GP_E_REFUSED] = "refused",
		[GP_E_STALE] = "stale",
		[GP_E_VERIFY] = "verify",
		[GP_E_BUSY] = "busy",
		[GP_E_TIMEOUT] = "timeout",
		[GP_E_UNAVAILABLE] = "unavailable",
		[GP_E_NOT_FOUND] = "not-found",
		[GP_E_PERMISSION] = "permission",
		[GP_E_UNSUPPORTED] = "unsupported",
		[GP_E_CORRUPT] = "corrupt",
		[GP_E_IO] = "io",
		[GP_E_INTERNAL] = "internal",
	};
	return (unsigned)kind < GP_E_KINDS ? names[kind] : "internal";
}
