/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mediated devices: names, and what comes, goes and waits because of them. Private to this room. */
#ifndef GP_PLAN_MDEV_H
#define GP_PLAN_MDEV_H

#include "plan/sheet.h"

/* Before placing: ask->mdev, and ask->mdev_at as a hint. */
void gp_guess_mdevs(struct gp_sheet *sheet);
/* After placing: ask->mdev and ask->mdev_at for good. */
void gp_name_mdevs(struct gp_sheet *sheet);
/* slot->lost and slot->made of GPUs with mediated devices, as far as they do not wait. May be called again. */
void gp_settle_mdevs(struct gp_sheet *sheet);
/* Can what is to be made on the slot not be made now? Then notes that, and for whom it waits. */
bool gp_mdev_must_wait(const struct gp_sheet *sheet, struct gp_slot *slot);
/* The mediated device on the slot is to move, and what waits for whom it waits for; NULL: nothing holds it up. */
const char *gp_mdev_leaver_waits_for(const struct gp_slot *slot);
/* Is it where it is to be, under its name? */
bool gp_ask_has_its_mdev(const struct gp_ask *ask);

#endif
