/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is done to a simulated machine from outside: a reboot, and what other people do with its VMs. */
#include "host/sim.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "host/sim_domain.h"
#include "host/sim_fault.h"
#include "host/sim_kernel.h"
#include "host/sim_tree.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int gp_sim_open(const char *directory, struct gp_error *err)
{
	struct stat own, top;
	int root = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return gp_fail_errno(err, errno, "cannot open the simulated machine %s", directory);
	bool is_top =
		fstat(root, &own) == 0 && stat("/", &top) == 0 && own.st_dev == top.st_dev && own.st_ino == top.st_ino;
	if (!is_top && gp_tree_exists(root, GP_SIM_MARK_FILE))
		return root;
	close(root);
	gp_fail(err, GP_E_USAGE, "%s is no simulated machine: it holds no " GP_SIM_MARK_FILE, directory);
	return gp_error_remedy(err, "gpupart sim create %s HOST.yaml", is_top ? "DIR" : directory);
}

/* ---- reboot ---- */

static void autostart(int root, struct gp_diags *diags)
{
	struct gp_names names = {0};
	gp_tree_names(root, &names, GP_SIM_AUTOSTART);
	for (size_t i = 0; i < names.count; i++) {
		GP_CLEANUP(gp_error_clear) struct gp_error problem = {0};
		const char *file = gp_names_at(&names, i);
		if (!gp_glob_match("*.xml", file, false))
			continue;
		gp_autofree char *name = gp_xasprintf("%.*s", (int)(strlen(file) - strlen(".xml")), file);
		if (gp_sim_domain_start(root, name, gp_clock_unix_ms(), &problem) == 0)
			continue;
		gp_autofree char *line = gp_xasprintf("Failed to autostart VM '%s': %s\n", name, problem.message);
		gp_tree_append(root, line, ".sim/dmesg");
		if (diags != NULL)
			gp_diags_add(diags, GP_WARNING, problem.kind, "autostart-failed", (struct gp_mark){0},
				     "Failed to autostart VM '%s': %s", name, problem.message);
	}
	gp_names_clear(&names);
}

int gp_sim_reboot(const char *directory, struct gp_diags *diags, struct gp_error *err)
{
	gp_autoclose int root = gp_sim_open(directory, err);
	if (root < 0)
		return -1;
	gp_autoclose int lock = gp_tree_lock_machine(root);
	if (lock < 0)
		return gp_fail_errno(err, errno, "cannot lock the simulated machine");
	if (gp_kernel_boot(root, err) < 0)
		return -1;
	gp_tree_remove(root, ".sim/hidden");
	gp_sim_faults_after_reboot(root);
	autostart(root, diags);
	return 0;
}

/* ---- waiting for what is under way ---- */

/* Can the lock be had within the time? A file that is not there locks nobody out. */
static bool is_free(int root, const char *path, uint64_t until)
{
	enum { LOOK_MS = 5 };
	gp_autoclose int fd = gp_open_inside(root, path, O_RDWR, 0, GP_INSIDE_ROOT);
	while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (gp_clock_ms() >= until)
			return false;
		gp_sleep_ms(LOOK_MS);
	}
	return true;
}

static int wait_for_locks(int root, const char *directory, const char *pattern, uint64_t until, struct gp_error *err)
{
	struct gp_names names = {0};
	int result = 0;
	gp_tree_names(root, &names, "%s", directory);
	for (size_t i = 0; i < names.count && result == 0; i++) {
		const char *name = gp_names_at(&names, i);
		gp_autofree char *path = gp_xasprintf("%s/%s", directory, name);
		if (gp_glob_match(pattern, name, false) && !is_free(root, path, until))
			result = gp_fail(err, GP_E_TIMEOUT, "a writer still holds %s", path);
	}
	gp_names_clear(&names);
	return result;
}

int gp_sim_settle(const char *directory, uint64_t timeout_ms, struct gp_error *err)
{
	uint64_t until = gp_clock_ms() + timeout_ms;
	gp_autoclose int root = gp_sim_open(directory, err);
	if (root < 0)
		return -1;
	/* The helper's lock is taken before the kernel's, and outlives it. */
	if (wait_for_locks(root, "run/gpupart", "pf-*.lock", until, err) < 0)
		return -1;
	return wait_for_locks(root, ".sim/locks", "*", until, err);
}

/* ---- what others do with VMs ---- */

static int vm_define(int root, const char *file, struct gp_error *err)
{
	GP_CLEANUP(gp_sources_clear) struct gp_sources sources = {0};
	const struct gp_source *source = gp_sources_read(&sources, file, GP_DOMAIN_XML_MAX, err);
	return source == NULL ? -1 : gp_sim_domain_define(root, source->text, source->size, err);
}

static int vm_create(int root, const char *file, struct gp_error *err)
{
	GP_CLEANUP(gp_sources_clear) struct gp_sources sources = {0};
	const struct gp_source *source = gp_sources_read(&sources, file, GP_DOMAIN_XML_MAX, err);
	return source == NULL ? -1
			      : gp_sim_domain_create_new(root, source->text, source->size, gp_clock_unix_ms(), err);
}

static int vm_start(int root, const char *name, struct gp_error *err)
{
	return gp_sim_domain_start(root, name, gp_clock_unix_ms(), err);
}

/* Somebody shuts the guest down from inside: it is off when this returns. */
static int vm_stop(int root, const char *name, struct gp_error *err)
{
	if (gp_sim_fault_find(root, "ignore-shutdown", name, "", NULL))
		return gp_fail(err, GP_E_TIMEOUT, "the guest of domain %s ignores what it is asked; destroy it", name);
	return gp_sim_domain_destroy(root, name, err);
}

static int vm_autostart(int root, const char *name, struct gp_error *err)
{
	return gp_sim_domain_autostart(root, name, true, err);
}

static int vm_no_autostart(int root, const char *name, struct gp_error *err)
{
	return gp_sim_domain_autostart(root, name, false, err);
}

static const struct {
	const char *word;
	int (*act)(int root, const char *argument, struct gp_error *err);
} actions[] = {
	{"define", vm_define},
	{"create", vm_create},
	{"start", vm_start},
	{"stop", vm_stop},
	{"destroy", gp_sim_domain_destroy},
	{"undefine", gp_sim_domain_undefine},
	{"pause", gp_sim_domain_pause},
	{"resume", gp_sim_domain_resume},
	{"suspend", gp_sim_domain_suspend},
	{"crash", gp_sim_domain_crash},
	{"save", gp_sim_domain_save},
	{"unsave", gp_sim_domain_unsave},
	{"autostart", vm_autostart},
	{"no-autostart", vm_no_autostart},
};

static int unknown_action(const char *word, struct gp_error *err)
{
	const char *words[COUNT(actions)];
	for (size_t i = 0; i < COUNT(actions); i++)
		words[i] = actions[i].word;
	const char *near = gp_did_you_mean(word, words, COUNT(words));
	gp_fail(err, GP_E_USAGE, "nothing like '%s' can be done with a VM%s%s%s", word,
		near == NULL ? "" : "; did you mean '", near == NULL ? "" : near, near == NULL ? "" : "'?");
	return gp_error_remedy(err, "define or create FILE.xml, or start, stop, destroy, undefine, pause, resume, "
				    "suspend, crash, save, unsave, autostart or no-autostart NAME");
}

int gp_sim_vm(const char *directory, const char *action, const char *argument, struct gp_error *err)
{
	gp_autoclose int root = gp_sim_open(directory, err);
	if (root < 0)
		return -1;
	gp_autoclose int lock = gp_tree_lock_machine(root);
	if (lock < 0)
		return gp_fail_errno(err, errno, "cannot lock the simulated machine");
	for (size_t i = 0; i < COUNT(actions); i++)
		if (gp_streq(actions[i].word, action))
			return actions[i].act(root, argument, err);
	return unknown_action(action, err);
}
