/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What several checks need to know of the host: its kernel, its processors, its processes. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "run/doctor_exam.h"

enum { CPUINFO_MAX = 16 * 1024, NVIDIA = 0x10de };

/* ---- kernel ---- */

static const char *read_text(struct gp_exam *exam, const char *path)
{
	char text[GP_ATTR_MAX];
	return gp_host_read(exam->host, path, text, sizeof(text), NULL) < 0 ? NULL : gp_arena_strdup(exam->arena, text);
}

static void read_kernel(struct gp_exam *exam)
{
	struct gp_host_facts *facts = &exam->facts;
	facts->command_line = read_text(exam, "proc/cmdline");
	facts->kernel = read_text(exam, "proc/sys/kernel/osrelease");
	if (facts->kernel != NULL && sscanf(facts->kernel, "%5u.%5u", &facts->kernel_major, &facts->kernel_minor) != 2)
		facts->kernel = NULL;
}

bool gp_kernel_at_least(const struct gp_host_facts *facts, unsigned major, unsigned minor)
{
	if (facts->kernel == NULL)
		return false;
	return facts->kernel_major > major || (facts->kernel_major == major && facts->kernel_minor >= minor);
}

/* "pci=realloc,noari": the option is one of those behind the "=". */
static bool is_among(const char *list, size_t length, const char *option)
{
	size_t wanted = strlen(option);
	for (size_t at = 0; at < length;) {
		size_t part = strcspn(list + at, ", ");
		if (at + part > length)
			part = length - at;
		if (part == wanted && strncmp(list + at, option, wanted) == 0)
			return true;
		at += part + 1;
	}
	return false;
}

bool gp_command_line_has(const struct gp_host_facts *facts, const char *word)
{
	const char *text = facts->command_line;
	const char *equals = strchr(word, '=');
	size_t key = equals == NULL ? 0 : (size_t)(equals - word) + 1;
	while (text != NULL && *text != '\0') {
		size_t length = strcspn(text, " ");
		if (key == 0 ? length == strlen(word) && strncmp(text, word, length) == 0
			     : length > key && strncmp(text, word, key) == 0 &&
				       is_among(text + key, length - key, word + key))
			return true;
		text += length;
		text += strspn(text, " ");
	}
	return false;
}

/* ---- processors ---- */

/* The value of "key\t: value" in the description of the first processor. NULL: it has no such line. */
static const char *cpu_field(struct gp_exam *exam, const char *text, const char *key)
{
	size_t length = strlen(key);
	for (const char *line = text; *line != '\0' && *line != '\n';
	     line += strcspn(line, "\n"), line += *line == '\n') {
		if (strncmp(line, key, length) != 0)
			continue;
		const char *colon = line + length + strspn(line + length, "\t ");
		if (*colon == ':')
			return gp_arena_strndup(exam->arena, colon + 1, strcspn(colon + 1, "\n"));
	}
	return NULL;
}

static bool has_word(const char *text, const char *word)
{
	size_t length = strlen(word);
	for (const char *at = text; at != NULL && (at = strstr(at, word)) != NULL; at += length)
		if ((at == text || at[-1] == ' ') && (at[length] == '\0' || at[length] == ' '))
			return true;
	return false;
}

static void judge_cpu(struct gp_exam *exam, const char *text)
{
	struct gp_host_facts *facts = &exam->facts;
	const char *maker = cpu_field(exam, text, "vendor_id");
	const char *flags = cpu_field(exam, text, "flags");
	if (flags == NULL) {
		facts->cpu = cpu_field(exam, text, "CPU implementer") != NULL ? GP_CPU_ARM : GP_CPU_OTHER;
		return;
	}
	facts->cpu_flag = has_word(flags, "vmx") || has_word(flags, "svm");
	if (maker != NULL && strstr(maker, "Intel") != NULL)
		facts->cpu = GP_CPU_INTEL;
	else if (maker != NULL && strstr(maker, "AMD") != NULL)
		facts->cpu = GP_CPU_AMD;
	else
		facts->cpu = GP_CPU_OTHER_X86;
}

/* All processors are described alike, and a large host has hundreds: the first is enough. */
static void read_cpu(struct gp_exam *exam)
{
	char text[CPUINFO_MAX];
	gp_autoclose int fd = gp_host_open_file(exam->host, "proc/cpuinfo", NULL);
	size_t size = 0;
	for (ssize_t got; fd >= 0 && size < sizeof(text) - 1; size += (size_t)got)
		if ((got = read(fd, text + size, sizeof(text) - 1 - size)) <= 0)
			break;
	text[size] = '\0';
	if (size > 0)
		judge_cpu(exam, text);
}

/* ---- processes ---- */

struct roll {
	struct gp_exam *exam;
	struct gp_process *processes;
	size_t count;
};

/* "812 (a name) D 1 …": the name may hold anything, brackets, too. */
static bool take_stat(struct gp_exam *exam, const char *text, struct gp_process *process)
{
	const char *open = strchr(text, '('), *close = strrchr(text, ')');
	if (open == NULL || close == NULL || close < open || close[1] != ' ' || close[2] == '\0')
		return false;
	process->name = gp_arena_strndup(exam->arena, open + 1, (size_t)(close - open - 1));
	process->state = close[2];
	return true;
}

/*
 * Only root sees where in the kernel a process waits; for others wchan is "0". Of those that a signal could reach
 * (S), which are nearly all, wchan will do: who removes a VF that somebody has open waits like that, and in D only
 * after a signal.
 */
static const char *where_it_waits(struct gp_exam *exam, uint64_t pid, char state)
{
	char path[64];
	snprintf(path, sizeof(path), "proc/%llu/stack", (unsigned long long)pid);
	const char *stack = state == 'D' ? read_text(exam, path) : NULL;
	if (stack != NULL && *stack != '\0')
		return stack;
	snprintf(path, sizeof(path), "proc/%llu/wchan", (unsigned long long)pid);
	const char *wchan = read_text(exam, path);
	return wchan == NULL || *wchan == '\0' || gp_streq(wchan, "0") ? NULL : wchan;
}

static int note_process(void *context, const char *name)
{
	struct roll *roll = context;
	struct gp_process process = {.state = '?'};
	char path[64];
	if (!isdigit((unsigned char)name[0]) || gp_parse_u64(name, &process.pid) < 0)
		return 0;
	snprintf(path, sizeof(path), "proc/%s/stat", name);
	const char *stat = read_text(roll->exam, path);
	if (stat == NULL || !take_stat(roll->exam, stat, &process)) {
		snprintf(path, sizeof(path), "proc/%s/comm", name);
		process.name = read_text(roll->exam, path);
	}
	if (process.name == NULL)
		return 0; /* it has ended meanwhile */
	if (process.state == 'D' || process.state == 'S')
		process.waits_in = where_it_waits(roll->exam, process.pid, process.state);
	*gp_arena_push(roll->exam->arena, roll->processes, roll->count) = process;
	return 0;
}

/* The first PID namespace has a fixed number since Linux 3.8. */
#define FIRST_PID_NAMESPACE "pid:[4026531836]"

static const char *why_processes_hide(struct gp_exam *exam)
{
	char space[64];
	if (!gp_host_exists(exam->host, "proc/1/comm"))
		return "/proc is not mounted, or hides the processes of other users (run as root)";
	if (gp_host_read_link(exam->host, "proc/1/ns/pid", space, sizeof(space), NULL) >= 0 &&
	    !gp_streq(space, FIRST_PID_NAMESPACE))
		return "gpupart runs in a container that cannot see the host's processes";
	return NULL;
}

static void read_processes(struct gp_exam *exam)
{
	struct roll roll = {.exam = exam};
	if (gp_host_list(exam->host, "proc", note_process, &roll, NULL) < 0)
		exam->facts.processes_unknown_why = "/proc cannot be read";
	else if (!exam->facts.absence_counts)
		exam->facts.processes_unknown_why = "this tree holds no processes";
	else if (exam->observed->kind == GP_HOST_LIVE)
		exam->facts.processes_unknown_why = why_processes_hide(exam);
	exam->facts.processes = roll.processes;
	exam->facts.process_count = roll.count;
}

const struct gp_process *gp_find_process(const struct gp_host_facts *facts, const char *name)
{
	for (size_t i = 0; i < facts->process_count; i++)
		if (gp_streq(facts->processes[i].name, name))
			return &facts->processes[i];
	return NULL;
}

/* ---- all of it ---- */

static int stop_at_first(void *context, const char *name)
{
	(void)name;
	*(bool *)context = true;
	return 1;
}

bool gp_has_entries(struct gp_host *host, const char *path)
{
	bool any = false;
	return gp_host_list(host, path, stop_at_first, &any, NULL) == 0 && any;
}

bool gp_iommu_is_active(struct gp_exam *exam)
{
	return gp_has_entries(exam->host, "sys/kernel/iommu_groups") && gp_has_entries(exam->host, "sys/class/iommu");
}

bool gp_gpu_is_nvidia(const struct gp_gpu *gpu)
{
	return gpu->vendor == NVIDIA;
}

bool gp_any_nvidia(const struct gp_exam *exam)
{
	for (size_t i = 0; i < exam->observed->gpu_count; i++)
		if (gp_gpu_is_nvidia(&exam->observed->gpus[i]) && exam->observed->gpus[i].sriov)
			return true;
	return false;
}

void gp_read_facts(struct gp_exam *exam)
{
	/* A capture puts the first process into its tree to say that it took the facts of the host along. */
	exam->facts.absence_counts =
		exam->observed->kind != GP_HOST_CAPTURED || gp_host_exists(exam->host, "proc/1/comm");
	read_kernel(exam);
	read_cpu(exam);
	read_processes(exam);
}
