/* SPDX-License-Identifier: GPL-2.0-or-later */
/* People on the simulated machine: a fresh one for each script. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "host/sim.h"
#include "host/sim_domain.h"
#include "host/sim_tree.h"
#include "person.h"

enum { PATIENCE_MS = 10000 };

struct person_sim {
	struct person base;
	const char *description, *libvirt;
	char *directory;
};

static struct person_sim *of(struct person *person)
{
	return (struct person_sim *)person;
}

char *person_write_file(const char *text, struct gp_error *err)
{
	gp_autofree char *path = gp_xstrdup("/tmp/gpupart-vms-XXXXXX");
	gp_autoclose int fd = mkstemp(path);
	size_t size = strlen(text);
	if (fd < 0 || write(fd, text, size) != (ssize_t)size) {
		gp_fail_errno(err, errno, "cannot write %s", path);
		return NULL;
	}
	return gp_take(path);
}

static const char *temporary_directory(void)
{
	const char *named = getenv("TMPDIR");
	return named == NULL ? "/tmp" : named;
}

static void forget_machine(struct person_sim *sim)
{
	if (sim->directory == NULL)
		return;
	gp_autoclose int parent = open(temporary_directory(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	gp_sim_settle(sim->directory, PATIENCE_MS, NULL);
	gp_tree_remove(parent, "%s", strrchr(sim->directory, '/') + 1);
	free(sim->directory);
	sim->directory = NULL;
}

static int begin(struct person *person, const char **root, struct gp_error *err)
{
	struct person_sim *sim = of(person);
	GP_CLEANUP(gp_sources_clear) struct gp_sources sources = {0};
	GP_CLEANUP(gp_diags_clear) struct gp_diags diags = {0};

	forget_machine(sim);
	sim->directory = gp_xasprintf("%s/gpupart-vms-XXXXXX", temporary_directory());
	if (mkdtemp(sim->directory) == NULL)
		return gp_fail_errno(err, errno, "cannot make %s", sim->directory);
	if (gp_sim_create(sim->directory, sim->description, &sources, &diags, err) < 0)
		return -1;
	gp_autoclose int fd = gp_sim_open(sim->directory, err);
	if (fd < 0 || gp_sim_hypervisor_save(fd, sim->libvirt, NULL) < 0)
		return -1;
	*root = sim->directory;
	return 0;
}

static int bring(struct person *person, const char *verb, const struct vm *vm, const char *xml, struct gp_error *err)
{
	const struct person_sim *sim = of(person);
	const struct gp_sim_guest guest = {.ignores_shutdown = !vm->hears};
	gp_autoclose int root = gp_sim_open(sim->directory, err);
	gp_autofree char *path = root < 0 ? NULL : person_write_file(xml, err);
	if (path == NULL)
		return -1;
	if (strchr(vm->name, '/') == NULL)
		gp_sim_guest_save(root, vm->name, &guest);
	int rc = gp_sim_vm(sim->directory, verb, path, err);
	unlink(path);
	return rc;
}

static char *definition(struct person *person, const struct vm *vm, struct gp_error *err)
{
	gp_autoclose int root = gp_sim_open(of(person)->directory, err);
	char *text = root < 0 ? NULL : gp_tree_read(root, NULL, GP_SIM_DEFINITIONS "/%s.xml", vm->name);
	if (root >= 0 && text == NULL)
		gp_fail_errno(err, errno, "cannot read the definition");
	return text;
}

static int act(struct person *person, const char *verb, const struct vm *vm, struct gp_error *err)
{
	/* It hears from the first moment on. */
	return gp_streq(verb, "wake") ? 0 : gp_sim_vm(of(person)->directory, verb, vm->name, err);
}

static int daemon_is(struct person *person, bool up, struct gp_error *err)
{
	const char *const word = up ? "clear" : "libvirt-down";
	return gp_sim_fault(of(person)->directory, &word, 1, err);
}

static void end(struct person *person, const struct vm *vms, size_t count)
{
	(void)vms;
	(void)count;
	forget_machine(of(person));
}

static void close_person(struct person *person)
{
	forget_machine(of(person));
	free(person);
}

static const struct person_ops ops = {begin, bring, definition, act, daemon_is, end, close_person};

struct person *person_sim_new(const char *description, const char *libvirt)
{
	struct person_sim *sim = gp_xcalloc(1, sizeof(*sim));
	sim->base.ops = &ops;
	sim->description = description;
	sim->libvirt = libvirt;
	return &sim->base;
}
