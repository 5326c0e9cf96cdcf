/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The count that the VMs of a class need: for each valid count, how many of their requests could be served if each GPU
 * of the class had it. GPUs that offer alike are one place with many seats, and requests with the same bounds are
 * alike, so that the largest number that can be seated (Kuhn 1955, with seats) is found at once for thousands of them.
 */
#include <string.h>

#include "cli/gpus.h"

/* Requests alike: of one stanza of the files. */
struct asker {
	const struct gp_bound *bounds;
	bool several; /* its VM asks for more than one partition */
	size_t count;
	const char *vm; /* the first of them */
};

/* GPUs that would be cut alike. */
struct place {
	const struct gp_layout_group *group;
	size_t seats, taken;
	bool *fits;     /* by asker */
	size_t *seated; /* by asker */
};

struct problem {
	struct gp_arena *arena;
	struct asker *askers;
	size_t asker_count;
	struct place *places;
	size_t place_count;
};

/* What a GPU of the class can be cut into: of the series that the class names, if it does. */
struct option {
	const struct gp_gpu *gpu;
	struct gp_layout *layouts;
	size_t layout_count;
};

/* ---- small questions ---- */

/* `why` (may be NULL) gets the reason why not. */
static bool fits(const struct asker *asker, const struct gp_layout_group *group, struct gp_str *why)
{
	if (asker->several && group->alone) {
		if (why)
			gp_str_printf(why, "a VM that has %s can have no other partition", group->profile);
		return false;
	}
	for (int r = 0; r < GP_RESOURCE_COUNT; r++)
		if (!gp_bound_fits(&asker->bounds[r], &group->offers[r], (enum gp_resource)r, why))
			return false;
	return true;
}

/* `series` NULL: any. */
static const struct gp_layout *layout_of(const struct option *option, uint32_t count, const char *series)
{
	for (size_t i = 0; i < option->layout_count; i++) {
		const struct gp_layout *layout = &option->layouts[i];

		if (layout->count == count && (!series || gp_streq(layout->groups[0].series, series)))
			return layout;
	}
	return NULL;
}

/* ---- who asks ---- */

/* Would a GPU of that class, cut as the file asks, have a partition that fits? Without a number nobody knows: yes. */
static bool could_serve(const struct gp_class *class_of, const struct gp_observed *observed, const struct asker *asker,
			struct gp_arena *arena)
{
	if (class_of->partitions == GP_PARTITIONS_KEEP || class_of->partitions == GP_PARTITIONS_AUTO)
		return true;
	for (size_t i = 0; i < observed->gpu_count; i++) {
		const struct gp_gpu *gpu = &observed->gpus[i];
		struct option option = {gpu, gpu->layouts, gpu->layout_count};
		uint32_t count = class_of->count;

		if (gpu->unfit != GP_FIT || !gp_match_holds(&class_of->match, gpu))
			continue;
		for (size_t s = 0; s < class_of->size_count; s++)
			count += class_of->sizes[s].count;
		if ((class_of->series || class_of->size_count > 0) && gpu->backend && gpu->backend->layouts)
			gpu->backend->layouts(gpu, class_of, arena, &option.layouts, &option.layout_count);
		const struct gp_layout *layout = layout_of(&option, count, NULL);

		for (size_t g = 0; layout && g < layout->group_count; g++)
			if (fits(asker, &layout->groups[g], NULL))
				return true;
	}
	return false;
}

/* Of several classes the first whose partitions fit, as the file asks for them; else the first. */
static bool asks_for(const struct gp_request *request, bool several, const struct gp_class *class_of,
		     const struct gp_desired *desired, const struct gp_observed *observed, struct gp_arena *arena)
{
	const struct asker asker = {.bounds = request->bounds, .several = several};
	bool named = false;

	for (size_t i = 0; i < request->class_count; i++)
		named = named || gp_streq(request->classes[i], class_of->name);
	for (size_t i = 0; named && request->class_count > 1 && i < request->class_count; i++) {
		const struct gp_class *other = gp_desired_class(desired, request->classes[i]);

		if (other && could_serve(other, observed, &asker, arena))
			return other == class_of;
	}
	return named && gp_streq(request->classes[0], class_of->name);
}

static void add_asker(struct problem *problem, const struct gp_want_vm *vm, const struct gp_request *request)
{
	bool several = vm->request_count > 1;

	for (size_t i = 0; i < problem->asker_count; i++) {
		struct asker *asker = &problem->askers[i];

		if (asker->bounds != request->bounds || asker->several != several)
			continue;
		asker->count++;
		return;
	}
	*gp_arena_push(problem->arena, problem->askers, problem->asker_count) =
		(struct asker){request->bounds, several, 1, vm->name};
}

/* A VM that is not defined here needs nothing here. */
static size_t find_askers(struct problem *problem, const struct gp_desired *desired, const struct gp_observed *observed,
			  const struct gp_class *class_of)
{
	size_t asked = 0;

	for (size_t i = 0; i < desired->vm_count; i++) {
		const struct gp_want_vm *vm = &desired->vms[i];

		if (vm->release || (observed->domains_state.known && !gp_observed_domain(observed, vm)))
			continue;
		for (size_t r = 0; r < vm->request_count; r++) {
			if (!asks_for(&vm->requests[r], vm->request_count > 1, class_of, desired, observed,
				      problem->arena))
				continue;
			add_asker(problem, vm, &vm->requests[r]);
			asked++;
		}
	}
	return asked;
}

/* ---- what one count would give ---- */

static bool fit_alike(const struct problem *problem, const struct place *place, const struct gp_layout_group *group)
{
	for (size_t i = 0; i < problem->asker_count; i++)
		if (place->fits[i] != fits(&problem->askers[i], group, NULL))
			return false;
	return true;
}

static void add_seats(struct problem *problem, const struct gp_layout_group *group)
{
	struct place *place;

	for (size_t i = 0; i < problem->place_count; i++) {
		if (!fit_alike(problem, &problem->places[i], group))
			continue;
		problem->places[i].seats += group->count;
		return;
	}
	place = gp_arena_push(problem->arena, problem->places, problem->place_count);
	*place = (struct place){
		.group = group,
		.seats = group->count,
		.fits = gp_arena_array_of(problem->arena, bool, problem->asker_count + 1),
		.seated = gp_arena_array_of(problem->arena, size_t, problem->asker_count + 1),
	};
	for (size_t i = 0; i < problem->asker_count; i++)
		place->fits[i] = fits(&problem->askers[i], group, NULL);
}

static size_t make_places(struct problem *problem, const struct option *options, size_t count, uint32_t partitions,
			  const char *series)
{
	size_t total = 0;

	problem->places = NULL;
	problem->place_count = 0;
	for (size_t i = 0; i < count; i++) {
		const struct gp_layout *layout = layout_of(&options[i], partitions, series);

		for (size_t g = 0; layout && g < layout->group_count; g++) {
			add_seats(problem, &layout->groups[g]);
			total += layout->groups[g].count;
		}
	}
	return total;
}

/* ---- seating ---- */

/* How many more of this kind can sit, if others move; at most `most`. */
static size_t seat(struct problem *problem, size_t asker, size_t most, bool *tried)
{
	for (size_t p = 0; p < problem->place_count; p++) {
		struct place *place = &problem->places[p];
		size_t room = place->seats - place->taken, moved = 0, other = 0;

		if (tried[p] || !place->fits[asker])
			continue;
		tried[p] = true;
		if (room > 0) {
			room = room < most ? room : most;
			place->taken += room;
			place->seated[asker] += room;
			return room;
		}
		for (; moved == 0 && other < problem->asker_count; other++) {
			size_t here = place->seated[other] < most ? place->seated[other] : most;

			if (other == asker || here == 0 || (moved = seat(problem, other, here, tried)) == 0)
				continue;
			place->seated[other] -= moved;
			place->seated[asker] += moved;
		}
		if (moved > 0)
			return moved;
	}
	return 0;
}

/* How many get none; the first kind of those in *left. */
static size_t seat_all(struct problem *problem, const struct asker **left)
{
	gp_autofree bool *tried = gp_xcalloc(problem->place_count + 1, sizeof(*tried));
	size_t unserved = 0;

	*left = NULL;
	for (size_t i = 0; i < problem->asker_count; i++) {
		size_t waiting = problem->askers[i].count, seated = 1;

		while (waiting > 0 && seated > 0) {
			memset(tried, 0, problem->place_count * sizeof(*tried));
			seated = seat(problem, i, waiting, tried);
			waiting -= seated;
		}
		if (waiting > 0 && !*left)
			*left = &problem->askers[i];
		unserved += waiting;
	}
	return unserved;
}

/* ---- the least that serves most ---- */

/* The series that the class names, or whose type it lists; NULL: it leaves that open. */
static const char *series_of(const struct gp_class *class_of, const struct gp_gpu *gpu)
{
	const char *profile = class_of->size_count ? class_of->sizes[0].profile : NULL;

	for (size_t i = 0; profile && !class_of->series && i < gpu->layout_count; i++)
		if (gp_streq(gpu->layouts[i].groups[0].profile, profile))
			return gpu->layouts[i].groups[0].series;
	return class_of->series;
}

/* Not narrowed by what the class asks for now. */
static struct option *find_options(struct gp_arena *arena, const struct gp_class *class_of,
				   const struct gp_members *members, size_t *count)
{
	struct option *options = NULL;

	for (size_t i = 0; i < members->count; i++) {
		const struct gp_gpu *gpu = members->facts[i]->gpu;
		const char *series = series_of(class_of, gpu);
		struct option *option;

		if (gpu->unfit != GP_FIT)
			continue;
		option = gp_arena_push(arena, options, *count);
		option->gpu = gpu;
		for (size_t l = 0; l < gpu->layout_count; l++)
			if (!series || gp_streq(gpu->layouts[l].groups[0].series, series))
				*gp_arena_push(arena, option->layouts, option->layout_count) = gpu->layouts[l];
	}
	return options;
}

/* The least count above `above` that some GPU can have; 0: none. */
static uint32_t next_count(const struct option *options, size_t count, uint32_t above)
{
	uint32_t next = 0;

	for (size_t i = 0; i < count; i++)
		for (size_t l = 0; l < options[i].layout_count; l++) {
			uint32_t found = options[i].layouts[l].count;

			if (found > above && (next == 0 || found < next))
				next = found;
		}
	return next;
}

static bool is_ambiguous(const struct option *options, size_t count, uint32_t partitions)
{
	for (size_t i = 0; i < count; i++) {
		size_t ways = 0;

		for (size_t l = 0; l < options[i].layout_count; l++)
			ways += options[i].layouts[l].count == partitions;
		if (ways > 1)
			return true;
	}
	return false;
}

/* A VM that would get none although there might be seats: because none of them fits. */
static void explain(const struct problem *problem, const struct asker *left, struct gp_recommendation *best)
{
	GP_CLEANUP(gp_str_clear) struct gp_str why = {0};

	best->first = best->why = NULL;
	for (size_t p = 0; left && p < problem->place_count; p++)
		if (problem->places[p].fits[left - problem->askers])
			return;
	if (!left || problem->place_count == 0 || fits(left, problem->places[0].group, &why))
		return;
	best->first = left->vm;
	best->why = gp_arena_strdup(problem->arena, gp_str_text(&why));
}

static void try_count(struct problem *problem, const struct option *options, size_t option_count, uint32_t count,
		      const char *series, struct gp_recommendation *best)
{
	size_t total = make_places(problem, options, option_count, count, series);
	const struct asker *left;
	size_t unserved = seat_all(problem, &left);

	if (best->has_best && unserved >= best->unserved)
		return;
	best->has_best = true;
	best->count = count;
	best->total = total;
	best->unserved = unserved;
	best->group = problem->place_count ? problem->places[0].group : NULL;
	explain(problem, left, best);
}

/* Types of several series may have one count: not every VM may have each of them. */
static void try_series(struct problem *problem, const struct option *options, size_t option_count, uint32_t count,
		       struct gp_recommendation *best)
{
	for (size_t i = 0; i < option_count; i++)
		for (size_t l = 0; l < options[i].layout_count; l++)
			if (options[i].layouts[l].count == count)
				try_count(problem, options, option_count, count, options[i].layouts[l].groups[0].series,
					  best);
}

struct gp_recommendation gp_recommend(const struct gp_desired *desired, const struct gp_observed *observed,
				      const struct gp_class *class_of, const struct gp_members *members,
				      struct gp_arena *arena)
{
	struct problem problem = {.arena = arena};
	struct gp_recommendation best = {.asked = find_askers(&problem, desired, observed, class_of)};
	size_t option_count = 0;
	struct option *options = find_options(arena, class_of, members, &option_count);
	uint32_t count = 0;

	while (best.asked > 0 && (count = next_count(options, option_count, count)) != 0 &&
	       !(best.has_best && best.unserved == 0))
		try_series(&problem, options, option_count, count, &best);
	best.needs_series = best.has_best && is_ambiguous(options, option_count, best.count);
	return best;
}
