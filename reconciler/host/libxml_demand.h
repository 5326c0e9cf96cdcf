/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libxml2, loaded when the first document needs it: it brings ICU and libstdc++ along, and with them more than 2 ms to
 * every start, while most documents are plain enough to be read without (domain_plain.c). For domain_xml.c alone:
 * below, libxml2's names stand for the functions that were found when gp_libxml_load() was called first.
 */
#ifndef GP_HOST_LIBXML_DEMAND_H
#define GP_HOST_LIBXML_DEMAND_H

#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/tree.h>

#include "base/error.h"

/* clang-format off */
#define GP_LIBXML_FUNCTIONS(entry) \
	entry(xmlAddChild) \
	entry(xmlBufferCat) \
	entry(xmlBufferContent) \
	entry(xmlBufferCreate) \
	entry(xmlBufferFree) \
	entry(xmlCopyNode) \
	entry(xmlCtxtGetLastError) \
	entry(xmlCtxtReadMemory) \
	entry(xmlDocGetRootElement) \
	entry(xmlFree) \
	entry(xmlFreeDoc) \
	entry(xmlFreeNode) \
	entry(xmlFreeParserCtxt) \
	entry(xmlGetLineNo) \
	entry(xmlGetNoNsProp) \
	entry(xmlIsBlankNode) \
	entry(xmlNewNode) \
	entry(xmlNewNs) \
	entry(xmlNewParserCtxt) \
	entry(xmlNewProp) \
	entry(xmlNewText) \
	entry(xmlNodeDump) \
	entry(xmlNodeGetContent) \
	entry(xmlRemoveProp) \
	entry(xmlSAX2Characters) \
	entry(xmlSAX2EndElementNs) \
	entry(xmlSAX2StartElementNs) \
	entry(xmlSetNs) \
	entry(xmlStopParser) \
	entry(xmlUnlinkNode)
/* clang-format on */

#define GP_LIBXML_MEMBER(name) __typeof__ (&(name))(name);
struct gp_libxml {
	GP_LIBXML_FUNCTIONS(GP_LIBXML_MEMBER)
};
#undef GP_LIBXML_MEMBER

/* Before any other word of libxml2 is used. Thread safe. GP_E_UNAVAILABLE. */
int gp_libxml_load(struct gp_error *err);
/* Never changes once gp_libxml_load() has succeeded. */
const struct gp_libxml *gp_libxml(void);

#ifndef GP_LIBXML_NO_NAMES
#define xmlAddChild           (gp_libxml()->xmlAddChild)
#define xmlBufferCat          (gp_libxml()->xmlBufferCat)
#define xmlBufferContent      (gp_libxml()->xmlBufferContent)
#define xmlBufferCreate       (gp_libxml()->xmlBufferCreate)
#define xmlBufferFree         (gp_libxml()->xmlBufferFree)
#define xmlCopyNode           (gp_libxml()->xmlCopyNode)
#define xmlCtxtGetLastError   (gp_libxml()->xmlCtxtGetLastError)
#define xmlCtxtReadMemory     (gp_libxml()->xmlCtxtReadMemory)
#define xmlDocGetRootElement  (gp_libxml()->xmlDocGetRootElement)
#define xmlFree               (*gp_libxml()->xmlFree)
#define xmlFreeDoc            (gp_libxml()->xmlFreeDoc)
#define xmlFreeNode           (gp_libxml()->xmlFreeNode)
#define xmlFreeParserCtxt     (gp_libxml()->xmlFreeParserCtxt)
#define xmlGetLineNo          (gp_libxml()->xmlGetLineNo)
#define xmlGetNoNsProp        (gp_libxml()->xmlGetNoNsProp)
#define xmlIsBlankNode        (gp_libxml()->xmlIsBlankNode)
#define xmlNewNode            (gp_libxml()->xmlNewNode)
#define xmlNewNs              (gp_libxml()->xmlNewNs)
#define xmlNewParserCtxt      (gp_libxml()->xmlNewParserCtxt)
#define xmlNewProp            (gp_libxml()->xmlNewProp)
#define xmlNewText            (gp_libxml()->xmlNewText)
#define xmlNodeDump           (gp_libxml()->xmlNodeDump)
#define xmlNodeGetContent     (gp_libxml()->xmlNodeGetContent)
#define xmlRemoveProp         (gp_libxml()->xmlRemoveProp)
#define xmlSAX2Characters     (gp_libxml()->xmlSAX2Characters)
#define xmlSAX2EndElementNs   (gp_libxml()->xmlSAX2EndElementNs)
#define xmlSAX2StartElementNs (gp_libxml()->xmlSAX2StartElementNs)
#define xmlSetNs              (gp_libxml()->xmlSetNs)
#define xmlStopParser         (gp_libxml()->xmlStopParser)
#define xmlUnlinkNode         (gp_libxml()->xmlUnlinkNode)
#endif

#endif
