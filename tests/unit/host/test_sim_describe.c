/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The language in which machines are described: what it gives, and its faults word by word. */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/sim_describe.h"
#include "sim_machine.h"

static struct gp_arena *arena;
static struct gp_sources sources;
static struct gp_diags diags;
static struct gp_sim_description machine;

static int describe(const char *text)
{
	const struct gp_source *source = gp_sources_add(&sources, "host.yaml", text, strlen(text));
	return gp_sim_describe(source, arena, &machine, &diags);
}

static void setup(void)
{
	arena = gp_arena_new();
}

static void teardown(void)
{
	gp_diags_clear(&diags);
	gp_sources_clear(&sources);
	gp_arena_free(arena);
}

START_TEST(short_descriptions_say_much)
{
	setup();
	ck_assert_int_eq(describe("version: 1\n"
				  "hostname: gpu-01\n"
				  "gpus:\n"
				  "  - {address: \"0000:41:00.0\", repeat: 3, step: 2, preset: flex-140, slot: 4}\n"
				  "  - {address: \"0000:21:00.0\", preset: flex-170, vfs: 2, vf_driver: vfio-pci}\n"
				  "vms:\n"
				  "  - names: [\"d-[08-11]\", e]\n"
				  "    hostdevs: [{vf: \"0000:21:00.0/0\", ours: vdi}]\n"),
			 0);
	ck_assert_str_eq(machine.hostname, "gpu-01");
	ck_assert_uint_eq(machine.gpu_count, 4);
	char addr[GP_PCI_ADDR_SIZE];
	ck_assert_str_eq(gp_pci_addr_format(machine.gpus[0].device.addr, addr), "0000:21:00.0");
	ck_assert_uint_eq(machine.gpus[0].vfs, 2);
	ck_assert_str_eq(machine.gpus[0].vf_driver, "vfio-pci");
	ck_assert_str_eq(gp_pci_addr_format(machine.gpus[3].device.addr, addr), "0000:45:00.0");
	ck_assert_str_eq(machine.gpus[3].device.slot, "6");
	ck_assert_uint_eq(machine.gpus[3].device.vram, UINT64_C(6) << 30);
	ck_assert_int_eq(machine.gpus[3].device.numa_node, -1);
	ck_assert_uint_eq(machine.gpus[3].device.total_vfs, 31);

	ck_assert_uint_eq(machine.vm_count, 5);
	ck_assert_str_eq(machine.vms[0].name, "d-08");
	ck_assert_str_eq(machine.vms[3].name, "d-11");
	ck_assert_str_eq(machine.vms[4].name, "e");
	/* The next VF for the next name, and then the next GPU. */
	ck_assert_str_eq(gp_pci_addr_format(machine.vms[1].hostdevs[0].source, addr), "0000:21:00.2");
	ck_assert_str_eq(gp_pci_addr_format(machine.vms[2].hostdevs[0].source, addr), "0000:41:00.1");
	ck_assert_str_eq(machine.vms[2].hostdevs[0].alias, "ua-gpupart-0-vdi");
	ck_assert(!gp_uuid_equal(machine.vms[0].uuid, machine.vms[1].uuid));
	teardown();
}
END_TEST

START_TEST(presets_may_be_overruled)
{
	setup();
	ck_assert_int_eq(
		describe("version: 1\ngpus:\n"
			 "  - {totalvfs: 7, driver: i915, name: Other, address: \"0000:41:00.0\", preset: flex-170,"
			 " subsystem: \"1028:0001\", class: 0x030000}\n"),
		0);
	const struct gp_sim_device *device = &machine.gpus[0].device;
	ck_assert_uint_eq(device->total_vfs, 7);
	ck_assert_uint_eq(device->initial_vfs, 7);
	ck_assert_str_eq(device->driver, "i915");
	ck_assert_uint_eq(device->subsystem_vendor, 0x1028);
	ck_assert_uint_eq(device->pci_class, 0x030000);
	ck_assert_uint_eq(device->device, 0x56c0);
	ck_assert_str_eq(machine.gpus[0].name, "Other");
	teardown();
}
END_TEST

/* What is said about the text, without the quoted lines. */
static void says(const char *text, const char *expected)
{
	GP_CLEANUP(gp_str_clear) struct gp_str found = {0};
	setup();
	ck_assert_int_eq(describe(text), -1);
	gp_diags_sort(&diags);
	for (size_t i = 0; i < diags.count; i++) {
		const struct gp_diag *diag = &diags.items[i];
		gp_str_printf(&found, "%u:%u: %s\n", diag->error.mark.line, diag->error.mark.column,
			      diag->error.message);
		ck_assert_int_eq(diag->error.kind, GP_E_INPUT);
	}
	ck_assert_str_eq(gp_str_text(&found), expected);
	teardown();
}

#define GPU "version: 1\ngpus:\n  - {address: \"0000:41:00.0\", preset: flex-170"

#define A16 "version: 1\ngpus:\n  - {address: \"0000:41:00.0\", preset: a16"

START_TEST(vgpus_are_given_to_vfs)
{
	setup();
	ck_assert_int_eq(describe("version: 1\nlibvirt: 9.0.0\ngpus:\n"
				  "  - {address: \"0000:41:00.0\", repeat: 2, preset: a16, profile: A16-8Q}\n"
				  "  - {address: \"0000:61:00.0\", preset: a2, profiles: [A2-4Q, none, A2-4C]}\n"
				  "  - {address: \"0000:81:00.0\", preset: a40, framework: mdev, profile: A40-12Q}\n"
				  "  - {address: \"0000:a1:00.0\", preset: a100}\n"
				  "vms:\n"
				  "  - {names: [\"d-[1-4]\"], hostdevs: [{vf: \"0000:41:00.0/0\", ours: vdi}]}\n"
				  "  - {name: m, hostdevs: [{vf: \"0000:81:00.0/7\", ours: vdi}]}\n"),
			 0);
	ck_assert_str_eq(machine.libvirt, "9.0.0");
	ck_assert_uint_eq(machine.gpus[0].vfs, 16); /* sriov-manage makes all of them */
	ck_assert_str_eq(machine.gpus[0].vf_driver, "nvidia");
	ck_assert_uint_eq(machine.gpus[1].vgpu_count, 2);
	ck_assert_uint_eq(machine.gpus[1].vgpus[1].vf, 1);
	ck_assert_uint_eq(machine.gpus[1].vgpus[1].type, 714);
	ck_assert_uint_eq(machine.gpus[2].vgpu_count, 2);
	ck_assert_uint_eq(machine.gpus[2].vgpus[1].vf, 2);
	ck_assert_uint_eq(machine.gpus[2].vgpus[1].type, 754);
	ck_assert_uint_eq(machine.gpus[4].device.minor, 4);
	/* Before a VM asks for it, there is no mediated device. */
	ck_assert_uint_eq(machine.gpus[3].vgpu_count, 1);
	ck_assert_uint_eq(machine.gpus[3].vgpus[0].vf, 7);
	ck_assert(gp_uuid_equal(machine.gpus[3].vgpus[0].mdev, gp_mdev_uuid(machine.vms[4].uuid, 0)));
	ck_assert_uint_eq(machine.vms[4].hostdevs[0].type, GP_HOSTDEV_MDEV);
	/* Names go on where there is a vGPU, not on the blank VFs behind it. */
	char addr[GP_PCI_ADDR_SIZE];
	ck_assert_str_eq(gp_pci_addr_format(machine.vms[1].hostdevs[0].source, addr), "0000:41:00.5");
	ck_assert_str_eq(gp_pci_addr_format(machine.vms[2].hostdevs[0].source, addr), "0000:42:00.4");
	ck_assert(!machine.vms[2].hostdevs[0].managed);
	teardown();
}
END_TEST

START_TEST(faults_of_vgpus)
{
	says(GPU ", framework: mdev, profile: X}\n", "3:60: 'framework' is for a GPU of NVIDIA's with driver nvidia\n"
						     "3:75: 'profile' is for a GPU of NVIDIA's with driver nvidia\n");
	says(A16 ", framework: vfoi, scheduler: fair}\n", "3:55: unknown framework 'vfoi'; did you mean 'vfio'?\n"
							  "3:72: unknown scheduler 'fair'\n");
	says(A16 ", profile: A2-4Q}\n", "3:53: the driver knows no vGPU type 'A2-4Q' for this GPU\n");
	says(A16 ", profile: A16-4Q, vgpu_driver: false}\n",
	     "3:5: without the vGPU driver and SR-IOV the GPU has no vGPUs\n");
	says(A16 ", profiles: [A16-8Q, A16-8Q, A16-8C]}\n", "3:71: there can be 2 vGPUs of this size on the GPU\n");
	says(A16 ", profiles: [A16-8Q, A16-4Q]}\n", "3:63: all vGPUs of a GPU have one size of framebuffer\n");
	says(A16 ", vfs: 1, profiles: [A16-8Q, A16-8Q]}\n", "3:71: there is no VF 1: 'vfs' is 1\n");
	says(A16 ", vfs: 16, vf_driver: vfio-pci}\n",
	     "3:64: VFs of the vGPU driver have driver nvidia, or none and no vGPU\n");
	says(A16 ", mdevs: []}\n",
	     "3:51: 'mdevs' is a list of the mediated devices of one GPU, with 'framework: mdev'\n");
	says(A16 ", framework: mdev, mdevs: [{vf: 1}, {vf: 16, profile: A16-4Q, uuid: x}]}\n",
	     "3:69: a mediated device needs 'vf', 'profile' and 'uuid'\n"
	     "3:78: there is no VF 16: 'vfs' is 16\n");
	says("version: 1\nlibvirt: new\nsriov_manage: sriov-manage\n",
	     "2:10: 'libvirt' is a version as in \"9.0.0\", not 'new'\n"
	     "3:15: 'sriov_manage' is a path below /usr or /opt that ends in sriov-manage, not 'sriov-manage'\n");
	says(A16 ", vfs: 16}\nvms:\n  - {name: a, state: running, hostdevs: [{vf: \"0000:41:00.0/0\"}]}\n",
	     "5:47: VM 'a' runs, so 0000:41:00.4 must be there: enable enough VFs ('vfs'), and give it a vGPU "
	     "('profile')\n");
	says(A16 ", framework: mdev, vfs: 16}\nvms:\n  - {name: a, state: running, hostdevs: [{mdev: "
		 "11111111-2222-4333-8444-555555555501}]}\n",
	     "5:49: VM 'a' runs, so 11111111-2222-4333-8444-555555555501 must be there: enable enough VFs ('vfs'), "
	     "and say of which type it is ('profile', or 'mdevs')\n");
}
END_TEST

START_TEST(faults_of_the_whole)
{
	says("", "1:1: the description of the machine is empty\n");
	says("- 1\n", "1:1: the description of a machine is a mapping\n");
	says("gpus: []\n", "1:1: the description of a machine begins with 'version: 1'\n");
	says("version: 2\n", "1:10: this gpupart knows version 1 of the language\n");
	says("version: 1\nhostnme: x\nhostname: a b\ngpus: 3\n",
	     "2:1: unknown key 'hostnme'; did you mean 'hostname'?\n"
	     "3:11: 'a b' is no host name\n"
	     "4:7: 'gpus' is a list\n");
}
END_TEST

START_TEST(faults_of_gpus)
{
	says("version: 1\ngpus:\n  - {}\n  - none\n", "3:5: a GPU needs an 'address'\n4:5: a GPU is a mapping\n");
	says("version: 1\ngpus:\n  - {address: \"0000:41:00.0\"}\n",
	     "3:5: a GPU needs a 'vendor', or a 'preset' that has one\n"
	     "3:5: a GPU needs a 'device', or a 'preset' that has one\n");
	says("version: 1\ngpus:\n  - {address: \"0:41:0.9\", preset: flex-71, vendor: 10000, vfs: -1, mmio: 1, slot: "
	     "a/b}\n",
	     "3:15: 'address' is a PCI address as in \"0000:41:00.0\", not '0:41:0.9'\n"
	     "3:35: unknown preset 'flex-71'; did you mean 'flex-170'?\n"
	     "3:52: 'vendor' is a hexadecimal number up to ffff, not '10000'\n"
	     "3:64: 'vfs' is a number from 0 to 4096, not '-1'\n"
	     "3:74: 'mmio' is true or false, not '1'\n"
	     "3:83: 'a/b' is no name for 'slot'\n");
	says(GPU ", vfs: 32}\n", "3:54: 32 VFs are enabled, but the device has no more than 31\n");
	says(GPU ", vfs: 2, driver_totalvfs: 1}\n", "3:54: 2 VFs are enabled, but the device has no more than 1\n");
	says(GPU ", vfs: 2, mmio: false}\n", "3:54: VFs cannot be enabled without room for their BARs (mmio: false)\n");
	says(GPU ", vfs: 8, offset: 250, buses: 1}\n",
	     "3:54: 8 VFs do not fit into the bus numbers that are left (buses: 1)\n");
	says(GPU ", vram: 8GiB, driver: none}\n",
	     "3:55: driver 'none' does not show the memory of its GPU; amdgpu, gim, xe and i915 do\n");
	says(GPU ", vram: 8GB}\n",
	     "3:55: '8GB' could mean 8GiB (8589934592 bytes) or about 7629MiB (8000000000 bytes)\n");
	says(GPU ", subsystem: 4905}\n", "3:60: 'subsystem' is vendor and device as in \"8086:4905\", not '4905'\n");
	says(GPU ", repeat: 200}\n", "3:15: 200 devices from bus 41 on do not fit: bus 108 would be the last\n");
	says(GPU "}\n  - {address: \"0000:41:00.0\", preset: flex-140}\n",
	     "4:15: two devices have the address 0000:41:00.0\n");
	says(GPU ", offset: 250}\n  - {address: \"0000:42:00.0\", preset: flex-140}\n",
	     "4:15: the device at 0000:42:00.0 would be where VF 6 of 0000:41:00.0 is; a 'step' keeps them apart\n");
}
END_TEST

START_TEST(faults_of_vms)
{
	says(GPU "}\nvms:\n  - {}\n  - {name: a, state: runing, autostrat: true}\n",
	     "5:5: a VM needs either 'name' or 'names'\n"
	     "6:22: unknown state 'runing'; did you mean 'running'?\n"
	     "6:30: unknown key 'autostrat'; did you mean 'autostart'?\n");
	says(GPU "}\nvms:\n  - {name: a/b}\n  - {names: \"a-[1-\"}\n  - {names: {}}\n  - {name: c}\n  - {name: c}\n",
	     "5:12: 'a/b' is no name for a VM\n"
	     "6:13: 'a-[1-' is no pattern of names as in \"desktop-[01-64]\"\n"
	     "7:13: 'names' is a list of names\n"
	     "9:12: there are two VMs 'c'\n");
	says(GPU "}\nvms:\n  - {name: a, persistent: false, autostart: true}\n",
	     "5:5: a VM that is not persistent exists only while it runs\n"
	     "5:5: a VM that is not persistent cannot be started by itself\n");
	says(GPU "}\nvms:\n  - {name: a, managed_save: true, state: running}\n",
	     "5:5: a VM with a managed save image is off\n");
	says(GPU "}\nvms:\n  - {name: a, external: pacemaker}\n  - {name: b, external: nava}\n",
	     "5:25: pacemaker leaves no trace in what it starts; nova, ovirt and opennebula do\n"
	     "6:25: unknown cluster manager 'nava'; did you mean 'nova'?\n");
	says(GPU "}\nvms:\n  - {names: [a, b], uuid: 00000000-0000-4000-8000-000000000001}\n  - {name: c, uuid: x}\n",
	     "5:27: one UUID cannot be that of several VMs: give it with 'name'\n"
	     "6:21: 'x' is no UUID\n");
}
END_TEST

START_TEST(faults_of_hostdevs)
{
	says(GPU "}\nvms:\n  - {name: a, hostdevs: 3}\n", "5:25: 'hostdevs' is a list\n");
	says(GPU
	     "}\nvms:\n  - name: a\n    hostdevs: [{}, {vf: x}, {vf: \"0000:42:00.0/1\"}, {vf: \"0000:41:00.0/31\"},"
	     " {source: x}, {vf: \"0000:41:00.0/1\", ours: VDI}]\n",
	     "6:16: a hostdev needs one of 'vf', 'source' and 'mdev'\n"
	     "6:25: 'vf' is a GPU and the index of a VF as in \"0000:41:00.0/3\", not 'x'\n"
	     "6:34: this machine has no GPU at 0000:42:00.0\n"
	     "6:58: 0000:41:00.0 has 31 VFs, counted from 0; there is no VF 31\n"
	     "6:87: 'source' is a PCI address as in \"0000:41:00.0\", not 'x'\n"
	     "6:120: 'ours' is the name of a class, not 'VDI'\n");
	says(GPU ", vfs: 2}\nvms:\n  - {name: a, state: running, hostdevs: [{vf: \"0000:41:00.0/2\"}]}\n",
	     "5:47: VM 'a' runs, so 0000:41:00.3 must be there: enable enough VFs ('vfs')\n");
	says(GPU ", vfs: 2}\nvms:\n  - {name: a, state: running, hostdevs: [{vf: \"0000:41:00.0/1\"}]}\n"
		 "  - {name: b, state: paused, hostdevs: [{vf: \"0000:41:00.0/1\"}]}\n",
	     "6:46: VMs 'a' and 'b' cannot both run on 0000:41:00.2\n");
	says(GPU ", vfs: 2}\nvms:\n  - {names: [\"a-[1-3]\"], hostdevs: [{vf: \"0000:41:00.0/0\"}]}\n",
	     "5:42: there are not enough VFs from 0000:41:00.0/0 on for all names\n");
}
END_TEST

/* ---- making it ---- */

START_TEST(nothing_is_made_from_a_faulty_description)
{
	struct gp_error err = {0};
	char dir[] = "/tmp/gp-describe-XXXXXX";
	setup();
	ck_assert_ptr_nonnull(mkdtemp(dir));
	gp_autofree char *file = gp_xasprintf("%s/host.yaml", dir);
	gp_autofree char *made = gp_xasprintf("%s/machine", dir);
	FILE *out = fopen(file, "we");
	fputs("version: 3\n", out);
	fclose(out);
	ck_assert_int_eq(gp_sim_create(made, file, &sources, &diags, &err), -1);
	ck_assert_int_eq(err.kind, GP_E_INPUT);
	ck_assert_uint_eq(diags.error_count, 1);
	ck_assert_int_eq(access(made, F_OK), -1);
	gp_error_clear(&err);
	ck_assert_int_eq(gp_sim_create(made, "/nonexistent/host.yaml", &sources, &diags, &err), -1);
	ck_assert_int_eq(err.kind, GP_E_NOT_FOUND);
	gp_error_clear(&err);
	unlink(file);
	rmdir(dir);
	teardown();
}
END_TEST

START_TEST(a_directory_in_use_is_left_alone)
{
	struct gp_error err = {0};
	struct machine m;
	setup();
	machine_make(&m, GPU "}\n");
	gp_autofree char *file = gp_xasprintf("%s/gpupart-sim.yaml", m.dir);
	ck_assert_str_eq(machine_raw(&m, "gpupart-sim.yaml"), GPU "}\n");
	ck_assert_int_eq(gp_sim_create(m.dir, file, &sources, &diags, &err), -1);
	ck_assert_int_eq(err.kind, GP_E_USAGE);
	ck_assert(machine_has(&m, "sys/bus/pci/devices/0000:41:00.0"));
	gp_error_clear(&err);
	machine_remove(&m);
	teardown();
}
END_TEST

/* Every example has its machine, of the same name, and each machine can be made. */
START_TEST(machines_of_the_examples)
{
	DIR *dir = opendir(GP_SOURCE_DIR "/examples/hosts");
	unsigned count = 0;
	ck_assert_ptr_nonnull(dir);
	for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
		if (!gp_glob_match("*.yaml", entry->d_name, false))
			continue;
		struct gp_error err = {0};
		GP_CLEANUP(gp_sources_clear) struct gp_sources own = {0};
		GP_CLEANUP(gp_diags_clear) struct gp_diags faults = {0};
		gp_autofree char *path = gp_xasprintf(GP_SOURCE_DIR "/examples/hosts/%s", entry->d_name);
		struct machine m;
		machine_directory(&m);
		ck_assert_msg(gp_sim_create(m.dir, path, &own, &faults, &err) == 0, "%s: %s", path, err.message);
		m.root = gp_sim_open(m.dir, &err);
		machine_remove(&m);
		count++;
	}
	closedir(dir);
	ck_assert_uint_ge(count, 1);

	dir = opendir(GP_SOURCE_DIR "/examples");
	for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
		if (!gp_glob_match("*.yaml", entry->d_name, false))
			continue;
		gp_autofree char *path = gp_xasprintf(GP_SOURCE_DIR "/examples/hosts/%s", entry->d_name);
		ck_assert_msg(access(path, R_OK) == 0, "%s is missing", path);
	}
	closedir(dir);
}
END_TEST

MACHINE_RUN("sim_describe", short_descriptions_say_much, presets_may_be_overruled, vgpus_are_given_to_vfs,
	    faults_of_vgpus, faults_of_the_whole, faults_of_gpus, faults_of_vms, faults_of_hostdevs,
	    nothing_is_made_from_a_faulty_description, a_directory_in_use_is_left_alone, machines_of_the_examples)
