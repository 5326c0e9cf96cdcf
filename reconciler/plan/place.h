/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who gets which slot: an exact assignment, behind one function.
 *
 * Knows nothing of GPUs: askers, slots, and what it costs to give a slot to an asker. It finds, in this order of
 * importance, an assignment that serves as many askers as can be served at all, and of those the cheapest one, where
 * costs are compared word by word (the first word in which two sums differ decides).
 *
 * How, and why that is optimal: successive shortest augmenting paths (Kuhn 1955, Munkres 1957, in the form of Jonker
 * and Volgenant 1987). Askers join one by one; each time the cheapest alternating path to a free slot is followed, and
 * dual prices u (askers) and v (slots) are kept with  cost(i,j) - u[i] - v[j] >= 0  everywhere, = 0 on the assignment,
 * and v[j] <= 0, = 0 on free slots. Such prices prove that the assignment is the cheapest of all that serve the same
 * askers. Sums of cost vectors under word-by-word comparison are an ordered group, which is all that the proof needs.
 *
 * It starts from what is kept, not from nothing: an asker that already has the slot that is cheapest for it (of all
 * slots) begins with it, u[i] = that cost, all v = 0; the conditions above hold, so nothing has to be proved again and
 * a plan that keeps everything costs one look at each asker. When no path to a free slot exists for an asker, none will
 * exist later either; the slots and askers that the search reached are a set of askers with too few slots (Hall 1935),
 * which is the explanation.
 *
 * Two things keep the search short without changing its result. The preference among slots is the last word of the cost
 * and the same for every asker; a path adds only its last slot to those that are taken, so it is enough to look at it
 * when the end of a path is chosen from equally cheap ones. And askers that are alike have equal prices, so once one of
 * them was reached, reaching another shows nothing new.
 */
#ifndef GP_PLAN_PLACE_H
#define GP_PLAN_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

enum gp_cost_word {
	GP_COST_DISTURBS, /* a running VM would have to be restarted to have it */
	GP_COST_MOVES,    /* its definition names another one now */
	GP_COST_RELABELS, /* it has it, but for another of its wishes, or made by hand */
	GP_COST_CLASS,    /* place in the list of classes */
	GP_COST_DISTANCE, /* from optimal */
	GP_COST_BUSY,     /* cannot be had before a VM is off */
	GP_COST_WORDS
};

struct gp_cost {
	int64_t word[GP_COST_WORDS];
};

int gp_cost_compare(const struct gp_cost *a, const struct gp_cost *b);

#define GP_PLACE_NONE SIZE_MAX

struct gp_place_problem {
	size_t asker_count, slot_count;
	/* False: this asker must not have that slot. Called often; must be cheap and always say the same. */
	bool (*cost)(const void *context, size_t asker, size_t slot, struct gp_cost *out);
	/* The slot that the asker has now, if it is cheaper for it than any other slot; else GP_PLACE_NONE. */
	size_t (*kept)(const void *context, size_t asker);
	const void *context;
	const size_t *kind;         /* by asker: an asker (perhaps itself) to which every slot costs the same */
	const uint64_t *preference; /* by slot: what decides between equal costs; less is better */
};

/* Why an asker got nothing: `askers` (itself included) may have only `slots`, which are fewer. */
struct gp_place_shortage {
	size_t asker;
	size_t *askers;
	size_t asker_count;
	size_t *slots;
	size_t slot_count;
};

struct gp_placement_result {
	size_t *slot_of; /* by asker; GP_PLACE_NONE: none could be found */
	struct gp_place_shortage *shortages;
	size_t shortage_count;
};

/* Results live in the arena. Same problem, same result. */
struct gp_placement_result gp_place(const struct gp_place_problem *problem, struct gp_arena *arena);

#endif
