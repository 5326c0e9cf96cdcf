/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What export writes is read back without a fault, and asks for what is there. */
#include "support.h"

#define GOOD GP_CLEANUP(gp_cleanup_gp_desired_free) struct gp_desired *

/* A host of four GPUs: two Flex 170 cut alike, one cut otherwise, and one that cannot be managed. */
struct machine {
	struct gp_observed *observed;
	struct gp_gpu gpus[4];
	struct gp_layout layouts[5];
	struct gp_domain domains[4];
	struct gp_hostdev devices[8];
};

static void add_gpu(struct machine *machine, uint8_t bus, uint32_t vfs)
{
	struct gp_gpu *gpu = &machine->gpus[machine->observed->gpu_count++];
	*gpu = (struct gp_gpu){
		.addr = {.bus = bus},
		.vendor = 0x8086,
		.device = 0x56c0,
		.vendor_name = "Intel Corporation",
		.model = "ATS-M [Data Center GPU Flex 170]",
		.sriov = true,
		.total_vfs = 16,
		.num_vfs = vfs,
		.count = vfs,
		.layouts = machine->layouts,
		.layout_count = 5,
	};
}

static struct gp_domain *add_domain(struct machine *machine, const char *name, struct gp_hostdev *devices, size_t count)
{
	struct gp_domain *domain = &machine->domains[machine->observed->domain_count++];
	*domain = (struct gp_domain){
		.name = name, .persistent = true, .config_known = true, .config = devices, .config_count = count};
	domain->uuid.bytes[15] = (uint8_t)machine->observed->domain_count;
	return domain;
}

static struct gp_hostdev on(size_t gpu, uint32_t vf, const char *alias)
{
	return (struct gp_hostdev){
		.resolved = true, .gpu = gpu, .vf = vf, .alias = alias, .ours = gp_alias_is_ours(alias)};
}

static void make(struct machine *machine)
{
	*machine = (struct machine){.observed = gp_observed_new()};
	struct gp_observed *observed = machine->observed;
	observed->hostname = "gpu-01.example.com";
	observed->gpus = machine->gpus;
	observed->domains = machine->domains;
	observed->domains_state.known = true;
	observed->vfio_state.known = true;
	static const uint32_t counts[] = {0, 2, 4, 8, 16};
	for (size_t i = 0; i < 5; i++)
		machine->layouts[i].count = counts[i];
	add_gpu(machine, 0x41, 8);
	add_gpu(machine, 0x42, 8);
	add_gpu(machine, 0xc1, 4);
	add_gpu(machine, 0xc2, 0);
	machine->gpus[3].unfit = GP_UNFIT_NO_DRIVER;
	machine->gpus[3].unfit_why = "no driver is bound";
}

static void clear(struct machine *machine)
{
	gp_observed_free(machine->observed);
}

#define MACHINE GP_CLEANUP(clear) struct machine

static struct gp_desired *export_and_read(const struct machine *machine, struct gp_str *text)
{
	gp_intent_export(machine->observed, (struct gp_export_options){0}, text);
	return read_good(gp_str_text(text), machine->observed->hostname);
}

START_TEST(classes_by_model_and_count)
{
	MACHINE machine;
	make(&machine);
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	GOOD desired = export_and_read(&machine, &text);
	ck_assert_int_eq(strncmp(gp_str_text(&text), "# yaml-language-server: $schema=", 32), 0);
	ck_assert_uint_eq(desired->files_for_host, 1);
	ck_assert_uint_eq(desired->class_count, 2);
	ck_assert_str_eq(desired->classes[0].name, "data-center-gpu-flex-170");
	ck_assert_uint_eq(desired->classes[0].count, 8);
	ck_assert_str_eq(desired->classes[1].name, "data-center-gpu-flex-170-x4");
	ck_assert_uint_eq(desired->classes[1].count, 4);
	ck_assert(gp_match_holds(&desired->classes[0].match, &machine.gpus[0]));
	ck_assert(gp_match_holds(&desired->classes[0].match, &machine.gpus[1]));
	ck_assert(!gp_match_holds(&desired->classes[0].match, &machine.gpus[2]));
	ck_assert(gp_match_holds(&desired->classes[1].match, &machine.gpus[2]));
	ck_assert_uint_eq(desired->vm_count, 0);
	ck_assert(strstr(gp_str_text(&text), "left out: 0000:c2:00.0") != NULL);
}
END_TEST

START_TEST(foreign_devices_are_adopted)
{
	MACHINE machine;
	make(&machine);
	machine.devices[0] = on(0, 3, NULL);
	machine.devices[1] = on(2, 1, "ua-mine");
	machine.devices[2] = (struct gp_hostdev){.resolved = false};
	add_domain(&machine, "007", machine.devices, 3);
	add_domain(&machine, "other", &machine.devices[2], 1);
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	GOOD desired = export_and_read(&machine, &text);
	ck_assert_uint_eq(desired->vm_count, 1);
	ck_assert_str_eq(desired->vms[0].name, "007");
	ck_assert(desired->vms[0].adopt);
	ck_assert_uint_eq(desired->vms[0].request_count, 2);
	ck_assert_str_eq(desired->vms[0].requests[0].classes[0], desired->classes[0].name);
	ck_assert_str_eq(desired->vms[0].requests[1].classes[0], desired->classes[1].name);
}
END_TEST

/* A class of ours keeps its name, and the requests their order; a GPU on which nothing of ours is joins its likes. */
START_TEST(our_classes_keep_their_names)
{
	MACHINE machine;
	make(&machine);
	machine.devices[0] = on(2, 0, "ua-gpupart-1-cad");
	machine.devices[1] = on(0, 0, "ua-gpupart-0-vdi");
	add_domain(&machine, "both", machine.devices, 2);
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	GOOD desired = export_and_read(&machine, &text);
	ck_assert_uint_eq(desired->class_count, 2);
	const struct gp_class *vdi = gp_desired_class(desired, "vdi"), *cad = gp_desired_class(desired, "cad");
	ck_assert(gp_match_holds(&vdi->match, &machine.gpus[0]));
	ck_assert(gp_match_holds(&vdi->match, &machine.gpus[1]));
	ck_assert(gp_match_holds(&cad->match, &machine.gpus[2]));
	ck_assert(!desired->vms[0].adopt);
	ck_assert_str_eq(desired->vms[0].requests[0].classes[0], "vdi");
	ck_assert_str_eq(desired->vms[0].requests[1].classes[0], "cad");
}
END_TEST

/* One class on GPUs of two models stays one; on GPUs that are cut differently it cannot. */
START_TEST(one_class_over_models)
{
	MACHINE machine;
	make(&machine);
	machine.gpus[1].device = 0x56c1;
	machine.gpus[1].model = "Flex 140";
	for (size_t i = 0; i < 3; i++)
		machine.devices[i] = on(i, 0, "ua-gpupart-0-vdi");
	add_domain(&machine, "a", &machine.devices[0], 1);
	add_domain(&machine, "b", &machine.devices[1], 1);
	add_domain(&machine, "c", &machine.devices[2], 1);
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	GOOD desired = export_and_read(&machine, &text);
	ck_assert_uint_eq(desired->class_count, 2);
	const struct gp_class *vdi = gp_desired_class(desired, "vdi");
	ck_assert(gp_match_holds(&vdi->match, &machine.gpus[0]));
	ck_assert(gp_match_holds(&vdi->match, &machine.gpus[1]));
	ck_assert_ptr_nonnull(gp_desired_class(desired, "vdi-x4"));
	ck_assert_str_eq(desired->vms[2].requests[0].classes[0], "vdi-x4");
}
END_TEST

/* After a reboot the VFs are gone, but the definitions still name them: ours are to come back. */
START_TEST(our_partitions_come_back)
{
	MACHINE machine;
	make(&machine);
	for (size_t i = 0; i < 3; i++)
		machine.gpus[i].num_vfs = machine.gpus[i].count = 0;
	machine.devices[0] = on(0, 5, "ua-gpupart-0-vdi");
	machine.devices[1] = on(2, 1, NULL);
	add_domain(&machine, "ours", &machine.devices[0], 1);
	add_domain(&machine, "foreign", &machine.devices[1], 1);
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	GOOD desired = export_and_read(&machine, &text);
	ck_assert_uint_eq(gp_desired_class(desired, "vdi")->count, 8);
	ck_assert_uint_eq(desired->vm_count, 1);
	ck_assert_str_eq(desired->vms[0].name, "ours");
	ck_assert(strstr(gp_str_text(&text), "# foreign: ") != NULL);
}
END_TEST

/* Names that the language cannot hold, and texts that could break out of a comment. */
START_TEST(strange_names)
{
	MACHINE machine;
	make(&machine);
	machine.gpus[0].model = "\nvms: [{name: x, partition: none}]";
	machine.gpus[1].model = "NONE";
	machine.gpus[2].model = NULL;
	machine.devices[0] = on(0, 0, NULL);
	machine.devices[1] = on(1, 0, NULL);
	machine.devices[2] = on(2, 0, NULL);
	add_domain(&machine, "a*b\nversion: 2", &machine.devices[0], 1);
	add_domain(&machine, "00000000-0000-0000-0000-000000000001", &machine.devices[1], 1);
	add_domain(&machine, "yes", &machine.devices[2], 1);
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	GOOD desired = export_and_read(&machine, &text);
	ck_assert_uint_eq(desired->vm_count, 3);
	ck_assert(desired->vms[0].by_uuid);
	ck_assert(gp_uuid_equal(desired->vms[0].uuid, machine.domains[0].uuid));
	ck_assert(desired->vms[1].by_uuid);
	ck_assert(gp_uuid_equal(desired->vms[1].uuid, machine.domains[1].uuid));
	ck_assert_str_eq(desired->vms[2].name, "yes");
	ck_assert_ptr_nonnull(gp_desired_class(desired, "gpu"));
}
END_TEST

START_TEST(what_could_not_be_seen_is_said)
{
	MACHINE machine;
	make(&machine);
	machine.observed->hostname = "no host [name]";
	machine.observed->domains_state = (struct gp_source_state){false, "libvirt does not answer"};
	struct gp_domain *domain = add_domain(&machine, "broken", NULL, 0);
	domain->config_known = false;
	machine.devices[0] = on(0, 0, NULL);
	domain = add_domain(&machine, "passing", NULL, 0);
	domain->live = machine.devices;
	domain->live_count = 1;
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	GOOD desired = export_and_read(&machine, &text);
	ck_assert_uint_eq(desired->vm_count, 0);
	ck_assert(strstr(gp_str_text(&text), "libvirt does not answer") != NULL);
	ck_assert(strstr(gp_str_text(&text), "# broken: ") != NULL);
	ck_assert(strstr(gp_str_text(&text), "# passing: ") != NULL);
	ck_assert(strstr(gp_str_text(&text), "hosts:") == NULL);
}
END_TEST

/* ---- GPUs whose VFs have profiles ---- */

#define GIB UINT64_C(1073741824)

static struct gp_layout_group types[] = {
	{.count = 2, .profile = "A16-8Q", .profile_id = 714, .series = "Q", .most = 2},
	{.count = 4, .profile = "A16-4C", .profile_id = 721, .series = "C", .most = 4},
	{.count = 4, .profile = "A16-4Q", .profile_id = 713, .series = "Q", .most = 4},
	{.count = 4, .profile = "A16-4Q4", .profile_id = 799, .series = "X", .most = 4},
	{.count = 4, .profile = "A16-4Z", .profile_id = 800, .series = "X", .most = 4},
};
static struct gp_layout typed[] = {
	{2, &types[0], 1}, {4, &types[1], 1}, {4, &types[2], 1}, {4, &types[3], 1}, {4, &types[4], 1}};
static struct gp_partition vfs[3][4];

/* Each GPU an A16 with four VFs; a type for each VF, NULL: blank. */
static void make_typed(struct machine *machine, const char *framework, const char *const types_of[3][4])
{
	make(machine);
	for (size_t i = 0; i < 5; i++)
		types[i].offers[GP_VRAM].bytes = (i == 0 ? 8 : 4) * GIB;
	machine->observed->gpu_count = 3;
	for (size_t g = 0; g < 3; g++) {
		struct gp_gpu *gpu = &machine->gpus[g];
		*gpu = (struct gp_gpu){.addr = gpu->addr,
				       .vendor = 0x10de,
				       .vendor_name = "NVIDIA Corporation",
				       .model = "A16",
				       .sriov = true,
				       .total_vfs = 4,
				       .num_vfs = 4,
				       .framework = framework,
				       .layouts = typed,
				       .layout_count = 5,
				       .partitions = vfs[g],
				       .partition_count = 4};
		for (uint32_t i = 0; i < 4; i++) {
			vfs[g][i] = (struct gp_partition){
				.index = i, .profile = types_of[g][i], .blank = types_of[g][i] == NULL, .params = ""};
			gpu->count += types_of[g][i] != NULL;
		}
	}
}

static const struct gp_class *class_on(const struct gp_desired *desired, const struct gp_gpu *gpu)
{
	for (size_t i = 0; i < desired->class_count; i++)
		if (gp_match_holds(&desired->classes[i].match, gpu))
			return &desired->classes[i];
	ck_abort_msg("no class");
	return NULL;
}

START_TEST(a_full_gpu_by_number_another_by_profile)
{
	static const char *const of[3][4] = {
		{"A16-4Q", "A16-4Q", "A16-4Q", "A16-4Q"}, {"A16-4Q", NULL, "A16-4C", "A16-4Q"}, {0}};
	MACHINE machine;
	make_typed(&machine, "vendor VFIO", of);
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	GOOD desired = export_and_read(&machine, &text);
	const struct gp_class *class_of = class_on(desired, &machine.gpus[0]);
	ck_assert_int_eq(class_of->partitions, GP_PARTITIONS_COUNT);
	ck_assert_uint_eq(class_of->count, 4);
	ck_assert_str_eq(class_of->series, "Q");
	ck_assert_ptr_null(class_of->vgpu_params);
	class_of = class_on(desired, &machine.gpus[1]);
	ck_assert_int_eq(class_of->partitions, GP_PARTITIONS_LIST);
	ck_assert_uint_eq(class_of->size_count, 2);
	ck_assert_uint_eq(class_of->sizes[0].count, 2);
	ck_assert_str_eq(class_of->sizes[0].profile, "A16-4Q");
	ck_assert_uint_eq(class_of->sizes[1].count, 1);
	ck_assert_str_eq(class_of->sizes[1].profile, "A16-4C");
	ck_assert_ptr_null(class_of->series);
	class_of = class_on(desired, &machine.gpus[2]);
	ck_assert_int_eq(class_of->partitions, GP_PARTITIONS_COUNT);
	ck_assert_uint_eq(class_of->count, 0);
}
END_TEST

/* A number and a series would not tell which of two types is meant. */
START_TEST(an_ambiguous_number_is_not_written)
{
	static const char *const of[3][4] = {{"A16-4Q4", "A16-4Q4", "A16-4Q4", "A16-4Q4"}};
	MACHINE machine;
	make_typed(&machine, "vendor VFIO", of);
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	GOOD desired = export_and_read(&machine, &text);
	const struct gp_class *class_of = class_on(desired, &machine.gpus[0]);
	ck_assert_int_eq(class_of->partitions, GP_PARTITIONS_LIST);
	ck_assert_uint_eq(class_of->sizes[0].count, 4);
	ck_assert_str_eq(class_of->sizes[0].profile, "A16-4Q4");
}
END_TEST

START_TEST(what_the_language_cannot_say_is_kept)
{
	static const char *const of[3][4] = {{"A16-8Q", "A16-4Q"}, {"A16-4Q", "A16-4Q"}, {"A16-4Q", "no such type"}};
	MACHINE machine;
	make_typed(&machine, "vendor VFIO", of);
	vfs[1][1].profile = NULL;
	vfs[1][1].profile_id = 4711;
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	GOOD desired = export_and_read(&machine, &text);
	for (size_t g = 0; g < 3; g++)
		ck_assert_int_eq(class_on(desired, &machine.gpus[g])->partitions, GP_PARTITIONS_KEEP);
	ck_assert(strstr(gp_str_text(&text), "several sizes") != NULL);
	ck_assert(strstr(gp_str_text(&text), "the name of a vGPU type that it has is not known") != NULL);
	ck_assert(strstr(gp_str_text(&text), "the driver lists no such vGPU type") != NULL);
}
END_TEST

START_TEST(a_profile_with_blanks_is_written_so_that_it_can_be_read)
{
	static const char *const of[3][4] = {{"RTX Pro 6000 (DC)/2-4Z"}};
	MACHINE machine;
	make_typed(&machine, "vendor VFIO", of);
	const char *before = types[4].profile;
	types[4].profile = of[0][0];
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	GOOD desired = export_and_read(&machine, &text);
	types[4].profile = before;
	ck_assert_str_eq(class_on(desired, &machine.gpus[0])->sizes[0].profile, of[0][0]);
}
END_TEST

/* The driver may show its list with a blank after each comma. */
START_TEST(params_are_written_without_blanks)
{
	static const char *const of[3][4] = {{"A16-4Q", "A16-4Q"}};
	MACHINE machine;
	make_typed(&machine, "vendor VFIO", of);
	vfs[0][0].params = "a=1, b=2";
	vfs[0][1].params = " a=1,b=2\t";
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	GOOD desired = export_and_read(&machine, &text);
	ck_assert_str_eq(class_on(desired, &machine.gpus[0])->vgpu_params, "a=1,b=2");
}
END_TEST

/* Only where they were looked at, and where it is asked for. */
START_TEST(that_none_has_params_can_be_said)
{
	static const char *const of[3][4] = {{"A16-4Q", "A16-4Q"}, {"A16-4Q"}, {"A16-4Q", "A16-4Q"}};
	MACHINE machine;
	make_typed(&machine, "vendor VFIO", of);
	vfs[0][1].params = " ";
	vfs[1][0].params = NULL;
	vfs[2][1].params = "a=1";
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	gp_intent_export(machine.observed, (struct gp_export_options){.clears_params = true}, &text);
	GOOD desired = read_good(gp_str_text(&text), machine.observed->hostname);
	ck_assert_str_eq(class_on(desired, &machine.gpus[0])->vgpu_params, "");
	ck_assert_ptr_null(class_on(desired, &machine.gpus[1])->vgpu_params);
	ck_assert_ptr_null(class_on(desired, &machine.gpus[2])->vgpu_params);
	gp_str_clear(&text);
	GOOD plain = export_and_read(&machine, &text);
	ck_assert_ptr_null(class_on(plain, &machine.gpus[0])->vgpu_params);
}
END_TEST

START_TEST(params_that_all_have_are_written)
{
	static const char *const of[3][4] = {{"A16-4Q", "A16-4Q"}, {"A16-4Q", "A16-4Q"}, {"A16-4Q", "A16-4Q"}};
	MACHINE machine;
	make_typed(&machine, "vendor VFIO", of);
	vfs[0][0].params = vfs[0][1].params = "frame_rate_limiter=0,vgpu-placement-id=3";
	vfs[1][0].params = "frame_rate_limiter=0";
	vfs[2][0].params = vfs[2][1].params = "what nobody can write";
	vfs[2][1].unusable_why = "its driver is vfio-pci";
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	GOOD desired = export_and_read(&machine, &text);
	ck_assert_str_eq(class_on(desired, &machine.gpus[0])->vgpu_params, "frame_rate_limiter=0,vgpu-placement-id=3");
	ck_assert_ptr_null(class_on(desired, &machine.gpus[1])->vgpu_params);
	ck_assert_int_eq(class_on(desired, &machine.gpus[2])->partitions, GP_PARTITIONS_KEEP);
}
END_TEST

/* Mediated devices come with VMs: one that has one, and not all the GPU could have, is as it was asked for. */
START_TEST(mdevs_of_ours_are_all_that_could_be)
{
	static const char *const of[3][4] = {{NULL, "A16-4Q"}, {"A16-4Q", NULL}, {0}};
	MACHINE machine;
	make_typed(&machine, "mdev", of);
	machine.devices[0] = on(0, 1, "ua-gpupart-0-vdi");
	machine.devices[1] = on(1, 0, NULL);
	machine.devices[0].type = machine.devices[1].type = GP_HOSTDEV_MDEV;
	add_domain(&machine, "desktop", &machine.devices[0], 1);
	add_domain(&machine, "foreign", &machine.devices[1], 1);
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	GOOD desired = export_and_read(&machine, &text);
	const struct gp_class *class_of = class_on(desired, &machine.gpus[0]);
	ck_assert_str_eq(class_of->name, "vdi");
	ck_assert_int_eq(class_of->partitions, GP_PARTITIONS_COUNT);
	ck_assert_uint_eq(class_of->count, 4);
	ck_assert_str_eq(class_of->series, "Q");
	class_of = class_on(desired, &machine.gpus[1]);
	ck_assert_int_eq(class_of->partitions, GP_PARTITIONS_LIST);
	ck_assert_uint_eq(class_of->sizes[0].count, 1);
	ck_assert_uint_eq(desired->vm_count, 2);
	ck_assert(!desired->vms[0].adopt);
	ck_assert(desired->vms[1].adopt);
	ck_assert_str_eq(desired->vms[1].requests[0].classes[0], class_of->name);
}
END_TEST

/* Types and mediated devices do not outlive a boot; nobody remembers which they were, and no VM may lose its own. */
START_TEST(forgotten_types_are_not_guessed)
{
	static const char *const of[3][4] = {{0}, {0}, {"A16-4Q", NULL, "A16-4Q", NULL}};
	MACHINE machine;
	make_typed(&machine, "vendor VFIO", of);
	machine.devices[0] = on(0, 1, "ua-gpupart-0-vdi");
	machine.devices[1] = on(2, 1, "ua-gpupart-0-cad");
	machine.devices[2] = on(2, 3, NULL);
	add_domain(&machine, "desktop", &machine.devices[0], 1);
	add_domain(&machine, "cad", &machine.devices[1], 1);
	add_domain(&machine, "foreign", &machine.devices[2], 1);
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	GOOD desired = export_and_read(&machine, &text);
	ck_assert_int_eq(gp_desired_class(desired, "vdi")->partitions, GP_PARTITIONS_KEEP);
	ck_assert(strstr(gp_str_text(&text), "has forgotten the vGPU types") != NULL);
	ck_assert_int_eq(gp_desired_class(desired, "cad")->partitions, GP_PARTITIONS_LIST);
	ck_assert_uint_eq(gp_desired_class(desired, "cad")->sizes[0].count, 3);
	ck_assert_uint_eq(desired->vm_count, 2);
	ck_assert_str_eq(desired->vms[0].requests[0].classes[0], "vdi");
	ck_assert(strstr(gp_str_text(&text), "# foreign: ") != NULL);
}
END_TEST

START_TEST(forgotten_mdevs_keep_their_class)
{
	static const char *const of[3][4] = {{0}, {"A16-4Q"}, {0}};
	MACHINE machine;
	make_typed(&machine, "mdev", of);
	for (size_t i = 0; i < 4; i++)
		machine.devices[i] = (struct gp_hostdev){.type = GP_HOSTDEV_MDEV, .ours = true, .mdev = {{(uint8_t)i}}};
	machine.devices[0].alias = "ua-gpupart-0-vdi";
	machine.devices[1].alias = "ua-gpupart-0-cad";
	machine.devices[2].alias = "ua-gpupart-1-cad";
	machine.devices[2].resolved = true;
	machine.devices[2].gpu = 1;
	add_domain(&machine, "desktop", &machine.devices[0], 1);
	add_domain(&machine, "cad", &machine.devices[1], 2);
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	GOOD desired = export_and_read(&machine, &text);
	ck_assert_str_eq(class_on(desired, &machine.gpus[0])->name, "vdi");
	ck_assert_str_eq(class_on(desired, &machine.gpus[2])->name, "vdi");
	ck_assert_int_eq(class_on(desired, &machine.gpus[0])->partitions, GP_PARTITIONS_KEEP);
	ck_assert_str_eq(class_on(desired, &machine.gpus[1])->name, "cad");
	ck_assert_uint_eq(class_on(desired, &machine.gpus[1])->count, 4);
	ck_assert_uint_eq(desired->vm_count, 2);
	ck_assert_uint_eq(desired->vms[1].request_count, 2);
	ck_assert_str_eq(desired->vms[1].requests[0].classes[0], "cad");
	/* Of two classes nobody can tell which GPU was of which. */
	machine.devices[3].alias = "ua-gpupart-0-lab";
	add_domain(&machine, "lab", &machine.devices[3], 1);
	gp_str_clear(&text);
	GOOD twice = export_and_read(&machine, &text);
	ck_assert_uint_eq(twice->vm_count, 1);
	ck_assert(strstr(gp_str_text(&text), "# desktop: ") != NULL);
	ck_assert(strstr(gp_str_text(&text), "# lab: ") != NULL);
}
END_TEST

START_TEST(an_empty_host)
{
	MACHINE machine;
	make(&machine);
	machine.observed->gpu_count = 0;
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	GOOD desired = export_and_read(&machine, &text);
	ck_assert_uint_eq(desired->class_count, 0);
	ck_assert_uint_eq(desired->vm_count, 0);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, classes_by_model_and_count);
	tcase_add_test(tcase, foreign_devices_are_adopted);
	tcase_add_test(tcase, our_classes_keep_their_names);
	tcase_add_test(tcase, one_class_over_models);
	tcase_add_test(tcase, our_partitions_come_back);
	tcase_add_test(tcase, strange_names);
	tcase_add_test(tcase, what_could_not_be_seen_is_said);
	tcase_add_test(tcase, a_full_gpu_by_number_another_by_profile);
	tcase_add_test(tcase, an_ambiguous_number_is_not_written);
	tcase_add_test(tcase, what_the_language_cannot_say_is_kept);
	tcase_add_test(tcase, a_profile_with_blanks_is_written_so_that_it_can_be_read);
	tcase_add_test(tcase, params_are_written_without_blanks);
	tcase_add_test(tcase, that_none_has_params_can_be_said);
	tcase_add_test(tcase, params_that_all_have_are_written);
	tcase_add_test(tcase, mdevs_of_ours_are_all_that_could_be);
	tcase_add_test(tcase, forgotten_types_are_not_guessed);
	tcase_add_test(tcase, forgotten_mdevs_keep_their_class);
	tcase_add_test(tcase, an_empty_host);
}

int main(void)
{
	return run_suite("intent_export", add_tests);
}
