/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `gpus` counts: free and available amounts, what is alike, and how many partitions the VMs need. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/base_suite.h"
#include "cli/gpus.h"
#include "intent/intent.h"

#define GIB UINT64_C(1073741824)

enum { MOST_GPUS = 4, MOST_LAYOUTS = 16, MOST_VFS = 16, MOST_DOMAINS = 16 };

/* ---- a host by hand ---- */

static void as_pci(const struct gp_gpu *gpu, uint32_t index, struct gp_hostdev *out)
{
	(void)gpu;
	(void)index;
	out->type = GP_HOSTDEV_PCI;
}

static void as_mdev(const struct gp_gpu *gpu, uint32_t index, struct gp_hostdev *out)
{
	(void)gpu;
	(void)index;
	out->type = GP_HOSTDEV_MDEV;
}

static const struct gp_vendor plain = {.name = "plain", .device = as_pci};
static const struct gp_vendor vfio = {.name = "vfio", .by_profile = true, .device = as_pci};
static const struct gp_vendor mdev = {.name = "mdev", .by_profile = true, .device = as_mdev};

struct machine {
	struct gp_observed observed;
	struct gp_gpu gpus[MOST_GPUS];
	struct gp_layout layouts[MOST_GPUS][MOST_LAYOUTS];
	struct gp_layout_group groups[MOST_GPUS][MOST_LAYOUTS];
	struct gp_partition vfs[MOST_GPUS][MOST_VFS];
	struct gp_domain domains[MOST_DOMAINS];
	char names[MOST_DOMAINS][16];
	struct gp_arena *arena;
};

static void make(struct machine *machine, size_t vms)
{
	*machine = (struct machine){.arena = gp_arena_new()};
	machine->observed = (struct gp_observed){.gpus = machine->gpus,
						 .domains = machine->domains,
						 .domain_count = vms,
						 .domains_state = {.known = true},
						 .vfio_state = {.known = true}};
	for (size_t i = 0; i < vms; i++) {
		snprintf(machine->names[i], sizeof(machine->names[i]), "vm-%02zu", i);
		machine->domains[i].name = machine->names[i];
	}
}

static void clear(struct machine *machine)
{
	gp_arena_free(machine->arena);
}
#define MACHINE GP_CLEANUP(clear) struct machine

static struct gp_gpu *add_gpu(struct machine *machine, const struct gp_vendor *backend)
{
	size_t at = machine->observed.gpu_count++;
	struct gp_gpu *gpu = &machine->gpus[at];
	*gpu = (struct gp_gpu){.addr = {.bus = (uint8_t)(0x41 + at)},
			       .vendor = 0x10de,
			       .model = "A16",
			       .driver = "nvidia",
			       .backend = backend,
			       .vram_bytes = 16 * GIB,
			       .layouts = machine->layouts[at],
			       .partitions = machine->vfs[at]};
	return gpu;
}

static struct gp_layout_group *add_layout(struct machine *machine, struct gp_gpu *gpu, uint32_t count,
					  const char *profile, const char *series)
{
	size_t at = (size_t)(gpu - machine->gpus);
	struct gp_layout_group *group = &machine->groups[at][gpu->layout_count];
	*group = (struct gp_layout_group){.count = count, .profile = profile, .series = series, .most = count};
	for (int r = 0; r < GP_RESOURCE_COUNT; r++)
		group->offers[r] = (struct gp_offer){.hold = r == GP_VRAM ? GP_HOLD_HARDWARE : GP_HOLD_ADMISSION,
						     .has_bytes = r == GP_VRAM,
						     .bytes = 16 * GIB / count,
						     .has_share = true,
						     .share = 1000000 / count};
	machine->layouts[at][gpu->layout_count] = (struct gp_layout){count, group, 1};
	gpu->layout_count++;
	return group;
}

static struct gp_partition *add_vf(struct machine *machine, struct gp_gpu *gpu, const struct gp_layout_group *group)
{
	size_t at = (size_t)(gpu - machine->gpus);
	struct gp_partition *vf = &machine->vfs[at][gpu->partition_count];
	*vf = (struct gp_partition){.index = (uint32_t)gpu->partition_count, .blank = group == NULL};
	if (group != NULL) {
		vf->profile = group->profile;
		memcpy(vf->offers, group->offers, sizeof(vf->offers));
		gpu->count++;
	}
	gpu->partition_count++;
	gpu->num_vfs++;
	return vf;
}

static struct gp_desired *read_files(const char *text)
{
	struct gp_diags diags = {0};
	struct gp_desired *desired = gp_intent_load_text("site.yaml", text, strlen(text), NULL, &diags);
	ck_assert_uint_eq(diags.count, 0);
	gp_diags_clear(&diags);
	return desired;
}
#define DESIRED GP_CLEANUP(gp_cleanup_gp_desired_free) struct gp_desired *

static struct gp_recommendation recommend(struct machine *machine, const struct gp_desired *desired, size_t class_at)
{
	const struct gp_gpu_facts *facts = gp_gpu_facts_find(desired, &machine->observed, machine->arena);
	const struct gp_class *class_of = &desired->classes[class_at];
	struct gp_members members = gp_gpu_members(facts, machine->observed.gpu_count, class_of, machine->arena);
	return gp_recommend(desired, &machine->observed, class_of, &members, machine->arena);
}

/* ---- what is free ---- */

START_TEST(available_is_what_free_partitions_have)
{
	MACHINE machine;
	make(&machine, 0);
	DESIRED desired = read_files("version: 1\n");
	struct gp_gpu *gpu = add_gpu(&machine, &plain);
	const struct gp_layout_group *third = add_layout(&machine, gpu, 3, NULL, NULL);
	struct gp_holder holder = {0};
	for (int i = 0; i < 3; i++)
		add_vf(&machine, gpu, third);
	const struct gp_gpu_facts *facts = gp_gpu_facts_find(desired, &machine.observed, machine.arena);
	ck_assert_str_eq(facts->cut, "3");
	ck_assert_uint_eq(facts->free, 3);
	ck_assert_uint_eq(facts->resources[GP_COMPUTE].available, 1000000); /* not 999999 */
	ck_assert_uint_eq(facts->resources[GP_VRAM].available, 3 * (16 * GIB / 3));
	machine.vfs[0][1].holders = &holder;
	machine.vfs[0][1].holder_count = 1;
	machine.vfs[0][2].unusable_why = "bound to another driver";
	facts = gp_gpu_facts_find(desired, &machine.observed, machine.arena);
	ck_assert_uint_eq(facts->free, 1);
	ck_assert_uint_eq(facts->resources[GP_VRAM].available, 16 * GIB / 3);
	ck_assert_uint_eq(facts->resources[GP_VRAM].each, 16 * GIB / 3);
	ck_assert_uint_eq(facts->resources[GP_VRAM].total, 16 * GIB);
	/* A place of truth that cannot be read: nothing counts as free. */
	machine.observed.vfio_state.known = false;
	facts = gp_gpu_facts_find(desired, &machine.observed, machine.arena);
	ck_assert(!facts->free_known);
	ck_assert_uint_eq(facts->free, 0);
	ck_assert(!facts->resources[GP_VRAM].available_known);
	ck_assert(facts->resources[GP_VRAM].each_known);
}
END_TEST

START_TEST(an_uncut_gpu_is_all_available)
{
	MACHINE machine;
	make(&machine, 0);
	DESIRED desired = read_files("version: 1\n");
	struct gp_gpu *gpu = add_gpu(&machine, &vfio);
	add_layout(&machine, gpu, 4, "A16-4Q", "Q");
	add_vf(&machine, gpu, NULL);
	machine.observed.vfio_state.known = false;
	const struct gp_gpu_facts *facts = gp_gpu_facts_find(desired, &machine.observed, machine.arena);
	ck_assert_str_eq(facts->cut, "0");
	ck_assert(facts->resources[GP_VRAM].available_known);
	ck_assert_uint_eq(facts->resources[GP_VRAM].available, 16 * GIB);
	ck_assert(!facts->resources[GP_VRAM].each_known);
	gpu->unfit = GP_UNFIT_NO_DRIVER;
	facts = gp_gpu_facts_find(desired, &machine.observed, machine.arena);
	ck_assert(!facts->resources[GP_VRAM].available_known);
	gpu->unfit = GP_FIT;
	gpu->vram_bytes = 0;
	facts = gp_gpu_facts_find(desired, &machine.observed, machine.arena);
	ck_assert(!facts->resources[GP_VRAM].available_known);
	ck_assert(facts->resources[GP_DECODE].available_known);
}
END_TEST

/* Mediated devices are made as VMs get them: what can still be made is free. A blank VF without a type is no partition.
 */
START_TEST(what_can_still_be_made_is_free)
{
	MACHINE machine;
	make(&machine, 0);
	DESIRED desired = read_files("version: 1\n");
	struct gp_holder holder = {0};
	const struct gp_vendor *const backends[] = {&mdev, &vfio};
	for (size_t i = 0; i < 2; i++) {
		struct gp_gpu *gpu = add_gpu(&machine, backends[i]);
		const struct gp_layout_group *quarter = add_layout(&machine, gpu, 4, "A16-4Q", "Q");
		struct gp_partition *vf = add_vf(&machine, gpu, quarter);
		vf->holders = &holder;
		vf->holder_count = 1;
		for (int blank = 0; blank < 5; blank++)
			add_vf(&machine, gpu, NULL);
	}
	const struct gp_gpu_facts *facts = gp_gpu_facts_find(desired, &machine.observed, machine.arena);
	ck_assert_str_eq(facts[0].cut, "1 × A16-4Q");
	ck_assert_uint_eq(facts[0].free, 3);
	ck_assert_uint_eq(facts[0].resources[GP_VRAM].available, 12 * GIB);
	ck_assert_uint_eq(facts[0].resources[GP_COMPUTE].available, 750000);
	ck_assert_uint_eq(facts[1].free, 0);
	ck_assert_uint_eq(facts[1].resources[GP_VRAM].available, 0);
}
END_TEST

START_TEST(counts_are_told_once)
{
	MACHINE machine;
	make(&machine, 0);
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	struct gp_gpu *gpu = add_gpu(&machine, &vfio);
	gp_gpu_add_valid_counts(gpu, &text);
	ck_assert_str_eq(gp_str_text(&text), "-");
	add_layout(&machine, gpu, 1, "A16-16Q", "Q");
	add_layout(&machine, gpu, 2, "A16-8A", "A");
	add_layout(&machine, gpu, 2, "A16-8Q", "Q");
	gp_str_clear(&text);
	gp_gpu_add_valid_counts(gpu, &text);
	ck_assert_str_eq(gp_str_text(&text), "0,1,2");
	add_layout(&machine, gpu, 3, NULL, NULL);
	gp_str_clear(&text);
	gp_gpu_add_valid_counts(gpu, &text);
	ck_assert_str_eq(gp_str_text(&text), "0-3");
	add_layout(&machine, gpu, 8, NULL, NULL);
	gp_str_clear(&text);
	gp_gpu_add_valid_counts(gpu, &text);
	ck_assert_str_eq(gp_str_text(&text), "0,1,2,3,8");
}
END_TEST

/* ---- what is alike ---- */

static void note(void *context, const struct gp_gpu *gpu, const char *trait, const char *value, const char *usual)
{
	gp_str_printf(context, "%x %s %s/%s;", gpu->addr.bus, trait, value, usual);
}

static size_t odd_ones(struct machine *machine, struct gp_str *out)
{
	DESIRED desired = read_files("version: 1\ngpus: [{class: vdi, match: {vendor: nvidia}, partitions: 4}]\n");
	const struct gp_gpu_facts *facts = gp_gpu_facts_find(desired, &machine->observed, machine->arena);
	struct gp_members members =
		gp_gpu_members(facts, machine->observed.gpu_count, &desired->classes[0], machine->arena);
	gp_str_clear(out);
	return gp_gpu_find_odd_ones(&members, note, out);
}

START_TEST(the_odd_one_is_named)
{
	MACHINE machine;
	make(&machine, 0);
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	for (size_t i = 0; i < 3; i++) {
		struct gp_gpu *gpu = add_gpu(&machine, &vfio);
		gpu->driver_version = "550.54.10";
		gpu->framework = "vendor VFIO";
		const struct gp_layout_group *quarter = add_layout(&machine, gpu, 4, "A16-4Q", "Q");
		add_vf(&machine, gpu, quarter);
	}
	ck_assert_uint_eq(odd_ones(&machine, &text), 0);
	machine.gpus[0].driver_version = "535.1";
	machine.gpus[1].vram_bytes = 8 * GIB;
	machine.gpus[2].framework = NULL; /* tells none: nothing to compare */
	ck_assert_uint_eq(odd_ones(&machine, &text), 2);
	ck_assert_str_eq(gp_str_text(&text), "42 memory 8GiB/16GiB;41 driver version 535.1/550.54.10;");
	machine.vfs[2][0].blank = true;
	machine.gpus[2].count = 0;
	ck_assert_uint_eq(odd_ones(&machine, &text), 4);
	ck_assert(strstr(gp_str_text(&text), "43 partition count 0/1 × A16-4Q;43 partition size none/") != NULL);
}
END_TEST

/* How many there are follows from the VMs: no deviation. Of which size they are is one. */
START_TEST(mediated_devices_differ_by_size_alone)
{
	MACHINE machine;
	make(&machine, 0);
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	for (size_t i = 0; i < 4; i++) {
		struct gp_gpu *gpu = add_gpu(&machine, &mdev);
		const struct gp_layout_group *half = add_layout(&machine, gpu, 2, "A16-8Q", "Q");
		const struct gp_layout_group *quarter = add_layout(&machine, gpu, 4, "A16-4Q", "Q");
		for (size_t vf = 0; vf < 3; vf++)
			add_vf(&machine, gpu, vf >= i ? NULL : i == 3 ? half : quarter);
	}
	ck_assert_uint_eq(odd_ones(&machine, &text), 1);
	ck_assert_ptr_nonnull(strstr(gp_str_text(&text), "44 partition size 8GiB"));
}
END_TEST

/* ---- the count that the VMs need ---- */

static void add_a16(struct machine *machine, const struct gp_vendor *backend)
{
	struct gp_gpu *gpu = add_gpu(machine, backend);
	static const struct {
		uint32_t count;
		const char *profile, *series;
	} types[] = {{1, "A16-16A", "A"}, {1, "A16-16Q", "Q"}, {2, "A16-8A", "A"}, {2, "A16-8Q", "Q"},
		     {4, "A16-4A", "A"},  {4, "A16-4Q", "Q"},  {8, "A16-2B", "B"}, {8, "A16-2Q", "Q"},
		     {16, "A16-1B", "B"}, {16, "A16-1Q", "Q"}};
	for (size_t i = 0; i < COUNT_OF(types); i++)
		add_layout(machine, gpu, types[i].count, types[i].profile, types[i].series)->alone =
			*types[i].series != 'Q';
}

START_TEST(the_least_count_that_serves_all)
{
	MACHINE machine;
	make(&machine, 10);
	add_a16(&machine, &vfio);
	add_a16(&machine, &vfio);
	DESIRED desired = read_files("version: 1\ngpus: [{class: vdi, match: {model: A16}, partitions: 4, series: Q}]\n"
				     "vms:\n  - {names: [\"vm-[00-08]\"], partition: vdi}\n"
				     "  - {name: elsewhere, partition: vdi}\n");
	struct gp_recommendation best = recommend(&machine, desired, 0);
	ck_assert_uint_eq(best.asked, 9);
	ck_assert_uint_eq(best.count, 8);
	ck_assert_uint_eq(best.total, 16);
	ck_assert_uint_eq(best.unserved, 0);
	ck_assert_str_eq(best.group->profile, "A16-2Q");
	ck_assert(!best.needs_series);
	/* Unknown which VMs are here: all that are listed. */
	machine.observed.domains_state.known = false;
	ck_assert_uint_eq(recommend(&machine, desired, 0).asked, 10);
	/* A GPU that cannot be partitioned has no place for anybody. */
	machine.gpus[1].unfit = GP_UNFIT_NO_DRIVER;
	best = recommend(&machine, desired, 0);
	ck_assert_uint_eq(best.count, 16);
	ck_assert_uint_eq(best.total, 16);
	machine.gpus[0].unfit = GP_UNFIT_NO_DRIVER;
	ck_assert(!recommend(&machine, desired, 0).has_best);
}
END_TEST

START_TEST(bounds_rule_counts_out)
{
	MACHINE machine;
	make(&machine, 4);
	add_a16(&machine, &vfio);
	DESIRED desired = read_files("version: 1\ngpus: [{class: vdi, match: {model: A16}, partitions: 4, series: Q}]\n"
				     "vms:\n  - {name: vm-00, partition: {class: vdi, vram: {max: 4GiB}}}\n"
				     "  - {name: vm-01, partition: {class: vdi, vram: {min: 8GiB}}}\n"
				     "  - {name: vm-02, partition: {class: vdi, compute: 25%}}\n");
	struct gp_recommendation best = recommend(&machine, desired, 0);
	ck_assert_uint_eq(best.count, 2); /* the least that serves two of the three */
	ck_assert_uint_eq(best.unserved, 1);
	ck_assert_str_eq(best.first, "vm-00");
	ck_assert_str_eq(best.why, "vram 8GiB > max 4GiB");
}
END_TEST

START_TEST(several_partitions_for_one_vm)
{
	MACHINE machine;
	make(&machine, 2);
	add_a16(&machine, &vfio);
	DESIRED desired = read_files("version: 1\ngpus: [{class: vdi, match: {model: A16}, partitions: 8}]\n"
				     "vms: [{name: vm-00, partition: [vdi, vdi]}, {name: vm-01, partition: none}]\n");
	struct gp_recommendation best = recommend(&machine, desired, 0);
	ck_assert_uint_eq(best.asked, 2);
	ck_assert_uint_eq(best.count, 2);
	ck_assert_str_eq(best.group->profile, "A16-8Q"); /* one of series A must be alone */
	ck_assert(best.needs_series);
}
END_TEST

/* A request for any of several classes counts for that whose partitions fit, as the file cuts them. */
START_TEST(of_several_classes_the_one_that_fits)
{
	MACHINE machine;
	make(&machine, 4);
	add_a16(&machine, &plain);
	add_a16(&machine, &plain);
	DESIRED desired = read_files(
		"version: 1\ngpus:\n"
		"  - {class: small, match: {address: \"0000:41:00.0\"}, partitions: [{count: 3, profile: A16-2Q}]}\n"
		"  - {class: large, match: {address: \"0000:42:00.0\"}, partitions: 2, series: Q}\n"
		"vms:\n"
		"  - {names: [vm-00, vm-01], partition: {class: [small, large], vram: 8GiB}}\n"
		"  - {name: vm-02, partition: {class: [large, small], vram: {min: 12GiB}}}\n");
	ck_assert_uint_eq(recommend(&machine, desired, 0).asked, 0);
	struct gp_recommendation best = recommend(&machine, desired, 1);
	ck_assert_uint_eq(best.asked, 3);
	ck_assert_uint_eq(best.count, 2);
	ck_assert_uint_eq(best.unserved, 1);
}
END_TEST

/* ---- against a slow and simple answer ---- */

enum { TRIES = 300 };

struct exact {
	const struct gp_layout_group *seats[MOST_GPUS * 4];
	bool taken[MOST_GPUS * 4];
	size_t seat_count;
	const struct gp_request *requests[MOST_DOMAINS];
	size_t request_count;
};

static size_t most_served(struct exact *exact, size_t from)
{
	if (from == exact->request_count)
		return 0;
	size_t best = most_served(exact, from + 1);
	for (size_t i = 0; i < exact->seat_count; i++) {
		const struct gp_bound *bound = &exact->requests[from]->bounds[GP_VRAM];
		bool same_before = i > 0 && exact->seats[i - 1] == exact->seats[i] && !exact->taken[i - 1];
		if (exact->taken[i] || same_before ||
		    !gp_bound_fits(bound, &exact->seats[i]->offers[GP_VRAM], GP_VRAM, NULL))
			continue;
		exact->taken[i] = true;
		size_t served = 1 + most_served(exact, from + 1);
		exact->taken[i] = false;
		best = served > best ? served : best;
	}
	return best;
}

START_TEST(as_many_as_can_be_served_are)
{
	srand(20260913);
	for (int attempt = 0; attempt < TRIES; attempt++) {
		MACHINE machine;
		GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
		size_t vms = 1 + (size_t)rand() % 7, least = SIZE_MAX;
		make(&machine, vms);
		for (int g = 0; g < 3; g++) {
			struct gp_gpu *gpu = add_gpu(&machine, &plain);
			for (uint32_t count = 1; count <= 3; count++)
				if (rand() % 4 != 0)
					add_layout(&machine, gpu, count, NULL, NULL)->offers[GP_VRAM].bytes =
						(uint64_t)(1 + rand() % 5) * GIB;
		}
		gp_str_add(&text, "version: 1\ngpus: [{class: a, match: {vendor: nvidia}, partitions: keep}]\nvms:\n");
		for (size_t i = 0; i < vms; i++) {
			int low = 1 + rand() % 5;
			gp_str_printf(&text,
				      "  - {name: vm-%02zu, partition: {class: a, vram: {min: %dGiB, max: %dGiB}}}\n",
				      i, low, low + rand() % 3);
		}
		DESIRED desired = read_files(gp_str_text(&text));
		struct gp_recommendation best = recommend(&machine, desired, 0);
		uint32_t least_count = 0;
		for (uint32_t count = 1; count <= 3; count++) {
			struct exact exact = {0};
			for (size_t g = 0; g < 3; g++) {
				const struct gp_layout *layout = gp_gpu_layout(&machine.gpus[g], count);
				for (uint32_t s = 0; layout != NULL && s < count; s++)
					exact.seats[exact.seat_count++] = layout->groups;
			}
			for (size_t i = 0; i < vms; i++)
				exact.requests[exact.request_count++] = desired->vms[i].requests;
			size_t unserved = vms - most_served(&exact, 0);
			if (exact.seat_count == 0 || unserved >= least)
				continue;
			least = unserved;
			least_count = count;
		}
		ck_assert_int_eq(best.has_best, least != SIZE_MAX);
		if (!best.has_best)
			continue;
		ck_assert_msg(best.unserved == least && best.count == least_count,
			      "attempt %d: %zu left with %u, and %zu with %u would do", attempt, best.unserved,
			      best.count, least, least_count);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		available_is_what_free_partitions_have,
		an_uncut_gpu_is_all_available,
		what_can_still_be_made_is_free,
		counts_are_told_once,
		the_odd_one_is_named,
		mediated_devices_differ_by_size_alone,
		the_least_count_that_serves_all,
		bounds_rule_counts_out,
		several_partitions_for_one_vm,
		of_several_classes_the_one_that_fits,
		as_many_as_can_be_served_are,
	};
	return run_tests("cli_gpus", tests, COUNT_OF(tests));
}
