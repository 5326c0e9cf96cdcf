/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From tag to tag through a large XML file whose shape is known, several times as fast as a parser that hands over
 * everything. What the file holds between tags is pieces of it, with nothing replaced: no reference is followed, no
 * declaration taken. What stands in tag brackets and is no tag (comments, CDATA, the DOCTYPE with the DTD that it
 * names) is passed over. That tags match is for the caller to see to.
 */
#ifndef GP_HOST_XML_TAGS_H
#define GP_HOST_XML_TAGS_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* A piece of the file. */
struct gp_piece {
	const char *text;
	size_t length;
};

static inline bool gp_piece_is(struct gp_piece piece, const char *word)
{
	return piece.length == strlen(word) && memcmp(piece.text, word, piece.length) == 0;
}

static inline bool gp_piece_same(struct gp_piece a, struct gp_piece b)
{
	return a.length == b.length && memcmp(a.text, b.text, a.length) == 0;
}

struct gp_piece gp_piece_trimmed(struct gp_piece piece);

enum gp_tag_kind { GP_TAG_START, GP_TAG_END, GP_TAG_EMPTY, GP_TAG_NONE };

struct gp_tag {
	enum gp_tag_kind kind;
	struct gp_piece name;
	struct gp_piece attributes; /* all that stands behind the name */
};

struct gp_tag_scanner {
	const char *begin, *at, *end; /* at: where it is, or what is wrong */
	const char *wrong;            /* why the file cannot be read; NULL so far */
};

/* The next tag, and the text right before it. GP_TAG_NONE at the end of the file, or when something is wrong. */
void gp_tag_next(struct gp_tag_scanner *scanner, struct gp_tag *tag, struct gp_piece *before);
/* The value of an attribute; empty when there is none. */
struct gp_piece gp_tag_attribute(const struct gp_tag *tag, const char *name);
/* The file is wrong here; only what is found first counts. */
void gp_tag_stop(struct gp_tag_scanner *scanner, const char *at, const char *why);

#endif
