/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What gpupart and its writing helper say to each other: NUL-terminated strings, first the greeting with its version,
 * then pairs of key and value, last "end" (an answer that was cut off must not pass for one).
 */
#ifndef GP_HOST_WIRE_H
#define GP_HOST_WIRE_H

#include "host/host.h"

enum { GP_WIRE_MAX = 32 * 1024, GP_WIRE_ROOT_FD = 3 };

void gp_wire_add_request(const struct gp_write_request *request, struct gp_str *message);
/* Strings point into the message. -1: GP_E_CORRUPT. */
int gp_wire_parse_request(const char *message, size_t size, struct gp_write_request *request, struct gp_error *err);

/* An empty error is success. */
void gp_wire_add_answer(const struct gp_error *result, struct gp_str *message);
bool gp_wire_is_complete(const char *message, size_t size);
/* 0 with *result filled in (all zero: success), or -1: the message is none. */
int gp_wire_parse_answer(const char *message, size_t size, struct gp_error *result);

#endif
