/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which domain is meant by which wish; and who claims which partition now. */
#include <string.h>

#include "plan/mdev.h"
#include "plan/sheet.h"

/* case 60: one domain, listed twice (by name and by UUID, or by a name that differs only for the files) */
static void fault_listed_twice(struct gp_sheet *sheet, struct gp_vm_row *row, const struct gp_want_vm *again)
{
	struct gp_diag *diag =
		gp_sheet_fault(sheet, GP_E_INPUT, "vm-twice", again->mark, "'%s' and '%s' are the same domain %s",
			       again->name, row->want->name, row->domain->name);

	gp_error_remedy(&diag->error, "list it once");
	gp_diag_other(diag, row->want->mark, "first listed here");
	row->faulty = true;
}

/* case 61: what is not known must not be decided on */
static void fault_unreadable(struct gp_sheet *sheet, struct gp_vm_row *row)
{
	struct gp_diag *diag = gp_sheet_fault(sheet, GP_E_UNAVAILABLE, "domain-unreadable", row->want->mark,
					      "the definition of domain %s cannot be read: %s", row->domain->name,
					      row->domain->unknown_why ? row->domain->unknown_why : "no reason given");

	gp_error_subject(&diag->error, "domain %s", row->domain->name);
	row->faulty = true;
}

/* case 66: a key of the language that this version does not carry out */
static void fault_bind(struct gp_sheet *sheet, struct gp_vm_row *row)
{
	struct gp_diag *diag = gp_sheet_fault(sheet, GP_E_UNSUPPORTED, "bind-start", row->want->bind_mark,
					      "bind: start needs a version of gpupart that starts the VM itself");

	gp_error_remedy(&diag->error, "leave it out, or write bind: config");
	row->faulty = true;
}

static bool is_known(const struct gp_domain *domain)
{
	return domain->config_known && (domain->state == GP_DOMAIN_OFF || domain->live_known);
}

static bool is_of_interest(const struct gp_domain *domain)
{
	return domain->config_count > 0 || domain->live_count > 0 || domain->place_count > 0 || domain->to_start ||
	       !is_known(domain);
}

static struct gp_vm_row *add_row(struct gp_sheet *sheet, size_t domain)
{
	struct gp_vm_row *row = &sheet->vms[sheet->vm_count++];

	row->domain = &sheet->observed->domains[domain];
	row->domain_index = domain;
	row->up = row->domain->state != GP_DOMAIN_OFF && row->domain->state != GP_DOMAIN_CRASHED;
	row->stop_step = row->start_step = row->last_edit = GP_NO_STEP;
	sheet->by_domain[domain] = row;
	return row;
}

static void add_asks(struct gp_sheet *sheet, struct gp_vm_row *row)
{
	if (row->want->release || row->faulty)
		return;
	row->ask_count = row->want->request_count;
	row->asks = gp_arena_array_of(sheet->scratch, struct gp_ask, row->ask_count);
	for (uint32_t i = 0; i < row->ask_count; i++) {
		row->asks[i] = (struct gp_ask){.vm = row, .request = i, .want = &row->want->requests[i]};
		*gp_arena_push(sheet->scratch, sheet->asks, sheet->ask_count) = &row->asks[i];
	}
}

static void add_listed(struct gp_sheet *sheet, size_t want_index)
{
	const struct gp_want_vm *want = &sheet->desired->vms[want_index];
	const struct gp_domain *domain = gp_observed_domain(sheet->observed, want);
	struct gp_vm_row *row;

	if (!domain)
		return;
	row = sheet->by_domain[domain - sheet->observed->domains];
	if (row) {
		fault_listed_twice(sheet, row, want);
		return;
	}
	row = add_row(sheet, (size_t)(domain - sheet->observed->domains));
	row->want = want;
	row->want_index = want_index;
	sheet->by_want[want_index] = row;
	if (!is_known(domain))
		fault_unreadable(sheet, row);
	else if (want->bind == GP_BIND_START)
		fault_bind(sheet, row);
	add_asks(sheet, row);
}

/* case 51: listed, but not defined on this host. One line for all names of one pattern. */
static void tell_undefined(struct gp_sheet *sheet)
{
	const struct gp_desired *desired = sheet->desired;

	for (size_t i = 0; i < desired->vm_count;) {
		struct gp_mark mark = desired->vms[i].mark;
		const char *first = NULL, *last = NULL;
		size_t missing = 0;

		for (; i < desired->vm_count && desired->vms[i].mark.source == mark.source &&
		       desired->vms[i].mark.line == mark.line && desired->vms[i].mark.column == mark.column;
		     i++) {
			if (sheet->by_want[i] || gp_observed_domain(sheet->observed, &desired->vms[i]))
				continue;
			first = first ? first : desired->vms[i].name;
			last = desired->vms[i].name;
			missing++;
		}
		if (missing == 1)
			gp_diags_add(&sheet->plan->diags, GP_INFO, GP_E_NOT_FOUND, "vm-undefined", mark,
				     "VM %s is not defined on this host", first);
		else if (missing > 1)
			gp_diags_add(&sheet->plan->diags, GP_INFO, GP_E_NOT_FOUND, "vm-undefined", mark,
				     "%zu VMs are not defined on this host: %s … %s", missing, first, last);
	}
}

/* case 63: libvirt does not answer. Partitions can be made without it; who has which cannot be said. */
static void tell_no_domains(struct gp_sheet *sheet)
{
	const char *why = sheet->observed->domains_state.why ? sheet->observed->domains_state.why : "no reason given";
	struct gp_waiting *waiting;

	if (sheet->desired->vm_count == 0)
		return;
	gp_diags_add(&sheet->plan->diags, GP_WARNING, GP_E_UNAVAILABLE, "domains-unknown", sheet->desired->vms[0].mark,
		     "the VMs of this host cannot be read, so no VM is given a partition: %s", why);
	waiting = gp_arena_push(sheet->arena, sheet->plan->waiting, sheet->plan->waiting_count);
	waiting->what = gp_sheet_printf(sheet, "partitions of %zu listed VM%s", sheet->desired->vm_count,
					sheet->desired->vm_count == 1 ? "" : "s");
	waiting->reason =
		(struct gp_reason){"domains-unknown", gp_sheet_printf(sheet, "%s", why), sheet->desired->vms[0].mark};
	waiting->case_number = 63;
}

struct gp_slot *gp_sheet_slot(struct gp_sheet *sheet, const struct gp_hostdev *hostdev)
{
	struct gp_gpu_row *row;

	if (!hostdev->resolved || hostdev->gpu >= sheet->observed->gpu_count)
		return NULL;
	row = &sheet->gpus[hostdev->gpu];
	return hostdev->vf < row->slot_count ? &row->slots[hostdev->vf] : NULL;
}

static void add_claim(struct gp_sheet *sheet, struct gp_vm_row *row, const struct gp_hostdev *hostdev, bool live,
		      bool noted)
{
	struct gp_slot *slot = gp_sheet_slot(sheet, hostdev);
	struct gp_claim *claim;

	/* A mediated device is known by its name: where it is does not matter. */
	if (!live && hostdev->ours && !hostdev->resolved && hostdev->type == GP_HOSTDEV_PCI)
		row->unresolved = true;
	if (!slot)
		return;
	claim = gp_arena_new_of(sheet->scratch, struct gp_claim);
	*claim = (struct gp_claim){row, hostdev, slot, live, noted, slot->claims};
	slot->claims = claim;
	*gp_arena_push(sheet->scratch, row->claims, row->claim_count) = claim;
}

static void add_claims(struct gp_sheet *sheet, struct gp_vm_row *row)
{
	const struct gp_domain *domain = row->domain;

	for (size_t i = 0; i < domain->config_count; i++)
		add_claim(sheet, row, &domain->config[i], false, false);
	for (size_t i = 0; i < domain->live_count; i++)
		add_claim(sheet, row, &domain->live[i], true, false);
	/* What an interrupted exchange has taken out is as good as still there: nobody else is to get it meanwhile. */
	for (size_t i = 0; i < domain->place_count; i++) {
		if (gp_place_is_empty(domain, &domain->places[i]))
			add_claim(sheet, row, &domain->places[i], false, true);
	}
}

/* A process that has the VF open is that of the VM which has it plugged; without such a VM it is an outsider. */
static void find_outsiders(struct gp_sheet *sheet)
{
	for (size_t g = 0; g < sheet->observed->gpu_count; g++) {
		struct gp_gpu_row *row = &sheet->gpus[g];

		for (size_t i = 0; i < row->slot_count; i++) {
			struct gp_slot *slot = &row->slots[i];

			for (size_t h = 0; slot->now && h < slot->now->holder_count; h++) {
				const struct gp_holder *holder = &slot->now->holders[h];

				if (holder->kind == GP_HOLDER_DRIVER ||
				    (holder->kind == GP_HOLDER_VFIO && !gp_slot_live_holder(slot, NULL)))
					slot->outsider = slot->outsider ? slot->outsider : holder;
			}
		}
	}
}

void gp_roster(struct gp_sheet *sheet)
{
	const struct gp_observed *observed = sheet->observed;

	for (size_t g = 0; g < observed->gpu_count; g++)
		sheet->mdevs = sheet->mdevs || sheet->gpus[g].mdevs;

	sheet->vms = gp_arena_array_of(sheet->scratch, struct gp_vm_row, observed->domain_count);
	sheet->by_domain = gp_arena_array_of(sheet->scratch, struct gp_vm_row *, observed->domain_count);
	sheet->by_want = gp_arena_array_of(sheet->scratch, struct gp_vm_row *, sheet->desired->vm_count);
	if (!observed->domains_state.known)
		tell_no_domains(sheet);
	else
		for (size_t i = 0; i < sheet->desired->vm_count; i++)
			add_listed(sheet, i);
	for (size_t d = 0; d < observed->domain_count; d++) {
		if (!is_known(&observed->domains[d]) && !sheet->unreadable)
			sheet->unreadable = &observed->domains[d];
		if (!sheet->by_domain[d] && is_of_interest(&observed->domains[d]))
			add_row(sheet, d);
	}
	for (size_t v = 0; v < sheet->vm_count; v++)
		add_claims(sheet, &sheet->vms[v]);
	find_outsiders(sheet);
	if (sheet->mdevs)
		gp_guess_mdevs(sheet);
	if (observed->domains_state.known)
		tell_undefined(sheet);
}

bool gp_claim_is_own(const struct gp_claim *claim)
{
	if (claim->live)
		return false;
	return claim->hostdev->ours || (claim->vm->want && !claim->vm->want->release && claim->vm->want->adopt);
}

bool gp_claim_is_foreign(const struct gp_claim *claim)
{
	if (claim->hostdev->ours || gp_claim_is_own(claim))
		return false;
	if (!claim->live || !claim->vm->want)
		return true;
	/* Plugged into a listed VM, and its definition no longer has it by hand: it goes when the VM goes off. */
	return false;
}

bool gp_claim_is_given_up(const struct gp_claim *claim)
{
	return !claim->live && claim->hostdev->ours && (!claim->vm->want || claim->vm->want->release);
}

bool gp_slot_is_live_for(const struct gp_slot *slot, const struct gp_vm_row *vm)
{
	for (const struct gp_claim *claim = slot->claims; claim; claim = claim->next) {
		if (claim->live && claim->vm == vm)
			return true;
	}
	return false;
}

struct gp_vm_row *gp_slot_live_holder(const struct gp_slot *slot, const struct gp_vm_row *vm)
{
	for (const struct gp_claim *claim = slot->claims; claim; claim = claim->next) {
		if (claim->live && claim->vm != vm)
			return claim->vm;
	}
	return NULL;
}
