/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Errors, the arena, the log, the clock: what everything else stands on. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdalign.h>
#include <stdint.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/str.h"
#include "base_suite.h"

/* ---- errors ---- */

START_TEST(failing_is_one_line)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	ck_assert_int_eq(gp_fail(&err, GP_E_BUSY, "VF %u is held", 3u), -1);
	ck_assert_int_eq(err.kind, GP_E_BUSY);
	ck_assert_str_eq(err.message, "VF 3 is held");
	ck_assert_int_eq(gp_error_subject(&err, "0000:41:00.%d", 0), -1);
	ck_assert_int_eq(gp_error_holder(&err, "VM %s", "web-01"), -1);
	ck_assert_int_eq(gp_error_remedy(&err, "stop it"), -1);
	ck_assert_int_eq(gp_error_prefix(&err, "cannot remove it"), -1);
	ck_assert_str_eq(err.subject, "0000:41:00.0");
	ck_assert_str_eq(err.holder, "VM web-01");
	ck_assert_str_eq(err.remedy, "stop it");
	ck_assert_str_eq(err.message, "cannot remove it: VF 3 is held");
}
END_TEST

START_TEST(nobody_has_to_care)
{
	ck_assert_int_eq(gp_fail(NULL, GP_E_IO, "x"), -1);
	ck_assert_int_eq(gp_fail_at(NULL, GP_E_IO, (struct gp_mark){0}, "x"), -1);
	ck_assert_int_eq(gp_fail_errno(NULL, ENOENT, "x"), -1);
	ck_assert_int_eq(gp_error_subject(NULL, "x"), -1);
	ck_assert_int_eq(gp_error_prefix(NULL, "x"), -1);
	gp_error_clear(NULL);
	struct gp_error none = {0};
	ck_assert_int_eq(gp_error_remedy(&none, "x"), -1);
	ck_assert_int_eq(gp_error_holder(&none, "x"), -1);
	ck_assert_ptr_null(none.remedy);
	ck_assert_ptr_null(none.holder);
	struct gp_error err = {0};
	gp_fail(&err, GP_E_IO, "x");
	gp_error_move(NULL, &err); /* forgets it without a leak */
	ck_assert_ptr_null(err.message);
}
END_TEST

START_TEST(a_new_error_may_quote_the_old_one)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	gp_fail(&err, GP_E_IO, "inner");
	gp_error_subject(&err, "device");
	gp_fail(&err, GP_E_VERIFY, "outer (%s)", err.message);
	ck_assert_str_eq(err.message, "outer (inner)");
	ck_assert_ptr_null(err.subject);
	gp_error_prefix(&err, "%s", err.message);
	ck_assert_str_eq(err.message, "outer (inner): outer (inner)");
}
END_TEST

START_TEST(errno_decides_the_kind)
{
	static const struct {
		int sys;
		enum gp_error_kind kind;
	} cases[] = {{ENOENT, GP_E_NOT_FOUND}, {EACCES, GP_E_PERMISSION}, {EPERM, GP_E_PERMISSION},
		     {EBUSY, GP_E_BUSY},       {ETIMEDOUT, GP_E_TIMEOUT}, {EIO, GP_E_IO}};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
		gp_fail_errno(&err, cases[i].sys, "cannot open %s", "x");
		ck_assert_int_eq(err.kind, cases[i].kind);
		ck_assert_int_eq(err.sys, cases[i].sys);
	}
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	gp_fail_errno(&err, ENOENT, "cannot open %s", "x");
	ck_assert_str_eq(err.message, "cannot open x: No such file or directory");
}
END_TEST

START_TEST(errors_move_and_copy)
{
	GP_CLEANUP(gp_error_clear) struct gp_error from = {0};
	GP_CLEANUP(gp_error_clear) struct gp_error copy = {0};
	GP_CLEANUP(gp_error_clear) struct gp_error moved = {0};
	gp_fail(&from, GP_E_STALE, "changed");
	gp_error_holder(&from, "somebody");
	gp_fail(&copy, GP_E_IO, "old");
	gp_fail(&moved, GP_E_IO, "old");
	gp_error_copy(&copy, &from);
	ck_assert_ptr_ne(copy.message, from.message);
	gp_error_move(&moved, &from);
	ck_assert_int_eq(from.kind, GP_E_NONE);
	ck_assert_ptr_null(from.message);
	ck_assert_str_eq(copy.message, "changed");
	ck_assert_str_eq(moved.message, "changed");
	ck_assert_str_eq(copy.holder, "somebody");
	ck_assert_int_eq(moved.kind, GP_E_STALE);
	gp_error_move(&moved, &moved);
	ck_assert_str_eq(moved.message, "changed");
}
END_TEST

START_TEST(only_what_may_pass_is_tried_again)
{
	for (int kind = 0; kind < GP_E_KINDS; kind++) {
		bool passing = kind == GP_E_BUSY || kind == GP_E_TIMEOUT || kind == GP_E_UNAVAILABLE;
		ck_assert_int_eq(gp_error_may_retry((enum gp_error_kind)kind), passing);
	}
}
END_TEST

START_TEST(every_kind_has_a_name_of_its_own)
{
	for (int a = 0; a < GP_E_KINDS; a++) {
		ck_assert_ptr_nonnull(gp_error_kind_name((enum gp_error_kind)a));
		for (int b = 0; b < a; b++)
			ck_assert_str_ne(gp_error_kind_name((enum gp_error_kind)a),
					 gp_error_kind_name((enum gp_error_kind)b));
	}
	ck_assert_str_eq(gp_error_kind_name(GP_E_BUSY), "busy");
}
END_TEST

/* ---- the arena ---- */

static bool all_are(const unsigned char *bytes, size_t size, size_t value)
{
	for (size_t at = 0; at < size; at++)
		if (bytes[at] != value)
			return false;
	return true;
}

START_TEST(arena_memory_is_zeroed_aligned_and_apart)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	static const size_t sizes[] = {0, 1, 7, 16, 33, 1000, 4096, 5000, 100000, 3000000, 1, 8};
	unsigned char *made[COUNT_OF(sizes) * 20];
	size_t count = 0;
	for (int round = 0; round < 20; round++) {
		for (size_t i = 0; i < COUNT_OF(sizes); i++) {
			unsigned char *bytes = gp_arena_alloc(arena, sizes[i]);
			ck_assert_uint_eq((uintptr_t)bytes % alignof(max_align_t), 0);
			ck_assert_msg(all_are(bytes, sizes[i], 0), "%zu bytes are not zero", sizes[i]);
			memset(bytes, (int)(count % 255) + 1, sizes[i]);
			made[count++] = bytes;
			gp_arena_strdup(arena, "odd"); /* strings in between must not spoil the alignment */
		}
	}
	for (size_t i = 0; i < count; i++)
		ck_assert_msg(all_are(made[i], sizes[i % COUNT_OF(sizes)], i % 255 + 1), "object %zu overlaps", i);
}
END_TEST

struct item {
	int value;
	const char *name;
};

START_TEST(arrays_in_an_arena_grow_and_keep_what_they_hold)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	struct item *items = NULL;
	size_t count = 0;
	for (int i = 0; i < 1000; i++) {
		struct item *item = gp_arena_push(arena, items, count);
		ck_assert_int_eq(item->value, 0);
		ck_assert_ptr_null(item->name);
		item->value = i;
		item->name = gp_arena_printf(arena, "item-%d", i);
	}
	ck_assert_uint_eq(count, 1000);
	for (int i = 0; i < 1000; i++) {
		ck_assert_int_eq(items[i].value, i);
		ck_assert_int_eq(atoi(items[i].name + strlen("item-")), i);
	}
	struct item *fewer = gp_arena_grow(arena, items, sizeof(*items), count, 2);
	ck_assert_int_eq(fewer[1].value, 1);
}
END_TEST

START_TEST(arena_strings)
{
	GP_CLEANUP(gp_cleanup_gp_arena_free) struct gp_arena *arena = gp_arena_new();
	ck_assert_ptr_null(gp_arena_strdup(arena, NULL));
	ck_assert_str_eq(gp_arena_strdup(arena, ""), "");
	ck_assert_str_eq(gp_arena_strdup(arena, "whole"), "whole");
	ck_assert_str_eq(gp_arena_strndup(arena, "whole", 3), "who");
	GP_CLEANUP(gp_str_clear) struct gp_str large = {0};
	gp_str_add_repeated(&large, 'x', 3000000);
	ck_assert_str_eq(gp_arena_printf(arena, "%s", gp_str_text(&large)), gp_str_text(&large));
	gp_arena_free(NULL);
}
END_TEST

/* ---- no memory ---- */

/* Runs it in a child; true if the child said its one line and ended with 1. */
static bool ends_out_of_memory(void (*ask)(void))
{
	int ends[2];
	ck_assert_int_eq(pipe(ends), 0);
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		dup2(ends[1], STDERR_FILENO);
		ask();
		_exit(0);
	}
	close(ends[1]);
	char said[200] = "";
	ssize_t length = read(ends[0], said, sizeof(said) - 1);
	close(ends[0]);
	int status = 0;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return length > 0 && strcmp(said, "gpupart: out of memory\n") == 0 && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 1;
}

/* A size that wraps around must not give a small piece of memory. */
static void ask_for_a_wrapping_array(void)
{
	volatile size_t count = SIZE_MAX / sizeof(struct item) + 2;
	gp_arena_array_of(gp_arena_new(), struct item, count);
}

static void ask_for_a_wrapping_object(void)
{
	volatile size_t size = SIZE_MAX - 4;
	gp_arena_alloc(gp_arena_new(), size);
}

static void ask_for_a_wrapping_string(void)
{
	struct gp_str str = {0};
	gp_str_add(&str, "0123456789");
	gp_str_add_repeated(&str, 'x', SIZE_MAX - 5);
}

START_TEST(sizes_that_wrap_around_end_the_process)
{
	ck_assert(ends_out_of_memory(ask_for_a_wrapping_array));
	ck_assert(ends_out_of_memory(ask_for_a_wrapping_object));
	ck_assert(ends_out_of_memory(ask_for_a_wrapping_string));
}
END_TEST

/* ---- the log ---- */

struct heard {
	struct gp_str lines;
	int inside;
	unsigned count;
	bool overlapped;
};

static void hear(void *context, enum gp_log_level level, const char *line)
{
	struct heard *heard = context;
	if (__atomic_add_fetch(&heard->inside, 1, __ATOMIC_SEQ_CST) != 1)
		heard->overlapped = true;
	gp_str_printf(&heard->lines, "%d %s|", (int)level, line);
	heard->count++;
	__atomic_sub_fetch(&heard->inside, 1, __ATOMIC_SEQ_CST);
}

START_TEST(a_log_passes_on_what_is_weighty_enough)
{
	struct heard heard = {0};
	struct gp_log log = {.level = GP_LOG_NOTICE, .sink = hear, .context = &heard};
	gp_log(&log, GP_LOG_INFO, "no");
	gp_log(&log, GP_LOG_NOTICE, "VM %s", "web\nERROR forged");
	gp_log(&log, GP_LOG_ERROR, "bad");
	ck_assert_str_eq(gp_str_text(&heard.lines), "2 VM web\\x0aERROR forged|4 bad|");
	gp_str_clear(&heard.lines);
	gp_log(NULL, GP_LOG_ERROR, "silence");
	struct gp_log deaf = {0};
	gp_log(&deaf, GP_LOG_ERROR, "silence");
}
END_TEST

static void *talk(void *log)
{
	for (int i = 0; i < 500; i++)
		gp_log(log, GP_LOG_ERROR, "line %d", i);
	return NULL;
}

START_TEST(a_log_takes_one_line_at_a_time)
{
	struct heard heard = {0};
	struct gp_log log = {.level = GP_LOG_DEBUG, .sink = hear, .context = &heard};
	pthread_t threads[4];
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, talk, &log), 0);
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(heard.count, 2000);
	ck_assert(!heard.overlapped);
	gp_str_clear(&heard.lines);
}
END_TEST

/* ---- the clock ---- */

static void ignore(int number)
{
	(void)number;
}

START_TEST(sleep_is_whole_under_signals)
{
	struct sigaction action = {.sa_handler = ignore};
	struct itimerval often = {{0, 5000}, {0, 5000}};
	struct itimerval never = {{0, 0}, {0, 0}};
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	uint64_t before = gp_clock_ms();
	gp_sleep_ms(60);
	uint64_t after = gp_clock_ms();
	setitimer(ITIMER_REAL, &never, NULL);
	ck_assert_uint_ge(after - before, 59);
	ck_assert_uint_gt(gp_clock_unix_ms(), UINT64_C(1600000000000));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		failing_is_one_line,
		nobody_has_to_care,
		a_new_error_may_quote_the_old_one,
		errno_decides_the_kind,
		errors_move_and_copy,
		only_what_may_pass_is_tried_again,
		every_kind_has_a_name_of_its_own,
		arena_memory_is_zeroed_aligned_and_apart,
		arrays_in_an_arena_grow_and_keep_what_they_hold,
		arena_strings,
		sizes_that_wrap_around_end_the_process,
		a_log_passes_on_what_is_weighty_enough,
		a_log_takes_one_line_at_a_time,
		sleep_is_whole_under_signals,
	};
	return run_tests("base/error", tests, COUNT_OF(tests));
}
