/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The whole story on a simulated machine: observe, plan, apply, verify. */
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/sim.h"
#include "intent/intent.h"
#include "plan/planner.h"
#include "run/reconcile.h"
#include "run_suite.h"

#define ONE_GPU  "version: 1\nhostname: host\ngpus:\n  - {address: \"0000:41:00.0\", preset: flex-170"
#define NO_VFS   "}\n"
#define FOUR_VFS ", vfs: 4, vf_driver: none, autoprobe: false}\n"

#define WANT_CLASS(count)                                                                                              \
	"version: 1\n"                                                                                                 \
	"gpus:\n"                                                                                                      \
	"  - {class: vdi, match: {address: \"0000:41:00.0\"}, partitions: " #count "}\n"

/* One machine, one set of files, one run. */
static char directory[] = "/tmp/gpupart-run-XXXXXX";
static char machine[64];
static struct gp_host *host;
static struct gp_desired *desired;
static struct gp_observed *observed;
static struct gp_plan *plan;
static struct gp_outcome outcome;
static struct gp_apply_options options;

static void write_text(const char *name, const char *text)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	FILE *file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

static void shell(const char *command)
{
	gp_autofree char *line = gp_xasprintf("cd %s && %s", machine, command);
	ck_assert_msg(system(line) == 0, "failed: %s", line);
}

static bool machine_has(const char *path)
{
	gp_autofree char *full = gp_xasprintf("%s/%s", machine, path);
	return access(full, F_OK) == 0;
}

static void set_up(void)
{
	strcpy(directory, "/tmp/gpupart-run-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(machine, sizeof(machine), "%s/machine", directory);
	outcome = (struct gp_outcome){0};
	options = (struct gp_apply_options){.lock_wait_ms = 10000};
	host = NULL;
	desired = NULL;
	observed = NULL;
	plan = NULL;
}

static void forget(void)
{
	gp_outcome_clear(&outcome);
	gp_plan_free(gp_take(plan));
	gp_observed_free(gp_take(observed));
	gp_desired_free(gp_take(desired));
	gp_host_close(gp_take(host));
}

static void tear_down(void)
{
	forget();
	gp_autofree char *line = gp_xasprintf("chmod -R u+rwX %s; rm -rf %s", directory, directory);
	ck_assert_int_eq(system(line), 0);
}

static void make_machine(const char *description)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	GP_CLEANUP(gp_diags_clear) struct gp_diags diags = {0};
	GP_CLEANUP(gp_sources_clear) struct gp_sources sources = {0};
	char path[128];
	write_text("host.yaml", description);
	snprintf(path, sizeof(path), "%s/host.yaml", directory);
	int result = gp_sim_create(machine, path, &sources, &diags, &err);
	ck_assert_msg(diags.count == 0, "%s", diags.count == 0 ? "" : diags.items[0].error.message);
	ck_assert_msg(result == 0, "%s", err.message);
}

static void vm(const char *action, const char *name)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	ck_assert_msg(gp_sim_vm(machine, action, name, &err) == 0, "%s", err.message);
}

static void fault(const char *one, const char *two, const char *three, const char *four)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	const char *words[] = {one, two, three, four};
	size_t count = four != NULL ? 4 : three != NULL ? 3 : two != NULL ? 2 : 1;
	ck_assert_msg(gp_sim_fault(machine, words, count, &err) == 0, "%s", err.message);
}

static void look(void)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	struct gp_host_options open = {.root = machine, .writer_path = GP_WRITER, .mode = GP_HOST_READ_WRITE};
	ck_assert_msg(gp_host_open(&open, &host, &err) == 0, "%s", err.message);
	observed = gp_observe(host, desired, &err);
	ck_assert_msg(observed != NULL, "%s", err.message);
}

/* Reads these words, observes, plans. */
static void want(const char *words)
{
	GP_CLEANUP(gp_diags_clear) struct gp_diags diags = {0};
	forget();
	desired = gp_intent_load_text("want.yaml", words, strlen(words), "host", &diags);
	ck_assert_msg(diags.error_count == 0, "%s", diags.count == 0 ? "" : diags.items[0].error.message);
	look();
	plan = gp_plan_make(desired, observed);
}

static enum gp_error_kind apply(void)
{
	return gp_apply(host, desired, observed, plan, &options, &outcome);
}

static const char *everything_said(struct gp_str *out)
{
	gp_str_clear(out);
	if (plan != NULL)
		gp_diags_render(&plan->diags, out, false);
	gp_diags_render(&outcome.diags, out, false);
	return gp_str_text(out);
}

static void ck_applies(const char *words)
{
	GP_CLEANUP(gp_str_clear) struct gp_str said = {0};
	want(words);
	enum gp_error_kind kind = apply();
	ck_assert_msg(kind == GP_E_NONE && outcome.verified, "%s: %s", gp_error_kind_name(kind),
		      everything_said(&said));
}

static void ck_kind(enum gp_error_kind expected)
{
	GP_CLEANUP(gp_str_clear) struct gp_str said = {0};
	enum gp_error_kind kind = apply();
	ck_assert_msg(kind == expected, "%s and not %s: %s", gp_error_kind_name(kind), gp_error_kind_name(expected),
		      everything_said(&said));
	ck_assert(!outcome.verified);
}

static void ck_said(const char *words)
{
	GP_CLEANUP(gp_str_clear) struct gp_str said = {0};
	ck_assert_msg(strstr(everything_said(&said), words) != NULL, "'%s' is not in: %s", words,
		      everything_said(&said));
}

static size_t changes_so_far(void)
{
	char path[128], text[32] = "0";
	snprintf(path, sizeof(path), "%s/.sim/writes", machine);
	FILE *file = fopen(path, "r");
	if (file != NULL && fgets(text, sizeof(text), file) == NULL)
		text[0] = '0';
	if (file != NULL)
		fclose(file);
	return (size_t)strtoul(text, NULL, 10);
}

static const struct gp_domain *domain(const char *name)
{
	for (size_t i = 0; i < observed->domain_count; i++)
		if (strcmp(observed->domains[i].name, name) == 0)
			return &observed->domains[i];
	ck_abort_msg("no domain %s", name);
	return NULL;
}

static void look_again(void)
{
	forget();
	look();
}

/* ---- doing it ---- */

START_TEST(a_fresh_gpu_is_cut_and_a_vm_bound)
{
	make_machine(ONE_GPU NO_VFS "vms:\n  - {name: web-01}\n");
	ck_applies(WANT_CLASS(4) "vms:\n  - {name: web-01, partition: vdi}\n");
	ck_assert_uint_gt(outcome.writes, 0);
	ck_assert_uint_eq(outcome.failed + outcome.not_run, 0);
	ck_assert_uint_eq(outcome.step_count, gp_plan_step_count(plan));
	ck_assert_ptr_nonnull(outcome.saved_export);
	look_again();
	ck_assert_uint_eq(observed->gpus[0].num_vfs, 4);
	ck_assert(!observed->gpus[0].autoprobe);
	ck_assert_uint_eq(domain("web-01")->config_count, 1);
	const struct gp_hostdev *hostdev = &domain("web-01")->config[0];
	ck_assert(hostdev->ours && hostdev->resolved && hostdev->managed);
	ck_assert_uint_eq(gp_gpu_partition(&observed->gpus[0], hostdev->vf)->holder_count, 1);
}
END_TEST

START_TEST(a_second_apply_writes_nothing_and_takes_no_lock)
{
	static const char words[] = WANT_CLASS(4) "vms:\n  - {name: web-01, partition: vdi}\n";
	make_machine(ONE_GPU NO_VFS "vms:\n  - {name: web-01}\n");
	ck_applies(words);
	size_t before = changes_so_far();
	shell("rm -rf run/gpupart && chmod a-w . run var");
	ck_applies(words);
	shell("chmod u+w . run var");
	ck_assert_uint_eq(outcome.writes, 0);
	ck_assert_uint_eq(outcome.step_count, 0);
	ck_assert_ptr_null(outcome.saved_export);
	ck_assert_uint_eq(changes_so_far(), before);
	ck_assert(!machine_has("run/gpupart"));
}
END_TEST

START_TEST(a_new_count_restarts_the_vm_that_allows_it)
{
	make_machine(ONE_GPU NO_VFS "vms:\n  - {name: web-01}\n");
	ck_applies(WANT_CLASS(4) "vms:\n  - {name: web-01, partition: vdi}\n");
	vm("start", "web-01");
	ck_applies(WANT_CLASS(8) "vms:\n  - {name: web-01, partition: vdi, disruption: restart}\n");
	look_again();
	ck_assert_uint_eq(observed->gpus[0].num_vfs, 8);
	ck_assert_int_eq(domain("web-01")->state, GP_DOMAIN_RUNNING);
	ck_assert(!domain("web-01")->to_start);
	ck_assert_uint_eq(domain("web-01")->live_count, 1);
}
END_TEST

static void count_stage(void *context, size_t steps)
{
	ck_assert_uint_gt(steps, 0);
	++*(unsigned *)context;
}

/* The device does not tell where its VFs will be, and a definition names one of them. */
START_TEST(what_follows_an_observe_again_is_planned_again)
{
	unsigned stages = 0;
	options.progress = (struct gp_progress){.context = &stages, .stage = count_stage};
	make_machine(ONE_GPU ", offset_before_enable: false}\n"
			     "vms:\n"
			     "  - {name: web-01, hostdevs: [{source: \"0000:41:00.3\", ours: vdi}]}\n"
			     "  - {name: web-02}\n");
	ck_applies(WANT_CLASS(4) "vms:\n  - {names: [\"web-[01-02]\"], partition: vdi}\n");
	ck_assert_uint_eq(stages, 1);
	ck_assert_uint_eq(outcome.steps[outcome.step_count - 1].stage, 2);
	look_again();
	ck_assert_uint_eq(domain("web-01")->config[0].source.function, 3);
	ck_assert_uint_eq(domain("web-02")->config_count, 1);
}
END_TEST

START_TEST(the_state_before_is_saved_and_leads_back)
{
	make_machine(ONE_GPU NO_VFS "vms:\n  - {name: web-01}\n");
	ck_applies(WANT_CLASS(4) "vms:\n  - {name: web-01, partition: vdi}\n");
	ck_applies(WANT_CLASS(2) "vms:\n  - {name: web-01, partition: vdi}\n");
	const char *saved = outcome.saved_export;
	struct stat info;
	ck_assert_int_eq(stat(saved, &info), 0);
	ck_assert_uint_eq(info.st_mode & 0777, 0600);
	GP_CLEANUP(gp_diags_clear) struct gp_diags diags = {0};
	struct gp_desired *back = gp_intent_load(&saved, 1, NULL, &diags);
	ck_assert_uint_eq(diags.error_count, 0);
	ck_assert_uint_eq(back->classes[0].count, 4);
	gp_desired_free(back);
}
END_TEST

#define ONE_VGPU                                                                                                       \
	"version: 1\nhostname: host\ngpus:\n"                                                                          \
	"  - {address: \"0000:41:00.0\", preset: a16, vfs: 16, profile: A16-4Q}\n"
#define WANT_VGPUS                                                                                                     \
	"version: 1\ngpus:\n"                                                                                          \
	"  - {class: vdi, match: {address: \"0000:41:00.0\"}, partitions: 4, series: Q, vgpu_params: disable_vnc=1}\n"

/* Of what had no vgpu_params before, they are taken away again. */
START_TEST(the_state_before_tells_that_there_were_no_params)
{
	make_machine(ONE_VGPU);
	ck_applies(WANT_VGPUS);
	ck_assert_uint_eq(outcome.writes, 4);
	GP_CLEANUP(gp_diags_clear) struct gp_diags diags = {0};
	const char *saved = outcome.saved_export;
	struct gp_desired *back = gp_intent_load(&saved, 1, NULL, &diags);
	ck_assert_uint_eq(diags.error_count, 0);
	ck_assert_uint_eq(back->class_count, 1);
	ck_assert_uint_eq(back->classes[0].count, 4);
	ck_assert_str_eq(back->classes[0].vgpu_params, "");
	forget();
	desired = back;
	look();
	plan = gp_plan_make(desired, observed);
	ck_assert_int_eq(apply(), GP_E_NONE);
	ck_assert_uint_eq(outcome.writes, 4);
	ck_assert(outcome.verified);
	ck_assert_str_eq(observed->gpus[0].partitions[0].params, "disable_vnc=1");
}
END_TEST

/* ---- not doing it ---- */

START_TEST(a_plan_with_faults_is_not_begun)
{
	make_machine(ONE_GPU NO_VFS);
	want(WANT_CLASS(99));
	ck_kind(GP_E_INPUT);
	ck_assert_uint_eq(changes_so_far(), 0);
	ck_assert(!machine_has("run/gpupart/lock"));
}
END_TEST

START_TEST(a_plan_that_no_longer_stands_is_not_begun)
{
	make_machine(ONE_GPU NO_VFS "vms:\n  - {name: web-01}\n");
	ck_applies(WANT_CLASS(4) "vms:\n  - {name: web-01, partition: vdi}\n");
	want(WANT_CLASS(8) "vms:\n  - {name: web-01, partition: vdi, disruption: restart}\n");
	size_t before = changes_so_far();
	vm("start", "web-01");
	ck_kind(GP_E_STALE);
	ck_said("VM web-01 was off and is running");
	ck_assert_uint_eq(changes_so_far(), before);
	ck_assert_ptr_null(outcome.saved_export);
	ck_assert_uint_eq(outcome.not_run, gp_plan_step_count(plan));
}
END_TEST

/* Nothing to do now is not the same as done. */
START_TEST(a_plan_that_would_have_to_wait_now_is_stale)
{
	make_machine(ONE_GPU NO_VFS "vms:\n  - {name: web-01}\n");
	ck_applies(WANT_CLASS(4) "vms:\n  - {name: web-01, partition: vdi}\n");
	want(WANT_CLASS(8) "vms:\n  - {name: web-01, partition: vdi}\n");
	ck_assert(gp_plan_has_changes(plan));
	vm("start", "web-01");
	ck_kind(GP_E_STALE);
	ck_said("would have to wait now");
}
END_TEST

START_TEST(what_others_did_meanwhile_is_done)
{
	make_machine(ONE_GPU NO_VFS);
	ck_applies(WANT_CLASS(4));
	want(WANT_CLASS(8));
	struct gp_host *mine = gp_take(host);
	struct gp_observed *seen = gp_take(observed);
	struct gp_plan *approved = gp_take(plan);
	ck_applies(WANT_CLASS(8)); /* the others */
	size_t before = changes_so_far();
	gp_outcome_clear(&outcome);
	ck_assert_int_eq(gp_apply(mine, desired, seen, approved, &options, &outcome), GP_E_NONE);
	ck_assert(outcome.verified);
	ck_assert_uint_eq(outcome.skipped, gp_plan_step_count(approved));
	ck_assert_uint_eq(changes_so_far(), before);
	gp_plan_free(approved);
	gp_observed_free(seen);
	gp_host_close(mine);
}
END_TEST

START_TEST(what_nobody_could_tell_is_not_called_done)
{
	make_machine(ONE_GPU NO_VFS "vms:\n  - {name: web-01}\n");
	fault("libvirt-down", NULL, NULL, NULL);
	want(WANT_CLASS(4) "vms:\n  - {name: web-01, partition: vdi}\n");
	ck_kind(GP_E_UNAVAILABLE);
	ck_said("not done:");
	want(WANT_CLASS(4) "vms:\n  - {name: web-01, partition: vdi}\n");
	ck_assert(!gp_plan_has_changes(plan)); /* the VFs are there */
	ck_kind(GP_E_UNAVAILABLE);
}
END_TEST

START_TEST(what_does_not_concern_the_plan_may_change)
{
	make_machine(ONE_GPU NO_VFS "vms:\n  - {name: web-01}\n  - {name: other}\n");
	want(WANT_CLASS(4) "vms:\n  - {name: web-01, partition: vdi}\n");
	vm("start", "other");
	ck_assert_int_eq(apply(), GP_E_NONE);
	ck_assert(outcome.verified);
}
END_TEST

static void keep_holder(void *context, const char *holder)
{
	snprintf(context, 128, "%s", holder);
}

START_TEST(a_second_run_waits_and_says_who_holds_the_lock)
{
	char holder[128] = "", byte;
	int ready[2], done[2];
	make_machine(ONE_GPU NO_VFS);
	ck_assert_int_eq(pipe(ready) | pipe(done), 0);
	pid_t other = fork();
	if (other == 0) {
		look();
		int lock = gp_host_lock(host, 0, NULL, NULL, NULL);
		bool told = lock >= 0 && write(ready[1], "x", 1) == 1;
		close(done[1]);
		_exit(told && read(done[0], &byte, 1) >= 0 ? 0 : 1);
	}
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	want(WANT_CLASS(4));
	options.lock_wait_ms = 50;
	options.progress = (struct gp_progress){.context = holder, .lock_wait = keep_holder};
	ck_kind(GP_E_BUSY);
	ck_assert_msg(strstr(holder, "pid") != NULL, "'%s'", holder);
	ck_assert_uint_eq(changes_so_far(), 0);
	ck_assert_uint_eq(outcome.not_run, outcome.step_count);
	close(done[1]);
	ck_assert_int_eq(waitpid(other, NULL, 0), other);
	gp_outcome_clear(&outcome);
	options.lock_wait_ms = 10000;
	ck_assert_int_eq(apply(), GP_E_NONE);
	close(ready[0]);
	close(done[0]);
}
END_TEST

START_TEST(a_run_that_was_interrupted_before_begins_nothing)
{
	static volatile sig_atomic_t stop = 1;
	make_machine(ONE_GPU NO_VFS);
	want(WANT_CLASS(4));
	options.stop = &stop;
	ck_kind(GP_E_BUSY);
	ck_assert_uint_eq(changes_so_far(), 0);
	ck_assert_uint_eq(outcome.not_run, gp_plan_step_count(plan));
}
END_TEST

START_TEST(a_state_that_has_no_place_is_not_left)
{
	make_machine(ONE_GPU NO_VFS);
	shell("mkdir -p var/lib && rm -rf var/lib/gpupart && touch var/lib/gpupart");
	want(WANT_CLASS(4));
	ck_assert_int_ne(apply(), GP_E_NONE);
	ck_said("the state before cannot be saved");
	ck_assert_uint_eq(changes_so_far(), 0);
}
END_TEST

/* ---- going wrong ---- */

START_TEST(a_kernel_that_refuses_is_explained_and_the_vm_comes_back)
{
	make_machine(ONE_GPU NO_VFS "vms:\n  - {name: web-01}\n");
	ck_applies(WANT_CLASS(4) "vms:\n  - {name: web-01, partition: vdi}\n");
	vm("start", "web-01");
	fault("attr", "0000:41:00.0", "sriov_numvfs", "EIO");
	want(WANT_CLASS(8) "vms:\n  - {name: web-01, partition: vdi, disruption: restart}\n");
	ck_kind(GP_E_IO);
	ck_said("0000:41:00.0 sriov_numvfs");
	ck_said("web-01 was started again");
	look_again();
	ck_assert_int_eq(domain("web-01")->state, GP_DOMAIN_RUNNING);
	ck_assert(!domain("web-01")->to_start);
	ck_assert_uint_eq(observed->gpus[0].num_vfs, 4);
}
END_TEST

static void stop_it_again(void *context, const struct gp_step *step, const struct gp_step_outcome *result)
{
	(void)context;
	if (step->kind == GP_STEP_START && result->state == GP_STEP_DONE)
		vm("destroy", "web-01");
}

START_TEST(success_is_a_reading_that_agrees)
{
	make_machine(ONE_GPU NO_VFS "vms:\n  - {name: web-01}\n");
	want(WANT_CLASS(4) "vms:\n  - {name: web-01, partition: vdi, power: running}\n");
	options.progress = (struct gp_progress){.step_finished = stop_it_again};
	ck_kind(GP_E_VERIFY);
	ck_assert_uint_eq(outcome.failed, 0);
	ck_said("applied, but on reading back this is still to be done");
	ck_said("web-01");
}
END_TEST

START_TEST(vfs_are_made_without_libvirt_and_not_removed)
{
	make_machine(ONE_GPU NO_VFS);
	fault("libvirt-down", NULL, NULL, NULL);
	ck_applies(WANT_CLASS(4));
	ck_assert(!observed->domains_state.known);
	size_t before = changes_so_far();
	want(WANT_CLASS(8));
	ck_kind(GP_E_REFUSED);
	ck_assert_uint_eq(changes_so_far(), before);
}
END_TEST

/* ---- observing ---- */

START_TEST(all_four_places_of_truth_are_joined)
{
	make_machine(ONE_GPU FOUR_VFS "vms:\n"
				      "  - {name: web-01, state: running, hostdevs: [{source: \"0000:41:00.1\"}]}\n"
				      "  - {name: web-02, hostdevs: [{source: \"0000:41:00.2\"}]}\n");
	fault("hold", "0000:41:00.0/2", NULL, NULL);
	shell("chmod -R u+w . && rm -f sys/bus/pci/devices/0000:41:00.4/driver && "
	      "ln -s ../../../bus/pci/drivers/xe sys/bus/pci/devices/0000:41:00.4/driver");
	look();
	const struct gp_partition *vfs = observed->gpus[0].partitions;
	ck_assert(observed->domains_state.known && observed->vfio_state.known);
	ck_assert_int_eq(vfs[0].holders[0].kind, GP_HOLDER_DOMAIN_LIVE);
	ck_assert_int_eq(vfs[0].holders[1].kind, GP_HOLDER_DOMAIN_CONFIG);
	ck_assert_uint_eq(vfs[1].holder_count, 1);
	ck_assert_int_eq(vfs[1].holders[0].kind, GP_HOLDER_DOMAIN_CONFIG);
	ck_assert_str_eq(vfs[1].holders[0].name, "web-02");
	ck_assert_int_eq(vfs[2].holders[0].kind, GP_HOLDER_VFIO);
	ck_assert_int_eq(vfs[3].holders[0].kind, GP_HOLDER_DRIVER);
	ck_assert_str_eq(vfs[3].holders[0].name, "xe");
}
END_TEST

START_TEST(one_unreadable_definition_makes_all_holders_unknown)
{
	make_machine(ONE_GPU FOUR_VFS "vms:\n  - {name: web-01}\n  - {name: web-02}\n");
	shell("echo 'no XML' > etc/libvirt/qemu/web-02.xml");
	look();
	ck_assert(!observed->domains_state.known);
	ck_assert_msg(strstr(observed->domains_state.why, "web-02") != NULL, "%s", observed->domains_state.why);
}
END_TEST

/* ---- the outcome for machines ---- */

static int64_t number_in(struct json_object *object, const char *key)
{
	struct json_object *value;
	ck_assert_msg(json_object_object_get_ex(object, key, &value), "no %s", key);
	return json_object_get_int64(value);
}

START_TEST(the_outcome_is_told_as_json)
{
	make_machine(ONE_GPU NO_VFS);
	fault("attr", "0000:41:00.0", "sriov_numvfs", "EIO");
	want(WANT_CLASS(4));
	ck_kind(GP_E_IO);
	struct json_object *json = gp_outcome_to_json(&outcome, plan), *counts, *steps, *error, *value;
	ck_assert(json_object_object_get_ex(json, "counts", &counts));
	ck_assert_int_eq(number_in(counts, "failed"), 1);
	ck_assert_int_eq(number_in(counts, "done") + number_in(counts, "skipped") + number_in(counts, "failed") +
				 number_in(counts, "not_run"),
			 number_in(counts, "planned"));
	ck_assert_int_eq(number_in(json, "verified"), 0);
	ck_assert_int_eq(number_in(json, "changed"), 1); /* the autoprobe switch was written before */
	ck_assert(json_object_object_get_ex(json, "steps", &steps));
	ck_assert_uint_eq(json_object_array_length(steps), outcome.step_count);
	for (size_t i = 0; i < outcome.step_count; i++) {
		struct json_object *step = json_object_array_get_idx(steps, i);
		ck_assert(json_object_object_get_ex(step, "state", &value));
		bool failed = strcmp(json_object_get_string(value), "failed") == 0;
		ck_assert(json_object_object_get_ex(step, "error", &error));
		ck_assert_int_eq(error != NULL, failed);
		ck_assert(json_object_object_get_ex(step, "what", &value) && json_object_get_string_len(value) > 0);
	}
	ck_assert(json_object_object_get_ex(json, "saved_export", &value) && value != NULL);
	json_object_put(json);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_fresh_gpu_is_cut_and_a_vm_bound,
		a_second_apply_writes_nothing_and_takes_no_lock,
		a_new_count_restarts_the_vm_that_allows_it,
		what_follows_an_observe_again_is_planned_again,
		the_state_before_is_saved_and_leads_back,
		the_state_before_tells_that_there_were_no_params,
		a_plan_with_faults_is_not_begun,
		a_plan_that_no_longer_stands_is_not_begun,
		a_plan_that_would_have_to_wait_now_is_stale,
		what_others_did_meanwhile_is_done,
		what_nobody_could_tell_is_not_called_done,
		what_does_not_concern_the_plan_may_change,
		a_second_run_waits_and_says_who_holds_the_lock,
		a_run_that_was_interrupted_before_begins_nothing,
		a_state_that_has_no_place_is_not_left,
		a_kernel_that_refuses_is_explained_and_the_vm_comes_back,
		success_is_a_reading_that_agrees,
		vfs_are_made_without_libvirt_and_not_removed,
		all_four_places_of_truth_are_joined,
		one_unreadable_definition_makes_all_holders_unknown,
		the_outcome_is_told_as_json,
	};
	return run_tests("run/apply", tests, COUNT_OF(tests), set_up, tear_down);
}
