/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "play.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "play_text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
	LINE_SIZE = 2048,
	LONG = 120, /* bytes that are still shown one by one */
	CONFIG_SIZE = 4096,
	SNAPSHOT_NAMES = 4096,
	PAUSE_MS = 5,
	PATIENCE_MS = 60000,
	BLOCKED_MS = 300,
	WRITERS = 8,
};

const char *play_root = "";
static const struct play_machine *machine;
static const char *script_name;
static unsigned line_number;
static bool failed;
/* What came of the last operation, for `expect`. */
static struct play_text result;

/* ---- small things ---- */

void play_die(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fprintf(stderr, "%s:%u: ", script_name == NULL ? "play" : script_name, line_number);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	if (machine != NULL)
		machine->release();
	exit(2);
}

void play_add(struct play_text *text, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int length = vsnprintf(text->bytes + text->size, sizeof(text->bytes) - text->size, format, args);
	va_end(args);
	if (length < 0 || text->size + (size_t)length >= sizeof(text->bytes))
		play_die("more than can be shown");
	text->size += (size_t)length;
}

const char *play_path(const char *path, char out[PLAY_PATH_SIZE])
{
	if (path[0] != '/' || snprintf(out, PLAY_PATH_SIZE, "%s%s", play_root, path) >= PLAY_PATH_SIZE)
		play_die("'%s' is no absolute path", path);
	return out;
}

static void add_errno(int sys)
{
	const char *name = strerrorname_np(sys);
	play_add(&result, "%s", name == NULL ? "?" : name);
}

static void pause_ms(long ms)
{
	struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	nanosleep(&time, NULL);
}

/* ---- reading ---- */

/* sysfs lets nobody read what has no mode bit for it, not even root (kernfs: KERNFS_ROOT_EXTRA_OPEN_PERM_CHECK). The
 * tree of a simulated machine lies in a file system that is not as strict. */
static int open_to_read(const char *path)
{
	char full[PLAY_PATH_SIZE];
	struct stat found;
	int fd = open(play_path(path, full), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (*play_root == '\0' || fstat(fd, &found) < 0 || (found.st_mode & (S_IRUSR | S_IRGRP | S_IROTH)) != 0)
		return fd;
	close(fd);
	return -EACCES;
}

static void add_bytes(const char *bytes, size_t size)
{
	if (size <= LONG) {
		play_add(&result, "'");
		play_add_escaped(&result, bytes, size);
		play_add(&result, "'");
		return;
	}
	uint64_t sum = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
	for (size_t i = 0; i < size; i++)
		sum = (sum ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
	play_add(&result, "%zu bytes, sum %016llx, '", size, (unsigned long long)sum);
	play_add_escaped(&result, bytes, LONG / 4);
	play_add(&result, "...'");
}

static void do_read(char *const *words, size_t count)
{
	static char bytes[PLAY_TEXT_SIZE];
	(void)count;
	int fd = open_to_read(words[0]);
	ssize_t size = fd < 0 ? fd : read(fd, bytes, sizeof(bytes));
	if (fd >= 0 && size < 0)
		size = -errno;
	if (fd >= 0)
		close(fd);
	if (size < 0)
		add_errno((int)-size);
	else
		add_bytes(bytes, (size_t)size);
}

static void do_link(char *const *words, size_t count)
{
	char path[PLAY_PATH_SIZE], target[PLAY_PATH_SIZE];
	struct stat found;
	(void)count;
	ssize_t length = readlink(play_path(words[0], path), target, sizeof(target) - 1);
	if (length < 0) {
		add_errno(errno);
		return;
	}
	target[length] = '\0';
	play_add_target(&result, target);
	if (stat(path, &found) < 0)
		play_add(&result, " (leads nowhere)");
}

static const char *kind_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "directory";
	case S_IFLNK:
		return "link";
	case S_IFCHR:
		return "device";
	default:
		return "?";
	}
}

static void do_mode(char *const *words, size_t count)
{
	char path[PLAY_PATH_SIZE];
	struct stat found;
	(void)count;
	if (lstat(play_path(words[0], path), &found) < 0)
		add_errno(errno);
	else
		play_add(&result, "%04o %s", found.st_mode & 07777U, kind_of(found.st_mode));
}

/* ---- directories ---- */

struct names {
	char *name[SNAPSHOT_NAMES];
	size_t count;
};

/* By number where there are numbers: groups are named in this order. */
static int compare_names(const void *a, const void *b)
{
	return strverscmp(*(char *const *)a, *(char *const *)b);
}

static bool matches_any(const char *name, char *const *patterns, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fnmatch(patterns[i], name, FNM_PERIOD) == 0)
			return true;
	return count == 0 && name[0] != '.';
}

/* Whole paths, in no order. 0 or -errno. */
static int list_names(const char *place, char *const *patterns, size_t count, struct names *out)
{
	char path[PLAY_PATH_SIZE];
	DIR *list = opendir(play_path(place, path));
	if (list == NULL)
		return -errno;
	for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
		if (!matches_any(entry->d_name, patterns, count))
			continue;
		if (out->count == SNAPSHOT_NAMES)
			play_die("%s holds too many names", place);
		if (asprintf(&out->name[out->count++], "%s/%s", place, entry->d_name) < 0)
			play_die("no memory");
	}
	closedir(list);
	return 0;
}

static void clear_names(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->name[i]);
	names->count = 0;
}

static void do_list(char *const *words, size_t count)
{
	static struct names names;
	int sys = list_names(words[0], words + 1, count - 1, &names);
	if (sys < 0)
		add_errno(-sys);
	qsort(names.name, names.count, sizeof(names.name[0]), compare_names);
	for (size_t i = 0; i < names.count; i++) {
		play_add(&result, "%s", i > 0 ? " " : "");
		play_add_name_in(&result, words[0], strrchr(names.name[i], '/') + 1);
	}
	if (sys == 0 && names.count == 0)
		play_add(&result, "(none)");
	clear_names(&names);
}

/* What was asked by the last `snapshot`: directories, each with its patterns. */
static char *watched_words[PLAY_WORDS];
static size_t watched_count;
static struct names before;

/* "DIR PATTERN... , DIR PATTERN..."; a directory that is not there has no names. */
static void take_snapshot(struct names *out)
{
	size_t from = 0;
	for (size_t i = 0; i <= watched_count; i++) {
		if (i < watched_count && strcmp(watched_words[i], ",") != 0)
			continue;
		if (i > from)
			list_names(watched_words[from], watched_words + from + 1, i - from - 1, out);
		from = i + 1;
	}
	qsort(out->name, out->count, sizeof(out->name[0]), compare_names);
}

static void do_snapshot(char *const *words, size_t count)
{
	for (size_t i = 0; i < watched_count; i++)
		free(watched_words[i]);
	watched_count = count;
	for (size_t i = 0; i < count; i++)
		watched_words[i] = strdup(words[i]);
	clear_names(&before);
	take_snapshot(&before);
}

static void add_change(char sign, const char *path)
{
	char directory[PLAY_PATH_SIZE];
	const char *name = strrchr(path, '/');
	snprintf(directory, sizeof(directory), "%.*s", (int)(name - path), path);
	play_add(&result, "%c ", sign);
	play_add_named(&result, directory);
	play_add(&result, "/");
	play_add_name_in(&result, directory, name + 1);
	play_add(&result, "\n");
}

static void do_changes(char *const *words, size_t count)
{
	static struct names after;
	size_t b = 0, a = 0;
	(void)words;
	(void)count;
	take_snapshot(&after);
	while (b < before.count || a < after.count) {
		int order = 0;
		if (b == before.count || a == after.count)
			order = b == before.count ? 1 : -1;
		else
			order = compare_names(&before.name[b], &after.name[a]);
		if (order != 0)
			add_change(order < 0 ? '-' : '+', order < 0 ? before.name[b] : after.name[a]);
		b += order <= 0;
		a += order >= 0;
	}
	clear_names(&before);
	before = after;
	after = (struct names){.count = 0};
}

/* ---- the SR-IOV capability ---- */

static void do_capability(char *const *words, size_t count)
{
	unsigned char config[CONFIG_SIZE];
	(void)count;
	unsigned at = play_read_config(words[0], config) ? play_find_sriov(config) : 0;
	if (at == 0) {
		play_add(&result, "none");
		return;
	}
	unsigned control = play_word(config, at + PCI_SRIOV_CTRL);
	play_add(&result, "%s%s initial %u total %u num %u offset %u stride %u device %04x",
		 (control & PCI_SRIOV_CTRL_VFE) != 0 ? "enabled" : "off",
		 (control & PCI_SRIOV_CTRL_MSE) != 0 ? " memory" : "", play_word(config, at + PCI_SRIOV_INITIAL_VF),
		 play_word(config, at + PCI_SRIOV_TOTAL_VF), play_word(config, at + PCI_SRIOV_NUM_VF),
		 play_word(config, at + PCI_SRIOV_VF_OFFSET), play_word(config, at + PCI_SRIOV_VF_STRIDE),
		 play_word(config, at + PCI_SRIOV_VF_DID));
}

/* The ids in the header of config space: a VF has none of its own. */
static void do_header(char *const *words, size_t count)
{
	unsigned char config[CONFIG_SIZE];
	(void)count;
	if (!play_read_config(words[0], config)) {
		play_add(&result, "none");
		return;
	}
	play_add(&result, "%04x:%04x revision %02x class %02x%04x subsystem %04x:%04x",
		 play_word(config, PCI_VENDOR_ID), play_word(config, PCI_DEVICE_ID), config[PCI_REVISION_ID],
		 config[PCI_CLASS_DEVICE + 1], play_word(config, PCI_CLASS_PROG) & 0xffff,
		 play_word(config, PCI_SUBSYSTEM_VENDOR_ID), play_word(config, PCI_SUBSYSTEM_ID));
}

/* ---- writing ---- */

/* Those in the background, the first to be joined first. */
static struct {
	pid_t pid;
	int result;
} writers[WRITERS];
static size_t writer_count;

static void add_written(ssize_t wrote)
{
	if (wrote < 0)
		add_errno((int)-wrote);
	else
		play_add(&result, "wrote %zd", wrote);
}

/* The text may have been repeated, so its size stands beside it. */
static size_t last_size;

static void do_write(char *const *words, size_t count)
{
	(void)count;
	add_written(machine->write(words[0], words[1], last_size));
}

static void do_start(char *const *words, size_t count)
{
	int ends[2];
	(void)count;
	if (writer_count == WRITERS || pipe2(ends, O_CLOEXEC) < 0)
		play_die("too many writes in the background");
	pid_t writer = fork();
	if (writer == 0) {
		ssize_t wrote = machine->write(words[0], words[1], last_size);
		_exit(write(ends[1], &wrote, sizeof(wrote)) == (ssize_t)sizeof(wrote) ? 0 : 1);
	}
	close(ends[1]);
	writers[writer_count].pid = writer;
	writers[writer_count++].result = ends[0];
}

/* Nothing comes of the last one for a while; a write that does not block is long done by then. */
static void do_blocked(char *const *words, size_t count)
{
	(void)words;
	(void)count;
	if (writer_count == 0)
		play_die("no write in the background");
	struct pollfd end = {.fd = writers[writer_count - 1].result, .events = POLLIN};
	play_add(&result, "%s", poll(&end, 1, BLOCKED_MS) == 0 ? "yes" : "no");
}

static void do_join(char *const *words, size_t count)
{
	ssize_t wrote;
	(void)words;
	(void)count;
	if (writer_count == 0)
		play_die("no write in the background");
	struct pollfd end = {.fd = writers[0].result, .events = POLLIN};
	if (poll(&end, 1, PATIENCE_MS) != 1 || read(writers[0].result, &wrote, sizeof(wrote)) != (ssize_t)sizeof(wrote))
		play_die("the write in the background does not end");
	waitpid(writers[0].pid, NULL, 0);
	close(writers[0].result);
	memmove(writers, writers + 1, --writer_count * sizeof(writers[0]));
	add_written(wrote);
}

static void do_run(char *const *words, size_t count)
{
	(void)count;
	int status = machine->run(words[0], words[1], words[2]);
	if (status < 0)
		add_errno(-status);
	else
		play_add(&result, "exit %d", status);
}

/* ---- holders, events, log ---- */

static void do_hold(char *const *words, size_t count)
{
	(void)count;
	int sys = machine->hold(words[0]);
	if (sys < 0)
		add_errno(-sys);
	else
		play_add(&result, "held");
}

static void do_release(char *const *words, size_t count)
{
	(void)words;
	(void)count;
	machine->release();
}

static void do_watch(char *const *words, size_t count)
{
	(void)words;
	(void)count;
	machine->watch();
}

static void do_watched(char *const *words, size_t count)
{
	static struct play_text plain;
	(void)words;
	(void)count;
	plain.size = 0;
	plain.bytes[0] = '\0';
	machine->watched(&plain);
	play_add_named(&result, plain.bytes);
}

/* Lines about SR-IOV and VFIO; the others are drivers' and other devices'. */
static bool tells(const char *line)
{
	static const char *const phrases[] = {
		"cannot configure SR-IOV", "does not support SR-IOV", "VFs already enabled",
		"VFs requested; only",     "SR-IOV enabled after",    "device request",
	};
	for (size_t i = 0; i < COUNT(phrases); i++)
		if (strstr(line, phrases[i]) != NULL)
			return true;
	return false;
}

static void do_log(char *const *words, size_t count)
{
	static struct play_text plain;
	char *rest = NULL;
	(void)words;
	(void)count;
	plain.size = 0;
	plain.bytes[0] = '\0';
	machine->log(&plain);
	for (char *line = strtok_r(plain.bytes, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
		if (tells(line)) {
			play_add_named(&result, line);
			play_add(&result, "\n");
		}
}

/* ---- waiting ---- */

static bool is_so(const char *path, const char *how)
{
	char full[PLAY_PATH_SIZE];
	struct stat found;
	bool there = lstat(play_path(path, full), &found) == 0;
	if (strcmp(how, "there") == 0)
		return there;
	if (strcmp(how, "gone") == 0)
		return !there;
	play_die("until PATH there|gone");
}

/* How long it takes is no part of the trace, nor of what passes. */
static void do_until(char *const *words, size_t count)
{
	(void)count;
	for (long waited = 0; !is_so(words[0], words[1]); waited += PAUSE_MS) {
		if (waited >= PATIENCE_MS)
			play_die("%s is not %s after a minute", words[0], words[1]);
		pause_ms(PAUSE_MS);
	}
}

/* ---- the script ---- */

static void do_pf(char *const *words, size_t count)
{
	play_name_pf(0, words[0]);
	if (count > 1)
		play_name_pf(1, words[1]);
}

static void do_on(char *const *words, size_t count)
{
	if (strcmp(words[0], machine->name) == 0)
		machine->apart(words + 1, count - 1);
}

static const struct operation {
	const char *name;
	size_t least, most;
	void (*play)(char *const *words, size_t count);
	bool silent; /* leaves no line in the trace */
} operations[] = {
	{"pf", 1, 2, do_pf, true},
	{"on", 2, PLAY_WORDS, do_on, true},
	{"read", 1, 1, do_read, false},
	{"write", 2, 2, do_write, false},
	{"link", 1, 1, do_link, false},
	{"mode", 1, 1, do_mode, false},
	{"list", 1, PLAY_WORDS, do_list, false},
	{"snapshot", 1, PLAY_WORDS, do_snapshot, true},
	{"changes", 0, 0, do_changes, false},
	{"capability", 1, 1, do_capability, false},
	{"header", 1, 1, do_header, false},
	{"start", 2, 2, do_start, true},
	{"blocked", 0, 0, do_blocked, false},
	{"join", 0, 0, do_join, false},
	{"run", 3, 3, do_run, false},
	{"hold", 1, 1, do_hold, false},
	{"release", 0, 0, do_release, false},
	{"watch", 0, 0, do_watch, true},
	{"watched", 0, 0, do_watched, false},
	{"log", 0, 0, do_log, false},
	{"until", 2, 2, do_until, false},
};

/* One character of a quoted word, after a backslash. */
static char unescape(const char **at)
{
	char c = *(*at)++;
	switch (c) {
	case 'n':
		return '\n';
	case 't':
		return '\t';
	case 'r':
		return '\r';
	default:
		return c;
	}
}

/* 'text', or 'text'*300: so many times. Returns what follows. */
static const char *take_quoted(const char *at, char *out, size_t *size)
{
	size_t used = 0;
	long times = 1;
	for (at++; *at != '\'';) {
		if (*at == '\0' || used + 1 >= PLAY_TEXT_SIZE)
			play_die("a quote is not closed");
		out[used++] = *at == '\\' ? (at++, unescape(&at)) : *at++;
	}
	at++;
	if (*at == '*')
		times = strtol(at + 1, (char **)&at, 10);
	if (used * (size_t)times >= PLAY_TEXT_SIZE)
		play_die("a word is too long");
	for (long i = 1; i < times; i++)
		memcpy(out + (size_t)i * used, out, used);
	*size = used * (size_t)times;
	out[*size] = '\0';
	return at;
}

static const char *take_plain(const char *at, char *out, size_t *size)
{
	*size = strcspn(at, " ");
	snprintf(out, PLAY_TEXT_SIZE, "%.*s", (int)*size, at);
	return at + *size;
}

/* The words of a line, names expanded; the caller frees them. */
static size_t split(const char *line, char *words[PLAY_WORDS + 1])
{
	static char raw[PLAY_TEXT_SIZE], full[PLAY_TEXT_SIZE];
	size_t count = 0;
	while (*(line += strspn(line, " ")) != '\0') {
		size_t size;
		if (count > PLAY_WORDS)
			play_die("too many words");
		line = *line == '\'' ? take_quoted(line, raw, &size) : take_plain(line, raw, &size);
		play_expand(raw, full, sizeof(full));
		words[count++] = strdup(full);
		last_size = strlen(full);
	}
	return count;
}

static const struct operation *find_operation(const char *name, size_t count)
{
	for (size_t i = 0; i < COUNT(operations); i++)
		if (strcmp(operations[i].name, name) == 0) {
			if (count < operations[i].least || count > operations[i].most)
				play_die("%s takes %zu to %zu words", name, operations[i].least, operations[i].most);
			return &operations[i];
		}
	play_die("unknown operation '%s'", name);
}

/* "LINE -> result", or, of several lines, each below and indented. */
static void print_result(const char *line)
{
	if (result.size == 0) {
		printf("%s\n", line);
	} else if (result.bytes[result.size - 1] != '\n') {
		printf("%s -> %s\n", line, result.bytes);
	} else {
		printf("%s\n", line);
		for (size_t at = 0, length; at < result.size; at += length) {
			length = strcspn(result.bytes + at, "\n") + 1;
			fputs("    ", stdout);
			fwrite(result.bytes + at, 1, length, stdout);
		}
	}
	fflush(stdout);
}

/* expect TEXT: the last result was that, several lines with "; " between them. Says nothing when it was. */
static void expect(const char *wanted)
{
	struct play_text found = {.size = 0};
	for (size_t i = 0; i < result.size; i++)
		if (result.bytes[i] != '\n')
			play_add(&found, "%c", result.bytes[i]);
		else if (i + 1 < result.size)
			play_add(&found, "; ");
	if (found.size == strlen(wanted) && strncmp(found.bytes, wanted, found.size) == 0)
		return;
	printf("NOT AS EXPECTED (line %u): %s\n", line_number, wanted);
	failed = true;
}

static void play_line(char *line)
{
	char *words[PLAY_WORDS + 1];
	line[strcspn(line, "\n")] = '\0';
	line_number++;
	if (line[0] == '\0' || (line[0] == '#' && line[1] != '#'))
		return;
	if (line[0] == '#') { /* a heading */
		printf("\n%s\n", line);
		return;
	}
	if (strncmp(line, "expect ", strlen("expect ")) == 0) {
		expect(line + strlen("expect "));
		return;
	}
	size_t count = split(line, words);
	const struct operation *operation = find_operation(words[0], count - 1);
	result.size = 0;
	result.bytes[0] = '\0';
	operation->play(words + 1, count - 1);
	if (!operation->silent)
		print_result(line);
	for (size_t i = 0; i < count; i++)
		free(words[i]);
}

int main(int argc, char **argv)
{
	static struct play_text old;
	char line[LINE_SIZE];
	if (argc == 3 && strcmp(argv[1], "--real") == 0) {
		machine = play_real();
	} else if (argc == 4 && strcmp(argv[1], "--sim") == 0) {
		play_root = argv[2];
		machine = play_sim(play_root);
	} else {
		fprintf(stderr, "Usage: play --real SCRIPT | --sim DIRECTORY SCRIPT\n");
		return 2;
	}
	script_name = argv[argc - 1];
	FILE *script = fopen(script_name, "re");
	if (script == NULL)
		play_die("%s", strerror(errno));
	machine->log(&old);
	while (fgets(line, sizeof(line), script) != NULL)
		play_line(line);
	fclose(script);
	machine->release();
	return failed ? 1 : 0;
}
