/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What people other than gpupart do to the VMs of a machine: with virsh where libvirt is real, with `gpupart sim vm` on
 * the simulated machine.
 */
#ifndef GP_TESTS_LAB_PERSON_H
#define GP_TESTS_LAB_PERSON_H

#include "base/error.h"
#include "model/ident.h"

struct vm {
	char *name;
	struct gp_uuid uuid;
	bool hears;            /* its guest goes off when it is asked to */
	bool gone_after_crash; /* its definition does not keep a guest that panicked */
};

/* Of a guest that hears: its disk, and where it says that it is up (by UUID). */
#define GUEST_IMAGE "/tmp/gpupart-power-button.img"
#define GUEST_SAYS  "/tmp/gpupart-guest-%s"
/* Of all others: firmware that halts at once. */
#define STILL_FIRMWARE "/tmp/gpupart-firmware.img"

struct person;

struct person_ops {
	/* Makes the machine ready for a script: no VMs, and whatever else the last one left is gone. `root` is that of
	 * the machine. NULL and *err. */
	int (*begin)(struct person *person, const char **root, struct gp_error *err);
	/* verb: define or create, with the text of a definition. */
	int (*bring)(struct person *person, const char *verb, const struct vm *vm, const char *xml,
		     struct gp_error *err);
	/* The definition as who edits it would see it; caller frees. NULL and *err. */
	char *(*definition)(struct person *person, const struct vm *vm, struct gp_error *err);
	/* start, stop (from inside the guest), destroy, undefine, pause, resume, save, unsave, autostart, no-autostart,
	 * crash, suspend; wake waits until the guest hears. */
	int (*act)(struct person *person, const char *verb, const struct vm *vm, struct gp_error *err);
	int (*daemon)(struct person *person, bool up, struct gp_error *err);
	/* The script is over: nothing is left of these VMs. */
	void (*end)(struct person *person, const struct vm *vms, size_t count);
	void (*close)(struct person *person);
};

struct person {
	const struct person_ops *ops;
};

/* The text in a temporary file; path for the caller to free, and the file to remove. */
char *person_write_file(const char *text, struct gp_error *err);

/* description: of the machine; libvirt: the release that the VMs are to be run by, "9.0.0". */
struct person *person_sim_new(const char *description, const char *libvirt);
/* daemon: a script that understands start, stop and kill. */
struct person *person_libvirt_new(const char *daemon);

#endif
