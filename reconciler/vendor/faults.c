/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vendor/faults.h"

#include <string.h>

static bool same_place(struct gp_mark a, struct gp_mark b)
{
	return a.source == b.source && a.line == b.line && a.column == b.column;
}

static void say(struct gp_diags *diags, const struct gp_gpu *gpu, enum gp_severity severity, enum gp_error_kind kind,
		const char *code, struct gp_mark mark, const char *message, const char *remedy)
{
	char addr[GP_PCI_ADDR_SIZE];
	gp_pci_addr_format(gpu->addr, addr);
	for (size_t i = 0; i < diags->count; i++) {
		struct gp_error *said = &diags->items[i].error;
		if (!gp_streq(diags->items[i].code, code) || !same_place(said->mark, mark) ||
		    !gp_streq(said->message, message))
			continue;
		if (said->subject != NULL && strchr(said->subject, ' ') == NULL && !gp_streq(said->subject, addr))
			gp_error_subject(said, "%s and others", said->subject);
		return;
	}
	struct gp_diag *added = gp_diags_add(diags, severity, kind, code, mark, "%s", message);
	gp_error_subject(&added->error, "%s", addr);
	gp_error_remedy(&added->error, "%s", remedy);
}

void gp_vendor_fault(struct gp_diags *diags, const struct gp_gpu *gpu, const char *code, struct gp_mark mark,
		     const char *message, const char *remedy)
{
	say(diags, gpu, GP_ERROR, GP_E_INPUT, code, mark, message, remedy);
}

void gp_vendor_fault_of(struct gp_diags *diags, const struct gp_gpu *gpu, enum gp_error_kind kind, const char *code,
			struct gp_mark mark, const char *message, const char *remedy)
{
	say(diags, gpu, GP_ERROR, kind, code, mark, message, remedy);
}

void gp_say_capability(struct gp_diags *diags, const struct gp_gpu *gpu)
{
	if (!gpu->capability_known)
		say(diags, gpu, GP_INFO, GP_E_PERMISSION, "capability-unreadable", (struct gp_mark){0},
		    "the SR-IOV capability could not be read (an ordinary user sees 64 bytes of config space), so "
		    "whether VFs are being enabled or disabled right now is not known",
		    "run as root to see it");
}
