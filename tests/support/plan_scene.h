/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the two halves of the builders share: plain SR-IOV (plan_builders.c) and vGPU types (plan_vgpu.c). */
#ifndef GP_TEST_PLAN_SCENE_H
#define GP_TEST_PLAN_SCENE_H

#include "plan_builders.h"

_Noreturn void scene_give_up(const char *what, const char *word);
size_t scene_gpu_at(const struct scene *scene, unsigned bus);
void scene_add_words(char *to, size_t size, const char *from);

/* VMs of a scene have UUIDs that begin with their name; "a/0" is the first mediated device of VM a. */
struct gp_uuid scene_vm_uuid(const char *name);
struct gp_uuid scene_mdev_uuid(const char *text);

/* Lines of the language that are about vGPU types. False: another line. */
bool vgpu_read_line(struct scene *scene, char **words, size_t count);
void vgpu_observe(struct gp_observed *observed, const struct scene_gpu *from, struct gp_gpu *gpu);
/* Where the mediated device is; false: nowhere. */
bool vgpu_find_mdev(const struct scene *scene, struct gp_uuid uuid, size_t *gpu, uint32_t *vf);
/* Would a VM that is given this hostdev start? */
bool vgpu_can_start_with(const struct scene *scene, const struct scene_vm *vm, const struct scene_hostdev *hostdev,
			 struct gp_str *why);
bool vgpu_apply(struct scene *scene, struct scene_gpu *gpu, const struct gp_step *step, struct gp_str *why);
bool vgpu_knows(const struct gp_step *step); /* a write that is about a vGPU */
void vgpu_digest(const struct gp_step *step, struct gp_str *out);

#endif
