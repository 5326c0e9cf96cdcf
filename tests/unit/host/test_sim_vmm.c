/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VMs of a simulated machine refuse what libvirt refuses, in its words, and hold what they run on. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim_machine.h"

#define PF   "0000:41:00.0"
#define VF0  "0000:41:00.1"
#define VF1  "0000:41:00.2"
#define LIVE "run/libvirt/qemu/"
#define CONF "etc/libvirt/qemu/"

static struct machine m;
static struct gp_vmm *vmm;
static struct gp_error err;

static void make(const char *vms)
{
	gp_autofree char *text = gp_xasprintf(
		"version: 1\nhostname: h1\ngpus:\n  - {address: \"" PF "\", preset: flex-170, vfs: 4}\nvms:\n%s", vms);
	machine_make(&m, text);
	vmm = machine_vmm(&m);
}

static void finish(void)
{
	gp_error_clear(&err);
	machine_remove(&m);
}

static struct gp_uuid id(const char *name)
{
	return machine_uuid(&m, name);
}

static void fails(int result, enum gp_error_kind kind, const char *message)
{
	ck_assert_int_eq(result, -1);
	ck_assert_str_eq(err.message, message);
	ck_assert_int_eq(err.kind, kind);
	gp_error_clear(&err);
}

static struct gp_hostdev hostdev(const char *addr, const char *alias)
{
	struct gp_hostdev hostdev = {.type = GP_HOSTDEV_PCI, .managed = true, .alias = alias, .guest_xml = ""};
	ck_assert_int_eq(gp_pci_addr_parse(addr, &hostdev.source), 0);
	hostdev.ours = gp_alias_is_ours(alias);
	return hostdev;
}

static enum gp_domain_state state_of(const char *name)
{
	enum gp_domain_state state = GP_DOMAIN_UNKNOWN;
	ck_assert_int_eq(vmm->ops->state(vmm, id(name), &state, &err), 0);
	return state;
}

/* ---- observing ---- */

START_TEST(everything_is_seen)
{
	make("  - {name: b, state: running, hostdevs: [{vf: \"" PF "/0\", ours: vdi, address: \"0000:07:00.0\"}]}\n"
	     "  - {name: a, autostart: true, external: nova, hostdevs: [{vf: \"" PF "/3\"}]}\n"
	     "  - {name: a-1, managed_save: true}\n"
	     "  - {name: c, state: paused, running_for: 2h}\n"
	     "  - {name: d, state: running, persistent: false}\n");
	struct gp_observed *observed = gp_observed_new();
	ck_assert_int_eq(vmm->ops->observe(vmm, observed, &err), 0);
	ck_assert_uint_eq(observed->domain_count, 5);
	const struct gp_domain *d = observed->domains;
	ck_assert_str_eq(d[0].name, "a");
	ck_assert_str_eq(d[1].name, "a-1");
	ck_assert_str_eq(d[4].name, "d");

	ck_assert_int_eq(d[0].state, GP_DOMAIN_OFF);
	ck_assert(d[0].persistent && d[0].autostart && !d[0].managed_save && d[0].config_known && d[0].live_known);
	ck_assert_str_eq(d[0].external, "OpenStack Nova");
	ck_assert_uint_eq(d[0].config_count, 1);
	ck_assert_ptr_null(d[0].config[0].alias);
	ck_assert_uint_eq(d[0].live_count, 0);
	ck_assert(d[1].managed_save);

	ck_assert_int_eq(d[2].state, GP_DOMAIN_RUNNING);
	ck_assert_str_eq(d[2].config[0].alias, "ua-gpupart-0-vdi");
	ck_assert(d[2].config[0].ours && d[2].config[0].managed);
	ck_assert_ptr_nonnull(strstr(d[2].config[0].guest_xml, "bus=\"0x07\""));
	ck_assert_uint_eq(d[2].live_count, 1);
	ck_assert_uint_ge(d[2].running_ms, 3600000);
	ck_assert_int_eq(d[3].state, GP_DOMAIN_PAUSED);
	ck_assert_uint_ge(d[3].running_ms, 7200000);
	ck_assert(!d[4].persistent);
	ck_assert_int_eq(d[4].state, GP_DOMAIN_RUNNING);
	/* Derived from the name, and the same every time. */
	char uuid[GP_UUID_SIZE];
	ck_assert_str_eq(gp_uuid_format(d[0].uuid, uuid), "d5a36093-4555-5e66-b95e-fdb3aec717e2");
	gp_observed_free(observed);
	finish();
}
END_TEST

START_TEST(a_file_that_does_not_parse_is_unknown)
{
	make("  - {name: a}\n");
	gp_autofree char *path = gp_xasprintf("%s/" CONF "broken.xml", m.dir);
	FILE *file = fopen(path, "we");
	fputs("<domain><name>broken</name><devices><hostdev", file);
	fclose(file);
	struct gp_observed *observed = gp_observed_new();
	ck_assert_int_eq(vmm->ops->observe(vmm, observed, &err), 0);
	ck_assert_uint_eq(observed->domain_count, 2);
	ck_assert_str_eq(observed->domains[1].name, "broken");
	ck_assert(observed->domains[1].persistent);
	ck_assert(!observed->domains[1].config_known);
	ck_assert(gp_starts_with(observed->domains[1].unknown_why, "broken.xml: domain XML does not parse"));
	gp_observed_free(observed);
	finish();
}
END_TEST

START_TEST(one_domain_by_uuid)
{
	struct gp_uuid nobody = {{1}};
	make("  - {name: a}\n  - {name: b}\n");
	struct gp_arena *arena = gp_arena_new();
	struct gp_domain domain;
	ck_assert_int_eq(vmm->ops->observe_one(vmm, id("b"), arena, &domain, &err), 0);
	ck_assert_str_eq(domain.name, "b");
	fails(vmm->ops->observe_one(vmm, nobody, arena, &domain, &err), GP_E_NOT_FOUND,
	      "looking the domain up: Domain not found: no domain with matching uuid "
	      "'01000000-0000-0000-0000-000000000000'");
	struct gp_uuid gone = id("b");
	machine_vm(&m, "undefine", "b");
	ck_assert_int_eq(vmm->ops->observe_one(vmm, gone, arena, &domain, &err), -1);
	ck_assert_int_eq(err.kind, GP_E_NOT_FOUND);
	gp_arena_free(arena);
	finish();
}
END_TEST

/* ---- definitions ---- */

START_TEST(attach_and_detach)
{
	bool changed = false;
	make("  - {name: a, state: running, hostdevs: [{vf: \"" PF "/3\"}]}\n");
	struct gp_hostdev ours = hostdev(VF0, "ua-gpupart-0-vdi");
	ck_assert_int_eq(vmm->ops->attach(vmm, id("a"), &ours, &changed, &err), 0);
	ck_assert(changed);
	/* The guest side is filled in, as libvirt does; what runs does not change. */
	ck_assert_ptr_nonnull(strstr(machine_raw(&m, CONF "a.xml"), "bus=\"0x06\""));
	ck_assert_ptr_nonnull(strstr(machine_raw(&m, CONF "a.xml"), "ua-gpupart-0-vdi"));
	ck_assert_ptr_null(strstr(machine_raw(&m, LIVE "a.xml"), "ua-gpupart-0-vdi"));
	ck_assert_int_eq(vmm->ops->attach(vmm, id("a"), &ours, &changed, &err), 0);
	ck_assert(!changed);

	struct gp_hostdev other_name = hostdev(VF0, "ua-gpupart-1-vdi");
	fails(vmm->ops->attach(vmm, id("a"), &other_name, &changed, &err), GP_E_BUSY,
	      VF0 " is in its definition already, as: ua-gpupart-0-vdi");
	struct gp_hostdev other_source = hostdev(VF1, "ua-gpupart-0-vdi");
	fails(vmm->ops->attach(vmm, id("a"), &other_source, &changed, &err), GP_E_BUSY,
	      VF0 " has the name in its definition: ua-gpupart-0-vdi");
	struct gp_hostdev foreign = hostdev("0000:41:00.4", "ua-gpupart-1-vdi");
	fails(vmm->ops->attach(vmm, id("a"), &foreign, &changed, &err), GP_E_BUSY,
	      "0000:41:00.4 is in its definition already, as: a hostdev without a name of its own");
	fails(vmm->ops->detach(vmm, id("a"), &foreign, &changed, &err), GP_E_STALE,
	      "0000:41:00.4 is in its definition, but now as: a hostdev without a name of its own");

	ck_assert_int_eq(vmm->ops->detach(vmm, id("a"), &ours, &changed, &err), 0);
	ck_assert(changed);
	ck_assert_int_eq(vmm->ops->detach(vmm, id("a"), &ours, &changed, &err), 0);
	ck_assert(!changed);
	/* Begin and end of two mutations: what changed nothing was none. */
	ck_assert_str_eq(machine_text(&m, ".sim/writes"), "2");
	finish();
}
END_TEST

START_TEST(a_given_guest_address_is_kept)
{
	bool changed;
	make("  - {name: a}\n");
	struct gp_hostdev ours = hostdev(VF0, "ua-gpupart-0-vdi");
	ours.guest_xml = "<address type='pci' domain='0x0000' bus='0x09' slot='0x00' function='0x0'/><rom bar='off'/>";
	ck_assert_int_eq(vmm->ops->attach(vmm, id("a"), &ours, &changed, &err), 0);
	const char *xml = machine_raw(&m, CONF "a.xml");
	ck_assert_ptr_nonnull(strstr(xml, "bus='0x09'") == NULL ? strstr(xml, "bus=\"0x09\"") : xml);
	ck_assert_ptr_nonnull(strstr(xml, "<rom bar"));
	ck_assert_ptr_null(strstr(xml, "0x05"));
	finish();
}
END_TEST

START_TEST(the_mark)
{
	bool changed;
	struct gp_domain domain;
	make("  - {name: a}\n");
	struct gp_arena *arena = gp_arena_new();
	ck_assert_int_eq(vmm->ops->set_mark(vmm, id("a"), true, &changed, &err), 0);
	ck_assert(changed);
	ck_assert_int_eq(vmm->ops->observe_one(vmm, id("a"), arena, &domain, &err), 0);
	ck_assert(domain.to_start);
	ck_assert_int_eq(vmm->ops->set_mark(vmm, id("a"), false, &changed, &err), 0);
	ck_assert(changed);
	ck_assert_int_eq(vmm->ops->set_mark(vmm, id("a"), false, &changed, &err), 0);
	ck_assert(!changed);
	gp_arena_free(arena);
	finish();
}
END_TEST

START_TEST(transient_domains_are_left_alone)
{
	static const char why[] = "the domain is transient: it has no definition that outlives it";
	bool changed;
	make("  - {name: a, state: running, persistent: false}\n");
	struct gp_hostdev ours = hostdev(VF0, "ua-gpupart-0-vdi");
	fails(vmm->ops->attach(vmm, id("a"), &ours, &changed, &err), GP_E_REFUSED, why);
	fails(vmm->ops->detach(vmm, id("a"), &ours, &changed, &err), GP_E_REFUSED, why);
	fails(vmm->ops->set_mark(vmm, id("a"), true, &changed, &err), GP_E_REFUSED, why);
	fails(vmm->ops->shutdown(vmm, id("a"), &err), GP_E_REFUSED, why);
	fails(vmm->ops->destroy(vmm, id("a"), &err), GP_E_REFUSED, why);
	/* Others may stop it, and then it is gone. */
	machine_vm(&m, "destroy", "a");
	ck_assert(!machine_has(&m, LIVE "a.xml"));
	finish();
}
END_TEST

START_TEST(read_only_cannot_change)
{
	bool changed;
	make("  - {name: a}\n");
	struct gp_vmm *reader = NULL;
	ck_assert_int_eq(gp_vmm_sim_open(m.host, true, &reader, &err), 0);
	ck_assert_int_eq(reader->ops->set_mark(reader, id("a"), true, &changed, &err), -1);
	ck_assert_int_eq(err.kind, GP_E_INTERNAL);
	ck_assert_int_eq(reader->ops->start(reader, id("a"), &err), -1);
	ck_assert_int_eq(err.kind, GP_E_INTERNAL);
	reader->ops->close(reader);
	ck_assert_str_eq(machine_text(&m, ".sim/writes"), "0");
	finish();
}
END_TEST

START_TEST(a_captured_tree_is_only_read)
{
	make("  - {name: a, state: running, hostdevs: [{vf: \"" PF "/0\"}]}\n");
	gp_host_close(m.host);
	m.host = NULL;
	ck_assert_int_eq(unlinkat(m.root, "gpupart-sim.yaml", 0), 0);
	struct gp_host *host = NULL;
	const struct gp_host_options options = {.root = m.dir};
	ck_assert_int_eq(gp_host_open(&options, &host, &err), 0);
	ck_assert_int_eq(gp_host_kind_of(host), GP_HOST_CAPTURED);
	struct gp_vmm *reader = gp_host_vmm(host, &err);
	ck_assert_ptr_nonnull(reader);
	struct gp_observed *observed = gp_observed_new();
	ck_assert_int_eq(reader->ops->observe(reader, observed, &err), 0);
	ck_assert_uint_eq(observed->domains[0].live_count, 1);
	ck_assert_int_eq(reader->ops->shutdown(reader, observed->domains[0].uuid, &err), -1);
	ck_assert_int_eq(err.kind, GP_E_INTERNAL);
	gp_observed_free(observed);
	gp_host_close(host);
	finish();
}
END_TEST

START_TEST(definitions_without_secrets)
{
	make("  - {name: a, vnc_password: hunter2, hostdevs: [{vf: \"" PF "/1\", ours: vdi}]}\n");
	char *xml = NULL;
	ck_assert_ptr_nonnull(strstr(machine_raw(&m, CONF "a.xml"), "hunter2"));
	ck_assert_int_eq(vmm->ops->definition(vmm, id("a"), &xml, &err), 0);
	ck_assert_ptr_null(strstr(xml, "hunter2"));
	ck_assert_ptr_nonnull(strstr(xml, "ua-gpupart-0-vdi"));
	free(xml);
	finish();
}
END_TEST

/* ---- start ---- */

START_TEST(a_start_binds_and_holds_and_a_stop_gives_back)
{
	make("  - {name: a, hostdevs: [{vf: \"" PF "/0\", ours: vdi}]}\n");
	ck_assert_str_eq(machine_link(&m, DEVICES VF0 "/driver"), "<none>");
	ck_assert_int_eq(vmm->ops->start(vmm, id("a"), &err), 0);
	ck_assert_int_eq(state_of("a"), GP_DOMAIN_RUNNING);
	ck_assert_str_eq(machine_link(&m, DEVICES VF0 "/driver"), "vfio-pci");
	ck_assert_str_eq(machine_raw(&m, "proc/2001/comm"), "qemu-system-x86\n");
	ck_assert_str_eq(machine_link(&m, "proc/2001/fd/20"), machine_link(&m, DEVICES VF0 "/iommu_group"));
	ck_assert_int_eq(vmm->ops->start(vmm, id("a"), &err), 0); /* it runs already */

	struct gp_str names = {0};
	struct gp_hostdev devices[2] = {{.type = GP_HOSTDEV_PCI}, {.type = GP_HOSTDEV_PCI}};
	gp_pci_addr_parse(VF1, &devices[0].source);
	gp_pci_addr_parse(VF0, &devices[1].source);
	ck_assert_int_eq(vmm->ops->live_holders(vmm, devices, 2, &names, &err), 0);
	ck_assert_str_eq(gp_str_text(&names), "a");
	gp_str_clear(&names);
	ck_assert_int_eq(vmm->ops->live_holders(vmm, devices, 1, &names, &err), 0);
	ck_assert_str_eq(gp_str_text(&names), "");

	ck_assert_int_eq(vmm->ops->shutdown(vmm, id("a"), &err), 0);
	ck_assert_int_eq(state_of("a"), GP_DOMAIN_OFF);
	ck_assert(!machine_has(&m, "proc/2001"));
	ck_assert_str_eq(machine_link(&m, DEVICES VF0 "/driver"), "<none>");
	ck_assert_str_eq(machine_text(&m, DEVICES VF0 "/driver_override"), "(null)");
	ck_assert_int_eq(vmm->ops->shutdown(vmm, id("a"), &err), 0); /* it is off already */
	ck_assert_int_eq(vmm->ops->destroy(vmm, id("a"), &err), 0);
	finish();
}
END_TEST

START_TEST(what_was_on_vfio_stays_there)
{
	make("  - {name: a, hostdevs: [{vf: \"" PF "/0\"}]}\n");
	ck_assert_int_eq(machine_write(&m, DEVICES VF0 "/driver_override", "vfio-pci"), 0);
	ck_assert_int_eq(machine_write(&m, "sys/bus/pci/drivers_probe", VF0), 0);
	machine_vm(&m, "start", "a");
	machine_vm(&m, "stop", "a");
	ck_assert_str_eq(machine_link(&m, DEVICES VF0 "/driver"), "vfio-pci");
	finish();
}
END_TEST

START_TEST(an_absent_vf_does_not_start)
{
	make("  - {name: a, hostdevs: [{vf: \"" PF "/5\"}]}\n");
	fails(vmm->ops->start(vmm, id("a"), &err), GP_E_IO,
	      "starting it: Device 0000:41:00.6 not found: could not access "
	      "/sys/bus/pci/devices/0000:41:00.6/config: No such file or directory");
	ck_assert_int_eq(state_of("a"), GP_DOMAIN_OFF);
	ck_assert(!machine_has(&m, "proc/2001"));
	finish();
}
END_TEST

START_TEST(a_vf_in_use_does_not_start)
{
	make("  - {name: a, state: running, hostdevs: [{vf: \"" PF "/0\"}]}\n"
	     "  - {name: b, hostdevs: [{vf: \"" PF "/1\"}, {vf: \"" PF "/0\"}]}\n");
	fails(vmm->ops->start(vmm, id("b"), &err), GP_E_BUSY,
	      "starting it: Requested operation is not valid: PCI device " VF0 " is in use by driver QEMU, domain a");
	/* Nothing of it stays. */
	ck_assert_str_eq(machine_link(&m, DEVICES VF1 "/driver"), "<none>");
	machine_fault(&m, "hold " PF "/1");
	machine_vm(&m, "destroy", "a");
	gp_autofree char *message =
		gp_xasprintf("starting it: vfio " VF1 ": failed to open /dev/vfio/%s: Device or resource busy",
			     machine_link(&m, DEVICES VF1 "/iommu_group"));
	fails(vmm->ops->start(vmm, id("b"), &err), GP_E_BUSY, message);
	ck_assert_str_eq(machine_link(&m, DEVICES VF0 "/driver"), "<none>");
	finish();
}
END_TEST

START_TEST(unmanaged_devices_must_be_on_vfio)
{
	make("  - {name: a, hostdevs: [{vf: \"" PF "/0\", managed: false}]}\n");
	fails(vmm->ops->start(vmm, id("a"), &err), GP_E_BUSY,
	      "starting it: Unmanaged PCI device " VF0 " must be manually detached from the host");
	finish();
}
END_TEST

START_TEST(paused_and_saved_domains_are_left_alone)
{
	static const char paused[] = "the domain is paused: whoever paused it has plans for it";
	make("  - {name: a, state: paused}\n  - {name: b, state: running}\n");
	fails(vmm->ops->shutdown(vmm, id("a"), &err), GP_E_REFUSED, paused);
	fails(vmm->ops->destroy(vmm, id("a"), &err), GP_E_REFUSED, paused);
	fails(vmm->ops->start(vmm, id("a"), &err), GP_E_REFUSED, paused);
	machine_vm(&m, "resume", "a");
	ck_assert_int_eq(state_of("a"), GP_DOMAIN_RUNNING);

	machine_vm(&m, "save", "b");
	ck_assert_int_eq(state_of("b"), GP_DOMAIN_OFF);
	fails(vmm->ops->start(vmm, id("b"), &err), GP_E_REFUSED,
	      "a managed save image would be resumed, with the devices of then");
	/* What is edited meanwhile is hidden by the image: it comes back with the devices of then. */
	bool changed;
	struct gp_hostdev new = hostdev(VF0, "ua-gpupart-0-vdi");
	ck_assert_int_eq(vmm->ops->attach(vmm, id("b"), &new, &changed, &err), 0);
	ck_assert_int_eq(gp_sim_vm(m.dir, "undefine", "b", &err), -1);
	ck_assert_str_eq(err.message, "Requested operation is not valid: Refusing to undefine while domain managed "
				      "save image exists");
	machine_vm(&m, "start", "b");
	ck_assert_str_eq(machine_link(&m, DEVICES VF0 "/driver"), "<none>");
	ck_assert(!machine_has(&m, "var/lib/libvirt/qemu/save/b.save"));
	finish();
}
END_TEST

/* ---- stop ---- */

START_TEST(guests_take_their_time_or_do_not_listen)
{
	make("  - {name: a, state: running, shutdown: 100ms, hostdevs: [{vf: \"" PF "/0\"}]}\n"
	     "  - {name: b, state: running, ignores_shutdown: true}\n  - {name: c, state: running}\n");
	pid_t apply = fork();
	if (apply == 0)
		_exit(vmm->ops->shutdown(vmm, id("a"), NULL) == 0 ? 0 : 1);
	int status = -1;
	waitpid(apply, &status, 0);
	ck_assert_int_eq(status, 0);
	/* It goes off although who asked is gone. */
	ck_assert(machine_wait(&m, LIVE "a.xml", false));
	ck_assert(machine_wait(&m, "proc/2001", false));
	ck_assert_int_eq(vmm->ops->shutdown(vmm, id("b"), &err), 0);
	machine_fault(&m, "ignore-shutdown c");
	ck_assert_int_eq(vmm->ops->shutdown(vmm, id("c"), &err), 0);
	ck_assert_int_eq(state_of("b"), GP_DOMAIN_RUNNING);
	ck_assert_int_eq(state_of("c"), GP_DOMAIN_RUNNING);
	ck_assert_int_eq(gp_sim_vm(m.dir, "stop", "c", &err), -1);
	ck_assert_int_eq(vmm->ops->destroy(vmm, id("b"), &err), 0);
	ck_assert_int_eq(state_of("b"), GP_DOMAIN_OFF);
	finish();
}
END_TEST

START_TEST(a_disable_waits_for_the_vm)
{
	make("  - {name: a, state: running, hostdevs: [{vf: \"" PF "/3\"}]}\n");
	pid_t writer = fork();
	if (writer == 0)
		_exit(machine_write(&m, DEVICES PF "/sriov_numvfs", "0") == 0 ? 0 : 1);
	ck_assert(machine_wait(&m, DEVICES PF "/virtfn3", false));
	ck_assert(machine_has(&m, DEVICES "0000:41:00.4"));
	ck_assert_int_eq(vmm->ops->destroy(vmm, id("a"), &err), 0);
	int status = -1;
	waitpid(writer, &status, 0);
	ck_assert_int_eq(status, 0);
	ck_assert(!machine_has(&m, DEVICES "0000:41:00.4"));
	finish();
}
END_TEST

/* ---- what others do ---- */

static void file_with(const char *name, const char *text)
{
	gp_autofree char *path = gp_xasprintf("%s/%s", m.dir, name);
	FILE *file = fopen(path, "we");
	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

static int define(const char *xml)
{
	gp_autofree char *path = gp_xasprintf("%s/new.xml", m.dir);
	file_with("new.xml", xml);
	return gp_sim_vm(m.dir, "define", path, &err);
}

START_TEST(define_and_undefine)
{
	char uuid[GP_UUID_SIZE];
	make("  - {name: a}\n");
	ck_assert_int_eq(define("<domain type='kvm'><name>new</name><devices/></domain>"), 0);
	ck_assert_int_eq(state_of("new"), GP_DOMAIN_OFF);
	ck_assert_int_eq(define("<domain type='kvm'><name>new</name><devices/></domain>"), 0);
	gp_autofree char *taken =
		gp_xasprintf("<domain><name>other</name><uuid>%s</uuid></domain>", gp_uuid_format(id("new"), uuid));
	gp_autofree char *message =
		gp_xasprintf("operation failed: domain 'new' is already defined with uuid %s", uuid);
	fails(define(taken), GP_E_IO, message);
	gp_autofree char *exists = gp_xasprintf("operation failed: domain 'new' already exists with uuid %s", uuid);
	fails(define("<domain><name>new</name><uuid>00000000-0000-4000-8000-000000000001</uuid></domain>"), GP_E_IO,
	      exists);
	fails(define("<domain><name>a/b</name></domain>"), GP_E_IO, "XML error: name a/b cannot contain '/'");
	fails(define("<domain><name>t</name><devices><hostdev mode='subsystem' type='pci'><source><address bus='1'/>"
		     "</source></hostdev><hostdev mode='subsystem' type='pci'><source><address bus='1'/></source>"
		     "</hostdev></devices></domain>"),
	      GP_E_IO, "XML error: Hostdev already exists in the domain configuration");
	machine_vm(&m, "start", "new");
	fails(gp_sim_vm(m.dir, "start", "new", &err), GP_E_BUSY,
	      "Requested operation is not valid: domain is already running");
	/* Undefined while it runs it is transient. */
	machine_vm(&m, "undefine", "new");
	fails(gp_sim_vm(m.dir, "undefine", "new", &err), GP_E_BUSY,
	      "Requested operation is not valid: cannot undefine transient domain");
	machine_vm(&m, "stop", "new");
	fails(gp_sim_vm(m.dir, "stop", "new", &err), GP_E_NOT_FOUND,
	      "Domain not found: no domain with matching name 'new'");
	fails(gp_sim_vm(m.dir, "stop", "a", &err), GP_E_BUSY,
	      "Requested operation is not valid: domain is not running");
	fails(gp_sim_vm(m.dir, "stat", "a", &err), GP_E_USAGE,
	      "nothing like 'stat' can be done with a VM; did you mean 'start'?");
	finish();
}
END_TEST

START_TEST(what_is_neither_off_nor_running_is_not_taken_for_started)
{
	make("  - {name: a, state: running}\n  - {name: b}\n");
	machine_vm(&m, "suspend", "a");
	ck_assert_int_eq(state_of("a"), GP_DOMAIN_SUSPENDED);
	fails(vmm->ops->start(vmm, id("a"), &err), GP_E_REFUSED,
	      "the domain is suspended: its guest sleeps until somebody wakes it");
	fails(vmm->ops->shutdown(vmm, id("a"), &err), GP_E_BUSY,
	      "asking it to shut down: Requested operation is not valid: domain is not running");
	fails(gp_sim_vm(m.dir, "resume", "a", &err), GP_E_BUSY,
	      "Requested operation is not valid: domain is pmsuspended");
	ck_assert_int_eq(vmm->ops->destroy(vmm, id("a"), &err), 0);

	/* Not kept: the definitions of the description say <on_crash>destroy. */
	machine_vm(&m, "start", "a");
	machine_vm(&m, "crash", "a");
	ck_assert_int_eq(state_of("a"), GP_DOMAIN_OFF);
	gp_autofree char *path = gp_xasprintf("%s/kept.xml", m.dir);
	FILE *file = fopen(path, "we");
	fputs("<domain><name>kept</name><on_crash>preserve</on_crash></domain>", file);
	fclose(file);
	machine_vm(&m, "create", path);
	machine_vm(&m, "crash", "kept");
	ck_assert_int_eq(state_of("kept"), GP_DOMAIN_CRASHED);
	ck_assert_int_eq(vmm->ops->start(vmm, id("kept"), &err), -1);
	ck_assert_str_eq(err.remedy, "look at it as long as you need, then: virsh destroy kept");
	ck_assert_int_eq(err.kind, GP_E_REFUSED);
	gp_error_clear(&err);
	machine_vm(&m, "resume", "kept");
	ck_assert_int_eq(state_of("kept"), GP_DOMAIN_RUNNING);
	finish();
}
END_TEST

START_TEST(what_others_do_besides)
{
	make("  - {name: a, state: running, hostdevs: [{vf: \"" PF "/0\"}]}\n  - {name: b, state: running}\n"
	     "  - {name: t, state: running, persistent: false}\n");
	fails(gp_sim_vm(m.dir, "save", "a", &err), GP_E_BUSY,
	      "Requested operation is not valid: cannot migrate domain: VFIO device doesn't support migration");
	machine_vm(&m, "save", "b");
	ck_assert(machine_has(&m, "var/lib/libvirt/qemu/save/b.save"));
	machine_vm(&m, "unsave", "b");
	machine_vm(&m, "unsave", "b");
	ck_assert(!machine_has(&m, "var/lib/libvirt/qemu/save/b.save"));
	machine_vm(&m, "autostart", "b");
	machine_vm(&m, "autostart", "b");
	ck_assert(machine_has(&m, CONF "autostart/b.xml"));
	machine_vm(&m, "no-autostart", "b");
	ck_assert(!machine_has(&m, CONF "autostart/b.xml"));
	fails(gp_sim_vm(m.dir, "autostart", "t", &err), GP_E_BUSY,
	      "Requested operation is not valid: cannot set autostart for transient domain");
	fails(gp_sim_vm(m.dir, "unsave", "x", &err), GP_E_NOT_FOUND,
	      "Domain not found: no domain with matching name 'x'");
	fails(gp_sim_vm(m.dir, "resume", "a", &err), GP_E_BUSY,
	      "Requested operation is not valid: domain is already running");
	finish();
}
END_TEST

START_TEST(a_name_that_libvirt_does_not_keep_is_noticed)
{
	make("  - {name: a}\n");
	struct gp_hostdev dotted = hostdev(VF0, "ua-gpupart-0-v.d");
	bool changed = false;
	fails(vmm->ops->attach(vmm, id("a"), &dotted, &changed, &err), GP_E_VERIFY,
	      "libvirt reports success, but the definition lacks the hostdev");
	struct gp_hostdev foreign = hostdev(VF1, "ua-mine");
	ck_assert_int_eq(vmm->ops->note_place(vmm, id("a"), &foreign, &changed, &err), -1);
	ck_assert_int_eq(err.kind, GP_E_INTERNAL);
	gp_error_clear(&err);
	finish();
}
END_TEST

START_TEST(autostart_after_a_reboot)
{
	GP_CLEANUP(gp_diags_clear) struct gp_diags diags = {0};
	make("  - {name: a, state: running, autostart: true}\n"
	     "  - {name: b, state: running, autostart: true, hostdevs: [{vf: \"" PF "/0\"}]}\n"
	     "  - {name: c, state: running}\n  - {name: d, state: running, persistent: false}\n");
	ck_assert_int_eq(gp_sim_reboot(m.dir, &diags, &err), 0);
	ck_assert_int_eq(state_of("a"), GP_DOMAIN_RUNNING);
	ck_assert_int_eq(state_of("b"), GP_DOMAIN_OFF);
	ck_assert_int_eq(state_of("c"), GP_DOMAIN_OFF);
	ck_assert(!machine_has(&m, LIVE "d.xml"));
	ck_assert_uint_eq(diags.count, 1);
	ck_assert_uint_eq(diags.error_count, 0);
	ck_assert_str_eq(diags.items[0].error.message,
			 "Failed to autostart VM 'b': Device " VF0
			 " not found: could not access /sys/bus/pci/devices/" VF0 "/config: No such file or directory");
	finish();
}
END_TEST

MACHINE_RUN("sim_vmm", everything_is_seen, a_file_that_does_not_parse_is_unknown, one_domain_by_uuid, attach_and_detach,
	    a_given_guest_address_is_kept, the_mark, transient_domains_are_left_alone, read_only_cannot_change,
	    a_captured_tree_is_only_read, definitions_without_secrets, a_start_binds_and_holds_and_a_stop_gives_back,
	    what_was_on_vfio_stays_there, an_absent_vf_does_not_start, a_vf_in_use_does_not_start,
	    unmanaged_devices_must_be_on_vfio, paused_and_saved_domains_are_left_alone,
	    guests_take_their_time_or_do_not_listen, a_disable_waits_for_the_vm, define_and_undefine,
	    autostart_after_a_reboot, what_is_neither_off_nor_running_is_not_taken_for_started, what_others_do_besides,
	    a_name_that_libvirt_does_not_keep_is_noticed)
