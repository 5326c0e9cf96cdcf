/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pairs RUNS COMMAND… --vs COMMAND…
 *
 * Runs two commands in turn, A B A B …, and prints the median of the ratios A/B pair by pair (wall and processor time)
 * and the peak memory of each. Machines are noisy: a ratio of neighbours in one run can be compared, a bare time
 * cannot. Output of the commands is thrown away; a command that fails ends the benchmark.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

struct cost {
	double wall, cpu; /* seconds */
	long rss_kib;
};

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct cost run(char **command)
{
	posix_spawn_file_actions_t actions;
	struct rusage usage;
	double start = now();
	int status;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&pid, command[0], &actions, NULL, command, environ) != 0 ||
	    wait4(pid, &status, 0, &usage) != pid) {
		perror(command[0]);
		exit(1);
	}
	posix_spawn_file_actions_destroy(&actions);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		fprintf(stderr, "%s: status %d\n", command[0], WEXITSTATUS(status));
		exit(1);
	}
	return (struct cost){now() - start, seconds(usage.ru_utime) + seconds(usage.ru_stime), usage.ru_maxrss};
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), ascending);
	return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

int main(int argc, char **argv)
{
	int runs = argc > 1 ? atoi(argv[1]) : 0;
	char **a = argv + 2, **b = NULL;
	long rss_a = 0, rss_b = 0;

	for (int i = 2; i < argc; i++)
		if (strcmp(argv[i], "--vs") == 0) {
			argv[i] = NULL;
			b = argv + i + 1;
			break;
		}
	if (runs < 1 || runs > 10000 || !b || !*a || !*b) {
		fputs("Usage: pairs RUNS COMMAND... --vs COMMAND...\n", stderr);
		return 64;
	}
	double *wall = calloc((size_t)runs, sizeof(*wall)), *cpu = calloc((size_t)runs, sizeof(*cpu));

	if (!wall || !cpu)
		return 1;
	run(a); /* warm the caches */
	run(b);
	for (int i = 0; i < runs; i++) {
		struct cost x = run(a), y = run(b);

		wall[i] = x.wall / y.wall;
		cpu[i] = x.cpu / y.cpu;
		rss_a = x.rss_kib > rss_a ? x.rss_kib : rss_a;
		rss_b = y.rss_kib > rss_b ? y.rss_kib : rss_b;
	}
	printf("wall %.2f cpu %.2f peak-kib %ld vs %ld pairs %d\n", median(wall, (size_t)runs),
	       median(cpu, (size_t)runs), rss_a, rss_b, runs);
	free(wall);
	free(cpu);
	return 0;
}
