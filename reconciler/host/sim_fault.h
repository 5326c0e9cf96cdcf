/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counting what is done to a simulated machine, and making it go wrong.
 *
 * Each thing that gpupart changes, on the kernel's side or on the VMs', is a mutation: it has a number, which counts on
 * for the life of the machine, and two lines in .sim/trace:
 *
 *	7 begin write sys/bus/pci/devices/0000:41:00.0/sriov_numvfs = 8
 *	7 end ok
 */
#ifndef GP_HOST_SIM_FAULT_H
#define GP_HOST_SIM_FAULT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct gp_sim_mutation {
	int root;
	uint64_t number;
	pid_t asker; /* who wants it: gpupart itself, also when its writing helper carries it out */
	bool kill_after;
};

/* Counts, and applies `fail` and `kill … before`. 0, or -errno: then nothing is to be done, and there is no end. */
int gp_sim_mutation_begin(int root, const char *what, struct gp_sim_mutation *out);
/* result: 0 or -errno. Applies `kill … after`. May be called by another process than begin. */
void gp_sim_mutation_end(const struct gp_sim_mutation *mutation, int result);

/*
 * Is there a fault of this kind, with these first words ("" when it has fewer)? *rest (may be NULL) is given what
 * follows them, for the caller to free.
 */
bool gp_sim_fault_find(int root, const char *kind, const char *first, const char *second, char **rest);
/* Its last word as a number; 0: no such fault. */
uint64_t gp_sim_fault_ms(int root, const char *kind, const char *first, const char *second);
/* The errno that `attr DEVICE ATTR ERRNO` asks for; 0: none. */
int gp_sim_fault_errno(int root, const char *device, const char *attribute);
/* After a reboot, files that were hidden are there again: hides them once more. `hold` ends with the reboot. */
void gp_sim_faults_after_reboot(int root);

/* 5 for "EIO"; 0 for no errno. */
int gp_errno_from_name(const char *name);

#endif
