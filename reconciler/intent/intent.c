/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From paths to the desired state: find the files, read each, merge them. */
#include "intent/intent.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "intent/file.h"

struct load {
	struct gp_desired *desired;
	struct gp_diags *diags;
	struct seen *seen; /* so that a file which is named twice is read once */
	size_t seen_count;
	bool incomplete; /* a path could not be read */
};

struct seen {
	dev_t device;
	ino_t inode;
};

/* ---- finding the files ---- */

static void add_error(struct load *load, const char *code, struct gp_error *err)
{
	load->incomplete = true;
	/* A file that is not there is a fault of what was asked, not of the machine. */
	if (err->kind == GP_E_NOT_FOUND) {
		err->kind = GP_E_INPUT;
		gp_error_remedy(err, "name a file, or a directory with files that end with .yaml");
	}
	gp_diags_add_error(load->diags, code, err);
}

static bool was_seen(struct load *load, const struct stat *status)
{
	for (size_t i = 0; i < load->seen_count; i++)
		if (load->seen[i].device == status->st_dev && load->seen[i].inode == status->st_ino)
			return true;
	*gp_arena_push(load->desired->arena, load->seen, load->seen_count) =
		(struct seen){status->st_dev, status->st_ino};
	return false;
}

static void read_file(struct load *load, const char *path)
{
	struct gp_error err = {0};
	struct stat status;
	if (stat(path, &status) == 0 && S_ISREG(status.st_mode) && was_seen(load, &status))
		return;
	if (gp_sources_read(&load->desired->sources, path, GP_INTENT_MAX_FILE, &err) == NULL)
		add_error(load, "unreadable-file", &err);
}

/* Nobody named it, so nothing is waited for: opening a pipe would last until somebody writes into it. */
static void read_entry(struct load *load, const char *path)
{
	struct gp_error err = {0};
	struct stat status;
	if (stat(path, &status) != 0 || S_ISREG(status.st_mode)) {
		read_file(load, path);
		return;
	}
	gp_fail(&err, GP_E_INPUT, "is no regular file, as all files of a directory must be");
	gp_error_subject(&err, "%s", path);
	gp_error_remedy(&err, "move it away, or name what is to be read on the command line");
	add_error(load, "unreadable-file", &err);
}

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), end_length = strlen(end);
	return length > end_length && strcmp(text + length - end_length, end) == 0;
}

/* What editors and Git leave beside a file has another ending, or begins with '.' or '#'. */
static int is_wanted(const struct dirent *entry)
{
	const char *name = entry->d_name;
	return name[0] != '.' && name[0] != '#' && (ends_with(name, ".yaml") || ends_with(name, ".yml"));
}

/* By bytes: the order must not depend on a locale. */
static int compare_entries(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void read_directory(struct load *load, const char *path)
{
	struct gp_error err = {0};
	struct dirent **entries;
	int count = scandir(path, &entries, is_wanted, compare_entries);
	if (count < 0) {
		gp_fail_errno(&err, errno, "cannot list the directory");
		gp_error_subject(&err, "%s", path);
		add_error(load, "unreadable-file", &err);
		return;
	}
	const char *slash = ends_with(path, "/") || strcmp(path, "/") == 0 ? "" : "/";
	for (int i = 0; i < count; i++) {
		gp_autofree char *file = gp_xasprintf("%s%s%s", path, slash, entries[i]->d_name);
		read_entry(load, file);
		free(entries[i]);
	}
	free(entries);
	if (count > 0)
		return;
	gp_fail(&err, GP_E_INPUT, "no file in this directory ends with .yaml or .yml");
	gp_error_subject(&err, "%s", path);
	gp_error_remedy(&err, "write a file such as %s%ssite.yaml", path, slash);
	add_error(load, "no-files", &err);
}

static void read_path(struct load *load, const char *path)
{
	struct stat status;
	if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
		read_directory(load, path);
	else
		read_file(load, path);
}

/* ---- reading them ---- */

static void fault_no_file_for(struct load *load, const struct gp_file *files, size_t count, const char *host)
{
	struct gp_diag *diag = gp_diags_add(load->diags, GP_ERROR, GP_E_INPUT, "no-file-for-host", (struct gp_mark){0},
					    "no file speaks for this host, '%s'", host);
	gp_error_remedy(&diag->error,
			"name it under 'hosts', or leave 'hosts' out; until then nothing is changed here");
	for (size_t i = 0; i < count; i++)
		if (files[i].hosts_mark.source != NULL) {
			gp_diag_other(diag, files[i].hosts_mark, "this file is for other hosts");
			return;
		}
}

static void read_sources(struct load *load, const char *host)
{
	struct gp_desired *desired = load->desired;
	size_t count = desired->sources.count;
	struct gp_reader reader = {.arena = desired->arena, .diags = load->diags, .incomplete = load->incomplete};
	struct gp_file *files = gp_arena_array_of(desired->arena, struct gp_file, count);
	desired->host = gp_arena_strdup(desired->arena, host);
	desired->files_read = count;
	for (size_t i = 0; i < count; i++) {
		reader.file_index = i;
		gp_file_read(&reader, &files[i], desired->sources.items[i]);
		files[i].for_host = gp_file_is_for(&files[i], host);
		reader.incomplete = reader.incomplete || !files[i].parsed;
		desired->files_for_host += files[i].parsed && files[i].for_host;
	}
	gp_merge(&reader, files, count, desired);
	/* If a file could not be read, it may be the one that speaks for this host. */
	if (desired->files_for_host == 0 && count > 0 && !reader.incomplete)
		fault_no_file_for(load, files, count, host);
	gp_diags_sort(load->diags);
}

struct gp_desired *gp_intent_load(const char *const *paths, size_t path_count, const char *host, struct gp_diags *diags)
{
	struct load load = {.desired = gp_desired_new(), .diags = diags};
	for (size_t i = 0; i < path_count; i++)
		read_path(&load, paths[i]);
	if (path_count == 0)
		gp_diags_add(diags, GP_ERROR, GP_E_INPUT, "no-files", (struct gp_mark){0}, "no file was named");
	read_sources(&load, host);
	return load.desired;
}

struct gp_desired *gp_intent_load_text(const char *name, const char *text, size_t size, const char *host,
				       struct gp_diags *diags)
{
	struct load load = {.desired = gp_desired_new(), .diags = diags};
	gp_sources_add(&load.desired->sources, name, text, size);
	read_sources(&load, host);
	return load.desired;
}
