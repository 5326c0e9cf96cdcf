/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtual machines behind one small interface: libvirt (vmm_libvirt.c) or a simulated machine's own (vmm_sim.c). The
 * simulated ones refuse what libvirt would refuse, with the same kinds of error.
 *
 * All calls are thread safe. None touches a running VM's devices: definitions are edited with AFFECT_CONFIG only.
 */
#ifndef GP_HOST_VMM_H
#define GP_HOST_VMM_H

#include "base/error.h"
#include "model/observed.h"

struct gp_vmm;

/* From this libvirt on, a device with managed='no' may have any VFIO driver, not just vfio-pci: NVIDIA's VFs keep their
 * own. (Its release notes, v9.7.0: 'basic support for use of "VFIO variant" drivers'.) */
enum { GP_LIBVIRT_VFIO_VARIANTS = 9007000 };

struct gp_vmm_ops {
	const char *name; /* "libvirt", "simulated" */
	/* Fills observed->domains (both definitions, state, managed save, mark). Domains that cannot be read are listed
	 * with config_known or live_known false. -1: nothing could be listed. */
	int (*observe)(struct gp_vmm *vmm, struct gp_observed *observed, struct gp_error *err);
	/* One domain again, into *domain (arena strings). GP_E_NOT_FOUND: it is gone. */
	int (*observe_one)(struct gp_vmm *vmm, struct gp_uuid uuid, struct gp_arena *arena, struct gp_domain *domain,
			   struct gp_error *err);
	/* Persistent definition. Attach of what is there with our alias, and detach of what is not there, succeed with
	 * *changed = false; a foreign hostdev with the same source is GP_E_BUSY. Reads back before it says success. */
	int (*attach)(struct gp_vmm *vmm, struct gp_uuid uuid, const struct gp_hostdev *hostdev, bool *changed,
		      struct gp_error *err);
	int (*detach)(struct gp_vmm *vmm, struct gp_uuid uuid, const struct gp_hostdev *hostdev, bool *changed,
		      struct gp_error *err);
	/* Our element in the persistent <metadata>: "stopped by gpupart, to be started again". */
	int (*set_mark)(struct gp_vmm *vmm, struct gp_uuid uuid, bool to_start, bool *changed, struct gp_error *err);
	/* In the same element: what is taken out, under the alias of what is to come in its place (gp_domain.places).
	 * One entry an alias; the mark and the other entries stay. */
	int (*note_place)(struct gp_vmm *vmm, struct gp_uuid uuid, const struct gp_hostdev *place, bool *changed,
			  struct gp_error *err);
	int (*forget_place)(struct gp_vmm *vmm, struct gp_uuid uuid, const char *alias, bool *changed,
			    struct gp_error *err);
	/* Asks the guest to shut down; returns at once. */
	int (*shutdown)(struct gp_vmm *vmm, struct gp_uuid uuid, struct gp_error *err);
	int (*destroy)(struct gp_vmm *vmm, struct gp_uuid uuid, struct gp_error *err); /* off already: success */
	int (*start)(struct gp_vmm *vmm, struct gp_uuid uuid, struct gp_error *err);   /* running already: success */
	int (*state)(struct gp_vmm *vmm, struct gp_uuid uuid, enum gp_domain_state *state, struct gp_error *err);
	/* Running domains whose live definition has one of these sources (type, and source or mdev) plugged; names are
	 * appended, comma separated. Used by the guard just before partitions are removed. */
	int (*live_holders)(struct gp_vmm *vmm, const struct gp_hostdev *devices, size_t count, struct gp_str *names,
			    struct gp_error *err);
	/* Zeros when it cannot be told. */
	void (*version)(struct gp_vmm *vmm, struct gp_hypervisor *out);
	/* The inactive definition as XML without secrets, for capture; caller frees. */
	int (*definition)(struct gp_vmm *vmm, struct gp_uuid uuid, char **xml, struct gp_error *err);
	void (*close)(struct gp_vmm *vmm);
};

/* First member of every implementation. */
struct gp_vmm {
	const struct gp_vmm_ops *ops;
};

/*
 * Exchanges, made of the above (exchange.c); whatever of them is so already is skipped. Interrupted, they leave an
 * entry in gp_domain.places, from which the same call goes on.
 */
/* Detaches `old` and notes its place for the hostdev of this alias. */
int gp_vmm_take_out(struct gp_vmm *vmm, struct gp_uuid uuid, const struct gp_hostdev *old, const char *alias,
		    bool *changed, struct gp_error *err);
/* `new` in the place of `old`, which may have been taken out before. */
int gp_vmm_replace(struct gp_vmm *vmm, struct gp_uuid uuid, const struct gp_hostdev *old, const struct gp_hostdev *new,
		   bool *changed, struct gp_error *err);

/* Makers; gp_host_vmm() chooses. */
int gp_vmm_libvirt_open(const char *uri, bool read_only, struct gp_vmm **out, struct gp_error *err);
struct gp_host;
int gp_vmm_sim_open(struct gp_host *host, bool read_only, struct gp_vmm **out, struct gp_error *err);

#endif
