/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What differs from machine to machine without meaning anything (addresses, numbers of IOMMU groups, where a bridge
 * is), made comparable: `$VF3` in a script is an address, and an address in an answer is `$VF3`. */
#ifndef GP_TESTS_PLAY_TEXT_H
#define GP_TESTS_PLAY_TEXT_H

#include "play.h"

/* The PF that the script is about, and another one: `nth` 0 or 1. Reads where its VFs are from its config space. */
void play_name_pf(unsigned nth, const char *addr);
/* Puts in what $PF, $OTHER, $VF3, $OTHER_VF3, $GROUP_VF3, $DEV, $DRV and $GROUPS stand for. */
void play_expand(const char *text, char *out, size_t size);
/* Adds a text to another, with those names in the place of what they stand for. */
void play_add_named(struct play_text *out, const char *text);
/* Adds the text of a link: the way up to where trees begin is "…", and so is the way down to a device. */
void play_add_target(struct play_text *out, const char *target);
/* Is it the number of a group? Then it is named in the order of first sight: "$G1". */
void play_add_name_in(struct play_text *out, const char *directory, const char *name);
/* Adds bytes as the C language writes them. */
void play_add_escaped(struct play_text *out, const char *bytes, size_t size);

/* The 4096 bytes of a device's config space; false: they cannot be read. */
bool play_read_config(const char *addr, unsigned char config[4096]);
/* Where the SR-IOV capability is; 0: none. */
unsigned play_find_sriov(const unsigned char config[4096]);
unsigned play_word(const unsigned char *config, unsigned at);

#endif
