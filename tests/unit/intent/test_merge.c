/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Several files: which are found, in which order, and what they make together. */
#include <stdio.h>
#include <sys/stat.h>

#include "support.h"

static char place[] = "/tmp/gp-intent-XXXXXX";

static void set_up(void)
{
	strcpy(place, "/tmp/gp-intent-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(place));
}

static void tear_down(void)
{
	gp_autofree char *command = gp_xasprintf("rm -rf '%s'", place);
	ck_assert_int_eq(system(command), 0);
}

static void put(const char *name, const char *text)
{
	gp_autofree char *path = gp_xasprintf("%s/%s", place, name);
	FILE *file = fopen(path, "we");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

/* Reads the directory; returns the number of faults. */
static size_t load(const char *host, struct gp_desired **desired)
{
	struct gp_diags diags = {0};
	const char *paths[] = {place};
	*desired = gp_intent_load(paths, 1, host, &diags);
	size_t errors = diags.error_count;
	gp_diags_clear(&diags);
	return errors;
}

#define GOOD           GP_CLEANUP(gp_cleanup_gp_desired_free) struct gp_desired *
#define CLASS(name, n) "gpus: [{class: " name ", match: {model: X}, partitions: " #n "}]\n"

START_TEST(in_the_order_of_names)
{
	put("20-b.yml", "version: 1\nvms: [{name: second, partition: vdi}]\npolicy: {protect: [b], sriov_manage: "
			"/opt/sriov-manage}\n");
	put("10-a.yaml",
	    "version: 1\n" CLASS("vdi",
				 4) "vms: [{name: first, partition: vdi}]\npolicy: {protect: [a], at_once: 2}\n");
	put("30-c.yaml", "version: 1\npolicy: {at_once: 2, force_off: true, sriov_manage: /opt/sriov-manage}\n");
	GOOD desired = NULL;
	ck_assert_uint_eq(load(NULL, &desired), 0);
	ck_assert_uint_eq(desired->files_read, 3);
	ck_assert_uint_eq(desired->files_for_host, 3);
	ck_assert_uint_eq(desired->vm_count, 2);
	ck_assert_str_eq(desired->vms[0].name, "first");
	ck_assert_str_eq(desired->vms[1].name, "second");
	ck_assert_uint_eq(desired->policy.protect_count, 2);
	ck_assert_str_eq(desired->policy.protect[0], "a");
	ck_assert_uint_eq(desired->policy.at_once, 2);
	ck_assert(desired->policy.force_off);
	ck_assert_str_eq(desired->policy.sriov_manage, "/opt/sriov-manage");
}
END_TEST

START_TEST(leftovers_are_left_out)
{
	put("site.yaml", "version: 1\n");
	static const char *const leftovers[] = {".site.yaml",     "site.yaml~", "#site.yaml#", ".site.yaml.swp",
						"site.yaml.bak",  "site.json",  "README",      ".yaml",
						"site.yaml.orig", "#a.yaml"};
	for (size_t i = 0; i < sizeof(leftovers) / sizeof(leftovers[0]); i++)
		put(leftovers[i], "this: [is, not, for, us\n");
	gp_autofree char *below = gp_xasprintf("%s/sub", place);
	ck_assert_int_eq(mkdir(below, 0755), 0);
	put("sub/more.yaml", "not: [for us\n");
	GOOD desired = NULL;
	ck_assert_uint_eq(load(NULL, &desired), 0);
	ck_assert_uint_eq(desired->files_read, 1);
}
END_TEST

/* Nobody writes into it: to open it would last for ever. */
START_TEST(a_pipe_in_a_directory_is_not_waited_for)
{
	put("10-site.yaml", "version: 1\n");
	gp_autofree char *path = gp_xasprintf("%s/20-pipe.yaml", place);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	GOOD desired = NULL;
	ck_assert_uint_eq(load(NULL, &desired), 1);
	ck_assert_uint_eq(desired->files_read, 1);
}
END_TEST

START_TEST(named_twice_read_once)
{
	put("site.yaml", "version: 1\n" CLASS("vdi", 4));
	gp_autofree char *file = gp_xasprintf("%s/site.yaml", place);
	gp_autofree char *again = gp_xasprintf("%s/./site.yaml", place);
	const char *paths[] = {place, file, again};
	struct gp_diags diags = {0};
	GOOD desired = gp_intent_load(paths, 3, NULL, &diags);
	ck_assert_uint_eq(diags.count, 0);
	ck_assert_uint_eq(desired->files_read, 1);
	ck_assert_uint_eq(desired->class_count, 1);
}
END_TEST

static void put_east_and_west(void)
{
	put("all.yaml", "version: 1\npolicy: {at_once: 3}\n");
	put("east.yaml", "version: 1\nhosts: [\"east-*\"]\n" CLASS(
				 "vdi", 8) "vms: [{name: a, partition: vdi}]\npolicy: {force_off: true}\n");
	put("west.yaml", "version: 1\nhosts: [\"west-*\"]\n" CLASS(
				 "vdi", 2) "vms: [{name: a, partition: vdi}]\npolicy: {force_off: false}\n");
}

START_TEST(each_host_gets_its_files)
{
	put_east_and_west();
	GOOD east = NULL;
	ck_assert_uint_eq(load("east-1.example.com", &east), 0);
	ck_assert_uint_eq(east->files_read, 3);
	ck_assert_uint_eq(east->files_for_host, 2);
	ck_assert_uint_eq(east->class_count, 1);
	ck_assert_uint_eq(east->classes[0].count, 8);
	ck_assert_uint_eq(east->vm_count, 1);
	ck_assert(east->policy.force_off);
	GOOD west = NULL;
	ck_assert_uint_eq(load("west-1", &west), 0);
	ck_assert_uint_eq(west->classes[0].count, 2);
	ck_assert(!west->policy.force_off);
	ck_assert_uint_eq(west->policy.at_once, 3);
}
END_TEST

/* Without a host (validate) files that no host reads together may name the same things. */
START_TEST(files_that_never_meet)
{
	put_east_and_west();
	GOOD desired = NULL;
	ck_assert_uint_eq(load(NULL, &desired), 0);
	ck_assert_uint_eq(desired->files_for_host, 3);
	ck_assert_uint_eq(desired->class_count, 2);
}
END_TEST

START_TEST(files_that_may_meet)
{
	put_east_and_west();
	put("zoo.yaml", "version: 1\nhosts: [\"*-7\"]\nvms: [{name: a, partition: none}]\n");
	GOOD desired = NULL;
	ck_assert_uint_eq(load(NULL, &desired), 1);
	gp_desired_free(desired);
	ck_assert_uint_eq(load("east-1", &desired), 0); /* not on this host */
	gp_desired_free(desired);
	ck_assert_uint_eq(load("east-7", &desired), 1);
}
END_TEST

/* The short name of a host meets its full name. */
START_TEST(short_and_full_names_meet)
{
	put("a.yaml", "version: 1\nhosts: [gpu-1]\n" CLASS("vdi", 8));
	put("b.yaml", "version: 1\nhosts: [gpu-1.example.com]\n" CLASS("vdi", 8));
	GOOD desired = NULL;
	ck_assert_uint_eq(load(NULL, &desired), 1);
	gp_desired_free(desired);
	ck_assert_uint_eq(load("gpu-1.example.com", &desired), 1);
	gp_desired_free(desired);
	ck_assert_uint_eq(load("gpu-1", &desired), 0);
}
END_TEST

START_TEST(a_class_may_stand_in_another_file)
{
	put("a.yaml", "version: 1\n" CLASS("vdi", 8));
	put("b.yaml", "version: 1\nhosts: [gpu-2]\nvms: [{name: a, partition: vdi}]\n");
	GOOD desired = NULL;
	ck_assert_uint_eq(load(NULL, &desired), 0);
	gp_desired_free(desired);
	ck_assert_uint_eq(load("gpu-1", &desired), 0);
	ck_assert_uint_eq(desired->vm_count, 0);
}
END_TEST

/* What is missing may stand in the file that could not be read: one fault, not two. */
START_TEST(no_faults_that_follow_from_others)
{
	put("a.yaml", "version: 1\ngpus: [{class: vdi\n");
	put("b.yaml", "version: 1\nvms: [{name: a, partition: vdi}]\n");
	GOOD desired = NULL;
	ck_assert_uint_eq(load(NULL, &desired), 1);
	ck_assert_uint_eq(desired->vm_count, 1);
	gp_desired_free(desired);
	ck_assert_uint_eq(load("gpu-1", &desired), 1);
}
END_TEST

START_TEST(nothing_is_made_of_nothing)
{
	GOOD desired = NULL;
	ck_assert_uint_eq(load("gpu-1", &desired), 1);
	ck_assert_ptr_nonnull(desired);
	ck_assert_uint_eq(desired->files_for_host, 0);
}
END_TEST

START_TEST(no_path)
{
	struct gp_diags diags = {0};
	GOOD desired = gp_intent_load(NULL, 0, "gpu-1", &diags);
	ck_assert_uint_eq(diags.error_count, 1);
	ck_assert_str_eq(diags.items[0].code, "no-files");
	ck_assert_uint_eq(desired->files_read, 0);
	gp_diags_clear(&diags);
}
END_TEST

/* Ten thousand VMs, and the last one repeats the first. */
START_TEST(many_vms)
{
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	gp_str_add(&text, "version: 1\n" CLASS("vdi", 8) "vms:\n");
	for (int i = 0; i < 10000; i++)
		gp_str_printf(&text, "  - name: vm-%05d\n    partition: vdi\n", i);
	GOOD desired = read_good(gp_str_text(&text), NULL);
	ck_assert_uint_eq(desired->vm_count, 10000);
	ck_assert_str_eq(desired->vms[9999].name, "vm-09999");
	gp_str_add(&text, "  - name: vm-00000\n    partition: vdi\n");
	struct gp_diags diags = {0};
	GOOD again = gp_intent_load_text("many.yaml", text.text, text.length, NULL, &diags);
	ck_assert_uint_eq(diags.error_count, 1);
	ck_assert_str_eq(diags.items[0].code, "duplicate-vm");
	ck_assert_uint_eq(diags.items[0].other.line, 4);
	ck_assert_ptr_nonnull(again);
	gp_diags_clear(&diags);
}
END_TEST

START_TEST(most_vms)
{
	static const char text[] = "version: 1\n" CLASS(
		"vdi", 8) "vms: [{names: [\"a[00000-99999]\"], partition: vdi}, {name: b, partition: vdi}]\n";
	struct gp_diags diags = {0};
	GOOD desired = gp_intent_load_text("most.yaml", text, strlen(text), NULL, &diags);
	ck_assert_uint_eq(desired->vm_count, GP_INTENT_MAX_VMS);
	ck_assert_uint_eq(diags.error_count, 1);
	ck_assert_str_eq(diags.items[0].code, "too-many-vms");
	gp_diags_clear(&diags);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, in_the_order_of_names);
	tcase_add_test(tcase, leftovers_are_left_out);
	tcase_add_test(tcase, a_pipe_in_a_directory_is_not_waited_for);
	tcase_add_test(tcase, named_twice_read_once);
	tcase_add_test(tcase, each_host_gets_its_files);
	tcase_add_test(tcase, files_that_never_meet);
	tcase_add_test(tcase, files_that_may_meet);
	tcase_add_test(tcase, short_and_full_names_meet);
	tcase_add_test(tcase, a_class_may_stand_in_another_file);
	tcase_add_test(tcase, no_faults_that_follow_from_others);
	tcase_add_test(tcase, nothing_is_made_of_nothing);
	tcase_add_test(tcase, no_path);
	tcase_add_test(tcase, many_vms);
	tcase_add_test(tcase, most_vms);
}

int main(void)
{
	return run_suite("intent_merge", add_tests);
}
