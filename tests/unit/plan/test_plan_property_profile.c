/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random small hosts whose VFs are given vGPU types one by one, on either framework, and random wishes. For each:
 *
 *	- the same input gives the same bytes
 *	- carried out step by step, in any order that the needs allow, nothing is taken from a running VM, types of one
 *	  GPU are of one size at any time, no mediated device has the name of another, and no VF is given to two VMs
 *	- who runs and is to be waited for is never stopped; what others have by hand, and GPUs that no file selects,
 *	  are as before
 *	- what is expected after `observe again` is what is planned then
 *	- it ends in "No changes", and then every VM has what the plan said; what waits is done once the VMs are off
 *	- after a boot all that is made again without the change of a definition
 */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan_suite.h"

enum { ROUNDS = 2000, SEED = 11, MOST_VMS = 5, GPUS = 3, VFS = 16, ROUNDS_TO_REST = 3, MOST_STEPS = 200 };

static uint32_t pick(uint32_t *state, uint32_t below)
{
	*state = *state * 1664525u + 1013904223u;
	return (*state >> 8) % below;
}

/* ---- drawing ---- */

static const char *const classes[GPUS] = {"one", "two", "three"};
static const char *const series[] = {"Q", "C", "B"};
static const char *const wishes[] = {"one",
				     "two",
				     "two",
				     "{class: [one, two]}",
				     "{class: [two, one]}",
				     "[{class: one}, {class: two}]",
				     "[{class: [one, two]}, {class: [one, two]}]",
				     "{class: [one, two], vram: {max: 4GiB}}"};

struct drawn_gpu {
	bool mdev, there;
	uint32_t gib;
	struct {
		bool typed, plugged, named, by_hand;
	} vf[VFS];
};

struct drawn {
	struct gp_str host, want;
	struct drawn_gpu gpus[GPUS];
	bool by_hand;
};

static void draw_gpu(uint32_t *state, uint32_t g, struct drawn *drawn)
{
	struct drawn_gpu *gpu = &drawn->gpus[g];
	bool mdev = pick(state, 2);

	gpu->mdev = mdev;
	gpu->there = pick(state, 4) > 0;
	gpu->gib = 1U << pick(state, 5);
	gp_str_printf(&drawn->host, "gpu %u 16 %u %s%s\n", 41 + g, gpu->there ? VFS : 0, mdev ? "mdev" : "vfio",
		      gpu->there || pick(state, 4) ? ""
		      : mdev                       ? " seems=vfio"
						   : " seems=mdev");
	/* VFs that have a type already. Mediated devices come with their VMs, but for some that are left over. */
	for (uint32_t left = gpu->there ? pick(state, VFS / gpu->gib + 1) : 0; left > 0; left--) {
		uint32_t i = pick(state, VFS);

		if (gpu->vf[i].typed || (mdev && left > 2))
			continue;
		gpu->vf[i].typed = true;
		gp_str_printf(&drawn->host, "vf %u %u %u%s", 41 + g, i, gpu->gib, series[pick(state, 3) ? 0 : 1]);
		if (mdev) /* whoever had it has it no more */
			gp_str_printf(&drawn->host, " %c/%u", (char)('a' + pick(state, MOST_VMS)), VFS * (g + 1) + i);
		gp_str_add(&drawn->host, pick(state, 6) ? "\n" : " params=x=1\n");
	}
	for (uint32_t i = 0; gpu->there && i < VFS; i++) {
		if (!gpu->vf[i].typed && pick(state, 24) == 0)
			gp_str_printf(&drawn->host, "vf %u %u unusable\n", 41 + g, i);
	}
}

static void draw_class(uint32_t *state, uint32_t g, struct drawn *drawn)
{
	static const uint32_t counts[] = {1, 2, 2, 4, 4, 8};
	const struct drawn_gpu *gpu = &drawn->gpus[g];
	uint32_t kind = pick(state, 12);
	const char *letter = series[pick(state, 8) ? pick(state, 2) : 2];

	gp_str_printf(&drawn->want, "  - {class: %s, match: {address: '0000:%u:00.0'}", classes[g], 41 + g);
	if (kind == 0)
		gp_str_add(&drawn->want, ", partitions: keep");
	else if (kind == 1)
		gp_str_add(&drawn->want, ", partitions: 0");
	else if (kind < 4)
		gp_str_printf(&drawn->want, ", partitions: [{count: 2, profile: A16-4Q}, {count: %u, profile: A16-4C}]",
			      1 + pick(state, 2));
	else if (kind < 9) /* the size that is there */
		gp_str_printf(&drawn->want, ", partitions: %u, series: %s", VFS / gpu->gib, letter);
	else
		gp_str_printf(&drawn->want, ", partitions: %u, series: %s", counts[pick(state, COUNT_OF(counts))],
			      letter);
	gp_str_printf(&drawn->want, "%s%s}\n", pick(state, 3) ? "" : ", placement: spread",
		      pick(state, 4) ? "" : ", vgpu_params: 'x=1'");
}

static uint32_t typed_of(const struct drawn_gpu *gpu)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < VFS; i++)
		count += gpu->vf[i].typed;
	return count;
}

/* A hostdev of the VM; only what is there can be plugged. */
static void draw_hostdev(uint32_t *state, char name, uint32_t number, bool running, struct gp_str *line,
			 struct drawn *drawn)
{
	uint32_t g = pick(state, GPUS), i = pick(state, VFS), other = pick(state, 12);
	struct drawn_gpu *gpu = &drawn->gpus[g];
	bool hand = number == 0 && pick(state, 4) == 0, gone = pick(state, 6) == 0;
	char whose = number == 0 && other == 0 ? 'a' : name; /* a copy of VM a */

	if (gpu->vf[i].by_hand || (hand && gpu->vf[i].named) || (running && gpu->vf[i].plugged))
		return;
	if (!gpu->there || gone) {
		if (!running && !hand && gpu->mdev)
			gp_str_printf(line, " c:%u.%s=%c/%u", number, classes[g], whose, number);
		else if (!running && !hand)
			gp_str_printf(line, " c:%u.%s@%u/%u", number, classes[g], 41 + g, i);
		gpu->vf[i].named = gpu->vf[i].named || (!running && !hand && !gpu->mdev);
		return;
	}
	if (gpu->mdev ? gpu->vf[i].typed || whose != name : !gpu->vf[i].typed && running)
		return;
	if (gpu->mdev) {
		if (typed_of(gpu) >= VFS / gpu->gib)
			return;
		gp_str_printf(&drawn->host, "vf %u %u %uQ %c/%u\n", 41 + g, i, gpu->gib, hand ? 'h' + name - 'a' : name,
			      number);
		gpu->vf[i].typed = true;
		gp_str_printf(line, " %c:", running ? 'b' : 'c');
		if (hand)
			gp_str_printf(line, "hand=%c/%u", 'h' + name - 'a', number);
		else
			gp_str_printf(line, "%u.%s=%c/%u", number, classes[g], name, number);
	} else if (hand) {
		if (!gpu->vf[i].typed)
			return;
		gp_str_printf(line, " %c:%s@%u/%u", running ? 'b' : 'c', pick(state, 2) || running ? "hand" : "yes",
			      41 + g, i);
	} else {
		gp_str_printf(line, " %c:%u.%s@%u/%u", running ? 'b' : 'c', number, classes[g], 41 + g, i);
	}
	gpu->vf[i].plugged = gpu->vf[i].plugged || running;
	gpu->vf[i].named = true;
	gpu->vf[i].by_hand = hand;
	drawn->by_hand = drawn->by_hand || hand;
}

static void draw_vm(uint32_t *state, char name, struct drawn *drawn)
{
	GP_CLEANUP(gp_str_clear) struct gp_str line = {0};
	bool running = pick(state, 2), listed = pick(state, 5) > 0, none = pick(state, 8) == 0;

	gp_str_printf(&line, "vm %c %s", name, running ? "run" : "off");
	if (pick(state, 4))
		draw_hostdev(state, name, 0, running, &line, drawn);
	if (pick(state, 4) == 0)
		draw_hostdev(state, name, 1, running, &line, drawn);
	if (pick(state, 8) == 0 && !running)
		gp_str_add(&line, " mark");
	gp_str_printf(&drawn->host, "%s\n", gp_str_text(&line));
	if (listed)
		gp_str_printf(&drawn->want, "  - {name: %c, partition: %s, disruption: %s%s%s}\n", name,
			      none ? "none" : wishes[pick(state, COUNT_OF(wishes))],
			      pick(state, 2) ? "defer" : "restart", pick(state, 2) && !none ? ", adopt: true" : "",
			      pick(state, 4) ? "" : ", power: running");
}

static struct drawn draw(uint32_t *state)
{
	struct drawn drawn = {.by_hand = false};

	gp_str_add(&drawn.want, "version: 1\npolicy: {at_once: 8}\ngpus:\n");
	for (uint32_t g = 0; g < GPUS; g++) {
		draw_gpu(state, g, &drawn);
		if (g < GPUS - 1) /* nobody speaks for the last one */
			draw_class(state, g, &drawn);
	}
	gp_str_add(&drawn.want, "vms:\n  - {name: nobody, partition: one}\n");
	for (uint32_t v = 0, vms = 1 + pick(state, MOST_VMS); v < vms; v++)
		draw_vm(state, (char)('a' + v), &drawn);
	return drawn;
}

static void drawn_clear(struct drawn *drawn)
{
	gp_str_clear(&drawn->host);
	gp_str_clear(&drawn->want);
}

/* ---- what must hold ---- */

#define CHECK(condition, run, drawn, ...)                                                                              \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, __VA_ARGS__), fputc('\n', stderr);                                             \
			ck_abort_msg("\n%s\n%s%s", gp_str_text(&(run)->digest), gp_str_text(&(drawn)->host),           \
				     gp_str_text(&(drawn)->want));                                                     \
		}                                                                                                      \
	} while (0)

static void check_same_bytes(const struct run *run)
{
	struct gp_plan *again = gp_plan_make(run->desired, run->observed);
	struct json_object *one = gp_plan_to_json(run->plan), *two = gp_plan_to_json(again);

	ck_assert_str_eq(json_object_to_json_string(one), json_object_to_json_string(two));
	json_object_put(one);
	json_object_put(two);
	gp_plan_free(again);
}

static const struct gp_want_vm *want_of(const struct run *run, const char *name)
{
	for (size_t i = 0; i < run->desired->vm_count; i++) {
		if (gp_streq(run->desired->vms[i].name, name))
			return &run->desired->vms[i];
	}
	return NULL;
}

static void check_stops(const struct run *run, const struct drawn *drawn)
{
	for (size_t i = 0; i < run->plan->summary.stopped_count; i++) {
		const struct gp_want_vm *want = want_of(run, run->plan->summary.stopped[i]);

		CHECK(want && want->disruption == GP_POLICY_RESTART, run, drawn, "%s is stopped",
		      run->plan->summary.stopped[i]);
	}
}

static bool is_edit(const struct gp_step *step)
{
	return step->kind == GP_STEP_ATTACH || step->kind == GP_STEP_DETACH || step->kind == GP_STEP_REPLACE;
}

static bool edits_definitions(const struct gp_stage *stage)
{
	for (size_t c = 0; c < stage->chain_count; c++) {
		for (size_t i = 0; i < stage->chains[c].step_count; i++) {
			if (is_edit(&stage->chains[c].steps[i]))
				return true;
		}
	}
	return false;
}

static bool same_hostdev(const struct scene_hostdev *a, const struct scene_hostdev *b)
{
	return a->ours == b->ours && a->is_mdev == b->is_mdev &&
	       (a->is_mdev ? gp_uuid_equal(a->mdev, b->mdev) : a->bus == b->bus && a->index == b->index);
}

static const struct scene_vf *vf_of(const struct scene *scene, const struct scene_hostdev *hostdev)
{
	for (size_t g = 0; g < scene->gpu_count; g++) {
		for (uint32_t i = 0; i < scene->gpus[g].vfs; i++) {
			const struct scene_vf *vf = &scene->gpus[g].vf[i];

			if (*vf->type && (hostdev->is_mdev ? gp_uuid_equal(vf->mdev, hostdev->mdev)
							   : scene->gpus[g].bus == hostdev->bus && i == hostdev->index))
				return vf;
		}
	}
	return NULL;
}

static bool has_hostdev(const struct scene_vm *vm, const struct scene_hostdev *hostdev)
{
	for (size_t i = 0; i < vm->config_count; i++) {
		if (same_hostdev(&vm->config[i], hostdev))
			return true;
	}
	return false;
}

/* What VMs have by hand, and are not asked to give, is there as before, in the definition and of its type. */
static void check_foreign(const struct run *run, const struct scene *before, const struct drawn *drawn)
{
	for (size_t v = 0; v < before->vm_count; v++) {
		const struct scene_vm *vm = &before->vms[v];
		const struct gp_want_vm *want = want_of(run, vm->name);

		for (size_t i = 0; i < vm->config_count; i++) {
			const struct scene_vf *was = vf_of(before, &vm->config[i]),
					      *is = vf_of(run->scene, &vm->config[i]);

			if (vm->config[i].ours || (want && want->adopt))
				continue;
			CHECK(has_hostdev(&run->scene->vms[v], &vm->config[i]), run, drawn,
			      "%s lost what it had by hand", vm->name);
			CHECK(!was || (is && gp_streq(was->type, is->type)), run, drawn, "what %s has by hand changed",
			      vm->name);
		}
		CHECK(want || vm->state == run->scene->vms[v].state || vm->mark, run, drawn, "%s was touched",
		      vm->name);
	}
	CHECK(memcmp(&before->gpus[GPUS - 1], &run->scene->gpus[GPUS - 1], sizeof(before->gpus[0])) == 0, run, drawn,
	      "the GPU that no file selects changed");
}

/* What the plan says that a VM has, looked up on the machine. */
static void check_bindings(const struct run *run, const struct drawn *drawn)
{
	for (size_t a = 0; a < run->plan->assignment_count; a++) {
		const struct gp_assignment *said = &run->plan->assignments[a];
		GP_CLEANUP(gp_str_clear) struct gp_str alias = {0};
		size_t found = 0;

		if (!said->placed)
			continue;
		gp_alias_format(&alias, said->request, said->class_name);
		for (size_t v = 0; v < run->scene->vm_count; v++) {
			const struct scene_vm *vm = &run->scene->vms[v];

			for (size_t i = 0; gp_streq(vm->name, said->domain) && i < vm->config_count; i++) {
				const struct scene_vf *vf = vf_of(run->scene, &vm->config[i]);
				const struct scene_gpu *gpu = &run->scene->gpus[said->vf.pf.bus - 0x41];

				found += gp_streq(vm->config[i].alias, gp_str_text(&alias)) &&
					 vf == &gpu->vf[said->vf.index] && gp_streq(vf->type, said->profile);
			}
		}
		CHECK(found == 1, run, drawn, "%s has not what was said", said->domain);
	}
}

/* Steps of a digest, each by itself; without what is replaced, since a mediated device that was nowhere may be
 * somewhere by then; and without the number of the VF, since two that are as good as each other may change places. */
static void split(char *digest, const char **steps, size_t *count)
{
	char *rest = NULL;

	for (char *step = strtok_r(digest, ",|;", &rest); step && *count < MOST_STEPS;
	     step = strtok_r(NULL, ",|;", &rest)) {
		char *arrow = strchr(step, '>'), *old;

		step += strspn(step, " ");
		old = step + strlen("replace a ");
		if (gp_starts_with(step, "replace ") && arrow)
			memmove(old, arrow, strlen(arrow) + 1);
		for (char *slash = step; (slash = strchr(slash, '/')) != NULL;) {
			size_t digits = strspn(++slash, "0123456789");

			memmove(slash, slash + digits, strlen(slash + digits) + 1);
		}
		steps[(*count)++] = step;
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* In which order a chain tells what can be done at the same time does not matter. */
static bool same_steps(const char *a, const char *b)
{
	gp_autofree char *left = gp_xstrdup(a), *right = gp_xstrdup(b);
	const char *of_left[MOST_STEPS], *of_right[MOST_STEPS];
	size_t left_count = 0, right_count = 0;
	bool same;

	split(left, of_left, &left_count);
	split(right, of_right, &right_count);
	qsort(of_left, left_count, sizeof(*of_left), by_text);
	qsort(of_right, right_count, sizeof(*of_right), by_text);
	same = left_count == right_count;
	for (size_t i = 0; same && i < left_count; i++)
		same = gp_streq(of_left[i], of_right[i]);
	return same;
}

/* Stage by stage; what is expected of the second is what is planned when it comes. */
static void carry_out(struct run *run, uint32_t *state, const struct drawn *drawn, bool may_edit)
{
	GP_CLEANUP(gp_str_clear) struct gp_str why = {0};

	for (int round = 0; run->plan->stage_count && round < ROUNDS_TO_REST; round++) {
		const char *rest = strstr(gp_str_text(&run->digest), " || ");
		gp_autofree char *expected = gp_xstrdup(rest ? rest + strlen(" || ") : "");
		/* A framework guessed wrongly; or a definition that names something else then, so that others like
		 * another VF better. */
		bool guessed = strstr(gp_str_text(&drawn->host), "seems") != NULL;
		bool waited = run->plan->waiting_count > 0;
		bool may_differ = guessed || edits_definitions(&run->plan->stages[0]);

		CHECK(may_edit || !edits_definitions(&run->plan->stages[0]), run, drawn, "definitions change");
		CHECK(scene_apply_in_any_order(run->scene, &run->plan->stages[0], state, &why), run, drawn, "%s",
		      gp_str_text(&why));
		gp_autofree char *was = gp_xstrdup(gp_str_text(&run->digest));
		run_again(run);
		CHECK(guessed || run->plan->diags.error_count == 0, run, drawn, "errors after %s", was);
		/* Of those who wait some may find a better place by then: what was by hand is ours to give. */
		CHECK(rest || guessed || waited || run->plan->stage_count == 0, run, drawn, "not at rest after %s",
		      was);
		check_stops(run, drawn);
		CHECK(!rest || may_differ || same_steps(gp_str_text(&run->digest), expected), run, drawn,
		      "not as expected: %s", was);
	}
	CHECK(run->plan->stage_count == 0, run, drawn, "not at rest");
}

/* Whoever is waited for shuts down; then nothing may be left to wait for, in a few rounds. */
static void wait_and_carry_out(struct run *run, uint32_t *state, const struct drawn *drawn)
{
	for (int round = 0; run->plan->waiting_count && round < 2 * MOST_VMS; round++) {
		for (size_t w = 0; w < run->plan->waiting_count; w++) {
			for (size_t v = 0; v < run->scene->vm_count; v++) {
				if (!gp_streq(run->scene->vms[v].name, run->plan->waiting[w].for_domain))
					continue;
				run->scene->vms[v].state = GP_DOMAIN_OFF;
				run->scene->vms[v].live_count = 0;
			}
		}
		run_again(run);
		if (run->plan->diags.error_count)
			return; /* who is off now has it in its definition by hand, and that is nobody's to give */
		carry_out(run, state, drawn, true);
	}
	CHECK(run->plan->waiting_count == 0, run, drawn, "still waiting");
}

/* True: it was a test of what a boot loses. */
static bool boot_and_carry_out(struct run *run, uint32_t *state, const struct drawn *drawn)
{
	/* Nobody makes those again; and of keep nothing is left. */
	if (drawn->by_hand || strstr(gp_str_text(&drawn->want), "keep"))
		return false;
	scene_reboot(run->scene);
	run_again(run);
	carry_out(run, state, drawn, false);
	if (run->plan->diags.error_count && strstr(gp_str_text(&drawn->host), "seems"))
		return false; /* what was made of a wrong guess */
	CHECK(run->plan->diags.error_count == 0, run, drawn, "errors after a boot");
	CHECK(run->plan->waiting_count == 0, run, drawn, "waits after a boot");
	check_bindings(run, drawn);
	return true;
}

START_TEST(random_hosts_and_wishes)
{
	uint32_t state = SEED;
	size_t planned = 0, waited = 0, refused = 0, looked = 0, booted = 0;

	for (int round = 0; round < ROUNDS; round++) {
		GP_CLEANUP(drawn_clear) struct drawn drawn = draw(&state);
		GP_CLEANUP(run_clear)
		struct run run = run_plan(gp_str_text(&drawn.host), gp_str_text(&drawn.want));
		gp_autofree struct scene *before = gp_xcalloc(1, sizeof(*before));

		check_same_bytes(&run);
		if (run.plan->diags.error_count) {
			ck_assert_uint_eq(run.plan->stage_count, 0);
			refused++;
			continue;
		}
		*before = *run.scene;
		planned += run.plan->stage_count > 0;
		looked += run.plan->stage_count > 1;
		waited += run.plan->waiting_count > 0;
		check_stops(&run, &drawn);
		carry_out(&run, &state, &drawn, true);
		check_foreign(&run, before, &drawn);
		wait_and_carry_out(&run, &state, &drawn);
		if (run.plan->diags.error_count)
			continue;
		check_bindings(&run, &drawn);
		booted += boot_and_carry_out(&run, &state, &drawn);
	}
	/* The draw is no test if it draws only one kind. */
	ck_assert_uint_gt(planned, ROUNDS / 8);
	ck_assert_uint_gt(looked, ROUNDS / 16);
	ck_assert_uint_gt(waited, ROUNDS / 8);
	ck_assert_uint_gt(refused, ROUNDS / 8);
	ck_assert_uint_gt(booted, ROUNDS / 8);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {random_hosts_and_wishes};

	return run_tests("plan_property_profile", tests, COUNT_OF(tests));
}
