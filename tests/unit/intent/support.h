/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of this room share. */
#ifndef GP_TEST_INTENT_SUPPORT_H
#define GP_TEST_INTENT_SUPPORT_H

#include <check.h>
#include <string.h>

#include "intent/intent.h"

/* Reads a text that must be free of faults. */
static inline struct gp_desired *read_good(const char *text, const char *host)
{
	struct gp_diags diags = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str said = {0};
	struct gp_desired *desired = gp_intent_load_text("site.yaml", text, strlen(text), host, &diags);
	gp_diags_render(&diags, &said, false);
	ck_assert_msg(diags.count == 0, "%s", gp_str_text(&said));
	gp_diags_clear(&diags);
	return desired;
}

static inline int run_suite(const char *name, void (*add)(TCase *tcase))
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);
	add(tcase);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}

#define ck_assert_place(mark, at_line, at_column)                                                                      \
	do {                                                                                                           \
		ck_assert_ptr_nonnull((mark).source);                                                                  \
		ck_assert_uint_eq((mark).line, (at_line));                                                             \
		ck_assert_uint_eq((mark).column, (at_column));                                                         \
	} while (0)

#endif
