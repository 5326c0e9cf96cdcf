/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake_host.h"

#include <stdio.h>
#include <string.h>

#include "base/num.h"

static const char *find(struct gp_host *host, const char *path)
{
	host->reads++;
	for (size_t i = 0; i < host->file_count; i++)
		if (gp_streq(host->files[i].path, path))
			return host->files[i].text;
	return NULL;
}

int gp_host_read(struct gp_host *host, const char *path, char *buffer, size_t size, struct gp_error *err)
{
	const char *text = find(host, path);
	if (text == NULL)
		return gp_fail(err, GP_E_NOT_FOUND, "%s is not there", path);
	return snprintf(buffer, size, "%s", text);
}

int gp_host_read_u64(struct gp_host *host, const char *path, uint64_t *out, struct gp_error *err)
{
	const char *text = find(host, path);
	if (text == NULL)
		return gp_fail(err, GP_E_NOT_FOUND, "%s is not there", path);
	return gp_parse_u64(text, out) == 0 ? 0 : gp_fail(err, GP_E_CORRUPT, "%s is no number", path);
}

bool gp_host_exists(struct gp_host *host, const char *path)
{
	return find(host, path) != NULL;
}

/* A directory is the text of its path: the names in it, one a line. */
int gp_host_list(struct gp_host *host, const char *path, int (*each)(void *context, const char *name), void *context,
		 struct gp_error *err)
{
	const char *names = find(host, path);
	if (names == NULL)
		return gp_fail(err, GP_E_NOT_FOUND, "%s is not there", path);
	while (*names != '\0') {
		char name[64];
		size_t length = strcspn(names, "\n");
		snprintf(name, sizeof(name), "%.*s", (int)length, names);
		if (each(context, name) != 0)
			return 0;
		names += length + (names[length] == '\n');
	}
	return 0;
}

/* Of NVIDIA's driver there is nothing. */
int gp_host_vgpu_types(struct gp_host *host, const struct gp_gpu *gpu, const struct gp_vgpu_type **types, size_t *count,
		       struct gp_error *err)
{
	(void)host;
	(void)gpu;
	*types = NULL;
	*count = 0;
	return gp_fail(err, GP_E_NOT_FOUND, "there is no list of vGPU types");
}

int gp_host_each_mdev(struct gp_host *host, void (*each)(void *context, const struct gp_mdev *mdev), void *context,
		      struct gp_error *err)
{
	(void)host;
	(void)each;
	(void)context;
	(void)err;
	return 0;
}
