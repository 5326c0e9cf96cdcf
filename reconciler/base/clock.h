/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef GP_BASE_CLOCK_H
#define GP_BASE_CLOCK_H

#include <stdint.h>

uint64_t gp_clock_ms(void);      /* monotonic */
uint64_t gp_clock_unix_ms(void); /* wall clock */
void gp_sleep_ms(uint64_t ms);   /* whole, signals or not */

#endif
