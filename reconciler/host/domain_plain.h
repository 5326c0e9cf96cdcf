/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Domain XML as plain as libvirt writes it, read without libxml2: the fast path of domain_xml.c. */
#ifndef GP_HOST_DOMAIN_PLAIN_H
#define GP_HOST_DOMAIN_PLAIN_H

#include "host/domain_xml.h"

/*
 * True: *out is filled in from the arena, and is what libxml2 would have led to. False: the document is not plain
 * enough, or wrong; libxml2 has to look at it, and has the words for what is wrong.
 * The caller has made sure that the document has no metadata of interest.
 */
bool gp_domain_plain_parse(const char *xml, size_t size, struct gp_arena *arena, struct gp_domain_xml *out);
/* Of name and uuid alone, for a document that mentions no device of interest: the rest is not looked at. */
bool gp_domain_plain_identity(const char *xml, size_t size, struct gp_arena *arena, struct gp_domain_xml *out);

/* A part of a PCI address, read like strtoul with base 0, as libvirt does it: 0x41, 65, 0101. 0, or -1. */
int gp_domain_number(const char *text, uint32_t max, uint32_t *out);

#endif
