/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pretend virtual machine daemon: domains are the XML files that libvirt would keep, in the places where it keeps
 * them. It refuses what libvirt refuses, in libvirt's words and with the kind of error that vmm_libvirt.c gives them.
 *
 * The caller holds the machine's lock (gp_tree_lock_machine). Nothing here counts as a mutation.
 */
#ifndef GP_HOST_SIM_DOMAIN_H
#define GP_HOST_SIM_DOMAIN_H

#include "host/domain_xml.h"

#define GP_SIM_DEFINITIONS "etc/libvirt/qemu"
#define GP_SIM_AUTOSTART   "etc/libvirt/qemu/autostart"
#define GP_SIM_LIVE        "run/libvirt/qemu"
#define GP_SIM_SAVED       "var/lib/libvirt/qemu/save"

/* What the guest does when it is asked to shut down. Kept in .sim/guests/NAME. */
struct gp_sim_guest {
	bool ignores_shutdown;
	uint64_t shutdown_ms;
};

int gp_sim_guest_save(int root, const char *name, const struct gp_sim_guest *guest);

/* A definition without UUID is given one that follows from its name. */
int gp_sim_domain_define(int root, const char *xml, size_t size, struct gp_error *err);
/* Replaces the text of a definition that is there. */
int gp_sim_domain_redefine(int root, const char *name, const char *xml, struct gp_error *err);
int gp_sim_domain_undefine(int root, const char *name, struct gp_error *err);
/* since: Unix time in ms. A managed save image is resumed, with the devices that it has. */
int gp_sim_domain_start(int root, const char *name, uint64_t since, struct gp_error *err);
/* Starts a domain that has no definition. The first takes the text as it is; the second looks at it as define does. */
int gp_sim_domain_create(int root, const char *name, const char *xml, uint64_t since, struct gp_error *err);
int gp_sim_domain_create_new(int root, const char *xml, size_t size, uint64_t since, struct gp_error *err);
/* What virDomainShutdown does: the guest is asked, and goes off when it likes. */
int gp_sim_domain_shutdown(int root, const char *name, struct gp_error *err);
int gp_sim_domain_destroy(int root, const char *name, struct gp_error *err);
int gp_sim_domain_pause(int root, const char *name, struct gp_error *err);
int gp_sim_domain_resume(int root, const char *name, struct gp_error *err);
/* The guest puts itself to sleep in memory, and it panics: then the domain is off, or kept as it is (on_crash). */
int gp_sim_domain_suspend(int root, const char *name, struct gp_error *err);
int gp_sim_domain_crash(int root, const char *name, struct gp_error *err);
/* A managed save image is made, and thrown away. */
int gp_sim_domain_save(int root, const char *name, struct gp_error *err);
int gp_sim_domain_unsave(int root, const char *name, struct gp_error *err);
int gp_sim_domain_autostart(int root, const char *name, bool on, struct gp_error *err);

/* The head of a live file. -1: the domain is off. */
struct gp_sim_live {
	char *state; /* libvirt's word */
	uint64_t pid;
	uint64_t since; /* Unix time in ms; 0 unknown */
	char *domain;   /* <domain …> */
};
int gp_sim_live_read(int root, const char *name, struct gp_sim_live *out);
void gp_sim_live_clear(struct gp_sim_live *live);
/* since='…' in the text of a live file; 0 when it has none. */
uint64_t gp_sim_live_since(const char *text);

/*
 * Who runs the VMs: the versions that the description names, or that the fault `libvirt` does. Kept in .sim/hypervisor.
 */
#define GP_SIM_LIBVIRT "11.3.0"
#define GP_SIM_QEMU    "10.0.0"
int gp_sim_hypervisor_save(int root, const char *libvirt, const char *qemu); /* NULL: the ones above */
void gp_sim_hypervisor(int root, struct gp_hypervisor *out);
/* "9.0.0" as libvirt counts: 9000000. */
int gp_sim_parse_version(const char *text, uint32_t *out);

/* A UUID that follows from a name (RFC 9562, version 5). */
struct gp_uuid gp_sim_uuid_of_name(const char *name);

#endif
