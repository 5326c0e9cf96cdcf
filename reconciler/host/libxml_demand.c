/* SPDX-License-Identifier: GPL-2.0-or-later */
#define GP_LIBXML_NO_NAMES
#include "host/libxml_demand.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

#define AS_ROW(name) {#name, offsetof(struct gp_libxml, name)},
static const struct {
	const char *name;
	size_t offset;
} functions[] = {GP_LIBXML_FUNCTIONS(AS_ROW)};

/* Filled in once and never changed: like the library itself, which is never unloaded, it belongs to the process. */
static struct gp_libxml found;
static const char *missing; /* NULL: nothing */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void)
{
	void *library = dlopen("libxml2.so.2", RTLD_LAZY | RTLD_LOCAL);
	if (library == NULL) {
		missing = "libxml2.so.2";
		return;
	}
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		void *function = dlsym(library, functions[i].name);
		if (function == NULL)
			missing = functions[i].name;
		memcpy((char *)&found + functions[i].offset, &function, sizeof(function));
	}
}

int gp_libxml_load(struct gp_error *err)
{
	pthread_once(&once, load);
	if (missing == NULL)
		return 0;
	gp_fail(err, GP_E_UNAVAILABLE, "domain XML cannot be read: %s cannot be loaded", missing);
	return gp_error_remedy(err, "install libxml2 (Debian: libxml2)");
}

const struct gp_libxml *gp_libxml(void)
{
	return &found;
}
