/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A host in a few words, for tests of the planner: no files, no kernel, no libvirt.
 *
 *	gpu 41 8 4 vram=16             PF 0000:41:00.0 with at most 8 VFs, 4 of them there; flags: blind (tells no
 *	                               offset), named (a NIC), unfit, transition, vendor=ID, model=WORD
 *	vm a run b:0.vdi@41/3          state: run off pause saved stop crash; hostdevs: c: in the definition, l:
 *plugged, b: both, p: taken out and its place noted; 0.vdi is our mark (request, class), `hand` is none; the VF is
 *BUS/INDEX, or
 *	                               ?/N for a VF that nobody knows. Flags: transient, mark, fresh, external,
 *unreadable driver 41 2 xe                 VF 2 is bound to a foreign driver vfio 41 2 dpdk 77              process
 *dpdk, pid 77, has it open nolibvirt, noproc              that place of truth cannot be read
 *
 * GPUs whose VFs are given vGPU types one by one, like an A16 (16 VFs; types 1Q 2Q 4Q 8Q 16Q, and of series A, B, C):
 *
 *	gpu 41 16 16 vfio              vendor VFIO: VMs are given the VF, managed='no'; or: mdev. Flags: seems=mdev (as
 *	                               long as it has no VFs), needs=10000000 (libvirt)
 *	vf 41 0-3 4Q                   VFs 0 to 3 have type A16-4Q; also: unusable, params=…
 *	vf 41 3 4Q a/0                 mdev: the mediated device of VM a's first partition is on VF 3
 *	client 41 dcgm 812             a process has the GPU open
 *	noprogram                      the program that makes VFs is not there
 *	libvirt 9000000
 *
 * There a hostdev is 0.vdi@41/3, hand@41/3 (managed='yes' of a VF: yes@41/3), or of a mediated device: 0.vdi=a/0,
 * hand=x/0.
 *
 * A scene can be changed by the steps of a plan, so that a test can carry a plan out and plan again.
 */
#ifndef GP_TEST_PLAN_BUILDERS_H
#define GP_TEST_PLAN_BUILDERS_H

#include "model/observed.h"
#include "model/plan.h"
#include "vendor/vendor.h"

enum { SCENE_GPUS = 40, SCENE_VMS = 300, SCENE_HOSTDEVS = 8, SCENE_HOLDERS = 8, SCENE_VFS = 16, SCENE_TYPE = 16 };

enum scene_form { SCENE_PLAIN, SCENE_VFIO, SCENE_MDEV };

struct scene_vf {
	char type[SCENE_TYPE]; /* "": blank */
	struct gp_uuid mdev;
	char params[48];
	bool unusable;
};

struct scene_gpu {
	unsigned bus;
	uint32_t total, vfs;
	uint64_t vram;
	bool blind, named;
	enum gp_unfit unfit;
	uint16_t vendor;
	char model[32];
	/* vGPUs */
	enum scene_form form, seems;
	struct scene_vf vf[SCENE_VFS];
	uint32_t needs;
	char client[32];
	uint64_t client_pid;
};

struct scene_hostdev {
	bool ours, known;
	char alias[64];
	unsigned bus; /* 0: a VF that nobody knows */
	uint32_t index;
	char guest[48];
	bool managed, is_mdev;
	struct gp_uuid mdev;
};

struct scene_vm {
	char name[32];
	enum gp_domain_state state;
	bool saved, transient, mark, fresh, external, unreadable;
	struct scene_hostdev config[SCENE_HOSTDEVS], live[SCENE_HOSTDEVS];
	size_t config_count, live_count;
	struct scene_hostdev places[SCENE_HOSTDEVS]; /* alias: of what is to come */
	size_t place_count;
};

struct scene_holder {
	enum gp_holder_kind kind;
	unsigned bus;
	uint32_t index;
	char name[32];
	uint64_t pid;
};

struct scene {
	struct scene_gpu gpus[SCENE_GPUS];
	size_t gpu_count;
	struct scene_vm vms[SCENE_VMS];
	size_t vm_count;
	struct scene_holder holders[SCENE_HOLDERS];
	size_t holder_count;
	bool no_libvirt, no_proc;
	bool no_program;
	uint32_t libvirt;
	const struct gp_vendor *vendor; /* NULL: the tests' own */
};

/* Ends the test program on words that it does not know. */
void scene_read(struct scene *scene, const char *text);
struct gp_observed *scene_observe(const struct scene *scene);
/* Carries out the steps of one stage, one by one in their order, as a kernel and libvirt would. False: a step would
 * have failed or disturbed somebody unasked; *why says which. */
bool scene_apply(struct scene *scene, const struct gp_stage *stage, struct gp_str *why);
/* The same, but at every turn any step whose needs are done may be the next. */
bool scene_apply_in_any_order(struct scene *scene, const struct gp_stage *stage, uint32_t *random, struct gp_str *why);
/* The host is booted again: nothing runs; VFs, types and mediated devices are gone. */
void scene_reboot(struct scene *scene);

/* Equal parts, one attribute, one wait: the least that a back-end can be. */
extern const struct gp_vendor scene_vendor;
/* The same, but it asks for another look after its steps. */
extern const struct gp_vendor scene_vendor_looks_again;
/* vGPU types, on either framework; GPUs with the flag vfio or mdev have it by themselves. */
extern const struct gp_vendor scene_vendor_vgpu;

struct gp_desired *want_text(const char *yaml); /* faults end the test program */

/*
 * A plan in one line, for comparing:
 *
 *	"mark a, stop a, detach a 41/6, 41 8>0, 41 0>4, 41 wait 4, attach a 41/2 [0.vdi], start a, unmark a"
 *
 * Of vGPU types: "41 sriov-manage", "41/3 -4Q" (cleared), "41/3 +4Q", "41/3 params"; "41 -a/0" (a mediated device is
 * removed), "41/3 +4Q a/0", "a/0 params". Chains are divided by " | ", stages by " || ", then "; wait: …" and "; error:
 *…" (codes).
 */
void plan_digest(const struct gp_plan *plan, struct gp_str *out);

#endif
