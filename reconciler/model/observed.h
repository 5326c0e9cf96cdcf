/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The observed state: one snapshot of a host. Made by run/observe.c (host facts + vendor->observe + domains, joined),
 * read by everybody else as const. Everything lives in its arena.
 *
 * Under-report: what could not be read is *unknown*, and unknown counts as not available and as in use.
 */
#ifndef GP_MODEL_OBSERVED_H
#define GP_MODEL_OBSERVED_H

#include "model/desired.h"

struct gp_vendor;

/* How an amount is held when the VM runs (design: bounds explain themselves). */
enum gp_hold {
	GP_HOLD_NOT_EXPRESSIBLE, /* this driver cannot say or hold it */
	GP_HOLD_ADMISSION,       /* checked when placed, not enforced */
	GP_HOLD_SCHEDULER,       /* holds when all are busy */
	GP_HOLD_HARDWARE,
	GP_HOLD_COUNT
};

/* What one partition has of one resource. Both forms may be known at once (vram: bytes and share). */
struct gp_offer {
	enum gp_hold hold;
	bool has_bytes, has_share, has_engines;
	uint64_t bytes;   /* vram */
	uint32_t share;   /* millionths of the physical GPU, rounded down */
	uint32_t engines; /* whole engines */
};

/* `count` partitions alike. */
struct gp_layout_group {
	uint32_t count;
	const char *profile; /* vendor's name of it ("A16-4Q"); NULL: it has none */
	/* With a profile: */
	uint32_t profile_id; /* the driver's number of it, found by name */
	const char *series;  /* "Q"; NULL: none can be told */
	uint32_t most;       /* so many of it the GPU can have */
	bool alone;          /* a VM that has one can have no other partition beside it */
	struct gp_offer offers[GP_RESOURCE_COUNT];
};

/* One way to cut a GPU. Partition i (0-based) belongs to the group in which i falls. */
struct gp_layout {
	uint32_t count; /* all partitions together */
	struct gp_layout_group *groups;
	size_t group_count;
};

/* Who is in the way of removing a VF. */
enum gp_holder_kind {
	GP_HOLDER_DOMAIN_LIVE,   /* a running domain has it plugged (live XML) */
	GP_HOLDER_DOMAIN_CONFIG, /* a domain's persistent definition names it: a stopped VM is a claim */
	GP_HOLDER_VFIO,          /* a process has its VFIO group open (/proc/PID/fd) */
	GP_HOLDER_DRIVER, /* bound to a driver that is neither vfio nor the vendor's: a container's render node, … */
	GP_HOLDER_CLIENT, /* a process has the physical GPU open (/dev/nvidia0): of gp_gpu.clients alone */
	GP_HOLDER_KIND_COUNT
};

struct gp_holder {
	enum gp_holder_kind kind;
	const char *name; /* domain, process (comm) or driver */
	uint64_t pid;     /* GP_HOLDER_VFIO, GP_HOLDER_CLIENT */
	size_t domain;    /* index into domains, for the two domain kinds */
	size_t hostdev;   /* index into that domain's config or live hostdevs */
};

/*
 * A VF that exists. Where VFs get their profile one by one (gp_vendor.by_profile), one without is *blank*: it is there,
 * but no partition that a VM could use.
 */
struct gp_partition {
	uint32_t index; /* N of virtfnN */
	struct gp_pci_addr addr;
	const char *driver; /* NULL: none bound */
	bool iommu_group_known;
	uint32_t iommu_group; /* changes between boots: for reading /proc and the screen only, never stored */
	const char *profile;  /* vendor's name of what it is now; NULL: nothing special */
	uint32_t profile_id;  /* the driver's number of it; 0: none. With no profile: nobody knows its name */
	bool blank;           /* has no profile, and needs one */
	bool has_mdev;
	struct gp_uuid mdev;      /* the mediated device that was made on it */
	const char *params;       /* vgpu_params as they read, "" none; NULL: not looked at */
	const char *unusable_why; /* NULL: nothing speaks against giving it to a VM; else one sentence */
	struct gp_offer offers[GP_RESOURCE_COUNT]; /* what it has now */
	struct gp_holder *holders;
	size_t holder_count;
};

/* Why a GPU cannot be partitioned. A vendor sets it with words; plan and gpus show the words. */
enum gp_unfit {
	GP_FIT = 0,
	GP_UNFIT_NO_SRIOV,      /* no SR-IOV capability (or none that the kernel shows) */
	GP_UNFIT_NEEDS_BACKEND, /* belongs to a family whose back-end this version lacks */
	GP_UNFIT_NO_DRIVER,     /* no PF driver bound: the kernel answers ENOENT */
	GP_UNFIT_DRIVER,        /* the PF driver cannot do it */
	GP_UNFIT_NO_MMIO,       /* firmware gave no room for the VF BARs */
	GP_UNFIT_TRANSITION,    /* links and SR-IOV capability disagree: somebody is enabling or disabling; hands off */
	GP_UNFIT_UNREADABLE,    /* a fact that is needed could not be read */
	GP_UNFIT_COUNT
};

struct gp_gpu {
	struct gp_pci_addr addr; /* of the PF */
	uint16_t vendor, device, subsystem_vendor, subsystem_device;
	uint32_t pci_class;      /* 24 bits: 0x030000 VGA, 0x030200 3D, 0x120000 accelerator */
	const char *vendor_name; /* "Intel Corporation"; "8086" when pci.ids lacks it */
	const char *model;       /* what match: model is compared with, and people read */
	const char *driver;      /* NULL: none bound */
	const char *slot;        /* physical slot, or NULL */
	bool busy;               /* a writer of ours is at work on it: its PF's lock is held */
	const char *busy_by;     /* what that writer signed with ("gpupart-write, pid 812, since 14:02:11"), or NULL */
	int numa_node;           /* -1: none */

	const struct gp_vendor *backend; /* never NULL in a finished snapshot */
	const char *backend_name;        /* the same as a word, for people and JSON; set by the vendor's observe */
	enum gp_unfit unfit;
	const char *unfit_why;    /* one sentence; NULL when fit */
	const char *unfit_remedy; /* or NULL */
	bool named_only; /* class of device that is only managed when a file names its address (a NIC, an NVMe) */

	/* SR-IOV, as far as it could be read */
	bool sriov; /* has sriov_totalvfs */
	uint32_t total_vfs;
	uint32_t num_vfs;      /* virtfn* links: reading sriov_numvfs takes the writer's lock */
	uint32_t count;        /* partitions that it is cut into now: VFs that are not blank. Set by the vendor */
	bool capability_known; /* config space beyond 64 bytes was readable (root) */
	bool vf_enable;
	uint32_t cap_num_vfs;
	uint32_t vf_offset, vf_stride; /* 0: the device does not say before VFs are enabled */
	bool autoprobe_known;
	bool autoprobe;
	uint64_t vram_bytes; /* of the physical GPU; 0 unknown */
	const char *vram_source;

	bool want_params; /* asked of the vendor: gp_partition.params are of interest, and read only then */
	/* The vendor's own: what is the same for all its GPUs of a snapshot, so that it is looked at once. NULL: not
	 * yet. Nobody else looks into it. */
	void *survey;

	/* What the vendor's driver tells; NULL: it does not, or has no such thing */
	const char *driver_version;
	const char *framework;     /* how VMs are given its VFs: "mdev", "vendor VFIO" */
	bool framework_expected;   /* that can only be seen once VFs exist, and is what the kernel makes likely */
	const char *series;        /* that it offers, "A B C Q" */
	const char *scheduler;     /* "best effort", "equal share", "fixed share" */
	uint32_t libvirt_min;      /* VMs can be given its VFs from this libvirt on (as gp_hypervisor.version) */
	const char *libvirt_why;   /* what older ones do, one sentence */
	const char *not_creatable; /* no VF has a profile, yet the driver offers fewer profiles than it knows: what it
				    * offers now, "A16-4Q, A16-4C" or "none"; NULL: all, or not looked at */
	struct gp_holder *clients; /* processes that have the physical GPU open, and so keep its VFs from being made */
	size_t client_count;

	struct gp_layout *layouts; /* candidate partitionings, ascending count, of one count by series; from
				    * vendor->layouts */
	size_t layout_count;
	struct gp_partition *partitions; /* ascending index */
	size_t partition_count;
};

enum gp_domain_state {
	GP_DOMAIN_OFF,
	GP_DOMAIN_RUNNING,
	GP_DOMAIN_PAUSED,
	GP_DOMAIN_STOPPING, /* in shutdown */
	GP_DOMAIN_CRASHED,
	GP_DOMAIN_SUSPENDED, /* pm-suspended */
	GP_DOMAIN_UNKNOWN,
	GP_DOMAIN_STATE_COUNT
};

enum gp_hostdev_type { GP_HOSTDEV_PCI, GP_HOSTDEV_MDEV, GP_HOSTDEV_TYPE_COUNT };

/* <hostdev>: only what we compare, and what must survive a replacement. */
struct gp_hostdev {
	enum gp_hostdev_type type;
	struct gp_pci_addr source; /* PCI */
	struct gp_uuid mdev;       /* mdev */
	bool managed;
	bool display, ramfb; /* mdev: attributes that are kept when the source is replaced */
	const char *alias;   /* NULL: none of the user's or ours */
	bool ours;           /* gp_alias_is_ours(alias) */
	bool elsewhere;      /* held through <interface type='hostdev'> or an NVMe <disk>: never ours, never adopted */
	/* Guest side, verbatim XML of <address>, <rom>, <driver>, <boot>…: kept when the source is replaced, or Windows
	 * sees a new GPU. "" when there is none. Never holds secrets. */
	const char *guest_xml;

	/* Joined by observe: which VF of ours this is, by link, else by the address that the capability predicts. */
	bool resolved;
	size_t gpu;  /* index into gpus */
	uint32_t vf; /* index of the VF; may be beyond num_vfs: it does not exist now */
};

struct gp_domain {
	struct gp_uuid uuid;
	const char *name;
	enum gp_domain_state state;
	bool persistent;
	bool autostart;
	bool managed_save;             /* resumes from an image that holds the old devices */
	const char *external;          /* a cluster manager runs it ("pacemaker"), or NULL */
	bool to_start;                 /* carries our mark: stopped by gpupart, to be started again */
	uint64_t running_ms;           /* for how long; 0 unknown (then treated as just started) */
	bool config_known, live_known; /* the definition could be read and parsed */
	const char *unknown_why;
	struct gp_hostdev *config; /* persistent definition */
	size_t config_count;
	struct gp_hostdev *live; /* what is plugged; empty when off */
	size_t live_count;
	/* Exchanges that have not ended, from our metadata: the hostdev that was (or is about to be) taken out, under
	 * the alias of the one that is to come in its place. An entry whose source is not in `config` is all that is
	 * left. */
	struct gp_hostdev *places;
	size_t place_count;
};

/* A place of truth about holders, and whether it could be read. */
struct gp_source_state {
	bool known;
	const char *why; /* when not: "libvirt does not answer: …" */
};

/* Who runs the VMs. Versions as libvirt counts them: 9.3.2 is 9003002; 0: unknown. */
struct gp_hypervisor {
	uint32_t version;  /* of libvirt */
	uint32_t emulator; /* of QEMU */
};
enum { GP_VERSION_SIZE = 32 };
const char *gp_version_format(uint32_t version, char out[GP_VERSION_SIZE]); /* "9.3.2" */

enum gp_host_kind { GP_HOST_LIVE, GP_HOST_SIMULATED, GP_HOST_CAPTURED, GP_HOST_KIND_COUNT };

struct gp_observed {
	struct gp_arena *arena;
	const char *hostname;
	enum gp_host_kind kind;
	const char *root;    /* "/" or the directory */
	struct gp_gpu *gpus; /* ascending address: every PF of class 03xx, 12xx, and those that a file names */
	size_t gpu_count;
	struct gp_domain *domains; /* ascending name */
	size_t domain_count;
	struct gp_hypervisor hypervisor;
	/* The program that is to make VFs for some GPU here, when there is no such file; NULL: it is there, or not
	 * needed */
	const char *missing_program;
	struct gp_source_state domains_state; /* libvirt (both definitions) */
	struct gp_source_state vfio_state;    /* /proc */
};

struct gp_observed *gp_observed_new(void);
void gp_observed_free(struct gp_observed *observed);
GP_DEFINE_CLEANUP(struct gp_observed, gp_observed_free)

const struct gp_gpu *gp_observed_gpu(const struct gp_observed *observed, struct gp_pci_addr addr);
/* Is it the same device of the host: of one type, with one source? */
bool gp_hostdev_same_source(const struct gp_hostdev *a, const struct gp_hostdev *b);
/* Was what this place is kept for taken out: is its source in no hostdev of the persistent definition? */
bool gp_place_is_empty(const struct gp_domain *domain, const struct gp_hostdev *place);
const struct gp_domain *gp_observed_domain(const struct gp_observed *observed, const struct gp_want_vm *vm);
const struct gp_partition *gp_gpu_partition(const struct gp_gpu *gpu, uint32_t index); /* NULL: does not exist */
const struct gp_layout *gp_gpu_layout(const struct gp_gpu *gpu, uint32_t count);       /* NULL: not a valid count */
const struct gp_layout_group *gp_layout_group_of(const struct gp_layout *layout, uint32_t index);
/* The address that VF `index` has, or will have as far as the capability tells. False: nobody knows yet. */
bool gp_gpu_vf_addr(const struct gp_gpu *gpu, uint32_t index, struct gp_pci_addr *out);
/* Which VF of the GPU would be at this address; false: none. Looks at links first, then predicts. */
bool gp_gpu_vf_at(const struct gp_gpu *gpu, struct gp_pci_addr addr, uint32_t *index);

/* Does a term or a whole match hold for a GPU? Pure text work, shared by intent's checks and the planner. */
bool gp_match_holds(const struct gp_match *match, const struct gp_gpu *gpu);
/* Does the match name this address literally (that is how NICs and NVMe drives come under management)? */
bool gp_match_names_address(const struct gp_match *match, struct gp_pci_addr addr);

/* Does the offer lie in the bound? `why` (may be NULL) gets "4GiB < min 8GiB", "not expressible: …". */
bool gp_bound_fits(const struct gp_bound *bound, const struct gp_offer *offer, enum gp_resource resource,
		   struct gp_str *why);
/* Distance to optimal in millionths of optimal; 0 when nothing is asked. At most 2^60, also where the offer cannot be
 * compared at all, so that those of four resources can be added. */
uint64_t gp_bound_distance(const struct gp_bound *bound, const struct gp_offer *offer);

/* The whole snapshot for machines: {"format_version": "1.0", "kind": "observation", …}; caller puts. Holds no secret.
 */
struct json_object *gp_observed_to_json(const struct gp_observed *observed);

#endif
