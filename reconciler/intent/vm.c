/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vms: names, and the partitions that they ask for. */
#include <string.h>

#include "intent/file.h"
#include "intent/intent.h"

enum { SHOWN = 60, MOST_ALTERNATIVES = 64, FEW_CLASSES = 16 };

/* ---- what a VM asks for ---- */

static void use_class(struct gp_reader *reader, const struct gp_yaml_node *node, const char *name)
{
	*gp_arena_push(reader->arena, reader->uses, reader->use_count) = (struct gp_class_use){
		.name = name,
		.mark = node->mark,
		.caret_length = gp_yaml_caret_length(node),
		.file = reader->file_index,
	};
}

/* Thousands of VMs ask for few classes, and those mostly stand in the same file before them. */
static const char *find_class(const struct gp_file *file, const struct gp_yaml_node *node)
{
	if (node->type != GP_YAML_SCALAR)
		return NULL;
	for (size_t i = 0; i < file->class_count && i < FEW_CLASSES; i++)
		if (strcmp(file->classes[i].name, node->text) == 0)
			return file->classes[i].name;
	return NULL;
}

static bool add_request_class(struct gp_reader *reader, const struct gp_place *place, void *context)
{
	struct gp_request *request = &((struct gp_request_draft *)context)->request;
	const char *known = find_class(reader->file, place->value);
	const char *name = known != NULL ? known : gp_node_class_name(reader, place);
	if (name == NULL)
		return false;
	for (size_t i = 0; i < request->class_count; i++) {
		if (!gp_streq(request->classes[i], name))
			continue;
		gp_fault(reader, "contradiction", place->value, "the class '%s' is named twice", name);
		return false;
	}

	if (known == NULL)
		use_class(reader, place->value, name);
	*gp_arena_push(reader->arena, request->classes, request->class_count) = name;
	return true;
}

bool gp_take_request_class(struct gp_reader *reader, const struct gp_place *place, void *field)
{
	if (place->value->type == GP_YAML_SEQUENCE && place->value->count > MOST_ALTERNATIVES) {
		gp_fault(reader, "wrong-value", place->key_node, "'class' names %u classes; 64 are the most",
			 place->value->count);
		return false;
	}
	return gp_one_or_many(reader, place, "the name of a class, or a list of such", add_request_class, field);
}

static const struct gp_bound no_bounds[GP_RESOURCE_COUNT];

/* Most ask for nothing but a class: they share the lack of bounds. */
static const struct gp_bound *keep_bounds(struct gp_reader *reader, const struct gp_request_draft *draft)
{
	bool any = false;
	for (size_t i = 0; i < GP_RESOURCE_COUNT; i++)
		any = any || draft->bounds[i].given;
	return any ? gp_arena_grow(reader->arena, draft->bounds, sizeof(draft->bounds[0]), GP_RESOURCE_COUNT,
				   GP_RESOURCE_COUNT)
		   : no_bounds;
}

/* `partition: vdi` is short for `partition: {class: vdi}`. */
static bool take_request(struct gp_reader *reader, const struct gp_place *place, struct gp_request_draft *draft)
{
	switch (place->value->type) {
	case GP_YAML_SCALAR:
		return add_request_class(reader, place, draft);
	case GP_YAML_MAPPING:
		return gp_walk(reader, place->key->inside, place->value, draft);
	case GP_YAML_SEQUENCE:
		break;
	}
	return gp_fault_wanted(reader, place, "the name of a class or a mapping",
			       "a list inside a list has no meaning here");
}

static bool add_request(struct gp_reader *reader, const struct gp_place *place, void *context)
{
	struct gp_want_vm *vm = context;
	struct gp_request_draft draft = {.request.mark = gp_place_mark(place)};
	bool good = take_request(reader, place, &draft);
	draft.request.bounds = keep_bounds(reader, &draft);
	*gp_arena_push(reader->arena, vm->requests, vm->request_count) = draft.request;
	return good;
}

bool gp_take_vm_partition(struct gp_reader *reader, const struct gp_place *place, void *field)
{
	struct gp_want_vm *vm = field;
	const struct gp_yaml_node *node = place->value;
	if (node->type == GP_YAML_SCALAR && gp_streq(node->text, "none")) {
		vm->release = true;
		return true;
	}
	static const char wanted[] = "a class, a mapping with 'class', a list of those, or none";
	if (gp_node_is_null(node) || (node->type != GP_YAML_SCALAR && node->count == 0))
		return gp_fault_wanted(reader, place, wanted, "write 'partition: none' to take back what it has");
	if (node->type == GP_YAML_SEQUENCE)
		return gp_each_item(reader, place, wanted, add_request, vm);
	return add_request(reader, place, vm);
}

/* ---- its names ---- */

bool gp_take_vm_names(struct gp_reader *reader GP_UNUSED, const struct gp_place *place, void *field)
{
	*(struct gp_place *)field = *place;
	return true;
}

struct naming {
	struct gp_file *file;
	const struct gp_want_vm *vm; /* all but the name */
};

/* Not by doubling: a file tells how many are to come, and an arena takes nothing back. */
static void make_room(struct gp_reader *reader, struct gp_file *file, size_t more)
{
	if (more <= file->vm_room - file->vm_count)
		return;
	size_t room = file->vm_count + (more > file->vm_count / 2 ? more : file->vm_count / 2);
	file->vms = gp_arena_grow(reader->arena, file->vms, sizeof(file->vms[0]), file->vm_count, room);
	file->vm_room = room;
}

static void add_named_vm(struct gp_reader *reader, const struct naming *naming, const char *name, struct gp_mark mark)
{
	make_room(reader, naming->file, 1);
	struct gp_want_vm *vm = &naming->file->vms[naming->file->vm_count++];
	*vm = *naming->vm;
	vm->name = name;
	vm->mark = mark;
	reader->vm_total++;
	if (strlen(name) != GP_UUID_SIZE - 1 || gp_uuid_parse(name, &vm->uuid) < 0)
		return;
	char text[GP_UUID_SIZE];
	vm->by_uuid = true;
	vm->name = gp_arena_strdup(reader->arena, gp_uuid_format(vm->uuid, text));
}

static bool fault_too_many(struct gp_reader *reader, const struct gp_yaml_node *node)
{
	gp_fault(reader, "too-many-vms", node, "the files name more than %d VMs", GP_INTENT_MAX_VMS);
	return false;
}

static bool add_pattern(struct gp_reader *reader, const struct gp_place *place, const struct naming *naming)
{
	struct gp_error err = {0};
	uint64_t room = GP_INTENT_MAX_VMS - reader->vm_total;
	struct gp_names *names = gp_names_parse(reader->arena, place->value->text, GP_INTENT_MAX_VMS, &err);
	if (names == NULL)
		return gp_fault_parse(reader, place, &err);
	if (gp_names_count(names) > room)
		return fault_too_many(reader, place->value);
	make_room(reader, naming->file, gp_names_count(names));
	const char *name;
	while ((name = gp_names_next(names, reader->arena)) != NULL)
		add_named_vm(reader, naming, name, place->value->mark);
	return true;
}

static bool is_name_scalar(struct gp_reader *reader, const struct gp_place *place, const char *wanted)
{
	const struct gp_yaml_node *node = place->value;
	bool truth = gp_node_is_truth(node);
	if (node->type == GP_YAML_SCALAR && !gp_node_is_null(node) && !truth)
		return true;
	return gp_fault_wanted(reader, place, wanted, truth ? "put the name in quotes" : NULL);
}

static bool fault_name(struct gp_reader *reader, const struct gp_place *place, const char *why)
{
	struct gp_diag *diag = gp_fault(reader, "wrong-name", place->value, "'%.*s' cannot be the name of a domain: %s",
					SHOWN, place->value->text, why);
	if (strchr(place->value->text, '*') != NULL)
		gp_error_remedy(&diag->error,
				"write a range such as desktop-[01-64]; a domain whose name really holds a '*' "
				"can be named by its UUID");
	return false;
}

/* An item of `names`. */
static bool add_names(struct gp_reader *reader, const struct gp_place *place, void *context)
{
	if (!is_name_scalar(reader, place, "a name, or a pattern such as \"desktop-[01-64]\""))
		return false;
	const char *text = place->value->text;
	if (strpbrk(text, "[]") != NULL)
		return add_pattern(reader, place, context);
	const char *why = gp_domain_name_fault(text);
	if (why != NULL)
		return fault_name(reader, place, why);
	if (reader->vm_total == GP_INTENT_MAX_VMS)
		return fault_too_many(reader, place->value);
	add_named_vm(reader, context, text, place->value->mark);
	return true;
}

/* The value of `name`: one domain. A pattern here would name a VM that nobody has, and nobody would be told. */
static bool add_name(struct gp_reader *reader, const struct gp_place *place, struct naming *naming)
{
	if (place->value->type == GP_YAML_SEQUENCE)
		return gp_fault_wanted(reader, place, "one name", "write 'names' for several");
	if (!is_name_scalar(reader, place, "the name or the UUID of a libvirt domain"))
		return false;
	if (strpbrk(place->value->text, "[]") != NULL)
		return gp_fault_wanted(reader, place, "one name", "write 'names' for a pattern");
	return add_names(reader, place, naming);
}

static bool check_vm(struct gp_reader *reader, const struct gp_vm_draft *draft, const struct gp_yaml_node *node)
{
	if (draft->name.value == NULL && draft->names.value == NULL) {
		struct gp_diag *diag = gp_fault(reader, "missing-key", node, "a VM needs the key 'name' or 'names'");
		gp_error_remedy(&diag->error, "write 'name: DOMAIN', or 'names: [\"desktop-[01-64]\"]'");
		return false;
	}
	if (draft->name.value != NULL && draft->names.value != NULL) {
		struct gp_diag *diag = gp_fault(reader, "contradiction", draft->names.key_node,
						"a VM has 'name' or 'names', not both");
		gp_diag_other(diag, draft->name.key_node->mark, "'name' is here");
		return false;
	}
	if (draft->vm.release && draft->vm.adopt) {
		struct gp_diag *diag = gp_diags_add(reader->diags, GP_ERROR, GP_E_INPUT, "contradiction",
						    draft->adopt_mark, "'adopt: true' beside 'partition: none'");
		diag->caret_length = 4;
		gp_error_remedy(&diag->error, "adopt takes over a partition, none gives it back: keep one of the two");
		return false;
	}
	return true;
}

static bool add_vm(struct gp_reader *reader, const struct gp_place *place, void *context)
{
	struct gp_vm_draft draft = {0};
	bool good = gp_walk(reader, place->key->inside, place->value, &draft);
	if (place->value->type != GP_YAML_MAPPING)
		return false;
	good = check_vm(reader, &draft, place->value) && good;
	struct naming naming = {.file = context, .vm = &draft.vm};
	if (draft.name.value != NULL)
		good = add_name(reader, &draft.name, &naming) && good;
	else if (draft.names.value != NULL)
		good = gp_one_or_many(reader, &draft.names, "a name, or a list of names and patterns", add_names,
				      &naming) &&
		       good;
	return good;
}

bool gp_take_vms(struct gp_reader *reader, const struct gp_place *place, void *field)
{
	if (place->value->count <= GP_INTENT_MAX_VMS)
		make_room(reader, field, place->value->count);
	return gp_each_item(reader, place, "a list of VMs, such as '- name: cad-01'", add_vm, field);
}
