/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The snapshot for machines, key by key: what is here cannot change without a new format version. */
#include <json-c/json.h>

#include "../base/base_suite.h"
#include "model/observed.h"

static struct gp_offer offers[GP_RESOURCE_COUNT] = {
	[GP_VRAM] = {.hold = GP_HOLD_HARDWARE,
		     .has_bytes = true,
		     .bytes = UINT64_C(8589934592),
		     .has_share = true,
		     .share = 500000},
	[GP_ENCODE] = {.hold = GP_HOLD_HARDWARE, .has_engines = true, .engines = 1},
	[GP_DECODE] = {.hold = GP_HOLD_ADMISSION, .has_share = true, .share = 500000},
};

#define OFFERS                                                                                                         \
	"{\"vram\":{\"hold\":\"hardware\",\"bytes\":8589934592,\"share_ppm\":500000},"                                 \
	"\"encode\":{\"hold\":\"hardware\",\"engines\":1},"                                                            \
	"\"decode\":{\"hold\":\"admission\",\"share_ppm\":500000},\"compute\":{\"hold\":\"not expressible\"}}"

static struct gp_holder holders[] = {
	{.kind = GP_HOLDER_VFIO, .name = "qemu-system-x86", .pid = 812},
	{.kind = GP_HOLDER_DOMAIN_LIVE, .name = "cad-01", .domain = 0, .hostdev = 1},
	{.kind = GP_HOLDER_DRIVER, .name = "xe"},
};

static struct gp_partition partitions[] = {
	{.index = 0,
	 .addr = {.bus = 0x41, .function = 1},
	 .driver = "vfio-pci",
	 .iommu_group_known = true,
	 .iommu_group = 77,
	 .profile = "half",
	 .profile_id = 713,
	 .has_mdev = true,
	 .mdev = {{0xcd}},
	 .params = "frame_rate_limiter=0",
	 .unusable_why = "its driver is not bound",
	 .holders = holders,
	 .holder_count = COUNT_OF(holders)},
};

static struct gp_layout_group group = {
	.count = 2, .profile = "half", .profile_id = 713, .series = "Q", .most = 2, .alone = true};

static struct gp_holder clients[] = {{.kind = GP_HOLDER_CLIENT, .name = "nv-hostengine", .pid = 77}};
static struct gp_layout layout = {.count = 2, .groups = &group, .group_count = 1};

static struct gp_gpu gpus[] = {
	{.addr = {.bus = 0x41},
	 .vendor = 0x8086,
	 .device = 0x56c0,
	 .subsystem_vendor = 0x8086,
	 .subsystem_device = 0x4905,
	 .pci_class = 0x038000,
	 .vendor_name = "Intel Corporation",
	 .model = "Flex 170",
	 .driver = "xe",
	 .slot = "4",
	 .numa_node = 1,
	 .backend_name = "sriov",
	 .sriov = true,
	 .total_vfs = 31,
	 .num_vfs = 1,
	 .capability_known = true,
	 .vf_enable = true,
	 .cap_num_vfs = 1,
	 .vf_offset = 1,
	 .vf_stride = 1,
	 .autoprobe_known = true,
	 .vram_bytes = UINT64_C(17179869184),
	 .vram_source = "mem_info_vram_total",
	 .count = 1,
	 .driver_version = "550.54.10",
	 .framework = "mdev",
	 .framework_expected = true,
	 .series = "A B C Q",
	 .scheduler = "best effort",
	 .libvirt_min = 10000000,
	 .libvirt_why = "older ones refuse it",
	 .not_creatable = "none",
	 .clients = clients,
	 .client_count = COUNT_OF(clients),
	 .layouts = &layout,
	 .layout_count = 1,
	 .partitions = partitions,
	 .partition_count = 1},
	{.addr = {.bus = 0x42},
	 .vendor = 0x10de,
	 .numa_node = -1,
	 .backend_name = "nvidia",
	 .unfit = GP_UNFIT_NEEDS_BACKEND,
	 .unfit_why = "needs its own back-end",
	 .unfit_remedy = "leave it out",
	 .busy = true,
	 .busy_by = "gpupart-write"},
};

static struct gp_hostdev config[] = {
	{.type = GP_HOSTDEV_PCI,
	 .source = {.bus = 0x41, .function = 4},
	 .managed = true,
	 .alias = "ua-gpupart-0-cad",
	 .ours = true,
	 .guest_xml = "<rom bar='off'/>",
	 .resolved = true,
	 .gpu = 0,
	 .vf = 3},
	{.type = GP_HOSTDEV_MDEV, .mdev = {{0xab}}, .display = true, .ramfb = true, .guest_xml = ""},
};

static struct gp_domain domains[] = {
	{.name = "cad-01",
	 .uuid = {{0xc7}},
	 .state = GP_DOMAIN_RUNNING,
	 .persistent = true,
	 .managed_save = true,
	 .external = "pacemaker",
	 .to_start = true,
	 .running_ms = 61000,
	 .config_known = true,
	 .unknown_why = "live XML: timed out",
	 .config = config,
	 .config_count = 2,
	 .places = config,
	 .place_count = 1},
};

static const char expected[] =
	"{\"format_version\":\"1.0\",\"kind\":\"observation\",\"hostname\":\"gpu-1\",\"host_kind\":\"captured\","
	"\"root\":\"/srv/gpu-1\",\"domains_state\":{\"known\":true,\"why\":null},"
	"\"hypervisor\":{\"libvirt\":\"9.3.2\",\"qemu\":null},"
	"\"vfio_state\":{\"known\":false,\"why\":\"/proc is closed\"},"
	"\"gpus\":[{\"address\":\"0000:41:00.0\",\"vendor\":\"8086\",\"device\":\"56c0\",\"subsystem_vendor\":\"8086\","
	"\"subsystem_device\":\"4905\",\"class\":\"038000\",\"vendor_name\":\"Intel Corporation\",\"model\":\"Flex "
	"170\","
	"\"driver\":\"xe\",\"slot\":\"4\",\"numa_node\":1,\"named_only\":false,\"backend\":\"sriov\",\"unfit\":null,"
	"\"unfit_why\":null,\"unfit_remedy\":null,\"busy\":false,\"busy_by\":null,"
	"\"sriov\":{\"present\":true,\"total_vfs\":31,\"num_vfs\":1,\"capability_known\":true,\"vf_enable\":true,"
	"\"capability_num_vfs\":1,\"vf_offset\":1,\"vf_stride\":1,\"drivers_autoprobe\":false},"
	"\"vram_bytes\":17179869184,\"vram_source\":\"mem_info_vram_total\",\"count\":1,"
	"\"vendor_driver\":{\"driver_version\":\"550.54.10\",\"framework\":\"mdev\",\"framework_expected\":true,"
	"\"series\":\"A B C Q\",\"scheduler\":\"best effort\",\"libvirt_min\":\"10.0.0\","
	"\"libvirt_why\":\"older ones refuse it\",\"not_creatable\":\"none\","
	"\"clients\":[{\"kind\":\"client\",\"name\":\"nv-hostengine\",\"pid\":77}]},"
	"\"layouts\":[{\"count\":2,\"groups\":[{\"count\":2,\"profile\":\"half\",\"profile_id\":713,\"series\":\"Q\","
	"\"most\":2,"
	"\"alone\":true,\"offers\":" OFFERS "}]}],"
	"\"partitions\":[{\"index\":0,\"address\":\"0000:41:00.1\",\"driver\":\"vfio-pci\",\"iommu_group\":77,"
	"\"profile\":\"half\",\"profile_id\":713,\"blank\":false,\"mdev\":\"cd000000-0000-0000-0000-000000000000\","
	"\"params\":\"frame_rate_limiter=0\",\"unusable_why\":\"its driver is not bound\",\"offers\":" OFFERS ","
	"\"holders\":[{\"kind\":\"vfio\",\"name\":\"qemu-system-x86\",\"pid\":812},"
	"{\"kind\":\"domain-live\",\"name\":\"cad-01\",\"hostdev\":1},{\"kind\":\"driver\",\"name\":\"xe\"}]}]},"
	"{\"address\":\"0000:42:00.0\",\"vendor\":\"10de\",\"device\":\"0000\",\"subsystem_vendor\":\"0000\","
	"\"subsystem_device\":\"0000\",\"class\":\"000000\",\"vendor_name\":null,\"model\":null,\"driver\":null,"
	"\"slot\":null,\"numa_node\":null,\"named_only\":false,\"backend\":\"nvidia\",\"unfit\":\"needs-backend\","
	"\"unfit_why\":\"needs its own back-end\",\"unfit_remedy\":\"leave it "
	"out\",\"busy\":true,\"busy_by\":\"gpupart-write\","
	"\"sriov\":{\"present\":false,\"total_vfs\":0,\"num_vfs\":0,\"capability_known\":false,\"vf_enable\":null,"
	"\"capability_num_vfs\":null,\"vf_offset\":0,\"vf_stride\":0,\"drivers_autoprobe\":null},"
	"\"vram_bytes\":null,\"vram_source\":null,\"count\":0,"
	"\"vendor_driver\":{\"driver_version\":null,\"framework\":null,\"framework_expected\":false,\"series\":null,"
	"\"scheduler\":null,\"libvirt_min\":null,\"libvirt_why\":null,\"not_creatable\":null,\"clients\":[]},"
	"\"layouts\":[],\"partitions\":[]}],"
	"\"domains\":[{\"uuid\":\"c7000000-0000-0000-0000-000000000000\",\"name\":\"cad-01\",\"state\":\"running\","
	"\"persistent\":true,\"autostart\":false,\"managed_save\":true,\"external\":\"pacemaker\",\"to_start\":true,"
	"\"running_ms\":61000,\"config_known\":true,\"live_known\":false,\"unknown_why\":\"live XML: timed out\","
	"\"config\":[{\"type\":\"pci\",\"source\":\"0000:41:00.4\",\"managed\":true,\"display\":false,\"ramfb\":false,"
	"\"elsewhere\":false,\"alias\":\"ua-gpupart-0-cad\","
	"\"ours\":true,\"guest_xml\":\"<rom bar='off'/>\",\"partition\":\"vf:0000:41:00.0/3\"},"
	"{\"type\":\"mdev\",\"source\":\"ab000000-0000-0000-0000-000000000000\",\"managed\":false,\"display\":true,"
	"\"ramfb\":true,\"elsewhere\":false,\"alias\":null,"
	"\"ours\":false,\"guest_xml\":\"\",\"partition\":null}],\"live\":[],"
	"\"places\":[{\"type\":\"pci\",\"source\":\"0000:41:00.4\",\"managed\":true,\"display\":false,\"ramfb\":false,"
	"\"elsewhere\":false,\"alias\":\"ua-gpupart-0-cad\","
	"\"ours\":true,\"guest_xml\":\"<rom bar='off'/>\",\"partition\":\"vf:0000:41:00.0/3\"}]}]}";

START_TEST(every_fact_has_its_key)
{
	struct gp_observed observed = {.hostname = "gpu-1",
				       .kind = GP_HOST_CAPTURED,
				       .root = "/srv/gpu-1",
				       .gpus = gpus,
				       .gpu_count = 2,
				       .domains = domains,
				       .domain_count = 1,
				       .domains_state = {.known = true},
				       .hypervisor = {.version = 9003002},
				       .vfio_state = {.why = "/proc is closed"}};
	for (int i = 0; i < GP_RESOURCE_COUNT; i++)
		group.offers[i] = partitions[0].offers[i] = offers[i];
	struct json_object *json = gp_observed_to_json(&observed);
	ck_assert_str_eq(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
			 expected);
	json_object_put(json);
}
END_TEST

START_TEST(an_empty_snapshot_has_all_top_level_keys)
{
	static const char *const keys[] = {"format_version", "kind",       "hostname",   "host_kind", "root",
					   "domains_state",  "hypervisor", "vfio_state", "gpus",      "domains"};
	struct json_object *json = gp_observed_to_json(&(struct gp_observed){0});
	for (size_t i = 0; i < COUNT_OF(keys); i++)
		ck_assert_msg(json_object_object_get_ex(json, keys[i], NULL), "%s is missing", keys[i]);
	ck_assert_int_eq(json_object_object_length(json), (int)COUNT_OF(keys));
	json_object_put(json);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {every_fact_has_its_key, an_empty_snapshot_has_all_top_level_keys};
	return run_tests("model_observed_json", tests, COUNT_OF(tests));
}
