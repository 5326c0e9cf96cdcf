/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim_machine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "host/sim_tree.h"

enum { WAIT_MS = 10000, LOOK_MS = 5 };

/* A machine is thousands of small files: where there is a file system in memory, tests take a tenth of the time. */
static const char *place_of_machines(void)
{
	const char *chosen = getenv("TMPDIR");
	if (chosen != NULL && strlen(chosen) < 40)
		return chosen;
	return access("/dev/shm", R_OK | W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp";
}

void machine_directory(struct machine *machine)
{
	*machine = (struct machine){.root = -1};
	snprintf(machine->dir, sizeof(machine->dir), "%s/gp-machine-XXXXXX", place_of_machines());
	ck_assert_ptr_nonnull(mkdtemp(machine->dir));
}

void machine_make(struct machine *machine, const char *description)
{
	GP_CLEANUP(gp_sources_clear) struct gp_sources sources = {0};
	GP_CLEANUP(gp_diags_clear) struct gp_diags diags = {0};
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str faults = {0};

	machine_directory(machine);
	gp_autofree char *file = gp_xasprintf("%s.yaml", machine->dir);
	FILE *out = fopen(file, "we");
	ck_assert_ptr_nonnull(out);
	fputs(description, out);
	fclose(out);
	int result = gp_sim_create(machine->dir, file, &sources, &diags, &err);
	gp_diags_render(&diags, &faults, false);
	unlink(file);
	ck_assert_msg(result == 0, "%s\n%s", err.message, gp_str_text(&faults));
	machine->root = gp_sim_open(machine->dir, &err);
	ck_assert_msg(machine->root >= 0, "%s", err.message);
}

void machine_remove(struct machine *machine)
{
	const char *words[] = {"clear"};
	gp_host_close(machine->host);
	if (machine->root < 0)
		return;
	gp_sim_fault(machine->dir, words, 1, NULL);
	close(machine->root);
	char *slash = strrchr(machine->dir, '/');
	const char *name = slash + 1;
	*slash = '\0';
	int tmp = open(machine->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* A writer may still be at work, and make what was just removed: it ends when it sees that its machine is gone.
	 */
	for (unsigned i = 0; i < 100 && gp_tree_exists(tmp, "%s", name); i++) {
		gp_tree_remove(tmp, "%s", name);
		gp_sleep_ms(i);
	}
	close(tmp);
	*machine = (struct machine){.root = -1};
}

int machine_write(const struct machine *machine, const char *path, const char *value)
{
	return gp_kernel_sim_write(machine->root, path, value);
}

/* A few buffers in turn: enough for the arguments of one assertion. */
static char *next_buffer(void)
{
	static char buffers[8][8192];
	static unsigned next;
	return buffers[next++ % 8];
}

const char *machine_raw(const struct machine *machine, const char *path)
{
	char *buffer = next_buffer();
	gp_autofree char *text = gp_tree_read(machine->root, NULL, "%s", path);
	snprintf(buffer, 8192, "%s", text == NULL ? "<none>" : text);
	return buffer;
}

const char *machine_text(const struct machine *machine, const char *path)
{
	char *buffer = (char *)machine_raw(machine, path);
	buffer[strcspn(buffer, "\n")] = '\0';
	return buffer;
}

const char *machine_link(const struct machine *machine, const char *path)
{
	char *buffer = next_buffer();
	gp_autofree char *name = gp_tree_link_name(machine->root, "%s", path);
	snprintf(buffer, 8192, "%s", name == NULL ? "<none>" : name);
	return buffer;
}

bool machine_has(const struct machine *machine, const char *path)
{
	return gp_tree_exists(machine->root, "%s", path);
}

unsigned machine_mode(const struct machine *machine, const char *path)
{
	struct stat found;
	gp_autoclose int fd = gp_open_inside(machine->root, path, O_PATH, 0, GP_INSIDE_ROOT);
	return fd >= 0 && fstat(fd, &found) == 0 ? found.st_mode & ACCESSPERMS : 0;
}

unsigned machine_vfs(const struct machine *machine, const char *pf)
{
	unsigned count = 0;
	while (gp_tree_exists(machine->root, DEVICES "%s/virtfn%u", pf, count))
		count++;
	return count;
}

unsigned machine_sriov(const struct machine *machine, const char *pf, unsigned offset)
{
	enum { EXTENDED = 0x100, SRIOV = 0x10, SIZE = 4096 };
	size_t size = 0;
	gp_autofree char *text = gp_tree_read(machine->root, &size, DEVICES "%s/config", pf);
	const unsigned char *config = (const unsigned char *)text;
	ck_assert_ptr_nonnull(config);
	ck_assert_uint_eq(size, SIZE);
	for (unsigned at = EXTENDED; at != 0;) {
		unsigned header =
			config[at] | config[at + 1] << 8 | config[at + 2] << 16 | (unsigned)config[at + 3] << 24;
		if ((header & 0xffff) == SRIOV)
			return config[at + offset] | (unsigned)config[at + offset + 1] << 8;
		at = header >> 20;
	}
	ck_abort_msg("%s has no SR-IOV capability", pf);
	return 0;
}

void machine_fault(const struct machine *machine, const char *line)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	const char *words[8];
	size_t count = 0;
	char *rest = NULL;
	gp_autofree char *copy = gp_xstrdup(line);
	for (char *word = strtok_r(copy, " ", &rest); word != NULL && count < 8; word = strtok_r(NULL, " ", &rest))
		words[count++] = word;
	ck_assert_msg(gp_sim_fault(machine->dir, words, count, &err) == 0, "%s: %s", line, err.message);
}

void machine_vm(const struct machine *machine, const char *action, const char *name)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	ck_assert_msg(gp_sim_vm(machine->dir, action, name, &err) == 0, "%s %s: %s", action, name, err.message);
}

bool machine_wait(const struct machine *machine, const char *path, bool there)
{
	for (unsigned waited = 0; waited < WAIT_MS; waited += LOOK_MS) {
		if (machine_has(machine, path) == there)
			return true;
		gp_sleep_ms(LOOK_MS);
	}
	return false;
}

struct gp_vmm *machine_vmm(struct machine *machine)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	const struct gp_host_options options = {
		.root = machine->dir, .writer_path = GP_WRITER, .mode = GP_HOST_READ_WRITE};
	if (machine->host == NULL)
		ck_assert_msg(gp_host_open(&options, &machine->host, &err) == 0, "%s", err.message);
	struct gp_vmm *vmm = gp_host_vmm(machine->host, &err);
	ck_assert_msg(vmm != NULL, "%s", err.message);
	return vmm;
}

struct gp_uuid machine_uuid(struct machine *machine, const char *name)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	struct gp_vmm *vmm = machine_vmm(machine);
	struct gp_observed *observed = gp_observed_new();
	struct gp_uuid uuid = {0};
	ck_assert_msg(vmm->ops->observe(vmm, observed, &err) == 0, "%s", err.message);
	for (size_t i = 0; i < observed->domain_count; i++)
		if (gp_streq(observed->domains[i].name, name))
			uuid = observed->domains[i].uuid;
	gp_observed_free(observed);
	ck_assert(!gp_uuid_is_null(uuid));
	return uuid;
}

int machine_run(const char *name, const TTest *const *tests, size_t count)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);
	tcase_set_timeout(tcase, 120);
	for (size_t i = 0; i < count; i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
