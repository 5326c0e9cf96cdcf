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
	gp_intent_export(machine->observed, text);
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
		machine.gpus[i].num_vfs = 0;
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
	tcase_add_test(tcase, an_empty_host);
}

int main(void)
{
	return run_suite("intent_export", add_tests);
}
