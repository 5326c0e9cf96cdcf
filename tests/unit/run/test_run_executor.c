/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The interpreter of steps: order, overlap, guards, and what is brought back when something fails. */
#include <stdio.h>
#include <string.h>

#include "fake_machine.h"
#include "run/executor.h"
#include "run/steps.h"
#include "run_suite.h"

/* ---- building stages ---- */

static struct gp_host host;
static struct gp_arena *arena;
static struct gp_stage stage;
static struct gp_outcome outcome;
static struct gp_execution execution;
static uint32_t last_id;

static void set_up(void)
{
	fake_init(&host);
	arena = gp_arena_new();
	stage = (struct gp_stage){0};
	outcome = (struct gp_outcome){0};
	execution = (struct gp_execution){.at_once = 4, .stage_number = 1};
	last_id = 0;
}

static void tear_down(void)
{
	fake_clear(&host);
	gp_arena_free(arena);
	gp_outcome_clear(&outcome);
}

static struct gp_chain *add_chain(uint32_t vms_down)
{
	struct gp_chain *chain = gp_arena_push(arena, stage.chains, stage.chain_count);
	chain->vms_down = vms_down;
	return chain;
}

static struct gp_chain *last_chain(void)
{
	return &stage.chains[stage.chain_count - 1];
}

static struct gp_step *add_step(enum gp_step_kind kind)
{
	struct gp_chain *chain = last_chain();
	struct gp_step *step = gp_arena_push(arena, chain->steps, chain->step_count);
	step->id = ++last_id;
	step->kind = kind;
	step->timeout_ms = FAKE_PATIENCE_MS;
	step->what = "step";
	return step;
}

/* The step just added needs this one. */
static void need(uint32_t id)
{
	struct gp_step *step = &last_chain()->steps[last_chain()->step_count - 1];
	*gp_arena_push(arena, step->needs, step->need_count) = id;
}

static struct gp_step *add_pf_step(enum gp_step_kind kind, unsigned pf, const char *attribute, const char *after)
{
	char text[GP_PCI_ADDR_SIZE];
	struct gp_step *step = add_step(kind);
	step->base = GP_BASE_PCI;
	step->device = gp_arena_strdup(arena, gp_pci_addr_format(fake_pf_addr(pf), text));
	step->attribute = attribute;
	step->after = after;
	step->pf = fake_pf_addr(pf);
	return step;
}

static struct gp_step *write_vfs(unsigned pf, const char *after)
{
	return add_pf_step(GP_STEP_WRITE, pf, "sriov_numvfs", after);
}

static struct gp_step *wait_vfs(unsigned pf, const char *count)
{
	return add_pf_step(GP_STEP_WAIT, pf, "virtfn", count);
}

static struct gp_step *add_domain_step(enum gp_step_kind kind, unsigned domain)
{
	struct gp_step *step = add_step(kind);
	step->base = GP_BASE_DOMAIN;
	step->device = fake_name(domain);
	step->domain = fake_uuid(domain);
	return step;
}

static struct gp_step *mark(unsigned domain, bool to_start)
{
	struct gp_step *step = add_domain_step(GP_STEP_MARK, domain);
	step->after = to_start ? GP_MARK_TO_START : NULL;
	return step;
}

static struct gp_step *attach(unsigned domain, const char *source)
{
	struct gp_step *step = add_domain_step(GP_STEP_ATTACH, domain);
	step->source = source;
	step->guard = GP_GUARD_OFF;
	return step;
}

/* MARK, STOP, WRITE, START, MARK: what a restart for a new count looks like. */
static void add_restart(unsigned domain, unsigned pf)
{
	add_chain(1);
	uint32_t first = mark(domain, true)->id;
	add_domain_step(GP_STEP_STOP, domain);
	need(first);
	write_vfs(pf, "8");
	need(first + 1);
	add_domain_step(GP_STEP_START, domain);
	need(first + 2);
	mark(domain, false);
	need(first + 3);
}

static int execute(void)
{
	return gp_execute_stage(&host, &stage, &execution, &outcome);
}

static enum gp_step_state state_of(uint32_t id)
{
	return outcome.steps[id - 1].state;
}

static void ck_counts(size_t done, size_t skipped, size_t failed, size_t not_run)
{
	ck_assert_uint_eq(outcome.done, done);
	ck_assert_uint_eq(outcome.skipped, skipped);
	ck_assert_uint_eq(outcome.failed, failed);
	ck_assert_uint_eq(outcome.not_run, not_run);
}

static void ck_order(const char *before, const char *after)
{
	ck_assert_msg(fake_line(&host, before) >= 0, "'%s' never happened", before);
	ck_assert_msg(fake_line(&host, after) >= 0, "'%s' never happened", after);
	ck_assert_msg(fake_line(&host, before) < fake_line(&host, after), "'%s' came after '%s'", before, after);
}

static void ck_never(const char *line)
{
	ck_assert_msg(fake_line(&host, line) < 0, "'%s' has happened", line);
}

static const struct gp_diag *diag_of(const char *code)
{
	for (size_t i = 0; i < outcome.diags.count; i++)
		if (gp_streq(outcome.diags.items[i].code, code))
			return &outcome.diags.items[i];
	return NULL;
}

static void ck_step_error(uint32_t id, enum gp_error_kind kind, const char *words)
{
	const struct gp_error *err = &outcome.steps[id - 1].error;
	ck_assert_int_eq(state_of(id), GP_STEP_FAILED);
	ck_assert_str_eq(gp_error_kind_name(err->kind), gp_error_kind_name(kind));
	ck_assert_msg(strstr(err->message, words) != NULL, "'%s' does not say '%s'", err->message, words);
}

/* ---- order and overlap ---- */

START_TEST(an_empty_stage_is_done_at_once)
{
	ck_assert_int_eq(execute(), 0);
	ck_counts(0, 0, 0, 0);
	add_chain(0);
	ck_assert_int_eq(execute(), 0);
}
END_TEST

START_TEST(a_step_waits_for_all_that_it_needs)
{
	add_chain(0);
	write_vfs(1, "1");
	write_vfs(2, "2");
	write_vfs(3, "3");
	need(1);
	need(2);
	write_vfs(4, "4");
	need(3);
	ck_assert_int_eq(execute(), 0);
	ck_counts(4, 0, 0, 0);
	ck_assert_uint_eq(outcome.writes, 4);
	ck_order("end 0000:01:00.0 sriov_numvfs 1", "begin 0000:03:00.0 sriov_numvfs 3");
	ck_order("end 0000:02:00.0 sriov_numvfs 2", "begin 0000:03:00.0 sriov_numvfs 3");
	ck_order("end 0000:03:00.0 sriov_numvfs 3", "begin 0000:04:00.0 sriov_numvfs 4");
}
END_TEST

/* Each write goes on only when all 32 have begun: one after the other they would never end. */
START_TEST(thirty_two_gpus_are_worked_on_at_the_same_time)
{
	host.meet = 32;
	for (unsigned pf = 0; pf < 32; pf++) {
		add_chain(0);
		write_vfs(pf, "8");
	}
	ck_assert_int_eq(execute(), 0);
	ck_assert_uint_eq(host.most_writing, 32);
	ck_counts(32, 0, 0, 0);
}
END_TEST

START_TEST(two_gpus_of_one_chain_are_worked_on_at_the_same_time)
{
	host.meet = 2;
	add_chain(0);
	write_vfs(1, "8");
	write_vfs(2, "8");
	ck_assert_int_eq(execute(), 0);
	ck_assert_uint_eq(host.most_writing, 2);
}
END_TEST

START_TEST(more_steps_than_workers_are_all_done)
{
	for (unsigned i = 0; i < 300; i++) {
		add_chain(0);
		write_vfs(i % FAKE_PFS, i % 2 == 0 ? "3" : "5")->attribute = "sriov_drivers_autoprobe";
	}
	ck_assert_int_eq(execute(), 0);
	ck_counts(300, 0, 0, 0);
}
END_TEST

/* ---- VMs down at the same time ---- */

START_TEST(no_more_vms_are_down_than_allowed)
{
	execution.at_once = 2;
	for (unsigned i = 0; i < 12; i++)
		add_restart(i, i);
	ck_assert_int_eq(execute(), 0);
	ck_counts(60, 0, 0, 0);
	ck_assert_uint_le(host.most_down, 2);
	ck_assert_uint_eq(host.down, 0);
	for (unsigned i = 0; i < 12; i++)
		ck_assert(host.domains[i].state == GP_DOMAIN_RUNNING && !host.domains[i].marked);
}
END_TEST

/* Two chains that each take 2 of 3: taken one by one, they could wait for each other for ever. */
START_TEST(a_chain_takes_its_whole_share_at_once)
{
	execution.at_once = 3;
	for (unsigned c = 0; c < 2; c++) {
		add_chain(2);
		uint32_t first = last_id + 1;
		add_domain_step(GP_STEP_STOP, 2 * c);
		add_domain_step(GP_STEP_STOP, 2 * c + 1);
		write_vfs(c, "4");
		need(first);
		need(first + 1);
		add_domain_step(GP_STEP_START, 2 * c);
		need(first + 2);
		add_domain_step(GP_STEP_START, 2 * c + 1);
		need(first + 2);
	}
	ck_assert_int_eq(execute(), 0);
	ck_counts(10, 0, 0, 0);
	ck_assert_uint_ge(host.most_down, 2);
	ck_assert_uint_le(host.most_down, 3);
}
END_TEST

START_TEST(a_chain_that_needs_more_than_allowed_is_not_begun)
{
	execution.at_once = 1;
	add_restart(0, 0);
	last_chain()->vms_down = 2;
	ck_assert_int_eq(execute(), -1);
	ck_counts(0, 0, 0, 5);
	ck_assert_uint_eq(host.changes, 0);
	ck_assert_str_eq(diag_of("at-once")->error.message,
			 "2 VMs would be down at the same time, and at_once allows 1");
}
END_TEST

START_TEST(what_stops_nobody_does_not_wait_for_its_turn)
{
	execution.at_once = 1;
	host.meet = 2; /* the write in the first chain and the one in the second */
	add_restart(0, 0);
	add_chain(1);
	write_vfs(1, "8");
	ck_assert_int_eq(execute(), 0);
	ck_assert_uint_eq(host.most_writing, 2);
}
END_TEST

/* ---- failure ---- */

START_TEST(a_failed_chain_stops_nobody_elses_work)
{
	host.fail_on = "0000:01:00.0";
	add_chain(0);
	write_vfs(1, "8");
	wait_vfs(1, "8");
	need(1);
	add_chain(0);
	write_vfs(2, "8");
	wait_vfs(2, "8");
	need(3);
	ck_assert_int_eq(execute(), -1);
	ck_counts(2, 0, 1, 1);
	ck_assert_int_eq(state_of(1), GP_STEP_FAILED);
	ck_assert_int_eq(state_of(2), GP_STEP_NOT_RUN);
	ck_assert_int_eq(state_of(3), GP_STEP_DONE);
	ck_assert_int_eq(state_of(4), GP_STEP_DONE);
	ck_assert_str_eq(diag_of("step-failed")->error.remedy, "explained by the back-end");
	ck_assert_str_eq(diag_of("step-failed")->error.subject, "0000:01:00.0 sriov_numvfs");
}
END_TEST

START_TEST(a_vm_that_was_stopped_is_started_when_its_chain_fails)
{
	host.fail_on = "0000:01:00.0";
	add_restart(3, 1);
	ck_assert_int_eq(execute(), -1);
	ck_counts(2, 0, 1, 2);
	ck_order("end 0000:01:00.0 sriov_numvfs 8", "start vm-03");
	ck_order("start vm-03", "unmark vm-03");
	ck_assert_int_eq(host.domains[3].state, GP_DOMAIN_RUNNING);
	ck_assert(!host.domains[3].marked);
	ck_assert_str_eq(diag_of("vm-restored")->error.message, "vm-03 was started again");
	ck_assert_uint_eq(outcome.writes, 4); /* mark, stop; start, unmark */
}
END_TEST

START_TEST(a_vm_whose_device_is_gone_stays_off_and_marked)
{
	host.fail_on = "0000:01:00.0";
	host.domains[3].config[0] = (struct gp_hostdev){.source = fake_vf_addr(1, 0)};
	host.domains[3].config_count = 1;
	add_restart(3, 1);
	ck_assert_int_eq(execute(), -1);
	ck_never("start vm-03");
	ck_assert(host.domains[3].marked);
	ck_assert_str_eq(diag_of("vm-stays-off")->error.message,
			 "vm-03 stays off: a device that its definition names is not there");
	ck_assert_ptr_nonnull(strstr(diag_of("vm-stays-off")->error.remedy, "starts vm-03"));
}
END_TEST

START_TEST(nobody_is_started_on_what_the_kernel_may_still_take)
{
	host.fail_on = "0000:01:00.0";
	host.fail_kind = GP_E_TIMEOUT;
	add_restart(3, 1);
	ck_assert_int_eq(execute(), -1);
	ck_never("start vm-03");
	ck_assert(host.domains[3].marked);
	ck_assert_str_eq(diag_of("vm-stays-off")->error.message, "vm-03 stays off: the kernel still works on its GPU");
}
END_TEST

START_TEST(a_vm_whose_partition_was_taken_and_not_replaced_stays_off)
{
	host.fail_on = "attach";
	host.pfs[1].vfs = 4;
	add_chain(1);
	mark(3, true);
	add_domain_step(GP_STEP_STOP, 3);
	need(1);
	add_domain_step(GP_STEP_DETACH, 3);
	need(2);
	attach(3, "vf:0000:01:00.0/2");
	need(3);
	add_domain_step(GP_STEP_START, 3);
	need(4);
	ck_assert_int_eq(execute(), -1);
	ck_never("start vm-03");
	ck_assert_str_eq(diag_of("vm-stays-off")->error.message,
			 "vm-03 stays off: its partition was taken and not yet replaced");
}
END_TEST

START_TEST(a_vm_that_is_to_stay_off_is_not_started)
{
	host.fail_on = "0000:01:00.0";
	add_chain(1);
	add_domain_step(GP_STEP_STOP, 3); /* no mark: nobody asks for it to run */
	write_vfs(1, "8");
	need(1);
	ck_assert_int_eq(execute(), -1);
	ck_assert_int_eq(host.domains[3].state, GP_DOMAIN_OFF);
	ck_never("start vm-03");
}
END_TEST

START_TEST(a_mark_is_taken_back_when_nobody_was_asked_to_stop)
{
	host.fail_on = "0000:01:00.0";
	add_chain(1);
	mark(3, true);
	write_vfs(1, "8");
	need(1);
	add_domain_step(GP_STEP_STOP, 3);
	need(2);
	ck_assert_int_eq(execute(), -1);
	ck_never("shutdown vm-03");
	ck_assert(!host.domains[3].marked);
}
END_TEST

START_TEST(a_start_that_failed_is_not_tried_again_at_once)
{
	host.fail_on = "start vm-03";
	add_restart(3, 1);
	ck_assert_int_eq(execute(), -1);
	ck_assert_str_eq(diag_of("vm-stays-off")->error.message, "vm-03 stays off: starting it has failed");
	ck_assert(host.domains[3].marked);
	ck_counts(3, 0, 1, 1);
}
END_TEST

START_TEST(a_chain_waits_for_its_turn_until_the_vms_of_a_failed_one_are_back)
{
	execution.at_once = 1;
	host.fail_on = "0000:00:00.0";
	add_restart(0, 0);
	add_restart(1, 1);
	ck_assert_int_eq(execute(), -1);
	ck_assert_uint_eq(host.most_down, 1);
	ck_assert_uint_eq(host.down, 0);
	ck_counts(7, 0, 1, 2);
}
END_TEST

/* ---- stopping a VM ---- */

static void add_stop(uint64_t grace_ms, bool force)
{
	add_chain(1);
	mark(5, true);
	struct gp_step *stop = add_domain_step(GP_STEP_STOP, 5);
	need(1);
	stop->timeout_ms = grace_ms;
	stop->force = force;
}

START_TEST(a_deaf_guest_is_asked_twice_and_not_forced)
{
	host.domains[5].deaf = true;
	add_stop(200, false);
	ck_assert_int_eq(execute(), -1);
	ck_step_error(2, GP_E_TIMEOUT, "did not shut down within 200ms, and no file allows to force it off");
	ck_assert_uint_eq(host.domains[5].asked, 2);
	ck_never("destroy vm-05");
	ck_assert(host.domains[5].marked); /* it may yet go off */
	ck_assert_int_eq(host.domains[5].state, GP_DOMAIN_RUNNING);
}
END_TEST

START_TEST(a_deaf_guest_is_forced_off_when_allowed)
{
	host.domains[5].deaf = true;
	add_stop(100, true);
	ck_assert_int_eq(execute(), 0);
	ck_order("shutdown vm-05", "destroy vm-05");
	ck_assert_int_eq(host.domains[5].state, GP_DOMAIN_OFF);
}
END_TEST

START_TEST(a_guest_that_has_just_started_is_not_forced_off)
{
	host.domains[5].deaf = true;
	host.domains[5].running_ms = 1000;
	add_stop(100, true);
	ck_assert_int_eq(execute(), -1);
	ck_step_error(2, GP_E_TIMEOUT, "it is not forced off within 60s of its start");
	ck_never("destroy vm-05");
}
END_TEST

START_TEST(a_vm_that_is_off_already_is_skipped)
{
	host.domains[5].state = GP_DOMAIN_OFF;
	add_stop(100, false);
	ck_assert_int_eq(execute(), 0);
	ck_assert_int_eq(state_of(2), GP_STEP_SKIPPED);
	ck_never("shutdown vm-05");
}
END_TEST

START_TEST(a_paused_vm_is_left_alone)
{
	host.domains[5].state = GP_DOMAIN_PAUSED;
	add_stop(100, true);
	ck_assert_int_eq(execute(), -1);
	ck_step_error(2, GP_E_STALE, "it is paused");
	ck_never("shutdown vm-05");
	ck_never("destroy vm-05");
}
END_TEST

START_TEST(a_transient_vm_is_left_alone)
{
	host.domains[5].transient = true;
	add_stop(100, true);
	ck_assert_int_eq(execute(), -1);
	ck_step_error(2, GP_E_STALE, "its definition would vanish");
	ck_never("shutdown vm-05");
}
END_TEST

/* ---- guards and what is so already ---- */

static struct gp_step *add_guarded_reset(void)
{
	host.pfs[1] = (struct fake_pf){.vfs = 4, .cap_vfs = 4};
	add_chain(0);
	struct gp_step *step = write_vfs(1, "0");
	step->guard = GP_GUARD_UNHELD;
	return step;
}

START_TEST(vfs_that_nobody_holds_are_removed_under_guard)
{
	add_guarded_reset();
	ck_assert_int_eq(execute(), 0);
	ck_assert_uint_eq(host.pfs[1].vfs, 0);
	ck_assert_int_eq(host.last_guard, GP_GUARD_UNHELD);
}
END_TEST

START_TEST(vfs_that_a_vm_got_meanwhile_are_not_removed)
{
	host.live_holders = "web-01, web-02";
	add_guarded_reset();
	ck_assert_int_eq(execute(), -1);
	ck_step_error(1, GP_E_REFUSED, "in use by a running VM");
	ck_assert_str_eq(outcome.steps[0].error.holder, "web-01, web-02");
	ck_assert_uint_eq(host.pfs[1].vfs, 4);
	ck_assert_uint_eq(host.changes, 0);
}
END_TEST

START_TEST(unknown_counts_as_in_use)
{
	host.no_libvirt = true;
	add_guarded_reset();
	ck_assert_int_eq(execute(), -1);
	ck_step_error(1, GP_E_REFUSED, "unknown counts as in use: libvirt does not answer");
	ck_assert_uint_eq(host.changes, 0);
}
END_TEST

START_TEST(libvirt_that_goes_away_counts_as_in_use)
{
	host.holders_unknown = true;
	add_guarded_reset();
	ck_assert_int_eq(execute(), -1);
	ck_step_error(1, GP_E_REFUSED, "unknown counts as in use: libvirt went away");
	ck_assert_uint_eq(host.changes, 0);
}
END_TEST

START_TEST(vfs_are_made_without_libvirt)
{
	host.no_libvirt = true;
	add_chain(0);
	write_vfs(1, "8");
	ck_assert_int_eq(execute(), 0);
	ck_assert_uint_eq(host.pfs[1].vfs, 8);
}
END_TEST

START_TEST(what_is_so_already_is_not_written)
{
	host.pfs[1] = (struct fake_pf){.vfs = 8, .cap_vfs = 8};
	host.attribute_value = "0";
	host.bound_driver = "vfio-pci";
	add_chain(0);
	write_vfs(1, "8");
	add_pf_step(GP_STEP_WRITE, 1, "sriov_drivers_autoprobe", "0");
	add_pf_step(GP_STEP_BIND, 1, "driver", "vfio-pci");
	ck_assert_int_eq(execute(), 0);
	ck_counts(0, 3, 0, 0);
	ck_assert_uint_eq(host.changes, 0);
	ck_assert_uint_eq(outcome.writes, 0);
}
END_TEST

START_TEST(a_count_in_transition_is_not_so_already)
{
	host.pfs[1] = (struct fake_pf){.vfs = 8, .cap_vfs = 4};
	add_chain(0);
	write_vfs(1, "8");
	ck_assert_int_eq(execute(), 0);
	ck_counts(1, 0, 0, 0);
}
END_TEST

START_TEST(a_device_is_unbound_only_while_bound)
{
	add_chain(0);
	add_pf_step(GP_STEP_UNBIND, 1, "driver", NULL);
	ck_assert_int_eq(execute(), 0);
	ck_counts(0, 1, 0, 0);
	host.bound_driver = "xe";
	add_pf_step(GP_STEP_UNBIND, 2, "driver", NULL);
	ck_assert_int_eq(execute(), 0);
	ck_counts(2, 1, 0, 0);
}
END_TEST

/* ---- waiting for VFs ---- */

START_TEST(late_vfs_are_waited_for)
{
	host.pfs[1].late_rounds = 5;
	add_chain(0);
	write_vfs(1, "8");
	wait_vfs(1, "8");
	need(1);
	ck_assert_int_eq(execute(), 0);
	ck_counts(2, 0, 0, 0);
	ck_assert_uint_eq(outcome.writes, 1); /* waiting is no write */
}
END_TEST

START_TEST(fewer_vfs_than_asked_are_told_with_both_numbers)
{
	host.pfs[1].short_by = 3;
	add_chain(0);
	write_vfs(1, "8");
	wait_vfs(1, "8")->timeout_ms = 50;
	need(1);
	ck_assert_int_eq(execute(), -1);
	ck_step_error(2, GP_E_VERIFY, "8 VFs were asked of 0000:01:00.0, and after 50ms there are 5");
	ck_assert_ptr_nonnull(strstr(outcome.steps[1].error.remedy, "dmesg"));
}
END_TEST

START_TEST(links_and_capability_that_disagree_are_not_success)
{
	host.pfs[1] = (struct fake_pf){.vfs = 8, .cap_vfs = 6};
	add_chain(0);
	wait_vfs(1, "8")->timeout_ms = 50;
	ck_assert_int_eq(execute(), -1);
	ck_assert_str_eq(outcome.steps[0].error.holder,
			 "the device itself tells VFs enabled with NumVFs 6: its driver is still at work");
}
END_TEST

START_TEST(an_attribute_is_waited_for)
{
	host.attribute_value = "ready";
	add_chain(0);
	add_pf_step(GP_STEP_WAIT, 1, "state", "ready");
	ck_assert_int_eq(execute(), 0);
	add_pf_step(GP_STEP_WAIT, 1, "state", "gone")->timeout_ms = 20;
	ck_assert_int_eq(execute(), -1);
	ck_assert_int_eq(outcome.steps[2].error.kind, GP_E_TIMEOUT);
}
END_TEST

/* ---- definitions ---- */

static void add_attach(void)
{
	host.domains[2].state = GP_DOMAIN_OFF;
	host.pfs[1].vfs = 4;
	add_chain(0);
	attach(2, "vf:0000:01:00.0/3");
}

START_TEST(a_vf_is_resolved_by_its_link)
{
	add_attach();
	ck_assert_int_eq(execute(), 0);
	ck_assert_int_eq(gp_pci_addr_compare(host.domains[2].attached, fake_vf_addr(1, 3)), 0);
}
END_TEST

START_TEST(a_vf_without_a_link_is_not_guessed)
{
	add_attach();
	host.pfs[1].links_broken = true;
	ck_assert_int_eq(execute(), -1);
	ck_step_error(1, GP_E_NOT_FOUND, "VF 3 of 0000:01:00.0 cannot be found");
	ck_never("attach vm-02");
}
END_TEST

START_TEST(a_link_to_nothing_is_no_vf)
{
	add_attach();
	host.pfs[1].devices_missing = true;
	ck_assert_int_eq(execute(), -1);
	ck_step_error(1, GP_E_NOT_FOUND, "the device is not there");
}
END_TEST

START_TEST(a_definition_is_changed_only_while_the_vm_is_off)
{
	add_attach();
	host.domains[2].state = GP_DOMAIN_RUNNING;
	ck_assert_int_eq(execute(), -1);
	ck_step_error(1, GP_E_STALE, "vm-02 was to be off, and it is running");
	ck_never("attach vm-02");
}
END_TEST

START_TEST(what_the_definition_has_already_is_skipped)
{
	add_attach();
	host.nothing_changes = true;
	add_domain_step(GP_STEP_DETACH, 2);
	ck_assert_int_eq(execute(), 0);
	ck_counts(0, 2, 0, 0);
}
END_TEST

/* ---- exchanges ---- */

static const char alias[] = "ua-gpupart-0-vdi";

static int execute_again(void)
{
	gp_outcome_clear(&outcome);
	outcome = (struct gp_outcome){0};
	return execute();
}

/* vm-02 has VF 0 by hand, and is to have VF 1 in its place. */
static struct gp_step *add_replace(void)
{
	host.pfs[1].vfs = 4;
	host.domains[2].state = GP_DOMAIN_OFF;
	host.domains[2].config[0] = (struct gp_hostdev){.source = fake_vf_addr(1, 0), .guest_xml = "<address/>"};
	host.domains[2].config_count = 1;
	add_chain(0);
	struct gp_step *step = add_domain_step(GP_STEP_REPLACE, 2);
	step->source = "vf:0000:01:00.0/1";
	step->guard = GP_GUARD_OFF;
	step->hostdev = (struct gp_hostdev){.alias = alias, .ours = true, .guest_xml = "<address/>"};
	step->replaces = host.domains[2].config[0];
	return step;
}

static void ck_exchanged(void)
{
	const struct fake_domain *domain = &host.domains[2];
	ck_assert_uint_eq(domain->config_count, 1);
	ck_assert_str_eq(domain->config[0].alias, alias);
	ck_assert_str_eq(domain->config[0].guest_xml, "<address/>");
	ck_assert_int_eq(gp_pci_addr_compare(domain->config[0].source, fake_vf_addr(1, 1)), 0);
	ck_assert_uint_eq(domain->place_count, 0);
}

START_TEST(a_hostdev_is_exchanged_and_its_place_noted_meanwhile)
{
	add_replace();
	ck_assert_int_eq(execute(), 0);
	ck_exchanged();
	ck_assert_int_lt(fake_line(&host, "note vm-02"), fake_line(&host, "detach vm-02"));
	ck_assert_int_lt(fake_line(&host, "detach vm-02"), fake_line(&host, "attach vm-02"));
	ck_assert_int_lt(fake_line(&host, "attach vm-02"), fake_line(&host, "forget vm-02"));
	ck_assert_int_ge(fake_line(&host, "note vm-02"), 0);
}
END_TEST

/* Stopped after each of the four, the same step gets to the same end. */
START_TEST(an_exchange_goes_on_from_wherever_it_was_stopped)
{
	static const char *const lines[] = {"note", "detach", "attach", "forget"};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		tear_down();
		set_up();
		add_replace();
		host.fail_on = lines[i];
		ck_assert_int_eq(execute(), -1);
		host.fail_on = NULL;
		ck_assert_int_eq(execute_again(), 0);
		ck_exchanged();
		ck_assert_int_eq(execute_again(), 0);
		ck_counts(0, 1, 0, 0);
	}
}
END_TEST

START_TEST(what_is_there_instead_is_not_taken_out)
{
	add_replace();
	host.domains[2].config[0].alias = "ua-mine";
	host.fail_on = "detach"; /* as libvirt's side does, which compares the alias */
	ck_assert_int_eq(execute(), -1);
	ck_never("note vm-02");
	ck_assert_uint_eq(host.domains[2].config_count, 1);
}
END_TEST

START_TEST(a_place_is_kept_and_forgotten)
{
	struct gp_step *step = add_replace();
	step->kind = GP_STEP_DETACH;
	step->hostdev = step->replaces;
	step->keeps_for = alias;
	ck_assert_int_eq(execute(), 0);
	ck_assert_uint_eq(host.domains[2].config_count, 0);
	ck_assert_uint_eq(host.domains[2].place_count, 1);
	ck_assert_str_eq(host.domains[2].places[0].alias, alias);
	ck_assert_str_eq(host.domains[2].places[0].guest_xml, "<address/>");

	step->kind = GP_STEP_MARK;
	step->attribute = GP_MARK_PLACE;
	step->before = alias;
	ck_assert_int_eq(execute_again(), 0);
	ck_assert_uint_eq(host.domains[2].place_count, 0);
	ck_never("unmark vm-02");
}
END_TEST

START_TEST(a_vm_in_the_middle_of_an_exchange_stays_off)
{
	struct gp_step *step = add_replace();
	host.fail_on = "attach";
	host.domains[2].marked = true;
	ck_assert_int_eq(execute(), -1);
	ck_never("start vm-02");
	ck_assert_str_eq(diag_of("vm-stays-off")->error.message,
			 "vm-02 stays off: its partition was taken and not yet replaced");
	/* Not begun, it starts with what it has. */
	host.domains[2].config[0] = step->replaces;
	host.domains[2].config_count = 1;
	host.domains[2].place_count = 0;
	host.fail_on = "note";
	ck_assert_int_eq(execute_again(), -1);
	ck_assert_int_ge(fake_line(&host, "start vm-02"), 0);
}
END_TEST

START_TEST(without_libvirt_no_definition_is_touched)
{
	add_attach();
	host.no_libvirt = true;
	ck_assert_int_eq(execute(), -1);
	ck_step_error(1, GP_E_UNAVAILABLE, "vm-02 cannot be reached: libvirt does not answer");
}
END_TEST

START_TEST(what_ends_a_stage_is_no_step_to_perform)
{
	const struct gp_step step = {.kind = GP_STEP_OBSERVE_AGAIN, .what = "observe again"};
	struct gp_bench bench = {.host = &host};
	struct gp_step_run run = {.bench = &bench, .step = &step};
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	ck_assert_int_eq(gp_step_perform(&run, &err), -1);
	ck_assert_int_eq(err.kind, GP_E_UNSUPPORTED);
}
END_TEST

/* ---- VFs that get their profiles one by one ---- */

#define UUID "8a9c4f10-55a6-5c2e-9f6b-0123456789ab"

static struct gp_step *write_type(unsigned pf, unsigned vf, const char *before, const char *after)
{
	struct gp_step *step = add_pf_step(GP_STEP_WRITE, pf, "nvidia/current_vgpu_type", after);
	step->device = gp_arena_printf(arena, "vf:0000:%02x:00.0/%u", pf, vf);
	step->before = before;
	step->guard = GP_GUARD_VF_UNHELD;
	return step;
}

static struct gp_step *remove_mdev(unsigned pf)
{
	struct gp_step *step = add_pf_step(GP_STEP_WRITE, pf, "remove", "1");
	step->base = GP_BASE_MDEV;
	step->device = UUID;
	step->guard = GP_GUARD_VF_UNHELD;
	return step;
}

static struct gp_step *make_mdev(unsigned pf, unsigned vf)
{
	struct gp_step *step = add_pf_step(GP_STEP_WRITE, pf, "mdev_supported_types/nvidia-712/create", UUID);
	step->device = gp_arena_printf(arena, "vf:0000:%02x:00.0/%u", pf, vf);
	return step;
}

static void add_mdev(unsigned pf, unsigned vf, const char *type)
{
	struct gp_mdev *mdev = &host.mdevs[host.mdev_count++];
	ck_assert_int_eq(gp_uuid_parse(UUID, &mdev->uuid), 0);
	mdev->parent = fake_vf_addr(pf, vf);
	snprintf(mdev->type, sizeof(mdev->type), "%s", type);
}

START_TEST(the_guard_of_one_vf_asks_about_that_vf)
{
	host.pfs[1] = (struct fake_pf){.vfs = 4, .cap_vfs = 4};
	add_chain(0);
	write_type(1, 2, "713", "0");
	ck_assert_int_eq(execute(), 0);
	ck_assert_int_eq(host.last_guard, GP_GUARD_VF_UNHELD);
	ck_assert_int_eq(host.last_asked.type, GP_HOSTDEV_PCI);
	ck_assert_int_eq(gp_pci_addr_compare(host.last_asked.source, fake_vf_addr(1, 2)), 0);

	add_mdev(1, 2, "nvidia-712");
	remove_mdev(1);
	need(last_id - 1); /* or both would run, and ask, at once */
	ck_assert_int_eq(execute_again(), 0);
	ck_assert_int_eq(host.last_asked.type, GP_HOSTDEV_MDEV);
	ck_assert(gp_uuid_equal(host.last_asked.mdev, host.mdevs[0].uuid));
}
END_TEST

START_TEST(a_vf_that_a_vm_got_meanwhile_keeps_its_profile)
{
	host.pfs[1] = (struct fake_pf){.vfs = 4, .cap_vfs = 4};
	host.live_holders = "web-01";
	add_chain(0);
	write_type(1, 2, "713", "0");
	ck_assert_int_eq(execute(), -1);
	ck_step_error(1, GP_E_REFUSED, "VF 0000:01:01.2 is in use by a running VM");
	ck_assert_str_eq(outcome.steps[0].error.holder, "web-01");
	ck_assert_uint_eq(host.changes, 0);
	add_mdev(1, 2, "nvidia-712");
	host.live_holders = NULL;
	host.no_libvirt = true;
	last_chain()->step_count = 0;
	last_id = 0;
	remove_mdev(1);
	ck_assert_int_eq(execute_again(), -1);
	ck_step_error(1, GP_E_REFUSED, "unknown counts as in use: libvirt does not answer");
	ck_assert_uint_eq(host.changes, 0);
}
END_TEST

START_TEST(profiles_that_are_so_already_are_not_written)
{
	host.pfs[1] = (struct fake_pf){.vfs = 4, .cap_vfs = 4};
	host.attribute_value = "712";
	host.no_libvirt = true; /* nobody is asked */
	add_mdev(1, 3, "nvidia-712");
	add_chain(0);
	write_type(1, 2, "0", "712");
	make_mdev(1, 3);
	ck_assert_int_eq(execute(), 0);
	ck_counts(0, 2, 0, 0);
	host.mdev_count = 0;
	last_chain()->step_count = 0;
	last_id = 0;
	remove_mdev(1);
	ck_assert_int_eq(execute_again(), 0);
	ck_counts(0, 1, 0, 0);
	ck_assert_uint_eq(host.changes, 0);
}
END_TEST

START_TEST(a_mediated_device_elsewhere_is_not_the_one)
{
	host.pfs[1] = (struct fake_pf){.vfs = 4, .cap_vfs = 4};
	add_chain(0);
	make_mdev(1, 3);
	add_mdev(1, 2, "nvidia-712"); /* on another VF */
	ck_assert_int_eq(execute(), 0);
	ck_counts(1, 0, 0, 0);
	host.mdev_count = 0;
	add_mdev(1, 3, "nvidia-71"); /* of another type */
	ck_assert_int_eq(execute_again(), 0);
	ck_counts(1, 0, 0, 0);
}
END_TEST

static struct gp_step *run_sriov_manage(unsigned pf)
{
	struct gp_step *step = add_pf_step(GP_STEP_HELPER, pf, "sriov-manage", "-e");
	step->program = "/usr/lib/nvidia/sriov-manage";
	step->guard = GP_GUARD_NO_VFS;
	return step;
}

START_TEST(a_program_is_not_run_where_there_are_vfs)
{
	add_chain(0);
	run_sriov_manage(1);
	ck_assert_int_eq(execute(), 0);
	ck_counts(1, 0, 0, 0);
	ck_assert_str_eq(host.last_program, "/usr/lib/nvidia/sriov-manage");
	ck_assert_int_eq(host.last_guard, GP_GUARD_NO_VFS);
	host.pfs[1] = (struct fake_pf){.vfs = 16, .cap_vfs = 16};
	ck_assert_int_eq(execute_again(), 0);
	ck_counts(0, 1, 0, 0);
	ck_assert_uint_eq(host.changes, 1);
}
END_TEST

static struct gp_step *wait_driver(unsigned pf, uint64_t timeout_ms)
{
	struct gp_step *step = add_pf_step(GP_STEP_WAIT, pf, "vf-driver", "nvidia");
	step->timeout_ms = timeout_ms;
	return step;
}

START_TEST(the_driver_of_all_vfs_is_waited_for)
{
	host.pfs[1] = (struct fake_pf){.vfs = 4, .cap_vfs = 4};
	host.vf_driver = "nvidia";
	host.vf_driver_rounds = 3;
	add_chain(0);
	wait_driver(1, FAKE_PATIENCE_MS);
	ck_assert_int_eq(execute(), 0);
	ck_assert_uint_eq(host.vf_driver_rounds, 0);
}
END_TEST

START_TEST(vfs_without_their_driver_are_named)
{
	host.pfs[1] = (struct fake_pf){.vfs = 2, .cap_vfs = 2};
	host.vf_driver = "vfio-pci";
	host.vf_driver_rounds = 1000;
	add_chain(0);
	wait_driver(1, 50);
	ck_assert_int_eq(execute(), -1);
	ck_step_error(1, GP_E_VERIFY,
		      "2 of 2 VFs of 0000:01:00.0 are not bound to driver nvidia: VF 0 (no driver), VF 1 (vfio-pci)");
	host.pfs[1] = (struct fake_pf){.vfs = 12, .cap_vfs = 12};
	ck_assert_int_eq(execute_again(), -1);
	ck_step_error(1, GP_E_VERIFY, "VF 7 (vfio-pci), …");
	host.pfs[1] = (struct fake_pf){0};
	ck_assert_int_eq(execute_again(), -1);
	ck_step_error(1, GP_E_VERIFY, "has no VFs");
}
END_TEST

START_TEST(vfs_that_a_program_promised_are_explained)
{
	host.driver = "nvidia";
	add_chain(0);
	wait_vfs(1, "16")->timeout_ms = 50;
	ck_assert_int_eq(execute(), -1);
	ck_step_error(1, GP_E_VERIFY, "16 VFs were asked of 0000:01:00.0");
	ck_step_error(1, GP_E_VERIFY, "sriov-manage reported success, but the driver may still be initialising");
	ck_assert_str_eq(outcome.steps[0].error.remedy, "framework seen anew");
}
END_TEST

START_TEST(who_explains_has_looked_at_the_device)
{
	host.driver = "nvidia";
	host.pfs[1] = (struct fake_pf){.vfs = 4, .cap_vfs = 4};
	host.fail_on = "0000:01:01.2";
	add_chain(0);
	write_type(1, 2, "0", "712");
	ck_assert_int_eq(execute(), -1);
	ck_assert_str_eq(outcome.steps[0].error.remedy, "framework seen anew");
}
END_TEST

START_TEST(a_mediated_device_has_its_name_before_its_vf_is_there)
{
	add_attach();
	struct gp_step *step = &last_chain()->steps[0];
	step->hostdev.type = GP_HOSTDEV_MDEV;
	ck_assert_int_eq(gp_uuid_parse(UUID, &step->hostdev.mdev), 0);
	host.pfs[1].vfs = 0;
	ck_assert_int_eq(execute(), 0);
	ck_assert(gp_uuid_equal(host.domains[2].config[0].mdev, step->hostdev.mdev));
}
END_TEST

START_TEST(a_vm_whose_mediated_device_is_gone_stays_off)
{
	host.fail_on = "0000:01:00.0";
	host.domains[3].config[0] = (struct gp_hostdev){.type = GP_HOSTDEV_MDEV};
	ck_assert_int_eq(gp_uuid_parse(UUID, &host.domains[3].config[0].mdev), 0);
	host.domains[3].config_count = 1;
	add_restart(3, 1);
	ck_assert_int_eq(execute(), -1);
	ck_never("start vm-03");
	add_mdev(1, 0, "nvidia-712");
	host.domains[3].state = GP_DOMAIN_RUNNING;
	ck_assert_int_eq(execute_again(), -1);
	ck_assert_int_ge(fake_line(&host, "start vm-03"), 0);
}
END_TEST

/* ---- what is told ---- */

static volatile sig_atomic_t asked_to_stop;

struct told {
	pthread_t thread;
	unsigned started, finished, still;
	bool wrong_thread, finished_before_start;
	char detail[128];
	const char *stop_at; /* device of the step whose end asks to stop */
};

static void on_started(void *context, const struct gp_step *step)
{
	(void)step;
	struct told *told = context;
	told->wrong_thread |= !pthread_equal(pthread_self(), told->thread);
	told->started++;
}

static void on_finished(void *context, const struct gp_step *step, const struct gp_step_outcome *step_outcome)
{
	struct told *told = context;
	told->wrong_thread |= !pthread_equal(pthread_self(), told->thread);
	told->finished_before_start |= ++told->finished > told->started || step_outcome->id != step->id;
}

static void on_still(void *context, const struct gp_step *step, uint64_t elapsed_ms, const char *detail)
{
	(void)step, (void)elapsed_ms;
	struct told *told = context;
	told->wrong_thread |= !pthread_equal(pthread_self(), told->thread);
	told->still++;
	snprintf(told->detail, sizeof(told->detail), "%s", detail);
	__atomic_store_n(&asked_to_stop, 1, __ATOMIC_RELAXED);
}

START_TEST(progress_is_told_in_the_thread_that_called)
{
	struct told told = {.thread = pthread_self()};
	struct gp_progress progress = {&told, on_started, on_finished, on_still, NULL, NULL};
	execution.progress = &progress;
	for (unsigned i = 0; i < 10; i++)
		add_restart(i, i);
	ck_assert_int_eq(execute(), 0);
	ck_assert_uint_eq(told.started, 50);
	ck_assert_uint_eq(told.finished, 50);
	ck_assert(!told.wrong_thread && !told.finished_before_start);
}
END_TEST

/* The write is held until it was said that it takes long. */
START_TEST(what_takes_long_is_told)
{
	struct told told = {.thread = pthread_self()};
	struct gp_progress progress = {&told, on_started, on_finished, on_still, NULL, NULL};
	asked_to_stop = 0;
	execution.progress = &progress;
	host.hold_writes_until = &asked_to_stop;
	add_chain(0);
	write_vfs(1, "8")->timeout_ms = 120000;
	ck_assert_int_eq(execute(), 0);
	ck_assert_uint_ge(told.still, 1);
	ck_assert_msg(gp_starts_with(told.detail, "the kernel works on sriov_numvfs of 0000:01:00.0, "), "%s",
		      told.detail);
	ck_assert_ptr_nonnull(strstr(told.detail, "s of 2m"));
}
END_TEST

/* ---- interrupted ---- */

START_TEST(an_interrupted_run_finishes_what_runs_and_brings_vms_back)
{
	struct told told = {.thread = pthread_self()};
	struct gp_progress progress = {&told, on_started, on_finished, on_still, NULL, NULL};
	asked_to_stop = 0;
	execution.progress = &progress;
	execution.stop = &asked_to_stop;
	host.hold_writes_until = &asked_to_stop; /* set while the write takes long */
	add_restart(4, 4);
	ck_assert_int_eq(execute(), -1);
	ck_counts(3, 0, 0, 2);
	ck_assert_int_eq(state_of(3), GP_STEP_DONE);
	ck_assert_int_eq(state_of(4), GP_STEP_NOT_RUN);
	ck_assert_int_eq(host.domains[4].state, GP_DOMAIN_RUNNING);
	ck_assert(!host.domains[4].marked);
	ck_assert_ptr_nonnull(diag_of("interrupted"));
	ck_assert_ptr_nonnull(diag_of("vm-restored"));
}
END_TEST

START_TEST(a_run_that_was_interrupted_before_does_nothing)
{
	asked_to_stop = 1;
	execution.stop = &asked_to_stop;
	add_restart(4, 4);
	ck_assert_int_eq(execute(), -1);
	ck_counts(0, 0, 0, 5);
	ck_assert_uint_eq(host.changes, 0);
}
END_TEST

START_TEST(a_guest_is_not_waited_for_when_interrupted)
{
	struct told told = {.thread = pthread_self()};
	struct gp_progress progress = {&told, on_started, on_finished, on_still, NULL, NULL};
	asked_to_stop = 0;
	execution.progress = &progress;
	execution.stop = &asked_to_stop; /* set when it is told that the guest takes long */
	host.domains[5].deaf = true;
	add_stop(3600 * 1000, true);
	ck_assert_int_eq(execute(), -1);
	ck_step_error(2, GP_E_TIMEOUT, "the run was interrupted");
	ck_assert_ptr_nonnull(strstr(told.detail, "waiting for vm-05 to shut down, "));
	ck_never("destroy vm-05");
	ck_assert(host.domains[5].marked);
}
END_TEST

/* ---- stages that are not run ---- */

START_TEST(a_skipped_stage_is_accounted_for)
{
	add_restart(0, 0);
	gp_skip_stage(&stage, 2, &outcome);
	ck_counts(0, 0, 0, 5);
	ck_assert_uint_eq(outcome.steps[4].stage, 2);
	ck_assert_str_eq(outcome.steps[4].what, "step vm-00");
}
END_TEST

START_TEST(vms_of_a_finished_stage_are_brought_back)
{
	host.domains[6].state = GP_DOMAIN_OFF;
	host.domains[6].marked = true;
	add_chain(1);
	mark(6, true);
	add_domain_step(GP_STEP_STOP, 6);
	gp_restore_stage(&host, &stage, &outcome);
	ck_assert_int_eq(host.domains[6].state, GP_DOMAIN_RUNNING);
	ck_assert(!host.domains[6].marked);
	ck_assert_uint_eq(outcome.writes, 2);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		an_empty_stage_is_done_at_once,
		a_step_waits_for_all_that_it_needs,
		thirty_two_gpus_are_worked_on_at_the_same_time,
		two_gpus_of_one_chain_are_worked_on_at_the_same_time,
		more_steps_than_workers_are_all_done,
		no_more_vms_are_down_than_allowed,
		a_chain_takes_its_whole_share_at_once,
		a_chain_that_needs_more_than_allowed_is_not_begun,
		what_stops_nobody_does_not_wait_for_its_turn,
		a_failed_chain_stops_nobody_elses_work,
		a_vm_that_was_stopped_is_started_when_its_chain_fails,
		a_vm_whose_device_is_gone_stays_off_and_marked,
		nobody_is_started_on_what_the_kernel_may_still_take,
		a_vm_whose_partition_was_taken_and_not_replaced_stays_off,
		a_vm_that_is_to_stay_off_is_not_started,
		a_mark_is_taken_back_when_nobody_was_asked_to_stop,
		a_start_that_failed_is_not_tried_again_at_once,
		a_chain_waits_for_its_turn_until_the_vms_of_a_failed_one_are_back,
		a_deaf_guest_is_asked_twice_and_not_forced,
		a_deaf_guest_is_forced_off_when_allowed,
		a_guest_that_has_just_started_is_not_forced_off,
		a_vm_that_is_off_already_is_skipped,
		a_paused_vm_is_left_alone,
		a_transient_vm_is_left_alone,
		vfs_that_nobody_holds_are_removed_under_guard,
		vfs_that_a_vm_got_meanwhile_are_not_removed,
		unknown_counts_as_in_use,
		libvirt_that_goes_away_counts_as_in_use,
		vfs_are_made_without_libvirt,
		what_is_so_already_is_not_written,
		a_count_in_transition_is_not_so_already,
		a_device_is_unbound_only_while_bound,
		late_vfs_are_waited_for,
		fewer_vfs_than_asked_are_told_with_both_numbers,
		links_and_capability_that_disagree_are_not_success,
		an_attribute_is_waited_for,
		a_vf_is_resolved_by_its_link,
		a_vf_without_a_link_is_not_guessed,
		a_link_to_nothing_is_no_vf,
		a_definition_is_changed_only_while_the_vm_is_off,
		what_the_definition_has_already_is_skipped,
		a_hostdev_is_exchanged_and_its_place_noted_meanwhile,
		an_exchange_goes_on_from_wherever_it_was_stopped,
		what_is_there_instead_is_not_taken_out,
		a_place_is_kept_and_forgotten,
		a_vm_in_the_middle_of_an_exchange_stays_off,
		without_libvirt_no_definition_is_touched,
		what_ends_a_stage_is_no_step_to_perform,
		the_guard_of_one_vf_asks_about_that_vf,
		a_vf_that_a_vm_got_meanwhile_keeps_its_profile,
		profiles_that_are_so_already_are_not_written,
		a_mediated_device_elsewhere_is_not_the_one,
		a_program_is_not_run_where_there_are_vfs,
		the_driver_of_all_vfs_is_waited_for,
		vfs_without_their_driver_are_named,
		vfs_that_a_program_promised_are_explained,
		who_explains_has_looked_at_the_device,
		a_mediated_device_has_its_name_before_its_vf_is_there,
		a_vm_whose_mediated_device_is_gone_stays_off,
		progress_is_told_in_the_thread_that_called,
		what_takes_long_is_told,
		an_interrupted_run_finishes_what_runs_and_brings_vms_back,
		a_run_that_was_interrupted_before_does_nothing,
		a_guest_is_not_waited_for_when_interrupted,
		a_skipped_stage_is_accounted_for,
		vms_of_a_finished_stage_are_brought_back,
	};
	return run_tests("run/executor", tests, COUNT_OF(tests), set_up, tear_down);
}
