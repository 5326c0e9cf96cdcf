/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine in memory that stands in for the whole host room, so that the order and the overlap of steps can be seen
 * exactly: each change leaves a line when it begins and one when it ends, and any number of changes can be made to wait
 * for each other. No test on it measures time.
 */
#ifndef GP_TEST_FAKE_MACHINE_H
#define GP_TEST_FAKE_MACHINE_H

#include <pthread.h>
#include <signal.h>

#include "host/host.h"
#include "model/outcome.h"

enum { FAKE_PFS = 40, FAKE_DOMAINS = 40, FAKE_LINES = 4000, FAKE_PATIENCE_MS = 20000 };

struct fake_pf {
	uint32_t vfs;
	uint32_t cap_vfs;     /* what config space tells */
	unsigned late_rounds; /* VFs show only after so many looks */
	uint32_t short_by;    /* VFs that the driver does not make */
	bool links_broken;    /* virtfnN cannot be read */
	bool devices_missing; /* linked, but not there */
};

struct fake_domain {
	enum gp_domain_state state;
	bool transient;
	bool marked;
	bool deaf; /* does not react to a shutdown request */
	uint64_t running_ms;
	struct gp_hostdev config[4];
	size_t config_count;
	struct gp_hostdev places[4];
	size_t place_count;
	unsigned asked;              /* shutdown requests */
	struct gp_pci_addr attached; /* source of the last attach */
};

struct gp_host {
	struct gp_vmm vmm; /* first: the fake libvirt is the fake host */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct fake_pf pfs[FAKE_PFS];
	struct fake_domain domains[FAKE_DOMAINS];
	const char *driver;        /* of every PF; "nvidia" is of a back-end with profiles */
	const char *vf_driver;     /* of every VF; NULL: none */
	unsigned vf_driver_rounds; /* VF 0 is without it for so many looks */
	struct gp_mdev mdevs[4];
	size_t mdev_count;
	const char *attribute_value; /* what every plain attribute reads as; NULL: unreadable */
	const char *bound_driver;    /* of every device; NULL: none */

	bool no_libvirt;
	bool holders_unknown;
	const char *live_holders; /* names that live_holders() tells; NULL: none */
	bool nothing_changes;     /* attach and detach find it done already */

	const char *fail_on; /* a change whose line begins so fails … */
	enum gp_error_kind fail_kind;
	unsigned meet; /* so many writes wait for each other before any goes on; 0: none waits */
	const volatile sig_atomic_t *hold_writes_until; /* writes wait until this is set */
	unsigned writing, most_writing;                 /* writes at the same time */
	unsigned down, most_down;                       /* domains that were taken down and are not back */
	enum gp_guard last_guard;
	struct gp_hostdev last_asked; /* live_holders() was asked about it last */
	char last_program[64];

	char *lines[FAKE_LINES];
	size_t line_count;
	size_t changes;
};

void fake_init(struct gp_host *host);
void fake_clear(struct gp_host *host);
struct gp_pci_addr fake_pf_addr(unsigned pf);              /* 0000:pf:00.0 */
struct gp_pci_addr fake_vf_addr(unsigned pf, unsigned vf); /* 0000:pf:01+ */
struct gp_uuid fake_uuid(unsigned domain);
const char *fake_name(unsigned domain); /* "vm-07" */
/* Index of the line, or -1. */
int fake_line(const struct gp_host *host, const char *line);

#endif
