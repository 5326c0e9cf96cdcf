/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/xml_tags.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct gp_piece gp_piece_trimmed(struct gp_piece piece)
{
	while (piece.length > 0 && is_blank(piece.text[0])) {
		piece.text++;
		piece.length--;
	}
	while (piece.length > 0 && is_blank(piece.text[piece.length - 1]))
		piece.length--;
	return piece;
}

void gp_tag_stop(struct gp_tag_scanner *scanner, const char *at, const char *why)
{
	if (scanner->wrong == NULL) {
		scanner->wrong = why;
		scanner->at = at;
	}
}

/* Behind the next `mark`. */
static const char *behind(struct gp_tag_scanner *scanner, const char *from, const char *mark)
{
	const char *found = memmem(from, (size_t)(scanner->end - from), mark, strlen(mark));
	if (found != NULL)
		return found + strlen(mark);
	gp_tag_stop(scanner, from, "ends in the middle of a tag");
	return NULL;
}

/* The '>' that ends a tag; those in quotes do not. Before it there must be no '<', nor `bad`. */
static const char *end_of_tag(struct gp_tag_scanner *scanner, const char *from, char bad, const char *why)
{
	for (const char *at = from; at < scanner->end; at++) {
		char c = *at;
		if (c == '>')
			return at;
		if (c == '<' || c == bad) {
			gp_tag_stop(scanner, at, why);
			return NULL;
		}
		if (c != '"' && c != '\'')
			continue;
		at = memchr(at + 1, c, (size_t)(scanner->end - at - 1));
		if (at == NULL)
			break;
	}
	gp_tag_stop(scanner, from, "ends in the middle of a tag");
	return NULL;
}

static bool follows(const struct gp_tag_scanner *scanner, const char *word)
{
	size_t length = strlen(word);
	return (size_t)(scanner->end - scanner->at) >= length && memcmp(scanner->at, word, length) == 0;
}

/* Moves behind what stands in tag brackets and is no tag. The DOCTYPE names an external DTD: nobody asks for it. */
static bool pass_no_tag(struct gp_tag_scanner *scanner)
{
	const char *next;
	if (follows(scanner, "<!--")) {
		next = behind(scanner, scanner->at + 4, "-->");
	} else if (follows(scanner, "<![CDATA[")) {
		next = behind(scanner, scanner->at, "]]>");
	} else if (follows(scanner, "<?")) {
		next = behind(scanner, scanner->at, "?>");
	} else {
		next = end_of_tag(scanner, scanner->at + 1, '[',
				  "has declarations of its own (DOCTYPE), which are not let through");
		next = next == NULL ? NULL : next + 1;
	}
	if (next == NULL)
		return false;
	scanner->at = next;
	return true;
}

static bool is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_name_char(char c)
{
	return is_letter_or_digit(c) || c == '_' || c == '-' || c == '.' || c == ':';
}

/* What else a name holds does not matter: it is compared with those that are known. */
static bool ends_name(char c)
{
	return (unsigned char)c <= ' ' || c == '>' || c == '/' || c == '<';
}

static bool take_tag(struct gp_tag_scanner *scanner, struct gp_tag *tag)
{
	const char *open = scanner->at, *at = open + 1;
	tag->kind = at < scanner->end && *at == '/' ? GP_TAG_END : GP_TAG_START;
	at += tag->kind == GP_TAG_END;
	tag->name.text = at;
	while (at < scanner->end && !ends_name(*at))
		at++;
	tag->name.length = (size_t)(at - tag->name.text);
	const char *close = end_of_tag(scanner, at, '<', "has a '<' inside of a tag");
	if (close == NULL)
		return false;
	if (tag->name.length == 0) {
		gp_tag_stop(scanner, open, "has a tag without a name");
		return false;
	}
	if (tag->kind == GP_TAG_START && close[-1] == '/')
		tag->kind = GP_TAG_EMPTY;
	tag->attributes = (struct gp_piece){at, (size_t)(close - at)};
	scanner->at = close + 1;
	return true;
}

void gp_tag_next(struct gp_tag_scanner *scanner, struct gp_tag *tag, struct gp_piece *before)
{
	tag->kind = GP_TAG_NONE;
	for (;;) {
		const char *open = memchr(scanner->at, '<', (size_t)(scanner->end - scanner->at));
		if (open == NULL) {
			scanner->at = scanner->end;
			return;
		}
		*before = (struct gp_piece){scanner->at, (size_t)(open - scanner->at)};
		scanner->at = open;
		if (open + 1 < scanner->end && (open[1] == '!' || open[1] == '?')) {
			if (!pass_no_tag(scanner))
				return;
			continue;
		}
		if (!take_tag(scanner, tag))
			tag->kind = GP_TAG_NONE;
		return;
	}
}

struct gp_piece gp_tag_attribute(const struct gp_tag *tag, const char *name)
{
	size_t length = strlen(name);
	const char *at = tag->attributes.text, *end = at + tag->attributes.length;
	while (at < end) {
		while (at < end && !is_name_char(*at))
			at++;
		const char *word = at;
		while (at < end && is_name_char(*at))
			at++;
		size_t word_length = (size_t)(at - word);
		while (at < end && (is_blank(*at) || *at == '='))
			at++;
		if (at == end || (*at != '"' && *at != '\''))
			continue;
		const char *value = at + 1, *close = memchr(value, *at, (size_t)(end - value));
		if (close == NULL)
			break;
		if (word_length == length && memcmp(word, name, length) == 0)
			return (struct gp_piece){value, (size_t)(close - value)};
		at = close + 1;
	}
	return (struct gp_piece){"", 0};
}
