/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mutations are counted and traced, and go wrong as they are told to. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "sim_machine.h"

#define PF      "0000:41:00.0"
#define PF_DIR  DEVICES PF "/"
#define NUM_VFS PF_DIR "sriov_numvfs"

enum { CAP_NUM_VFS = 0x10 };

static struct machine m;
static struct gp_error err;

static void make(const char *more)
{
	gp_autofree char *text = gp_xasprintf("version: 1\ngpus:\n  - {address: \"" PF "\", preset: flex-170%s}\n"
					      "vms:\n  - {name: a}\n  - {name: b, state: running}\n",
					      more);
	machine_make(&m, text);
}

static void finish(void)
{
	gp_error_clear(&err);
	machine_remove(&m);
}

/* ---- counting ---- */

START_TEST(every_mutation_is_counted_and_traced)
{
	bool changed;
	make("");
	ck_assert_str_eq(machine_raw(&m, ".sim/writes"), "0\n");
	ck_assert_int_eq(machine_write(&m, NUM_VFS, "2"), 0);
	ck_assert_int_eq(machine_write(&m, NUM_VFS, "4"), -EBUSY);
	struct gp_vmm *vmm = machine_vmm(&m);
	ck_assert_int_eq(vmm->ops->set_mark(vmm, machine_uuid(&m, "a"), true, &changed, &err), 0);
	ck_assert_int_eq(vmm->ops->shutdown(vmm, machine_uuid(&m, "b"), &err), 0);
	ck_assert_str_eq(machine_raw(&m, ".sim/writes"), "4\n");
	ck_assert_str_eq(machine_raw(&m, ".sim/trace"), "1 begin write " NUM_VFS " = 2\n1 end ok\n"
							"2 begin write " NUM_VFS " = 4\n2 end EBUSY\n"
							"3 begin mark a\n3 end ok\n"
							"4 begin shutdown b\n4 end ok\n");
	/* What others do is not gpupart's doing; nor is what changes nothing. */
	machine_vm(&m, "start", "b");
	ck_assert_int_eq(vmm->ops->set_mark(vmm, machine_uuid(&m, "a"), true, &changed, &err), 0);
	ck_assert_int_eq(vmm->ops->start(vmm, machine_uuid(&m, "b"), &err), 0);
	ck_assert_str_eq(machine_raw(&m, ".sim/writes"), "4\n");
	finish();
}
END_TEST

START_TEST(the_nth_fails_once)
{
	bool changed;
	make("");
	machine_fault(&m, "fail 2 ENOSPC");
	machine_fault(&m, "fail 3 EIO");
	ck_assert_int_eq(machine_write(&m, NUM_VFS, "2"), 0);
	ck_assert_int_eq(machine_write(&m, NUM_VFS, "0"), -ENOSPC);
	ck_assert_uint_eq(machine_vfs(&m, PF), 2);
	struct gp_vmm *vmm = machine_vmm(&m);
	ck_assert_int_eq(vmm->ops->set_mark(vmm, machine_uuid(&m, "a"), true, &changed, &err), -1);
	ck_assert_int_eq(err.kind, GP_E_IO);
	ck_assert_int_eq(err.sys, EIO);
	ck_assert(!changed);
	ck_assert_str_eq(machine_raw(&m, ".sim/faults"), "");
	ck_assert_int_eq(machine_write(&m, NUM_VFS, "0"), 0);
	finish();
}
END_TEST

/* ---- killing ---- */

/* How a process ended that writes in its own name: the signal, or 0. */
static int signal_of_writer(const char *value)
{
	pid_t writer = fork();
	int status = 0;
	if (writer == 0) {
		machine_write(&m, NUM_VFS, value);
		_exit(0);
	}
	waitpid(writer, &status, 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

START_TEST(killed_before_nothing_happened)
{
	make("");
	machine_fault(&m, "kill 1 before");
	ck_assert_int_eq(signal_of_writer("2"), SIGKILL);
	ck_assert_uint_eq(machine_vfs(&m, PF), 0);
	ck_assert_str_eq(machine_raw(&m, ".sim/trace"), "1 begin write " NUM_VFS " = 2\n1 end killed before\n");
	ck_assert_int_eq(signal_of_writer("2"), 0);
	ck_assert_uint_eq(machine_vfs(&m, PF), 2);
	finish();
}
END_TEST

START_TEST(killed_after_it_is_done)
{
	make("");
	machine_fault(&m, "kill 2 after");
	ck_assert_int_eq(signal_of_writer("2"), 0);
	ck_assert_int_eq(signal_of_writer("0"), SIGKILL);
	ck_assert_uint_eq(machine_vfs(&m, PF), 0);
	ck_assert_str_eq(machine_text(&m, NUM_VFS), "0");
	finish();
}
END_TEST

START_TEST(the_vm_side_kills_too)
{
	make("");
	machine_fault(&m, "kill 1 after");
	struct gp_vmm *vmm = machine_vmm(&m);
	struct gp_uuid uuid = machine_uuid(&m, "a");
	pid_t writer = fork();
	int status = 0;
	if (writer == 0) {
		bool changed;
		vmm->ops->set_mark(vmm, uuid, true, &changed, NULL);
		_exit(0);
	}
	waitpid(writer, &status, 0);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	ck_assert_ptr_nonnull(strstr(machine_raw(&m, "etc/libvirt/qemu/a.xml"), "to_start"));
	finish();
}
END_TEST

/* The write goes through the helper program; it is the one who started the helper that dies. */
static int signal_of_apply(const char *after)
{
	machine_vmm(&m);
	pid_t apply = fork();
	int status = 0;
	if (apply == 0) {
		struct gp_write_request request = {
			.kind = GP_STEP_WRITE,
			.base = GP_BASE_PCI,
			.device = PF,
			.attribute = "sriov_numvfs",
			.after = after,
			.timeout_ms = 20000,
		};
		gp_pci_addr_parse(PF, &request.pf);
		_exit(gp_host_write(m.host, &request, &err) == 0 ? 0 : 1);
	}
	waitpid(apply, &status, 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

START_TEST(the_helper_has_its_master_killed)
{
	make("");
	machine_fault(&m, "kill 1 before");
	machine_fault(&m, "kill 2 after");
	ck_assert_int_eq(signal_of_apply("2"), SIGKILL);
	ck_assert_uint_eq(machine_vfs(&m, PF), 0);
	ck_assert_int_eq(signal_of_apply("2"), SIGKILL);
	ck_assert_uint_eq(machine_vfs(&m, PF), 2);
	ck_assert_str_eq(machine_text(&m, NUM_VFS), "2");
	ck_assert_int_eq(signal_of_apply("0"), 0);
	ck_assert_uint_eq(machine_vfs(&m, PF), 0);
	finish();
}
END_TEST

/* ---- attributes that misbehave ---- */

START_TEST(an_attribute_fails_always)
{
	make("");
	machine_fault(&m, "attr " PF " sriov_numvfs EPERM");
	ck_assert_int_eq(machine_write(&m, NUM_VFS, "2"), -EPERM);
	ck_assert_int_eq(machine_write(&m, NUM_VFS, "2"), -EPERM);
	ck_assert_int_eq(machine_write(&m, PF_DIR "sriov_drivers_autoprobe", "0"), 0);
	machine_fault(&m, "attr " PF " unbind EIO");
	ck_assert_int_eq(machine_write(&m, "sys/bus/pci/drivers/xe/unbind", PF), -EIO);
	machine_fault(&m, "clear");
	ck_assert_int_eq(machine_write(&m, NUM_VFS, "2"), 0);
	finish();
}
END_TEST

START_TEST(late_vfs_come_when_the_writer_is_gone)
{
	make("");
	machine_fault(&m, "late " PF " 200");
	pid_t writer = fork();
	if (writer == 0)
		_exit(machine_write(&m, NUM_VFS, "3") == 0 ? 0 : 1);
	int status = -1;
	waitpid(writer, &status, 0);
	ck_assert_int_eq(status, 0);
	ck_assert_str_eq(machine_text(&m, NUM_VFS), "3");
	ck_assert_uint_eq(machine_sriov(&m, PF, CAP_NUM_VFS), 3);
	ck_assert(machine_wait(&m, PF_DIR "virtfn2", true));
	ck_assert_int_eq(gp_sim_settle(m.dir, 10000, &err), 0);
	/* The lock of the PF was held all the time: this write comes after the VFs. */
	machine_fault(&m, "clear");
	ck_assert_int_eq(machine_write(&m, NUM_VFS, "0"), 0);
	ck_assert_uint_eq(machine_vfs(&m, PF), 0);
	finish();
}
END_TEST

START_TEST(a_blocked_write_goes_on_when_cleared)
{
	make("");
	machine_fault(&m, "block " PF " sriov_numvfs");
	pid_t writer = fork();
	if (writer == 0)
		_exit(machine_write(&m, NUM_VFS, "2") == 0 ? 0 : 1);
	ck_assert(machine_wait(&m, ".sim/locks/" PF, true));
	gp_sleep_ms(50);
	ck_assert_int_eq(waitpid(writer, NULL, WNOHANG), 0);
	ck_assert_uint_eq(machine_vfs(&m, PF), 0);
	ck_assert_int_eq(gp_sim_settle(m.dir, 20, &err), -1);
	ck_assert_str_eq(err.message, "a writer still holds .sim/locks/" PF);
	gp_error_clear(&err);
	machine_fault(&m, "clear");
	ck_assert_int_eq(gp_sim_settle(m.dir, 10000, &err), 0);
	int status = -1;
	waitpid(writer, &status, 0);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(machine_vfs(&m, PF), 2);
	finish();
}
END_TEST

START_TEST(a_reboot_ends_blocked_writers)
{
	make("");
	machine_fault(&m, "block " PF " sriov_numvfs");
	pid_t writer = fork();
	if (writer == 0)
		_exit(machine_write(&m, NUM_VFS, "2") == -EIO ? 0 : 1);
	ck_assert(machine_wait(&m, ".sim/locks/" PF, true));
	ck_assert_int_eq(gp_sim_reboot(m.dir, NULL, &err), 0);
	int status = -1;
	waitpid(writer, &status, 0);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(machine_vfs(&m, PF), 0);
	finish();
}
END_TEST

/* Two GPUs that are slow: both writes have begun before one has ended. */
START_TEST(gpus_are_slow_side_by_side)
{
	machine_make(&m, "version: 1\ngpus:\n"
			 "  - {address: \"" PF "\", repeat: 4, preset: flex-170, latency_ms: 300}\n");
	pid_t writers[4];
	for (unsigned i = 0; i < 4; i++) {
		gp_autofree char *path = gp_xasprintf(DEVICES "0000:%02x:00.0/sriov_numvfs", 0x41 + i);
		writers[i] = fork();
		if (writers[i] == 0)
			_exit(machine_write(&m, path, "2") == 0 ? 0 : 1);
	}
	for (unsigned i = 0; i < 4; i++) {
		int status = -1;
		waitpid(writers[i], &status, 0);
		ck_assert_int_eq(status, 0);
	}
	const char *trace = machine_raw(&m, ".sim/trace");
	const char *first_end = strstr(trace, " end ");
	unsigned begun = 0;
	for (const char *at = strstr(trace, " begin "); at != NULL && at < first_end; at = strstr(at + 1, " begin "))
		begun++;
	ck_assert_uint_eq(begun, 4);
	ck_assert_uint_eq(machine_vfs(&m, "0000:44:00.0"), 2);
	finish();
}
END_TEST

static bool holders_known(void)
{
	struct gp_observed *observed = gp_observed_new();
	gp_error_clear(&err);
	ck_assert_msg(gp_host_observe_pci(m.host, NULL, 0, observed, &err) == 0, "%s", err.message);
	ck_assert_uint_eq(observed->gpu_count, 1);
	ck_assert_uint_eq(observed->gpus[0].partition_count, 2);
	gp_host_observe_vfio(m.host, observed);
	bool known = observed->vfio_state.known;
	gp_observed_free(observed);
	return known;
}

START_TEST(unreadable_for_everybody)
{
	make("");
	machine_vmm(&m);
	char text[64];
	machine_fault(&m, "unreadable /" PF_DIR "numa_node");
	machine_fault(&m, "unreadable proc");
	ck_assert_int_eq(gp_host_read(m.host, PF_DIR "numa_node", text, sizeof(text), &err), -1);
	ck_assert_int_ne(err.kind, GP_E_NOT_FOUND);
	/* The kernel does not need to look there. */
	ck_assert_int_eq(machine_write(&m, NUM_VFS, "2"), 0);
	ck_assert(!holders_known());
	machine_fault(&m, "clear");
	ck_assert_int_eq(gp_host_read(m.host, PF_DIR "numa_node", text, sizeof(text), &err), 2);
	ck_assert(holders_known());
	finish();
}
END_TEST

START_TEST(a_holder_is_a_process)
{
	make(", vfs: 2");
	machine_fault(&m, "hold " PF "/1");
	gp_autofree char *group = gp_xasprintf("%s", machine_link(&m, DEVICES "0000:41:00.2/iommu_group"));
	ck_assert_str_eq(machine_link(&m, "proc/2002/fd/20"), group);
	ck_assert_str_eq(machine_raw(&m, "proc/2002/comm"), "vfio-holder\n");
	ck_assert_str_eq(machine_link(&m, DEVICES "0000:41:00.2/driver"), "vfio-pci");
	machine_fault(&m, "clear");
	ck_assert(!machine_has(&m, "proc/2002"));
	ck_assert_str_eq(machine_link(&m, DEVICES "0000:41:00.2/driver"), "<none>");
	finish();
}
END_TEST

START_TEST(libvirt_is_down)
{
	make("");
	struct gp_vmm *vmm = machine_vmm(&m);
	struct gp_uuid uuid = machine_uuid(&m, "a");
	enum gp_domain_state state;
	machine_fault(&m, "libvirt-down");
	ck_assert_int_eq(vmm->ops->state(vmm, uuid, &state, &err), -1);
	ck_assert_int_eq(err.kind, GP_E_UNAVAILABLE);
	ck_assert_int_eq(vmm->ops->start(vmm, uuid, &err), -1);
	machine_fault(&m, "clear");
	ck_assert_int_eq(vmm->ops->state(vmm, uuid, &state, &err), 0);
	finish();
}
END_TEST

/* ---- words ---- */

static void refuse(const char *line, enum gp_error_kind kind, const char *message)
{
	const char *words[8];
	size_t count = 0;
	char *rest = NULL;
	gp_autofree char *copy = gp_xstrdup(line);
	for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
		words[count++] = word;
	ck_assert_msg(gp_sim_fault(m.dir, words, count, &err) == -1, "%s", line);
	ck_assert_str_eq(err.message, message);
	ck_assert_int_eq(err.kind, kind);
	gp_error_clear(&err);
}

START_TEST(bad_words_say_what_would_work)
{
	make("");
	refuse("fial 1 EIO", GP_E_USAGE, "there is no fault 'fial'; did you mean 'fail'?");
	refuse("fail 1", GP_E_USAGE, "fail takes 2 words after it, not 1: fail N ERRNO");
	refuse("fail 0 EIO", GP_E_USAGE, "'0' is no count of mutations; 1 is the next one");
	refuse("fail 1 EWHAT", GP_E_USAGE, "'EWHAT' is no errno");
	refuse("kill 1 during", GP_E_USAGE, "kill before or after the mutation, not 'during'");
	refuse("attr here sriov_numvfs EIO", GP_E_USAGE, "'here' is no PCI device");
	refuse("attr 0000:99:00.0 sriov_numvfs EIO", GP_E_NOT_FOUND, "this machine has no device 0000:99:00.0");
	refuse("attr " PF " sriov_numvf EIO", GP_E_USAGE,
	       "nobody writes an attribute 'sriov_numvf'; did you mean 'sriov_numvfs'?");
	refuse("short " PF " driver_override", GP_E_USAGE, "only sriov_numvfs can fall short, not 'driver_override'");
	refuse("late " PF " soon", GP_E_USAGE, "'soon' is no number of milliseconds");
	refuse("ignore-shutdown nobody", GP_E_NOT_FOUND, "this machine has no VM 'nobody'");
	refuse("hold " PF "/3", GP_E_NOT_FOUND, "0000:41:00.4 does not exist now: its VF is not enabled");
	refuse("hold " PF "/31", GP_E_USAGE, "'" PF "/31' is no PCI device");
	const char *words[] = {"nothing"};
	ck_assert_int_eq(gp_sim_fault(m.dir, words, 1, &err), -1);
	ck_assert_str_eq(err.remedy, "fail N ERRNO; kill N before|after; attr DEVICE ATTR ERRNO; short DEVICE "
				     "sriov_numvfs; late DEVICE MS; slow DEVICE ATTR MS; block DEVICE ATTR; "
				     "initialising DEVICE MS; client DEVICE [NAME]; settle DEVICE MS; drops DEVICE; "
				     "ignore-shutdown NAME; unreadable PATH; hold DEVICE; libvirt VERSION; "
				     "libvirt-down; clear");
	ck_assert_int_eq(gp_sim_fault("/tmp", words, 1, &err), -1);
	ck_assert_int_eq(err.kind, GP_E_USAGE);
	ck_assert_str_eq(err.message, "/tmp is no simulated machine: it holds no gpupart-sim.yaml");
	ck_assert_int_eq(gp_sim_fault("/", words, 1, &err), -1);
	ck_assert_str_eq(machine_raw(&m, ".sim/faults"), "");
	finish();
}
END_TEST

MACHINE_RUN("sim_faults", every_mutation_is_counted_and_traced, the_nth_fails_once, killed_before_nothing_happened,
	    killed_after_it_is_done, the_vm_side_kills_too, the_helper_has_its_master_killed, an_attribute_fails_always,
	    late_vfs_come_when_the_writer_is_gone, a_blocked_write_goes_on_when_cleared, a_reboot_ends_blocked_writers,
	    gpus_are_slow_side_by_side, unreadable_for_everybody, a_holder_is_a_process, libvirt_is_down,
	    bad_words_say_what_would_work)
