/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The domains of a simulated or captured machine, behind the same interface as libvirt's. Reading needs nothing but the
 * files; changes are left to the pretend daemon (sim_domain.c), are counted, and are refused on the same grounds as in
 * vmm_libvirt.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"
#include "host/sim.h"
#include "host/sim_domain.h"
#include "host/sim_fault.h"
#include "host/sim_tree.h"

/* Where a domain was found the last time: looked at first, believed only when it still is there. */
struct place {
	struct gp_uuid uuid;
	char *name;
};

struct sim_vmm {
	struct gp_vmm base;
	int root;
	bool read_only;
	bool simulated; /* false: a captured tree, where time stands still and nothing fails */
	pthread_mutex_t places_lock;
	struct place *places;
	size_t place_count;
};

static const struct gp_vmm_ops ops;

static struct sim_vmm *of(struct gp_vmm *base)
{
	return (struct sim_vmm *)base;
}

/* ---- reading ---- */

enum { READ_AT_ONCE = 16 * 1024 };

/* What reading many domains needs only once. */
struct reading {
	struct sim_vmm *vmm;
	struct gp_domain_reader *parser;
	struct gp_names defined, live, autostart, saved; /* file names, sorted */
	int defined_fd, live_fd;                         /* their directories; -1: there is none */
	char *text;                                      /* of the file read last */
	size_t size, capacity;
	uint64_t now;
};

static void reading_finish(struct reading *reading)
{
	gp_domain_reader_free(reading->parser);
	gp_names_clear(&reading->defined);
	gp_names_clear(&reading->live);
	gp_names_clear(&reading->autostart);
	gp_names_clear(&reading->saved);
	gp_cleanup_close(&reading->defined_fd);
	gp_cleanup_close(&reading->live_fd);
	free(reading->text);
}

static int open_directory(int root, const char *path)
{
	return gp_open_inside(root, path, O_RDONLY | O_DIRECTORY, 0, GP_INSIDE_ROOT);
}

/* -1 with errno when the directory is there but cannot be read. */
static int list(int root, const char *path, struct gp_names *names)
{
	int fd = open_directory(root, path);
	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	if (gp_names_read(fd, names) < 0)
		return -1;
	gp_names_sort(names);
	return 0;
}

static int fail_unreadable(const char *path, struct gp_error *err)
{
	gp_fail_errno(err, errno, "the domains cannot be read");
	if (err != NULL)
		err->kind = GP_E_UNAVAILABLE;
	return gp_error_subject(err, "/%s", path);
}

static int check_up(const struct sim_vmm *vmm, struct gp_error *err)
{
	if (!vmm->simulated || !gp_sim_fault_find(vmm->root, "libvirt-down", "", "", NULL))
		return 0;
	return gp_fail(err, GP_E_UNAVAILABLE,
		       "libvirt does not answer: Failed to connect socket to '/var/run/libvirt/libvirt-sock': "
		       "Connection refused");
}

static int reading_begin(struct sim_vmm *vmm, struct reading *out, struct gp_error *err)
{
	*out = (struct reading){.vmm = vmm, .defined_fd = -1, .live_fd = -1, .now = gp_clock_unix_ms()};
	out->parser = gp_domain_reader_new();
	if (check_up(vmm, err) < 0)
		return -1;
	if (list(vmm->root, GP_SIM_DEFINITIONS, &out->defined) < 0)
		return fail_unreadable(GP_SIM_DEFINITIONS, err);
	if (list(vmm->root, GP_SIM_LIVE, &out->live) < 0)
		return fail_unreadable(GP_SIM_LIVE, err);
	if (list(vmm->root, GP_SIM_AUTOSTART, &out->autostart) < 0)
		return fail_unreadable(GP_SIM_AUTOSTART, err);
	if (list(vmm->root, GP_SIM_SAVED, &out->saved) < 0)
		return fail_unreadable(GP_SIM_SAVED, err);
	out->defined_fd = open_directory(vmm->root, GP_SIM_DEFINITIONS);
	out->live_fd = open_directory(vmm->root, GP_SIM_LIVE);
	return 0;
}

/* Reads one file of a directory into reading->text. -1 with errno. */
static int read_text(struct reading *reading, int dir_fd, const char *name)
{
	gp_autoclose int fd = gp_open_inside(dir_fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, GP_INSIDE_PLAIN);
	reading->size = 0;
	while (fd >= 0) {
		if (reading->capacity - reading->size < READ_AT_ONCE) {
			reading->capacity = (reading->size + READ_AT_ONCE) * 2;
			reading->text = gp_xrealloc(reading->text, reading->capacity);
		}
		size_t room = reading->capacity - reading->size - 1;
		ssize_t got = read(fd, reading->text + reading->size, room);
		if (got < 0)
			return -1;
		reading->size += (size_t)got;
		reading->text[reading->size] = '\0';
		/* A short read of a plain file is its end. */
		if ((size_t)got < room)
			return 0;
		if (reading->size >= GP_DOMAIN_XML_MAX) {
			errno = EFBIG;
			return -1;
		}
	}
	return -1;
}

static const char *why_of(struct gp_arena *arena, const char *what, const struct gp_error *problem)
{
	return gp_arena_printf(arena, "%s: %s", what, problem->message == NULL ? "unknown" : problem->message);
}

static bool holds_name(const struct gp_names *names, const char *wanted)
{
	size_t low = 0, high = names->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(gp_names_at(names, middle), wanted);
		if (order == 0)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/* One of the two definitions of a domain. 1: read. 0: there is none. -1: there is one that cannot be known, see *why.
 */
static int read_definition(struct reading *reading, int dir_fd, const struct gp_names *listed, const char *file,
			   struct gp_arena *arena, struct gp_domain_xml *out, const char **why)
{
	GP_CLEANUP(gp_error_clear) struct gp_error problem = {0};
	if (dir_fd < 0 || !holds_name(listed, file))
		return 0;
	if (read_text(reading, dir_fd, file) < 0) {
		if (errno == ENOENT)
			return 0;
		gp_fail_errno(&problem, errno, "cannot be read");
		*why = why_of(arena, file, &problem);
		return -1;
	}
	if (gp_domain_reader_parse(reading->parser, reading->text, reading->size, arena, out, &problem) == 0)
		return 1;
	*why = why_of(arena, file, &problem);
	return -1;
}

static const struct {
	const char *word;
	enum gp_domain_state state;
} states[] = {
	{"running", GP_DOMAIN_RUNNING}, {"blocked", GP_DOMAIN_RUNNING},       {"idle", GP_DOMAIN_RUNNING},
	{"paused", GP_DOMAIN_PAUSED},   {"shutdown", GP_DOMAIN_STOPPING},     {"shutoff", GP_DOMAIN_OFF},
	{"crashed", GP_DOMAIN_CRASHED}, {"pmsuspended", GP_DOMAIN_SUSPENDED},
};

static enum gp_domain_state state_of(const char *word)
{
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (gp_streq(states[i].word, word))
			return states[i].state;
	return GP_DOMAIN_UNKNOWN;
}

static int read_config(struct reading *reading, const char *file, struct gp_arena *arena, struct gp_domain *domain)
{
	struct gp_domain_xml xml;
	int found = read_definition(reading, reading->defined_fd, &reading->defined, file, arena, &xml,
				    &domain->unknown_why);
	domain->persistent = found != 0;
	domain->config_known = found >= 0;
	if (found != 1)
		return found;
	domain->uuid = xml.uuid;
	domain->external = xml.external;
	domain->to_start = xml.to_start;
	domain->places = xml.places;
	domain->place_count = xml.place_count;
	domain->config = xml.hostdevs;
	domain->config_count = xml.hostdev_count;
	return found;
}

static int read_live(struct reading *reading, const char *file, struct gp_arena *arena, struct gp_domain *domain)
{
	struct gp_domain_xml xml;
	int found = read_definition(reading, reading->live_fd, &reading->live, file, arena, &xml, &domain->unknown_why);
	domain->live_known = found >= 0;
	domain->state = found == 0 ? GP_DOMAIN_OFF : GP_DOMAIN_UNKNOWN;
	if (found != 1)
		return found;
	domain->state = state_of(xml.state);
	domain->live = xml.hostdevs;
	domain->live_count = xml.hostdev_count;
	if (gp_uuid_is_null(domain->uuid))
		domain->uuid = xml.uuid;
	if (domain->external == NULL)
		domain->external = xml.external;
	uint64_t since = gp_sim_live_since(reading->text);
	if (since > 0)
		domain->running_ms = reading->now > since ? reading->now - since : 1;
	return found;
}

/* file: NAME.xml. False: there is no such domain. */
static bool read_domain(struct reading *reading, const char *file, struct gp_arena *arena, struct gp_domain *domain)
{
	*domain = (struct gp_domain){
		.name = gp_arena_strndup(arena, file, strlen(file) - strlen(".xml")),
		.config = NULL,
	};
	int config = read_config(reading, file, arena, domain);
	int live = read_live(reading, file, arena, domain);
	if (config == 0 && live == 0)
		return false;
	GP_CLEANUP(gp_str_clear) struct gp_str saved = {0};
	gp_str_printf(&saved, "%s.save", domain->name);
	domain->autostart = holds_name(&reading->autostart, file);
	domain->managed_save = holds_name(&reading->saved, gp_str_text(&saved));
	return true;
}

static bool is_domain_file(const char *name)
{
	return strlen(name) > strlen(".xml") && gp_glob_match("*.xml", name, false);
}

/* Calls back for each domain, defined or running, in the order of names. */
static void each_domain_file(const struct reading *reading, void (*each)(void *context, const char *file),
			     void *context)
{
	const struct gp_names *defined = &reading->defined;
	const struct gp_names *live = &reading->live;
	for (size_t i = 0, j = 0; i < defined->count || j < live->count;) {
		int order = i == defined->count ? 1
			    : j == live->count  ? -1
						: strcmp(gp_names_at(defined, i), gp_names_at(live, j));
		const char *file = order <= 0 ? gp_names_at(defined, i) : gp_names_at(live, j);
		i += order <= 0 ? 1 : 0;
		j += order >= 0 ? 1 : 0;
		if (is_domain_file(file))
			each(context, file);
	}
}

struct observing {
	struct reading *reading;
	struct gp_observed *observed;
};

static void observe_file(void *context, const char *file)
{
	const struct observing *observing = context;
	struct gp_observed *observed = observing->observed;
	struct gp_domain domain = {0};
	if (read_domain(observing->reading, file, observed->arena, &domain))
		*gp_arena_push(observed->arena, observed->domains, observed->domain_count) = domain;
}

/* File names do not sort like names: "a.xml" comes after "a-1.xml". */
static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct gp_domain *)a)->name, ((const struct gp_domain *)b)->name);
}

static void remember_place(struct sim_vmm *vmm, struct gp_uuid uuid, const char *name)
{
	pthread_mutex_lock(&vmm->places_lock);
	size_t i = 0;
	while (i < vmm->place_count && !gp_uuid_equal(vmm->places[i].uuid, uuid))
		i++;
	if (i == vmm->place_count) {
		if ((i & (i - 1)) == 0)
			vmm->places = gp_xrealloc(vmm->places, (i == 0 ? 1 : i * 2) * sizeof(*vmm->places));
		vmm->places[vmm->place_count++] = (struct place){.uuid = uuid};
	} else {
		free(vmm->places[i].name);
	}
	vmm->places[i].name = gp_xstrdup(name);
	pthread_mutex_unlock(&vmm->places_lock);
}

static int observe(struct gp_vmm *base, struct gp_observed *observed, struct gp_error *err)
{
	GP_CLEANUP(reading_finish) struct reading reading = {0};
	struct observing observing = {&reading, observed};
	if (reading_begin(of(base), &reading, err) < 0)
		return -1;
	each_domain_file(&reading, observe_file, &observing);
	if (observed->domain_count > 1)
		qsort(observed->domains, observed->domain_count, sizeof(*observed->domains), by_name);
	return 0;
}

/* ---- finding one domain ---- */

struct search {
	struct reading *reading;
	struct gp_uuid uuid;
	char *file;
};

static void search_file(void *context, const char *file)
{
	struct search *search = context;
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	struct gp_domain domain = {0};
	if (search->file != NULL || !read_domain(search->reading, file, arena, &domain))
		return;
	if (!gp_uuid_is_null(domain.uuid))
		remember_place(search->reading->vmm, domain.uuid, domain.name);
	if (gp_uuid_equal(domain.uuid, search->uuid))
		search->file = gp_xstrdup(file);
}

static char *known_place(struct sim_vmm *vmm, struct gp_uuid uuid)
{
	char *file = NULL;
	pthread_mutex_lock(&vmm->places_lock);
	for (size_t i = 0; i < vmm->place_count && file == NULL; i++)
		if (gp_uuid_equal(vmm->places[i].uuid, uuid))
			file = gp_xasprintf("%s.xml", vmm->places[i].name);
	pthread_mutex_unlock(&vmm->places_lock);
	return file;
}

static int find_in(struct reading *reading, struct gp_uuid uuid, struct gp_arena *arena, struct gp_domain *out,
		   struct gp_error *err)
{
	char text[GP_UUID_SIZE];
	gp_autofree char *known = known_place(reading->vmm, uuid);
	if (known != NULL && read_domain(reading, known, arena, out) && gp_uuid_equal(out->uuid, uuid))
		return 0;
	struct search search = {reading, uuid, NULL};
	each_domain_file(reading, search_file, &search);
	gp_autofree char *file = search.file;
	if (file != NULL && read_domain(reading, file, arena, out))
		return 0;
	gp_fail(err, GP_E_NOT_FOUND, "looking the domain up: Domain not found: no domain with matching uuid '%s'",
		gp_uuid_format(uuid, text));
	return gp_error_subject(err, "domain %s", text);
}

static int observe_one(struct gp_vmm *base, struct gp_uuid uuid, struct gp_arena *arena, struct gp_domain *domain,
		       struct gp_error *err)
{
	GP_CLEANUP(reading_finish) struct reading reading = {0};
	if (reading_begin(of(base), &reading, err) < 0)
		return -1;
	return find_in(&reading, uuid, arena, domain, err);
}

static int state(struct gp_vmm *base, struct gp_uuid uuid, enum gp_domain_state *out, struct gp_error *err)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	struct gp_domain domain = {0};
	if (observe_one(base, uuid, arena, &domain, err) < 0)
		return -1;
	*out = domain.state;
	return 0;
}

struct holders {
	struct reading *reading;
	struct gp_arena *arena;
	const struct gp_hostdev *devices;
	size_t count;
	struct gp_str *names;
	struct gp_error *err;
	int result;
};

static void add_holder(struct holders *holders, const char *file)
{
	struct gp_domain domain = {0};
	int found = read_live(holders->reading, file, holders->arena, &domain);
	if (found < 0) {
		holders->result =
			gp_fail(holders->err, GP_E_CORRUPT, "a running domain cannot be known: %s", domain.unknown_why);
		return;
	}
	if (found > 0 && gp_domain_has_plugged(&domain, holders->devices, holders->count))
		gp_str_printf(holders->names, "%s%.*s", holders->names->length > 0 ? ", " : "",
			      (int)(strlen(file) - strlen(".xml")), file);
}

static int live_holders(struct gp_vmm *base, const struct gp_hostdev *devices, size_t count, struct gp_str *names,
			struct gp_error *err)
{
	GP_CLEANUP(reading_finish) struct reading reading = {0};
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	struct holders holders = {&reading, arena, devices, count, names, err, 0};
	if (reading_begin(of(base), &reading, err) < 0)
		return -1;
	for (size_t i = 0; i < reading.live.count && holders.result == 0; i++)
		if (is_domain_file(gp_names_at(&reading.live, i)))
			add_holder(&holders, gp_names_at(&reading.live, i));
	return holders.result;
}

static int definition(struct gp_vmm *base, struct gp_uuid uuid, char **xml, struct gp_error *err)
{
	GP_CLEANUP(reading_finish) struct reading reading = {0};
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	struct gp_domain domain = {0};
	if (reading_begin(of(base), &reading, err) < 0 || find_in(&reading, uuid, arena, &domain, err) < 0)
		return -1;
	gp_autofree char *file = gp_xasprintf("%s.xml", domain.name);
	int dir_fd = domain.persistent ? reading.defined_fd : reading.live_fd;
	if (dir_fd < 0 || read_text(&reading, dir_fd, file) < 0)
		return gp_fail_errno(err, errno, "the definition of domain %s cannot be read", domain.name);
	*xml = gp_domain_xml_public(reading.text, reading.size, err);
	return *xml == NULL ? gp_error_subject(err, "domain %s", domain.name) : 0;
}

/* ---- changing: the same grounds for refusal as with libvirt ---- */

static int refuse(const struct gp_domain *domain, const char *why, struct gp_error *err)
{
	gp_fail(err, GP_E_REFUSED, "%s", why);
	return gp_error_subject(err, "domain %s", domain->name);
}

static int require_persistent(const struct gp_domain *domain, struct gp_error *err)
{
	if (domain->persistent)
		return 0;
	return refuse(domain, "the domain is transient: it has no definition that outlives it", err);
}

static int require_writable(const struct sim_vmm *vmm, struct gp_error *err)
{
	if (!vmm->read_only && vmm->simulated)
		return 0;
	return gp_fail(err, GP_E_INTERNAL, "the domains were opened read-only and cannot be changed");
}

/* The domain as it is now, if it may be changed at all. */
static int find_to_change(struct gp_vmm *base, struct gp_uuid uuid, struct gp_arena *arena, struct gp_domain *domain,
			  struct gp_error *err)
{
	if (require_writable(of(base), err) < 0)
		return -1;
	return observe_one(base, uuid, arena, domain, err);
}

static int find_to_edit(struct gp_vmm *base, struct gp_uuid uuid, struct gp_arena *arena, struct gp_domain *domain,
			struct gp_error *err)
{
	if (find_to_change(base, uuid, arena, domain, err) < 0 || require_persistent(domain, err) < 0)
		return -1;
	if (domain->config_known)
		return 0;
	gp_fail(err, GP_E_CORRUPT, "%s", domain->unknown_why);
	return gp_error_subject(err, "domain %s", domain->name);
}

/* Counts the mutation; between this and finish() it is done. */
static int begin(struct sim_vmm *vmm, const struct gp_domain *domain, const char *verb, const char *what,
		 struct gp_sim_mutation *mutation, struct gp_error *err)
{
	gp_autofree char *line = gp_xasprintf("%s %s%s%s", verb, domain->name, what[0] == '\0' ? "" : " ", what);
	int result = gp_sim_mutation_begin(vmm->root, line, mutation);
	if (result == 0)
		return 0;
	gp_fail_errno(err, -result, "libvirt could not %s", verb);
	return gp_error_subject(err, "domain %s", domain->name);
}

static int finish(const struct gp_sim_mutation *mutation, int result)
{
	gp_sim_mutation_end(mutation, result == 0 ? 0 : -EIO);
	return result;
}

static const struct gp_hostdev *with_source(const struct gp_domain *domain, const struct gp_hostdev *wanted)
{
	for (size_t i = 0; i < domain->config_count; i++)
		if (gp_hostdev_same_source(&domain->config[i], wanted))
			return &domain->config[i];
	return NULL;
}

static const struct gp_hostdev *with_alias(const struct gp_domain *domain, const char *alias)
{
	for (size_t i = 0; alias != NULL && i < domain->config_count; i++)
		if (gp_streq(domain->config[i].alias, alias))
			return &domain->config[i];
	return NULL;
}

static void add_source(struct gp_str *out, const struct gp_hostdev *hostdev)
{
	char pci[GP_PCI_ADDR_SIZE], uuid[GP_UUID_SIZE];
	gp_str_add(out, hostdev->type == GP_HOSTDEV_PCI ? gp_pci_addr_format(hostdev->source, pci)
							: gp_uuid_format(hostdev->mdev, uuid));
}

static int fail_hostdev(const struct gp_domain *domain, enum gp_error_kind kind, const struct gp_hostdev *found,
			const char *why, struct gp_error *err)
{
	GP_CLEANUP(gp_str_clear) struct gp_str source = {0};
	add_source(&source, found);
	gp_fail(err, kind, "%s %s: %s", gp_str_text(&source), why,
		found->elsewhere       ? "an interface or a disk"
		: found->alias != NULL ? found->alias
				       : "a hostdev without a name of its own");
	gp_error_holder(err, "domain %s", domain->name);
	return gp_error_subject(err, "domain %s", domain->name);
}

/* 1: it is there already, as wanted. 0: the way is free. */
static int check_attach(const struct gp_domain *domain, const struct gp_hostdev *wanted, struct gp_error *err)
{
	const struct gp_hostdev *same_source = with_source(domain, wanted);
	const struct gp_hostdev *same_alias = with_alias(domain, wanted->alias);

	if (same_source != NULL && !same_source->elsewhere && gp_streq(same_source->alias, wanted->alias))
		return 1;
	if (same_source != NULL)
		return fail_hostdev(domain, GP_E_BUSY, same_source, "is in its definition already, as", err);
	if (same_alias != NULL)
		return fail_hostdev(domain, GP_E_BUSY, same_alias, "has the name in its definition", err);
	return 0;
}

/* 1: it is not there. 0: it is, and it is the one that was meant. */
static int check_detach(const struct gp_domain *domain, const struct gp_hostdev *wanted, struct gp_error *err)
{
	const struct gp_hostdev *found = with_source(domain, wanted);
	if (found == NULL)
		return 1;
	if (found->elsewhere)
		return fail_hostdev(domain, GP_E_REFUSED, found, "is no hostdev of its definition but", err);
	if (!gp_streq(found->alias, wanted->alias))
		return fail_hostdev(domain, GP_E_STALE, found, "is in its definition, but now as", err);
	return 0;
}

static char *edit_hostdev(const char *xml, size_t size, const struct gp_hostdev *hostdev, bool attach,
			  struct gp_error *err)
{
	gp_autofree char *edited = attach ? gp_domain_xml_with_hostdev(xml, size, hostdev, err)
					  : gp_domain_xml_without_hostdev(xml, size, hostdev, NULL, err);
	return edited == NULL ? NULL : gp_domain_xml_settled(edited, strlen(edited), err);
}

/* Under the machine's lock, so that no change that others make in between is lost. */
static int edit_definition(const struct sim_vmm *vmm, const char *name, const struct gp_hostdev *hostdev, bool attach,
			   struct gp_error *err)
{
	size_t size = 0;
	gp_autoclose int lock = gp_tree_lock_machine(vmm->root);
	gp_autofree char *xml = gp_tree_read(vmm->root, &size, GP_SIM_DEFINITIONS "/%s.xml", name);
	if (lock < 0 || xml == NULL)
		return gp_fail_errno(err, errno, "the definition of domain %s cannot be read", name);
	gp_autofree char *edited = edit_hostdev(xml, size, hostdev, attach, err);
	return edited == NULL ? -1 : gp_sim_domain_redefine(vmm->root, name, edited, err);
}

static int change_hostdev(struct gp_vmm *base, struct gp_uuid uuid, const struct gp_hostdev *hostdev, bool attach,
			  bool *changed, struct gp_error *err)
{
	int (*check)(const struct gp_domain *, const struct gp_hostdev *, struct gp_error *) =
		attach ? check_attach : check_detach;
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	GP_CLEANUP(gp_str_clear) struct gp_str source = {0};
	struct gp_sim_mutation mutation;
	struct gp_domain domain = {0};

	*changed = false;
	if (find_to_edit(base, uuid, arena, &domain, err) < 0)
		return -1;
	int there = check(&domain, hostdev, err);
	if (there != 0)
		return there < 0 ? -1 : 0;
	add_source(&source, hostdev);
	if (begin(of(base), &domain, attach ? "attach" : "detach", gp_str_text(&source), &mutation, err) < 0)
		return -1;
	if (finish(&mutation, edit_definition(of(base), domain.name, hostdev, attach, err)) < 0)
		return gp_error_subject(err, "domain %s", domain.name);

	if (find_to_edit(base, uuid, arena, &domain, err) < 0)
		return -1;
	*changed = check(&domain, hostdev, NULL) == 1;
	if (*changed)
		return 0;
	gp_fail(err, GP_E_VERIFY, "libvirt reports success, but the definition %s",
		attach ? "lacks the hostdev" : "still has the hostdev");
	return gp_error_subject(err, "domain %s", domain.name);
}

static int attach_hostdev(struct gp_vmm *base, struct gp_uuid uuid, const struct gp_hostdev *hostdev, bool *changed,
			  struct gp_error *err)
{
	return change_hostdev(base, uuid, hostdev, true, changed, err);
}

static int detach_hostdev(struct gp_vmm *base, struct gp_uuid uuid, const struct gp_hostdev *hostdev, bool *changed,
			  struct gp_error *err)
{
	return change_hostdev(base, uuid, hostdev, false, changed, err);
}

/* ---- our notes in <metadata> ---- */

/* What is noted about a domain, as libvirt's XML has it. */
static struct gp_domain_xml notes_of(const struct gp_domain *domain)
{
	return (struct gp_domain_xml){
		.to_start = domain->to_start, .places = domain->places, .place_count = domain->place_count};
}

static int edit_notes(const struct sim_vmm *vmm, const char *name, const struct gp_domain_notes *notes,
		      struct gp_error *err)
{
	size_t size = 0;
	gp_autoclose int lock = gp_tree_lock_machine(vmm->root);
	gp_autofree char *xml = gp_tree_read(vmm->root, &size, GP_SIM_DEFINITIONS "/%s.xml", name);
	if (lock < 0 || xml == NULL)
		return gp_fail_errno(err, errno, "the definition of domain %s cannot be read", name);
	gp_autofree char *edited = gp_domain_xml_with_notes(xml, size, notes, err);
	return edited == NULL ? -1 : gp_sim_domain_redefine(vmm->root, name, edited, err);
}

/* domain: as it was read a moment ago. */
static int write_notes(struct gp_vmm *base, struct gp_domain *domain, const struct gp_domain_notes *notes,
		       const char *verb, const char *what, struct gp_arena *arena, bool *changed, struct gp_error *err)
{
	struct gp_sim_mutation mutation;
	struct gp_domain_xml before = notes_of(domain);
	if (gp_domain_notes_hold(&before, notes))
		return 0;
	if (begin(of(base), domain, verb, what, &mutation, err) < 0 ||
	    finish(&mutation, edit_notes(of(base), domain->name, notes, err)) < 0)
		return -1;
	if (find_to_edit(base, domain->uuid, arena, domain, err) < 0)
		return -1;
	struct gp_domain_xml after = notes_of(domain);
	*changed = gp_domain_notes_hold(&after, notes);
	if (*changed)
		return 0;
	gp_fail(err, GP_E_VERIFY, "libvirt reports success, but the definition does not say what was noted");
	return gp_error_subject(err, "domain %s", domain->name);
}

static int set_mark(struct gp_vmm *base, struct gp_uuid uuid, bool to_start, bool *changed, struct gp_error *err)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	struct gp_domain domain = {0};

	*changed = false;
	if (find_to_edit(base, uuid, arena, &domain, err) < 0)
		return -1;
	struct gp_domain_notes notes = {to_start, domain.places, domain.place_count};
	return write_notes(base, &domain, &notes, to_start ? "mark" : "unmark", "", arena, changed, err);
}

static int note_place(struct gp_vmm *base, struct gp_uuid uuid, const struct gp_hostdev *place, bool *changed,
		      struct gp_error *err)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	struct gp_domain domain = {0};

	*changed = false;
	if (gp_domain_check_place(place, err) < 0)
		return -1;
	if (find_to_edit(base, uuid, arena, &domain, err) < 0)
		return -1;
	struct gp_domain_xml before = notes_of(&domain);
	struct gp_domain_notes notes = gp_domain_notes_with(&before, place, arena);
	return write_notes(base, &domain, &notes, "note", place->alias, arena, changed, err);
}

static int forget_place(struct gp_vmm *base, struct gp_uuid uuid, const char *alias, bool *changed,
			struct gp_error *err)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	struct gp_domain domain = {0};

	*changed = false;
	if (find_to_edit(base, uuid, arena, &domain, err) < 0)
		return -1;
	struct gp_domain_xml before = notes_of(&domain);
	struct gp_domain_notes notes = gp_domain_notes_without(&before, alias, arena);
	return write_notes(base, &domain, &notes, "forget", alias, arena, changed, err);
}

/* ---- power ---- */

static int act(struct sim_vmm *vmm, const struct gp_domain *domain, const char *verb, const char *words,
	       int (*action)(int root, const char *name, struct gp_error *err), struct gp_error *err)
{
	struct gp_sim_mutation mutation;
	if (begin(vmm, domain, verb, "", &mutation, err) < 0)
		return -1;
	int lock = gp_tree_lock_machine(vmm->root);
	int result = action(vmm->root, domain->name, err);
	gp_cleanup_close(&lock);
	if (finish(&mutation, result) == 0)
		return 0;
	return gp_error_prefix(err, "%s", words);
}

/* 1: off already. 0: it runs, is persistent, and may be asked to stop. */
static int check_stop(const struct gp_domain *domain, struct gp_error *err)
{
	if (domain->state == GP_DOMAIN_OFF)
		return 1;
	if (domain->state == GP_DOMAIN_PAUSED)
		return refuse(domain, "the domain is paused: whoever paused it has plans for it", err);
	return require_persistent(domain, err);
}

static int stop(struct gp_vmm *base, struct gp_uuid uuid, const char *verb, const char *words,
		int (*action)(int root, const char *name, struct gp_error *err), struct gp_error *err)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	struct gp_domain domain = {0};
	if (find_to_change(base, uuid, arena, &domain, err) < 0)
		return -1;
	int off = check_stop(&domain, err);
	if (off != 0)
		return off < 0 ? -1 : 0;
	return act(of(base), &domain, verb, words, action, err);
}

static int shutdown_domain(struct gp_vmm *base, struct gp_uuid uuid, struct gp_error *err)
{
	return stop(base, uuid, "shutdown", "asking it to shut down", gp_sim_domain_shutdown, err);
}

static int destroy(struct gp_vmm *base, struct gp_uuid uuid, struct gp_error *err)
{
	return stop(base, uuid, "destroy", "forcing it off", gp_sim_domain_destroy, err);
}

static int refuse_start(const struct gp_domain *domain, struct gp_error *err)
{
	switch (domain->state) {
	case GP_DOMAIN_PAUSED:
		return refuse(domain, "the domain is paused: whoever paused it has plans for it", err);
	case GP_DOMAIN_SUSPENDED:
		return refuse(domain, "the domain is suspended: its guest sleeps until somebody wakes it", err);
	case GP_DOMAIN_CRASHED:
		refuse(domain, "the guest has crashed, and its QEMU is still there with all its devices", err);
		return gp_error_remedy(err, "look at it as long as you need, then: virsh destroy %s", domain->name);
	default:
		return refuse(domain, "libvirt does not tell whether the domain runs", err);
	}
}

/* 1: it runs already. 0: it is off, and what would start is its definition as it is now. */
static int check_start(const struct gp_domain *domain, struct gp_error *err)
{
	if (domain->state == GP_DOMAIN_RUNNING || domain->state == GP_DOMAIN_STOPPING)
		return 1;
	if (domain->state != GP_DOMAIN_OFF)
		return refuse_start(domain, err);
	if (!domain->managed_save)
		return 0;
	refuse(domain, "a managed save image would be resumed, with the devices of then", err);
	return gp_error_remedy(err, "start and shut it down by hand, or remove the image (virsh managedsave-remove)");
}

static int start_now(int root, const char *name, struct gp_error *err)
{
	return gp_sim_domain_start(root, name, gp_clock_unix_ms(), err);
}

static int start(struct gp_vmm *base, struct gp_uuid uuid, struct gp_error *err)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	struct gp_domain domain = {0};
	if (find_to_change(base, uuid, arena, &domain, err) < 0)
		return -1;
	int running = check_start(&domain, err);
	if (running != 0)
		return running < 0 ? -1 : 0;
	return act(of(base), &domain, "start", "starting it", start_now, err);
}

static void version(struct gp_vmm *base, struct gp_hypervisor *out)
{
	if (of(base)->simulated)
		gp_sim_hypervisor(of(base)->root, out);
	else
		gp_capture_versions(of(base)->root, out);
}

/* ---- the handle ---- */

static void close_vmm(struct gp_vmm *base)
{
	if (base == NULL)
		return;
	struct sim_vmm *vmm = of(base);
	for (size_t i = 0; i < vmm->place_count; i++)
		free(vmm->places[i].name);
	free(vmm->places);
	pthread_mutex_destroy(&vmm->places_lock);
	free(vmm);
}

static const struct gp_vmm_ops ops = {
	.name = "simulated",
	.observe = observe,
	.observe_one = observe_one,
	.attach = attach_hostdev,
	.detach = detach_hostdev,
	.set_mark = set_mark,
	.note_place = note_place,
	.forget_place = forget_place,
	.shutdown = shutdown_domain,
	.destroy = destroy,
	.start = start,
	.state = state,
	.live_holders = live_holders,
	.version = version,
	.definition = definition,
	.close = close_vmm,
};

int gp_vmm_sim_open(struct gp_host *host, bool read_only, struct gp_vmm **out, struct gp_error *err)
{
	struct sim_vmm *vmm = gp_xcalloc(1, sizeof(*vmm));
	vmm->base.ops = &ops;
	vmm->root = gp_host_root_fd(host);
	vmm->read_only = read_only;
	vmm->simulated = gp_host_kind_of(host) == GP_HOST_SIMULATED;
	pthread_mutex_init(&vmm->places_lock, NULL);
	if (check_up(vmm, err) < 0) {
		close_vmm(&vmm->base);
		return -1;
	}
	*out = &vmm->base;
	return 0;
}
