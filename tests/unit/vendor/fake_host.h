/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A host of a few files, for back-ends: they only read. It defines the readers of host.h that back-ends use, so that
 * the real ones are not linked, and counts what was read.
 */
#ifndef GP_TEST_FAKE_HOST_H
#define GP_TEST_FAKE_HOST_H

#include "host/host.h"

struct fake_file {
	const char *path;
	const char *text;
};

struct gp_host {
	const struct fake_file *files;
	size_t file_count;
	unsigned reads; /* of files that are there or not */
};

#endif
