/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine with one NVIDIA GPU, its files in a temporary directory and read by the real host room; the facts that the
 * host room finds out of a PF are written down in `gpu`.
 */
#ifndef GP_TEST_NVIDIA_BOX_H
#define GP_TEST_NVIDIA_BOX_H

#include "host_tree.h"
#include "vendor/vendor.h"

#define GIB (UINT64_C(1) << 30)

struct box {
	struct tree tree;
	struct gp_host *host;
	struct gp_arena *arena;
	struct gp_gpu gpu;
	struct gp_diags diags;
	struct gp_str text;
	struct gp_error err;
};

#define BOX GP_CLEANUP(box_clear) struct box

enum box_board { BOX_A16, BOX_A2, BOX_A40, BOX_A100 };

/* PF 0000:41:00.0 with all VFs possible and none enabled, its driver nvidia, and the list of vGPU types. */
struct box box_make(enum box_board board);
void box_clear(struct box *box);
/* Its VFs, 0000:41:00.4 and on, bound to `driver` (NULL: none): facts of the PF alone, no files. */
void box_enable(struct box *box, uint32_t count, const char *driver);
/* A file of VF `index`. */
void box_vf_file(struct box *box, uint32_t index, const char *name, const char *text);
/* All VFs show the framework, and none has a type. */
void box_vfio(struct box *box);
void box_mdev(struct box *box);
/* A mediated device "nvidia-TYPE" on VF `index`. */
void box_make_mdev(struct box *box, uint32_t index, const char *uuid, const char *type);
/* The back-end looks at it; it must succeed. */
void box_observe(struct box *box);

#endif
