/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For check_schema.py: `intent_probe keys` lists the language, `intent_probe check PATH…` reads files as the program
 * does. */
#include <stdio.h>

#include "intent/intent.h"

static int list_keys(void)
{
	GP_CLEANUP(gp_str_clear) struct gp_str keys = {0};
	gp_intent_list_keys(&keys);
	return fputs(gp_str_text(&keys), stdout) < 0;
}

static int check(const char *const *paths, size_t count)
{
	struct gp_diags diags = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	gp_desired_free(gp_intent_load(paths, count, NULL, &diags));
	gp_diags_render(&diags, &text, false);
	fputs(gp_str_text(&text), stdout);
	int status = diags.error_count == 0 ? 0 : 3;
	gp_diags_clear(&diags);
	return status;
}

int main(int argc, char **argv)
{
	if (argc == 2 && gp_streq(argv[1], "keys"))
		return list_keys();
	if (argc > 2 && gp_streq(argv[1], "check"))
		return check((const char *const *)argv + 2, (size_t)argc - 2);
	fputs("usage: intent_probe keys | check PATH...\n", stderr);
	return 64;
}
