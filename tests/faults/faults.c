/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stop it anywhere. For each case, every change that an apply makes is failed once, and the process is killed before
 *and after each, in turn; a fresh run must then reach the same end as a run that nobody disturbed, and find nothing
 *more to do. What is not ours must be untouched at every moment.
 *
 *	faults CASES…    each a folder: host.yaml, want.yaml, setup (optional lines for the simulated machine)
 *
 * A case leaves no choice of GPU: what was bound before a disturbance is kept, so that a free choice may end elsewhere
 *and be as good.
 *
 * The end is read from the machine's tree by this file, not by gpupart. Names that begin with "foreign", and devices on
 * buses e0 and above, are not ours.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/sim.h"
#include "intent/intent.h"
#include "plan/planner.h"
#include "run/reconcile.h"

enum { PATH_SIZE = 4096, LOCK_WAIT_MS = 20000, MOST_AT_ONCE = 4, LINE_SIZE = 512 };

/* ---- small helpers; a fault of the test itself ends it ---- */

static _Noreturn void die(const char *format, ...) GP_PRINTF(1, 2);

static _Noreturn void die(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	_exit(2);
}

static _Noreturn void die_of(struct gp_error *err, const char *what)
{
	die("%s: %s", what, err->message);
}

static void shell(const char *format, ...) GP_PRINTF(1, 2);

static void shell(const char *format, ...)
{
	GP_CLEANUP(gp_str_clear) struct gp_str command = {0};
	va_list args;
	va_start(args, format);
	gp_str_vprintf(&command, format, args);
	va_end(args);
	if (system(gp_str_text(&command)) != 0)
		die("failed: %s", gp_str_text(&command));
}

static char *read_text(const char *path, struct gp_str *out)
{
	FILE *file = fopen(path, "re");
	char piece[8192];
	size_t got;
	while (file != NULL && (got = fread(piece, 1, sizeof(piece), file)) > 0)
		gp_str_add_n(out, piece, got);
	if (file != NULL)
		fclose(file);
	return out->text;
}

static uint64_t read_number(const char *directory, const char *file)
{
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	gp_autofree char *path = gp_xasprintf("%s/%s", directory, file);
	return read_text(path, &text) == NULL ? 0 : strtoull(text.text, NULL, 10);
}

/* ---- the state of a machine, as text ---- */

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

struct listing {
	char **names;
	size_t count;
};

static struct listing list(const char *directory)
{
	struct listing listing = {0};
	DIR *dir = opendir(directory);
	struct dirent *entry;
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		listing.names = gp_xrealloc(listing.names, (listing.count + 1) * sizeof(char *));
		listing.names[listing.count++] = gp_xstrdup(entry->d_name);
	}
	if (dir != NULL)
		closedir(dir);
	if (listing.count > 0)
		qsort(listing.names, listing.count, sizeof(char *), compare_names);
	return listing;
}

static void listing_clear(struct listing *listing)
{
	for (size_t i = 0; i < listing->count; i++)
		free(listing->names[i]);
	free(listing->names);
	*listing = (struct listing){0};
}

static void add_link(const char *directory, const char *name, struct gp_str *out)
{
	char target[PATH_SIZE];
	gp_autofree char *path = gp_xasprintf("%s/%s", directory, name);
	ssize_t length = readlink(path, target, sizeof(target) - 1);
	target[length < 0 ? 0 : length] = '\0';
	const char *last = strrchr(target, '/');
	gp_str_printf(out, "  %s=%s\n", name, last == NULL ? target : last + 1);
}

static void add_attribute(const char *directory, const char *name, struct gp_str *out)
{
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	gp_autofree char *path = gp_xasprintf("%s/%s", directory, name);
	if (read_text(path, &text) != NULL)
		gp_str_printf(out, "  %s=%.*s\n", name, (int)strcspn(text.text, "\n"), text.text);
}

enum whose { EVERYBODYS, FOREIGN };

static bool counts(enum whose whose, const char *name)
{
	return whose == EVERYBODYS || gp_starts_with(name, "foreign") || gp_starts_with(name, "0000:e") ||
	       gp_starts_with(name, "0000:f");
}

static void add_devices(const char *root, enum whose whose, struct gp_str *out)
{
	gp_autofree char *all = gp_xasprintf("%s/sys/bus/pci/devices", root);
	GP_CLEANUP(listing_clear) struct listing devices = list(all);
	for (size_t i = 0; i < devices.count; i++) {
		if (!counts(whose, devices.names[i]))
			continue;
		gp_autofree char *device = gp_xasprintf("%s/%s", all, devices.names[i]);
		GP_CLEANUP(listing_clear) struct listing inside = list(device);
		gp_str_printf(out, "device %s\n", devices.names[i]);
		add_link(device, "driver", out);
		add_attribute(device, "sriov_numvfs", out);
		add_attribute(device, "sriov_drivers_autoprobe", out);
		add_attribute(device, "nvidia/current_vgpu_type", out);
		add_attribute(device, "nvidia/vgpu_params", out);
		for (size_t v = 0; v < inside.count; v++)
			if (gp_starts_with(inside.names[v], "virtfn"))
				add_link(device, inside.names[v], out);
	}
}

/* Mediated devices, with the GPU that each is on: which of its VFs makes no difference. */
static void add_mdevs(const char *root, enum whose whose, struct gp_str *out)
{
	gp_autofree char *all = gp_xasprintf("%s/sys/bus/mdev/devices", root);
	GP_CLEANUP(listing_clear) struct listing mdevs = list(all);
	for (size_t i = 0; i < mdevs.count; i++) {
		gp_autofree char *mdev = gp_xasprintf("%s/%s", all, mdevs.names[i]);
		gp_autofree char *vf = gp_xasprintf("%s/..", mdev);
		GP_CLEANUP(gp_str_clear) struct gp_str gpu = {0};
		add_link(vf, "physfn", &gpu);
		if (!counts(whose, gp_str_text(&gpu) + strlen("  physfn=")))
			continue;
		gp_str_printf(out, "mdev %s\n%s", mdevs.names[i], gp_str_text(&gpu));
		add_link(mdev, "mdev_type", out);
		add_attribute(mdev, "nvidia/vgpu_params", out);
	}
}

static void add_domains(const char *root, enum whose whose, struct gp_str *out)
{
	gp_autofree char *definitions = gp_xasprintf("%s/etc/libvirt/qemu", root);
	GP_CLEANUP(listing_clear) struct listing files = list(definitions);
	for (size_t i = 0; i < files.count; i++) {
		if (!counts(whose, files.names[i]) || strstr(files.names[i], ".xml") == NULL)
			continue;
		gp_autofree char *definition = gp_xasprintf("%s/%s", definitions, files.names[i]);
		gp_autofree char *live = gp_xasprintf("%s/run/libvirt/qemu/%s", root, files.names[i]);
		gp_str_printf(out, "domain %s %s\n", files.names[i], access(live, F_OK) == 0 ? "up" : "down");
		read_text(definition, out);
	}
}

static char *state_of(const char *root, enum whose whose)
{
	struct gp_str text = {0};
	add_devices(root, whose, &text);
	add_mdevs(root, whose, &text);
	add_domains(root, whose, &text);
	return gp_str_take(&text);
}

/* ---- one run of gpupart, in a process that may be killed ---- */

enum ending { ENDED_WELL, ENDED_IN_FAILURE, ENDED_BY_KILL };

static const char *const ending_names[] = {"well", "in failure", "by kill"};

struct run {
	struct gp_host *host;
	struct gp_desired *desired;
	struct gp_observed *observed;
	struct gp_plan *plan;
};

static void look(struct run *run, const char *root, const char *want)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	GP_CLEANUP(gp_diags_clear) struct gp_diags diags = {0};
	struct gp_host_options options = {.root = root, .writer_path = GP_WRITER, .mode = GP_HOST_READ_WRITE};
	if (gp_host_open(&options, &run->host, &err) != 0)
		die_of(&err, root);
	run->desired = gp_intent_load(&want, 1, gp_host_name(run->host), &diags);
	if (diags.error_count > 0)
		die("%s: %s", want, diags.items[0].error.message);
	run->observed = gp_observe(run->host, run->desired, &err);
	if (run->observed == NULL)
		die_of(&err, "observe");
	run->plan = gp_plan_make(run->desired, run->observed);
}

static void put_away(struct run *run)
{
	gp_plan_free(run->plan);
	gp_observed_free(run->observed);
	gp_desired_free(run->desired);
	gp_host_close(run->host);
}

static void tell(const struct gp_diags *diags)
{
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	gp_diags_render(diags, &text, false);
	fputs(gp_str_text(&text), stderr);
}

/* The child's exit status: 0 done and verified, 1 anything else. */
static int apply_here(const char *root, const char *want, bool talk)
{
	GP_CLEANUP(gp_outcome_clear) struct gp_outcome outcome = {0};
	struct gp_apply_options options = {.lock_wait_ms = LOCK_WAIT_MS};
	struct run run = {0};
	look(&run, root, want);
	enum gp_error_kind kind = gp_apply(run.host, run.desired, run.observed, run.plan, &options, &outcome);
	if (talk && kind != GP_E_NONE) {
		tell(&run.plan->diags);
		tell(&outcome.diags);
	}
	bool well = kind == GP_E_NONE && outcome.verified;
	put_away(&run);
	return well ? 0 : 1;
}

static enum ending apply_in_child(const char *root, const char *want, bool talk)
{
	int status;
	fflush(NULL);
	pid_t child = fork();
	if (child == 0)
		_exit(apply_here(root, want, talk));
	if (child < 0 || waitpid(child, &status, 0) != child)
		die("no process: %s", strerror(errno));
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return ENDED_BY_KILL;
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
		die("%s: a run crashed (status %#x)", root, (unsigned)status);
	return WEXITSTATUS(status) == 0 ? ENDED_WELL : ENDED_IN_FAILURE;
}

static size_t steps_left(const char *root, const char *want)
{
	struct run run = {0};
	look(&run, root, want);
	size_t steps = gp_plan_step_count(run.plan);
	put_away(&run);
	return steps;
}

/* A helper outlives whoever was killed, and what it has begun it also ends. As the reaper of orphans, wait for all. */
static void wait_until_quiet(void)
{
	while (wait(NULL) > 0 || errno == EINTR)
		continue;
}

/* ---- cases and cells ---- */

struct the_case {
	const char *name;
	char *want; /* path of want.yaml */
	char *base; /* the machine before */
	char *end;  /* its state after an undisturbed run */
	char *foreign;
	uint64_t before; /* changes that its setup made */
	uint64_t changes;
};

static void play_line(const char *machine, char *line)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	const char *words[8];
	size_t count = 0;
	for (char *word = strtok(line, " \n"); word != NULL && count < 8; word = strtok(NULL, " \n"))
		words[count++] = word;
	if (count == 0 || words[0][0] == '#')
		return;
	int result = strcmp(words[0], "reboot") == 0             ? gp_sim_reboot(machine, NULL, &err)
		     : strcmp(words[0], "vm") == 0 && count == 3 ? gp_sim_vm(machine, words[1], words[2], &err)
		     : strcmp(words[0], "fault") == 0            ? gp_sim_fault(machine, &words[1], count - 1, &err)
						      : gp_fail(&err, GP_E_INPUT, "no such line: %s", words[0]);
	if (result != 0)
		die_of(&err, words[0]);
}

static void play(const char *machine, const char *path)
{
	char line[LINE_SIZE];
	FILE *file = fopen(path, "re");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		play_line(machine, line);
	if (file != NULL)
		fclose(file);
}

static void make_machine(const char *folder, const char *machine)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	GP_CLEANUP(gp_diags_clear) struct gp_diags diags = {0};
	GP_CLEANUP(gp_sources_clear) struct gp_sources sources = {0};
	gp_autofree char *description = gp_xasprintf("%s/host.yaml", folder);
	gp_autofree char *setup = gp_xasprintf("%s/setup", folder);
	if (gp_sim_create(machine, description, &sources, &diags, &err) != 0 || diags.error_count > 0) {
		tell(&diags);
		die("%s: %s", description, err.message == NULL ? "see above" : err.message);
	}
	play(machine, setup);
}

static void copy_machine(const char *from, const char *to)
{
	shell("cp -a '%s' '%s'", from, to);
}

static void ck_same(const char *cell, const char *what, const char *wanted, const char *found)
{
	if (strcmp(wanted, found) == 0)
		return;
	fprintf(stderr, "FAIL %s: %s\n--- wanted\n%s--- found\n%s", cell, what, wanted, found);
	_exit(1);
}

static void run_undisturbed(struct the_case *c, const char *work)
{
	gp_autofree char *machine = gp_xasprintf("%s/undisturbed", work);
	copy_machine(c->base, machine);
	c->before = read_number(machine, ".sim/writes");
	if (apply_in_child(machine, c->want, true) != ENDED_WELL)
		die("FAIL %s: not even undisturbed it ends well", c->name);
	c->changes = read_number(machine, ".sim/writes") - c->before;
	c->end = state_of(machine, EVERYBODYS);
	gp_autofree char *foreign = state_of(machine, FOREIGN);
	ck_same(c->name, "foreign things were touched", c->foreign, foreign);
	if (c->changes == 0)
		die("FAIL %s: it changes nothing, so that it proves nothing", c->name);
	if (steps_left(machine, c->want) != 0)
		die("FAIL %s: a second run is not empty", c->name);
}

/* One disturbance of one change. In a process of its own; its exit status is the verdict. */
static int run_cell(const struct the_case *c, const char *machine, const char *const *fault, size_t words)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str cell = {0};
	gp_str_printf(&cell, "%s:", c->name);
	for (size_t i = 0; i < words; i++)
		gp_str_printf(&cell, " %s", fault[i]);
	copy_machine(c->base, machine);
	if (gp_sim_fault(machine, fault, words, &err) != 0)
		die_of(&err, gp_str_text(&cell));

	enum ending first = apply_in_child(machine, c->want, false);
	wait_until_quiet();
	enum ending expected = strcmp(fault[0], "kill") == 0 ? ENDED_BY_KILL : ENDED_IN_FAILURE;
	/* Some changes are tried again for a while, and then go well: to clear a vGPU that has not settled, say. */
	bool tried_again = expected == ENDED_IN_FAILURE && first == ENDED_WELL &&
			   read_number(machine, ".sim/writes") > c->before + c->changes;
	if (first != expected && !tried_again)
		die("FAIL %s: the disturbed run ended %s, not %s", gp_str_text(&cell), ending_names[first],
		    ending_names[expected]);
	gp_autofree char *foreign = state_of(machine, FOREIGN);
	ck_same(gp_str_text(&cell), "foreign things were touched", c->foreign, foreign);

	if (gp_sim_fault(machine, (const char *const[]){"clear"}, 1, &err) != 0)
		die_of(&err, "clear");
	if (apply_in_child(machine, c->want, true) != ENDED_WELL)
		die("FAIL %s: the run after it does not end well", gp_str_text(&cell));
	gp_autofree char *end = state_of(machine, EVERYBODYS);
	ck_same(gp_str_text(&cell), "the run after it ends elsewhere", c->end, end);
	if (steps_left(machine, c->want) != 0)
		die("FAIL %s: a third run is not empty", gp_str_text(&cell));
	shell("rm -rf '%s'", machine);
	return 0;
}

static const char *const disturbances[][3] = {
	{"fail", "EIO", NULL}, {"fail", "EBUSY", NULL}, {"kill", "before", NULL}, {"kill", "after", NULL}};
enum { DISTURBANCES = sizeof(disturbances) / sizeof(disturbances[0]) };

struct tally {
	size_t running, failed, cells;
};

static void reap_one(struct tally *tally)
{
	int status;
	if (wait(&status) < 0)
		die("wait: %s", strerror(errno));
	tally->running--;
	tally->failed += status != 0;
}

static void start_cell(const struct the_case *c, const char *work, uint64_t change, const char *const *disturbance,
		       struct tally *tally)
{
	if (tally->running == MOST_AT_ONCE)
		reap_one(tally);
	tally->running++;
	tally->cells++;
	fflush(NULL);
	pid_t child = fork();
	if (child < 0)
		die("fork: %s", strerror(errno));
	if (child > 0)
		return;
	gp_autofree char *number = gp_xasprintf("%llu", (unsigned long long)change);
	gp_autofree char *machine = gp_xasprintf("%s/%s-%s-%s", work, disturbance[0], number, disturbance[1]);
	const char *fault[] = {disturbance[0], number, disturbance[1]};
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	_exit(run_cell(c, machine, fault, 3));
}

static void run_case(const char *folder, const char *work, struct tally *tally)
{
	const char *slash = strrchr(folder, '/');
	struct the_case c = {.name = slash == NULL ? folder : slash + 1};
	gp_autofree char *scratch = gp_xasprintf("%s/%s", work, c.name);
	size_t cells_before = tally->cells, failed_before = tally->failed;
	c.want = gp_xasprintf("%s/want.yaml", folder);
	c.base = gp_xasprintf("%s/base", scratch);
	if (mkdir(scratch, 0700) != 0)
		die("%s: %s", scratch, strerror(errno));
	make_machine(folder, c.base);
	c.foreign = state_of(c.base, FOREIGN);
	run_undisturbed(&c, scratch);
	for (uint64_t change = 1; change <= c.changes; change++)
		for (size_t d = 0; d < DISTURBANCES; d++)
			start_cell(&c, scratch, change, disturbances[d], tally);
	while (tally->running > 0)
		reap_one(tally);
	printf("%-24s %3llu changes, %4zu cells, %zu failed\n", c.name, (unsigned long long)c.changes,
	       tally->cells - cells_before, tally->failed - failed_before);
	free(c.want);
	free(c.base);
	free(c.end);
	free(c.foreign);
}

int main(int argc, char **argv)
{
	const char *scratch = getenv("TMPDIR");
	gp_autofree char *work = gp_xasprintf("%s/gpupart-faults-XXXXXX", scratch == NULL ? "/tmp" : scratch);
	struct tally tally = {0};
	if (argc < 2)
		die("usage: faults CASE…");
	if (mkdtemp(work) == NULL)
		die("%s: %s", work, strerror(errno));
	for (int i = 1; i < argc; i++)
		run_case(argv[i], work, &tally);
	shell("rm -rf '%s'", work);
	printf("%d cases, %zu cells, %zu failed\n", argc - 1, tally.cells, tally.failed);
	return tally.failed == 0 ? 0 : 1;
}
