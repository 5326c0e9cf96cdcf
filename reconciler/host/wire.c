/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/wire.h"

#include <string.h>

#include "base/num.h"

#define GREETING "gpupart-write 2"
#define LAST     "end"

static void add_text(struct gp_str *message, const char *text)
{
	gp_str_add_n(message, text, strlen(text) + 1);
}

static void add_pair(struct gp_str *message, const char *key, const char *value)
{
	if (value == NULL)
		return;
	add_text(message, key);
	add_text(message, value);
}

static void add_number(struct gp_str *message, const char *key, uint64_t value)
{
	gp_autofree char *text = gp_xasprintf("%llu", (unsigned long long)value);
	add_pair(message, key, text);
}

/* ---- reading ---- */

static const char *value_of(const char *message, size_t size, const char *key)
{
	const char *at = message, *end = message + size;
	at += strlen(at) + 1;
	while (at < end && strcmp(at, LAST) != 0) {
		const char *value = at + strlen(at) + 1;
		if (value >= end)
			return NULL;
		if (strcmp(at, key) == 0)
			return value;
		at = value + strlen(value) + 1;
	}
	return NULL;
}

bool gp_wire_is_complete(const char *message, size_t size)
{
	const size_t last = sizeof(LAST);
	return size > sizeof(GREETING) + last && memcmp(message + size - last, LAST, last) == 0 &&
	       message[size - last - 1] == '\0' && strcmp(message, GREETING) == 0;
}

static int number_of(const char *message, size_t size, const char *key, uint64_t limit, uint64_t *out)
{
	const char *text = value_of(message, size, key);
	if (text == NULL || gp_parse_u64(text, out) < 0 || *out >= limit)
		return -1;
	return 0;
}

/* ---- the request ---- */

void gp_wire_add_request(const struct gp_write_request *request, struct gp_str *message)
{
	char pf[GP_PCI_ADDR_SIZE];
	add_text(message, GREETING);
	add_number(message, "kind", request->kind);
	add_number(message, "base", request->base);
	add_number(message, "guard", request->guard);
	add_number(message, "timeout_ms", request->timeout_ms);
	add_pair(message, "pf", gp_pci_addr_format(request->pf, pf));
	add_pair(message, "device", request->device);
	add_pair(message, "attribute", request->attribute);
	add_pair(message, "before", request->before);
	add_pair(message, "after", request->after);
	add_pair(message, "program", request->program);
	add_text(message, LAST);
}

int gp_wire_parse_request(const char *message, size_t size, struct gp_write_request *request, struct gp_error *err)
{
	uint64_t kind, base, guard, timeout_ms;
	*request = (struct gp_write_request){0};
	if (!gp_wire_is_complete(message, size))
		return gp_fail(err, GP_E_CORRUPT, "the request is not one of this version of gpupart");
	const char *pf = value_of(message, size, "pf");
	if (number_of(message, size, "kind", GP_STEP_KIND_COUNT, &kind) < 0 ||
	    number_of(message, size, "base", GP_STEP_BASE_COUNT, &base) < 0 ||
	    number_of(message, size, "guard", GP_GUARD_COUNT, &guard) < 0 ||
	    number_of(message, size, "timeout_ms", UINT64_MAX, &timeout_ms) < 0 || pf == NULL ||
	    gp_pci_addr_parse(pf, &request->pf) < 0)
		return gp_fail(err, GP_E_CORRUPT, "the request lacks a part, or has one that makes no sense");
	request->kind = (enum gp_step_kind)kind;
	request->base = (enum gp_step_base)base;
	request->guard = (enum gp_guard)guard;
	request->timeout_ms = timeout_ms;
	request->device = value_of(message, size, "device");
	request->attribute = value_of(message, size, "attribute");
	request->before = value_of(message, size, "before");
	request->after = value_of(message, size, "after");
	request->program = value_of(message, size, "program");
	return 0;
}

/* ---- the answer ---- */

void gp_wire_add_answer(const struct gp_error *result, struct gp_str *message)
{
	add_text(message, GREETING);
	add_number(message, "kind", result->kind);
	add_number(message, "sys", (uint64_t)result->sys);
	add_pair(message, "subject", result->subject);
	add_pair(message, "message", result->message);
	add_pair(message, "holder", result->holder);
	add_pair(message, "remedy", result->remedy);
	add_text(message, LAST);
}

int gp_wire_parse_answer(const char *message, size_t size, struct gp_error *result)
{
	uint64_t kind, sys;
	if (!gp_wire_is_complete(message, size) || number_of(message, size, "kind", GP_E_KINDS, &kind) < 0 ||
	    number_of(message, size, "sys", 4096, &sys) < 0)
		return -1;
	if (kind == GP_E_NONE)
		return 0;
	const char *text = value_of(message, size, "message");
	gp_fail(result, (enum gp_error_kind)kind, "%s", text != NULL ? text : "the helper did not say why");
	result->sys = (int)sys;
	const char *subject = value_of(message, size, "subject");
	const char *holder = value_of(message, size, "holder");
	const char *remedy = value_of(message, size, "remedy");
	if (subject != NULL)
		gp_error_subject(result, "%s", subject);
	if (holder != NULL)
		gp_error_holder(result, "%s", holder);
	if (remedy != NULL)
		gp_error_remedy(result, "%s", remedy);
	return 0;
}
