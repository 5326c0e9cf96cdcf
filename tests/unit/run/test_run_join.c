/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who holds which VF, joined from what was read apart; and what makes an approved plan stale. */
#include <string.h>

#include "plan/planner.h"
#include "run/join.h"
#include "run/stale.h"
#include "run_suite.h"
#include "vendor/vendor.h"

static struct gp_observed *observed;

static bool idle_driver(const char *driver)
{
	return strcmp(driver, "vendor-vfio") == 0;
}

static const struct gp_vendor vendor = {.name = "test", .idle_driver = idle_driver};

static struct gp_pci_addr addr(const char *text)
{
	struct gp_pci_addr out;
	ck_assert_int_eq(gp_pci_addr_parse(text, &out), 0);
	return out;
}

static struct gp_gpu *add_gpu(const char *pf, uint32_t total, uint32_t vfs)
{
	struct gp_gpu *gpu = gp_arena_push(observed->arena, observed->gpus, observed->gpu_count);
	gpu->addr = addr(pf);
	gpu->backend = &vendor;
	gpu->sriov = true;
	gpu->total_vfs = total;
	gpu->num_vfs = vfs;
	gpu->vf_offset = 4;
	gpu->vf_stride = 1;
	for (uint32_t i = 0; i < vfs; i++) {
		struct gp_partition *partition = gp_arena_push(observed->arena, gpu->partitions, gpu->partition_count);
		partition->index = i;
		partition->addr = gp_pci_addr_from_rid(gpu->addr.domain, gp_pci_addr_rid(gpu->addr) + 4 + i);
	}
	return gpu;
}

static struct gp_domain *add_domain(const char *name)
{
	struct gp_domain *domain = gp_arena_push(observed->arena, observed->domains, observed->domain_count);
	domain->name = name;
	domain->uuid.bytes[0] = (uint8_t)observed->domain_count;
	domain->config_known = domain->live_known = true;
	return domain;
}

static struct gp_hostdev *add_config(struct gp_domain *domain, const char *source)
{
	struct gp_hostdev *hostdev = gp_arena_push(observed->arena, domain->config, domain->config_count);
	hostdev->source = addr(source);
	return hostdev;
}

static void add_live(struct gp_domain *domain, const char *source)
{
	gp_arena_push(observed->arena, domain->live, domain->live_count)->source = addr(source);
}

static void set_up(void)
{
	observed = gp_observed_new();
}
static void tear_down(void)
{
	gp_observed_free(observed);
}

static void ck_holder(const struct gp_holder *holder, enum gp_holder_kind kind, const char *name)
{
	ck_assert_int_eq(holder->kind, kind);
	ck_assert_str_eq(holder->name, name);
}

START_TEST(running_and_defined_domains_hold_their_vf)
{
	add_gpu("0000:41:00.0", 8, 4);
	struct gp_domain *web = add_domain("web-01");
	add_config(web, "0000:41:00.6");
	add_live(web, "0000:41:00.6");
	struct gp_domain *old = add_domain("web-02");
	add_config(old, "0000:05:00.0"); /* somebody's NIC */
	add_config(old, "0000:41:00.5");
	gp_join_domains(observed);

	const struct gp_partition *second = gp_gpu_partition(&observed->gpus[0], 2);
	ck_assert_uint_eq(second->holder_count, 2);
	ck_holder(&second->holders[0], GP_HOLDER_DOMAIN_LIVE, "web-01");
	ck_holder(&second->holders[1], GP_HOLDER_DOMAIN_CONFIG, "web-01");
	const struct gp_partition *first = gp_gpu_partition(&observed->gpus[0], 1);
	ck_assert_uint_eq(first->holder_count, 1);
	ck_holder(&first->holders[0], GP_HOLDER_DOMAIN_CONFIG, "web-02");
	ck_assert_uint_eq(first->holders[0].domain, 1);
	ck_assert_uint_eq(first->holders[0].hostdev, 1);
	ck_assert_uint_eq(gp_gpu_partition(&observed->gpus[0], 0)->holder_count, 0);
	ck_assert(!old->config[0].resolved);
	ck_assert(old->config[1].resolved && old->config[1].gpu == 0 && old->config[1].vf == 1);
}
END_TEST

START_TEST(after_a_reboot_a_hostdev_is_known_by_the_address_it_will_have)
{
	add_gpu("0000:41:00.0", 8, 0);
	struct gp_domain *web = add_domain("web-01");
	add_config(web, "0000:41:01.2"); /* 41:00.0 + 4 + 6 */
	gp_join_domains(observed);
	ck_assert(web->config[0].resolved);
	ck_assert_uint_eq(web->config[0].vf, 6);
}
END_TEST

START_TEST(without_offset_and_stride_nothing_is_guessed)
{
	struct gp_gpu *gpu = add_gpu("0000:41:00.0", 8, 0);
	gpu->vf_offset = gpu->vf_stride = 0;
	struct gp_domain *web = add_domain("web-01");
	add_config(web, "0000:41:00.4");
	gp_join_domains(observed);
	ck_assert(!web->config[0].resolved);
}
END_TEST

START_TEST(a_link_is_believed_before_a_prediction)
{
	struct gp_gpu *gpu = add_gpu("0000:41:00.0", 8, 1);
	gpu->partitions[0].addr = addr("0000:41:00.7"); /* where VF 3 would be */
	struct gp_domain *web = add_domain("web-01");
	add_config(web, "0000:41:00.7");
	gp_join_domains(observed);
	ck_assert(web->config[0].resolved);
	ck_assert_uint_eq(web->config[0].vf, 0);
	ck_assert_uint_eq(gpu->partitions[0].holder_count, 1);
}
END_TEST

START_TEST(a_mediated_device_is_no_pci_address)
{
	add_gpu("0000:00:00.0", 8, 4);
	struct gp_domain *web = add_domain("web-01");
	add_config(web, "0000:00:00.4")->type = GP_HOSTDEV_MDEV;
	gp_join_domains(observed);
	ck_assert(!web->config[0].resolved);
}
END_TEST

static struct gp_uuid uuid(uint8_t number)
{
	return (struct gp_uuid){{0x8a, [15] = number}};
}

static void make_mdev(struct gp_gpu *gpu, uint32_t vf, uint8_t number)
{
	gpu->partitions[vf].has_mdev = true;
	gpu->partitions[vf].mdev = uuid(number);
}

START_TEST(a_mediated_device_is_the_vf_that_it_was_made_on)
{
	make_mdev(add_gpu("0000:41:00.0", 8, 4), 1, 7);
	make_mdev(add_gpu("0000:42:00.0", 8, 4), 3, 5);
	make_mdev(&observed->gpus[1], 2, 9);
	struct gp_domain *web = add_domain("web-01");
	*gp_arena_push(observed->arena, web->config, web->config_count) =
		(struct gp_hostdev){.type = GP_HOSTDEV_MDEV, .mdev = uuid(5)};
	*gp_arena_push(observed->arena, web->live, web->live_count) =
		(struct gp_hostdev){.type = GP_HOSTDEV_MDEV, .mdev = uuid(7)};
	*gp_arena_push(observed->arena, web->config, web->config_count) =
		(struct gp_hostdev){.type = GP_HOSTDEV_MDEV, .mdev = uuid(6)}; /* gone with a reboot */
	*gp_arena_push(observed->arena, web->places, web->place_count) =
		(struct gp_hostdev){.type = GP_HOSTDEV_MDEV, .mdev = uuid(9)};
	gp_join_domains(observed);
	ck_assert(web->config[0].resolved && web->config[0].gpu == 1 && web->config[0].vf == 3);
	ck_assert(web->live[0].resolved && web->live[0].gpu == 0 && web->live[0].vf == 1);
	ck_assert(!web->config[1].resolved);
	ck_assert(web->places[0].resolved && web->places[0].vf == 2);
	ck_holder(&observed->gpus[1].partitions[3].holders[0], GP_HOLDER_DOMAIN_CONFIG, "web-01");
	ck_holder(&observed->gpus[0].partitions[1].holders[0], GP_HOLDER_DOMAIN_LIVE, "web-01");
	ck_assert_uint_eq(observed->gpus[1].partitions[2].holder_count, 0);
}
END_TEST

START_TEST(every_vf_of_many_gpus_finds_its_holder)
{
	enum { GPUS = 32, VFS = 16 };
	for (uint32_t g = 0; g < GPUS; g++) {
		char pf[GP_PCI_ADDR_SIZE];
		gp_pci_addr_format((struct gp_pci_addr){.bus = (uint8_t)(0x10 + g)}, pf);
		add_gpu(pf, VFS, VFS);
	}
	for (uint32_t g = 0; g < GPUS; g++)
		for (uint32_t v = 0; v < VFS; v += 2) {
			struct gp_domain *domain = add_domain("vm");
			struct gp_hostdev *hostdev =
				gp_arena_push(observed->arena, domain->config, domain->config_count);
			hostdev->source = observed->gpus[g].partitions[v].addr;
		}
	gp_join_domains(observed);
	for (uint32_t g = 0; g < GPUS; g++)
		for (uint32_t v = 0; v < VFS; v++) {
			const struct gp_partition *partition = &observed->gpus[g].partitions[v];
			ck_assert_uint_eq(partition->holder_count, v % 2 == 0);
			if (v % 2 == 0)
				ck_assert_uint_eq(partition->holders[0].domain, (g * VFS + v) / 2);
		}
}
END_TEST

START_TEST(only_a_foreign_driver_holds)
{
	struct gp_gpu *gpu = add_gpu("0000:41:00.0", 8, 4);
	gpu->partitions[1].driver = "vfio-pci";
	gpu->partitions[2].driver = "vendor-vfio";
	gpu->partitions[3].driver = "xe";
	gp_join_drivers(observed);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(gpu->partitions[i].holder_count, 0);
	ck_assert_uint_eq(gpu->partitions[3].holder_count, 1);
	ck_holder(&gpu->partitions[3].holders[0], GP_HOLDER_DRIVER, "xe");
}
END_TEST

/* ---- stale plans ---- */

static struct gp_plan *plan_of(struct gp_plan *plan, const char *const *devices, size_t count)
{
	struct gp_stage *stage = gp_arena_push(plan->arena, plan->stages, plan->stage_count);
	struct gp_chain *chain = gp_arena_push(plan->arena, stage->chains, stage->chain_count);
	for (size_t i = 0; i < count; i++) {
		struct gp_step *step = gp_arena_push(plan->arena, chain->steps, chain->step_count);
		step->id = (uint32_t)i + 1;
		step->kind = GP_STEP_START;
		step->base = GP_BASE_DOMAIN;
		step->device = devices[i];
		step->what = "start";
	}
	return plan;
}

START_TEST(plans_are_the_same_whatever_their_ids)
{
	GP_CLEANUP(gp_cleanup_gp_plan_free) struct gp_plan *a = gp_plan_new();
	GP_CLEANUP(gp_cleanup_gp_plan_free) struct gp_plan *b = gp_plan_new();
	GP_CLEANUP(gp_str_clear) struct gp_str why = {0};
	plan_of(a, (const char *[]){"web-01", "web-02"}, 2);
	plan_of(b, (const char *[]){"web-01", "web-02"}, 2)->stages[0].chains[0].steps[0].id = 77;
	ck_assert(gp_plan_same_steps(a, b, &why));
	ck_assert_uint_eq(why.length, 0);
}
END_TEST

START_TEST(the_first_step_that_differs_is_named)
{
	GP_CLEANUP(gp_cleanup_gp_plan_free) struct gp_plan *a = gp_plan_new();
	GP_CLEANUP(gp_cleanup_gp_plan_free) struct gp_plan *b = gp_plan_new();
	GP_CLEANUP(gp_str_clear) struct gp_str why = {0};
	plan_of(a, (const char *[]){"web-01", "web-02"}, 2);
	plan_of(b, (const char *[]){"web-01"}, 1);
	ck_assert(!gp_plan_same_steps(a, b, &why));
	ck_assert_msg(strstr(gp_str_text(&why), "web-02") != NULL, "%s", gp_str_text(&why));
	ck_assert_msg(strstr(gp_str_text(&why), "now it would be: nothing more") != NULL, "%s", gp_str_text(&why));
}
END_TEST

#define ck_field_counts(field, value)                                                                                  \
	do {                                                                                                           \
		GP_CLEANUP(gp_cleanup_gp_plan_free) struct gp_plan *a = gp_plan_new();                                 \
		GP_CLEANUP(gp_cleanup_gp_plan_free) struct gp_plan *b = gp_plan_new();                                 \
		GP_CLEANUP(gp_str_clear) struct gp_str why = {0};                                                      \
		plan_of(a, (const char *[]){"web-01"}, 1);                                                             \
		plan_of(b, (const char *[]){"web-01"}, 1)->stages[0].chains[0].steps[0].field = value;                 \
		ck_assert_msg(!gp_plan_same_steps(a, b, &why), "%s does not count", #field);                           \
	} while (0)

START_TEST(every_field_that_a_step_acts_on_counts)
{
	ck_field_counts(kind, GP_STEP_STOP);
	ck_field_counts(base, GP_BASE_PCI);
	ck_field_counts(device, "web-09");
	ck_field_counts(attribute, "x");
	ck_field_counts(before, "x");
	ck_field_counts(after, "x");
	ck_field_counts(pf, addr("0000:41:00.0"));
	ck_field_counts(domain, ((struct gp_uuid){{1}}));
	ck_field_counts(source, "vf:0000:41:00.0/1");
	ck_field_counts(hostdev.alias, "ua-gpupart-0-vdi");
	ck_field_counts(hostdev.source, addr("0000:41:00.1"));
	ck_field_counts(hostdev.guest_xml, "<address/>");
	ck_field_counts(hostdev.managed, true);
	ck_field_counts(timeout_ms, 1);
	ck_field_counts(force, true);
	ck_field_counts(guard, GP_GUARD_OFF);
	ck_field_counts(program, "/usr/lib/nvidia/sriov-manage");
	ck_field_counts(hostdev.mdev, ((struct gp_uuid){{1}}));
	ck_field_counts(hostdev.display, true);
	ck_field_counts(hostdev.ramfb, true);
	ck_field_counts(disruption, GP_DISRUPTS_VM);
}
END_TEST

static const char *changes_since(const struct gp_observed *before, size_t most, struct gp_str *out)
{
	gp_observed_changes(before, observed, most, out);
	return gp_str_text(out);
}

START_TEST(changed_facts_are_told_in_words)
{
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	struct gp_observed *before = observed;
	add_gpu("0000:41:00.0", 8, 4);
	add_gpu("0000:81:00.0", 8, 0);
	add_domain("web-01")->state = GP_DOMAIN_RUNNING;
	add_domain("web-02");

	observed = gp_observed_new();
	add_gpu("0000:41:00.0", 8, 0)->driver = "xe";
	add_domain("web-01")->to_start = true;
	add_config(add_domain("web-02"), "0000:41:00.4");
	add_domain("web-03");
	ck_assert_str_eq(changes_since(before, 100, &text), "GPU 0000:41:00.0 had 4 VFs and has 0; "
							    "GPU 0000:41:00.0 had driver none and has xe; "
							    "GPU 0000:81:00.0 is gone; "
							    "VM web-01 was running and is off; "
							    "our mark on VM web-01 was set; "
							    "the devices in the definition of VM web-02 have changed; "
							    "VM web-03 is new");
	gp_str_clear(&text);
	ck_assert_str_eq(changes_since(before, 1, &text), "GPU 0000:41:00.0 had 4 VFs and has 0");
	gp_observed_free(before);
}
END_TEST

static void set_profile(struct gp_gpu *gpu, uint32_t vf, const char *profile, uint32_t id)
{
	gpu->partitions[vf].profile = profile;
	gpu->partitions[vf].profile_id = id;
	gpu->partitions[vf].blank = id == 0;
}

START_TEST(another_type_of_a_vf_is_a_changed_fact)
{
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	struct gp_observed *before = observed;
	struct gp_gpu *gpu = add_gpu("0000:41:00.0", 8, 5);
	for (uint32_t vf = 0; vf < 5; vf++)
		set_profile(gpu, vf, "A16-4Q", 713);
	set_profile(gpu, 4, NULL, 999);
	make_mdev(gpu, 1, 1);
	make_mdev(gpu, 2, 2);
	gpu->partitions[3].params = "a=1";

	observed = gp_observed_new();
	gpu = add_gpu("0000:41:00.0", 8, 5);
	for (uint32_t vf = 0; vf < 5; vf++)
		set_profile(gpu, vf, "A16-4Q", 713);
	set_profile(gpu, 0, NULL, 0);
	set_profile(gpu, 4, "A16-2Q", 712);
	make_mdev(gpu, 1, 3);
	gpu->partitions[3].params = "a=2";
	ck_assert_str_eq(changes_since(before, 100, &text),
			 "VF 0 of GPU 0000:41:00.0 was A16-4Q and is blank; "
			 "VF 1 of GPU 0000:41:00.0 has another mediated device: 8a000000-0000-0000-0000-000000000003; "
			 "VF 2 of GPU 0000:41:00.0 has lost its mediated device; "
			 "VF 3 of GPU 0000:41:00.0 has other vgpu_params; "
			 "VF 4 of GPU 0000:41:00.0 was of type 999 and is A16-2Q");
	gp_observed_free(before);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		running_and_defined_domains_hold_their_vf,
		after_a_reboot_a_hostdev_is_known_by_the_address_it_will_have,
		without_offset_and_stride_nothing_is_guessed,
		a_link_is_believed_before_a_prediction,
		a_mediated_device_is_no_pci_address,
		a_mediated_device_is_the_vf_that_it_was_made_on,
		every_vf_of_many_gpus_finds_its_holder,
		only_a_foreign_driver_holds,
		plans_are_the_same_whatever_their_ids,
		the_first_step_that_differs_is_named,
		every_field_that_a_step_acts_on_counts,
		changed_facts_are_told_in_words,
		another_type_of_a_vf_is_a_changed_fact,
	};
	return run_tests("run/join", tests, COUNT_OF(tests), set_up, tear_down);
}
