/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gpupart-write: makes one primitive change, under the PF's lock, and says how it went. Started by gpupart; the request
 * comes on stdin, the answer goes to stdout, the root directory is descriptor 3.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "host/host_internal.h"
#include "host/wire.h"
#include "host/write_change.h"

static bool is_started_by_gpupart(void)
{
	struct stat info;
	return fstat(GP_WIRE_ROOT_FD, &info) == 0 && S_ISDIR(info.st_mode) && isatty(STDIN_FILENO) == 0;
}

static int read_message(char *message, size_t size, size_t *length)
{
	*length = 0;
	while (*length < size) {
		ssize_t got = read(STDIN_FILENO, message + *length, size - *length);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return (int)got;
		*length += (size_t)got;
	}
	return -1;
}

static int serve(struct gp_error *err)
{
	char message[GP_WIRE_MAX];
	size_t length;
	struct gp_write_request request;
	struct gp_host *host = NULL;
	if (read_message(message, sizeof(message), &length) < 0)
		return gp_fail(err, GP_E_CORRUPT, "the request could not be read");
	if (gp_wire_parse_request(message, length, &request, err) < 0)
		return -1;
	if (gp_host_adopt_root(GP_WIRE_ROOT_FD, &host, err) < 0)
		return -1;
	int result = gp_write_change(host, &request, err);
	gp_host_close(host);
	return result;
}

static int answer(const struct gp_error *result)
{
	GP_CLEANUP(gp_str_clear) struct gp_str message = {0};
	gp_wire_add_answer(result, &message);
	const char *text = message.text;
	for (size_t left = message.length; left > 0;) {
		ssize_t wrote = write(STDOUT_FILENO, text, left);
		if (wrote < 0 && errno == EINTR)
			continue;
		/* Whoever asked is gone. The change was made all the same, and its next run sees it. */
		if (wrote < 0)
			return 1;
		text += wrote;
		left -= (size_t)wrote;
	}
	return 0;
}

int main(int argc, char **argv GP_UNUSED)
{
	if (argc > 1 || !is_started_by_gpupart()) {
		fputs("gpupart-write is started by gpupart, and by nobody else.\n", stderr);
		return 64;
	}
	signal(SIGPIPE, SIG_IGN);
	umask(022);
	/* No file system is kept busy by a writer that the kernel does not give back. */
	if (chdir("/") != 0)
		return 1;
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	serve(&err);
	return answer(&err);
}
