/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Domains by libvirt. The only file that knows libvirt, which is loaded when the first domain is asked for.
 *
 * No event implementation is registered: with one that nobody runs, the daemon drops the client after half a minute.
 * A definition is edited device by device: libvirt has no compare-and-swap, so a redefine would lose what others
 * changed meanwhile. libvirt's error codes are overloaded, therefore a write that failed is judged by reading the
 * definition again, and so is one that did not.
 */
#include <dlfcn.h>
#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/num.h"
#include "host/domain_xml.h"
#include "host/vmm.h"

enum {
	READERS_MAX = 6,         /* the daemon answers 5 calls of one connection at once */
	DOMAINS_PER_READER = 16, /* below that a thread costs more than it brings */
};

/* ---- libvirt, loaded on demand ---- */

/* clang-format off */
#define LIBVIRT_FUNCTIONS(entry) \
	entry(virConnectClose) \
	entry(virConnectGetLibVersion) \
	entry(virConnectGetVersion) \
	entry(virConnectListAllDomains) \
	entry(virConnectOpen) \
	entry(virConnectOpenReadOnly) \
	entry(virConnectRef) \
	entry(virDomainAttachDeviceFlags) \
	entry(virDomainCreate) \
	entry(virDomainDefineXML) \
	entry(virDomainDestroy) \
	entry(virDomainDetachDeviceFlags) \
	entry(virDomainFree) \
	entry(virDomainGetAutostart) \
	entry(virDomainGetID) \
	entry(virDomainGetName) \
	entry(virDomainGetState) \
	entry(virDomainGetUUID) \
	entry(virDomainGetXMLDesc) \
	entry(virDomainHasManagedSaveImage) \
	entry(virDomainIsPersistent) \
	entry(virDomainLookupByUUID) \
	entry(virDomainSetMetadata) \
	entry(virDomainShutdown) \
	entry(virGetLastError) \
	entry(virResetLastError) \
	entry(virSetErrorFunc)
/* clang-format on */

#define AS_MEMBER(name) __typeof__ (&(name))(name);
struct libvirt {
	LIBVIRT_FUNCTIONS(AS_MEMBER)
};

#define AS_ROW(name) {#name, offsetof(struct libvirt, name)},
static const struct {
	const char *name;
	size_t offset;
} functions[] = {LIBVIRT_FUNCTIONS(AS_ROW)};

static void stay_silent(void *context, virErrorPtr error)
{
	(void)context;
	(void)error;
}

/* The library is never unloaded: it keeps threads' data of its own. */
static int load_libvirt(struct libvirt *lib, struct gp_error *err)
{
	void *library = dlopen("libvirt.so.0", RTLD_NOW | RTLD_LOCAL);
	if (library == NULL) {
		gp_fail(err, GP_E_UNAVAILABLE, "libvirt cannot be loaded: %s", dlerror());
		return gp_error_remedy(err, "install the libvirt client library (Debian: libvirt0)");
	}
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		void *function = dlsym(library, functions[i].name);
		if (function == NULL)
			return gp_fail(err, GP_E_UNSUPPORTED, "this libvirt has no %s", functions[i].name);
		memcpy((char *)lib + functions[i].offset, &function, sizeof(function));
	}
	/* Otherwise libvirt prints every error on stderr, expected ones too. */
	lib->virSetErrorFunc(NULL, stay_silent);
	return 0;
}

struct libvirt_vmm {
	struct gp_vmm base;
	struct libvirt lib;
	char *uri;
	bool read_only;
	pthread_mutex_t lock; /* guards conn */
	virConnectPtr conn;   /* NULL: to be opened at the next use */
	/* One redefine at a time, for drivers that cannot attach: read, edit and define is no atom. */
	pthread_mutex_t redefine_lock;
};

static struct libvirt_vmm *of(struct gp_vmm *vmm)
{
	return (struct libvirt_vmm *)vmm;
}

/*
 * libvirt writes to its socket without MSG_NOSIGNAL: when the daemon is gone, SIGPIPE would kill us. It is blocked for
 * this thread and this call, and what came meanwhile is swallowed, so that nobody else's signals are touched.
 */
struct sigpipe_guard {
	sigset_t before;
	bool was_pending;
};

static sigset_t sigpipe_set(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	return set;
}

static struct sigpipe_guard hold_sigpipe(void)
{
	struct sigpipe_guard guard;
	sigset_t pending, set = sigpipe_set();
	sigpending(&pending);
	guard.was_pending = sigismember(&pending, SIGPIPE) == 1;
	pthread_sigmask(SIG_BLOCK, &set, &guard.before);
	return guard;
}

static void release_sigpipe(struct sigpipe_guard *guard)
{
	int kept_errno = errno;
	sigset_t set = sigpipe_set();
	const struct timespec at_once = {0};
	while (!guard->was_pending && sigtimedwait(&set, NULL, &at_once) < 0 && errno == EINTR)
		;
	pthread_sigmask(SIG_SETMASK, &guard->before, NULL);
	errno = kept_errno;
}

#define GP_NO_SIGPIPE GP_CLEANUP(release_sigpipe) GP_UNUSED struct sigpipe_guard sigpipe = hold_sigpipe()

/* ---- errors ---- */

static bool is_about_the_socket(const virError *error)
{
	return error->domain == VIR_FROM_RPC && (error->code == VIR_ERR_SYSTEM_ERROR || error->code == VIR_ERR_RPC ||
						 error->code == VIR_ERR_INTERNAL_ERROR);
}

/* Only codes that mean one thing; the rest is GP_E_IO, and the caller looks for itself. */
static enum gp_error_kind kind_of(const virError *error)
{
	if (is_about_the_socket(error))
		return error->int1 == EACCES || error->int1 == EPERM ? GP_E_PERMISSION : GP_E_UNAVAILABLE;
	switch (error->code) {
	case VIR_ERR_NO_DOMAIN:
		return GP_E_NOT_FOUND;
	case VIR_ERR_OPERATION_TIMEOUT:
		return GP_E_TIMEOUT;
	case VIR_ERR_OPERATION_INVALID:
		return GP_E_BUSY;
	case VIR_ERR_OPERATION_DENIED:
	case VIR_ERR_ACCESS_DENIED:
	case VIR_ERR_AUTH_FAILED:
	case VIR_ERR_AUTH_CANCELLED:
	case VIR_ERR_AUTH_UNAVAILABLE:
		return GP_E_PERMISSION;
	case VIR_ERR_NO_SUPPORT:
		return GP_E_UNSUPPORTED;
	default:
		return GP_E_IO;
	}
}

/* One line that a terminal may show: libvirt quotes XML, hooks and QEMU at length. */
static void add_message(struct gp_str *out, const char *message)
{
	gp_autofree char *line = gp_xstrdup(message == NULL ? "no reason given" : message);
	size_t length = strlen(line);
	while (length > 0 && strchr("\r\n ", line[length - 1]) != NULL)
		line[--length] = '\0';
	for (char *c = line; *c != '\0'; c++)
		if (*c == '\n' || *c == '\r' || *c == '\t')
			*c = ' ';
	gp_str_add_shown(out, line);
}

/* To be called right after the call that failed: the next one resets libvirt's error. */
static int fail_call(const struct libvirt *lib, const char *what, struct gp_error *err)
{
	virErrorPtr error = lib->virGetLastError();
	if (error == NULL)
		return gp_fail(err, GP_E_IO, "%s: libvirt gives no reason", what);
	enum gp_error_kind kind = kind_of(error);
	GP_CLEANUP(gp_str_clear) struct gp_str message = {0};
	add_message(&message, error->message);
	gp_fail(err, kind, "%s: %s", what, gp_str_text(&message));
	lib->virResetLastError();
	return -1;
}

/* ---- the connection, shared by all threads ---- */

/* An error of the connecting itself says more than its code: nothing else was asked yet. */
static int fail_open(struct libvirt_vmm *vmm, struct gp_error *err)
{
	const virError *error = vmm->lib.virGetLastError();
	int code = error == NULL ? VIR_ERR_INTERNAL_ERROR : error->code;
	GP_CLEANUP(gp_error_clear) struct gp_error found = {0};

	fail_call(&vmm->lib, "libvirt does not answer", &found);
	if (code == VIR_ERR_NO_CONNECT || code == VIR_ERR_INVALID_ARG)
		found.kind = GP_E_USAGE;
	else if (code == VIR_ERR_INTERNAL_ERROR && geteuid() != 0)
		found.kind = GP_E_PERMISSION; /* no bus on which polkit could be asked */
	else if (found.kind != GP_E_PERMISSION)
		found.kind = GP_E_UNAVAILABLE;
	gp_error_subject(&found, "%s", vmm->uri);
	if (found.kind == GP_E_UNAVAILABLE)
		gp_error_remedy(&found, "is libvirtd running?");
	else if (found.kind == GP_E_PERMISSION)
		gp_error_remedy(&found, "run as root, or as a member of the group libvirt");
	if (err != NULL)
		gp_error_move(err, &found);
	return -1;
}

/* A reference for the caller, who closes it. */
static virConnectPtr take_connection(struct libvirt_vmm *vmm, struct gp_error *err)
{
	virConnectPtr conn = NULL;
	pthread_mutex_lock(&vmm->lock);
	if (vmm->conn == NULL)
		vmm->conn =
			vmm->read_only ? vmm->lib.virConnectOpenReadOnly(vmm->uri) : vmm->lib.virConnectOpen(vmm->uri);
	if (vmm->conn == NULL)
		fail_open(vmm, err);
	else if (vmm->lib.virConnectRef(vmm->conn) == 0)
		conn = vmm->conn;
	else
		fail_call(&vmm->lib, "libvirt connection", err);
	pthread_mutex_unlock(&vmm->lock);
	return conn;
}

/* libvirt never reconnects by itself. Whoever notices the loss first puts the connection away. */
static void drop_connection(struct libvirt_vmm *vmm, virConnectPtr lost)
{
	pthread_mutex_lock(&vmm->lock);
	if (vmm->conn == lost && lost != NULL) {
		vmm->lib.virConnectClose(vmm->conn);
		vmm->conn = NULL;
	}
	pthread_mutex_unlock(&vmm->lock);
}

/* A domain that is let go of by itself. */
struct domain_ref {
	const struct libvirt *lib;
	virDomainPtr ptr;
};

static void let_go(struct domain_ref *domain)
{
	if (domain->ptr != NULL)
		domain->lib->virDomainFree(domain->ptr);
	domain->ptr = NULL;
}

#define GP_DOMAIN_REF GP_CLEANUP(let_go) struct domain_ref

/* Every call begins with this round trip: it finds out that the connection was lost, and connects once more. */
static int find_domain(struct libvirt_vmm *vmm, struct gp_uuid uuid, struct domain_ref *out, struct gp_error *err)
{
	GP_CLEANUP(gp_error_clear) struct gp_error problem = {0};
	char text[GP_UUID_SIZE];

	*out = (struct domain_ref){.lib = &vmm->lib};
	for (unsigned attempt = 0; attempt < 2; attempt++) {
		virConnectPtr conn = take_connection(vmm, err);
		if (conn == NULL)
			return -1;
		out->ptr = vmm->lib.virDomainLookupByUUID(conn, uuid.bytes);
		if (out->ptr == NULL)
			fail_call(&vmm->lib, "looking the domain up", &problem);
		if (out->ptr == NULL && problem.kind == GP_E_UNAVAILABLE)
			drop_connection(vmm, conn);
		vmm->lib.virConnectClose(conn);
		if (out->ptr != NULL)
			return 0;
		if (problem.kind != GP_E_UNAVAILABLE)
			break;
	}
	gp_error_subject(&problem, "domain %s", gp_uuid_format(uuid, text));
	if (err != NULL)
		gp_error_move(err, &problem);
	return -1;
}

static int fail_domain(const struct domain_ref *domain, const char *what, struct gp_error *err)
{
	fail_call(domain->lib, what, err);
	return gp_error_subject(err, "domain %s", domain->lib->virDomainGetName(domain->ptr));
}

/* ---- reading one domain ---- */

static enum gp_domain_state state_from(int state)
{
	switch (state) {
	case VIR_DOMAIN_RUNNING:
	case VIR_DOMAIN_BLOCKED:
		return GP_DOMAIN_RUNNING;
	case VIR_DOMAIN_PAUSED:
		return GP_DOMAIN_PAUSED;
	case VIR_DOMAIN_SHUTDOWN:
		return GP_DOMAIN_STOPPING;
	case VIR_DOMAIN_SHUTOFF:
		return GP_DOMAIN_OFF;
	case VIR_DOMAIN_CRASHED:
		return GP_DOMAIN_CRASHED;
	case VIR_DOMAIN_PMSUSPENDED:
		return GP_DOMAIN_SUSPENDED;
	default:
		return GP_DOMAIN_UNKNOWN;
	}
}

static int read_state(const struct domain_ref *domain, enum gp_domain_state *state, struct gp_error *err)
{
	int found = 0;
	if (domain->lib->virDomainGetState(domain->ptr, &found, NULL, 0) < 0)
		return fail_domain(domain, "reading its state", err);
	*state = state_from(found);
	return 0;
}

/* Without VIR_DOMAIN_XML_SECURE: passwords stay where they are. */
static int read_xml(const struct domain_ref *domain, unsigned flags, struct gp_domain_reader *reader,
		    struct gp_arena *arena, struct gp_domain_xml *out, struct gp_error *err)
{
	gp_autofree char *xml = domain->lib->virDomainGetXMLDesc(domain->ptr, flags);
	if (xml == NULL)
		return fail_domain(domain, "reading its definition", err);
	if (gp_domain_reader_parse(reader, xml, strlen(xml), arena, out, err) == 0)
		return 0;
	return gp_error_subject(err, "domain %s", domain->lib->virDomainGetName(domain->ptr));
}

/* Start time of a process in clock ticks since boot: field 22 of /proc/PID/stat. 0: not known. */
static uint64_t process_start_ticks(uint64_t pid)
{
	gp_autofree char *path = gp_xasprintf("/proc/%llu/stat", (unsigned long long)pid);
	char text[1024];
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return 0;
	size_t size = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[size] = '\0';

	/* The name in parentheses may hold anything; what follows is numbers, of which the first is field 3. */
	const char *field = strrchr(text, ')');
	for (int number = 2; field != NULL && number < 22; number++)
		field = strchr(field + 1, ' ');
	return field == NULL ? 0 : strtoull(field + 1, NULL, 10);
}

/*
 * For how long the domain has been running; 0 when that is not known. libvirt does not tell, but its system daemon
 * keeps the pid of each QEMU on disk, and the process is as old as the run: a reboot inside the guest does not count.
 */
static uint64_t read_running_ms(const struct libvirt_vmm *vmm, const char *name)
{
	if (!gp_streq(vmm->uri, "qemu:///system") && !gp_streq(vmm->uri, "qemu+unix:///system"))
		return 0;
	gp_autofree char *path = gp_xasprintf("/run/libvirt/qemu/%s.pid", name);
	char text[32] = "";
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return 0;
	bool read = fgets(text, sizeof(text), file) != NULL;
	fclose(file);
	text[strcspn(text, "\n")] = '\0';

	uint64_t pid = 0;
	struct timespec now;
	long ticks_per_second = sysconf(_SC_CLK_TCK);
	if (!read || gp_parse_u64(text, &pid) < 0 || ticks_per_second <= 0 || clock_gettime(CLOCK_BOOTTIME, &now) != 0)
		return 0;
	uint64_t started_ms = process_start_ticks(pid) * 1000 / (uint64_t)ticks_per_second;
	uint64_t now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	return started_ms == 0 || started_ms > now_ms ? 0 : now_ms - started_ms;
}

static int read_config(const struct domain_ref *ref, struct gp_domain_reader *reader, struct gp_arena *arena,
		       struct gp_domain *domain, struct gp_error *err)
{
	struct gp_domain_xml xml = {0};
	if (read_xml(ref, VIR_DOMAIN_XML_INACTIVE, reader, arena, &xml, err) < 0)
		return -1;
	domain->config = xml.hostdevs;
	domain->config_count = xml.hostdev_count;
	domain->to_start = xml.to_start;
	domain->places = xml.places;
	domain->place_count = xml.place_count;
	domain->external = xml.external;
	domain->config_known = true;
	return 0;
}

/* State after XML: a domain that went off meanwhile has handed out its persistent definition as the live one. */
static int read_live(const struct libvirt_vmm *vmm, const struct domain_ref *ref, struct gp_domain_reader *reader,
		     struct gp_arena *arena, struct gp_domain *domain, struct gp_error *err)
{
	struct gp_domain_xml xml = {0};
	if (read_xml(ref, 0, reader, arena, &xml, err) < 0 || read_state(ref, &domain->state, err) < 0)
		return -1;
	domain->live_known = true;
	if (domain->state == GP_DOMAIN_OFF)
		return 0;
	domain->live = xml.hostdevs;
	domain->live_count = xml.hostdev_count;
	if (domain->external == NULL)
		domain->external = xml.external;
	domain->running_ms = read_running_ms(vmm, domain->name);
	return 0;
}

/*
 * Both definitions of a domain whose `persistent` is set already. -1: it is gone, or nobody answers. Anything else that
 * goes wrong is noted in the domain.
 */
static int read_definitions(const struct libvirt_vmm *vmm, const struct domain_ref *ref, bool active,
			    struct gp_domain_reader *reader, struct gp_arena *arena, struct gp_domain *domain,
			    struct gp_error *err)
{
	GP_CLEANUP(gp_error_clear) struct gp_error problem = {0};

	/* A transient domain has no persistent definition: there is nothing to know. An inactive one has no live one.
	 */
	domain->config_known = !domain->persistent;
	domain->live_known = !active;
	domain->state = active ? GP_DOMAIN_UNKNOWN : GP_DOMAIN_OFF;
	if ((!domain->persistent || read_config(ref, reader, arena, domain, &problem) == 0) &&
	    (!active || read_live(vmm, ref, reader, arena, domain, &problem) == 0))
		return 0;
	if (problem.kind != GP_E_NOT_FOUND && problem.kind != GP_E_UNAVAILABLE) {
		domain->unknown_why = gp_arena_strdup(arena, problem.message);
		return 0;
	}
	if (err != NULL)
		gp_error_move(err, &problem);
	return -1;
}

static void read_identity(const struct domain_ref *ref, struct gp_arena *arena, struct gp_domain *domain)
{
	domain->name = gp_arena_strdup(arena, ref->lib->virDomainGetName(ref->ptr));
	ref->lib->virDomainGetUUID(ref->ptr, domain->uuid.bytes);
}

static int read_flags(const struct domain_ref *ref, struct gp_domain *domain, struct gp_error *err)
{
	int persistent = ref->lib->virDomainIsPersistent(ref->ptr);
	if (persistent < 0)
		return fail_domain(ref, "asking whether it is persistent", err);
	int autostart = 0;
	if (persistent == 1 && ref->lib->virDomainGetAutostart(ref->ptr, &autostart) < 0)
		return fail_domain(ref, "asking whether it is started with the host", err);
	int saved = ref->lib->virDomainHasManagedSaveImage(ref->ptr, 0);
	if (saved < 0)
		return fail_domain(ref, "asking for a managed save image", err);
	domain->persistent = persistent == 1;
	domain->autostart = autostart == 1;
	domain->managed_save = saved == 1;
	return 0;
}

static int observe_one(struct gp_vmm *base, struct gp_uuid uuid, struct gp_arena *arena, struct gp_domain *domain,
		       struct gp_error *err)
{
	struct libvirt_vmm *vmm = of(base);
	GP_NO_SIGPIPE;
	GP_DOMAIN_REF ref = {0};
	enum gp_domain_state state = GP_DOMAIN_UNKNOWN;

	*domain = (struct gp_domain){0};
	if (find_domain(vmm, uuid, &ref, err) < 0 || read_flags(&ref, domain, err) < 0 ||
	    read_state(&ref, &state, err) < 0)
		return -1;
	read_identity(&ref, arena, domain);
	GP_CLEANUP(gp_cleanup_gp_domain_reader_free) struct gp_domain_reader *reader = gp_domain_reader_new();
	return read_definitions(vmm, &ref, state != GP_DOMAIN_OFF, reader, arena, domain, err);
}

/* ---- reading all domains ---- */

struct domain_list {
	const struct libvirt *lib;
	virDomainPtr *items;
	size_t count;
};

static void clear_list(struct domain_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		list->lib->virDomainFree(list->items[i]);
	free(list->items);
	*list = (struct domain_list){0};
}

static int list_domains(const struct libvirt *lib, virConnectPtr conn, unsigned flags, struct domain_list *out,
			struct gp_error *err)
{
	*out = (struct domain_list){.lib = lib};
	int count = lib->virConnectListAllDomains(conn, &out->items, flags);
	if (count < 0)
		return fail_call(lib, "listing the domains", err);
	out->count = (size_t)count;
	return 0;
}

static bool is_active(const struct libvirt *lib, virDomainPtr domain)
{
	return lib->virDomainGetID(domain) != (unsigned)-1; /* known from the list; no call */
}

static bool any_active(const struct domain_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (is_active(list->lib, list->items[i]))
			return true;
	return false;
}

/* A property that only a list tells for all domains at once. */
enum trait { TRAIT_AUTOSTART, TRAIT_MANAGED_SAVE, TRAIT_COUNT };
static const unsigned trait_flags[TRAIT_COUNT] = {
	[TRAIT_AUTOSTART] = VIR_CONNECT_LIST_DOMAINS_AUTOSTART,
	[TRAIT_MANAGED_SAVE] = VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE,
};

struct slot {
	struct gp_domain domain; /* its strings are in the arena of the reader that filled it */
	bool gone;
};

/* What the readers share. Tasks are numbered: first the traits, then one a domain. */
struct survey {
	struct libvirt_vmm *vmm;
	virConnectPtr conn;
	struct domain_list all;
	struct domain_list transient;
	struct domain_list traits[TRAIT_COUNT];
	struct slot *slots;
	atomic_size_t next_task;
	atomic_bool failed; /* nobody answers any more: the others need not go on */
	pthread_mutex_t lock;
	struct gp_error error; /* the first one; guarded by lock */
};

struct survey_reader {
	struct survey *survey;
	struct gp_arena *arena;
	struct gp_domain_reader *parser;
	pthread_t thread;
};

static void clear_survey(struct survey *survey)
{
	clear_list(&survey->all);
	clear_list(&survey->transient);
	for (size_t i = 0; i < TRAIT_COUNT; i++)
		clear_list(&survey->traits[i]);
	free(survey->slots);
	gp_error_clear(&survey->error);
	pthread_mutex_destroy(&survey->lock);
}

static void fail_survey(struct survey *survey, struct gp_error *problem)
{
	pthread_mutex_lock(&survey->lock);
	if (survey->error.kind == GP_E_NONE)
		gp_error_move(&survey->error, problem);
	pthread_mutex_unlock(&survey->lock);
	atomic_store(&survey->failed, true);
}

static bool lists(const struct domain_list *list, struct gp_uuid uuid)
{
	struct gp_uuid found;
	for (size_t i = 0; i < list->count; i++)
		if (list->lib->virDomainGetUUID(list->items[i], found.bytes) == 0 && gp_uuid_equal(found, uuid))
			return true;
	return false;
}

static void survey_trait(struct survey *survey, size_t trait)
{
	GP_CLEANUP(gp_error_clear) struct gp_error problem = {0};
	if (list_domains(&survey->vmm->lib, survey->conn, trait_flags[trait], &survey->traits[trait], &problem) < 0)
		fail_survey(survey, &problem);
}

static void survey_domain(struct survey_reader *reader, size_t index)
{
	struct survey *survey = reader->survey;
	struct slot *slot = &survey->slots[index];
	const struct domain_ref ref = {&survey->vmm->lib, survey->all.items[index]};
	GP_CLEANUP(gp_error_clear) struct gp_error problem = {0};

	read_identity(&ref, reader->arena, &slot->domain);
	slot->domain.persistent = !lists(&survey->transient, slot->domain.uuid);
	if (read_definitions(survey->vmm, &ref, is_active(ref.lib, ref.ptr), reader->parser, reader->arena,
			     &slot->domain, &problem) == 0)
		return;
	if (problem.kind == GP_E_NOT_FOUND)
		slot->gone = true;
	else
		fail_survey(survey, &problem);
}

static void *run_reader(void *context)
{
	struct survey_reader *reader = context;
	struct survey *survey = reader->survey;
	size_t task;

	while (!atomic_load(&survey->failed) &&
	       (task = atomic_fetch_add(&survey->next_task, 1)) < TRAIT_COUNT + survey->all.count) {
		if (task < TRAIT_COUNT)
			survey_trait(survey, task);
		else
			survey_domain(reader, task - TRAIT_COUNT);
	}
	return NULL;
}

/* The caller is the first reader; threads are a help, not a need. Signals are not for them. */
static void run_readers(struct survey_reader *readers, size_t count)
{
	sigset_t all, before;
	size_t started = 1;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (started < count && pthread_create(&readers[started].thread, NULL, run_reader, &readers[started]) == 0)
		started++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);

	run_reader(&readers[0]);
	for (size_t i = 1; i < started; i++)
		pthread_join(readers[i].thread, NULL);
}

static struct gp_hostdev *copy_hostdevs(struct gp_arena *arena, const struct gp_hostdev *from, size_t count)
{
	struct gp_hostdev *to = gp_arena_array_of(arena, struct gp_hostdev, count);
	for (size_t i = 0; i < count; i++) {
		to[i] = from[i];
		to[i].alias = gp_arena_strdup(arena, from[i].alias);
		to[i].guest_xml = gp_arena_strdup(arena, from[i].guest_xml);
	}
	return to;
}

static void copy_domain(struct gp_arena *arena, const struct gp_domain *from, struct gp_domain *to)
{
	*to = *from;
	to->name = gp_arena_strdup(arena, from->name);
	to->unknown_why = gp_arena_strdup(arena, from->unknown_why);
	to->config = copy_hostdevs(arena, from->config, from->config_count);
	to->live = copy_hostdevs(arena, from->live, from->live_count);
	to->places = copy_hostdevs(arena, from->places, from->place_count);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct gp_domain *)a)->name, ((const struct gp_domain *)b)->name);
}

/* In order of name, whatever the order in which they were read. */
static void collect(struct survey *survey, struct gp_observed *observed)
{
	struct gp_domain *domains = gp_arena_array_of(observed->arena, struct gp_domain, survey->all.count);
	size_t count = 0;
	for (size_t i = 0; i < survey->all.count; i++)
		if (!survey->slots[i].gone)
			copy_domain(observed->arena, &survey->slots[i].domain, &domains[count++]);
	if (count > 0)
		qsort(domains, count, sizeof(*domains), by_name);
	observed->domains = domains;
	observed->domain_count = count;
}

static void set_trait(struct gp_domain *domain, enum trait trait)
{
	if (trait == TRAIT_AUTOSTART)
		domain->autostart = true;
	else
		domain->managed_save = true;
}

static void apply_traits(const struct survey *survey, struct gp_observed *observed)
{
	for (enum trait trait = 0; trait < TRAIT_COUNT; trait++) {
		const struct domain_list *list = &survey->traits[trait];
		for (size_t i = 0; i < list->count; i++) {
			struct gp_domain wanted = {.name = list->lib->virDomainGetName(list->items[i])};
			struct gp_domain *found = observed->domain_count == 0
							  ? NULL
							  : bsearch(&wanted, observed->domains, observed->domain_count,
								    sizeof(wanted), by_name);
			if (found != NULL)
				set_trait(found, trait);
		}
	}
}

static size_t readers_for(size_t domains)
{
	size_t count = 1 + domains / DOMAINS_PER_READER;
	return count < READERS_MAX ? count : READERS_MAX;
}

static int read_all(struct survey *survey, struct gp_observed *observed, struct gp_error *err)
{
	struct survey_reader readers[READERS_MAX];
	size_t count = 0, wanted = readers_for(survey->all.count);

	survey->slots = gp_xcalloc(survey->all.count + 1, sizeof(*survey->slots));
	do
		readers[count++] = (struct survey_reader){survey, gp_arena_new(), gp_domain_reader_new(), 0};
	while (count < wanted);
	run_readers(readers, count);
	bool failed = atomic_load(&survey->failed);
	if (!failed) {
		collect(survey, observed);
		apply_traits(survey, observed);
	} else if (err != NULL) {
		gp_error_move(err, &survey->error);
	}
	for (size_t i = 0; i < count; i++) {
		gp_domain_reader_free(readers[i].parser);
		gp_arena_free(readers[i].arena);
	}
	return failed ? -1 : 0;
}

static int observe_on(struct libvirt_vmm *vmm, virConnectPtr conn, struct gp_observed *observed, struct gp_error *err)
{
	GP_CLEANUP(clear_survey) struct survey survey = {.vmm = vmm, .conn = conn, .lock = PTHREAD_MUTEX_INITIALIZER};

	if (list_domains(&vmm->lib, conn, 0, &survey.all, err) < 0)
		return -1;
	if (any_active(&survey.all) &&
	    list_domains(&vmm->lib, conn, VIR_CONNECT_LIST_DOMAINS_TRANSIENT, &survey.transient, err) < 0)
		return -1;
	return read_all(&survey, observed, err);
}

static int observe(struct gp_vmm *base, struct gp_observed *observed, struct gp_error *err)
{
	struct libvirt_vmm *vmm = of(base);
	GP_NO_SIGPIPE;
	GP_CLEANUP(gp_error_clear) struct gp_error problem = {0};

	for (unsigned attempt = 0; attempt < 2; attempt++) {
		virConnectPtr conn = take_connection(vmm, err);
		if (conn == NULL)
			return -1;
		int rc = observe_on(vmm, conn, observed, &problem);
		if (rc < 0 && problem.kind == GP_E_UNAVAILABLE)
			drop_connection(vmm, conn);
		vmm->lib.virConnectClose(conn);
		if (rc == 0) {
			observed->domains_state = (struct gp_source_state){.known = true};
			return 0;
		}
		if (problem.kind != GP_E_UNAVAILABLE)
			break;
	}
	if (err != NULL)
		gp_error_move(err, &problem);
	return -1;
}

/* ---- editing the persistent definition ---- */

static int refuse(const struct domain_ref *ref, struct gp_error *err, const char *why)
{
	gp_fail(err, GP_E_REFUSED, "%s", why);
	return gp_error_subject(err, "domain %s", ref->lib->virDomainGetName(ref->ptr));
}

static int require_persistent(const struct domain_ref *ref, struct gp_error *err)
{
	int persistent = ref->lib->virDomainIsPersistent(ref->ptr);
	if (persistent < 0)
		return fail_domain(ref, "asking whether it is persistent", err);
	return persistent == 1 ? 0 : refuse(ref, err, "the domain is transient: it has no definition that outlives it");
}

/* The persistent definition as it is now. The domain stays referenced for the change that follows. */
static int read_definition(struct libvirt_vmm *vmm, struct gp_uuid uuid, struct domain_ref *ref, struct gp_arena *arena,
			   struct gp_domain_xml *out, struct gp_error *err)
{
	if (find_domain(vmm, uuid, ref, err) < 0 || require_persistent(ref, err) < 0)
		return -1;
	GP_CLEANUP(gp_cleanup_gp_domain_reader_free) struct gp_domain_reader *reader = gp_domain_reader_new();
	return read_xml(ref, VIR_DOMAIN_XML_INACTIVE, reader, arena, out, err);
}

static const struct gp_hostdev *with_source(const struct gp_domain_xml *xml, const struct gp_hostdev *wanted)
{
	for (size_t i = 0; i < xml->hostdev_count; i++)
		if (gp_hostdev_same_source(&xml->hostdevs[i], wanted))
			return &xml->hostdevs[i];
	return NULL;
}

static const struct gp_hostdev *with_alias(const struct gp_domain_xml *xml, const char *alias)
{
	for (size_t i = 0; alias != NULL && i < xml->hostdev_count; i++)
		if (gp_streq(xml->hostdevs[i].alias, alias))
			return &xml->hostdevs[i];
	return NULL;
}

static void add_source(struct gp_str *out, const struct gp_hostdev *hostdev)
{
	char pci[GP_PCI_ADDR_SIZE], uuid[GP_UUID_SIZE];
	gp_str_add(out, hostdev->type == GP_HOSTDEV_PCI ? gp_pci_addr_format(hostdev->source, pci)
							: gp_uuid_format(hostdev->mdev, uuid));
}

static const char *described(const struct gp_hostdev *hostdev)
{
	if (hostdev->elsewhere)
		return "an interface or a disk";
	return hostdev->alias != NULL ? hostdev->alias : "a hostdev without a name of its own";
}

static int fail_hostdev(const struct domain_ref *ref, enum gp_error_kind kind, const struct gp_hostdev *found,
			const char *why, struct gp_error *err)
{
	GP_CLEANUP(gp_str_clear) struct gp_str source = {0};
	const char *name = ref->lib->virDomainGetName(ref->ptr);
	add_source(&source, found);
	gp_fail(err, kind, "%s %s: %s", gp_str_text(&source), why, described(found));
	gp_error_holder(err, "domain %s", name);
	return gp_error_subject(err, "domain %s", name);
}

/* Is it in the way of attaching? 1: it is there already, as wanted. 0: the way is free. */
static int check_attach(const struct domain_ref *ref, const struct gp_domain_xml *xml, const struct gp_hostdev *wanted,
			struct gp_error *err)
{
	const struct gp_hostdev *same_source = with_source(xml, wanted);
	const struct gp_hostdev *same_alias = with_alias(xml, wanted->alias);

	if (same_source != NULL && !same_source->elsewhere && gp_streq(same_source->alias, wanted->alias))
		return 1;
	if (same_source != NULL)
		return fail_hostdev(ref, GP_E_BUSY, same_source, "is in its definition already, as", err);
	if (same_alias != NULL)
		return fail_hostdev(ref, GP_E_BUSY, same_alias, "has the name in its definition", err);
	return 0;
}

/* May it be detached? 1: it is not there. 0: it is, and it is the one that was meant. */
static int check_detach(const struct domain_ref *ref, const struct gp_domain_xml *xml, const struct gp_hostdev *wanted,
			struct gp_error *err)
{
	const struct gp_hostdev *found = with_source(xml, wanted);
	if (found == NULL)
		return 1;
	if (found->elsewhere)
		return fail_hostdev(ref, GP_E_REFUSED, found, "is no hostdev of its definition but", err);
	if (!gp_streq(found->alias, wanted->alias))
		return fail_hostdev(ref, GP_E_STALE, found, "is in its definition, but now as", err);
	return 0;
}

/* For where libvirt cannot attach: see edit(). Others' changes between read and define would be lost. */
static int redefine_now(struct libvirt_vmm *vmm, const struct domain_ref *ref, const struct gp_hostdev *hostdev,
			bool attach, struct gp_error *err)
{
	unsigned flags = VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE; /* or passwords would be lost */
	gp_autofree char *old = vmm->lib.virDomainGetXMLDesc(ref->ptr, flags);
	if (old == NULL)
		return fail_domain(ref, "reading its definition", err);
	gp_autofree char *edited = attach ? gp_domain_xml_with_hostdev(old, strlen(old), hostdev, err)
					  : gp_domain_xml_without_hostdev(old, strlen(old), hostdev, NULL, err);
	if (edited == NULL)
		return -1;

	virConnectPtr conn = take_connection(vmm, err);
	if (conn == NULL)
		return -1;
	virDomainPtr defined = vmm->lib.virDomainDefineXML(conn, edited);
	int rc = defined == NULL ? fail_domain(ref, "changing its definition", err) : 0;
	if (defined != NULL)
		vmm->lib.virDomainFree(defined);
	vmm->lib.virConnectClose(conn);
	return rc;
}

static int redefine(struct libvirt_vmm *vmm, const struct domain_ref *ref, const struct gp_hostdev *hostdev,
		    bool attach, struct gp_error *err)
{
	pthread_mutex_lock(&vmm->redefine_lock);
	int rc = redefine_now(vmm, ref, hostdev, attach, err);
	pthread_mutex_unlock(&vmm->redefine_lock);
	return rc;
}

/* before: the definition as it was read a moment ago. libvirt's test driver can neither attach nor detach; and no
 * driver attaches the only device from which the guest boots. */
static int edit(struct libvirt_vmm *vmm, const struct domain_ref *ref, const struct gp_domain_xml *before,
		const struct gp_hostdev *hostdev, bool attach, struct gp_error *err)
{
	GP_CLEANUP(gp_str_clear) struct gp_str xml = {0};
	GP_CLEANUP(gp_error_clear) struct gp_error problem = {0};

	gp_domain_xml_hostdev(hostdev, &xml);
	int rc = attach ? vmm->lib.virDomainAttachDeviceFlags(ref->ptr, gp_str_text(&xml), VIR_DOMAIN_AFFECT_CONFIG)
			: vmm->lib.virDomainDetachDeviceFlags(ref->ptr, gp_str_text(&xml), VIR_DOMAIN_AFFECT_CONFIG);
	if (rc == 0)
		return 0;
	fail_domain(ref, attach ? "attaching a hostdev" : "detaching a hostdev", &problem);
	bool gives_turn_back = attach && gp_domain_gives_turn_back(before, hostdev);
	if (problem.kind == GP_E_UNSUPPORTED || (problem.kind == GP_E_IO && gives_turn_back))
		return redefine(vmm, ref, hostdev, attach, err);
	gp_error_move(err, &problem);
	return -1;
}

/* A handle that was opened read-only has no business here; libvirt's read-only connection is what really holds. */
static int fail_write(const struct libvirt_vmm *vmm, struct gp_error *problem, struct gp_error *err)
{
	if (vmm->read_only && problem->kind == GP_E_PERMISSION)
		problem->kind = GP_E_INTERNAL;
	if (err != NULL)
		gp_error_move(err, problem);
	return -1;
}

/*
 * Judges a change by reading again. `done` is what the check after it says, `problem` what the call said (or nothing).
 * A write is never repeated: the connection may have been lost after libvirt had done it.
 */
static int judge(const struct libvirt_vmm *vmm, bool done, struct gp_error *problem, const char *what, bool *changed,
		 struct gp_error *err)
{
	if (done) {
		/* Refused because it is there: somebody else was faster. */
		*changed = problem->kind == GP_E_NONE || problem->kind == GP_E_UNAVAILABLE;
		return 0;
	}
	if (problem->kind != GP_E_NONE)
		return fail_write(vmm, problem, err);
	return gp_fail(err, GP_E_VERIFY, "libvirt reports success, but the definition %s", what);
}

static int change_hostdev(struct libvirt_vmm *vmm, struct gp_uuid uuid, const struct gp_hostdev *hostdev, bool attach,
			  bool *changed, struct gp_error *err)
{
	int (*check)(const struct domain_ref *, const struct gp_domain_xml *, const struct gp_hostdev *,
		     struct gp_error *) = attach ? check_attach : check_detach;
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	GP_CLEANUP(gp_error_clear) struct gp_error problem = {0};
	GP_DOMAIN_REF before = {0};
	GP_DOMAIN_REF after = {0};
	struct gp_domain_xml xml = {0};

	*changed = false;
	if (read_definition(vmm, uuid, &before, arena, &xml, err) < 0)
		return -1;
	int there = check(&before, &xml, hostdev, err);
	if (there != 0)
		return there < 0 ? -1 : 0;

	edit(vmm, &before, &xml, hostdev, attach, &problem);
	if (read_definition(vmm, uuid, &after, arena, &xml, err) < 0)
		return problem.kind == GP_E_NONE ? -1 : fail_write(vmm, &problem, err);
	bool done = check(&after, &xml, hostdev, NULL) == 1;
	if (judge(vmm, done, &problem, attach ? "lacks the hostdev" : "still has the hostdev", changed, err) == 0)
		return 0;
	return gp_error_subject(err, "domain %s", vmm->lib.virDomainGetName(after.ptr));
}

static int attach(struct gp_vmm *base, struct gp_uuid uuid, const struct gp_hostdev *hostdev, bool *changed,
		  struct gp_error *err)
{
	GP_NO_SIGPIPE;
	return change_hostdev(of(base), uuid, hostdev, true, changed, err);
}

static int detach(struct gp_vmm *base, struct gp_uuid uuid, const struct gp_hostdev *hostdev, bool *changed,
		  struct gp_error *err)
{
	GP_NO_SIGPIPE;
	return change_hostdev(of(base), uuid, hostdev, false, changed, err);
}

/* ---- our notes in <metadata> ---- */

/* A change of what our element says: reads it, and tells what it is to say. Nobody else writes it. */
typedef struct gp_domain_notes (*change_of_notes)(const struct gp_domain_xml *xml, const void *context,
						  struct gp_arena *arena);

static int write_notes(const struct domain_ref *ref, const struct gp_domain_notes *notes, struct gp_error *err)
{
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	const char *element = gp_domain_xml_notes(notes, &text) ? gp_str_text(&text) : NULL;

	if (ref->lib->virDomainSetMetadata(ref->ptr, VIR_DOMAIN_METADATA_ELEMENT, element, GP_METADATA_PREFIX,
					   GP_METADATA_URI, VIR_DOMAIN_AFFECT_CONFIG) < 0)
		return fail_domain(ref, "writing our notes on it", err);
	return 0;
}

static int change_notes(struct libvirt_vmm *vmm, struct gp_uuid uuid, change_of_notes change, const void *context,
			bool *changed, struct gp_error *err)
{
	GP_NO_SIGPIPE;
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	GP_CLEANUP(gp_error_clear) struct gp_error problem = {0};
	GP_DOMAIN_REF before = {0};
	GP_DOMAIN_REF after = {0};
	struct gp_domain_xml xml = {0};

	*changed = false;
	if (read_definition(vmm, uuid, &before, arena, &xml, err) < 0)
		return -1;
	struct gp_domain_notes notes = change(&xml, context, arena);
	if (gp_domain_notes_hold(&xml, &notes))
		return 0;
	write_notes(&before, &notes, &problem);
	if (read_definition(vmm, uuid, &after, arena, &xml, err) < 0)
		return problem.kind == GP_E_NONE ? -1 : fail_write(vmm, &problem, err);
	bool done = gp_domain_notes_hold(&xml, &notes);
	if (judge(vmm, done, &problem, "does not say what was noted", changed, err) == 0)
		return 0;
	return gp_error_subject(err, "domain %s", vmm->lib.virDomainGetName(after.ptr));
}

static struct gp_domain_notes with_mark(const struct gp_domain_xml *xml, const void *context,
					GP_UNUSED struct gp_arena *arena)
{
	return (struct gp_domain_notes){*(const bool *)context, xml->places, xml->place_count};
}

static struct gp_domain_notes with_place(const struct gp_domain_xml *xml, const void *context, struct gp_arena *arena)
{
	return gp_domain_notes_with(xml, context, arena);
}

static struct gp_domain_notes without_place(const struct gp_domain_xml *xml, const void *context,
					    struct gp_arena *arena)
{
	return gp_domain_notes_without(xml, context, arena);
}

static int set_mark(struct gp_vmm *base, struct gp_uuid uuid, bool to_start, bool *changed, struct gp_error *err)
{
	return change_notes(of(base), uuid, with_mark, &to_start, changed, err);
}

static int note_place(struct gp_vmm *base, struct gp_uuid uuid, const struct gp_hostdev *place, bool *changed,
		      struct gp_error *err)
{
	*changed = false;
	if (gp_domain_check_place(place, err) < 0)
		return -1;
	return change_notes(of(base), uuid, with_place, place, changed, err);
}

static int forget_place(struct gp_vmm *base, struct gp_uuid uuid, const char *alias, bool *changed,
			struct gp_error *err)
{
	return change_notes(of(base), uuid, without_place, alias, changed, err);
}

/* ---- power ---- */

static int state(struct gp_vmm *base, struct gp_uuid uuid, enum gp_domain_state *state_out, struct gp_error *err)
{
	GP_NO_SIGPIPE;
	GP_DOMAIN_REF ref = {0};
	return find_domain(of(base), uuid, &ref, err) < 0 ? -1 : read_state(&ref, state_out, err);
}

/* 1: off already. 0: it runs, is persistent, and may be asked to stop. */
static int check_stop(const struct domain_ref *ref, struct gp_error *err)
{
	enum gp_domain_state found = GP_DOMAIN_UNKNOWN;
	if (read_state(ref, &found, err) < 0)
		return -1;
	if (found == GP_DOMAIN_OFF)
		return 1;
	if (found == GP_DOMAIN_PAUSED)
		return refuse(ref, err, "the domain is paused: whoever paused it has plans for it");
	return require_persistent(ref, err);
}

/* Did the domain get where the failed call was to bring it? A write is not repeated. */
static int judge_power(struct libvirt_vmm *vmm, struct gp_uuid uuid, bool wanted_off, struct gp_error *problem,
		       struct gp_error *err)
{
	enum gp_domain_state found = GP_DOMAIN_UNKNOWN;
	if (state(&vmm->base, uuid, &found, NULL) == 0 && (found == GP_DOMAIN_OFF) == wanted_off &&
	    found != GP_DOMAIN_PAUSED && found != GP_DOMAIN_CRASHED && found != GP_DOMAIN_UNKNOWN)
		return 0;
	return fail_write(vmm, problem, err);
}

static int stop(struct libvirt_vmm *vmm, struct gp_uuid uuid, __typeof__(&virDomainDestroy) how, const char *what,
		struct gp_error *err)
{
	GP_CLEANUP(gp_error_clear) struct gp_error problem = {0};
	GP_DOMAIN_REF ref = {0};

	if (find_domain(vmm, uuid, &ref, err) < 0)
		return -1;
	int off = check_stop(&ref, err);
	if (off != 0)
		return off < 0 ? -1 : 0;
	if (how(ref.ptr) == 0)
		return 0;
	fail_domain(&ref, what, &problem);
	return judge_power(vmm, uuid, true, &problem, err);
}

static int shutdown_domain(struct gp_vmm *base, struct gp_uuid uuid, struct gp_error *err)
{
	struct libvirt_vmm *vmm = of(base);
	GP_NO_SIGPIPE;
	return stop(vmm, uuid, vmm->lib.virDomainShutdown, "asking it to shut down", err);
}

static int destroy(struct gp_vmm *base, struct gp_uuid uuid, struct gp_error *err)
{
	struct libvirt_vmm *vmm = of(base);
	enum gp_domain_state found = GP_DOMAIN_UNKNOWN;
	GP_NO_SIGPIPE;

	if (stop(vmm, uuid, vmm->lib.virDomainDestroy, "forcing it off", err) < 0 || state(base, uuid, &found, err) < 0)
		return -1;
	return found == GP_DOMAIN_OFF ? 0 : gp_fail(err, GP_E_VERIFY, "libvirt reports success, but the domain runs");
}

static int refuse_start(const struct domain_ref *ref, enum gp_domain_state found, struct gp_error *err)
{
	switch (found) {
	case GP_DOMAIN_PAUSED:
		return refuse(ref, err, "the domain is paused: whoever paused it has plans for it");
	case GP_DOMAIN_SUSPENDED:
		return refuse(ref, err, "the domain is suspended: its guest sleeps until somebody wakes it");
	case GP_DOMAIN_CRASHED:
		/* Kept with what it has plugged, for whoever wants to look at what is left of it. */
		refuse(ref, err, "the guest has crashed, and its QEMU is still there with all its devices");
		return gp_error_remedy(err, "look at it as long as you need, then: virsh destroy %s",
				       ref->lib->virDomainGetName(ref->ptr));
	default:
		return refuse(ref, err, "libvirt does not tell whether the domain runs");
	}
}

/* 1: it runs already. 0: it is off, and what would start is its definition as it is now. */
static int check_start(const struct domain_ref *ref, struct gp_error *err)
{
	enum gp_domain_state found = GP_DOMAIN_UNKNOWN;
	if (read_state(ref, &found, err) < 0)
		return -1;
	if (found == GP_DOMAIN_RUNNING || found == GP_DOMAIN_STOPPING)
		return 1;
	if (found != GP_DOMAIN_OFF)
		return refuse_start(ref, found, err);
	int saved = ref->lib->virDomainHasManagedSaveImage(ref->ptr, 0);
	if (saved < 0)
		return fail_domain(ref, "asking for a managed save image", err);
	if (saved == 0)
		return 0;
	refuse(ref, err, "a managed save image would be resumed, with the devices of then");
	return gp_error_remedy(err, "start and shut it down by hand, or remove the image (virsh managedsave-remove)");
}

static int start(struct gp_vmm *base, struct gp_uuid uuid, struct gp_error *err)
{
	struct libvirt_vmm *vmm = of(base);
	GP_NO_SIGPIPE;
	GP_CLEANUP(gp_error_clear) struct gp_error problem = {0};
	GP_DOMAIN_REF ref = {0};

	if (find_domain(vmm, uuid, &ref, err) < 0)
		return -1;
	int running = check_start(&ref, err);
	if (running != 0)
		return running < 0 ? -1 : 0;
	if (vmm->lib.virDomainCreate(ref.ptr) == 0)
		return 0;
	fail_domain(&ref, "starting it", &problem);
	return judge_power(vmm, uuid, false, &problem, err);
}

/* ---- guards and captures ---- */

static int add_holder(const struct libvirt_vmm *vmm, const struct domain_ref *ref, const struct gp_hostdev *devices,
		      size_t count, struct gp_domain_reader *reader, struct gp_arena *arena, struct gp_str *names,
		      struct gp_error *err)
{
	GP_CLEANUP(gp_error_clear) struct gp_error problem = {0};
	struct gp_domain domain = {0};

	read_identity(ref, arena, &domain);
	if (read_live(vmm, ref, reader, arena, &domain, &problem) < 0) {
		if (problem.kind == GP_E_NOT_FOUND)
			return 0; /* off and gone meanwhile */
		if (err != NULL)
			gp_error_move(err, &problem);
		return -1;
	}
	if (gp_domain_has_plugged(&domain, devices, count))
		gp_str_printf(names, "%s%s", names->length > 0 ? ", " : "", domain.name);
	return 0;
}

/* libvirt lists them in no order. */
static int by_domain_name(const void *a, const void *b, void *lib)
{
	const struct libvirt *libvirt = lib;
	return strcmp(libvirt->virDomainGetName(*(const virDomainPtr *)a),
		      libvirt->virDomainGetName(*(const virDomainPtr *)b));
}

static int holders_on(struct libvirt_vmm *vmm, virConnectPtr conn, const struct gp_hostdev *devices, size_t count,
		      struct gp_str *names, struct gp_error *err)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	GP_CLEANUP(gp_cleanup_gp_domain_reader_free) struct gp_domain_reader *reader = gp_domain_reader_new();
	GP_CLEANUP(clear_list) struct domain_list active = {0};

	if (list_domains(&vmm->lib, conn, VIR_CONNECT_LIST_DOMAINS_ACTIVE, &active, err) < 0)
		return -1;
	qsort_r(active.items, active.count, sizeof(virDomainPtr), by_domain_name, &vmm->lib);
	for (size_t i = 0; i < active.count; i++) {
		const struct domain_ref ref = {&vmm->lib, active.items[i]};
		if (add_holder(vmm, &ref, devices, count, reader, arena, names, err) < 0)
			return -1;
	}
	return 0;
}

static int live_holders(struct gp_vmm *base, const struct gp_hostdev *devices, size_t count, struct gp_str *names,
			struct gp_error *err)
{
	struct libvirt_vmm *vmm = of(base);
	GP_NO_SIGPIPE;
	GP_CLEANUP(gp_error_clear) struct gp_error problem = {0};

	for (unsigned attempt = 0; attempt < 2; attempt++) {
		GP_CLEANUP(gp_str_clear) struct gp_str found = {0};
		virConnectPtr conn = take_connection(vmm, err);
		if (conn == NULL)
			return -1;
		int rc = holders_on(vmm, conn, devices, count, &found, &problem);
		if (rc < 0 && problem.kind == GP_E_UNAVAILABLE)
			drop_connection(vmm, conn);
		vmm->lib.virConnectClose(conn);
		if (rc == 0) {
			if (found.length > 0)
				gp_str_printf(names, "%s%s", names->length > 0 ? ", " : "", gp_str_text(&found));
			return 0;
		}
		if (problem.kind != GP_E_UNAVAILABLE)
			break;
	}
	if (err != NULL)
		gp_error_move(err, &problem);
	return -1;
}

static void version(struct gp_vmm *base, struct gp_hypervisor *out)
{
	struct libvirt_vmm *vmm = of(base);
	GP_NO_SIGPIPE;
	unsigned long library = 0, emulator = 0;
	virConnectPtr conn = take_connection(vmm, NULL);
	*out = (struct gp_hypervisor){0};
	if (conn == NULL)
		return;
	/* Of the daemon, which may be newer than the library that we have loaded. */
	if (vmm->lib.virConnectGetLibVersion(conn, &library) == 0)
		out->version = (uint32_t)library;
	if (vmm->lib.virConnectGetVersion(conn, &emulator) == 0)
		out->emulator = (uint32_t)emulator;
	vmm->lib.virResetLastError();
	vmm->lib.virConnectClose(conn);
}

static int definition(struct gp_vmm *base, struct gp_uuid uuid, char **xml, struct gp_error *err)
{
	struct libvirt_vmm *vmm = of(base);
	GP_NO_SIGPIPE;
	GP_DOMAIN_REF ref = {0};

	if (find_domain(vmm, uuid, &ref, err) < 0)
		return -1;
	gp_autofree char *full = vmm->lib.virDomainGetXMLDesc(ref.ptr, VIR_DOMAIN_XML_INACTIVE);
	if (full == NULL)
		return fail_domain(&ref, "reading its definition", err);
	*xml = gp_domain_xml_public(full, strlen(full), err);
	return *xml == NULL ? -1 : 0;
}

/* ---- the handle ---- */

static void close_vmm(struct gp_vmm *base)
{
	if (base == NULL)
		return;
	struct libvirt_vmm *vmm = of(base);
	GP_NO_SIGPIPE;
	drop_connection(vmm, vmm->conn);
	pthread_mutex_destroy(&vmm->lock);
	pthread_mutex_destroy(&vmm->redefine_lock);
	free(vmm->uri);
	free(vmm);
}

static const struct gp_vmm_ops ops = {
	.name = "libvirt",
	.observe = observe,
	.observe_one = observe_one,
	.attach = attach,
	.detach = detach,
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

int gp_vmm_libvirt_open(const char *uri, bool read_only, struct gp_vmm **out, struct gp_error *err)
{
	struct libvirt_vmm *vmm = gp_xcalloc(1, sizeof(*vmm));
	vmm->base.ops = &ops;
	vmm->uri = gp_xstrdup(uri == NULL ? "qemu:///system" : uri);
	vmm->read_only = read_only;
	pthread_mutex_init(&vmm->lock, NULL);
	pthread_mutex_init(&vmm->redefine_lock, NULL);

	GP_NO_SIGPIPE;
	virConnectPtr conn = load_libvirt(&vmm->lib, err) < 0 ? NULL : take_connection(vmm, err);
	if (conn == NULL) {
		close_vmm(&vmm->base);
		return -1;
	}
	vmm->lib.virConnectClose(conn);
	*out = &vmm->base;
	return 0;
}
