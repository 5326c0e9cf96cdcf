/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A simulated machine in a temporary directory, for tests. */
#ifndef GP_TESTS_SIM_MACHINE_H
#define GP_TESTS_SIM_MACHINE_H

#include <check.h>

#include "host/sim.h"

struct machine {
	char dir[64];
	int root;
	struct gp_host *host; /* read-write, opened on first use */
};

/* An empty directory for a machine. */
void machine_directory(struct machine *machine);
/* Made from the text of a description. Fails the test when that is not possible. */
void machine_make(struct machine *machine, const char *description);
/* Ends what still works on it, and removes it. */
void machine_remove(struct machine *machine);

/* Like write(2): 0 or -errno. Path relative to the root. */
int machine_write(const struct machine *machine, const char *path, const char *value);
#define DEVICES "sys/bus/pci/devices/"

/* The text of a file without its newline; "<none>" when it is not there. In a buffer that the next few calls leave
 * alone. */
const char *machine_text(const struct machine *machine, const char *path);
/* As it is, newline and all. */
const char *machine_raw(const struct machine *machine, const char *path);
/* Last component of a link; "<none>". */
const char *machine_link(const struct machine *machine, const char *path);
bool machine_has(const struct machine *machine, const char *path);
unsigned machine_mode(const struct machine *machine, const char *path);
/* How many virtfn links the PF has. */
unsigned machine_vfs(const struct machine *machine, const char *pf);
/* 16 bits of the SR-IOV capability of the PF, found by walking the list of capabilities. */
unsigned machine_sriov(const struct machine *machine, const char *pf, unsigned offset);

/* One line of words, as `gpupart sim fault DIR …` has them. Fails the test when it is refused. */
void machine_fault(const struct machine *machine, const char *line);
void machine_vm(const struct machine *machine, const char *action, const char *name);
/* Waits until the path is (not) there. False after ten seconds: then the test fails anyway. */
bool machine_wait(const struct machine *machine, const char *path, bool there);

/* The domains, opened read-write. */
struct gp_vmm *machine_vmm(struct machine *machine);
struct gp_uuid machine_uuid(struct machine *machine, const char *name);

int machine_run(const char *name, const TTest *const *tests, size_t count);
#define MACHINE_RUN(name, ...)                                                                                         \
	int main(void)                                                                                                 \
	{                                                                                                              \
		const TTest *const tests[] = {__VA_ARGS__};                                                            \
		return machine_run(name, tests, sizeof(tests) / sizeof(tests[0]));                                     \
	}

#endif
