/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/sim_fault.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"
#include "host/nvidia_sim.h"
#include "host/sim.h"
#include "host/sim_domain.h"
#include "host/sim_kernel.h"
#include "host/sim_tree.h"

#define FAULTS       ".sim/faults"
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { MODE = 0644, LAST_ERRNO = 133, DEATH_TIMEOUT_MS = 10000 };

int gp_errno_from_name(const char *name)
{
	for (int sys = 1; sys <= LAST_ERRNO; sys++)
		if (gp_streq(strerrorname_np(sys), name))
			return sys;
	return 0;
}

/* ---- looking up ---- */

/* What follows `prefix` and a blank in the line; NULL: the line is another one. */
static const char *after_prefix(const char *line, const char *prefix)
{
	if (!gp_starts_with(line, prefix))
		return NULL;
	const char *rest = line + strlen(prefix);
	if (*rest == '\0')
		return rest;
	return *rest == ' ' ? rest + 1 : NULL;
}

bool gp_sim_fault_find(int root, const char *kind, const char *first, const char *second, char **rest)
{
	gp_autofree char *text = gp_tree_read(root, NULL, FAULTS);
	gp_autofree char *prefix =
		gp_xasprintf("%s%s%s%s%s", kind, *first == '\0' ? "" : " ", first, *second == '\0' ? "" : " ", second);
	char *next = NULL;
	for (char *line = text == NULL ? NULL : strtok_r(text, "\n", &next); line != NULL;
	     line = strtok_r(NULL, "\n", &next)) {
		const char *found = after_prefix(line, prefix);
		if (found == NULL)
			continue;
		if (rest != NULL)
			*rest = gp_xstrdup(found);
		return true;
	}
	return false;
}

uint64_t gp_sim_fault_ms(int root, const char *kind, const char *first, const char *second)
{
	gp_autofree char *rest = NULL;
	uint64_t ms = 0;
	if (gp_sim_fault_find(root, kind, first, second, &rest))
		gp_parse_u64(rest, &ms);
	return ms;
}

int gp_sim_fault_errno(int root, const char *device, const char *attribute)
{
	gp_autofree char *rest = NULL;
	return gp_sim_fault_find(root, "attr", device, attribute, &rest) ? gp_errno_from_name(rest) : 0;
}

/* Writes the faults again, without those lines that `drop` says. */
static int rewrite_faults(int root, bool (*drop)(int root, const char *line))
{
	gp_autofree char *text = gp_tree_read(root, NULL, FAULTS);
	GP_CLEANUP(gp_str_clear) struct gp_str kept = {0};
	char *next = NULL;
	for (char *line = text == NULL ? NULL : strtok_r(text, "\n", &next); line != NULL;
	     line = strtok_r(NULL, "\n", &next))
		if (!drop(root, line))
			gp_str_printf(&kept, "%s\n", line);
	return gp_tree_write(root, MODE, gp_str_text(&kept), FAULTS);
}

/* ---- mutations ---- */

/* The writing helper acts for the process that started it. */
static pid_t asker(void)
{
	return gp_streq(program_invocation_short_name, "gpupart-write") ? getppid() : getpid();
}

static int is_root_directory(void *context, const char *name)
{
	const struct stat *root = context;
	struct stat found;
	(void)name;
	return stat(name, &found) == 0 && found.st_dev == root->st_dev && found.st_ino == root->st_ino ? 1 : 0;
}

/*
 * Has the process this machine's root directory open? When gpupart died already, its helper's parent is whoever takes
 * orphans in, and must be left alone.
 */
static bool works_here(int root, pid_t pid)
{
	gp_autofree char *path = gp_xasprintf("/proc/%d/fd", pid);
	struct gp_names names = {0};
	struct stat wanted;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool found = false;

	if (fd < 0 || fstat(root, &wanted) < 0 || gp_names_read(fd, &names) < 0) {
		gp_names_clear(&names);
		return false;
	}
	for (size_t i = 0; i < names.count && !found; i++) {
		gp_autofree char *link = gp_xasprintf("%s/%s", path, gp_names_at(&names, i));
		found = is_root_directory(&wanted, link) == 1;
	}
	gp_names_clear(&names);
	return found;
}

static void kill_other(int root, pid_t pid)
{
	gp_autoclose int pidfd = pidfd_open(pid, 0);
	if (pidfd < 0 || !works_here(root, pid))
		return;
	if (pidfd_send_signal(pidfd, SIGKILL, NULL, 0) < 0)
		return;
	/* Nothing more may happen on the machine until it is really gone. */
	struct pollfd gone = {.fd = pidfd, .events = POLLIN};
	poll(&gone, 1, DEATH_TIMEOUT_MS);
}

static void trace(int root, uint64_t number, const char *word, const char *what)
{
	GP_CLEANUP(gp_str_clear) struct gp_str line = {0};
	gp_str_printf(&line, "%" PRIu64 " %s ", number, word);
	gp_str_add_shown(&line, what);
	gp_str_add_char(&line, '\n');
	gp_tree_append(root, gp_str_text(&line), ".sim/trace");
}

static uint64_t mutation_count(int root)
{
	gp_autofree char *text = gp_tree_word(root, ".sim/writes");
	uint64_t count = 0;
	gp_parse_u64(text, &count);
	return count;
}

static uint64_t count_mutation(int root)
{
	uint64_t number = mutation_count(root) + 1;
	gp_autofree char *text = gp_xasprintf("%" PRIu64 "\n", number);
	gp_tree_write(root, MODE, text, ".sim/writes");
	return number;
}

/* Faults that name the number of a mutation strike once. */
static bool is_spent(int root, const char *line)
{
	uint64_t number = 0, made = mutation_count(root);
	const char *rest = after_prefix(line, "fail");
	if (rest == NULL)
		rest = after_prefix(line, "kill");
	if (rest == NULL)
		return false;
	gp_autofree char *word = gp_xasprintf("%.*s", (int)strcspn(rest, " "), rest);
	return gp_parse_u64(word, &number) == 0 && number <= made;
}

/* 0, -errno, or the exit status of a program. */
static const char *result_name(int result)
{
	const char *name = result == 0 ? "ok" : result > 0 ? "failed" : strerrorname_np(-result);
	return name == NULL ? "unknown" : name;
}

int gp_sim_mutation_begin(int root, const char *what, struct gp_sim_mutation *out)
{
	gp_autoclose GP_UNUSED int lock = gp_tree_lock_machine(root);
	gp_autofree char *when = NULL;
	gp_autofree char *failure = NULL;
	if (lock < 0)
		return -errno;

	*out = (struct gp_sim_mutation){.root = root, .asker = asker(), .number = count_mutation(root)};
	gp_autofree char *number = gp_xasprintf("%" PRIu64, out->number);
	bool kills = gp_sim_fault_find(root, "kill", number, "", &when);
	bool fails = gp_sim_fault_find(root, "fail", number, "", &failure);
	if (kills || fails)
		rewrite_faults(root, is_spent);

	trace(root, out->number, "begin", what);
	if (kills && gp_streq(when, "before")) {
		trace(root, out->number, "end", "killed before");
		if (out->asker != getpid())
			kill_other(root, out->asker);
		kill(getpid(), SIGKILL);
	}
	out->kill_after = kills;
	if (!fails)
		return 0;
	trace(root, out->number, "end", failure);
	return -gp_errno_from_name(failure);
}

void gp_sim_mutation_end(const struct gp_sim_mutation *mutation, int result)
{
	gp_autoclose GP_UNUSED int lock = gp_tree_lock_machine(mutation->root);
	trace(mutation->root, mutation->number, "end", mutation->kill_after ? "killed after" : result_name(result));
	if (!mutation->kill_after)
		return;
	if (mutation->asker == getpid())
		kill(getpid(), SIGKILL);
	kill_other(mutation->root, mutation->asker);
}

/* ---- setting faults ---- */

struct call {
	int root;
	const char *const *args; /* after the kind */
	size_t arg_count;
	struct gp_error *err;
	struct gp_str line;
};

static const char *const attributes[] = {
	"sriov_numvfs", "sriov_drivers_autoprobe",  "driver_override",    "bind",   "unbind", "drivers_probe",
	"sriov-manage", "nvidia/current_vgpu_type", "nvidia/vgpu_params", "create", "remove"};

static int take_attribute(struct call *call, const char *word)
{
	for (size_t i = 0; i < COUNT(attributes); i++)
		if (gp_streq(attributes[i], word)) {
			gp_str_printf(&call->line, " %s", word);
			return 0;
		}
	const char *near = gp_did_you_mean(word, attributes, COUNT(attributes));
	gp_fail(call->err, GP_E_USAGE, "nobody writes an attribute '%s'%s%s%s", word,
		near == NULL ? "" : "; did you mean '", near == NULL ? "" : near, near == NULL ? "" : "'?");
	GP_CLEANUP(gp_str_clear) struct gp_str all = {0};
	for (size_t i = 0; i < COUNT(attributes); i++)
		gp_str_printf(&all, "%s%s", i == 0 ? "" : i + 1 == COUNT(attributes) ? " or " : ", ", attributes[i]);
	return gp_error_remedy(call->err, "%s", gp_str_text(&all));
}

/* "0000:41:00.0", or a VF as "0000:41:00.0/3". */
static int resolve_device(int root, const char *word, struct gp_pci_addr *out)
{
	struct gp_sim_device device;
	gp_autofree char *symbolic = gp_xasprintf("vf:%s", word);
	struct gp_vf_ref vf;
	if (gp_vf_ref_parse(gp_starts_with(word, "vf:") ? word : symbolic, &vf) == 0) {
		if (gp_sim_device_load(root, vf.pf, &device) < 0 || vf.index >= device.total_vfs)
			return -1;
		*out = gp_sim_vf_addr(&device, vf.index);
		return 0;
	}
	return gp_pci_addr_parse(word, out);
}

static int take_device(struct call *call, const char *word, struct gp_pci_addr *out)
{
	char addr[GP_PCI_ADDR_SIZE];
	if (resolve_device(call->root, word, out) < 0) {
		gp_fail(call->err, GP_E_USAGE, "'%s' is no PCI device", word);
		return gp_error_remedy(call->err,
				       "an address as in \"0000:41:00.0\", or a VF as in \"0000:41:00.0/3\"");
	}
	gp_pci_addr_format(*out, addr);
	struct gp_pci_addr pf;
	if (!gp_tree_exists(call->root, ".sim/devices/%s", addr) &&
	    !gp_tree_exists(call->root, "sys/bus/pci/devices/%s", addr) &&
	    gp_kernel_vf_owner(call->root, *out, &pf) < 0) {
		gp_fail(call->err, GP_E_NOT_FOUND, "this machine has no device %s", addr);
		return gp_error_remedy(call->err, "`ls sys/bus/pci/devices` shows those that it has");
	}
	gp_str_printf(&call->line, " %s", addr);
	return 0;
}

static int take_ms(struct call *call, const char *word)
{
	uint64_t ms;
	if (gp_parse_u64(word, &ms) < 0)
		return gp_fail(call->err, GP_E_USAGE, "'%s' is no number of milliseconds", word);
	gp_str_printf(&call->line, " %" PRIu64, ms);
	return 0;
}

static int take_errno(struct call *call, const char *word)
{
	if (gp_errno_from_name(word) == 0) {
		gp_fail(call->err, GP_E_USAGE, "'%s' is no errno", word);
		return gp_error_remedy(call->err, "a name as in errno(3): EBUSY, EIO, EPERM, ENOSPC, ENOMEM …");
	}
	gp_str_printf(&call->line, " %s", word);
	return 0;
}

/* Counted from now; kept as the mutation's own number, since others come in between. */
static int take_nth(struct call *call, const char *word)
{
	uint64_t nth;
	if (gp_parse_u64(word, &nth) < 0 || nth == 0)
		return gp_fail(call->err, GP_E_USAGE, "'%s' is no count of mutations; 1 is the next one", word);
	gp_str_printf(&call->line, " %" PRIu64, mutation_count(call->root) + nth);
	return 0;
}

static int set_fail(struct call *call)
{
	return take_nth(call, call->args[0]) < 0 ? -1 : take_errno(call, call->args[1]);
}

static int set_kill(struct call *call)
{
	const char *when = call->args[1];
	if (take_nth(call, call->args[0]) < 0)
		return -1;
	if (!gp_streq(when, "before") && !gp_streq(when, "after"))
		return gp_fail(call->err, GP_E_USAGE, "kill before or after the mutation, not '%s'", when);
	gp_str_printf(&call->line, " %s", when);
	return 0;
}

static int set_attr(struct call *call)
{
	struct gp_pci_addr addr = {0};
	if (take_device(call, call->args[0], &addr) < 0 || take_attribute(call, call->args[1]) < 0)
		return -1;
	return take_errno(call, call->args[2]);
}

static int set_block(struct call *call)
{
	struct gp_pci_addr addr = {0};
	return take_device(call, call->args[0], &addr) < 0 ? -1 : take_attribute(call, call->args[1]);
}

static int set_short(struct call *call)
{
	if (!gp_streq(call->args[1], "sriov_numvfs"))
		return gp_fail(call->err, GP_E_USAGE, "only sriov_numvfs can fall short, not '%s'", call->args[1]);
	return set_block(call);
}

static int set_late(struct call *call)
{
	struct gp_pci_addr addr = {0};
	return take_device(call, call->args[0], &addr) < 0 ? -1 : take_ms(call, call->args[1]);
}

static int set_slow(struct call *call)
{
	return set_block(call) < 0 ? -1 : take_ms(call, call->args[2]);
}

static int set_ignore_shutdown(struct call *call)
{
	if (!gp_tree_exists(call->root, "etc/libvirt/qemu/%s.xml", call->args[0]) &&
	    !gp_tree_exists(call->root, "run/libvirt/qemu/%s.xml", call->args[0]))
		return gp_fail(call->err, GP_E_NOT_FOUND, "this machine has no VM '%s'", call->args[0]);
	gp_str_printf(&call->line, " %s", call->args[0]);
	return 0;
}

static int set_unreadable(struct call *call)
{
	const char *path = call->args[0];
	while (*path == '/')
		path++;
	if (gp_tree_hide(call->root, path) < 0)
		return gp_fail_errno(call->err, errno, "cannot make /%s unreadable", path);
	gp_str_printf(&call->line, " %s", path);
	return 0;
}

static int set_hold(struct call *call)
{
	struct gp_pci_addr addr = {0};
	uint64_t pid;
	if (take_device(call, call->args[0], &addr) < 0)
		return -1;
	if (gp_kernel_hold(call->root, addr, "vfio-holder", &pid, call->err) < 0)
		return -1;
	gp_str_printf(&call->line, " %" PRIu64, pid);
	return 0;
}

/* One of NVIDIA's, by its address alone. */
static int take_nvidia(struct call *call, const char *word, struct gp_pci_addr *out)
{
	struct gp_sim_device device;
	char addr[GP_PCI_ADDR_SIZE];
	if (take_device(call, word, out) < 0)
		return -1;
	if (gp_sim_device_load(call->root, *out, &device) == 0 && gp_nvidia_drives(&device))
		return 0;
	return gp_fail(call->err, GP_E_USAGE, "%s is no GPU with NVIDIA's driver", gp_pci_addr_format(*out, addr));
}

static int set_initialising(struct call *call)
{
	struct gp_pci_addr addr = {0};
	if (take_nvidia(call, call->args[0], &addr) < 0 || take_ms(call, call->args[1]) < 0)
		return -1;
	gp_str_printf(&call->line, " %" PRIu64, gp_clock_unix_ms());
	return 0;
}

static int set_client(struct call *call)
{
	struct gp_pci_addr addr = {0};
	uint64_t pid;
	const char *comm = call->arg_count > 1 ? call->args[1] : "nvidia-persistenced";
	if (take_nvidia(call, call->args[0], &addr) < 0 ||
	    gp_kernel_client(call->root, addr, comm, &pid, call->err) < 0)
		return -1;
	gp_str_printf(&call->line, " %" PRIu64, pid);
	return 0;
}

static int set_drops(struct call *call)
{
	struct gp_pci_addr addr = {0};
	return take_device(call, call->args[0], &addr);
}

static int set_libvirt(struct call *call)
{
	uint32_t version;
	if (gp_sim_parse_version(call->args[0], &version) < 0)
		return gp_fail(call->err, GP_E_USAGE, "'%s' is no version as in 9.0.0", call->args[0]);
	gp_str_printf(&call->line, " %s", call->args[0]);
	return 0;
}

static int set_libvirt_down(struct call *call)
{
	(void)call;
	return 0;
}

static const struct {
	const char *kind, *usage;
	size_t arg_count;
	bool one_more; /* that may be left out */
	int (*set)(struct call *call);
} kinds[] = {
	{"fail", "fail N ERRNO", 2, false, set_fail},
	{"kill", "kill N before|after", 2, false, set_kill},
	{"attr", "attr DEVICE ATTR ERRNO", 3, false, set_attr},
	{"short", "short DEVICE sriov_numvfs", 2, false, set_short},
	{"late", "late DEVICE MS", 2, false, set_late},
	{"slow", "slow DEVICE ATTR MS", 3, false, set_slow},
	{"block", "block DEVICE ATTR", 2, false, set_block},
	{"initialising", "initialising DEVICE MS", 2, false, set_initialising},
	{"client", "client DEVICE [NAME]", 1, true, set_client},
	{"settle", "settle DEVICE MS", 2, false, set_late},
	{"drops", "drops DEVICE", 1, false, set_drops},
	{"ignore-shutdown", "ignore-shutdown NAME", 1, false, set_ignore_shutdown},
	{"unreadable", "unreadable PATH", 1, false, set_unreadable},
	{"hold", "hold DEVICE", 1, false, set_hold},
	{"libvirt", "libvirt VERSION", 1, false, set_libvirt},
	{"libvirt-down", "libvirt-down", 0, false, set_libvirt_down},
	{"clear", "clear", 0, false, NULL},
};

static int unknown_fault(const char *word, struct gp_error *err)
{
	const char *names[COUNT(kinds)];
	GP_CLEANUP(gp_str_clear) struct gp_str usages = {0};
	for (size_t i = 0; i < COUNT(kinds); i++) {
		names[i] = kinds[i].kind;
		gp_str_printf(&usages, "%s%s", i == 0 ? "" : "; ", kinds[i].usage);
	}
	const char *near = gp_did_you_mean(word, names, COUNT(kinds));
	gp_fail(err, GP_E_USAGE, "there is no fault '%s'%s%s%s", word, near == NULL ? "" : "; did you mean '",
		near == NULL ? "" : near, near == NULL ? "" : "'?");
	return gp_error_remedy(err, "%s", gp_str_text(&usages));
}

static bool undo_fault(int root, const char *line)
{
	const char *path = after_prefix(line, "unreadable");
	const char *hold = after_prefix(line, "hold");
	uint64_t pid;
	if (hold == NULL)
		hold = after_prefix(line, "client");
	if (path != NULL)
		gp_tree_show(root, path);
	if (hold != NULL && strrchr(hold, ' ') != NULL && gp_parse_u64(strrchr(hold, ' ') + 1, &pid) == 0)
		gp_kernel_let_go(root, pid);
	return true;
}

static int set_fault(int root, size_t kind, const char *const *args, size_t arg_count, struct gp_error *err)
{
	struct call call = {.root = root, .args = args, .arg_count = arg_count, .err = err};
	gp_str_add(&call.line, kinds[kind].kind);
	int result = kinds[kind].set(&call);
	gp_str_add_char(&call.line, '\n');
	if (result == 0 && gp_tree_append(root, gp_str_text(&call.line), FAULTS) < 0)
		result = gp_fail_errno(err, errno, "cannot note the fault in " FAULTS);
	gp_str_clear(&call.line);
	return result;
}

int gp_sim_fault(const char *directory, const char *const *words, size_t count, struct gp_error *err)
{
	gp_autoclose int root = gp_sim_open(directory, err);
	if (root < 0)
		return -1;
	if (count == 0)
		return unknown_fault("", err);
	gp_autoclose GP_UNUSED int lock = gp_tree_lock_machine(root);
	if (lock < 0)
		return gp_fail_errno(err, errno, "cannot lock the simulated machine");
	for (size_t i = 0; i < COUNT(kinds); i++) {
		if (!gp_streq(kinds[i].kind, words[0]))
			continue;
		if (count - 1 != kinds[i].arg_count && !(kinds[i].one_more && count - 2 == kinds[i].arg_count))
			return gp_fail(err, GP_E_USAGE, "%s takes %zu words after it, not %zu: %s", words[0],
				       kinds[i].arg_count, count - 1, kinds[i].usage);
		return kinds[i].set == NULL ? rewrite_faults(root, undo_fault)
					    : set_fault(root, i, words + 1, count - 1, err);
	}
	return unknown_fault(words[0], err);
}

static bool reapply_fault(int root, const char *line)
{
	const char *path = after_prefix(line, "unreadable");
	if (path != NULL)
		gp_tree_hide(root, path);
	/* Processes are gone. */
	return after_prefix(line, "hold") != NULL || after_prefix(line, "client") != NULL;
}

void gp_sim_faults_after_reboot(int root)
{
	rewrite_faults(root, reapply_fault);
}
