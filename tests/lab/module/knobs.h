/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parameters of the module: what they do is told where they are defined, and by modinfo. */
#ifndef LOOKALIKE_KNOBS_H
#define LOOKALIKE_KNOBS_H

#include <linux/types.h>

extern char *knob_drvname;
extern uint knob_gpus, knob_totalvfs, knob_vf_offset, knob_vf_stride, knob_fb_mb;
extern ushort knob_device, knob_vf_device, knob_subsystem;
extern bool knob_raw_numvfs, knob_mmio, knob_vfio_pci_refused;
extern bool knob_mixed, knob_drops, knob_block_enable, knob_block_type;
extern int knob_fail_enable, knob_fail_type, knob_fewer_vfs;
extern uint knob_enable_delay_ms, knob_type_delay_ms, knob_late_types_ms, knob_settle_ms;

bool knob_is_mdev(void);
bool knobs_are_sane(void);
/* The driver was loaded, or told so, only a moment ago. */
bool knob_initialising(void);
/* Sleeps in state D while *knob is set, however often it is killed. */
void knob_wait_while(const bool *knob);

#endif
