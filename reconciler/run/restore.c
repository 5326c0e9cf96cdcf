/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "run/restore.h"

struct restoring {
	struct gp_bench *bench;
	const struct gp_step_task *tasks;
	size_t count;
	struct gp_diags *diags;
	size_t changes;
};

static bool is_of(const struct gp_step_task *task, struct gp_uuid domain, enum gp_step_kind kind)
{
	return task->step->kind == kind && gp_uuid_equal(task->step->domain, domain);
}

static bool came_about(const struct gp_step_task *task)
{
	return task->state == GP_STEP_DONE || task->state == GP_STEP_SKIPPED;
}

static bool any(const struct restoring *restoring, struct gp_uuid domain, enum gp_step_kind kind,
		bool (*holds)(const struct gp_step_task *task))
{
	for (size_t t = 0; t < restoring->count; t++)
		if (is_of(&restoring->tasks[t], domain, kind) && holds(&restoring->tasks[t]))
			return true;
	return false;
}

static bool did_not_come_about(const struct gp_step_task *task)
{
	return !came_about(task);
}
static bool has_failed(const struct gp_step_task *task)
{
	return task->state == GP_STEP_FAILED;
}
static bool was_asked(const struct gp_step_task *task)
{
	return task->asked_to_shut_down;
}

static void stays_off(struct restoring *restoring, const struct gp_domain *domain, const char *why)
{
	struct gp_diag *diag = gp_diags_add(restoring->diags, GP_WARNING, GP_E_UNAVAILABLE, "vm-stays-off",
					    (struct gp_mark){0}, "%s stays off: %s", domain->name, why);
	gp_error_remedy(&diag->error, "run apply again: it finishes the work and starts %s", domain->name);
}

static bool exists(struct gp_bench *bench, const struct gp_hostdev *hostdev)
{
	struct gp_mdev found;
	if (hostdev->type == GP_HOSTDEV_PCI)
		return gp_device_exists(bench, hostdev->source);
	return gp_host_find_mdev(bench->host, hostdev->mdev, &found, NULL) == 1;
}

/* A definition that names what is not there cannot start. */
static bool misses_a_device(struct gp_bench *bench, const struct gp_domain *domain)
{
	for (size_t i = 0; i < domain->config_count; i++)
		if (!exists(bench, &domain->config[i]))
			return true;
	return false;
}

static bool has_alias(const struct gp_domain *domain, const char *alias)
{
	for (size_t i = 0; i < domain->config_count; i++)
		if (gp_streq(domain->config[i].alias, alias))
			return true;
	return false;
}

/* An exchange stopped half-way: started now, the guest would see no GPU, and might take the next one for another. */
static bool lacks_what_was_taken_out(const struct gp_domain *domain)
{
	for (size_t i = 0; i < domain->place_count; i++)
		if (gp_place_is_empty(domain, &domain->places[i]) && !has_alias(domain, domain->places[i].alias))
			return true;
	return false;
}

static void clear_mark(struct restoring *restoring, const struct gp_domain *domain)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	struct gp_vmm *vmm = restoring->bench->vmm;
	bool changed = false;
	if (vmm->ops->set_mark(vmm, domain->uuid, false, &changed, &err) != 0)
		gp_diags_add_error(restoring->diags, "restore-failed", &err);
	restoring->changes += changed;
}

static void start_again(struct restoring *restoring, const struct gp_domain *domain)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	bool changed = false;
	int result = gp_domain_start(restoring->bench, domain->uuid, domain->name, &changed, &err);
	restoring->changes += changed;
	if (result != 0) {
		gp_error_prefix(&err, "%s cannot be started again", domain->name);
		gp_diags_add_error(restoring->diags, "restore-failed", &err);
		return;
	}
	gp_diags_add(restoring->diags, GP_INFO, GP_E_NONE, "vm-restored", (struct gp_mark){0}, "%s was started again",
		     domain->name);
	clear_mark(restoring, domain);
}

/* A write that was left to the kernel may take the VFs at any time: nobody is started on top of them. */
static bool kernel_still_works(const struct restoring *restoring)
{
	for (size_t t = 0; t < restoring->count; t++)
		if (restoring->tasks[t].left_to_kernel)
			return true;
	return false;
}

static void restore_off(struct restoring *restoring, const struct gp_domain *domain)
{
	if (kernel_still_works(restoring))
		stays_off(restoring, domain, "the kernel still works on its GPU");
	else if (any(restoring, domain->uuid, GP_STEP_START, has_failed))
		stays_off(restoring, domain, "starting it has failed");
	else if (lacks_what_was_taken_out(domain) || (any(restoring, domain->uuid, GP_STEP_DETACH, came_about) &&
						      any(restoring, domain->uuid, GP_STEP_ATTACH, did_not_come_about)))
		stays_off(restoring, domain, "its partition was taken and not yet replaced");
	else if (misses_a_device(restoring->bench, domain))
		stays_off(restoring, domain, "a device that its definition names is not there");
	else
		start_again(restoring, domain);
}

/* Facts decide, not what was done: the mark on the domain says that it is ours to start. */
static void restore(struct restoring *restoring, struct gp_uuid uuid)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	struct gp_vmm *vmm = restoring->bench->vmm;
	struct gp_domain domain = {0};
	if (vmm->ops->observe_one(vmm, uuid, arena, &domain, &err) != 0) {
		gp_diags_add_error(restoring->diags, "restore-failed", &err);
		return;
	}
	if (!domain.to_start)
		return;
	if (domain.state == GP_DOMAIN_OFF || domain.state == GP_DOMAIN_CRASHED)
		restore_off(restoring, &domain);
	else if (!any(restoring, uuid, GP_STEP_STOP, was_asked) || any(restoring, uuid, GP_STEP_START, came_about))
		clear_mark(restoring, &domain);
	/* else: it was told to shut down and may yet go off; the mark has the next run start it */
}

static bool is_first_of_its_domain(const struct restoring *restoring, size_t at)
{
	const struct gp_step *step = restoring->tasks[at].step;
	for (size_t t = 0; t < at; t++)
		if (gp_is_domain_step(restoring->tasks[t].step) &&
		    gp_uuid_equal(restoring->tasks[t].step->domain, step->domain))
			return false;
	return gp_is_domain_step(step);
}

size_t gp_restore_domains(struct gp_bench *bench, const struct gp_step_task *tasks, size_t count,
			  struct gp_diags *diags)
{
	struct restoring restoring = {.bench = bench, .tasks = tasks, .count = count, .diags = diags};
	for (size_t t = 0; t < count && bench->vmm != NULL; t++)
		if (is_first_of_its_domain(&restoring, t))
			restore(&restoring, tasks[t].step->domain);
	return restoring.changes;
}
