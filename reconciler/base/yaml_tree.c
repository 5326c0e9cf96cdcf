/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/yaml_tree.h"

#include <inttypes.h>
#include <string.h>
#include <yaml.h>

#include "base/utf8.h"

enum {
	SHOWN = 60,         /* bytes of a key or a name in a message */
	MAX_ANCHORS = 4096, /* far more than a person writes; bounds the work that aliases make */
	MAX_FAULTS = 100,   /* after so many, the file is something else than was meant */
	FEW_KEYS = 16       /* so many are compared each with each; more are sorted */
};

struct anchor {
	const char *name;
	const struct gp_yaml_node *node;
	uint64_t nodes;  /* in it, aliases expanded */
	unsigned height; /* levels of containers in it: 0 for a scalar */
	bool open;       /* still being read: an alias to it would make a ring */
};

/* A mapping or a sequence that is being read. */
struct frame {
	struct gp_yaml_node *node;
	struct gp_yaml_item **tail;
	const struct gp_yaml_node *key; /* whose value comes next; NULL when that value is to be dropped */
	bool has_key;                   /* mapping: a value comes next, not a key */
	const char *anchor;
	uint64_t nodes_before;
	unsigned height;
};

struct builder {
	struct gp_arena *arena;
	const struct gp_source *source;
	struct gp_diags *diags;
	size_t errors_before;
	const struct gp_yaml_node *root;
	struct gp_mark document; /* where the first one starts */
	unsigned documents;
	struct frame frames[GP_YAML_MAX_DEPTH];
	unsigned depth;
	uint64_t nodes;         /* so far, aliases expanded */
	struct anchor *anchors; /* sorted by name */
	size_t anchor_count;
};

enum verdict { GO_ON, FINISHED, GIVE_UP };

/* ---- faults ---- */

static struct gp_mark mark_at(const struct builder *b, const yaml_mark_t *mark)
{
	return (struct gp_mark){b->source, (uint32_t)mark->line + 1, (uint32_t)mark->column + 1};
}

static struct gp_diag *fault(struct builder *b, const char *code, struct gp_mark mark, const char *format, ...)
	GP_PRINTF(4, 5);

static struct gp_diag *fault(struct builder *b, const char *code, struct gp_mark mark, const char *format, ...)
{
	GP_CLEANUP(gp_str_clear) struct gp_str message = {0};
	va_list args;
	va_start(args, format);
	gp_str_vprintf(&message, format, args);
	va_end(args);
	return gp_diags_add(b->diags, GP_ERROR, GP_E_INPUT, code, mark, "%s", gp_str_text(&message));
}

static void remedy(struct gp_diag *diag, const char *text)
{
	gp_error_remedy(&diag->error, "%s", text);
}

static bool too_many_faults(const struct builder *b)
{
	return b->diags->error_count - b->errors_before >= MAX_FAULTS;
}

/* ---- what libyaml complains about, in plain words ---- */

struct wording {
	const char *libyaml;
	const char *ours;
	const char *remedy;
	bool at_context; /* where it began says more than where it was noticed */
};

static const struct wording wordings[] = {
	{"mapping values are not allowed in this context", "a ':' is not expected here",
	 "indent keys of one mapping alike, and quote a value that holds ': '", false},
	{"mapping keys are not allowed in this context", "a key is not expected here", "check the indentation", false},
	{"block sequence entries are not allowed in this context", "a '-' entry is not expected here",
	 "start each entry of a list on a line of its own, all indented alike", false},
	{"did not find expected key", "this does not continue the mapping it stands in",
	 "indent keys of one mapping alike", false},
	{"did not find expected '-' indicator", "this does not continue the list it stands in",
	 "start each entry with '- ', all indented alike", false},
	{"could not find expected ':'", "a key without its ':'", "write 'key: value'", true},
	{"did not find expected ',' or ']'", "',' or ']' is expected here", NULL, false},
	{"did not find expected ',' or '}'", "',' or '}' is expected here", NULL, false},
	{"found character that cannot start any token", "no value can start with this character",
	 "put the value in quotes", false},
	{"found unexpected end of stream", "this quote is never closed", NULL, true},
	{"found unexpected document indicator", "this quote is not closed before the document ends", NULL, true},
	{"found a tab character that violates indentation", "a tab cannot indent", "indent with blanks", false},
	{"found a tab character where an indentation space is expected", "a tab cannot indent", "indent with blanks",
	 false},
	{"found unknown escape character", "no such escape in a text in double quotes",
	 "double the backslash, or use single quotes", false},
	{"did not find expected node content", "a value is expected here", NULL, false},
	{"did not find expected <document start>", "nothing more is expected after the document",
	 "check the indentation", false},
	{"found incompatible YAML document", "only YAML 1.1 and 1.2 can be read", NULL, false},
	{"found undefined tag handle", "unknown tag", "remove the tag", false},
	{"did not find expected comment or line break", "only a comment may follow here", NULL, false},
	{"did not find expected alphabetic or numeric character", "a name is expected after '&' or '*'",
	 "put a value that starts with '&' or '*' in quotes", false},
};

static const struct {
	const char *libyaml;
	const char *ours;
} contexts[] = {
	{"while parsing a block mapping", "the mapping starts here"},
	{"while parsing a flow mapping", "the mapping starts here"},
	{"while parsing a block collection", "the list starts here"},
	{"while parsing a flow sequence", "the list starts here"},
	{"while scanning a quoted scalar", "the text starts here"},
	{"while scanning a block scalar", "the text starts here"},
};

static struct wording wording_for(const char *problem)
{
	for (size_t i = 0; i < sizeof(wordings) / sizeof(wordings[0]); i++)
		if (gp_streq(wordings[i].libyaml, problem))
			return wordings[i];
	return (struct wording){.ours = problem == NULL ? "this is not YAML" : problem};
}

static void note_context(struct builder *b, struct gp_diag *diag, const char *context, const yaml_mark_t *mark)
{
	if (context == NULL || mark->line + 1 == diag->error.mark.line)
		return;
	for (size_t i = 0; i < sizeof(contexts) / sizeof(contexts[0]); i++)
		if (gp_streq(contexts[i].libyaml, context))
			gp_diag_other(diag, mark_at(b, mark), "%s", contexts[i].ours);
}

static char char_at(struct gp_mark mark)
{
	size_t size;
	const char *line = gp_source_line(mark.source, mark.line, &size);
	uint32_t code;
	for (uint32_t column = 1; line != NULL && size > 0; column++) {
		if (column == mark.column)
			return *line;
		size_t length = gp_utf8_next(line, size, &code);
		line += length;
		size -= length;
	}
	return '\0';
}

static void add_syntax_fault(struct builder *b, const yaml_parser_t *parser)
{
	struct wording words = wording_for(parser->problem);
	bool at_context = words.at_context && parser->context != NULL;
	struct gp_mark mark = mark_at(b, at_context ? &parser->context_mark : &parser->problem_mark);
	if (char_at(mark) == '\t' && !at_context)
		words = wording_for("found a tab character that violates indentation");
	struct gp_diag *diag = fault(b, "yaml-syntax", mark, "%s", words.ours);
	if (words.remedy != NULL)
		remedy(diag, words.remedy);
	note_context(b, diag, parser->context, &parser->context_mark);
}

static struct gp_mark mark_of_byte(const struct gp_source *source, size_t offset)
{
	uint32_t line = 1;
	while (line < source->line_count && source->line_starts[line] <= offset)
		line++;
	size_t start = source->line_starts[line - 1];
	size_t before = offset > start ? gp_utf8_count(source->text + start, offset - start) : 0;
	return (struct gp_mark){source, line, (uint32_t)before + 1};
}

/* libyaml may report the byte behind a sequence that was cut short. */
static size_t first_invalid_byte(const struct gp_source *source, size_t reported)
{
	uint32_t code;
	for (size_t at = 0, length; at < reported; at += length) {
		length = gp_utf8_next(source->text + at, source->size - at, &code);
		if (code == GP_UTF8_INVALID)
			return at;
	}
	return reported;
}

/* The reader knows neither line nor column, only a byte. */
static void add_encoding_fault(struct builder *b, size_t reported)
{
	size_t at = first_invalid_byte(b->source, reported < b->source->size ? reported : b->source->size);
	struct gp_mark mark = mark_of_byte(b->source, at);
	uint32_t code;
	if (gp_utf8_next(b->source->text + at, b->source->size - at, &code) > 0 && code != GP_UTF8_INVALID)
		fault(b, "yaml-encoding", mark, "the control character U+%04" PRIX32 " is not allowed", code);
	else
		remedy(fault(b, "yaml-encoding", mark, "the byte 0x%02x is not UTF-8",
			     (unsigned char)b->source->text[at]),
		       "save the file as UTF-8");
}

static void add_parser_fault(struct builder *b, const yaml_parser_t *parser, size_t skipped)
{
	if (parser->error == YAML_MEMORY_ERROR)
		gp_out_of_memory();
	if (parser->error == YAML_READER_ERROR)
		add_encoding_fault(b, parser->problem_offset + skipped);
	else
		add_syntax_fault(b, parser);
}

/* ---- anchors ---- */

/* The anchor of this name, or the place where it belongs. */
static size_t anchor_place(const struct builder *b, const char *name, bool *found)
{
	size_t low = 0, high = b->anchor_count;
	*found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, b->anchors[middle].name);
		if (order == 0) {
			*found = true;
			return middle;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static struct anchor *find_anchor(struct builder *b, const char *name)
{
	bool found;
	size_t at = anchor_place(b, name, &found);
	return found ? &b->anchors[at] : NULL;
}

/* An anchor that is defined again means the later node from here on: that is YAML's rule. */
static int set_anchor(struct builder *b, struct anchor anchor)
{
	bool found;
	size_t at = anchor_place(b, anchor.name, &found);
	if (!found) {
		if (b->anchor_count == MAX_ANCHORS) {
			fault(b, "yaml-limit", anchor.node->mark, "more than %d anchors", MAX_ANCHORS);
			return -1;
		}
		(void)gp_arena_push(b->arena, b->anchors, b->anchor_count);
		memmove(&b->anchors[at + 1], &b->anchors[at], (b->anchor_count - 1 - at) * sizeof(anchor));
	}
	b->anchors[at] = anchor;
	return 0;
}

/* ---- placing nodes ---- */

static struct frame *top_frame(struct builder *b)
{
	return b->depth == 0 ? NULL : &b->frames[b->depth - 1];
}

static bool wants_key(const struct frame *frame)
{
	return frame != NULL && frame->node->type == GP_YAML_MAPPING && !frame->has_key;
}

static void raise_height(struct frame *frame, unsigned height_of_child)
{
	if (frame != NULL && frame->height < height_of_child + 1)
		frame->height = height_of_child + 1;
}

/* NULL when the key cannot be one; its value is then read and dropped. */
static const struct gp_yaml_node *check_key(struct builder *b, const struct gp_yaml_node *key, struct gp_mark mark)
{
	if (key == NULL)
		return NULL;
	if (key->type != GP_YAML_SCALAR) {
		remedy(fault(b, "complex-key", mark, "a key must be a plain text, not a list or a mapping"),
		       "put a value that starts with '[' or '{' in quotes");
		return NULL;
	}
	if (key->plain && gp_streq(key->text, "<<")) {
		struct gp_diag *diag = fault(b, "merge-key", mark, "merge keys (<<) are not supported");
		diag->caret_length = 2;
		remedy(diag, "write the keys out, or share a whole value with an anchor and an alias");
		return NULL;
	}
	return key;
}

static void append_item(struct builder *b, struct frame *frame, const struct gp_yaml_node *value)
{
	struct gp_yaml_item *item = gp_arena_new_of(b->arena, struct gp_yaml_item);
	item->key = frame->key;
	item->value = value;
	*frame->tail = item;
	frame->tail = &item->next;
	frame->node->count++;
}

/* A finished scalar, an alias' node, or a container that has just begun; NULL: one that is dropped for a fault. */
static void place(struct builder *b, const struct gp_yaml_node *node, struct gp_mark mark)
{
	struct frame *top = top_frame(b);
	if (top == NULL) {
		b->root = node;
		return;
	}
	if (wants_key(top)) {
		top->key = check_key(b, node, mark);
		top->has_key = true;
		return;
	}
	bool dropped = node == NULL || (top->node->type == GP_YAML_MAPPING && top->key == NULL);
	if (!dropped)
		append_item(b, top, node);
	top->key = NULL;
	top->has_key = false;
}

static enum verdict count_nodes(struct builder *b, uint64_t more, struct gp_mark mark)
{
	b->nodes += more;
	if (b->nodes <= GP_YAML_MAX_NODES)
		return GO_ON;
	fault(b, "yaml-limit", mark, "more than %d values (aliases counted in full)", GP_YAML_MAX_NODES);
	return GIVE_UP;
}

static enum verdict fail_too_deep(struct builder *b, struct gp_mark mark)
{
	fault(b, "yaml-limit", mark, "nested more than %d levels deep", GP_YAML_MAX_DEPTH);
	return GIVE_UP;
}

/* ---- tags ---- */

static bool is_one_of(const char *text, const char *const *names)
{
	for (; *names != NULL; names++)
		if (strcmp(text, *names) == 0)
			return true;
	return false;
}

static void check_tag(struct builder *b, const char *tag, const char *const *allowed, struct gp_mark mark)
{
	if (tag != NULL && strcmp(tag, "!") != 0 && !is_one_of(tag, allowed))
		remedy(fault(b, "yaml-tag", mark, "the tag '%.*s' is not supported here", SHOWN, tag),
		       "remove the tag");
}

static const char *const mapping_tags[] = {YAML_MAP_TAG, NULL};
static const char *const sequence_tags[] = {YAML_SEQ_TAG, NULL};
static const char *const text_tags[] = {"!", YAML_STR_TAG, NULL};
static const char *const scalar_tags[] = {YAML_STR_TAG,  YAML_INT_TAG,  YAML_FLOAT_TAG,
					  YAML_BOOL_TAG, YAML_NULL_TAG, NULL};

/* May the text be taken for a number, a boolean or null? A tag says so, else the lack of quotes. */
static bool is_plain(const yaml_event_t *event)
{
	const char *tag = (const char *)event->data.scalar.tag;
	if (tag == NULL)
		return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	return !is_one_of(tag, text_tags);
}

/* ---- events ---- */

static enum verdict take_scalar(struct builder *b, const yaml_event_t *event)
{
	struct gp_mark mark = mark_at(b, &event->start_mark);
	const char *text = (const char *)event->data.scalar.value;
	size_t length = event->data.scalar.length;
	if (count_nodes(b, 1, mark) != GO_ON)
		return GIVE_UP;
	check_tag(b, (const char *)event->data.scalar.tag, scalar_tags, mark);
	raise_height(top_frame(b), 0);
	if (memchr(text, '\0', length) != NULL) {
		fault(b, "yaml-encoding", mark, "a text cannot hold the character U+0000");
		place(b, NULL, mark);
		return GO_ON;
	}

	/* Node and text in one piece: they are read together. */
	struct gp_yaml_node *node = gp_arena_alloc(b->arena, sizeof(*node) + length + 1);
	char *copy = (char *)(node + 1);
	memcpy(copy, text, length);
	*node = (struct gp_yaml_node){.type = GP_YAML_SCALAR,
				      .plain = is_plain(event),
				      .mark = mark,
				      .length = (uint32_t)length,
				      .text = copy};
	place(b, node, mark);
	if (event->data.scalar.anchor == NULL)
		return GO_ON;
	const char *name = gp_arena_strdup(b->arena, (const char *)event->data.scalar.anchor);
	return set_anchor(b, (struct anchor){.name = name, .node = node, .nodes = 1}) < 0 ? GIVE_UP : GO_ON;
}

static enum verdict open_container(struct builder *b, enum gp_yaml_type type, const yaml_char_t *anchor,
				   const yaml_mark_t *start)
{
	struct gp_mark mark = mark_at(b, start);
	if (b->depth == GP_YAML_MAX_DEPTH)
		return fail_too_deep(b, mark);
	if (count_nodes(b, 1, mark) != GO_ON)
		return GIVE_UP;
	struct gp_yaml_node *node = gp_arena_new_of(b->arena, struct gp_yaml_node);
	node->type = type;
	node->mark = mark;
	place(b, node, mark);

	struct frame *frame = &b->frames[b->depth++];
	*frame = (struct frame){.node = node, .tail = &node->first, .nodes_before = b->nodes - 1, .height = 1};
	if (anchor == NULL)
		return GO_ON;
	frame->anchor = gp_arena_strdup(b->arena, (const char *)anchor);
	return set_anchor(b, (struct anchor){.name = frame->anchor, .node = node, .open = true}) < 0 ? GIVE_UP : GO_ON;
}

static const struct gp_yaml_node *find_aliased(struct builder *b, const char *name, struct gp_mark mark,
					       const struct anchor **anchor)
{
	*anchor = find_anchor(b, name);
	if (*anchor == NULL) {
		struct gp_diag *diag =
			fault(b, "yaml-alias", mark, "no anchor '&%.*s' stands before this alias", SHOWN, name);
		diag->caret_length = 1 + gp_utf8_count(name, strlen(name));
		return NULL;
	}
	if ((*anchor)->open) {
		struct gp_diag *diag =
			fault(b, "yaml-alias", mark, "the alias '*%.*s' stands inside what it stands for", SHOWN, name);
		diag->caret_length = 1 + gp_utf8_count(name, strlen(name));
		gp_diag_other(diag, (*anchor)->node->mark, "'&%.*s' starts here", SHOWN, name);
		return NULL;
	}
	return (*anchor)->node;
}

/* A key is found by its place, so one that is an alias gets a node, and a mark, of its own. */
static const struct gp_yaml_node *key_of_its_own(struct builder *b, const struct gp_yaml_node *node,
						 struct gp_mark mark)
{
	if (node->type != GP_YAML_SCALAR)
		return node;
	struct gp_yaml_node *key = gp_arena_new_of(b->arena, struct gp_yaml_node);
	*key = *node;
	key->mark = mark;
	return key;
}

static enum verdict take_alias(struct builder *b, const yaml_event_t *event)
{
	struct gp_mark mark = mark_at(b, &event->start_mark);
	const struct anchor *anchor;
	const struct gp_yaml_node *node = find_aliased(b, (const char *)event->data.alias.anchor, mark, &anchor);
	if (node == NULL) {
		place(b, NULL, mark);
		return GO_ON;
	}
	if (b->depth + anchor->height > GP_YAML_MAX_DEPTH)
		return fail_too_deep(b, mark);
	if (count_nodes(b, anchor->nodes, mark) != GO_ON)
		return GIVE_UP;
	raise_height(top_frame(b), anchor->height);
	place(b, wants_key(top_frame(b)) ? key_of_its_own(b, node, mark) : node, mark);
	return GO_ON;
}

static enum verdict start_document(struct builder *b, const yaml_event_t *event)
{
	struct gp_mark mark = mark_at(b, &event->start_mark);
	if (b->documents++ == 0) {
		b->document = mark;
		return GO_ON;
	}
	struct gp_diag *diag = fault(b, "yaml-documents", mark, "a second document; a file holds one");
	gp_diag_other(diag, b->document, "the first starts here");
	remedy(diag, "put it in a file of its own");
	return FINISHED;
}

/* ---- keys that appear twice ---- */

static bool same_text(const struct gp_yaml_node *a, const struct gp_yaml_node *b)
{
	return a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
}

static void add_duplicate(struct builder *b, const struct gp_yaml_node *first, const struct gp_yaml_node *again)
{
	struct gp_diag *diag =
		fault(b, "duplicate-key", again->mark, "the key '%.*s' appears twice", SHOWN, again->text);
	diag->caret_length = gp_yaml_caret_length(again);
	gp_diag_other(diag, first->mark, "first defined here");
}

static void compare_each_with_each(struct builder *b, const struct gp_yaml_node *mapping)
{
	for (const struct gp_yaml_item *item = mapping->first; item != NULL; item = item->next) {
		const struct gp_yaml_item *earlier = mapping->first;
		while (earlier != item && !same_text(earlier->key, item->key))
			earlier = earlier->next;
		if (earlier != item)
			add_duplicate(b, earlier->key, item->key);
	}
}

static int compare_keys(const void *left, const void *right)
{
	const struct gp_yaml_node *a = *(const struct gp_yaml_node *const *)left;
	const struct gp_yaml_node *b = *(const struct gp_yaml_node *const *)right;
	if (a->length != b->length)
		return a->length < b->length ? -1 : 1;
	int by_text = memcmp(a->text, b->text, a->length);
	if (by_text != 0)
		return by_text;
	if (a->mark.line != b->mark.line)
		return a->mark.line < b->mark.line ? -1 : 1;
	return (a->mark.column > b->mark.column) - (a->mark.column < b->mark.column);
}

/* Sorted, not hashed: no choice of keys can make it slow. */
static void sort_and_compare(struct builder *b, const struct gp_yaml_node *mapping)
{
	gp_autofree const struct gp_yaml_node **keys = gp_xcalloc(mapping->count, sizeof(*keys));
	size_t count = 0;
	for (const struct gp_yaml_item *item = mapping->first; item != NULL; item = item->next)
		keys[count++] = item->key;
	qsort(keys, count, sizeof(*keys), compare_keys);
	size_t first = 0;
	for (size_t i = 1; i < count && !too_many_faults(b); i++) {
		if (same_text(keys[first], keys[i]))
			add_duplicate(b, keys[first], keys[i]);
		else
			first = i;
	}
}

static void find_duplicates(struct builder *b, const struct gp_yaml_node *mapping)
{
	if (mapping->count <= FEW_KEYS)
		compare_each_with_each(b, mapping);
	else
		sort_and_compare(b, mapping);
}

/* ---- the end of a container ---- */

static void close_anchor(struct builder *b, const struct frame *frame)
{
	if (frame->anchor == NULL)
		return;
	struct anchor *anchor = find_anchor(b, frame->anchor);
	if (anchor == NULL || anchor->node != frame->node)
		return; /* defined again inside itself */
	anchor->open = false;
	anchor->nodes = b->nodes - frame->nodes_before;
	anchor->height = frame->height;
}

static void close_container(struct builder *b)
{
	const struct frame *frame = &b->frames[--b->depth];
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a frame is opened with the node that it is of */
	if (frame->node->type == GP_YAML_MAPPING)
		find_duplicates(b, frame->node);
	close_anchor(b, frame);
	raise_height(top_frame(b), frame->height);
}

/* ---- the loop ---- */

static enum verdict take_event(struct builder *b, const yaml_event_t *event)
{
	struct gp_mark mark = mark_at(b, &event->start_mark);
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		return start_document(b, event);
	case YAML_SCALAR_EVENT:
		return take_scalar(b, event);
	case YAML_ALIAS_EVENT:
		return take_alias(b, event);
	case YAML_MAPPING_START_EVENT:
		check_tag(b, (const char *)event->data.mapping_start.tag, mapping_tags, mark);
		return open_container(b, GP_YAML_MAPPING, event->data.mapping_start.anchor, &event->start_mark);
	case YAML_SEQUENCE_START_EVENT:
		check_tag(b, (const char *)event->data.sequence_start.tag, sequence_tags, mark);
		return open_container(b, GP_YAML_SEQUENCE, event->data.sequence_start.anchor, &event->start_mark);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		close_container(b);
		return GO_ON;
	case YAML_STREAM_END_EVENT:
		return FINISHED;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		return GO_ON;
	}
	return GO_ON;
}

static enum verdict read_events(struct builder *b, yaml_parser_t *parser, size_t skipped)
{
	for (;;) {
		yaml_event_t event;
		if (!yaml_parser_parse(parser, &event)) {
			add_parser_fault(b, parser, skipped);
			return GIVE_UP;
		}
		enum verdict verdict = take_event(b, &event);
		struct gp_mark mark = mark_at(b, &event.start_mark);
		yaml_event_delete(&event);
		if (verdict != GO_ON)
			return verdict;
		if (too_many_faults(b)) {
			fault(b, "yaml-limit", mark, "too many faults; the rest of the file was not read");
			return GIVE_UP;
		}
	}
}

/* "---" alone says as little as an empty text. */
static bool says_nothing(const struct gp_yaml_node *root)
{
	return root != NULL && root->type == GP_YAML_SCALAR && root->plain && root->length == 0;
}

const struct gp_yaml_node *gp_yaml_parse(struct gp_arena *arena, const struct gp_source *source, struct gp_diags *diags)
{
	struct builder b = {.arena = arena, .source = source, .diags = diags, .errors_before = diags->error_count};
	if (source->size > UINT32_MAX) {
		fault(&b, "yaml-limit", (struct gp_mark){.source = source}, "the file is larger than 4GiB");
		return NULL;
	}
	yaml_parser_t parser;
	if (!yaml_parser_initialize(&parser))
		gp_out_of_memory();
	/* Only UTF-8 is read; its byte order mark is ours to skip, or it would count as a column. */
	size_t skipped = source->line_starts[0];
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)source->text + skipped, source->size - skipped);
	enum verdict verdict = read_events(&b, &parser, skipped);
	yaml_parser_delete(&parser);
	return verdict == GIVE_UP || says_nothing(b.root) ? NULL : b.root;
}

/* ---- asking the tree ---- */

const struct gp_yaml_node *gp_yaml_get(const struct gp_yaml_node *mapping, const char *key)
{
	if (mapping == NULL || mapping->type != GP_YAML_MAPPING)
		return NULL;
	size_t length = strlen(key);
	for (const struct gp_yaml_item *item = mapping->first; item != NULL; item = item->next)
		if (item->key->length == length && memcmp(item->key->text, key, length) == 0)
			return item->value;
	return NULL;
}

bool gp_yaml_is_null(const struct gp_yaml_node *node)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
	return node != NULL && node->type == GP_YAML_SCALAR && node->plain && is_one_of(node->text, nulls);
}

size_t gp_yaml_caret_length(const struct gp_yaml_node *node)
{
	if (node->type != GP_YAML_SCALAR)
		return 1;
	return gp_utf8_count(node->text, node->length) + (node->plain ? 0 : 2);
}

/* ---- writing ---- */

/* Words that some YAML reader takes for something else than a text, whatever their case. */
static bool is_taken_word(const char *text)
{
	static const char *const words[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (gp_glob_match(words[i], text, true))
			return true;
	return false;
}

/* Wide of the mark on purpose: dates, times, PCI addresses (a number to base 60 in YAML 1.1), .inf. */
static bool may_be_number(const char *text)
{
	if (strchr("0123456789+-.", text[0]) == NULL)
		return false;
	return text[0] == '.' || strspn(text, "0123456789abcdefABCDEFxXoO_+-.:") == strlen(text);
}

static bool is_plain_char(char c, bool inside)
{
	if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
		return true;
	return strchr(inside ? "_/.+-()@=:" : "_/.+(", c) != NULL && c != '\0';
}

static bool needs_quotes(const char *text)
{
	size_t length = strlen(text);
	if (length == 0 || is_taken_word(text) || may_be_number(text) || text[length - 1] == ':')
		return true;
	for (size_t i = 0; i < length; i++) {
		bool inner_blank = text[i] == ' ' && i > 0 && i + 1 < length && text[i - 1] != ':';
		if (!inner_blank && !is_plain_char(text[i], i > 0))
			return true;
	}
	return false;
}

static void add_quoted_char(struct gp_str *out, const char *bytes, size_t length, uint32_t code)
{
	bool unseen = code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x2028 || code == 0x2029 ||
		      code == 0xFEFF || code == 0xFFFE || code == 0xFFFF;
	if (code == GP_UTF8_INVALID)
		gp_str_add(out, "\\uFFFD"); /* YAML has no way to hold a stray byte */
	else if (code == '\n')
		gp_str_add(out, "\\n");
	else if (code == '\t')
		gp_str_add(out, "\\t");
	else if (code == '"' || code == '\\')
		gp_str_printf(out, "\\%c", (char)code);
	else if (unseen && code < 0x100)
		gp_str_printf(out, "\\x%02" PRIX32, code);
	else if (unseen)
		gp_str_printf(out, "\\u%04" PRIX32, code);
	else
		gp_str_add_n(out, bytes, length);
}

void gp_yaml_add_string(struct gp_str *out, const char *text)
{
	if (!needs_quotes(text)) {
		gp_str_add(out, text);
		return;
	}
	gp_str_add_char(out, '"');
	size_t size = strlen(text);
	uint32_t code;
	for (size_t at = 0, length; at < size; at += length) {
		length = gp_utf8_next(text + at, size - at, &code);
		add_quoted_char(out, text + at, length, code);
	}
	gp_str_add_char(out, '"');
}
