/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Domain XML to the little that we know of a domain, and back. The only file that knows libxml2.
 *
 * Bounded: no network, no DOCTYPE (so no entities), UTF-8 only, at most GP_DOMAIN_XML_MAX bytes. What breaks a rule, or
 * a <hostdev> whose source cannot be understood, is GP_E_CORRUPT for the whole document: the caller then counts the
 * domain as unknown, and unknown is in use.
 */
#ifndef GP_HOST_DOMAIN_XML_H
#define GP_HOST_DOMAIN_XML_H

#include "base/arena.h"
#include "base/str.h"
#include "model/observed.h"

enum { GP_DOMAIN_XML_MAX = 8 * 1024 * 1024 };

struct gp_domain_xml {
	struct gp_uuid uuid; /* null: the document has none */
	const char *name;
	/* <hostdev> of type pci and mdev, in document order; and whatever else holds a PCI device (.elsewhere) */
	struct gp_hostdev *hostdevs;
	size_t hostdev_count;
	bool to_start;             /* our metadata mark */
	struct gp_hostdev *places; /* and the exchanges that did not end: see gp_domain */
	size_t place_count;
	const char *external; /* the cluster manager whose element is in <metadata> ("oVirt"), or NULL */
	/* Of <domstatus state='…' pid='…'>, which holds a running domain on disk; NULL and 0 without it */
	const char *state;
	uint64_t pid;
};

/* One parser, used again and again by one thread: for those who read many domains. */
struct gp_domain_reader;
struct gp_domain_reader *gp_domain_reader_new(void);
void gp_domain_reader_free(struct gp_domain_reader *reader);
GP_DEFINE_CLEANUP(struct gp_domain_reader, gp_domain_reader_free)

/*
 * Reads a <domain>, or the one in a <domstatus>. *out is filled from the arena. GP_E_CORRUPT: see above, or no <name>.
 * Fast: in a document that mentions no host device and no metadata of interest only name and uuid are looked at, and
 * the rest is not even checked to be well-formed.
 */
int gp_domain_reader_parse(struct gp_domain_reader *reader, const char *xml, size_t size, struct gp_arena *arena,
			   struct gp_domain_xml *out, struct gp_error *err);
/* The same with a parser of its own. */
int gp_domain_xml_parse(const char *xml, size_t size, struct gp_arena *arena, struct gp_domain_xml *out,
			struct gp_error *err);
/* <hostdev …> for attach and detach: source, managed, display, alias and the kept guest side, without what a mediated
 * device cannot have of it. */
void gp_domain_xml_hostdev(const struct gp_hostdev *hostdev, struct gp_str *out);

/* A namespace by which gp_domain_xml.external is found again; NULL: no such manager. */
const char *gp_domain_xml_manager_uri(const char *manager);

/* What our one element in <metadata> says. */
struct gp_domain_notes {
	bool to_start;
	const struct gp_hostdev *places; /* alias, type, source, managed, display, ramfb, guest_xml */
	size_t place_count;
};
enum { GP_PLACES_MAX = 64, GP_PLACE_GUEST_MAX = 64 * 1024 }; /* more, and bytes of guest_xml: GP_E_CORRUPT */

/* That element, without prefix as virDomainSetMetadata wants it. False: there is nothing to say, it is to be removed.
 */
bool gp_domain_xml_notes(const struct gp_domain_notes *notes, struct gp_str *out);
/* A place under another name than ours could not be read back, and the whole definition with it: GP_E_INTERNAL. */
int gp_domain_check_place(const struct gp_hostdev *place, struct gp_error *err);
/* What a document says, with one place more (in the place of that of the same alias) or less. Lives in the arena. */
struct gp_domain_notes gp_domain_notes_with(const struct gp_domain_xml *xml, const struct gp_hostdev *place,
					    struct gp_arena *arena);
struct gp_domain_notes gp_domain_notes_without(const struct gp_domain_xml *xml, const char *alias,
					       struct gp_arena *arena);
bool gp_domain_notes_hold(const struct gp_domain_xml *xml, const struct gp_domain_notes *notes);

/*
 * Does the guest boot from `add`, as it did from what `add` comes in the place of? libvirt does not attach such a
 * device if it was the only one with a turn to boot: when the old one was detached, libvirt wrote <os><boot dev='hd'/>
 * into the definition, and the two exclude each other. Then the definition is to be written anew, with the edit below.
 */
bool gp_domain_gives_turn_back(const struct gp_domain_xml *xml, const struct gp_hostdev *add);

/*
 * Edits of a whole document, for the simulated machine and for where libvirt cannot attach. All that is not edited
 * stays as it is. New text, caller frees; NULL and *err otherwise. Adding does not look whether the source is there;
 * it takes out what libvirt wrote into <os> when it gives a turn to boot back.
 */
char *gp_domain_xml_with_hostdev(const char *xml, size_t size, const struct gp_hostdev *add, struct gp_error *err);
/* Removes the <hostdev> with this source. *found (may be NULL) tells whether there was one. */
char *gp_domain_xml_without_hostdev(const char *xml, size_t size, const struct gp_hostdev *remove, bool *found,
				    struct gp_error *err);
char *gp_domain_xml_with_notes(const char *xml, size_t size, const struct gp_domain_notes *notes, struct gp_error *err);
/* What libvirt makes of a definition that it is given, as far as we look at it: each hostdev has a place in the guest,
 * a bus of its own unless it came with one (GP_E_IO: that is taken), and no name but those that libvirt keeps; and the
 * guest boots from devices in turn or from kinds of them (GP_E_IO: both), from disks if nothing is said. */
char *gp_domain_xml_settled(const char *xml, size_t size, struct gp_error *err);
/* Only what gp_domain_xml_parse reads, so that a plan can be replayed: no disks, no passwords, nobody else's metadata.
 */
char *gp_domain_xml_public(const char *xml, size_t size, struct gp_error *err);
/* Does it run with one of these sources? */
bool gp_domain_has_plugged(const struct gp_domain *domain, const struct gp_hostdev *devices, size_t count);

#endif
