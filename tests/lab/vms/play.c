/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 *	play sim MACHINE.yaml LIBVIRT-VERSION DIRECTORY SCRIPT…
 *	play libvirt DAEMON.sh DIRECTORY SCRIPT…
 *
 * Plays scripts on the VMs of a machine through host/vmm.h, and writes DIRECTORY/NAME.trace for each SCRIPT NAME.vm.
 * Traces of the simulated machine and of a real libvirt can be compared: README.md tells what they say.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/num.h"
#include "host/domain_xml.h"
#include "host/host.h"
#include "model/names.h"
#include "person.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { WORDS_MAX = 32, VMS_MAX = 32, PLACES_MAX = 16, WAIT_MS = 120000, LOOK_MS = 50 };

/* Places in the guest, numbered as they are seen first: which ones libvirt chooses is its own business. */
struct known_places {
	struct gp_pci_addr addr[PLACES_MAX];
	size_t count;
};

struct play {
	struct person *person;
	struct gp_host *host;
	struct gp_vmm *vmm;
	FILE *trace;
	struct gp_arena *arena; /* of the script */
	struct vm vms[VMS_MAX];
	struct known_places places[VMS_MAX];
	size_t vm_count;
	const char *script;
	unsigned line;
	bool failed;
};

/* ---- saying ---- */

static void say(struct play *play, const char *format, ...) GP_PRINTF(2, 3);

static void say(struct play *play, const char *format, ...)
{
	va_list args;
	fputs("  ", play->trace);
	va_start(args, format);
	vfprintf(play->trace, format, args);
	va_end(args);
	fputc('\n', play->trace);
}

/* A script that cannot be played as it is written. */
static void complain(struct play *play, const char *what, const char *word)
{
	fprintf(stderr, "%s:%u: %s: %s\n", play->script, play->line, what, word);
	play->failed = true;
}

/* The words of an error differ, its kind does not; they are for who looks into a difference. */
static void say_error(struct play *play, struct gp_error *err)
{
	say(play, "%s", gp_error_kind_name(err->kind));
	fprintf(stderr, "%s:%u: %s: %s\n", play->script, play->line, gp_error_kind_name(err->kind),
		err->message == NULL ? "no words" : err->message);
	gp_error_clear(err);
}

static void say_result(struct play *play, int rc, struct gp_error *err)
{
	if (rc < 0)
		say_error(play, err);
	else
		say(play, "done");
}

static void say_change(struct play *play, int rc, bool changed, struct gp_error *err)
{
	if (rc < 0)
		say_error(play, err);
	else
		say(play, changed ? "changed" : "as it was");
}

/* ---- VMs by name ---- */

static struct vm *find_vm(struct play *play, const char *name)
{
	for (size_t i = 0; i < play->vm_count; i++)
		if (gp_streq(play->vms[i].name, name))
			return &play->vms[i];
	if (play->vm_count == VMS_MAX) {
		complain(play, "too many VMs", name);
		return &play->vms[0];
	}
	/* A name space of its own: the same name has the same UUID wherever the script is played. */
	static const struct gp_uuid space = {{0x8f, 0x0c, 0x5e, 0x4a, 0x1b, 0x7d, 0x42, 0x63, 0x9e, 0x11, 0x76, 0x6d}};
	struct vm *vm = &play->vms[play->vm_count++];
	*vm = (struct vm){.name = gp_arena_strdup(play->arena, name), .uuid = gp_uuid_from_name(space, name)};
	play->places[vm - play->vms] = (struct known_places){0};
	return vm;
}

/* ---- hostdevs: ADDRESS[,ALIAS][,unmanaged][,guest=BUS][,rom][,boot=ORDER] ---- */

static struct gp_hostdev parse_hostdev(struct play *play, const char *text)
{
	struct gp_hostdev hostdev = {.type = GP_HOSTDEV_PCI, .managed = true};
	GP_CLEANUP(gp_str_clear) struct gp_str guest = {0};
	gp_autofree char *words = gp_xstrdup(text);
	char *rest = NULL;
	const char *address = strtok_r(words, ",", &rest);

	if (address == NULL || gp_pci_addr_parse(address, &hostdev.source) < 0)
		complain(play, "no PCI address", text);
	for (const char *word; (word = strtok_r(NULL, ",", &rest)) != NULL;) {
		if (gp_starts_with(word, "ua-"))
			hostdev.alias = gp_arena_strdup(play->arena, word);
		else if (gp_streq(word, "unmanaged"))
			hostdev.managed = false;
		else if (gp_streq(word, "rom"))
			gp_str_add(&guest, "<rom bar='off'/>");
		else if (gp_starts_with(word, "boot="))
			gp_str_printf(&guest, "<boot order='%s'/>", word + strlen("boot="));
		else if (gp_starts_with(word, "guest="))
			gp_str_printf(&guest,
				      "<address type='pci' domain='0x0000' bus='%s' slot='0x00' function='0x0'/>",
				      word + strlen("guest="));
		else
			complain(play, "no word for a hostdev", word);
	}
	hostdev.ours = gp_alias_is_ours(hostdev.alias);
	hostdev.guest_xml = gp_arena_strdup(play->arena, gp_str_text(&guest));
	return hostdev;
}

static unsigned number_of(const char *tag, const char *name)
{
	gp_autofree char *needle = gp_xasprintf(" %s=", name);
	const char *found = strstr(tag, needle);
	return found == NULL ? 0 : (unsigned)strtoul(found + strlen(needle) + 1, NULL, 0);
}

static bool guest_address(const char *guest_xml, struct gp_pci_addr *out)
{
	const char *begin = strstr(guest_xml, "<address");
	if (begin == NULL)
		return false;
	gp_autofree char *tag = gp_xasprintf("%.*s", (int)strcspn(begin, ">"), begin);
	*out = (struct gp_pci_addr){number_of(tag, "domain"), (uint8_t)number_of(tag, "bus"),
				    (uint8_t)number_of(tag, "slot"), (uint8_t)number_of(tag, "function")};
	return true;
}

static size_t place_number(struct known_places *known, struct gp_pci_addr addr)
{
	size_t i = 0;
	while (i < known->count && gp_pci_addr_compare(known->addr[i], addr) != 0)
		i++;
	if (i == known->count && i < PLACES_MAX)
		known->addr[known->count++] = addr;
	return i + 1;
}

static void add_place(struct play *play, const struct vm *vm, const char *guest_xml, struct gp_str *out)
{
	struct gp_pci_addr addr;
	if (guest_address(guest_xml, &addr))
		gp_str_printf(out, ", place %zu", place_number(&play->places[vm - play->vms], addr));
	else
		gp_str_add(out, ", no place");
}

static void add_elements(const char *guest_xml, struct gp_str *out)
{
	for (const char *at = guest_xml; (at = strchr(at, '<')) != NULL; at++)
		if (at[1] != '/' && !gp_starts_with(at, "<address"))
			gp_str_printf(out, ", %.*s", (int)strcspn(at + 1, " />"), at + 1);
}

static void add_hostdev(struct play *play, const struct vm *vm, const char *what, const struct gp_hostdev *hostdev,
			struct gp_str *out)
{
	char addr[GP_PCI_ADDR_SIZE];
	gp_str_printf(out, "    %s %s %s%s, %s", what, gp_pci_addr_format(hostdev->source, addr),
		      hostdev->alias == NULL ? "without a name" : hostdev->alias,
		      hostdev->elsewhere ? ", no hostdev" : "", hostdev->managed ? "managed" : "unmanaged");
	add_place(play, vm, hostdev->guest_xml, out);
	/* What is plugged has elements of libvirt's own; nobody puts it anywhere else. */
	if (!gp_streq(what, "plugged"))
		add_elements(hostdev->guest_xml, out);
	gp_str_add_char(out, '\n');
}

static void add_domain(struct play *play, const struct gp_domain *domain, struct gp_str *out)
{
	const struct vm *vm = find_vm(play, domain->name);
	gp_str_printf(out, "  %s: %s%s%s%s%s%s%s\n", domain->name, gp_domain_state_name(domain->state),
		      domain->persistent ? "" : ", transient", domain->autostart ? ", autostart" : "",
		      domain->managed_save ? ", managed save" : "", domain->to_start ? ", to be started" : "",
		      domain->config_known ? "" : ", definition unknown",
		      domain->live_known ? "" : ", what it runs with unknown");
	for (size_t i = 0; i < domain->config_count; i++)
		add_hostdev(play, vm, "defined", &domain->config[i], out);
	for (size_t i = 0; i < domain->live_count; i++)
		add_hostdev(play, vm, "plugged", &domain->live[i], out);
	for (size_t i = 0; i < domain->place_count; i++)
		add_hostdev(play, vm, "kept", &domain->places[i], out);
}

/* ---- what gpupart does ---- */

static int observe_one(struct play *play, const struct vm *vm, struct gp_domain *domain, struct gp_error *err)
{
	*domain = (struct gp_domain){0};
	return play->vmm->ops->observe_one(play->vmm, vm->uuid, play->arena, domain, err);
}

static void observe(struct play *play, char **words, size_t count)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	GP_CLEANUP(gp_cleanup_gp_observed_free) struct gp_observed *observed = gp_observed_new();
	GP_CLEANUP(gp_str_clear) struct gp_str all = {0};

	if (play->vmm->ops->observe(play->vmm, observed, &err) < 0) {
		say_error(play, &err);
		return;
	}
	for (size_t i = 0; i < observed->domain_count; i++) {
		const struct gp_domain *domain = &observed->domains[i];
		GP_CLEANUP(gp_str_clear) struct gp_str seen = {0};
		GP_CLEANUP(gp_str_clear) struct gp_str alone = {0};
		struct gp_domain one = {0};
		if (count > 1 && !gp_streq(words[1], domain->name))
			continue;
		add_domain(play, domain, &seen);
		gp_str_add(&all, gp_str_text(&seen));
		if (play->vmm->ops->observe_one(play->vmm, domain->uuid, play->arena, &one, &err) < 0) {
			say_error(play, &err);
			continue;
		}
		add_domain(play, &one, &alone);
		if (!gp_streq(gp_str_text(&seen), gp_str_text(&alone)))
			gp_str_printf(&all, "  looked at alone:\n%s", gp_str_text(&alone));
	}
	fputs(all.length == 0 ? "  none\n" : gp_str_text(&all), play->trace);
}

static void attach(struct play *play, char **words, GP_UNUSED size_t count)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	struct gp_hostdev hostdev = parse_hostdev(play, words[2]);
	bool changed = false;
	int rc = play->vmm->ops->attach(play->vmm, find_vm(play, words[1])->uuid, &hostdev, &changed, &err);
	say_change(play, rc, changed, &err);
}

static void detach(struct play *play, char **words, GP_UNUSED size_t count)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	struct gp_hostdev hostdev = parse_hostdev(play, words[2]);
	bool changed = false;
	int rc = play->vmm->ops->detach(play->vmm, find_vm(play, words[1])->uuid, &hostdev, &changed, &err);
	say_change(play, rc, changed, &err);
}

/* The guest side of a hostdev as it is defined, or as it is kept for who comes in its place: what a plan would know. */
static const char *guest_side_of(struct play *play, const struct vm *vm, const struct gp_hostdev *old)
{
	struct gp_domain domain;
	if (observe_one(play, vm, &domain, NULL) < 0)
		return "";
	for (size_t i = 0; i < domain.config_count; i++)
		if (gp_hostdev_same_source(&domain.config[i], old))
			return domain.config[i].guest_xml;
	for (size_t i = 0; i < domain.place_count; i++)
		if (gp_hostdev_same_source(&domain.places[i], old))
			return domain.places[i].guest_xml;
	return "";
}

static void replace(struct play *play, char **words, GP_UNUSED size_t count)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	const struct vm *vm = find_vm(play, words[1]);
	struct gp_hostdev old = parse_hostdev(play, words[2]), new = parse_hostdev(play, words[3]);
	bool changed = false;
	if (new.guest_xml[0] == '\0')
		new.guest_xml = guest_side_of(play, vm, &old);
	int rc = gp_vmm_replace(play->vmm, vm->uuid, &old, &new, &changed, &err);
	say_change(play, rc, changed, &err);
}

static void take_out(struct play *play, char **words, GP_UNUSED size_t count)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	struct gp_hostdev old = parse_hostdev(play, words[2]);
	bool changed = false;
	int rc = gp_vmm_take_out(play->vmm, find_vm(play, words[1])->uuid, &old, words[3], &changed, &err);
	say_change(play, rc, changed, &err);
}

static void set_mark(struct play *play, char **words, GP_UNUSED size_t count)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	bool changed = false;
	int rc = play->vmm->ops->set_mark(play->vmm, find_vm(play, words[1])->uuid, gp_streq(words[2], "to-start"),
					  &changed, &err);
	say_change(play, rc, changed, &err);
}

static void note_place(struct play *play, char **words, GP_UNUSED size_t count)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	const struct vm *vm = find_vm(play, words[1]);
	struct gp_hostdev place = parse_hostdev(play, words[2]);
	bool changed = false;
	if (place.guest_xml[0] == '\0')
		place.guest_xml = guest_side_of(play, vm, &place);
	int rc = play->vmm->ops->note_place(play->vmm, vm->uuid, &place, &changed, &err);
	say_change(play, rc, changed, &err);
}

static void forget_place(struct play *play, char **words, GP_UNUSED size_t count)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	bool changed = false;
	int rc = play->vmm->ops->forget_place(play->vmm, find_vm(play, words[1])->uuid, words[2], &changed, &err);
	say_change(play, rc, changed, &err);
}

static void power(struct play *play, char **words, GP_UNUSED size_t count)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	struct gp_uuid uuid = find_vm(play, words[1])->uuid;
	const struct gp_vmm_ops *ops = play->vmm->ops;
	int rc = (gp_streq(words[0], "start")     ? ops->start
		  : gp_streq(words[0], "destroy") ? ops->destroy
						  : ops->shutdown)(play->vmm, uuid, &err);
	say_result(play, rc, &err);
}

static void say_state(struct play *play, char **words, GP_UNUSED size_t count)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	enum gp_domain_state state = GP_DOMAIN_UNKNOWN;
	if (play->vmm->ops->state(play->vmm, find_vm(play, words[1])->uuid, &state, &err) < 0)
		say_error(play, &err);
	else
		say(play, "%s", gp_domain_state_name(state));
}

/* On its way it may be seen running or stopping, nothing else. */
static void wait_until_off(struct play *play, char **words, GP_UNUSED size_t count)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	struct gp_uuid uuid = find_vm(play, words[1])->uuid;
	enum gp_domain_state state = GP_DOMAIN_RUNNING;
	uint64_t until = gp_clock_ms() + WAIT_MS;
	while (state == GP_DOMAIN_RUNNING || state == GP_DOMAIN_STOPPING) {
		if (play->vmm->ops->state(play->vmm, uuid, &state, &err) < 0) {
			say_error(play, &err);
			return;
		}
		if (state == GP_DOMAIN_STOPPING)
			fprintf(stderr, "%s:%u: seen stopping\n", play->script, play->line);
		if (gp_clock_ms() > until)
			break;
		if (state != GP_DOMAIN_OFF)
			gp_sleep_ms(LOOK_MS);
	}
	say(play, "%s", gp_domain_state_name(state));
}

static void live_holders(struct play *play, char **words, size_t count)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str names = {0};
	struct gp_hostdev devices[WORDS_MAX];
	for (size_t i = 1; i < count; i++)
		devices[i - 1] = parse_hostdev(play, words[i]);
	if (play->vmm->ops->live_holders(play->vmm, devices, count - 1, &names, &err) < 0)
		say_error(play, &err);
	else
		say(play, "%s", names.length == 0 ? "nobody" : gp_str_text(&names));
}

static void say_driver(struct play *play, char **words, GP_UNUSED size_t count)
{
	char driver[64];
	gp_autofree char *path = gp_xasprintf("sys/bus/pci/devices/%s/driver", words[1]);
	say(play, "%s", gp_host_read_link(play->host, path, driver, sizeof(driver), NULL) < 0 ? "none" : driver);
}

/* ---- what others do ---- */

static void add_escaped(struct gp_str *out, const char *text)
{
	for (; *text != '\0'; text++)
		if (*text == '&' || *text == '<')
			gp_str_add(out, *text == '&' ? "&amp;" : "&lt;");
		else
			gp_str_add_char(out, *text);
}

/* As small as a machine with PCI Express slots can be. Its guest is firmware that halts, unless it is to hear the power
 * button (guest-os/power-button.S). */
static char *definition_of(struct play *play, struct vm *vm, char **words, size_t count)
{
	GP_CLEANUP(gp_str_clear) struct gp_str xml = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str devices = {0};
	char uuid[GP_UUID_SIZE];
	vm->hears = vm->gone_after_crash = false;
	for (size_t i = 0; i < count; i++) {
		if (gp_streq(words[i], "not-kept-after-crash")) {
			vm->gone_after_crash = true;
		} else if (gp_streq(words[i], "hears")) {
			vm->hears = true;
			gp_str_printf(&devices,
				      "<serial type='file'><source path='" GUEST_SAYS "'/></serial>"
				      "<disk type='file' device='disk'><driver name='qemu' type='raw'/>"
				      "<source file='" GUEST_IMAGE
				      "'/><target dev='vda' bus='virtio'/><readonly/></disk>",
				      gp_uuid_format(vm->uuid, uuid));
		} else if (gp_streq(words[i], "boots-from-network")) {
			gp_str_add(&devices, "<interface type='user'><boot order='1'/></interface>");
		} else {
			struct gp_hostdev hostdev = parse_hostdev(play, words[i]);
			gp_domain_xml_hostdev(&hostdev, &devices);
		}
	}
	gp_str_add(&xml, "<domain type='qemu'><name>");
	add_escaped(&xml, vm->name);
	gp_str_printf(&xml,
		      "</name><uuid>%s</uuid><memory unit='MiB'>32</memory><vcpu>1</vcpu>"
		      "<os><type arch='x86_64' machine='q35'>hvm</type>%s</os><features><acpi/></features>"
		      "<on_crash>%s</on_crash><devices><emulator>/usr/bin/qemu-system-x86_64</emulator>"
		      "<controller type='usb' model='none'/><memballoon model='none'/><panic model='isa'/>%s"
		      "</devices></domain>\n",
		      gp_uuid_format(vm->uuid, uuid),
		      vm->hears ? "" : "<loader readonly='yes' type='rom'>" STILL_FIRMWARE "</loader>",
		      vm->gone_after_crash ? "destroy" : "preserve", gp_str_text(&devices));
	return gp_str_take(&xml);
}

static void say_others(struct play *play, int rc, struct gp_error *err)
{
	if (rc < 0)
		fprintf(stderr, "%s:%u: others: %s\n", play->script, play->line, err->message);
	say(play, rc < 0 ? "refused" : "done");
}

static void others_bring(struct play *play, char **words, size_t count)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	struct vm *vm = find_vm(play, words[2]);
	gp_autofree char *xml = definition_of(play, vm, words + 3, count - 3);
	say_others(play, play->person->ops->bring(play->person, words[1], vm, xml, &err), &err);
}

/* others edit NAME add HOSTDEV | remove HOSTDEV: as `virsh edit` does it. */
static void others_edit(struct play *play, char **words, size_t count)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	const struct vm *vm = find_vm(play, words[2]);
	gp_autofree char *old = play->person->ops->definition(play->person, vm, &err);
	if (old == NULL || count < 5) {
		say_others(play, -1, &err);
		return;
	}
	struct gp_hostdev hostdev = parse_hostdev(play, words[4]);
	gp_autofree char *new = gp_streq(words[3], "add")
					? gp_domain_xml_with_hostdev(old, strlen(old), &hostdev, &err)
					: gp_domain_xml_without_hostdev(old, strlen(old), &hostdev, NULL, &err);
	int rc = new == NULL ? -1 : play->person->ops->bring(play->person, "define", vm, new, &err);
	say_others(play, rc, &err);
}

static void others(struct play *play, char **words, size_t count)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	if (gp_streq(words[1], "define") || gp_streq(words[1], "create"))
		others_bring(play, words, count);
	else if (gp_streq(words[1], "edit"))
		others_edit(play, words, count);
	else if (gp_streq(words[1], "daemon"))
		say_others(play, play->person->ops->daemon(play->person, gp_streq(words[2], "up"), &err), &err);
	else
		say_others(play, play->person->ops->act(play->person, words[1], find_vm(play, words[2]), &err), &err);
}

/* ---- scripts ---- */

static const struct {
	const char *word;
	size_t least; /* words, with this one */
	void (*run)(struct play *play, char **words, size_t count);
} commands[] = {
	{"observe", 1, observe},
	{"attach", 3, attach},
	{"detach", 3, detach},
	{"replace", 4, replace},
	{"take-out", 4, take_out},
	{"mark", 3, set_mark},
	{"note-place", 3, note_place},
	{"forget-place", 3, forget_place},
	{"start", 2, power},
	{"shutdown", 2, power},
	{"destroy", 2, power},
	{"state", 2, say_state},
	{"wait-until-off", 2, wait_until_off},
	{"holders", 2, live_holders},
	{"driver", 2, say_driver},
	{"others", 3, others},
};

/* Words between blanks; what stands between quotation marks is one. They are cut out of the line. */
static size_t split(char *line, char **words)
{
	size_t count = 0;
	char *at = line + strspn(line, " \t\n");
	while (*at != '\0' && count < WORDS_MAX) {
		bool quoted = *at == '"';
		words[count++] = at += quoted ? 1 : 0;
		at += strcspn(at, quoted ? "\"" : " \t\n");
		if (*at != '\0')
			*at++ = '\0';
		at += strspn(at, " \t\n");
	}
	return count;
}

static void play_line(struct play *play, char *line)
{
	char *words[WORDS_MAX];
	line[strcspn(line, "\n")] = '\0';
	if (line[strspn(line, " \t")] == '\0' || line[0] == '#')
		return;
	fprintf(play->trace, "%s\n", line);
	size_t count = split(line, words);
	for (size_t i = 0; i < COUNT(commands); i++) {
		if (!gp_streq(commands[i].word, words[0]))
			continue;
		if (count < commands[i].least)
			complain(play, "too few words", words[0]);
		else
			commands[i].run(play, words, count);
		return;
	}
	complain(play, "nothing like that can be played", words[0]);
}

static int open_machine(struct play *play, struct gp_error *err)
{
	const char *root = NULL;
	if (play->person->ops->begin(play->person, &root, err) < 0)
		return -1;
	const struct gp_host_options options = {.root = root, .writer_path = "/bin/true", .mode = GP_HOST_READ_WRITE};
	if (gp_host_open(&options, &play->host, err) < 0)
		return -1;
	play->vmm = gp_host_vmm(play->host, err);
	return play->vmm == NULL ? -1 : 0;
}

static void play_lines(struct play *play, FILE *script)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	gp_autofree char *line = NULL;
	size_t capacity = 0;

	play->arena = gp_arena_new();
	if (open_machine(play, &err) < 0) {
		complain(play, "no machine", err.message);
	} else {
		for (play->line = 1; getline(&line, &capacity, script) >= 0; play->line++)
			play_line(play, line);
		fflush(play->trace);
		play->person->ops->end(play->person, play->vms, play->vm_count);
	}
	if (play->host != NULL)
		gp_host_close(play->host);
	gp_arena_free(play->arena);
}

/* True: it was played to its end. */
static bool play_script(struct person *person, const char *path, const char *directory)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash == NULL ? path : slash + 1;
	gp_autofree char *trace = gp_xasprintf("%s/%.*s.trace", directory, (int)strcspn(name, "."), name);
	struct play play = {.person = person, .script = name, .trace = fopen(trace, "we")};
	FILE *script = fopen(path, "re");
	if (script == NULL || play.trace == NULL)
		complain(&play, strerror(errno), script == NULL ? path : trace);
	else
		play_lines(&play, script);
	if (script != NULL)
		fclose(script);
	if (play.trace != NULL)
		fclose(play.trace);
	return !play.failed;
}

int main(int count, char **words)
{
	struct person *person = NULL;
	bool good = true;
	int next = 0;
	if (count > 5 && gp_streq(words[1], "sim")) {
		person = person_sim_new(words[2], words[3]);
		next = 4;
	} else if (count > 4 && gp_streq(words[1], "libvirt")) {
		person = person_libvirt_new(words[2]);
		next = 3;
	} else {
		fputs("usage: play sim MACHINE.yaml LIBVIRT-VERSION DIRECTORY SCRIPT…\n"
		      "       play libvirt DAEMON.sh DIRECTORY SCRIPT…\n",
		      stderr);
		return 64;
	}
	for (int i = next + 1; i < count; i++)
		good = play_script(person, words[i], words[next]) && good;
	person->ops->close(person);
	return good ? 0 : 1;
}
