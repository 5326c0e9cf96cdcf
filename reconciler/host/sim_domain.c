/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/sim_domain.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "host/sim_fault.h"
#include "host/sim_kernel.h"
#include "host/sim_tree.h"
#include "host/vmm.h"

enum {
	MODE = 0600, /* definitions hold passwords */
	MODE_PUBLIC = 0644,
	LONGEST_NAME = 247,
};

#define QEMU "qemu-system-x86_64"

/* ---- words ---- */

static int fail(struct gp_error *err, enum gp_error_kind kind, const char *name, const char *what)
{
	gp_fail(err, kind, "%s", what);
	return gp_error_subject(err, "domain %s", name);
}

static int fail_io(struct gp_error *err, const char *name)
{
	gp_fail_errno(err, errno, "the simulated machine cannot keep its state");
	return gp_error_subject(err, "domain %s", name);
}

static int fail_unknown(struct gp_error *err, const char *name)
{
	gp_fail(err, GP_E_NOT_FOUND, "Domain not found: no domain with matching name '%s'", name);
	return gp_error_subject(err, "domain %s", name);
}

static bool is_defined(int root, const char *name)
{
	return gp_tree_exists(root, GP_SIM_DEFINITIONS "/%s.xml", name);
}

static bool is_active(int root, const char *name)
{
	return gp_tree_exists(root, GP_SIM_LIVE "/%s.xml", name);
}

/* ---- who runs them ---- */

int gp_sim_parse_version(const char *text, uint32_t *out)
{
	enum { MAJOR = 1000000, MINOR = 1000, MOST = 1000 };
	unsigned major, minor, micro = 0;
	int end = 0;
	int found = sscanf(text, "%u.%u%n.%u%n", &major, &minor, &end, &micro, &end);
	if (found < 2 || text[end] != '\0' || major >= MOST || minor >= MOST || micro >= MOST)
		return -1;
	*out = major * MAJOR + minor * MINOR + micro;
	return 0;
}

int gp_sim_hypervisor_save(int root, const char *libvirt, const char *qemu)
{
	gp_autofree char *text =
		gp_xasprintf("%s %s\n", libvirt == NULL ? GP_SIM_LIBVIRT : libvirt, qemu == NULL ? GP_SIM_QEMU : qemu);
	return gp_tree_write(root, MODE_PUBLIC, text, ".sim/hypervisor");
}

void gp_sim_hypervisor(int root, struct gp_hypervisor *out)
{
	gp_autofree char *words = gp_tree_word(root, ".sim/hypervisor");
	gp_autofree char *other = NULL;
	char *blank = strchr(words, ' ');
	*out = (struct gp_hypervisor){0};
	if (blank != NULL) {
		*blank = '\0';
		gp_sim_parse_version(blank + 1, &out->emulator);
	}
	gp_sim_parse_version(words, &out->version);
	if (gp_sim_fault_find(root, "libvirt", "", "", &other))
		gp_sim_parse_version(other, &out->version);
}

/* ---- guests ---- */

int gp_sim_guest_save(int root, const char *name, const struct gp_sim_guest *guest)
{
	gp_autofree char *text = gp_xasprintf("%d %" PRIu64 "\n", guest->ignores_shutdown, guest->shutdown_ms);
	return gp_tree_write(root, MODE, text, ".sim/guests/%s", name);
}

static struct gp_sim_guest guest_of(int root, const char *name)
{
	struct gp_sim_guest guest = {0};
	gp_autofree char *text = gp_tree_word(root, ".sim/guests/%s", name);
	char *blank = strchr(text, ' ');
	if (blank != NULL) {
		guest.ignores_shutdown = text[0] == '1';
		gp_parse_u64(blank + 1, &guest.shutdown_ms);
	}
	if (gp_sim_fault_find(root, "ignore-shutdown", name, "", NULL))
		guest.ignores_shutdown = true;
	return guest;
}

/* ---- live files ---- */

void gp_sim_live_clear(struct gp_sim_live *live)
{
	free(live->state);
	free(live->domain);
	*live = (struct gp_sim_live){0};
}

/* The value of NAME='…' in the first tag of the text; NULL when it is not there. Caller frees. */
static char *attribute_of(const char *text, const char *name)
{
	gp_autofree char *needle = gp_xasprintf(" %s='", name);
	const char *tag_end = strchr(text, '>');
	const char *found = strstr(text, needle);
	if (tag_end == NULL || found == NULL || found > tag_end)
		return NULL;
	found += strlen(needle);
	return gp_xasprintf("%.*s", (int)strcspn(found, "'"), found);
}

uint64_t gp_sim_live_since(const char *text)
{
	gp_autofree char *since = attribute_of(text, "since");
	uint64_t ms = 0;
	if (since != NULL)
		gp_parse_u64(since, &ms);
	return ms;
}

/* <domain …>…</domain>, wherever it stands in the text; caller frees. */
static char *domain_element(const char *text)
{
	static const char close[] = "</domain>";
	const char *begin = strstr(text, "<domain");
	while (begin != NULL && strchr(" >\n", begin[strlen("<domain")]) == NULL)
		begin = strstr(begin + 1, "<domain");
	if (begin == NULL)
		return gp_xstrdup("");
	const char *end = begin;
	for (const char *next = strstr(begin, close); next != NULL; next = strstr(next + 1, close))
		end = next + strlen(close);
	return gp_xasprintf("%.*s", (int)(end - begin), begin);
}

int gp_sim_live_read(int root, const char *name, struct gp_sim_live *out)
{
	gp_autofree char *text = gp_tree_read(root, NULL, GP_SIM_LIVE "/%s.xml", name);
	*out = (struct gp_sim_live){0};
	if (text == NULL)
		return -1;
	gp_autofree char *pid = attribute_of(text, "pid");
	out->state = attribute_of(text, "state");
	if (out->state == NULL)
		out->state = gp_xstrdup("");
	if (pid != NULL)
		gp_parse_u64(pid, &out->pid);
	out->since = gp_sim_live_since(text);
	out->domain = domain_element(text);
	return 0;
}

static int live_write(int root, const char *name, const struct gp_sim_live *live, struct gp_error *err)
{
	gp_autofree char *text = gp_xasprintf(
		"<domstatus state='%s' reason='%s' pid='%" PRIu64 "' since='%" PRIu64 "'>\n%s\n</domstatus>\n",
		live->state, gp_streq(live->state, "paused") ? "user" : "booted", live->pid, live->since, live->domain);
	return gp_tree_write(root, MODE, text, GP_SIM_LIVE "/%s.xml", name) < 0 ? fail_io(err, name) : 0;
}

static int read_live(int root, const char *name, struct gp_sim_live *live, struct gp_error *err)
{
	if (gp_sim_live_read(root, name, live) == 0)
		return 0;
	return is_defined(root, name)
		       ? fail(err, GP_E_BUSY, name, "Requested operation is not valid: domain is not running")
		       : fail_unknown(err, name);
}

/* ---- definitions ---- */

static int check_name(const struct gp_domain_xml *xml, struct gp_error *err)
{
	if (strchr(xml->name, '/') != NULL)
		return gp_fail(err, GP_E_IO, "XML error: name %s cannot contain '/'", xml->name);
	if (strlen(xml->name) > LONGEST_NAME)
		return gp_fail(err, GP_E_IO, "a domain cannot be kept under the name '%s'", xml->name);
	return 0;
}

static int check_twice(const struct gp_domain_xml *xml, struct gp_error *err)
{
	for (size_t i = 0; i < xml->hostdev_count; i++)
		for (size_t j = 0; j < i; j++) {
			const struct gp_hostdev *a = &xml->hostdevs[i];
			const struct gp_hostdev *b = &xml->hostdevs[j];
			if (gp_hostdev_same_source(a, b))
				return fail(err, GP_E_IO, xml->name,
					    "XML error: Hostdev already exists in the domain configuration");
			if (a->alias != NULL && gp_streq(a->alias, b->alias)) {
				gp_fail(err, GP_E_IO, "unsupported configuration: non unique alias detected: %s",
					a->alias);
				return gp_error_subject(err, "domain %s", xml->name);
			}
		}
	return 0;
}

/* Name and UUID go together for good, in both directions. */
static int check_against(int root, const char *other, const struct gp_domain_xml *xml, struct gp_error *err)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	struct gp_domain_xml found;
	char uuid[GP_UUID_SIZE];
	size_t size = 0;
	gp_autofree char *text = gp_tree_read(root, &size, GP_SIM_DEFINITIONS "/%s", other);
	if (text == NULL || gp_domain_xml_parse(text, size, arena, &found, NULL) < 0)
		return 0;
	bool same_name = gp_streq(found.name, xml->name);
	bool same_uuid = gp_uuid_equal(found.uuid, xml->uuid);
	if (same_name == same_uuid)
		return 0;
	return gp_fail(err, GP_E_IO, "operation failed: domain '%s' %s %s", found.name,
		       same_name ? "already exists with uuid" : "is already defined with uuid",
		       gp_uuid_format(found.uuid, uuid));
}

static bool is_xml_name(const char *name)
{
	return gp_glob_match("*.xml", name, false);
}

static int check_unique(int root, const struct gp_domain_xml *xml, struct gp_error *err)
{
	struct gp_names names = {0};
	int result = 0;
	gp_tree_names(root, &names, GP_SIM_DEFINITIONS);
	for (size_t i = 0; i < names.count && result == 0; i++)
		if (is_xml_name(gp_names_at(&names, i)))
			result = check_against(root, gp_names_at(&names, i), xml, err);
	gp_names_clear(&names);
	return result;
}

static char *with_uuid(const char *text, struct gp_uuid uuid)
{
	static const char after[] = "</name>";
	char words[GP_UUID_SIZE];
	const char *at = strstr(text, after);
	if (at == NULL)
		return gp_xstrdup(text);
	at += strlen(after);
	return gp_xasprintf("%.*s\n  <uuid>%s</uuid>%s", (int)(at - text), text, gp_uuid_format(uuid, words), at);
}

/* The text as libvirt would take it in, with a UUID; caller frees. NULL and *err: it would not. */
static char *take_in(int root, const char *xml, size_t size, struct gp_arena *arena, struct gp_domain_xml *parsed,
		     struct gp_error *err)
{
	if (gp_domain_xml_parse(xml, size, arena, parsed, err) < 0)
		return NULL;
	bool has_uuid = !gp_uuid_is_null(parsed->uuid);
	if (!has_uuid)
		parsed->uuid = gp_sim_uuid_of_name(parsed->name);
	gp_autofree char *text = has_uuid ? gp_xstrdup(xml) : with_uuid(xml, parsed->uuid);
	if (check_name(parsed, err) < 0 || check_twice(parsed, err) < 0 || check_unique(root, parsed, err) < 0)
		return NULL;
	return gp_domain_xml_settled(text, strlen(text), err);
}

int gp_sim_domain_define(int root, const char *xml, size_t size, struct gp_error *err)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	struct gp_domain_xml parsed;
	gp_autofree char *text = take_in(root, xml, size, arena, &parsed, err);
	if (text == NULL)
		return -1;
	if (gp_tree_write(root, MODE, text, GP_SIM_DEFINITIONS "/%s.xml", parsed.name) < 0)
		return fail_io(err, parsed.name);
	return 0;
}

int gp_sim_domain_redefine(int root, const char *name, const char *xml, struct gp_error *err)
{
	return gp_tree_write(root, MODE, xml, GP_SIM_DEFINITIONS "/%s.xml", name) < 0 ? fail_io(err, name) : 0;
}

int gp_sim_domain_undefine(int root, const char *name, struct gp_error *err)
{
	if (!is_defined(root, name))
		return is_active(root, name)
			       ? fail(err, GP_E_BUSY, name,
				      "Requested operation is not valid: cannot undefine transient domain")
			       : fail_unknown(err, name);
	if (gp_tree_exists(root, GP_SIM_SAVED "/%s.save", name))
		return fail(err, GP_E_BUSY, name,
			    "Requested operation is not valid: Refusing to undefine while domain managed save image "
			    "exists");
	if (gp_tree_remove(root, GP_SIM_AUTOSTART "/%s.xml", name) < 0 ||
	    gp_tree_remove(root, GP_SIM_DEFINITIONS "/%s.xml", name) < 0)
		return fail_io(err, name);
	return 0;
}

/* ---- start ---- */

/* Which running domain has it plugged? Caller frees; NULL: none. */
static char *user_of(int root, const struct gp_hostdev *hostdev)
{
	struct gp_names names = {0};
	char *user = NULL;
	gp_tree_names(root, &names, GP_SIM_LIVE);
	for (size_t i = 0; i < names.count && user == NULL; i++) {
		GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
		struct gp_domain_xml xml;
		size_t size = 0;
		gp_autofree char *text = gp_tree_read(root, &size, GP_SIM_LIVE "/%s", gp_names_at(&names, i));
		if (text == NULL || gp_domain_xml_parse(text, size, arena, &xml, NULL) < 0)
			continue;
		for (size_t j = 0; j < xml.hostdev_count && user == NULL; j++)
			if (gp_hostdev_same_source(&xml.hostdevs[j], hostdev))
				user = gp_xstrdup(xml.name);
	}
	gp_names_clear(&names);
	return user;
}

static int check_mdev(int root, const struct gp_hostdev *hostdev, struct gp_error *err)
{
	char uuid[GP_UUID_SIZE];
	gp_uuid_format(hostdev->mdev, uuid);
	if (!gp_kernel_mdev_exists(root, hostdev->mdev))
		return gp_fail(err, GP_E_NOT_FOUND, "device not found: mediated device '%s' not found", uuid);
	if (!gp_kernel_mdev_held(root, hostdev->mdev))
		return 0;
	gp_autofree char *user = user_of(root, hostdev);
	if (user == NULL)
		return 0;
	gp_fail(err, GP_E_BUSY,
		"Requested operation is not valid: mediated device /sys/bus/mdev/devices/%s is in use by driver QEMU, "
		"domain %s",
		uuid, user);
	return gp_error_holder(err, "domain %s", user);
}

/* A device that libvirt does not detach itself must have a VFIO driver. That the device's own driver may be one, it
 * learned late. */
static int check_unmanaged(int root, const struct gp_hostdev *hostdev, struct gp_error *err)
{
	struct gp_hypervisor hypervisor;
	char addr[GP_PCI_ADDR_SIZE];
	gp_autofree char *driver = gp_kernel_device_driver(root, hostdev->source);
	gp_sim_hypervisor(root, &hypervisor);
	if (gp_streq(driver, "vfio-pci") ||
	    (gp_kernel_device_is_vfio(root, hostdev->source) && hypervisor.version >= GP_LIBVIRT_VFIO_VARIANTS))
		return 0;
	return gp_fail(err, GP_E_BUSY, "Unmanaged PCI device %s must be manually detached from the host",
		       gp_pci_addr_format(hostdev->source, addr));
}

static int check_device(int root, const struct gp_hostdev *hostdev, struct gp_error *err)
{
	char addr[GP_PCI_ADDR_SIZE];
	if (hostdev->type == GP_HOSTDEV_MDEV)
		return check_mdev(root, hostdev, err);
	gp_pci_addr_format(hostdev->source, addr);
	if (!gp_kernel_device_exists(root, hostdev->source))
		return gp_fail(err, GP_E_IO,
			       "Device %s not found: could not access /sys/bus/pci/devices/%s/config: No such file or "
			       "directory",
			       addr, addr);
	if (!hostdev->managed && check_unmanaged(root, hostdev, err) < 0)
		return -1;
	if (!gp_kernel_device_held(root, hostdev->source))
		return 0;
	gp_autofree char *user = user_of(root, hostdev);
	if (user == NULL)
		return 0;
	gp_fail(err, GP_E_BUSY, "Requested operation is not valid: PCI device %s is in use by driver QEMU, domain %s",
		addr, user);
	return gp_error_holder(err, "domain %s", user);
}

static int open_device(int root, const struct gp_hostdev *hostdev, uint64_t pid, struct gp_error *err)
{
	if (hostdev->type == GP_HOSTDEV_MDEV)
		return gp_kernel_open_mdev(root, hostdev->mdev, pid, err);
	return gp_kernel_open(root, hostdev->source, pid, hostdev->managed, err);
}

/* All devices are looked at before the first is touched, as libvirt does. */
static int open_devices(int root, const struct gp_domain_xml *xml, uint64_t pid, struct gp_error *err)
{
	for (size_t i = 0; i < xml->hostdev_count; i++)
		if (check_device(root, &xml->hostdevs[i], err) < 0)
			return -1;
	for (size_t i = 0; i < xml->hostdev_count; i++)
		if (open_device(root, &xml->hostdevs[i], pid, err) < 0)
			return -1;
	return 0;
}

int gp_sim_domain_create(int root, const char *name, const char *xml, uint64_t since, struct gp_error *err)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	GP_CLEANUP(gp_sim_live_clear) struct gp_sim_live live = {.since = since};
	struct gp_domain_xml parsed;
	if (gp_domain_xml_parse(xml, strlen(xml), arena, &parsed, err) < 0)
		return gp_error_subject(err, "domain %s", name);
	if (gp_kernel_new_process(root, QEMU, &live.pid) < 0)
		return fail_io(err, name);
	live.state = gp_xstrdup("running");
	live.domain = domain_element(xml);
	if (open_devices(root, &parsed, live.pid, err) == 0 && live_write(root, name, &live, err) == 0)
		return 0;
	gp_kernel_let_go(root, live.pid);
	return gp_error_subject(err, "domain %s", name);
}

int gp_sim_domain_start(int root, const char *name, uint64_t since, struct gp_error *err)
{
	if (is_active(root, name))
		return fail(err, GP_E_BUSY, name, "Requested operation is not valid: domain is already running");
	gp_autofree char *saved = gp_tree_read(root, NULL, GP_SIM_SAVED "/%s.save", name);
	gp_autofree char *defined = gp_tree_read(root, NULL, GP_SIM_DEFINITIONS "/%s.xml", name);
	if (defined == NULL)
		return fail_unknown(err, name);
	if (gp_sim_domain_create(root, name, saved != NULL ? saved : defined, since, err) < 0)
		return -1;
	gp_tree_remove(root, GP_SIM_SAVED "/%s.save", name);
	return 0;
}

int gp_sim_domain_create_new(int root, const char *xml, size_t size, uint64_t since, struct gp_error *err)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	struct gp_domain_xml parsed;
	gp_autofree char *text = take_in(root, xml, size, arena, &parsed, err);
	if (text == NULL)
		return -1;
	if (is_active(root, parsed.name))
		return fail(err, GP_E_BUSY, parsed.name, "Requested operation is not valid: domain is already active");
	return gp_sim_domain_create(root, parsed.name, text, since, err);
}

/* ---- stop ---- */

static void go_off(int root, const char *name, uint64_t pid)
{
	gp_kernel_let_go(root, pid);
	gp_tree_remove(root, GP_SIM_LIVE "/%s.xml", name);
}

/* The guest takes its time, whatever becomes of who asked it. */
static void go_off_later(int root, const char *name, uint64_t pid, uint64_t ms)
{
	uint64_t boot = gp_sim_boots(root);
	if (!gp_sim_background(root, -1))
		return;
	if (gp_sim_pause(root, boot, ms)) {
		GP_CLEANUP(gp_sim_live_clear) struct gp_sim_live live = {0};
		int lock = gp_tree_lock_machine(root);
		if (lock >= 0 && gp_sim_boots(root) == boot && gp_sim_live_read(root, name, &live) == 0 &&
		    live.pid == pid)
			go_off(root, name, pid);
	}
	_exit(0);
}

int gp_sim_domain_shutdown(int root, const char *name, struct gp_error *err)
{
	GP_CLEANUP(gp_sim_live_clear) struct gp_sim_live live = {0};
	if (read_live(root, name, &live, err) < 0)
		return -1;
	if (!gp_streq(live.state, "running"))
		return fail(err, GP_E_BUSY, name, "Requested operation is not valid: domain is not running");
	struct gp_sim_guest guest = guest_of(root, name);
	if (guest.ignores_shutdown)
		return 0;
	if (guest.shutdown_ms > 0)
		go_off_later(root, name, live.pid, guest.shutdown_ms);
	else
		go_off(root, name, live.pid);
	return 0;
}

int gp_sim_domain_destroy(int root, const char *name, struct gp_error *err)
{
	GP_CLEANUP(gp_sim_live_clear) struct gp_sim_live live = {0};
	if (read_live(root, name, &live, err) < 0)
		return -1;
	go_off(root, name, live.pid);
	return 0;
}

/* refusal: why it cannot be when it is in the state that is told; NULL: it can. */
static int change_state(int root, const char *name, const char *to, const char *(*refusal)(const char *state),
			struct gp_error *err)
{
	GP_CLEANUP(gp_sim_live_clear) struct gp_sim_live live = {0};
	if (read_live(root, name, &live, err) < 0)
		return -1;
	const char *why = refusal(live.state);
	if (why != NULL)
		return fail(err, GP_E_BUSY, name, why);
	free(live.state);
	live.state = gp_xstrdup(to);
	return live_write(root, name, &live, err);
}

#define INVALID "Requested operation is not valid: "

/* Also one that has crashed: it can be made to go on. */
static const char *no_pause(const char *state)
{
	return gp_streq(state, "pmsuspended") ? INVALID "domain is pmsuspended" : NULL;
}

static const char *no_resume(const char *state)
{
	if (gp_streq(state, "running"))
		return INVALID "domain is already running";
	return no_pause(state);
}

static const char *not_running(const char *state)
{
	return gp_streq(state, "running") ? NULL : INVALID "domain is not running";
}

int gp_sim_domain_pause(int root, const char *name, struct gp_error *err)
{
	return change_state(root, name, "paused", no_pause, err);
}

int gp_sim_domain_resume(int root, const char *name, struct gp_error *err)
{
	return change_state(root, name, "running", no_resume, err);
}

int gp_sim_domain_suspend(int root, const char *name, struct gp_error *err)
{
	return change_state(root, name, "pmsuspended", not_running, err);
}

int gp_sim_domain_crash(int root, const char *name, struct gp_error *err)
{
	GP_CLEANUP(gp_sim_live_clear) struct gp_sim_live live = {0};
	if (read_live(root, name, &live, err) < 0)
		return -1;
	const char *domain = live.domain == NULL ? "" : live.domain;
	if (strstr(domain, "<on_crash>preserve</on_crash>") != NULL)
		return change_state(root, name, "crashed", not_running, err);
	go_off(root, name, live.pid);
	return 0;
}

/* Nobody can read out of a device that is with vfio-pci what the guest has done to it. */
static int check_save(int root, const struct gp_sim_live *live, struct gp_error *err)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	struct gp_domain_xml xml;
	const char *domain = live->domain == NULL ? "" : live->domain;
	if (gp_domain_xml_parse(domain, strlen(domain), arena, &xml, err) < 0)
		return -1;
	for (size_t i = 0; i < xml.hostdev_count; i++) {
		if (xml.hostdevs[i].type != GP_HOSTDEV_PCI)
			continue;
		gp_autofree char *driver = gp_kernel_device_driver(root, xml.hostdevs[i].source);
		if (gp_streq(driver, "vfio-pci"))
			return gp_fail(err, GP_E_BUSY,
				       "Requested operation is not valid: cannot migrate domain: VFIO device doesn't "
				       "support migration");
	}
	return 0;
}

int gp_sim_domain_save(int root, const char *name, struct gp_error *err)
{
	GP_CLEANUP(gp_sim_live_clear) struct gp_sim_live live = {0};
	if (read_live(root, name, &live, err) < 0)
		return -1;
	if (!is_defined(root, name))
		return fail(err, GP_E_BUSY, name,
			    "Requested operation is not valid: cannot do managed save for transient domain");
	if (check_save(root, &live, err) < 0)
		return gp_error_subject(err, "domain %s", name);
	if (gp_tree_write(root, MODE, live.domain, GP_SIM_SAVED "/%s.save", name) < 0)
		return fail_io(err, name);
	go_off(root, name, live.pid);
	return 0;
}

int gp_sim_domain_unsave(int root, const char *name, struct gp_error *err)
{
	if (!is_defined(root, name) && !is_active(root, name))
		return fail_unknown(err, name);
	return gp_tree_remove(root, GP_SIM_SAVED "/%s.save", name) < 0 ? fail_io(err, name) : 0;
}

int gp_sim_domain_autostart(int root, const char *name, bool on, struct gp_error *err)
{
	gp_autofree char *definition = gp_xasprintf("/" GP_SIM_DEFINITIONS "/%s.xml", name);
	if (!is_defined(root, name))
		return is_active(root, name)
			       ? fail(err, GP_E_BUSY, name,
				      "Requested operation is not valid: cannot set autostart for transient domain")
			       : fail_unknown(err, name);
	int result = on ? gp_tree_link(root, definition, GP_SIM_AUTOSTART "/%s.xml", name)
			: gp_tree_remove(root, GP_SIM_AUTOSTART "/%s.xml", name);
	return result < 0 ? fail_io(err, name) : 0;
}

struct gp_uuid gp_sim_uuid_of_name(const char *name)
{
	/* The simulated machine's own name space. */
	static const struct gp_uuid space = {
		{0x1d, 0x5e, 0x3c, 0x9a, 0x71, 0x42, 0x4f, 0x0b, 0x9a, 0x6d, 0x67, 0x70, 0x75, 0x70, 0x61, 0x72}};

	return gp_uuid_from_name(space, name);
}
