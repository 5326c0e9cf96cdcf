/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parent's half of a write: starts gpupart-write, tells it what to do, and waits until it answers or the deadline
 * passes.
 *
 * The kernel may keep a writer for ever. So it is a process of its own, in a session of its own (Ctrl-C at the terminal
 * must not end it half-way), with nothing open but its pipes and the root directory: a child that never comes back must
 * not keep our locks or libvirt's socket. It is not killed either: half-way is worse than late.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "host/host_internal.h"
#include "host/wire.h"

enum { FIRST_FREE_FD = 16, EXIT_GRACE_MS = 2000, STACK_LINES = 4 };

/* ---- starting it ---- */

struct helper {
	pid_t pid;
	int to, from; /* our ends of its stdin and stdout */
};

static void helper_clear(struct helper *helper)
{
	if (helper->to >= 0)
		close(helper->to);
	if (helper->from >= 0)
		close(helper->from);
}

/* Both ends away from 0…3, so that arranging the child's descriptors never overwrites one that is still to be moved. */
static int high_fd(int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
	int sys = errno;
	close(fd);
	errno = sys;
	return high;
}

static int high_pipe(int ends[2])
{
	int low[2];
	if (pipe2(low, O_CLOEXEC) < 0)
		return -1;
	ends[0] = high_fd(low[0]);
	ends[1] = high_fd(low[1]);
	return ends[0] >= 0 && ends[1] >= 0 ? 0 : -1;
}

static int spawn_with(const char *program, int input, int output, int root_fd, pid_t *pid)
{
	char name[] = "gpupart-write", path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", locale[] = "LC_ALL=C";
	char *const arguments[] = {name, NULL};
	char *const environment[] = {path, locale, NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_adddup2(&files, root_fd, GP_WIRE_ROOT_FD);
	posix_spawn_file_actions_addclosefrom_np(&files, GP_WIRE_ROOT_FD + 1);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	int sys = posix_spawn(pid, program, &files, &attributes, arguments, environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	return sys;
}

int gp_host_fail_writer(struct gp_error *err, int sys, const char *path)
{
	gp_fail_errno(err, sys, "cannot run the helper program %s", path);
	if (sys == ENOENT || sys == EACCES)
		gp_error_remedy(err, "install gpupart completely (gpupart-write belongs to it)");
	return -1;
}

static int start(struct gp_host *host, struct helper *helper, struct gp_error *err)
{
	int to_child[2] = {-1, -1}, from_child[2] = {-1, -1};
	int root_fd = fcntl(host->root_fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
	int sys = 0;
	if (root_fd < 0 || high_pipe(to_child) < 0 || high_pipe(from_child) < 0)
		sys = errno;
	else
		sys = spawn_with(host->writer_path, to_child[0], from_child[1], root_fd, &helper->pid);
	helper->to = to_child[1];
	helper->from = from_child[0];
	const int ours_no_more[] = {root_fd, to_child[0], from_child[1]};
	for (size_t i = 0; i < sizeof(ours_no_more) / sizeof(ours_no_more[0]); i++)
		if (ours_no_more[i] >= 0)
			close(ours_no_more[i]);
	if (sys == 0)
		return 0;
	return gp_host_fail_writer(err, sys, host->writer_path);
}

/* ---- the ones that were left alone ---- */

static void abandon(struct gp_host *host, pid_t pid)
{
	pthread_mutex_lock(&host->abandoned_lock);
	host->abandoned = gp_xrealloc(host->abandoned, (host->abandoned_count + 1) * sizeof(*host->abandoned));
	host->abandoned[host->abandoned_count++] = pid;
	pthread_mutex_unlock(&host->abandoned_lock);
}

static void reap_abandoned(struct gp_host *host)
{
	pthread_mutex_lock(&host->abandoned_lock);
	size_t left = 0;
	for (size_t i = 0; i < host->abandoned_count; i++)
		if (waitpid(host->abandoned[i], NULL, WNOHANG) == 0)
			host->abandoned[left++] = host->abandoned[i];
	host->abandoned_count = left;
	pthread_mutex_unlock(&host->abandoned_lock);
}

/* ---- talking ---- */

/* A request is far smaller than a pipe holds, so that this never waits. */
static void send_request(struct helper *helper, const struct gp_write_request *request)
{
	GP_CLEANUP(gp_str_clear) struct gp_str message = {0};
	gp_wire_add_request(request, &message);
	/* A helper that ended already is found out when its answer is missing; the signal would end us. */
	sigset_t pipe_signal, before;
	sigemptyset(&pipe_signal);
	sigaddset(&pipe_signal, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
	bool gone = write(helper->to, message.text, message.length) < 0 && errno == EPIPE;
	if (gone) {
		const struct timespec now = {0};
		sigtimedwait(&pipe_signal, NULL, &now);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	close(helper->to);
	helper->to = -1;
}

enum heard { HEARD_ANSWER, HEARD_END, HEARD_NOTHING };

static int remaining_ms(uint64_t deadline)
{
	uint64_t now = gp_clock_ms();
	if (now >= deadline)
		return 0;
	return deadline - now > INT32_MAX ? INT32_MAX : (int)(deadline - now);
}

static enum heard hear_answer(int from, uint64_t deadline, struct gp_str *answer)
{
	while (answer->length < GP_WIRE_MAX) {
		struct pollfd wait_for = {.fd = from, .events = POLLIN};
		int ready = poll(&wait_for, 1, remaining_ms(deadline));
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0)
			return HEARD_NOTHING;
		char piece[4096];
		ssize_t got = read(from, piece, sizeof(piece));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return HEARD_END;
		gp_str_add_n(answer, piece, (size_t)got);
		if (gp_wire_is_complete(answer->text, answer->length))
			return HEARD_ANSWER;
	}
	return HEARD_END;
}

/* Reaps a helper that has said all it had to say; its status is for the case that it said nothing. */
static int wait_for_exit(struct gp_host *host, pid_t pid)
{
	int status = -1;
	gp_autoclose int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd >= 0) {
		struct pollfd ended = {.fd = pidfd, .events = POLLIN};
		uint64_t deadline = gp_clock_ms() + EXIT_GRACE_MS;
		while (poll(&ended, 1, remaining_ms(deadline)) < 0 && errno == EINTR)
			continue;
		if (ended.revents == 0) {
			abandon(host, pid);
			return -1;
		}
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return status;
}

/* ---- words ---- */

static void name_subject(const struct gp_write_request *request, struct gp_error *err)
{
	if (request->attribute != NULL)
		gp_error_subject(err, "%s %s", request->device != NULL ? request->device : "", request->attribute);
	else
		gp_error_subject(err, "%s", request->device != NULL ? request->device : "");
}

static int fail_died(const struct gp_write_request *request, int status, struct gp_error *err)
{
	if (status >= 0 && WIFSIGNALED(status))
		gp_fail(err, GP_E_IO, "the helper program was ended by signal %d before it answered", WTERMSIG(status));
	else if (status >= 0 && WIFEXITED(status))
		gp_fail(err, GP_E_IO, "the helper program ended with status %d and no answer", WEXITSTATUS(status));
	else
		gp_fail(err, GP_E_IO, "the helper program gave no answer");
	name_subject(request, err);
	return gp_error_remedy(err, "run 'gpupart plan' to see what is now");
}

/* Where the kernel keeps it, as far as this user may see: real processes, whatever the root directory is. */
static void add_whereabouts(pid_t pid, struct gp_str *text)
{
	char path[64], place[128] = "";
	snprintf(path, sizeof(path), "/proc/%ld/wchan", (long)pid);
	FILE *file = fopen(path, "re");
	if (file != NULL && fgets(place, sizeof(place), file) != NULL && place[0] != '0')
		gp_str_printf(text, ", in %s", place);
	if (file != NULL)
		fclose(file);
	snprintf(path, sizeof(path), "/proc/%ld/stack", (long)pid);
	file = fopen(path, "re");
	for (int i = 0; file != NULL && i < STACK_LINES && fgets(place, sizeof(place), file) != NULL; i++) {
		const char *function = strstr(place, "] ");
		if (function != NULL)
			gp_str_printf(text, "%s%.*s", i == 0 ? ": " : " < ", (int)strcspn(function + 2, "+\n"),
				      function + 2);
	}
	if (file != NULL)
		fclose(file);
}

/* A kernel that waits for its VFs to be closed has removed the links first: the VFs are where the capability says. */
static void predict_partitions(struct gp_arena *arena, struct gp_host *host, struct gp_gpu *gpu)
{
	if (!gpu->vf_enable || gpu->partition_count >= gpu->cap_num_vfs)
		return;
	gpu->partition_count = 0;
	for (uint32_t i = 0; i < gpu->cap_num_vfs; i++) {
		struct gp_pci_addr addr;
		if (!gp_gpu_vf_addr(gpu, i, &addr))
			return;
		char path[96], name[GP_PCI_ADDR_SIZE], text[64];
		struct gp_partition *vf = gp_arena_push(arena, gpu->partitions, gpu->partition_count);
		*vf = (struct gp_partition){.index = i, .addr = addr};
		snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/driver", gp_pci_addr_format(addr, name));
		if (gp_host_read_link(host, path, text, sizeof(text), NULL) > 0)
			vf->driver = gp_arena_strdup(arena, text);
	}
}

static void name_holders(struct gp_host *host, struct gp_pci_addr pf, struct gp_error *err)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	GP_CLEANUP(gp_str_clear) struct gp_str names = {0};
	struct gp_source_state state = {0};
	struct gp_gpu gpu = {0};
	if (gp_host_observe_pf(host, arena, pf, &gpu, NULL) < 0)
		return;
	predict_partitions(arena, host, &gpu);
	gp_holders_scan(host, arena, &gpu, 1, &state);
	for (size_t i = 0; i < gpu.client_count; i++)
		gp_str_printf(&names, "%sprocess %s (pid %llu)", names.length > 0 ? ", " : "", gpu.clients[i].name,
			      (unsigned long long)gpu.clients[i].pid);
	for (size_t i = 0; i < gpu.partition_count; i++)
		for (size_t j = 0; j < gpu.partitions[i].holder_count; j++) {
			const struct gp_holder *holder = &gpu.partitions[i].holders[j];
			gp_str_printf(&names, "%sVF %u: process %s (pid %llu)", names.length > 0 ? ", " : "",
				      gpu.partitions[i].index, holder->name, (unsigned long long)holder->pid);
		}
	if (names.length > 0)
		gp_error_holder(err, "%s", names.text);
}

static int fail_late(struct gp_host *host, const struct gp_write_request *request, pid_t pid, struct gp_error *err)
{
	GP_CLEANUP(gp_str_clear) struct gp_str where = {0};
	add_whereabouts(pid, &where);
	gp_fail(err, GP_E_TIMEOUT, "has not come back after %.1f s; it is left to the kernel (pid %ld%s)",
		(double)request->timeout_ms / 1000, (long)pid, gp_str_text(&where));
	name_subject(request, err);
	gp_error_remedy(err,
			"do not kill it; close whatever holds the device, and run 'gpupart plan' when it has ended");
	if (request->kind == GP_STEP_HELPER || request->guard == GP_GUARD_VF_UNHELD ||
	    (request->kind == GP_STEP_WRITE && request->base == GP_BASE_PCI))
		name_holders(host, request->pf, err);
	return -1;
}

/* ---- the whole of it ---- */

static int check_request(const struct gp_host *host, const struct gp_write_request *request, struct gp_error *err)
{
	if (host->mode != GP_HOST_READ_WRITE || host->kind == GP_HOST_CAPTURED)
		return gp_fail(err, GP_E_INTERNAL, "a host that was opened read-only cannot be written");
	if (request->timeout_ms == 0)
		return gp_fail(err, GP_E_INTERNAL, "a write needs a deadline");
	if (request->guard == GP_GUARD_OFF)
		return gp_fail(err, GP_E_INTERNAL, "whether a VM is off is not for the writing helper to say");
	return 0;
}

int gp_host_write(struct gp_host *host, const struct gp_write_request *request, struct gp_error *err)
{
	if (check_request(host, request, err) < 0)
		return -1;
	reap_abandoned(host);
	GP_CLEANUP(helper_clear) struct helper helper = {.to = -1, .from = -1};
	uint64_t deadline = gp_clock_ms() + request->timeout_ms;
	if (start(host, &helper, err) < 0)
		return -1;
	send_request(&helper, request);
	GP_CLEANUP(gp_str_clear) struct gp_str answer = {0};
	if (hear_answer(helper.from, deadline, &answer) == HEARD_NOTHING) {
		abandon(host, helper.pid);
		return fail_late(host, request, helper.pid, err);
	}
	int status = wait_for_exit(host, helper.pid);
	GP_CLEANUP(gp_error_clear) struct gp_error result = {0};
	if (gp_wire_parse_answer(gp_str_text(&answer), answer.length, &result) < 0)
		return fail_died(request, status, err);
	if (result.kind == GP_E_NONE)
		return 0;
	gp_error_move(err, &result);
	return gp_host_show_root(host, err); /* the helper has the root, but not its name */
}
