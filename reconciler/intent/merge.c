/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several files become one desired state: what must be unique over them, what must exist, what may differ.
 *
 * Only files that can speak for one host can be at odds. With a host, those are the files for it; a file for another
 * host is checked for itself. Without one (validate), they are those whose `hosts` patterns some host could match both.
 */
#include <stddef.h>
#include <string.h>

#include "intent/file.h"

enum { MOST_SUGGESTIONS = 100 };

/* ---- an index of names ---- */

/* Where a name is defined; definitions of one name are linked, latest first. */
struct definition {
	const char *name;
	const struct gp_mark *mark;
	uint32_t hash;
	uint32_t file;
	uint32_t earlier; /* number of the one before; 0: none */
};

struct index {
	uint32_t *slots;                /* numbers of definitions, by hash; 0: empty */
	size_t slot_count;              /* a power of two, over twice what is to come */
	struct definition *definitions; /* from 1 */
	uint32_t count;
};

struct merge {
	struct gp_reader *reader;
	const struct gp_file *files;
	size_t count;
	bool has_host;
	/* Which files can be at odds with file `row_of`: asked for each name anew, worked out once. */
	enum { UNKNOWN, NO, YES } * row;
	size_t row_of;
	size_t suggestions; /* did-you-means so far: each looks at all classes */
	struct index classes, vms;
};

/* FNV-1a, 32 bits. */
static uint32_t hash_name(const char *name)
{
	uint32_t hash = 2166136261U;
	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619U;
	return hash;
}

static struct index new_index(struct gp_arena *arena, size_t most)
{
	struct index index = {.slot_count = 16};
	while (index.slot_count < most * 2)
		index.slot_count *= 2;
	index.slots = gp_arena_array_of(arena, uint32_t, index.slot_count);
	index.definitions = gp_arena_array_of(arena, struct definition, most + 1);
	return index;
}

static uint32_t *find_slot(const struct index *index, const char *name, uint32_t hash)
{
	for (size_t at = hash;; at++) {
		uint32_t *slot = &index->slots[at & (index->slot_count - 1)];
		const struct definition *is = &index->definitions[*slot];
		if (*slot == 0 || (is->hash == hash && strcmp(is->name, name) == 0))
			return slot;
	}
}

/* Can both files be at odds? */
static bool can_meet(struct merge *merge, size_t a, size_t b)
{
	const struct gp_file *first = &merge->files[a], *second = &merge->files[b];
	if (a == b)
		return true;
	if (merge->has_host)
		return first->for_host && second->for_host;
	if (merge->row_of != b)
		memset(merge->row, 0, merge->count * sizeof(merge->row[0]));
	merge->row_of = b;
	if (merge->row[a] == UNKNOWN)
		merge->row[a] = gp_files_can_meet(first, second) ? YES : NO;
	return merge->row[a] == YES;
}

/* ---- what must be unique ---- */

/* Many names of one pattern that collide with those of another are one fault. */
struct collision {
	const char *what, *code;
	struct definition again, first;
	size_t more;
};

/* A name that stands there as it is gets underlined; one that a pattern stands for cannot be. */
static size_t caret_over(struct gp_mark mark, const char *name)
{
	size_t size, length = strlen(name);
	const char *line = gp_source_line(mark.source, mark.line, &size);
	size_t at = mark.column - 1;
	if (line == NULL || at >= size)
		return 1;
	size_t quote = line[at] == '"' || line[at] == '\'' ? 1 : 0;
	bool is_there = size - at >= length + 2 * quote && memcmp(line + at + quote, name, length) == 0;
	return is_there ? length + 2 * quote : 1;
}

static void report(struct merge *merge, struct collision *collision)
{
	const struct definition *again = &collision->again;
	if (again->name == NULL)
		return;
	GP_CLEANUP(gp_str_clear) struct gp_str message = {0};
	if (collision->more > 0)
		gp_str_printf(&message, "'%s' and %zu more %ss are listed twice", again->name, collision->more,
			      collision->what);
	else
		gp_str_printf(&message, "the %s '%s' is listed twice", collision->what, again->name);
	struct gp_diag *diag = gp_diags_add(merge->reader->diags, GP_ERROR, GP_E_INPUT, collision->code, *again->mark,
					    "%s", gp_str_text(&message));
	diag->caret_length = caret_over(*again->mark, again->name);
	gp_diag_other(diag, *collision->first.mark, "first listed here");
	*collision = (struct collision){.what = collision->what, .code = collision->code};
}

static bool same_mark(struct gp_mark a, struct gp_mark b)
{
	return a.source == b.source && a.line == b.line && a.column == b.column;
}

static void collide(struct merge *merge, struct collision *collision, struct definition again,
		    const struct definition *first)
{
	if (collision->again.name != NULL && same_mark(*collision->again.mark, *again.mark) &&
	    same_mark(*collision->first.mark, *first->mark)) {
		collision->more++;
		return;
	}
	report(merge, collision);
	collision->again = again;
	collision->first = *first;
}

static void define(struct merge *merge, struct index *index, struct collision *collision, struct definition is)
{
	is.hash = hash_name(is.name);
	uint32_t *slot = find_slot(index, is.name, is.hash);
	is.earlier = *slot;
	for (uint32_t at = *slot; at != 0; at = index->definitions[at].earlier) {
		if (!can_meet(merge, index->definitions[at].file, is.file))
			continue;
		collide(merge, collision, is, &index->definitions[at]);
		return;
	}
	*slot = ++index->count;
	index->definitions[*slot] = is;
}

static void define_classes(struct merge *merge)
{
	struct collision collision = {.what = "class", .code = "duplicate-class"};
	for (size_t i = 0; i < merge->count; i++)
		for (size_t j = 0; j < merge->files[i].class_count; j++) {
			const struct gp_class *class_of = &merge->files[i].classes[j];
			define(merge, &merge->classes, &collision,
			       (struct definition){
				       .name = class_of->name, .mark = &class_of->mark, .file = (uint32_t)i});
		}
	report(merge, &collision);
}

static void define_vms(struct merge *merge)
{
	struct collision collision = {.what = "VM", .code = "duplicate-vm"};
	for (size_t i = 0; i < merge->count; i++)
		for (size_t j = 0; j < merge->files[i].vm_count; j++) {
			const struct gp_want_vm *vm = &merge->files[i].vms[j];
			define(merge, &merge->vms, &collision,
			       (struct definition){.name = vm->name, .mark = &vm->mark, .file = (uint32_t)i});
		}
	report(merge, &collision);
}

/* ---- what must exist ---- */

/* May a file ask for a class of another? One for another host may, if some host can get both. */
static bool can_see(const struct merge *merge, size_t user, size_t definer)
{
	const struct gp_file *a = &merge->files[user], *b = &merge->files[definer];
	if (user != definer && a->for_host && !b->for_host)
		return false;
	return gp_files_can_meet(a, b);
}

static const char *near_class(struct merge *merge, const struct gp_class_use *use)
{
	if (merge->suggestions++ >= MOST_SUGGESTIONS)
		return NULL;
	const char **names = NULL;
	size_t count = 0;
	for (size_t i = 0; i < merge->count; i++)
		for (size_t j = 0; can_see(merge, use->file, i) && j < merge->files[i].class_count; j++)
			*gp_arena_push(merge->reader->arena, names, count) = merge->files[i].classes[j].name;
	return gp_did_you_mean(use->name, names, count);
}

static void fault_unknown_class(struct merge *merge, const struct gp_class_use *use, const struct definition *elsewhere)
{
	const char *meant = near_class(merge, use);
	struct gp_diag *diag = gp_diags_add(merge->reader->diags, GP_ERROR, GP_E_INPUT, "unknown-class", use->mark,
					    meant == NULL ? "no class '%s' is defined"
							  : "no class '%s' is defined; did you mean '%s'?",
					    use->name, meant);
	diag->caret_length = use->caret_length;
	if (elsewhere != NULL)
		gp_diag_other(diag, *elsewhere->mark, "this one is in a file for other hosts");
	else if (meant == NULL)
		gp_error_remedy(&diag->error, "define it under 'gpus': '- class: %s'", use->name);
}

static void check_class_use(struct merge *merge, const struct gp_class_use *use)
{
	const struct definition *all = merge->classes.definitions;
	uint32_t first = *find_slot(&merge->classes, use->name, hash_name(use->name));
	for (uint32_t at = first; at != 0; at = all[at].earlier)
		if (can_see(merge, use->file, all[at].file))
			return;
	fault_unknown_class(merge, use, first == 0 ? NULL : &all[first]);
}

/* ---- policy ---- */

static bool same_value(const struct gp_key *row, const struct gp_policy_draft *a, const struct gp_policy_draft *b)
{
	const void *one = (const char *)a + row->offset, *other = (const char *)b + row->offset;
	if (row->take == gp_take_text)
		return gp_streq(*(const char *const *)one, *(const char *const *)other);
	return memcmp(one, other, row->size) == 0;
}

/* Lists of protected names add up; of the rest each can be said once, or alike. */
static void check_policies(struct merge *merge, size_t earlier, size_t later)
{
	const struct gp_policy_draft *a = &merge->files[earlier].policy, *b = &merge->files[later].policy;
	for (size_t i = 0; i < GP_POLICY_KEYS; i++) {
		const struct gp_key *row = &gp_keys_policy.rows[i];
		if (i == GP_POLICY_KEY_PROTECT || a->given[i].source == NULL || b->given[i].source == NULL ||
		    same_value(row, a, b) || !can_meet(merge, earlier, later))
			continue;
		struct gp_diag *diag = gp_diags_add(merge->reader->diags, GP_ERROR, GP_E_INPUT, "policy-conflict",
						    b->given[i], "'policy.%s' is not the same in two files", row->name);
		gp_diag_other(diag, a->given[i], "it is set here, too");
	}
}

static void add_policy(struct gp_desired *desired, const struct gp_file *file, bool *given)
{
	const struct gp_policy_draft *from = &file->policy;
	struct gp_policy *to = &desired->policy;
	for (size_t i = 0; i < GP_POLICY_KEYS; i++) {
		const struct gp_key *row = &gp_keys_policy.rows[i];
		if (i == GP_POLICY_KEY_PROTECT || from->given[i].source == NULL || given[i])
			continue;
		given[i] = true;
		size_t offset = row->offset - offsetof(struct gp_policy_draft, values);
		memcpy((char *)to + offset, (const char *)from + row->offset, row->size);
		if (i == GP_POLICY_KEY_AT_ONCE)
			to->at_once_mark = from->given[i];
		if (i == GP_POLICY_KEY_SRIOV_MANAGE)
			to->sriov_manage_mark = from->given[i];
	}
	if (to->mark.source == NULL)
		to->mark = file->policy_mark;
	if (to->protect_mark.source == NULL)
		to->protect_mark = from->given[GP_POLICY_KEY_PROTECT];
	for (size_t i = 0; i < from->protect.count; i++)
		*gp_arena_push(desired->arena, to->protect, to->protect_count) = from->protect.items[i];
}

/* ---- all together ---- */

static size_t count_all(const struct merge *merge, bool classes)
{
	size_t all = 0;
	for (size_t i = 0; i < merge->count; i++)
		all += classes ? merge->files[i].class_count : merge->files[i].vm_count;
	return all;
}

/* What one file asks for is taken as it is: a file of ten thousand VMs need not be copied. */
static void add_classes(struct gp_desired *desired, const struct gp_file *file, size_t room)
{
	if (file->class_count == 0)
		return;
	if (file->class_count == room) {
		desired->classes = file->classes;
	} else {
		if (desired->classes == NULL)
			desired->classes = gp_arena_array_of(desired->arena, struct gp_class, room);
		memcpy(&desired->classes[desired->class_count], file->classes,
		       file->class_count * sizeof(file->classes[0]));
	}
	desired->class_count += file->class_count;
}

static void add_vms(struct gp_desired *desired, const struct gp_file *file, size_t room)
{
	if (file->vm_count == 0)
		return;
	if (file->vm_count == room) {
		desired->vms = file->vms;
	} else {
		if (desired->vms == NULL)
			desired->vms = gp_arena_array_of(desired->arena, struct gp_want_vm, room);
		memcpy(&desired->vms[desired->vm_count], file->vms, file->vm_count * sizeof(file->vms[0]));
	}
	desired->vm_count += file->vm_count;
}

static void check(struct merge *merge)
{
	define_classes(merge);
	define_vms(merge);
	for (size_t i = 0; !merge->reader->incomplete && i < merge->reader->use_count; i++)
		check_class_use(merge, &merge->reader->uses[i]);
	for (size_t i = 0; i < merge->count; i++)
		for (size_t j = 0; merge->files[i].policy_mark.source != NULL && j < i; j++)
			check_policies(merge, j, i);
}

static void fill(const struct merge *merge, struct gp_desired *desired)
{
	bool given[GP_POLICY_KEYS] = {false};
	size_t all_classes = count_all(merge, true), all_vms = count_all(merge, false);
	for (size_t i = 0; i < merge->count; i++) {
		const struct gp_file *file = &merge->files[i];
		if (!file->for_host)
			continue;
		add_classes(desired, file, all_classes);
		add_vms(desired, file, all_vms);
		add_policy(desired, file, given);
	}
}

void gp_merge(struct gp_reader *reader, const struct gp_file *files, size_t count, struct gp_desired *desired)
{
	struct merge merge = {.reader = reader, .files = files, .count = count, .has_host = desired->host != NULL};
	merge.row = gp_arena_alloc(reader->arena, count * sizeof(merge.row[0]));
	merge.classes = new_index(reader->arena, count_all(&merge, true));
	merge.vms = new_index(reader->arena, count_all(&merge, false));
	check(&merge);
	fill(&merge, desired);
}
