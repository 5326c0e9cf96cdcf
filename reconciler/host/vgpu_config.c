/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NVIDIA's catalogue of vGPU types, which its vGPU host driver installs:
 *
 *	<vgpuconfig>
 *		<vgpuType id="713" name="NVIDIA A16-4Q" class="Quadro">
 *			<framebuffer>0xec000000</framebuffer> <fbReservation>0x14000000</fbReservation>
 *			<multiVgpuSupported>1</multiVgpuSupported> …
 *		</vgpuType> …
 *		<pgpu fractionalMultiVgpu="1">
 *			<devId vendorId="0x10de" deviceId="0x25b6" subsystemVendorId="0x10de" subsystemId="0x14a9"/>
 *			<supportedVgpu vgpuId="713"><maxVgpus>4</maxVgpus> … </supportedVgpu> …
 *		</pgpu> …
 *	</vgpuconfig>
 *
 * It is about a megabyte, most of it signatures, and a plan without changes reads it each time: so it is read
 * from tag to tag (1 ms; libxml2 takes 2 ms, and 2 ms more to be loaded). Tags have to match. What is not known is
 * passed over, and what does not make sense is as if it were not there: a type that cannot be told is one fewer to
 * offer.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "host/host_internal.h"
#include "host/xml_tags.h"

enum {
	FILE_MAX = 8 * 1024 * 1024,
	DEPTH_MAX = 32,
	NAME_MAX_LENGTH = 64, /* of a type, as in the language; the driver's own limit is 32 */
	SUPPORTED_MAX = 4096, /* types of one GPU; there are about a hundred */
	ANY = 0               /* subsystem id of an entry that is for all boards with this device id */
};

/* ---- numbers and letters ---- */

static bool is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

/* Decimal, or hexadecimal with 0x. What is no number, or too large a one, is 0: missing. */
static uint64_t number(struct gp_piece piece, uint64_t most)
{
	piece = gp_piece_trimmed(piece);
	bool hex = piece.length > 2 && piece.text[0] == '0' && (piece.text[1] == 'x' || piece.text[1] == 'X');
	int base = hex ? 16 : 10;
	uint64_t value = 0;
	for (size_t i = hex ? 2 : 0; i < piece.length; i++) {
		int digit = digit_value(piece.text[i]);
		if (digit >= base || __builtin_mul_overflow(value, (uint64_t)base, &value) ||
		    __builtin_add_overflow(value, (uint64_t)digit, &value) || value > most)
			return 0;
	}
	return value;
}

/* ---- what the file tells ---- */

/* A type as it is, whatever GPU it is on. */
struct type {
	struct gp_vgpu_type known; /* without most */
	size_t place;              /* in the file */
	size_t answer;             /* number of the last answer that has it, from 1 */
	uint64_t framebuffer, reservation, heap, whole;
};

struct supported {
	uint32_t id, most;
};

struct pgpu {
	uint32_t vendor, device, subsystem_vendor, subsystem;
	bool whole_only; /* a type of which there can be more than one on the GPU has to be its VM's only one */
	struct supported *supported;
	size_t supported_count;
};

/* What was asked for of a GPU, and is asked for again with each look. */
struct answer {
	uint16_t vendor, device, subsystem_vendor, subsystem;
	struct gp_vgpu_type *types;
	size_t count;
};

struct gp_vgpu_config {
	struct gp_arena *arena;
	struct type *types; /* ascending id; of one id in the order of the file */
	size_t type_count;
	struct pgpu *pgpus;
	size_t pgpu_count;
	struct answer *answers;
	size_t answer_count;
};

void gp_vgpu_config_free(struct gp_vgpu_config *config)
{
	if (config != NULL)
		gp_arena_free(config->arena);
}

/* ---- reading it ---- */

struct reader {
	struct gp_vgpu_config *config;
	struct gp_piece open[DEPTH_MAX]; /* names of the open elements */
	size_t depth;
	struct type *type;           /* the open one */
	struct pgpu *pgpu;           /* the open one */
	struct supported *supported; /* the open one */
};

/* Whoever lists names puts commas between them. */
static bool is_word_of_name(char c)
{
	return is_letter_or_digit(c) || strchr(" -_.+/()", c) != NULL;
}

static struct gp_piece without_prefix(struct gp_piece name, const char *prefix)
{
	size_t length = strlen(prefix);
	if (name.length > length && memcmp(name.text, prefix, length) == 0)
		return (struct gp_piece){name.text + length, name.length - length};
	return name;
}

/* Names go to screens and into files: a strange one is none. */
static const char *take_name(struct gp_arena *arena, struct gp_piece name)
{
	name = without_prefix(without_prefix(gp_piece_trimmed(name), "NVIDIA "), "GRID ");
	name = gp_piece_trimmed(name);
	if (name.length == 0 || name.length > NAME_MAX_LENGTH)
		return NULL;
	for (size_t i = 0; i < name.length; i++)
		if (!is_word_of_name(name.text[i]))
			return NULL;
	return gp_arena_strndup(arena, name.text, name.length);
}

static uint32_t number32(struct gp_piece piece)
{
	return (uint32_t)number(piece, UINT32_MAX);
}

static void open_type(struct reader *reader, const struct gp_tag *tag)
{
	struct gp_arena *arena = reader->config->arena;
	reader->type = gp_arena_push(arena, reader->config->types, reader->config->type_count);
	reader->type->place = reader->config->type_count;
	reader->type->known = (struct gp_vgpu_type){
		.id = number32(gp_tag_attribute(tag, "id")),
		.name = take_name(arena, gp_tag_attribute(tag, "name")),
	};
}

static void open_pgpu(struct reader *reader, const struct gp_tag *tag)
{
	reader->pgpu = gp_arena_push(reader->config->arena, reader->config->pgpus, reader->config->pgpu_count);
	/* Older files have no such attribute, and tell it with each type. */
	reader->pgpu->whole_only = gp_piece_is(gp_piece_trimmed(gp_tag_attribute(tag, "fractionalMultiVgpu")), "0");
}

static void open_supported(struct reader *reader, const struct gp_tag *tag)
{
	struct pgpu *pgpu = reader->pgpu;
	reader->supported = gp_arena_push(reader->config->arena, pgpu->supported, pgpu->supported_count);
	reader->supported->id = number32(gp_tag_attribute(tag, "vgpuId"));
}

static void open_in_pgpu(struct reader *reader, const struct gp_tag *tag)
{
	struct pgpu *pgpu = reader->pgpu;
	if (gp_piece_is(tag->name, "supportedVgpu")) {
		open_supported(reader, tag);
		return;
	}
	if (!gp_piece_is(tag->name, "devId"))
		return;
	pgpu->vendor = number32(gp_tag_attribute(tag, "vendorId"));
	pgpu->device = number32(gp_tag_attribute(tag, "deviceId"));
	pgpu->subsystem_vendor = number32(gp_tag_attribute(tag, "subsystemVendorId"));
	pgpu->subsystem = number32(gp_tag_attribute(tag, "subsystemId"));
}

static void open_element(struct reader *reader, const struct gp_tag *tag)
{
	if (reader->depth == 1 && gp_piece_is(tag->name, "vgpuType"))
		open_type(reader, tag);
	else if (reader->depth == 1 && gp_piece_is(tag->name, "pgpu"))
		open_pgpu(reader, tag);
	else if (reader->depth == 2 && reader->pgpu != NULL)
		open_in_pgpu(reader, tag);
}

static void take_value_of_type(struct type *type, struct gp_piece name, struct gp_piece text)
{
	if (gp_piece_is(name, "framebuffer"))
		type->framebuffer = number(text, UINT64_MAX);
	else if (gp_piece_is(name, "fbReservation"))
		type->reservation = number(text, UINT64_MAX);
	else if (gp_piece_is(name, "gspHeapSize"))
		type->heap = number(text, UINT64_MAX);
	else if (gp_piece_is(name, "profileSize"))
		type->whole = number(text, UINT64_MAX);
	else if (gp_piece_is(name, "multiVgpuSupported"))
		type->known.multiple = number32(text) != 0;
	else if (gp_piece_is(name, "gpuInstanceSize"))
		type->known.mig = number32(text) != 0;
}

static void close_element(struct reader *reader, struct gp_piece name, struct gp_piece text)
{
	if (reader->depth == 1)
		reader->type = NULL, reader->pgpu = NULL;
	else if (reader->depth == 2 && reader->type != NULL)
		take_value_of_type(reader->type, name, text);
	else if (reader->depth == 2)
		reader->supported = NULL;
	else if (reader->depth == 3 && reader->supported != NULL && gp_piece_is(name, "maxVgpus"))
		reader->supported->most = number32(text);
}

static bool take_end(struct reader *reader, struct gp_tag_scanner *scanner, const struct gp_tag *tag,
		     struct gp_piece text)
{
	struct gp_piece open = reader->depth > 0 ? reader->open[reader->depth - 1] : (struct gp_piece){"", 0};
	if (!gp_piece_same(open, tag->name)) {
		gp_tag_stop(scanner, tag->name.text, "has an end tag that ends nothing");
		return false;
	}
	reader->depth--;
	close_element(reader, tag->name, text);
	return true;
}

static bool is_one_too_many(const struct reader *reader, const struct gp_tag *tag)
{
	return reader->pgpu != NULL && reader->pgpu->supported_count == SUPPORTED_MAX &&
	       gp_piece_is(tag->name, "supportedVgpu");
}

static bool take_start(struct reader *reader, struct gp_tag_scanner *scanner, const struct gp_tag *tag)
{
	if (reader->depth == 0 && !gp_piece_is(tag->name, "vgpuconfig")) {
		gp_tag_stop(scanner, tag->name.text, "is none: it does not begin with <vgpuconfig>");
		return false;
	}
	if (reader->depth == DEPTH_MAX) {
		gp_tag_stop(scanner, tag->name.text, "is nested too deeply");
		return false;
	}
	if (is_one_too_many(reader, tag)) {
		gp_tag_stop(scanner, tag->name.text, "lists more vGPU types for a GPU than any can have");
		return false;
	}
	open_element(reader, tag);
	if (tag->kind == GP_TAG_EMPTY)
		close_element(reader, tag->name, (struct gp_piece){"", 0});
	else
		reader->open[reader->depth++] = tag->name;
	return true;
}

static void read_elements(struct reader *reader, struct gp_tag_scanner *scanner)
{
	struct gp_piece text = {"", 0};
	bool any = false;
	for (;;) {
		struct gp_tag tag;
		gp_tag_next(scanner, &tag, &text);
		if (tag.kind == GP_TAG_NONE)
			break;
		if (!(tag.kind == GP_TAG_END ? take_end(reader, scanner, &tag, text)
					     : take_start(reader, scanner, &tag)))
			return;
		any = true;
	}
	if (!any)
		gp_tag_stop(scanner, scanner->begin, "is none: it does not begin with <vgpuconfig>");
	else if (reader->depth > 0)
		gp_tag_stop(scanner, scanner->end, "ends before its end tag");
}

/* What of the GPU's memory it takes: also what the driver keeps for itself of it. That is what its name counts. */
static uint64_t size_of(const struct type *type)
{
	uint64_t sum;
	if (type->whole != 0)
		return type->whole;
	if (type->framebuffer == 0 || __builtin_add_overflow(type->framebuffer, type->reservation, &sum) ||
	    __builtin_add_overflow(sum, type->heap, &sum))
		return 0;
	return sum;
}

/* "A100-2-10C" has two numbers: slices of a MIG GPU, and memory. "RTX6000-Ada-4Q" has one. */
static bool is_named_for_mig(const char *name)
{
	const char *last = strrchr(name, '-');
	if (last == NULL || last == name)
		return false;
	const char *begin = last;
	while (begin > name && digit_value(begin[-1]) < 10)
		begin--;
	return begin < last && begin > name && begin[-1] == '-';
}

static int by_id(const void *a, const void *b)
{
	const struct type *left = a, *right = b;
	if (left->known.id != right->known.id)
		return left->known.id < right->known.id ? -1 : 1;
	return (left->place > right->place) - (left->place < right->place);
}

/* Types that can be told, by id. */
static void settle_types(struct gp_vgpu_config *config)
{
	size_t kept = 0;
	for (size_t i = 0; i < config->type_count; i++) {
		struct type *type = &config->types[i];
		if (type->known.id == 0 || type->known.name == NULL)
			continue;
		type->known.framebuffer = size_of(type);
		type->known.mig = type->known.mig || is_named_for_mig(type->known.name);
		config->types[kept++] = *type;
	}
	config->type_count = kept;
	if (kept > 1)
		qsort(config->types, kept, sizeof(*config->types), by_id);
}

static int fail_wrong(const struct gp_tag_scanner *scanner, const char *path, struct gp_error *err)
{
	unsigned line = 1;
	for (const char *at = scanner->begin; at < scanner->at; at++)
		line += *at == '\n';
	gp_fail(err, GP_E_CORRUPT, "NVIDIA's list of vGPU types, line %u: %s", line, scanner->wrong);
	gp_error_subject(err, "/%s", path);
	return gp_error_remedy(err, "install the vGPU host driver anew");
}

static int parse(const char *text, size_t size, const char *path, struct gp_vgpu_config *config, struct gp_error *err)
{
	struct gp_tag_scanner scanner = {.begin = text, .at = text, .end = text + size};
	struct reader reader = {.config = config};
	if (size > 0 && memchr(text, '\0', size) != NULL)
		gp_tag_stop(&scanner, text, "holds bytes that are no text");
	else
		read_elements(&reader, &scanner);
	if (scanner.wrong != NULL)
		return fail_wrong(&scanner, path, err);
	settle_types(config);
	return 0;
}

/* ---- the file ---- */

static int fail_size(const char *path, struct gp_error *err)
{
	gp_fail(err, GP_E_CORRUPT, "NVIDIA's list of vGPU types is no file of at most %d MiB", FILE_MAX / 1024 / 1024);
	return gp_error_subject(err, "/%s", path);
}

/* Its size is known: one read. */
static int read_text(struct gp_host *host, int fd, const char *path, char **text, size_t *size, struct gp_error *err)
{
	struct stat state;
	if (fstat(fd, &state) < 0)
		return gp_host_fail_in(host, err, errno, path, "read");
	if (!S_ISREG(state.st_mode) || state.st_size > FILE_MAX)
		return fail_size(path, err);
	*text = gp_xmalloc((size_t)state.st_size + 1);
	*size = 0;
	while (*size < (size_t)state.st_size) {
		ssize_t got = read(fd, *text + *size, (size_t)state.st_size - *size);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return gp_host_fail_in(host, err, errno, path, "read");
		if (got == 0)
			break;
		*size += (size_t)got;
	}
	return 0;
}

/* Some distributions put it under /etc. */
static int open_list(struct gp_host *host, const char **path, struct gp_error *err)
{
	static const char *const places[] = {GP_VGPU_CONFIG, "etc/nvidia/vgpu/vgpuConfig.xml"};
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		GP_CLEANUP(gp_error_clear) struct gp_error why = {0};
		*path = places[i];
		int fd = gp_host_open_file(host, *path, &why);
		if (fd >= 0)
			return fd;
		if (why.kind != GP_E_NOT_FOUND) {
			gp_error_move(err, &why);
			return -1;
		}
	}
	gp_fail(err, GP_E_NOT_FOUND, "NVIDIA's list of vGPU types is not there");
	gp_error_subject(err, "/%s", places[0]);
	return gp_host_show_root(host, err);
}

static struct gp_vgpu_config *load(struct gp_host *host, struct gp_error *err)
{
	const char *path;
	gp_autofree char *text = NULL;
	size_t size = 0;
	gp_autoclose int fd = open_list(host, &path, err);
	if (fd < 0 || read_text(host, fd, path, &text, &size, err) < 0)
		return NULL;
	struct gp_arena *arena = gp_arena_new();
	struct gp_vgpu_config *config = gp_arena_new_of(arena, struct gp_vgpu_config);
	config->arena = arena;
	if (parse(text, size, path, config, err) < 0) {
		gp_vgpu_config_free(config);
		gp_host_show_root(host, err);
		return NULL;
	}
	return config;
}

/* ---- what a GPU can have ---- */

enum fit { FIT_NOT, FIT_ANY, FIT_EXACT };

static enum fit fit_of(const struct pgpu *pgpu, const struct gp_gpu *gpu)
{
	if (pgpu->device != gpu->device || (pgpu->vendor != 0 && pgpu->vendor != gpu->vendor))
		return FIT_NOT;
	if (pgpu->subsystem == ANY)
		return FIT_ANY;
	bool same_maker = pgpu->subsystem_vendor == 0 || pgpu->subsystem_vendor == gpu->subsystem_vendor;
	return same_maker && pgpu->subsystem == gpu->subsystem_device ? FIT_EXACT : FIT_NOT;
}

static struct type *type_of(const struct gp_vgpu_config *config, uint32_t id)
{
	size_t low = 0, high = config->type_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (config->types[middle].known.id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < config->type_count && config->types[low].known.id == id ? &config->types[low] : NULL;
}

/* To the newest answer. */
static void add_types(struct gp_vgpu_config *config, const struct pgpu *pgpu, struct answer *answer)
{
	for (size_t i = 0; i < pgpu->supported_count; i++) {
		const struct supported *supported = &pgpu->supported[i];
		struct type *type = type_of(config, supported->id);
		if (type == NULL || supported->most == 0 || type->answer == config->answer_count)
			continue;
		type->answer = config->answer_count;
		struct gp_vgpu_type *added = gp_arena_push(config->arena, answer->types, answer->count);
		*added = type->known;
		added->most = supported->most;
		if (pgpu->whole_only && supported->most > 1)
			added->multiple = false;
	}
}

static const struct answer *answer_for(struct gp_vgpu_config *config, const struct gp_gpu *gpu)
{
	for (size_t i = 0; i < config->answer_count; i++) {
		const struct answer *given = &config->answers[i];
		if (given->vendor == gpu->vendor && given->device == gpu->device &&
		    given->subsystem_vendor == gpu->subsystem_vendor && given->subsystem == gpu->subsystem_device)
			return given;
	}
	struct answer *answer = gp_arena_push(config->arena, config->answers, config->answer_count);
	*answer = (struct answer){gpu->vendor, gpu->device, gpu->subsystem_vendor, gpu->subsystem_device, NULL, 0};
	enum fit best = FIT_NOT;
	for (size_t i = 0; i < config->pgpu_count; i++)
		if (fit_of(&config->pgpus[i], gpu) > best)
			best = fit_of(&config->pgpus[i], gpu);
	for (size_t i = 0; best != FIT_NOT && i < config->pgpu_count; i++)
		if (fit_of(&config->pgpus[i], gpu) == best)
			add_types(config, &config->pgpus[i], answer);
	return answer;
}

int gp_host_vgpu_types(struct gp_host *host, const struct gp_gpu *gpu, const struct gp_vgpu_type **types, size_t *count,
		       struct gp_error *err)
{
	*types = NULL;
	*count = 0;
	pthread_mutex_lock(&host->vgpu_lock);
	if (host->vgpu_config == NULL)
		host->vgpu_config = load(host, err);
	bool loaded = host->vgpu_config != NULL;
	if (loaded) {
		const struct answer *answer = answer_for(host->vgpu_config, gpu);
		*types = answer->types;
		*count = answer->count;
	}
	pthread_mutex_unlock(&host->vgpu_lock);
	return loaded ? 0 : -1;
}
