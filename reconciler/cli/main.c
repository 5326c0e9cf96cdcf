/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of commands, and the command line. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "cli/cli.h"

volatile sig_atomic_t gp_cli_stop;

static const struct gp_command commands[] = {
	{"validate", "read the files alone and say all that is wrong with them", "[FILE|DIR]…",
	 "Reads the files (default /etc/gpupart) without looking at any host. All faults of all files are shown in "
	 "one\n"
	 "go, each with file, line and column.\n"
	 "\n"
	 "  --host NAME   check what the files say for this host alone\n"
	 "\n"
	 "Example: gpupart validate examples/flex-vdi.yaml\n",
	 GP_OPT_JSON | GP_OPT_HOST, 0, -1, gp_cmd_validate},
	{"gpus", "partitionable GPUs: counts, what is free, and whether those of a class are alike", "[FILE|DIR]…",
	 "Shows every GPU with its valid and present partition counts, and total, available and per-partition amounts\n"
	 "of each resource; driver, framework and vGPU series; and why a GPU cannot be partitioned. With files, the\n"
	 "GPUs of a class are compared and the one that differs is named, and the count that its VMs need is\n"
	 "recommended: the least that serves all of them within their bounds.\n"
	 "\n"
	 "Example: gpupart gpus\n",
	 GP_OPT_ROOT | GP_OPT_JSON | GP_OPT_HOST, 0, -1, gp_cmd_gpus},
	{"vms", "which VM holds which partition, what it asked for, and how each bound holds", "[FILE|DIR]…",
	 "Shows each VM that has or asks for a partition: the asked bounds beside the current amounts, and for each\n"
	 "whether hardware, the scheduler or only admission holds it.\n"
	 "\n"
	 "Example: gpupart vms examples/flex-vdi.yaml\n",
	 GP_OPT_ROOT | GP_OPT_JSON | GP_OPT_HOST, 0, -1, gp_cmd_vms},
	{"doctor", "is this host ready to partition GPUs, and what is to be done if not", "[FILE|DIR]…",
	 "Examines processors, IOMMU, kernel, drivers, each GPU and libvirt. Every check passes, warns, fails or is\n"
	 "unknown, and says what would mend it. GPUs alike are shown once. With files, a GPU that no class selects is\n"
	 "only warned about. Nothing is changed. As an ordinary user some checks are unknown.\n"
	 "\n"
	 "Exit status: 0 nothing failed, 1 something did.\n"
	 "\n"
	 "Example: sudo gpupart doctor\n",
	 GP_OPT_ROOT | GP_OPT_JSON | GP_OPT_HOST, 0, -1, gp_cmd_doctor},
	{"plan", "what apply would do now, and whom it would disturb", "[FILE|DIR]…",
	 "Reads the files (default /etc/gpupart), looks at the host, and prints the steps that lead from here to "
	 "there.\n"
	 "The host is opened read-only: this command cannot change anything. In sync, it prints \"No changes.\"\n"
	 "\n"
	 "  --detailed-exitcode   exit 2 when apply would act now\n"
	 "\n"
	 "Example: gpupart plan --detailed-exitcode /etc/gpupart\n",
	 GP_OPT_ROOT | GP_OPT_JSON | GP_OPT_HOST | GP_OPT_DETAILED, 0, -1, gp_cmd_plan},
	{"apply", "show the plan, ask, do exactly that, and read back", "[FILE|DIR]…",
	 "Does what plan shows. On a terminal it asks first; elsewhere it needs --yes. Before the first change it "
	 "saves\n"
	 "the state of the host as a file: going back is applying that file.\n"
	 "\n"
	 "  --yes                     do not ask\n"
	 "  --lock-timeout DURATION   how long to wait for another run on this host (10m; 30s, 0)\n"
	 "\n"
	 "Example: gpupart apply --yes /etc/gpupart\n",
	 GP_OPT_ROOT | GP_OPT_JSON | GP_OPT_HOST | GP_OPT_YES, 0, -1, gp_cmd_apply},
	{"status", "in sync, drifted, waiting or degraded, and what", "[FILE|DIR]…",
	 "Compares the host with the files (default /etc/gpupart) and says in one word how it stands, then what "
	 "differs.\n"
	 "\n"
	 "Example: gpupart status || echo 'drift'\n",
	 GP_OPT_ROOT | GP_OPT_JSON | GP_OPT_HOST, 0, -1, gp_cmd_status},
	{"observe", "everything that was seen, as JSON", "",
	 "Prints the whole snapshot of the host for machines (it is JSON with or without --json).\n"
	 "\n"
	 "Example: gpupart observe > host.json\n",
	 GP_OPT_ROOT | GP_OPT_JSON, 0, 0, gp_cmd_observe},
	{"export", "the present state as a file to start from", "",
	 "Prints the desired state that would change nothing on this host: the start for a host that was set up by "
	 "hand.\n"
	 "\n"
	 "Example: gpupart export > /etc/gpupart/this-host.yaml\n",
	 GP_OPT_ROOT, 0, 0, gp_cmd_export},
	{"capture", "copy what gpupart reads into a directory, to replay it elsewhere", "DIR",
	 "Copies the files that gpupart reads (no secrets) to DIR, which must be new or empty. Every reading command\n"
	 "replays it with --root DIR.\n"
	 "\n"
	 "  --anonymize   nothing in DIR tells whose machine it is: host, VMs, UUIDs, classes and serial numbers are\n"
	 "                replaced or left out. What stands for what is printed, and is not in DIR. A capture that\n"
	 "                exists already is anonymized with --root OLD\n"
	 "\n"
	 "Example: gpupart capture --anonymize gpu-07 && tar -czf gpu-07.tar.gz gpu-07\n",
	 GP_OPT_ROOT | GP_OPT_JSON | GP_OPT_ANONYMIZE, 1, 1, gp_cmd_capture},
	{"sim", "make and poke a simulated machine", "create DIR HOST.yaml | reboot DIR | vm DIR … | fault DIR …",
	 "  sim create DIR HOST.yaml              make a machine from a description (examples/hosts/)\n"
	 "  sim reboot DIR                        VFs and everything else that a kernel forgets are gone\n"
	 "  sim vm DIR define FILE.xml            and: create FILE.xml; start, stop, destroy, undefine, pause,\n"
	 "                                        resume, suspend, crash, save, unsave, autostart,\n"
	 "                                        no-autostart NAME\n"
	 "  sim fault DIR fail N ERRNO            the Nth change from now fails; also: kill N before|after,\n"
	 "                                        attr DEVICE ATTR ERRNO, short DEVICE ATTR, late DEVICE MS,\n"
	 "                                        slow DEVICE ATTR MS, block DEVICE ATTR, ignore-shutdown NAME,\n"
	 "                                        unreadable PATH, hold DEVICE, libvirt-down, libvirt VERSION,\n"
	 "                                        initialising DEVICE MS, client DEVICE [NAME], settle DEVICE MS,\n"
	 "                                        drops DEVICE, clear\n"
	 "\n"
	 "Example: gpupart sim create /tmp/box examples/hosts/flex-vdi.yaml\n"
	 "         gpupart plan --root /tmp/box examples/flex-vdi.yaml\n",
	 0, 2, -1, gp_cmd_sim},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static void print_overview(FILE *to)
{
	fputs("Usage: gpupart COMMAND [OPTION]… [ARGUMENT]…\n"
	      "\n"
	      "GPU partitioning for Linux/KVM, declared in YAML.\n"
	      "\n"
	      "Commands:\n",
	      to);
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].summary);
	fputs("\n"
	      "  gpupart COMMAND --help   more on one command, with an example\n"
	      "  gpupart --version\n"
	      "\n"
	      "Exit status: 0 done, in sync or waiting for VMs · 1 failed · 2 changes (plan --detailed-exitcode, "
	      "status)\n"
	      "3 the files are wrong · 4 refused · 5 applied, but the read-back disagrees · 6 the plan is stale · 64 "
	      "usage\n",
	      to);
}

static void print_help(const struct gp_command *command)
{
	printf("Usage: gpupart %s%s%s%s\n\n%s.\n\n%s", command->name, command->options ? " [OPTION]…" : "",
	       *command->usage ? " " : "", command->usage, command->summary, command->help);
	if (command->options)
		fputs("\nOptions:\n", stdout);
	if (command->options & GP_OPT_ROOT)
		fputs("  --root DIR      look at a simulated or captured machine instead of this one\n"
		      "  --connect URI   libvirt connection (default qemu:///system)\n",
		      stdout);
	if (command->options & GP_OPT_HOST)
		fputs("  --host NAME     the name that `hosts:` patterns are compared with (default: this host's)\n",
		      stdout);
	if (command->options & GP_OPT_JSON)
		fputs("  --json          output for machines\n", stdout);
	if (command->options)
		fputs("  --help          this text\n", stdout);
}

void gp_cli_print_help(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(name, commands[i].name) == 0)
			print_help(&commands[i]);
}

static const struct gp_command *find_command(const char *name)
{
	const char *names[COMMAND_COUNT];

	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		names[i] = commands[i].name;
		if (strcmp(name, commands[i].name) == 0)
			return &commands[i];
	}
	const char *near = gp_did_you_mean(name, names, COMMAND_COUNT);

	fprintf(stderr, "gpupart: unknown command '%s'", name);
	if (near)
		fprintf(stderr, "; did you mean '%s'?", near);
	fputs("\nTry 'gpupart --help'.\n", stderr);
	return NULL;
}

enum {
	OPT_ROOT = 256,
	OPT_CONNECT,
	OPT_JSON,
	OPT_HOST,
	OPT_YES,
	OPT_LOCK_TIMEOUT,
	OPT_DETAILED,
	OPT_ANONYMIZE,
	OPT_HELP
};

static const struct {
	struct option option;
	unsigned needs; /* enum gp_option that a command must have */
} option_rows[] = {
	{{"root", required_argument, NULL, OPT_ROOT}, GP_OPT_ROOT},
	{{"connect", required_argument, NULL, OPT_CONNECT}, GP_OPT_ROOT},
	{{"json", no_argument, NULL, OPT_JSON}, GP_OPT_JSON},
	{{"host", required_argument, NULL, OPT_HOST}, GP_OPT_HOST},
	{{"yes", no_argument, NULL, OPT_YES}, GP_OPT_YES},
	{{"lock-timeout", required_argument, NULL, OPT_LOCK_TIMEOUT}, GP_OPT_YES},
	{{"detailed-exitcode", no_argument, NULL, OPT_DETAILED}, GP_OPT_DETAILED},
	{{"anonymize", no_argument, NULL, OPT_ANONYMIZE}, GP_OPT_ANONYMIZE},
	{{"help", no_argument, NULL, OPT_HELP}, 0},
};
#define OPTION_COUNT (sizeof(option_rows) / sizeof(option_rows[0]))

static int usage_error(const struct gp_command *command)
{
	fprintf(stderr, "Try 'gpupart %s --help'.\n", command->name);
	return GP_EXIT_USAGE;
}

static int take_lock_timeout(struct gp_cli *cli, const struct gp_command *command, const char *text)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};

	if (strcmp(text, "0") == 0)
		text = "0s";
	if (gp_parse_duration(text, &cli->lock_wait_ms, &err) == 0)
		return GP_EXIT_OK;
	fprintf(stderr, "gpupart %s: --lock-timeout: %s\n", command->name, err.message);
	return usage_error(command);
}

/* GP_EXIT_OK to go on; -1 when --help was printed. */
static int take_options(struct gp_cli *cli, const struct gp_command *command, int argc, char **argv)
{
	struct option offered[OPTION_COUNT + 1] = {0};
	size_t count = 0;
	int c;

	for (size_t i = 0; i < OPTION_COUNT; i++)
		if ((option_rows[i].needs & ~command->options) == 0)
			offered[count++] = option_rows[i].option;

	/* getopt names the program from argv[0]; it should name the command too. */
	gp_autofree char *self = gp_xasprintf("gpupart %s", command->name);

	argv[0] = self;
	/* `sim vm DIR …` and `sim fault DIR …` take words that may look like options: stop at the first argument there.
	 */
	while ((c = getopt_long(argc, argv, command->options ? "h" : "+h", offered, NULL)) != -1) {
		switch (c) {
		case OPT_ROOT:
			cli->root = optarg;
			break;
		case OPT_CONNECT:
			cli->connect = optarg;
			break;
		case OPT_JSON:
			cli->json = true;
			break;
		case OPT_HOST:
			cli->host_name = optarg;
			break;
		case OPT_YES:
			cli->yes = true;
			break;
		case OPT_DETAILED:
			cli->detailed_exitcode = true;
			break;
		case OPT_ANONYMIZE:
			cli->anonymize = true;
			break;
		case OPT_LOCK_TIMEOUT:
			if (take_lock_timeout(cli, command, optarg) != GP_EXIT_OK)
				return GP_EXIT_USAGE;
			break;
		case OPT_HELP:
		case 'h':
			print_help(command);
			return -1;
		default:
			return usage_error(command);
		}
	}
	cli->args = argv + optind;
	cli->arg_count = argc - optind;
	if (cli->arg_count < command->min_args || (command->max_args >= 0 && cli->arg_count > command->max_args)) {
		fprintf(stderr, "gpupart %s: %s\n", command->name,
			cli->arg_count < command->min_args ? "an argument is missing" : "too many arguments");
		return usage_error(command);
	}
	return GP_EXIT_OK;
}

static bool wants_colour(int fd)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	return isatty(fd) && !(no_color && *no_color) && !(term && strcmp(term, "dumb") == 0);
}

static void on_signal(int number)
{
	static const char words[] = "\nStopping in good order: running steps finish and stopped VMs come back. "
				    "Once more ends at once and leaves them off.\n";

	(void)number;
	gp_cli_stop = 1;
	if (write(STDERR_FILENO, words, sizeof(words) - 1) < 0)
		return; /* nobody listens; the flag is what counts */
}

void gp_cli_catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

/* A descriptor below 3 that is closed would be given to the next file that is opened, and hear what we print. */
static int keep_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		/* The lowest that is closed is the one that open() gives. */
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct gp_cli cli = {.lock_wait_ms = 600000}; /* ten minutes */

	if (keep_standard_descriptors() != 0)
		return GP_EXIT_FAILED;
	setlocale(LC_CTYPE, "");
	cli.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	cli.colour_out = wants_colour(STDOUT_FILENO);
	cli.colour_err = wants_colour(STDERR_FILENO);
	signal(SIGPIPE, SIG_IGN);

	if (argc < 2) {
		print_overview(stderr);
		return GP_EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
		print_overview(stdout);
		return GP_EXIT_OK;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("gpupart " GP_VERSION);
		return GP_EXIT_OK;
	}
	const struct gp_command *command = find_command(argv[1]);

	if (!command)
		return GP_EXIT_USAGE;
	int code = take_options(&cli, command, argc - 1, argv + 1);

	if (code == -1)
		return GP_EXIT_OK;
	if (code == GP_EXIT_OK)
		code = command->run(&cli);
	/* Output that could not be written is a failure: a full disk must not look like an empty plan. */
	if (fflush(stdout) == EOF || ferror(stdout)) {
		if (errno == EPIPE) /* whoever read it has seen enough, as with head */
			return code;
		fputs("gpupart: cannot write the output\n", stderr);
		return code == GP_EXIT_OK ? GP_EXIT_FAILED : code;
	}
	return code;
}
