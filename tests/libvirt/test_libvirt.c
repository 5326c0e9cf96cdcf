/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm_libvirt.c against a real libvirt: QEMU's driver in a private daemon (see private.sh), where virsh sets the scene,
 * and libvirt's own test driver, which can neither attach nor detach but runs domains with invented devices.
 */
#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/domain_xml.h"
#include "host/vmm.h"

#define COUNT_OF(array)  (sizeof(array) / sizeof((array)[0]))
#define QEMU             "qemu:///system"
#define TEST_DRIVER      "test:///default"
#define UUID_OF(number)  "0b5d2f1a-3c53-4d2e-9a0c-0000000000" number
#define TEST_DOMAIN_UUID "6695eb01-f6a4-8304-79aa-97f2502e193f" /* the one that the test driver begins with */

static struct gp_vmm *vmm;
static struct gp_arena *arena;
static struct gp_error err;

/* ---- setting the scene ---- */

static int shell(const char *format, ...) GP_PRINTF(1, 2);

static int shell(const char *format, ...)
{
	GP_CLEANUP(gp_str_clear) struct gp_str command = {0};
	va_list args;
	va_start(args, format);
	gp_str_vprintf(&command, format, args);
	va_end(args);
	return system(gp_str_text(&command));
}

static void daemon_is(const char *action)
{
	ck_assert_int_eq(shell("\"$GP_LIBVIRT_DAEMON\" %s", action), 0);
}

static void virsh(const char *command)
{
	ck_assert_msg(shell("virsh -q -c " QEMU " %s >/dev/null", command) == 0, "virsh %s", command);
}

static struct gp_uuid uuid_of(const char *text)
{
	struct gp_uuid uuid;
	ck_assert_int_eq(gp_uuid_parse(text, &uuid), 0);
	return uuid;
}

#define TINY "tiny"
#define tiny uuid_of(UUID_OF("01"))

/* `how`: define, or create for a transient domain. */
static void domain_from_xml(const char *how, const char *name, const char *uuid, const char *devices)
{
	char path[] = "/tmp/gpupart-test-XXXXXX";
	int fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	dprintf(fd,
		"<domain type='qemu'><name>%s</name><uuid>%s</uuid><memory unit='MiB'>64</memory>"
		"<os><type arch='x86_64' machine='q35'>hvm</type></os><devices>%s</devices></domain>",
		name, uuid, devices);
	close(fd);
	int rc = shell("virsh -q -c " QEMU " %s %s >/dev/null", how, path);
	unlink(path);
	ck_assert_msg(rc == 0, "virsh %s %s", how, name);
}

static void define_tiny(const char *devices)
{
	domain_from_xml("define", TINY, UUID_OF("01"), devices);
}

static void open_vmm(const char *uri, bool read_only)
{
	ck_assert_msg(gp_vmm_libvirt_open(uri, read_only, &vmm, &err) == 0, "%s", err.message);
}

static void clear(void)
{
	if (vmm != NULL)
		vmm->ops->close(vmm);
	vmm = NULL;
	gp_arena_free(arena);
	gp_error_clear(&err);
}

static void remove_domains(void)
{
	shell("for d in $(virsh -q -c " QEMU " list --all --name); do virsh -q -c " QEMU
	      " destroy $d; virsh -q -c " QEMU " undefine --managed-save $d; done >/dev/null 2>&1");
}

static void setup_qemu(void)
{
	arena = gp_arena_new();
	remove_domains();
	open_vmm(QEMU, false);
}

static void setup_test_driver(void)
{
	arena = gp_arena_new();
	open_vmm(TEST_DRIVER, false);
}

static struct gp_hostdev hostdev_at(const char *address, const char *alias)
{
	struct gp_hostdev hostdev = {.type = GP_HOSTDEV_PCI, .managed = true, .alias = alias, .guest_xml = ""};
	ck_assert_int_eq(gp_pci_addr_parse(address, &hostdev.source), 0);
	return hostdev;
}

/* ---- checks ---- */

static void ck_ok(int rc)
{
	ck_assert_msg(rc == 0, "%s", err.message == NULL ? "no error given" : err.message);
}

static void ck_fails(int rc, enum gp_error_kind kind)
{
	ck_assert_int_eq(rc, -1);
	ck_assert_msg(err.kind == kind, "%s instead of %s: %s", gp_error_kind_name(err.kind), gp_error_kind_name(kind),
		      err.message);
	ck_assert_ptr_null(strchr(err.message, '\n'));
	gp_error_clear(&err);
}

static void ck_attach(struct gp_uuid uuid, const struct gp_hostdev *hostdev, bool expected)
{
	bool changed = !expected;
	ck_ok(vmm->ops->attach(vmm, uuid, hostdev, &changed, &err));
	ck_assert_int_eq(changed, expected);
}

static void ck_detach(struct gp_uuid uuid, const struct gp_hostdev *hostdev, bool expected)
{
	bool changed = !expected;
	ck_ok(vmm->ops->detach(vmm, uuid, hostdev, &changed, &err));
	ck_assert_int_eq(changed, expected);
}

static void ck_mark(struct gp_uuid uuid, bool to_start, bool expected)
{
	bool changed = !expected;
	ck_ok(vmm->ops->set_mark(vmm, uuid, to_start, &changed, &err));
	ck_assert_int_eq(changed, expected);
}

static void ck_state(struct gp_uuid uuid, enum gp_domain_state expected)
{
	enum gp_domain_state state;
	ck_ok(vmm->ops->state(vmm, uuid, &state, &err));
	ck_assert_int_eq(state, expected);
}

static struct gp_domain observed(struct gp_uuid uuid)
{
	struct gp_domain domain;
	ck_ok(vmm->ops->observe_one(vmm, uuid, arena, &domain, &err));
	ck_assert(domain.config_known);
	ck_assert(domain.live_known);
	return domain;
}

static void ck_replace(const struct gp_hostdev *old, const struct gp_hostdev *new, bool expected)
{
	bool changed = !expected;
	ck_ok(gp_vmm_replace(vmm, tiny, old, new, &changed, &err));
	ck_assert_int_eq(changed, expected);
}

/* Nothing but the source and our name is new, and nothing is left of the exchange itself. */
static void ck_exchanged(const struct gp_hostdev *old, const struct gp_hostdev *new)
{
	struct gp_domain domain = observed(tiny);
	ck_assert_uint_eq(domain.config_count, 1);
	ck_assert(gp_hostdev_same_source(&domain.config[0], new));
	ck_assert_str_eq(domain.config[0].alias, new->alias);
	ck_assert_str_eq(domain.config[0].guest_xml, old->guest_xml);
	ck_assert_uint_eq(domain.place_count, 0);
}

static struct gp_observed *observed_all(void)
{
	struct gp_observed *all = gp_observed_new();
	ck_ok(vmm->ops->observe(vmm, all, &err));
	ck_assert(all->domains_state.known);
	return all;
}

static const struct gp_domain *named(const struct gp_observed *all, const char *name)
{
	for (size_t i = 0; i < all->domain_count; i++)
		if (gp_streq(all->domains[i].name, name))
			return &all->domains[i];
	ck_abort_msg("no domain %s", name);
	return NULL;
}

/* ---- the definition ---- */

START_TEST(a_second_attach_is_empty_and_so_is_a_second_detach)
{
	define_tiny("");
	struct gp_hostdev ours = hostdev_at("0000:41:00.1", "ua-gpupart-0-vdi");
	ours.guest_xml = "<rom bar='off'/>";
	ck_attach(tiny, &ours, true);
	ck_attach(tiny, &ours, false);

	struct gp_domain domain = observed(tiny);
	ck_assert_uint_eq(domain.config_count, 1);
	ck_assert(domain.config[0].ours);
	ck_assert(domain.config[0].managed);
	ck_assert_str_eq(domain.config[0].alias, ours.alias);
	ck_assert(gp_hostdev_same_source(&domain.config[0], &ours));
	ck_assert_ptr_nonnull(strstr(domain.config[0].guest_xml, "<rom bar=\"off\"/>"));

	ck_detach(tiny, &ours, true);
	ck_detach(tiny, &ours, false);
	ck_assert_uint_eq(observed(tiny).config_count, 0);
}
END_TEST

#define FOREIGN                                                                                                        \
	"<hostdev mode='subsystem' type='pci' managed='no'><source><address domain='0' bus='0x05' slot='0' "           \
	"function='0'/></source><alias name='ua-mine'/></hostdev>"

START_TEST(a_foreign_hostdev_stays)
{
	define_tiny(FOREIGN);
	struct gp_hostdev same = hostdev_at("0000:05:00.0", "ua-gpupart-0-vdi");
	struct gp_hostdev other = hostdev_at("0000:41:00.1", "ua-gpupart-0-vdi");
	struct gp_hostdev before = observed(tiny).config[0];
	bool changed;

	ck_assert_int_eq(vmm->ops->attach(vmm, tiny, &same, &changed, &err), -1);
	ck_assert_str_eq(err.holder, "domain " TINY);
	ck_assert_str_eq(err.subject, "domain " TINY);
	ck_assert_ptr_nonnull(strstr(err.message, "ua-mine"));
	ck_fails(-1, GP_E_BUSY);
	ck_fails(vmm->ops->detach(vmm, tiny, &same, &changed, &err), GP_E_STALE);
	ck_attach(tiny, &other, true);
	ck_detach(tiny, &other, true);

	struct gp_domain after = observed(tiny);
	ck_assert_uint_eq(after.config_count, 1);
	ck_assert_str_eq(after.config[0].alias, "ua-mine");
	ck_assert_str_eq(after.config[0].guest_xml, before.guest_xml);
	ck_detach(tiny, &after.config[0], true); /* taken over: named as it was seen */
}
END_TEST

START_TEST(the_guest_sees_no_new_device_after_a_replacement)
{
	define_tiny(
		"<interface type='user'><boot order='1'/></interface>"
		"<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0' bus='0x41' slot='0' "
		"function='1'/></source><alias name='ua-gpupart-0-vdi'/><boot order='3'/><rom bar='off'/>"
		"<address type='pci' domain='0x0000' bus='0x07' slot='0x00' function='0x0'/></hostdev>");
	struct gp_hostdev old = observed(tiny).config[0];
	ck_assert_ptr_nonnull(strstr(old.guest_xml, "bus=\"0x07\""));

	struct gp_hostdev new = hostdev_at("0000:42:00.5", old.alias);
	new.guest_xml = old.guest_xml;
	ck_replace(&old, &new, true);
	ck_exchanged(&old, &new);
	ck_replace(&old, &new, false);
}
END_TEST

/* libvirt itself does not attach it: it writes <os><boot dev='hd'/> as soon as no device has a turn. */
START_TEST(the_only_device_that_the_guest_boots_from_is_replaced)
{
	define_tiny(
		"<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0' bus='0x41' slot='0' "
		"function='1'/></source><alias name='ua-gpupart-0-vdi'/><boot order='1'/></hostdev>");
	struct gp_hostdev old = observed(tiny).config[0];
	ck_assert_ptr_nonnull(strstr(old.guest_xml, "<boot"));
	struct gp_hostdev new = hostdev_at("0000:42:00.5", old.alias), last = hostdev_at("0000:42:00.6", old.alias);
	bool changed = false;
	new.guest_xml = last.guest_xml = old.guest_xml;
	ck_replace(&old, &new, true);
	ck_exchanged(&old, &new);

	/* And from its note, whatever its turn is by then. */
	ck_ok(gp_vmm_take_out(vmm, tiny, &new, new.alias, &changed, &err));
	ck_replace(&new, &last, true);
	ck_exchanged(&old, &last);

	/* A device that comes anew does not take the disks' turn. */
	ck_detach(tiny, &last, true);
	ck_fails(vmm->ops->attach(vmm, tiny, &new, &changed, &err), GP_E_IO);
}
END_TEST

/* By hand, with all that the guest sees; stopped after each of its changes, by doing them one by one. */
START_TEST(an_exchange_goes_on_from_wherever_it_was_stopped)
{
	for (unsigned done = 0; done <= 3; done++) {
		define_tiny("<hostdev mode='subsystem' type='pci' managed='no'><source><address domain='0' bus='0x41' "
			    "slot='0' function='1'/></source><rom bar='on' file='/a &amp; b'/>"
			    "<address type='pci' domain='0x0000' bus='0x07' slot='0x00' function='0x0'/></hostdev>");
		struct gp_hostdev old = observed(tiny).config[0], place = old;
		struct gp_hostdev new = hostdev_at("0000:42:00.5", "ua-gpupart-0-vdi");
		bool changed = false;
		place.alias = new.alias;
		new.guest_xml = old.guest_xml;
		ck_mark(tiny, true, true);
		if (done >= 1) {
			ck_ok(vmm->ops->note_place(vmm, tiny, &place, &changed, &err));
			ck_assert(changed);
			ck_ok(vmm->ops->note_place(vmm, tiny, &place, &changed, &err));
			ck_assert(!changed);
		}
		if (done >= 2)
			ck_detach(tiny, &old, true);
		if (done >= 3)
			ck_attach(tiny, &new, true);

		/* What the next run sees is enough to go on. */
		struct gp_domain domain = observed(tiny);
		ck_assert_uint_eq(domain.place_count, done >= 1);
		if (done >= 1) {
			ck_assert_str_eq(domain.places[0].guest_xml, old.guest_xml);
			ck_assert(gp_hostdev_same_source(&domain.places[0], &old));
			ck_assert(!domain.places[0].managed);
		}
		ck_replace(done >= 2 ? &domain.places[0] : &old, &new, true);
		ck_exchanged(&old, &new);
		ck_assert(observed(tiny).to_start);
		ck_mark(tiny, false, true);
		ck_replace(&old, &new, false);
		remove_domains();
	}
}
END_TEST

/* ---- mediated devices ---- */

#define MDEV  "c2177883-f1bb-47f0-914d-32a22e3a8804"
#define OTHER "c2177883-f1bb-47f0-914d-32a22e3a8805"

static struct gp_hostdev mdev_of(const char *uuid, const char *alias)
{
	return (struct gp_hostdev){.type = GP_HOSTDEV_MDEV, .mdev = uuid_of(uuid), .alias = alias, .guest_xml = ""};
}

START_TEST(a_mediated_device_is_put_in_and_taken_out)
{
	define_tiny("");
	struct gp_hostdev ours = mdev_of(MDEV, "ua-gpupart-0-vdi"), other = mdev_of(OTHER, "ua-gpupart-1-vdi");
	ck_attach(tiny, &ours, true);
	ck_attach(tiny, &ours, false);
	ck_attach(tiny, &other, true);
	struct gp_domain domain = observed(tiny);
	ck_assert_uint_eq(domain.config_count, 2);
	ck_assert(gp_hostdev_same_source(&domain.config[0], &ours));
	ck_assert_str_eq(domain.config[0].alias, ours.alias);
	ck_assert(domain.config[0].ours && !domain.config[0].display && !domain.config[0].ramfb);
	ck_assert_int_eq(shell("virsh -q -c " QEMU " dumpxml --inactive " TINY " | grep -q \"model='vfio-pci'\""), 0);

	/* It belongs to that one domain, under that one name. */
	struct gp_hostdev same = mdev_of(MDEV, "ua-gpupart-7-vdi");
	bool changed;
	ck_assert_int_eq(vmm->ops->attach(vmm, tiny, &same, &changed, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.message, MDEV));
	ck_fails(-1, GP_E_BUSY);
	ck_detach(tiny, &ours, true);
	ck_detach(tiny, &ours, false);
	ck_assert_uint_eq(observed(tiny).config_count, 1);
}
END_TEST

#define GUEST_SIDE "<rom bar='off'/><address type='pci' domain='0x0000' bus='0x07' slot='0x00' function='0x0'/>"
#define ADDRESS    "bus=\"0x07\""

START_TEST(a_display_outlives_a_replacement)
{
	define_tiny("<graphics type='vnc'/><video><model type='none'/></video>"
		    "<hostdev mode='subsystem' type='mdev' model='vfio-pci' display='on' ramfb='on'><source>"
		    "<address uuid='" MDEV "'/></source><alias name='ua-gpupart-0-vdi'/>" GUEST_SIDE "</hostdev>");
	struct gp_hostdev old = observed(tiny).config[0];
	ck_assert(old.display && old.ramfb);
	ck_assert_ptr_nonnull(strstr(old.guest_xml, ADDRESS));
	struct gp_hostdev new = old;
	new.mdev = uuid_of(OTHER);
	ck_replace(&old, &new, true);
	ck_exchanged(&old, &new);
	ck_assert(observed(tiny).config[0].display && observed(tiny).config[0].ramfb);
	ck_replace(&old, &new, false);
}
END_TEST

/* A host that was upgraded has the other framework: what was a mediated device is a VF then, or the other way round. */
START_TEST(a_vf_and_a_mediated_device_stand_in_for_each_other)
{
	define_tiny("<interface type='user'><boot order='1'/></interface>"
		    "<hostdev mode='subsystem' type='pci' managed='no'><source><address domain='0' bus='0x41' slot='0' "
		    "function='4'/></source><alias name='ua-gpupart-0-vdi'/><driver name='vfio'/><boot "
		    "order='3'/>" GUEST_SIDE "</hostdev>");
	struct gp_hostdev vf = observed(tiny).config[0], mdev = mdev_of(MDEV, vf.alias);
	mdev.guest_xml = vf.guest_xml;
	ck_replace(&vf, &mdev, true);
	struct gp_hostdev now = observed(tiny).config[0];
	ck_assert(gp_hostdev_same_source(&now, &mdev));
	/* libvirt boots no mediated device. */
	ck_assert_ptr_nonnull(strstr(vf.guest_xml, "<boot"));
	ck_assert_ptr_null(strstr(now.guest_xml, "<boot"));
	ck_assert_ptr_nonnull(strstr(now.guest_xml, ADDRESS));
	ck_assert_ptr_nonnull(strstr(now.guest_xml, "<rom bar=\"off\"/>"));

	struct gp_hostdev back = vf;
	back.guest_xml = now.guest_xml;
	ck_replace(&now, &back, true);
	now = observed(tiny).config[0];
	ck_assert(gp_hostdev_same_source(&now, &vf));
	ck_assert(!now.managed);
	ck_assert_ptr_nonnull(strstr(now.guest_xml, ADDRESS));
	ck_assert_uint_eq(observed(tiny).place_count, 0);
}
END_TEST

START_TEST(an_exchange_of_mediated_devices_goes_on_from_its_note)
{
	define_tiny("<graphics type='vnc'/><hostdev mode='subsystem' type='mdev' model='vfio-pci' display='on'><source>"
		    "<address uuid='" MDEV "'/></source><alias name='ua-gpupart-0-vdi'/>" GUEST_SIDE "</hostdev>");
	struct gp_hostdev old = observed(tiny).config[0];
	bool changed = false;
	ck_ok(gp_vmm_take_out(vmm, tiny, &old, old.alias, &changed, &err));
	struct gp_domain domain = observed(tiny);
	ck_assert_uint_eq(domain.config_count, 0);
	ck_assert_uint_eq(domain.place_count, 1);
	ck_assert(gp_hostdev_same_source(&domain.places[0], &old));
	ck_assert(domain.places[0].display);
	struct gp_hostdev new = domain.places[0];
	new.mdev = uuid_of(OTHER);
	ck_replace(&domain.places[0], &new, true);
	ck_exchanged(&old, &new);
	ck_assert(observed(tiny).config[0].display);
}
END_TEST

START_TEST(versions_are_those_of_the_daemon)
{
	struct gp_hypervisor found = {0};
	vmm->ops->version(vmm, &found);
	ck_assert_uint_ge(found.version, 3002000); /* the first with mediated devices */
	ck_assert_uint_ge(found.emulator, 1000000);
	char libvirt[GP_VERSION_SIZE], qemu[GP_VERSION_SIZE];
	gp_version_format(found.version, libvirt);
	gp_version_format(found.emulator, qemu);
	ck_assert_msg(shell("virsh -c " QEMU " version --daemon | grep -q 'Running against daemon: %s$'", libvirt) == 0,
		      "%s", libvirt);
	ck_assert_msg(shell("virsh -c " QEMU " version | grep -q 'Running hypervisor: QEMU %s$'", qemu) == 0, "%s",
		      qemu);
	daemon_is("kill");
	vmm->ops->version(vmm, &found);
	ck_assert_uint_eq(found.version, 0);
	daemon_is("start");
}
END_TEST

START_TEST(a_place_outlives_the_mark_and_the_mark_a_place)
{
	define_tiny("");
	struct gp_hostdev one = hostdev_at("0000:41:00.1", "ua-gpupart-0-vdi");
	struct gp_hostdev two = hostdev_at("0000:41:00.2", "ua-gpupart-1-vdi");
	bool changed = false;
	two.guest_xml = "<rom bar=\"off\"/>";
	ck_ok(vmm->ops->note_place(vmm, tiny, &one, &changed, &err));
	ck_mark(tiny, true, true);
	ck_ok(vmm->ops->note_place(vmm, tiny, &two, &changed, &err));
	ck_ok(vmm->ops->forget_place(vmm, tiny, one.alias, &changed, &err));
	ck_assert(changed);
	ck_ok(vmm->ops->forget_place(vmm, tiny, one.alias, &changed, &err));
	ck_assert(!changed);
	ck_mark(tiny, false, true);
	struct gp_domain domain = observed(tiny);
	ck_assert_uint_eq(domain.place_count, 1);
	ck_assert_str_eq(domain.places[0].alias, two.alias);
	ck_assert_str_eq(domain.places[0].guest_xml, two.guest_xml);
	ck_ok(vmm->ops->forget_place(vmm, tiny, two.alias, &changed, &err));
	ck_assert_uint_eq(observed(tiny).place_count, 0);
}
END_TEST

START_TEST(a_place_is_kept_for_one_of_ours_alone)
{
	define_tiny("");
	struct gp_hostdev foreign = hostdev_at("0000:41:00.1", "ua-mine");
	bool changed;
	ck_fails(vmm->ops->note_place(vmm, tiny, &foreign, &changed, &err), GP_E_INTERNAL);
	ck_assert_uint_eq(observed(tiny).place_count, 0);
}
END_TEST

START_TEST(what_somebody_put_there_instead_is_not_exchanged)
{
	define_tiny(FOREIGN);
	struct gp_hostdev meant = hostdev_at("0000:05:00.0", NULL);
	struct gp_hostdev new = hostdev_at("0000:42:00.5", "ua-gpupart-0-vdi");
	bool changed = false;
	ck_fails(gp_vmm_replace(vmm, tiny, &meant, &new, &changed, &err), GP_E_STALE);
	struct gp_domain domain = observed(tiny);
	ck_assert_uint_eq(domain.config_count, 1);
	ck_assert_uint_eq(domain.place_count, 0);
}
END_TEST

START_TEST(a_name_stands_for_one_hostdev)
{
	define_tiny("");
	struct gp_hostdev one = hostdev_at("0000:41:00.1", "ua-gpupart-0-vdi");
	struct gp_hostdev two = hostdev_at("0000:41:00.2", "ua-gpupart-0-vdi");
	bool changed;
	ck_attach(tiny, &one, true);
	ck_fails(vmm->ops->attach(vmm, tiny, &two, &changed, &err), GP_E_BUSY);
	/* Another name for what is there is not "there already". */
	struct gp_hostdev renamed = hostdev_at("0000:41:00.1", "ua-gpupart-1-vdi");
	ck_fails(vmm->ops->attach(vmm, tiny, &renamed, &changed, &err), GP_E_BUSY);
	ck_assert_uint_eq(observed(tiny).config_count, 1);
}
END_TEST

START_TEST(success_is_a_read_back)
{
	/* libvirt drops a name with a dot in it, and reports success. */
	define_tiny("");
	struct gp_hostdev ours = hostdev_at("0000:41:00.1", "ua-gpupart-0-v.d");
	bool changed = false;
	ck_fails(vmm->ops->attach(vmm, tiny, &ours, &changed, &err), GP_E_VERIFY);
}
END_TEST

START_TEST(what_libvirt_refuses_is_shown_in_its_words)
{
	define_tiny("");
	struct gp_hostdev ours = hostdev_at("0000:41:00.1", "ua-gpupart-0-vdi");
	ours.guest_xml = "<address type='pci' domain='0' bus='0x77' slot='0x1f' function='0x9'/>";
	bool changed;
	ck_assert_int_eq(vmm->ops->attach(vmm, tiny, &ours, &changed, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.message, "function"));
	ck_assert_str_eq(err.subject, "domain " TINY);
	ck_assert_uint_eq(observed(tiny).config_count, 0);
}
END_TEST

START_TEST(an_interface_that_holds_a_device_is_left_alone)
{
	define_tiny("<interface type='hostdev' managed='yes'><mac address='52:54:00:6d:90:02'/><source><address "
		    "type='pci' domain='0' bus='7' slot='16' function='1'/></source></interface>");
	struct gp_hostdev same = hostdev_at("0000:07:10.1", "ua-gpupart-0-nic");
	bool changed;
	struct gp_domain domain = observed(tiny);
	ck_assert_uint_eq(domain.config_count, 1);
	ck_assert(domain.config[0].elsewhere);
	ck_fails(vmm->ops->attach(vmm, tiny, &same, &changed, &err), GP_E_BUSY);
	ck_fails(vmm->ops->detach(vmm, tiny, &same, &changed, &err), GP_E_REFUSED);
	ck_assert_uint_eq(observed(tiny).config_count, 1);
}
END_TEST

START_TEST(the_mark_is_set_and_cleared)
{
	define_tiny("");
	ck_mark(tiny, false, false);
	ck_mark(tiny, true, true);
	ck_mark(tiny, true, false);
	ck_assert(observed(tiny).to_start);
	ck_mark(tiny, false, true);
	ck_assert(!observed(tiny).to_start);
}
END_TEST

START_TEST(the_definition_is_handed_out_without_secrets)
{
	define_tiny(FOREIGN "<graphics type='vnc' passwd='SECRET'/>");
	gp_autofree char *xml = NULL;
	ck_ok(vmm->ops->definition(vmm, tiny, &xml, &err));
	ck_assert_ptr_nonnull(strstr(xml, "<name>" TINY "</name>"));
	ck_assert_ptr_nonnull(strstr(xml, "ua-mine"));
	ck_assert_ptr_null(strstr(xml, "vnc"));
	ck_assert_ptr_null(strstr(xml, "SECRET"));
}
END_TEST

enum { THREADS = 4, DEVICES_EACH = 5 };

static void *attach_some(void *context)
{
	unsigned slot = *(unsigned *)context;
	for (unsigned i = 0; i < DEVICES_EACH; i++) {
		gp_autofree char *address = gp_xasprintf("0000:41:%02x.%u", slot, i);
		gp_autofree char *alias = gp_xasprintf("ua-gpupart-%u-vdi", slot * 8 + i);
		struct gp_hostdev hostdev = {.type = GP_HOSTDEV_PCI, .managed = true, .alias = alias, .guest_xml = ""};
		bool changed = false;
		gp_pci_addr_parse(address, &hostdev.source);
		if (vmm->ops->attach(vmm, tiny, &hostdev, &changed, NULL) < 0 || !changed)
			return context;
	}
	return NULL;
}

/* The domain that the four threads edit must be there. */
static void attach_from_threads(struct gp_uuid uuid)
{
	pthread_t threads[THREADS];
	unsigned slots[THREADS];
	void *failed;
	for (unsigned i = 0; i < THREADS; i++) {
		slots[i] = i;
		ck_assert_int_eq(pthread_create(&threads[i], NULL, attach_some, &slots[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		ck_assert_int_eq(pthread_join(threads[i], &failed), 0);
		ck_assert_ptr_null(failed);
	}
	ck_assert_uint_eq(observed(uuid).config_count, (size_t)THREADS * DEVICES_EACH);
}

START_TEST(threads_lose_none_of_each_others_edits)
{
	define_tiny("");
	attach_from_threads(tiny);
}
END_TEST

/* ---- power ---- */

START_TEST(a_domain_is_started_asked_to_stop_and_forced_off)
{
	define_tiny("");
	ck_state(tiny, GP_DOMAIN_OFF);
	ck_ok(vmm->ops->shutdown(vmm, tiny, &err)); /* off already */
	ck_ok(vmm->ops->destroy(vmm, tiny, &err));
	ck_ok(vmm->ops->start(vmm, tiny, &err));
	ck_ok(vmm->ops->start(vmm, tiny, &err)); /* running already */
	ck_state(tiny, GP_DOMAIN_RUNNING);

	/* The definition is edited; the running domain is not. */
	struct gp_hostdev ours = hostdev_at("0000:41:00.1", "ua-gpupart-0-vdi");
	ck_attach(tiny, &ours, true);
	struct gp_domain domain = observed(tiny);
	ck_assert_uint_eq(domain.config_count, 1);
	ck_assert_uint_eq(domain.live_count, 0);
	ck_assert_uint_gt(domain.running_ms, 0);
	ck_assert_uint_lt(domain.running_ms, UINT64_C(600000));
	GP_CLEANUP(gp_str_clear) struct gp_str holders = {0};
	ck_ok(vmm->ops->live_holders(vmm, &ours, 1, &holders, &err));
	ck_assert_str_eq(gp_str_text(&holders), "");

	/* There is no guest that could obey. */
	ck_ok(vmm->ops->shutdown(vmm, tiny, &err));
	ck_state(tiny, GP_DOMAIN_RUNNING);
	ck_ok(vmm->ops->destroy(vmm, tiny, &err));
	ck_state(tiny, GP_DOMAIN_OFF);
	ck_assert_uint_eq(observed(tiny).running_ms, 0);
}
END_TEST

START_TEST(a_start_that_cannot_be_says_why)
{
	define_tiny("");
	struct gp_hostdev ours = hostdev_at("ffff:41:00.1", "ua-gpupart-0-vdi"); /* there is no such device */
	ck_attach(tiny, &ours, true);
	ck_assert_int_eq(vmm->ops->start(vmm, tiny, &err), -1);
	ck_assert_str_eq(err.subject, "domain " TINY);
	ck_assert_ptr_nonnull(strstr(err.message, "starting it: "));
	ck_state(tiny, GP_DOMAIN_OFF);
	ck_assert_uint_eq(observed(tiny).config_count, 1);
}
END_TEST

START_TEST(a_transient_domain_is_neither_edited_nor_stopped)
{
	domain_from_xml("create", TINY, UUID_OF("01"), "");
	struct gp_hostdev ours = hostdev_at("0000:41:00.1", "ua-gpupart-0-vdi");
	bool changed;
	ck_fails(vmm->ops->attach(vmm, tiny, &ours, &changed, &err), GP_E_REFUSED);
	ck_fails(vmm->ops->detach(vmm, tiny, &ours, &changed, &err), GP_E_REFUSED);
	ck_fails(vmm->ops->set_mark(vmm, tiny, true, &changed, &err), GP_E_REFUSED);
	ck_fails(vmm->ops->shutdown(vmm, tiny, &err), GP_E_REFUSED);
	ck_fails(vmm->ops->destroy(vmm, tiny, &err), GP_E_REFUSED);
	struct gp_domain domain = observed(tiny);
	ck_assert(!domain.persistent);
	ck_assert_int_eq(domain.state, GP_DOMAIN_RUNNING);
	GP_CLEANUP(gp_cleanup_gp_observed_free) struct gp_observed *all = observed_all();
	ck_assert(!named(all, TINY)->persistent);
}
END_TEST

START_TEST(a_paused_domain_is_left_to_who_paused_it)
{
	define_tiny("");
	ck_ok(vmm->ops->start(vmm, tiny, &err));
	virsh("suspend " TINY);
	ck_state(tiny, GP_DOMAIN_PAUSED);
	ck_fails(vmm->ops->shutdown(vmm, tiny, &err), GP_E_REFUSED);
	ck_fails(vmm->ops->destroy(vmm, tiny, &err), GP_E_REFUSED);
	ck_fails(vmm->ops->start(vmm, tiny, &err), GP_E_REFUSED);
	ck_state(tiny, GP_DOMAIN_PAUSED);
}
END_TEST

START_TEST(a_managed_save_image_is_never_lost)
{
	define_tiny("");
	ck_ok(vmm->ops->start(vmm, tiny, &err));
	virsh("managedsave " TINY);
	ck_assert(observed(tiny).managed_save);
	ck_fails(vmm->ops->start(vmm, tiny, &err), GP_E_REFUSED);
	ck_state(tiny, GP_DOMAIN_OFF);
	GP_CLEANUP(gp_cleanup_gp_observed_free) struct gp_observed *all = observed_all();
	ck_assert(named(all, TINY)->managed_save);
}
END_TEST

/* ---- the whole machine ---- */

START_TEST(all_domains_are_seen_in_order_of_name)
{
	enum { COUNT = 90 }; /* enough for several readers */
	for (int i = COUNT; i-- > 0;) {
		char name[16], uuid[GP_UUID_SIZE];
		snprintf(name, sizeof(name), "d-%02d", i);
		snprintf(uuid, sizeof(uuid), "0b5d2f1a-3c53-4d2e-9a0c-0000000000%02u", (unsigned)i % 100U);
		domain_from_xml("define", name, uuid, i % 3 == 0 ? FOREIGN : "");
	}
	virsh("autostart d-07");
	virsh("start d-08 --paused");
	virsh("undefine d-10");
	ck_ok(vmm->ops->start(vmm, uuid_of(UUID_OF("11")), &err));
	ck_mark(uuid_of(UUID_OF("12")), true, true);

	GP_CLEANUP(gp_cleanup_gp_observed_free) struct gp_observed *all = observed_all();
	ck_assert_uint_eq(all->domain_count, COUNT - 1);
	for (size_t i = 0; i < all->domain_count; i++) {
		const struct gp_domain *domain = &all->domains[i];
		int number = atoi(domain->name + 2);
		char uuid[GP_UUID_SIZE];
		ck_assert(i == 0 || strcmp(all->domains[i - 1].name, domain->name) < 0);
		ck_assert_int_eq(atoi(gp_uuid_format(domain->uuid, uuid) + 34), number);
		ck_assert(domain->config_known && domain->live_known && domain->persistent);
		ck_assert_uint_eq(domain->config_count, number % 3 == 0 ? 1 : 0);
		ck_assert_uint_eq(domain->live_count, 0);
		ck_assert_int_eq(domain->autostart, number == 7);
		ck_assert_int_eq(domain->to_start, number == 12);
		ck_assert_int_eq(domain->state, number == 11  ? GP_DOMAIN_RUNNING
						: number == 8 ? GP_DOMAIN_PAUSED
							      : GP_DOMAIN_OFF);
	}
}
END_TEST

START_TEST(a_domain_that_is_not_there_is_not_found)
{
	enum gp_domain_state state;
	struct gp_domain domain;
	bool changed;
	struct gp_hostdev ours = hostdev_at("0000:41:00.1", "ua-gpupart-0-vdi");
	ck_fails(vmm->ops->state(vmm, tiny, &state, &err), GP_E_NOT_FOUND);
	ck_fails(vmm->ops->observe_one(vmm, tiny, arena, &domain, &err), GP_E_NOT_FOUND);
	ck_fails(vmm->ops->attach(vmm, tiny, &ours, &changed, &err), GP_E_NOT_FOUND);
	ck_fails(vmm->ops->start(vmm, tiny, &err), GP_E_NOT_FOUND);
	GP_CLEANUP(gp_cleanup_gp_observed_free) struct gp_observed *all = observed_all();
	ck_assert_uint_eq(all->domain_count, 0);
}
END_TEST

START_TEST(a_read_only_connection_reads_and_cannot_write)
{
	define_tiny(FOREIGN);
	vmm->ops->close(vmm);
	open_vmm(QEMU, true);
	struct gp_hostdev ours = hostdev_at("0000:41:00.1", "ua-gpupart-0-vdi");
	struct gp_hostdev foreign = observed(tiny).config[0];
	bool changed;
	ck_fails(vmm->ops->attach(vmm, tiny, &ours, &changed, &err), GP_E_INTERNAL);
	ck_fails(vmm->ops->detach(vmm, tiny, &foreign, &changed, &err), GP_E_INTERNAL);
	ck_fails(vmm->ops->set_mark(vmm, tiny, true, &changed, &err), GP_E_INTERNAL);
	ck_fails(vmm->ops->start(vmm, tiny, &err), GP_E_INTERNAL);
	struct gp_domain domain = observed(tiny);
	ck_assert_uint_eq(domain.config_count, 1);
	ck_assert(!domain.to_start);
	ck_assert_int_eq(domain.state, GP_DOMAIN_OFF);
	GP_CLEANUP(gp_cleanup_gp_observed_free) struct gp_observed *all = observed_all();
	ck_assert_uint_eq(all->domain_count, 1);

	struct gp_uuid running = uuid_of(UUID_OF("02"));
	domain_from_xml("create", "running", UUID_OF("02"), "");
	domain_from_xml("define", "running", UUID_OF("02"), "");
	ck_fails(vmm->ops->shutdown(vmm, running, &err), GP_E_INTERNAL);
	ck_fails(vmm->ops->destroy(vmm, running, &err), GP_E_INTERNAL);
	ck_state(running, GP_DOMAIN_RUNNING);
}
END_TEST

/* ---- the daemon comes and goes ---- */

static void the_daemon_is_not_there(void)
{
	struct gp_vmm *none = NULL;
	ck_assert_int_eq(gp_vmm_libvirt_open(QEMU, true, &none, &err), -1);
	ck_assert_ptr_null(none);
	ck_assert_str_eq(err.subject, QEMU);
	ck_assert_ptr_nonnull(err.remedy);
	ck_fails(-1, GP_E_UNAVAILABLE);
	ck_fails(gp_vmm_libvirt_open(QEMU, false, &none, &err), GP_E_UNAVAILABLE);
}

START_TEST(a_daemon_that_was_restarted_is_connected_again)
{
	define_tiny("");
	struct gp_hostdev ours = hostdev_at("0000:41:00.1", "ua-gpupart-0-vdi");
	daemon_is("stop");
	daemon_is("start");
	ck_attach(tiny, &ours, true);
	daemon_is("kill"); /* SIGPIPE, if anything */
	daemon_is("start");
	GP_CLEANUP(gp_cleanup_gp_observed_free) struct gp_observed *all = observed_all();
	ck_assert_uint_eq(named(all, TINY)->config_count, 1);
}
END_TEST

START_TEST(a_daemon_that_is_gone_is_said_to_be_and_harms_nobody)
{
	define_tiny("");
	struct gp_hostdev ours = hostdev_at("0000:41:00.1", "ua-gpupart-0-vdi");
	GP_CLEANUP(gp_cleanup_gp_observed_free) struct gp_observed *none = gp_observed_new();
	GP_CLEANUP(gp_str_clear) struct gp_str holders = {0};
	enum gp_domain_state state;
	bool changed = false;

	daemon_is("kill");
	ck_fails(vmm->ops->observe(vmm, none, &err), GP_E_UNAVAILABLE);
	ck_assert(!none->domains_state.known);
	ck_fails(vmm->ops->attach(vmm, tiny, &ours, &changed, &err), GP_E_UNAVAILABLE);
	ck_fails(vmm->ops->state(vmm, tiny, &state, &err), GP_E_UNAVAILABLE);
	ck_fails(vmm->ops->start(vmm, tiny, &err), GP_E_UNAVAILABLE);
	/* Unknown: the caller takes it for held. */
	ck_fails(vmm->ops->live_holders(vmm, &ours, 1, &holders, &err), GP_E_UNAVAILABLE);
	the_daemon_is_not_there();
	daemon_is("start");
	ck_attach(tiny, &ours, true);
}
END_TEST

START_TEST(nobody_is_there_before_the_daemon_is_started)
{
	daemon_is("stop");
	the_daemon_is_not_there();
	daemon_is("start");
}
END_TEST

START_TEST(signals_and_stderr_are_as_before)
{
	char path[] = "/tmp/gpupart-test-XXXXXX";
	int file = mkstemp(path), kept = dup(STDERR_FILENO);
	enum gp_domain_state state;
	struct sigaction action;
	sigset_t mask, pending;

	daemon_is("kill");
	dup2(file, STDERR_FILENO);
	int rc = vmm->ops->state(vmm, tiny, &state, &err);
	dup2(kept, STDERR_FILENO);
	off_t printed = lseek(file, 0, SEEK_END);
	close(kept);
	close(file);
	unlink(path);
	daemon_is("start");

	ck_fails(rc, GP_E_UNAVAILABLE);
	ck_assert_int_eq(printed, 0);
	ck_assert_int_eq(sigaction(SIGPIPE, NULL, &action), 0);
	ck_assert(action.sa_handler == SIG_DFL);
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	sigpending(&pending);
	ck_assert(!sigismember(&mask, SIGPIPE));
	ck_assert(!sigismember(&pending, SIGPIPE));
}
END_TEST

START_TEST(a_connection_that_cannot_be_is_a_matter_of_usage)
{
	struct gp_vmm *none = NULL;
	ck_fails(gp_vmm_libvirt_open("bogus:///system", true, &none, &err), GP_E_USAGE);
	ck_assert_ptr_null(none);
}
END_TEST

/* Each test is a process of its own: it does not need its privileges back. */
START_TEST(an_ordinary_user_may_read_and_is_told_what_is_missing)
{
	struct gp_vmm *none = NULL;
	define_tiny("");
	ck_assert_int_eq(setresuid(65534, 65534, 65534), 0);
	ck_assert_int_eq(gp_vmm_libvirt_open(QEMU, false, &none, &err), -1);
	ck_assert_ptr_nonnull(err.remedy);
	ck_fails(-1, GP_E_PERMISSION);

	vmm->ops->close(vmm);
	open_vmm(QEMU, true);
	GP_CLEANUP(gp_cleanup_gp_observed_free) struct gp_observed *all = observed_all();
	ck_assert(named(all, TINY)->config_known);
}
END_TEST

/* ---- the test driver: no attach, so the definition is written anew ---- */

#define test_domain uuid_of(TEST_DOMAIN_UUID)

START_TEST(without_attach_the_definition_is_written_anew)
{
	struct gp_hostdev ours = hostdev_at("0000:41:00.1", "ua-gpupart-0-vdi");
	struct gp_hostdev two = hostdev_at("0000:41:00.2", "ua-gpupart-1-vdi");
	ours.guest_xml = "<rom bar='off'/>";
	ck_attach(test_domain, &ours, true);
	ck_attach(test_domain, &ours, false);
	ck_attach(test_domain, &two, true);
	struct gp_domain domain = observed(test_domain);
	ck_assert_uint_eq(domain.config_count, 2);
	ck_assert_uint_eq(domain.live_count, 0);
	ck_assert_ptr_nonnull(strstr(domain.config[0].guest_xml, "<rom bar=\"off\"/>"));
	ck_mark(test_domain, true, true);
	ck_detach(test_domain, &ours, true);
	ck_detach(test_domain, &ours, false);
	domain = observed(test_domain);
	ck_assert_uint_eq(domain.config_count, 1);
	ck_assert_str_eq(domain.config[0].alias, two.alias);
	ck_assert(domain.to_start);
	ck_mark(test_domain, false, true);
}
END_TEST

/* The survey of all domains is made in arenas of its threads, which are gone when it is read. */
START_TEST(a_place_is_seen_in_the_survey_too)
{
	struct gp_hostdev ours = hostdev_at("0000:41:00.1", "ua-gpupart-0-vdi");
	bool changed = false;
	ours.guest_xml = "<rom bar=\"off\"/>";
	ck_ok(vmm->ops->note_place(vmm, test_domain, &ours, &changed, &err));
	GP_CLEANUP(gp_cleanup_gp_observed_free) struct gp_observed *all = observed_all();
	const struct gp_domain *domain = named(all, "test");
	ck_assert_uint_eq(domain->place_count, 1);
	ck_assert_str_eq(domain->places[0].alias, ours.alias);
	ck_assert_str_eq(domain->places[0].guest_xml, ours.guest_xml);
	ck_ok(vmm->ops->forget_place(vmm, test_domain, ours.alias, &changed, &err));
}
END_TEST

/* Opened on a node whose one domain begins in this state (enum virDomainState). */
static void open_test_node(int state)
{
	char path[] = "/tmp/gpupart-test-XXXXXX";
	int fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	dprintf(fd,
		"<node><domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'><name>test</name>"
		"<uuid>" TEST_DOMAIN_UUID "</uuid><memory>8192</memory><os><type>hvm</type></os>"
		"<test:runstate>%d</test:runstate></domain></node>",
		state);
	close(fd);
	gp_autofree char *uri = gp_xasprintf("test://%s", path);
	vmm->ops->close(vmm);
	vmm = NULL;
	open_vmm(uri, false);
	unlink(path);
}

START_TEST(what_is_neither_off_nor_running_is_not_taken_for_started)
{
	enum { SHUTTING_DOWN = 4, CRASHED = 6, SUSPENDED = 7 };
	open_test_node(CRASHED);
	ck_state(test_domain, GP_DOMAIN_CRASHED);
	ck_assert_int_eq(vmm->ops->start(vmm, test_domain, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.remedy, "virsh destroy test"));
	ck_fails(-1, GP_E_REFUSED);
	open_test_node(SUSPENDED);
	ck_fails(vmm->ops->start(vmm, test_domain, &err), GP_E_REFUSED);
	open_test_node(SHUTTING_DOWN);
	ck_ok(vmm->ops->start(vmm, test_domain, &err));
}
END_TEST

START_TEST(a_device_that_is_plugged_has_a_holder)
{
	struct gp_hostdev ours = hostdev_at("0000:41:00.1", "ua-gpupart-0-vdi");
	struct gp_hostdev asked[] = {hostdev_at("0000:41:00.7", NULL), ours};
	GP_CLEANUP(gp_str_clear) struct gp_str holders = {0};

	ck_attach(test_domain, &ours, true);
	ck_ok(vmm->ops->live_holders(vmm, asked, COUNT_OF(asked), &holders, &err));
	ck_assert_str_eq(gp_str_text(&holders), ""); /* not before its next start */
	ck_ok(vmm->ops->shutdown(vmm, test_domain, &err));
	ck_state(test_domain, GP_DOMAIN_OFF);
	ck_ok(vmm->ops->start(vmm, test_domain, &err));
	ck_ok(vmm->ops->live_holders(vmm, asked, COUNT_OF(asked), &holders, &err));
	ck_assert_str_eq(gp_str_text(&holders), "test");
	ck_ok(vmm->ops->live_holders(vmm, asked, 1, &holders, &err));
	ck_assert_str_eq(gp_str_text(&holders), "test"); /* nothing was added */

	struct gp_domain domain = observed(test_domain);
	ck_assert_uint_eq(domain.live_count, 1);
	ck_assert(gp_hostdev_same_source(&domain.live[0], &ours));
	GP_CLEANUP(gp_cleanup_gp_observed_free) struct gp_observed *all = observed_all();
	ck_assert_uint_eq(named(all, "test")->live_count, 1);
	ck_assert_int_eq(named(all, "test")->state, GP_DOMAIN_RUNNING);

	ck_ok(vmm->ops->destroy(vmm, test_domain, &err));
	gp_str_clear(&holders);
	ck_ok(vmm->ops->live_holders(vmm, asked, COUNT_OF(asked), &holders, &err));
	ck_assert_str_eq(gp_str_text(&holders), ""); /* a stopped domain only claims it */
}
END_TEST

START_TEST(a_mediated_device_that_is_plugged_has_a_holder)
{
	struct gp_hostdev ours = mdev_of(MDEV, "ua-gpupart-0-vdi"), other = mdev_of(OTHER, NULL);
	struct gp_hostdev vf = hostdev_at("0000:00:00.0", NULL);
	GP_CLEANUP(gp_str_clear) struct gp_str holders = {0};

	ck_attach(test_domain, &ours, true);
	ck_ok(vmm->ops->shutdown(vmm, test_domain, &err));
	ck_state(test_domain, GP_DOMAIN_OFF);
	ck_ok(vmm->ops->start(vmm, test_domain, &err));
	ck_ok(vmm->ops->live_holders(vmm, &other, 1, &holders, &err));
	ck_ok(vmm->ops->live_holders(vmm, &vf, 1, &holders, &err));
	ck_assert_str_eq(gp_str_text(&holders), "");
	ck_ok(vmm->ops->live_holders(vmm, &ours, 1, &holders, &err));
	ck_assert_str_eq(gp_str_text(&holders), "test");
}
END_TEST

static void add_tests(Suite *suite, const char *name, void (*setup)(void), const TTest *const *tests, size_t count)
{
	TCase *tcase = tcase_create(name);
	tcase_add_checked_fixture(tcase, setup, clear);
	tcase_set_timeout(tcase, 120);
	for (size_t i = 0; i < count; i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	const TTest *const qemu[] = {
		nobody_is_there_before_the_daemon_is_started,
		a_second_attach_is_empty_and_so_is_a_second_detach,
		a_foreign_hostdev_stays,
		the_guest_sees_no_new_device_after_a_replacement,
		the_only_device_that_the_guest_boots_from_is_replaced,
		an_exchange_goes_on_from_wherever_it_was_stopped,
		a_mediated_device_is_put_in_and_taken_out,
		a_display_outlives_a_replacement,
		a_vf_and_a_mediated_device_stand_in_for_each_other,
		an_exchange_of_mediated_devices_goes_on_from_its_note,
		versions_are_those_of_the_daemon,
		a_place_outlives_the_mark_and_the_mark_a_place,
		a_place_is_kept_for_one_of_ours_alone,
		what_somebody_put_there_instead_is_not_exchanged,
		a_name_stands_for_one_hostdev,
		success_is_a_read_back,
		what_libvirt_refuses_is_shown_in_its_words,
		an_interface_that_holds_a_device_is_left_alone,
		the_mark_is_set_and_cleared,
		the_definition_is_handed_out_without_secrets,
		threads_lose_none_of_each_others_edits,
		a_domain_is_started_asked_to_stop_and_forced_off,
		a_start_that_cannot_be_says_why,
		a_transient_domain_is_neither_edited_nor_stopped,
		a_paused_domain_is_left_to_who_paused_it,
		a_managed_save_image_is_never_lost,
		all_domains_are_seen_in_order_of_name,
		a_domain_that_is_not_there_is_not_found,
		a_read_only_connection_reads_and_cannot_write,
		a_daemon_that_was_restarted_is_connected_again,
		a_daemon_that_is_gone_is_said_to_be_and_harms_nobody,
		signals_and_stderr_are_as_before,
		a_connection_that_cannot_be_is_a_matter_of_usage,
		an_ordinary_user_may_read_and_is_told_what_is_missing,
	};
	const TTest *const test_driver[] = {
		without_attach_the_definition_is_written_anew,
		a_place_is_seen_in_the_survey_too,
		what_is_neither_off_nor_running_is_not_taken_for_started,
		a_device_that_is_plugged_has_a_holder,
		a_mediated_device_that_is_plugged_has_a_holder,
	};
	if (getenv("GP_LIBVIRT_DAEMON") == NULL) {
		puts("skipped: to be run by tests/libvirt/run.sh, which brings a libvirt of its own");
		return 77;
	}
	if (system("\"$GP_LIBVIRT_DAEMON\" start") != 0) {
		puts("skipped: libvirtd cannot be started here");
		return 77;
	}
	Suite *suite = suite_create("libvirt");
	add_tests(suite, "qemu", setup_qemu, qemu, COUNT_OF(qemu));
	add_tests(suite, "test driver", setup_test_driver, test_driver, COUNT_OF(test_driver));
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
