/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One file: read by its table, and for whom it speaks. */
#include "intent/file.h"

#include <string.h>
#include <strings.h>

enum { VERSION = 1 };

/* ---- reading ---- */

static void fault_empty(struct gp_reader *reader, const struct gp_source *source)
{
	struct gp_diag *diag = gp_diags_add(reader->diags, GP_ERROR, GP_E_INPUT, "empty-file",
					    (struct gp_mark){source, 1, 0}, "the file says nothing");
	gp_error_remedy(&diag->error, "write 'version: 1', then 'gpus' and 'vms'; or remove the file");
}

/* Another version is another language: no other fault would mean anything. */
static bool is_known_version(struct gp_reader *reader, const struct gp_yaml_node *root)
{
	const struct gp_yaml_node *node = gp_yaml_get(root, "version");
	uint32_t version;
	if (node == NULL)
		return true;
	if (!gp_node_u32(node, &version)) {
		const struct gp_key row = {.name = "version"};
		return gp_fault_wanted(reader, &(struct gp_place){.key = &row, .value = node}, "the number 1",
				       "write 'version: 1'");
	}
	if (version == VERSION)
		return true;
	struct gp_diag *diag =
		gp_fault(reader, "unknown-version", node,
			 "version %u of the language is not known here; this gpupart reads version 1", version);
	gp_error_remedy(&diag->error, "write 'version: 1', or use a gpupart that reads version %u", version);
	return false;
}

static void read_tree(struct gp_reader *reader, struct gp_file *file, const struct gp_yaml_node *root)
{
	if (root->type == GP_YAML_MAPPING && !is_known_version(reader, root))
		return;
	gp_walk(reader, &gp_keys_file, root, file);
	file->parsed = true;
}

void gp_file_read(struct gp_reader *reader, struct gp_file *file, const struct gp_source *source)
{
	size_t faults_before = reader->diags->error_count;
	file->source = source;
	reader->file = file;
	const struct gp_yaml_node *root = gp_yaml_parse(reader->arena, source, reader->diags);
	if (root != NULL && !gp_node_is_null(root))
		read_tree(reader, file, root);
	else if (reader->diags->error_count == faults_before)
		fault_empty(reader, source);
}

/* ---- for whom it speaks ---- */

bool gp_file_is_for(const struct gp_file *file, const char *host)
{
	if (host == NULL || file->hosts.count == 0)
		return true;
	const char *dot = strchr(host, '.');
	gp_autofree char *first_label = dot == NULL ? NULL : gp_xasprintf("%.*s", (int)(dot - host), host);
	for (size_t i = 0; i < file->hosts.count; i++) {
		const char *pattern = file->hosts.items[i];
		if (gp_glob_match(pattern, host, true) ||
		    (first_label != NULL && gp_glob_match(pattern, first_label, true)))
			return true;
	}
	return false;
}

static bool same_letter(char a, char b)
{
	return (a | 0x20) == (b | 0x20) && (a == b || ((a | 0x20) >= 'a' && (a | 0x20) <= 'z'));
}

/*
 * can[j]: is there a text that the rest of `a` from i and the rest of `b` from j both match? Row i comes from row i +
 * 1, and within the row from j + 1.
 */
bool gp_globs_can_meet(const char *a, const char *b)
{
	if (strchr(a, '*') == NULL)
		return gp_glob_match(b, a, true);
	if (strchr(b, '*') == NULL)
		return gp_glob_match(a, b, true);
	size_t a_length = strlen(a), b_length = strlen(b);
	gp_autofree bool *below = gp_xcalloc(b_length + 1, sizeof(bool));
	gp_autofree bool *can = gp_xcalloc(b_length + 1, sizeof(bool));
	for (size_t i = a_length + 1; i-- > 0;) {
		for (size_t j = b_length + 1; j-- > 0;) {
			if (i == a_length && j == b_length)
				can[j] = true;
			else if (a[i] == '*')
				can[j] = below[j] || (j < b_length && can[j + 1]);
			else if (b[j] == '*')
				can[j] = can[j + 1] || (i < a_length && below[j]);
			else
				can[j] = i < a_length && j < b_length && same_letter(a[i], b[j]) && below[j + 1];
		}
		memcpy(below, can, (b_length + 1) * sizeof(bool));
	}
	return below[0];
}

/* "gpu-1.example.com" begins with the host "gpu-1", and with itself. */
static bool begins_with_host(const char *name, const char *host)
{
	size_t length = strlen(host);
	return strncasecmp(name, host, length) == 0 && (name[length] == '\0' || name[length] == '.');
}

/* A pattern speaks for a host by its full name or by its first label, so one may mean either. */
static bool patterns_can_meet(const char *a, const char *b)
{
	if (strchr(a, '*') == NULL && strchr(b, '*') == NULL)
		return strlen(a) <= strlen(b) ? begins_with_host(b, a) : begins_with_host(a, b);
	if (gp_globs_can_meet(a, b))
		return true;
	gp_autofree char *longer_a = gp_xasprintf("%s.*", a);
	gp_autofree char *longer_b = gp_xasprintf("%s.*", b);
	return gp_globs_can_meet(longer_a, b) || gp_globs_can_meet(a, longer_b);
}

bool gp_files_can_meet(const struct gp_file *a, const struct gp_file *b)
{
	if (a == b || a->hosts.count == 0 || b->hosts.count == 0)
		return true;
	for (size_t i = 0; i < a->hosts.count; i++)
		for (size_t j = 0; j < b->hosts.count; j++)
			if (patterns_can_meet(a->hosts.items[i], b->hosts.items[j]))
				return true;
	return false;
}
