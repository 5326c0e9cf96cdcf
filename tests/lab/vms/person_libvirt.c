/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * People with virsh: one that stays open, as a new one for each command takes seconds on an emulated processor. What it
 * says ends with a line that it is told to print; a line that begins with "error: " tells that it was refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "person.h"

extern char **environ;

struct person_libvirt {
	struct person base;
	const char *daemon;
	pid_t pid; /* of virsh; 0: to be started */
	FILE *to, *from;
	unsigned commands;
};

static struct person_libvirt *of(struct person *person)
{
	return (struct person_libvirt *)person;
}

static int start_virsh(struct person_libvirt *person, struct gp_error *err)
{
	static char program[] = "virsh", option[] = "-c", uri[] = "qemu:///system";
	char *const arguments[] = {program, option, uri, NULL};
	int in[2], out[2];
	posix_spawn_file_actions_t actions;
	if (person->pid != 0)
		return 0;
	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		return gp_fail_errno(err, errno, "no pipe for virsh");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, out[1], STDERR_FILENO);
	int rc = posix_spawnp(&person->pid, "virsh", &actions, NULL, arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(in[0]);
	close(out[1]);
	person->to = fdopen(in[1], "w");
	person->from = fdopen(out[0], "r");
	return rc == 0 ? 0 : gp_fail_errno(err, rc, "virsh cannot be run");
}

static void stop_virsh(struct person_libvirt *person)
{
	if (person->pid == 0)
		return;
	fclose(person->to);
	fclose(person->from);
	kill(person->pid, SIGKILL);
	waitpid(person->pid, NULL, 0);
	person->pid = 0;
}

/* What virsh printed, without what it prints around it; caller frees. NULL: it was refused. */
static char *virsh(struct person_libvirt *person, struct gp_error *err, const char *format, ...) GP_PRINTF(3, 4);

static char *virsh(struct person_libvirt *person, struct gp_error *err, const char *format, ...)
{
	GP_CLEANUP(gp_str_clear) struct gp_str said = {0};
	GP_CLEANUP(gp_str_clear) struct gp_str command = {0};
	gp_autofree char *line = NULL;
	size_t capacity = 0;
	bool refused = false;
	va_list args;

	if (start_virsh(person, err) < 0)
		return NULL;
	va_start(args, format);
	gp_str_vprintf(&command, format, args);
	va_end(args);
	gp_autofree char *end = gp_xasprintf("end-of-command-%u\n", ++person->commands);
	fprintf(person->to, "%s\necho %s", gp_str_text(&command), end);
	fflush(person->to);
	for (;;) {
		if (getline(&line, &capacity, person->from) < 0) {
			stop_virsh(person);
			gp_fail(err, GP_E_IO, "virsh went away at: %s", gp_str_text(&command));
			return NULL;
		}
		if (gp_streq(line, end))
			break;
		if (gp_starts_with(line, "error: ")) {
			if (!refused)
				gp_fail(err, GP_E_REFUSED, "%.*s", (int)strcspn(line, "\n"), line);
			refused = true;
		}
		if (!gp_starts_with(line, "virsh # "))
			gp_str_add(&said, line);
	}
	return refused ? NULL : gp_str_take(&said);
}

static int done(char *said)
{
	free(said);
	return said == NULL ? -1 : 0;
}

static int begin(struct person *person, const char **root, struct gp_error *err)
{
	*root = "/";
	return start_virsh(of(person), err);
}

static int bring(struct person *person, const char *verb, const struct vm *vm, const char *xml, struct gp_error *err)
{
	(void)vm;
	gp_autofree char *path = person_write_file(xml, err);
	if (path == NULL)
		return -1;
	int rc = done(virsh(of(person), err, "%s %s", verb, path));
	unlink(path);
	return rc;
}

static char *definition(struct person *person, const struct vm *vm, struct gp_error *err)
{
	char uuid[GP_UUID_SIZE];
	return virsh(of(person), err, "dumpxml --inactive --security-info %s", gp_uuid_format(vm->uuid, uuid));
}

/* What a guest writes, 32 bits (w) or 8 (b) at a port: into the register of a q35 machine's ACPI power management, and
 * into that of its panic device. */
#define POWER_CONTROL "/w 0x604"
#define GO_TO_SLEEP   "0x2400"
#define PANIC_PORT    "/b 0x505"

static int tell_port(struct person_libvirt *person, const char *uuid, const char *port, const char *value,
		     struct gp_error *err)
{
	gp_autofree char *said = virsh(person, err, "qemu-monitor-command --hmp %s 'o %s %s'", uuid, port, value);
	if (said == NULL)
		return -1;
	if (said[strspn(said, "\r\n")] != '\0') /* it says nothing unless it does not understand */
		return gp_fail(err, GP_E_REFUSED, "QEMU says: %s", said);
	return 0;
}

enum { PATIENCE_MS = 120000, LOOK_MS = 20 };

static int wait_for_state(struct person_libvirt *person, const char *uuid, const char *state, struct gp_error *err)
{
	uint64_t until = gp_clock_ms() + PATIENCE_MS;
	while (gp_clock_ms() < until) {
		gp_autofree char *said = virsh(person, err, "domstate %s", uuid);
		if (said == NULL)
			return -1;
		if (gp_starts_with(said, state))
			return 0;
		gp_sleep_ms(LOOK_MS);
	}
	return gp_fail(err, GP_E_TIMEOUT, "%s does not become %s", uuid, state);
}

/* QEMU says to libvirt that its guest powered it off, and ends. */
static int stop_from_inside(struct person_libvirt *person, const struct vm *vm, const char *uuid, struct gp_error *err)
{
	(void)vm;
	if (done(virsh(person, err, "qemu-monitor-command %s '{\"execute\":\"quit\"}'", uuid)) < 0)
		gp_error_clear(err); /* it may be gone before it has answered */
	return wait_for_state(person, uuid, "shut off", err);
}

static int suspend(struct person_libvirt *person, const struct vm *vm, const char *uuid, struct gp_error *err)
{
	/* What firmware does first: it puts the registers of the bridge 0000:00:1f.0 for power management at 0x600
	 * (PMBASE, configuration space 0x40), and switches them on (ACPI_CNTL, 0x44). */
	static const char *const steps[][2] = {
		{"/w 0xcf8", "0x8000f840"}, {"/w 0xcfc", "0x601"},        {"/w 0xcf8", "0x8000f844"},
		{"/b 0xcfc", "0x80"},       {POWER_CONTROL, GO_TO_SLEEP},
	};
	(void)vm;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (tell_port(person, uuid, steps[i][0], steps[i][1], err) < 0)
			return -1;
	return wait_for_state(person, uuid, "pmsuspended", err);
}

static int crash(struct person_libvirt *person, const struct vm *vm, const char *uuid, struct gp_error *err)
{
	if (tell_port(person, uuid, PANIC_PORT, "1", err) < 0)
		return -1;
	return wait_for_state(person, uuid, vm->gone_after_crash ? "shut off" : "crashed", err);
}

static int wait_for_guest(struct person_libvirt *person, const struct vm *vm, const char *uuid, struct gp_error *err)
{
	(void)vm;
	(void)person;
	gp_autofree char *path = gp_xasprintf(GUEST_SAYS, uuid);
	uint64_t until = gp_clock_ms() + PATIENCE_MS;
	while (gp_clock_ms() < until) {
		char text[256];
		FILE *file = fopen(path, "re");
		size_t size = file == NULL ? 0 : fread(text, 1, sizeof(text) - 1, file);
		text[size] = '\0';
		if (file != NULL)
			fclose(file);
		if (strstr(text, "up") != NULL)
			return 0;
		gp_sleep_ms(LOOK_MS);
	}
	return gp_fail(err, GP_E_TIMEOUT, "the guest of %s does not come up", uuid);
}

static const struct {
	const char *verb, *words;
	int (*act)(struct person_libvirt *person, const struct vm *vm, const char *uuid, struct gp_error *err);
} verbs[] = {
	{"start", "start", NULL},
	{"destroy", "destroy", NULL},
	{"undefine", "undefine", NULL},
	{"pause", "suspend", NULL},
	{"resume", "resume", NULL},
	{"save", "managedsave", NULL},
	{"unsave", "managedsave-remove", NULL},
	{"autostart", "autostart", NULL},
	{"no-autostart", "autostart --disable", NULL},
	{"stop", NULL, stop_from_inside},
	{"suspend", NULL, suspend},
	{"crash", NULL, crash},
	{"wake", NULL, wait_for_guest},
};

static int act(struct person *person, const char *verb, const struct vm *vm, struct gp_error *err)
{
	char uuid[GP_UUID_SIZE];
	gp_uuid_format(vm->uuid, uuid);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (!gp_streq(verbs[i].verb, verb))
			continue;
		return verbs[i].act != NULL ? verbs[i].act(of(person), vm, uuid, err)
					    : done(virsh(of(person), err, "%s %s", verbs[i].words, uuid));
	}
	return gp_fail(err, GP_E_USAGE, "nobody can %s a VM", verb);
}

static int daemon_is(struct person *base, bool up, struct gp_error *err)
{
	struct person_libvirt *person = of(base);
	stop_virsh(person);
	gp_autofree char *command = gp_xasprintf("\"%s\" %s", person->daemon, up ? "start" : "kill");
	return system(command) == 0 ? 0 : gp_fail(err, GP_E_IO, "failed: %s", command);
}

static void end(struct person *person, const struct vm *vms, size_t count)
{
	char uuid[GP_UUID_SIZE];
	for (size_t i = 0; i < count; i++) {
		gp_uuid_format(vms[i].uuid, uuid);
		free(virsh(of(person), NULL, "destroy %s", uuid));
		free(virsh(of(person), NULL, "undefine --managed-save %s", uuid));
	}
}

static void close_person(struct person *person)
{
	stop_virsh(of(person));
	free(person);
}

static const struct person_ops ops = {begin, bring, definition, act, daemon_is, end, close_person};

struct person *person_libvirt_new(const char *daemon)
{
	struct person_libvirt *person = gp_xcalloc(1, sizeof(*person));
	person->base.ops = &ops;
	person->daemon = daemon;
	return &person->base;
}
