/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * floor_files LIST: the floor under every reader of the same facts. Opens, reads and closes each file of LIST (one path
 * a line), reads each symbolic link marked "L path", lists each directory marked "D path", stats each "S path"; nothing
 * else.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char buffer[1 << 16];

static int touch(char kind, const char *path)
{
	struct stat st;
	DIR *dir;
	int fd;

	switch (kind) {
	case 'L':
		return (int)readlink(path, buffer, sizeof(buffer));
	case 'S':
		return stat(path, &st);
	case 'D':
		dir = opendir(path);
		if (!dir)
			return -1;
		while (readdir(dir))
			;
		return closedir(dir);
	default:
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return -1;
		while (read(fd, buffer, sizeof(buffer)) > 0)
			;
		return close(fd);
	}
}

int main(int argc, char **argv)
{
	FILE *list = argc == 2 ? fopen(argv[1], "r") : NULL;
	char line[4096];
	unsigned long touched = 0, missing = 0;

	if (!list) {
		fputs("Usage: floor_files LIST\n", stderr);
		return 64;
	}
	while (fgets(line, sizeof(line), list)) {
		line[strcspn(line, "\n")] = '\0';
		if (strlen(line) > 2 && touch(line[0], line + 2) >= 0)
			touched++;
		else
			missing++;
	}
	fclose(list);
	printf("%lu touched, %lu missing\n", touched, missing);
	return 0;
}
