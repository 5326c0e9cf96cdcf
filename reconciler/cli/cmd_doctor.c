/* SPDX-License-Identifier: GPL-2.0-or-later */
/* doctor: is this host ready to partition GPUs, and what is to be done if not. */
#include <json-c/json.h>
#include <string.h>

#include "cli/cli.h"
#include "run/doctor.h"

static const char *subject_of(const struct gp_check *check, char addr[GP_PCI_ADDR_SIZE])
{
	switch (check->kind->scope) {
	case GP_CHECK_OF_GPU:
		return gp_pci_addr_format(check->gpu->addr, addr);
	case GP_CHECK_OF_VMS:
		return "vms";
	default:
		return "host";
	}
}

/* ---- sections: the host, GPUs that read alike, the VMs ---- */

/* Checks of one subject stand together. `alike` more GPUs have the same rows. */
struct section {
	const struct gp_check *checks;
	size_t count, alike;
};

static size_t length_of_section(const struct gp_checkup *checkup, size_t first)
{
	const struct gp_check *check = &checkup->checks[first];
	size_t count = 1;

	while (first + count < checkup->count && check[count].kind->scope == check->kind->scope &&
	       check[count].gpu == check->gpu)
		count++;
	return count;
}

static bool reads_alike(const struct section *a, const struct section *b)
{
	if (a->count != b->count || !a->checks->gpu || !b->checks->gpu ||
	    !gp_streq(a->checks->gpu->model, b->checks->gpu->model))
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->checks[i].status != b->checks[i].status || !gp_streq(a->checks[i].found, b->checks[i].found) ||
		    !gp_streq(a->checks[i].remedy, b->checks[i].remedy))
			return false;
	return true;
}

static struct section *find_alike(struct section *sections, size_t count, const struct section *section)
{
	for (size_t i = 0; i < count; i++)
		if (reads_alike(&sections[i], section))
			return &sections[i];
	return NULL;
}

static struct section *make_sections(const struct gp_checkup *checkup, size_t *count)
{
	struct section *sections = gp_xcalloc(checkup->count + 1, sizeof(*sections));

	*count = 0;
	for (size_t i = 0; i < checkup->count;) {
		struct section section = {&checkup->checks[i], length_of_section(checkup, i), 0};
		struct section *alike = find_alike(sections, *count, &section);

		if (alike)
			alike->alike++;
		else
			sections[(*count)++] = section;
		i += section.count;
	}
	return sections;
}

/* ---- the screen ---- */

static const struct {
	const char *word, *colour;
} looks[GP_CHECK_STATUS_COUNT] = {
	[GP_CHECK_PASS] = {"pass", "\033[32m"},
	[GP_CHECK_WARN] = {"warn", "\033[33m"},
	[GP_CHECK_FAIL] = {"FAIL", "\033[1;31m"},
	[GP_CHECK_UNKNOWN] = {"unknown", "\033[36m"},
};

enum { WORD_WIDTH = 7, TITLE_WIDTH = 20, FOUND_COLUMN = 2 + WORD_WIDTH + 2 };

static void add_heading(const struct section *section, const struct gp_observed *observed, struct gp_str *out)
{
	const struct gp_gpu *gpu = section->checks->gpu;
	char addr[GP_PCI_ADDR_SIZE];

	if (out->length > 0)
		gp_str_add_char(out, '\n');
	if (!gpu) {
		gp_str_printf(out, section->checks->kind->scope == GP_CHECK_OF_VMS ? "VMs\n" : "Host %s\n",
			      observed->hostname);
		return;
	}
	gp_str_printf(out, "GPU %s", gp_pci_addr_format(gpu->addr, addr));
	if (section->alike > 0)
		gp_str_printf(out, " and %zu more", section->alike);
	gp_str_printf(out, "  %s\n", gpu->model);
}

static void add_row(const struct gp_check *check, bool colour, struct gp_str *out)
{
	gp_str_printf(out, "  %s%-*s%s  %-*s  ", colour ? looks[check->status].colour : "", WORD_WIDTH,
		      looks[check->status].word, colour ? "\033[0m" : "", TITLE_WIDTH, check->kind->title);
	gp_str_add_shown(out, check->found);
	gp_str_add_char(out, '\n');
	if (!check->remedy)
		return;
	gp_str_printf(out, "%*stry: ", FOUND_COLUMN, "");
	gp_str_add_shown(out, check->remedy);
	gp_str_add_char(out, '\n');
}

/* What has nothing to say is left out; a section of such rows alone, too. */
static bool add_section(const struct section *section, const struct gp_observed *observed, bool colour,
			size_t tally[GP_CHECK_STATUS_COUNT], struct gp_str *out)
{
	bool any = false;

	for (size_t i = 0; i < section->count; i++) {
		const struct gp_check *check = &section->checks[i];

		if (check->status == GP_CHECK_NOT_APPLICABLE)
			continue;
		if (!any)
			add_heading(section, observed, out);
		any = true;
		tally[check->status]++;
		add_row(check, colour, out);
	}
	return any;
}

static void add_summary(const size_t tally[GP_CHECK_STATUS_COUNT], struct gp_str *out)
{
	gp_str_printf(out, "\n%s: %zu passed",
		      tally[GP_CHECK_FAIL] > 0      ? "Not ready"
		      : tally[GP_CHECK_UNKNOWN] > 0 ? "Nothing failed, but not everything could be seen"
						    : "Ready",
		      tally[GP_CHECK_PASS]);
	if (tally[GP_CHECK_WARN] > 0)
		gp_str_printf(out, ", %zu %s", tally[GP_CHECK_WARN],
			      tally[GP_CHECK_WARN] == 1 ? "warning" : "warnings");
	if (tally[GP_CHECK_FAIL] > 0)
		gp_str_printf(out, ", %zu failed", tally[GP_CHECK_FAIL]);
	if (tally[GP_CHECK_UNKNOWN] > 0)
		gp_str_printf(out, ", %zu unknown", tally[GP_CHECK_UNKNOWN]);
	gp_str_add(out, ".\n");
}

/* GPUs alike count once, as they are shown. */
static void render_text(const struct gp_checkup *checkup, const struct gp_observed *observed, bool colour,
			struct gp_str *out)
{
	size_t count, tally[GP_CHECK_STATUS_COUNT] = {0};
	gp_autofree struct section *sections = make_sections(checkup, &count);

	for (size_t i = 0; i < count; i++)
		add_section(&sections[i], observed, colour, tally, out);
	add_summary(tally, out);
}

/* ---- for machines: every check of every GPU, also those that do not apply ---- */

static struct json_object *check_to_json(const struct gp_check *check)
{
	struct json_object *item = json_object_new_object();
	char addr[GP_PCI_ADDR_SIZE];

	json_object_object_add(item, "id", json_object_new_string(check->kind->id));
	json_object_object_add(item, "title", json_object_new_string(check->kind->title));
	json_object_object_add(item, "subject", json_object_new_string(subject_of(check, addr)));
	json_object_object_add(item, "status", json_object_new_string(gp_check_status_name(check->status)));
	json_object_object_add(item, "found", json_object_new_string(check->found));
	json_object_object_add(item, "remedy", check->remedy ? json_object_new_string(check->remedy) : NULL);
	return item;
}

static struct json_object *to_json(const struct gp_checkup *checkup)
{
	struct json_object *root = json_object_new_object();
	struct json_object *summary = json_object_new_object();
	struct json_object *checks = json_object_new_array();

	for (int i = 0; i < GP_CHECK_STATUS_COUNT; i++)
		json_object_object_add(summary, gp_check_status_name((enum gp_check_status)i),
				       json_object_new_uint64(checkup->tally[i]));
	for (size_t i = 0; i < checkup->count; i++)
		json_object_array_add(checks, check_to_json(&checkup->checks[i]));
	json_object_object_add(root, "format_version", json_object_new_string("1.0"));
	json_object_object_add(root, "kind", json_object_new_string("doctor"));
	json_object_object_add(root, "ready", json_object_new_boolean(checkup->tally[GP_CHECK_FAIL] == 0));
	json_object_object_add(root, "summary", summary);
	json_object_object_add(root, "checks", checks);
	return root;
}

int gp_cmd_doctor(struct gp_cli *cli)
{
	GP_CLEANUP(gp_session_clear) struct gp_session session = {0};
	GP_CLEANUP(gp_cleanup_gp_checkup_free) struct gp_checkup *checkup = NULL;
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	int code;

	if ((code = gp_session_open_host(&session, cli, GP_HOST_READ_ONLY)) != GP_EXIT_OK ||
	    (code = gp_session_read_files_if_any(&session, cli)) != GP_EXIT_OK ||
	    (code = gp_session_observe(&session, cli)) != GP_EXIT_OK)
		return code;

	checkup = gp_doctor(session.host, session.desired, session.observed);
	if (cli->json) {
		gp_print_json(to_json(checkup));
	} else {
		render_text(checkup, session.observed, cli->colour_out, &text);
		gp_print(&text);
	}
	return checkup->tally[GP_CHECK_FAIL] == 0 ? GP_EXIT_OK : GP_EXIT_FAILED;
}
