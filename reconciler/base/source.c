/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/num.h"
#include "base/str.h"

enum { READ_AT_ONCE = 64 * 1024 };

void gp_sources_clear(struct gp_sources *sources)
{
	for (size_t i = 0; i < sources->count; i++) {
		free(sources->items[i]->path);
		free(sources->items[i]->text);
		free(sources->items[i]->line_starts);
		free(sources->items[i]);
	}
	free(sources->items);
	*sources = (struct gp_sources){0};
}

/* Bytes of the line end at `at`, or 0. Lines must be those that libyaml counts, so its odd ones end a line too. */
static size_t line_end(const char *at, size_t left)
{
	unsigned char c = (unsigned char)at[0];
	if (c == '\n')
		return 1;
	if (c == '\r')
		return left > 1 && at[1] == '\n' ? 2 : 1;
	if (c == 0xC2 && left > 1 && (unsigned char)at[1] == 0x85)
		return 2;
	if (c == 0xE2 && left > 2 && (unsigned char)at[1] == 0x80 && ((unsigned char)at[2] & 0xFE) == 0xA8)
		return 3;
	return 0;
}

static const char *end_of_line(const char *at, const char *end)
{
	while (at < end && line_end(at, (size_t)(end - at)) == 0)
		at++;
	return at;
}

static void add_line(struct gp_source *source, size_t start)
{
	if ((source->line_count & (source->line_count - 1)) == 0) {
		size_t capacity = source->line_count == 0 ? 1 : source->line_count * 2;
		source->line_starts = gp_xrealloc(source->line_starts, capacity * sizeof(size_t));
	}
	source->line_starts[source->line_count++] = start;
}

/* Once, so that a thousand faults in one file do not read it a thousand times. */
static void find_lines(struct gp_source *source)
{
	const char *at = source->text, *end = source->text + source->size;
	if (source->size >= 3 && memcmp(at, "\xEF\xBB\xBF", 3) == 0)
		at += 3; /* a byte order mark is no character of the first line */
	do {
		add_line(source, (size_t)(at - source->text));
		at = end_of_line(at, end);
		if (at < end)
			at += line_end(at, (size_t)(end - at));
	} while (at < end);
}

/* Marks point at the source itself, so it is allocated by itself and never moves. Takes over `text`. */
/* NOLINTNEXTLINE(readability-non-const-parameter): it is owned from here on */
static struct gp_source *adopt(struct gp_sources *sources, const char *path, char *text, size_t size)
{
	struct gp_source *source = gp_xcalloc(1, sizeof(*source));
	*source = (struct gp_source){.path = gp_xstrdup(path), .text = text, .size = size};
	find_lines(source);
	sources->items = gp_xrealloc(sources->items, (sources->count + 1) * sizeof(struct gp_source *));
	sources->items[sources->count++] = source;
	return source;
}

struct gp_source *gp_sources_add(struct gp_sources *sources, const char *path, const char *text, size_t size)
{
	struct gp_str copy = {0};
	gp_str_add_n(&copy, text, size);
	return adopt(sources, path, gp_str_take(&copy), size);
}

static int fail_too_large(struct gp_error *err, size_t max_bytes)
{
	GP_CLEANUP(gp_str_clear) struct gp_str limit = {0};
	gp_add_size(&limit, max_bytes);
	return gp_fail(err, GP_E_INPUT, "the file is larger than %s", gp_str_text(&limit));
}

/* A pipe too, for `gpupart plan <(generator)`; its size shows only while reading. */
static int check_file(int fd, size_t max_bytes, struct gp_error *err)
{
	struct stat status;
	if (fstat(fd, &status) < 0)
		return gp_fail_errno(err, errno, "cannot read");
	if (S_ISDIR(status.st_mode))
		return gp_fail(err, GP_E_INPUT, "a file was expected, this is a directory");
	if (!S_ISREG(status.st_mode) && !S_ISFIFO(status.st_mode))
		return gp_fail(err, GP_E_INPUT, "neither a regular file nor a pipe");
	if (S_ISREG(status.st_mode) && (uintmax_t)status.st_size > max_bytes)
		return fail_too_large(err, max_bytes);
	return 0;
}

static int read_all(int fd, size_t max_bytes, struct gp_str *text, struct gp_error *err)
{
	gp_autofree char *block = gp_xmalloc(READ_AT_ONCE);
	for (;;) {
		ssize_t got = read(fd, block, READ_AT_ONCE);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return gp_fail_errno(err, errno, "cannot read");
		if (got == 0)
			return 0;
		if ((size_t)got > max_bytes - text->length)
			return fail_too_large(err, max_bytes);
		gp_str_add_n(text, block, (size_t)got);
	}
}

static int read_file(const char *path, size_t max_bytes, struct gp_str *text, struct gp_error *err)
{
	gp_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return gp_fail_errno(err, errno, "cannot open");
	if (check_file(fd, max_bytes, err) < 0)
		return -1;
	return read_all(fd, max_bytes, text, err);
}

struct gp_source *gp_sources_read(struct gp_sources *sources, const char *path, size_t max_bytes, struct gp_error *err)
{
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	if (read_file(path, max_bytes, &text, err) < 0) {
		gp_error_subject(err, "%s", path);
		return NULL;
	}
	size_t size = text.length;
	return adopt(sources, path, gp_str_take(&text), size);
}

const char *gp_source_line(const struct gp_source *source, uint32_t line, size_t *length)
{
	if (source == NULL || line == 0 || line > source->line_count)
		return NULL;
	const char *at = source->text + source->line_starts[line - 1];
	*length = (size_t)(end_of_line(at, source->text + source->size) - at);
	return at;
}
