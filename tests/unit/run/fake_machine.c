/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fake_machine.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/num.h"
#include "plan/planner.h"
#include "vendor/vendor.h"

static void say(struct gp_host *host, const char *format, ...) GP_PRINTF(2, 3);

static void say(struct gp_host *host, const char *format, ...)
{
	GP_CLEANUP(gp_str_clear) struct gp_str line = {0};
	va_list args;
	va_start(args, format);
	gp_str_vprintf(&line, format, args);
	va_end(args);
	if (host->line_count < FAKE_LINES)
		host->lines[host->line_count++] = gp_str_take(&line);
}

int fake_line(const struct gp_host *host, const char *line)
{
	for (size_t i = 0; i < host->line_count; i++)
		if (strcmp(host->lines[i], line) == 0)
			return (int)i;
	return -1;
}

struct gp_pci_addr fake_pf_addr(unsigned pf)
{
	return (struct gp_pci_addr){.bus = (uint8_t)pf};
}

struct gp_pci_addr fake_vf_addr(unsigned pf, unsigned vf)
{
	return (struct gp_pci_addr){.bus = (uint8_t)pf, .slot = (uint8_t)(1 + vf / 8), .function = (uint8_t)(vf % 8)};
}

struct gp_uuid fake_uuid(unsigned domain)
{
	return (struct gp_uuid){{[14] = 0xd0, [15] = (uint8_t)domain}};
}

const char *fake_name(unsigned domain)
{
	static const char *const names[FAKE_DOMAINS] = {
		"vm-00", "vm-01", "vm-02", "vm-03", "vm-04", "vm-05", "vm-06", "vm-07", "vm-08", "vm-09",
		"vm-10", "vm-11", "vm-12", "vm-13", "vm-14", "vm-15", "vm-16", "vm-17", "vm-18", "vm-19",
	};
	return names[domain];
}

static struct fake_domain *domain_of(struct gp_host *host, struct gp_uuid uuid)
{
	return &host->domains[uuid.bytes[15]];
}

static bool fails(const struct gp_host *host, const char *line, struct gp_error *err)
{
	if (host->fail_on == NULL || !gp_starts_with(line, host->fail_on))
		return false;
	gp_fail(err, host->fail_kind, "made to fail: %s", line);
	return true;
}

/* ---- the PCI side ---- */

/* Patience ends only when the test is going to fail: a wait that never ends would tell nothing. */
static void wait_for_change(struct gp_host *host)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 20 * 1000 * 1000;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	pthread_cond_timedwait(&host->changed, &host->lock, &until);
}

static void meet_others(struct gp_host *host)
{
	unsigned patience = FAKE_PATIENCE_MS / 20;
	host->writing++;
	if (host->writing > host->most_writing)
		host->most_writing = host->writing;
	pthread_cond_broadcast(&host->changed);
	while (host->meet > 0 && host->most_writing < host->meet && patience-- > 0)
		wait_for_change(host);
	while (host->hold_writes_until != NULL && __atomic_load_n(host->hold_writes_until, __ATOMIC_RELAXED) == 0 &&
	       patience-- > 0)
		wait_for_change(host);
	host->writing--;
}

int gp_host_write(struct gp_host *host, const struct gp_write_request *request, struct gp_error *err)
{
	gp_autofree char *line = gp_xasprintf("%s %s %s", request->device, request->attribute, request->after);
	pthread_mutex_lock(&host->lock);
	say(host, "begin %s", line);
	meet_others(host);
	host->last_guard = request->guard;
	snprintf(host->last_program, sizeof(host->last_program), "%s",
		 request->program != NULL ? request->program : "");
	bool failed = fails(host, line, err);
	uint32_t count;
	if (!failed && gp_streq(request->attribute, "sriov_numvfs") && gp_parse_u32(request->after, &count) == 0) {
		struct fake_pf *pf = &host->pfs[request->pf.bus];
		pf->vfs = pf->short_by > count ? 0 : count - pf->short_by;
		pf->cap_vfs = pf->vfs;
	}
	host->changes += !failed;
	say(host, "end %s", line);
	pthread_mutex_unlock(&host->lock);
	return failed ? -1 : 0;
}

int gp_host_observe_pf(struct gp_host *host, struct gp_arena *arena, struct gp_pci_addr addr, struct gp_gpu *gpu,
		       struct gp_error *err)
{
	(void)err;
	pthread_mutex_lock(&host->lock);
	struct fake_pf *pf = &host->pfs[addr.bus];
	bool hidden = pf->late_rounds > 0 && pf->vfs > 0;
	if (hidden)
		pf->late_rounds--;
	gpu->addr = addr;
	gpu->driver = host->driver;
	gpu->num_vfs = hidden ? 0 : pf->vfs;
	gpu->capability_known = true;
	gpu->vf_enable = pf->cap_vfs > 0;
	gpu->cap_num_vfs = pf->cap_vfs;
	for (uint32_t i = 0; i < gpu->num_vfs; i++) {
		struct gp_partition *partition = gp_arena_push(arena, gpu->partitions, gpu->partition_count);
		partition->index = i;
		partition->addr = fake_vf_addr(addr.bus, i);
		partition->driver = i == 0 && host->vf_driver_rounds > 0 ? NULL : host->vf_driver;
	}
	host->vf_driver_rounds -= host->vf_driver_rounds > 0;
	pthread_mutex_unlock(&host->lock);
	return 0;
}

int gp_host_find_mdev(struct gp_host *host, struct gp_uuid uuid, struct gp_mdev *out, struct gp_error *err)
{
	(void)err;
	for (size_t i = 0; i < host->mdev_count; i++)
		if (gp_uuid_equal(host->mdevs[i].uuid, uuid)) {
			*out = host->mdevs[i];
			return 1;
		}
	return 0;
}

int gp_host_attribute_path(enum gp_step_base base, const char *device, const char *attribute, struct gp_str *path,
			   struct gp_error *err)
{
	(void)base, (void)err;
	gp_str_printf(path, "%s/%s", device, attribute);
	return 0;
}

int gp_host_read(struct gp_host *host, const char *path, char *buffer, size_t size, struct gp_error *err)
{
	if (host->attribute_value == NULL)
		return gp_fail(err, GP_E_NOT_FOUND, "no %s", path);
	return snprintf(buffer, size, "%s", host->attribute_value);
}

int gp_host_read_link(struct gp_host *host, const char *path, char *buffer, size_t size, struct gp_error *err)
{
	struct gp_pci_addr addr;
	unsigned vf;
	char device[GP_PCI_ADDR_SIZE], what[32], text[GP_PCI_ADDR_SIZE];
	if (sscanf(path, "%23[^/]/%31s", device, what) != 2 || gp_pci_addr_parse(device, &addr) != 0)
		return gp_fail(err, GP_E_INTERNAL, "bad path %s", path);
	if (strcmp(what, "driver") == 0)
		return host->bound_driver == NULL ? gp_fail(err, GP_E_NOT_FOUND, "no driver")
						  : snprintf(buffer, size, "%s", host->bound_driver);
	const struct fake_pf *pf = &host->pfs[addr.bus];
	if (sscanf(what, "virtfn%u", &vf) != 1 || pf->links_broken || vf >= pf->vfs)
		return gp_fail(err, GP_E_NOT_FOUND, "no %s", path);
	return snprintf(buffer, size, "%s", gp_pci_addr_format(fake_vf_addr(addr.bus, vf), text));
}

bool gp_host_exists(struct gp_host *host, const char *path)
{
	char device[GP_PCI_ADDR_SIZE];
	struct gp_pci_addr addr;
	if (sscanf(path, "%23[^/]", device) != 1 || gp_pci_addr_parse(device, &addr) != 0)
		return false;
	const struct fake_pf *pf = &host->pfs[addr.bus];
	uint32_t vf = (addr.slot - 1u) * 8u + addr.function;
	return !pf->devices_missing && vf < pf->vfs;
}

/* ---- the VM side ---- */

static int reach(struct gp_host *host, const char *what, struct gp_uuid uuid, struct gp_error *err)
{
	gp_autofree char *line = gp_xasprintf("%s %s", what, fake_name(uuid.bytes[15]));
	say(host, "%s", line);
	if (fails(host, line, err))
		return -1;
	host->changes++;
	return 0;
}

static int fake_observe_one(struct gp_vmm *vmm, struct gp_uuid uuid, struct gp_arena *arena, struct gp_domain *out,
			    struct gp_error *err)
{
	(void)arena, (void)err;
	struct gp_host *host = (struct gp_host *)vmm;
	pthread_mutex_lock(&host->lock);
	struct fake_domain *domain = domain_of(host, uuid);
	*out = (struct gp_domain){.uuid = uuid,
				  .name = fake_name(uuid.bytes[15]),
				  .state = domain->state,
				  .persistent = !domain->transient,
				  .to_start = domain->marked,
				  .running_ms = domain->running_ms,
				  .config_known = true,
				  .live_known = true,
				  .config = domain->config,
				  .config_count = domain->config_count,
				  .places = domain->places,
				  .place_count = domain->place_count};
	pthread_mutex_unlock(&host->lock);
	return 0;
}

static int fake_attach(struct gp_vmm *vmm, struct gp_uuid uuid, const struct gp_hostdev *hostdev, bool *changed,
		       struct gp_error *err)
{
	struct gp_host *host = (struct gp_host *)vmm;
	pthread_mutex_lock(&host->lock);
	int result = reach(host, "attach", uuid, err);
	struct fake_domain *domain = domain_of(host, uuid);
	domain->attached = hostdev->source;
	if (result == 0)
		domain->config[domain->config_count++] = *hostdev;
	*changed = !host->nothing_changes;
	pthread_mutex_unlock(&host->lock);
	return result;
}

static int fake_detach(struct gp_vmm *vmm, struct gp_uuid uuid, const struct gp_hostdev *hostdev, bool *changed,
		       struct gp_error *err)
{
	struct gp_host *host = (struct gp_host *)vmm;
	pthread_mutex_lock(&host->lock);
	int result = reach(host, "detach", uuid, err);
	struct fake_domain *domain = domain_of(host, uuid);
	for (size_t i = 0; result == 0 && i < domain->config_count; i++)
		if (gp_pci_addr_compare(domain->config[i].source, hostdev->source) == 0)
			domain->config[i--] = domain->config[--domain->config_count];
	*changed = !host->nothing_changes;
	pthread_mutex_unlock(&host->lock);
	return result;
}

static int fake_set_mark(struct gp_vmm *vmm, struct gp_uuid uuid, bool to_start, bool *changed, struct gp_error *err)
{
	struct gp_host *host = (struct gp_host *)vmm;
	pthread_mutex_lock(&host->lock);
	struct fake_domain *domain = domain_of(host, uuid);
	int result = reach(host, to_start ? "mark" : "unmark", uuid, err);
	*changed = domain->marked != to_start;
	if (result == 0)
		domain->marked = to_start;
	pthread_mutex_unlock(&host->lock);
	return result;
}

static bool drop_place(struct fake_domain *domain, const char *alias)
{
	for (size_t i = 0; i < domain->place_count; i++)
		if (gp_streq(domain->places[i].alias, alias)) {
			domain->places[i] = domain->places[--domain->place_count];
			return true;
		}
	return false;
}

static int fake_note_place(struct gp_vmm *vmm, struct gp_uuid uuid, const struct gp_hostdev *place, bool *changed,
			   struct gp_error *err)
{
	struct gp_host *host = (struct gp_host *)vmm;
	pthread_mutex_lock(&host->lock);
	struct fake_domain *domain = domain_of(host, uuid);
	int result = reach(host, "note", uuid, err);
	if (result == 0) {
		drop_place(domain, place->alias);
		domain->places[domain->place_count++] = *place;
	}
	*changed = result == 0;
	pthread_mutex_unlock(&host->lock);
	return result;
}

static int fake_forget_place(struct gp_vmm *vmm, struct gp_uuid uuid, const char *alias, bool *changed,
			     struct gp_error *err)
{
	struct gp_host *host = (struct gp_host *)vmm;
	pthread_mutex_lock(&host->lock);
	int result = reach(host, "forget", uuid, err);
	*changed = result == 0 && drop_place(domain_of(host, uuid), alias);
	pthread_mutex_unlock(&host->lock);
	return result;
}

static void take_down(struct gp_host *host, struct fake_domain *domain)
{
	if (domain->state != GP_DOMAIN_RUNNING)
		return;
	domain->state = GP_DOMAIN_OFF;
	if (++host->down > host->most_down)
		host->most_down = host->down;
}

static int fake_shutdown(struct gp_vmm *vmm, struct gp_uuid uuid, struct gp_error *err)
{
	struct gp_host *host = (struct gp_host *)vmm;
	pthread_mutex_lock(&host->lock);
	struct fake_domain *domain = domain_of(host, uuid);
	domain->asked++;
	int result = reach(host, "shutdown", uuid, err);
	if (result == 0 && !domain->deaf)
		take_down(host, domain);
	pthread_mutex_unlock(&host->lock);
	return result;
}

static int fake_destroy(struct gp_vmm *vmm, struct gp_uuid uuid, struct gp_error *err)
{
	struct gp_host *host = (struct gp_host *)vmm;
	pthread_mutex_lock(&host->lock);
	int result = reach(host, "destroy", uuid, err);
	if (result == 0)
		take_down(host, domain_of(host, uuid));
	pthread_mutex_unlock(&host->lock);
	return result;
}

static int fake_start(struct gp_vmm *vmm, struct gp_uuid uuid, struct gp_error *err)
{
	struct gp_host *host = (struct gp_host *)vmm;
	pthread_mutex_lock(&host->lock);
	int result = reach(host, "start", uuid, err);
	if (result == 0) {
		domain_of(host, uuid)->state = GP_DOMAIN_RUNNING;
		host->down -= host->down > 0;
	}
	pthread_mutex_unlock(&host->lock);
	return result;
}

static int fake_state(struct gp_vmm *vmm, struct gp_uuid uuid, enum gp_domain_state *state, struct gp_error *err)
{
	(void)err;
	struct gp_host *host = (struct gp_host *)vmm;
	pthread_mutex_lock(&host->lock);
	*state = domain_of(host, uuid)->state;
	pthread_mutex_unlock(&host->lock);
	return 0;
}

static int fake_live_holders(struct gp_vmm *vmm, const struct gp_hostdev *devices, size_t count, struct gp_str *names,
			     struct gp_error *err)
{
	struct gp_host *host = (struct gp_host *)vmm;
	if (count > 0)
		host->last_asked = devices[count - 1];
	if (host->holders_unknown)
		return gp_fail(err, GP_E_UNAVAILABLE, "libvirt went away");
	if (host->live_holders != NULL)
		gp_str_add(names, host->live_holders);
	return 0;
}

static const struct gp_vmm_ops fake_ops = {.name = "fake",
					   .observe_one = fake_observe_one,
					   .attach = fake_attach,
					   .detach = fake_detach,
					   .set_mark = fake_set_mark,
					   .note_place = fake_note_place,
					   .forget_place = fake_forget_place,
					   .shutdown = fake_shutdown,
					   .destroy = fake_destroy,
					   .start = fake_start,
					   .state = fake_state,
					   .live_holders = fake_live_holders};

struct gp_vmm *gp_host_vmm(struct gp_host *host, struct gp_error *err)
{
	if (!host->no_libvirt)
		return &host->vmm;
	gp_fail(err, GP_E_UNAVAILABLE, "libvirt does not answer");
	return NULL;
}

/* ---- the neighbours that the executor asks for words ---- */

static void fake_explain(const struct gp_gpu *gpu, const struct gp_step *step, struct gp_error *err)
{
	(void)gpu;
	if (step->kind != GP_STEP_WAIT)
		gp_error_remedy(err, "explained by the back-end");
}

static int fake_observe(struct gp_host *host, struct gp_arena *arena, struct gp_gpu *gpu, struct gp_error *err)
{
	(void)host, (void)arena, (void)err;
	gpu->framework = "seen anew";
	return 0;
}

/* Words that only somebody can find who has looked at the device. */
static void fake_explain_profile(const struct gp_gpu *gpu, const struct gp_step *step, struct gp_error *err)
{
	(void)step;
	gp_error_remedy(err, "framework %s", gpu->framework);
}

const struct gp_vendor *gp_vendor_for(const struct gp_gpu *gpu)
{
	static const struct gp_vendor plain = {.name = "fake", .observe = fake_observe, .explain = fake_explain};
	static const struct gp_vendor by_profile = {
		.name = "fake", .by_profile = true, .observe = fake_observe, .explain = fake_explain_profile};
	return gp_streq(gpu->driver, "nvidia") ? &by_profile : &plain;
}

void gp_step_render(const struct gp_step *step, struct gp_render_options options, struct gp_str *out)
{
	(void)options;
	gp_str_printf(out, "%s %s", step->what, step->device);
}

void fake_init(struct gp_host *host)
{
	*host = (struct gp_host){.vmm = {&fake_ops},
				 .lock = PTHREAD_MUTEX_INITIALIZER,
				 .changed = PTHREAD_COND_INITIALIZER,
				 .driver = "fake",
				 .fail_kind = GP_E_IO};
	for (unsigned i = 0; i < FAKE_DOMAINS; i++)
		host->domains[i] = (struct fake_domain){.state = GP_DOMAIN_RUNNING, .running_ms = 3600 * 1000};
}

void fake_clear(struct gp_host *host)
{
	for (size_t i = 0; i < host->line_count; i++)
		free(host->lines[i]);
	pthread_mutex_destroy(&host->lock);
	pthread_cond_destroy(&host->changed);
}
