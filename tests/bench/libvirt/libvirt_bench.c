/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much does observing cost over what libvirt takes for the same answers?
 *
 * The floor lists all domains and fetches the XML of each, in as many threads, on one connection, and throws it away.
 * Floor and observation take turns, so that both see the same machine; the ratio is the median of the pairs' ratios.
 * Every tenth domain (or every Nth) has two hostdevs of ours, and every tenth of these (or every Nth) carries our note
 * in its metadata, as one that gpupart has stopped does; the others are of the same size.
 *
 * Processor time is that of this process and of the daemon together: on a busy machine it says more than the clock.
 */
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

#include "base/num.h"
#include "host/vmm.h"

enum { THREADS = 6 }; /* as many as vmm_libvirt.c has */
static const char *const uri = "qemu:///system";

static const char pid_file[] = "/run/libvirt/gpupart-test.pid";

struct cost {
	double clock, processor, daemon; /* milliseconds */
};

static double read_clock(clockid_t id)
{
	struct timespec now;
	clock_gettime(id, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static clockid_t clock_of_daemon(void)
{
	char text[32] = "";
	uint64_t pid = 0;
	clockid_t id;
	FILE *file = fopen(pid_file, "re");
	if (file == NULL || fgets(text, sizeof(text), file) == NULL)
		text[0] = '\0';
	if (file != NULL)
		fclose(file);
	text[strcspn(text, "\n")] = '\0';
	if (gp_parse_u64(text, &pid) < 0 || clock_getcpuclockid((pid_t)pid, &id) != 0) {
		fprintf(stderr, "the daemon's processor time cannot be read (%s)\n", pid_file);
		exit(1);
	}
	return id;
}

static struct cost now(void)
{
	double daemon = read_clock(clock_of_daemon());
	return (struct cost){read_clock(CLOCK_MONOTONIC), read_clock(CLOCK_PROCESS_CPUTIME_ID) + daemon, daemon};
}

static struct cost since(struct cost began)
{
	struct cost end = now();
	return (struct cost){end.clock - began.clock, end.processor - began.processor, end.daemon - began.daemon};
}

_Noreturn static void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, virGetLastErrorMessage());
	exit(1);
}

/* ---- domains to look at ---- */

static void add_hostdev(struct gp_str *xml, unsigned slot)
{
	gp_str_printf(
		xml,
		"<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0' bus='0x41' slot='%u' "
		"function='0'/></source><alias name='ua-gpupart-%u-vdi'/></hostdev>",
		slot, slot);
}

/* About 3.6 kB once libvirt has filled in its own. */
static void define_domain(virConnectPtr conn, unsigned number, unsigned every, unsigned marked)
{
	GP_CLEANUP(gp_str_clear) struct gp_str xml = {0};
	gp_str_printf(&xml, "<domain type='qemu'><name>vm-%04u</name><memory unit='MiB'>64</memory>", number);
	if (number % every == 0 && number / every % marked == 0)
		gp_str_add(&xml, "<metadata><g:state xmlns:g='" GP_METADATA_URI "' to_start='yes'/></metadata>");
	gp_str_add(&xml, "<os><type arch='x86_64' machine='q35'>hvm</type></os><devices>");
	for (unsigned i = 0; i < 3; i++)
		gp_str_add(&xml, "<interface type='user'><model type='virtio'/></interface>");
	for (unsigned i = 0; i < 2; i++) {
		if (number % every == 0)
			add_hostdev(&xml, i);
		else
			gp_str_add(&xml, "<interface type='user'><model type='virtio'/></interface>");
	}
	gp_str_add(&xml, "</devices></domain>");
	virDomainPtr domain = virDomainDefineXML(conn, gp_str_text(&xml));
	if (domain == NULL)
		fail("define");
	virDomainFree(domain);
}

static void define_domains(unsigned count, unsigned every, unsigned marked)
{
	virConnectPtr conn = virConnectOpen(uri);
	if (conn == NULL)
		fail(uri);
	for (unsigned i = 0; i < count; i++)
		define_domain(conn, i, every, marked);
	virConnectClose(conn);
}

/* ---- the floor ---- */

struct floor {
	virDomainPtr *domains;
	int count;
	atomic_int next;
	atomic_size_t bytes;
};

static void *fetch(void *context)
{
	struct floor *floor = context;
	int at;
	while ((at = atomic_fetch_add(&floor->next, 1)) < floor->count) {
		char *xml = virDomainGetXMLDesc(floor->domains[at], VIR_DOMAIN_XML_INACTIVE);
		if (xml == NULL)
			fail("fetch");
		atomic_fetch_add(&floor->bytes, strlen(xml));
		free(xml);
		virDomainFree(floor->domains[at]);
	}
	return NULL;
}

static struct cost run_floor(virConnectPtr conn, size_t *bytes)
{
	struct floor floor = {0};
	pthread_t threads[THREADS];
	struct cost began = now();

	floor.count = virConnectListAllDomains(conn, &floor.domains, 0);
	if (floor.count < 0)
		fail("list");
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, fetch, &floor) != 0)
			fail("thread");
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	free(floor.domains);
	*bytes = atomic_load(&floor.bytes);
	return since(began);
}

static struct cost run_observation(struct gp_vmm *vmm, size_t expected)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	struct cost began = now();
	struct gp_observed *observed = gp_observed_new();
	if (vmm->ops->observe(vmm, observed, &err) < 0 || observed->domain_count != expected) {
		fprintf(stderr, "observe: %zu domains; %s\n", observed->domain_count,
			err.message == NULL ? "no error" : err.message);
		exit(1);
	}
	gp_observed_free(observed);
	return since(began);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), by_value);
	return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

struct series {
	double *values;
	size_t count;
};

static void add(struct series *series, double value)
{
	series->values[series->count++] = value;
}

static struct series new_series(unsigned size)
{
	return (struct series){gp_xcalloc(size, sizeof(double)), 0};
}

static void compare(struct gp_vmm *vmm, unsigned domains, unsigned pairs)
{
	struct series clock = new_series(pairs), processor = new_series(pairs), daemon = new_series(pairs);
	struct series floor_ms = new_series(pairs), ours_ms = new_series(pairs);
	size_t bytes = 0;
	virConnectPtr conn = virConnectOpenReadOnly(uri);
	if (conn == NULL)
		fail(uri);
	run_floor(conn, &bytes);
	run_observation(vmm, domains);
	for (unsigned i = 0; i < pairs; i++) {
		struct cost floor = {0}, ours;
		/* Who goes first alternates, or a machine that slows down would favour one of them. */
		if (i % 2 == 0)
			floor = run_floor(conn, &bytes);
		ours = run_observation(vmm, domains);
		if (i % 2 == 1)
			floor = run_floor(conn, &bytes);
		add(&clock, ours.clock / floor.clock);
		add(&processor, ours.processor / floor.processor);
		add(&daemon, ours.daemon / floor.daemon);
		add(&floor_ms, floor.processor);
		add(&ours_ms, ours.processor);
	}
	virConnectClose(conn);
	printf("of %zu bytes, %d threads, %u pairs: ", bytes / domains, THREADS, pairs);
	printf("time %.2f ", median(clock.values, pairs));
	printf("(%.2f to %.2f), ", clock.values[0], clock.values[pairs - 1]);
	printf("processor time %.2f ", median(processor.values, pairs));
	printf("(%.2f to %.2f; ", processor.values[0], processor.values[pairs - 1]);
	printf("%.0f ms over %.0f ms), ", median(ours_ms.values, pairs), median(floor_ms.values, pairs));
	printf("the daemon's share of it %.2f\n", median(daemon.values, pairs));
	free(clock.values);
	free(processor.values);
	free(daemon.values);
	free(floor_ms.values);
	free(ours_ms.values);
}

static unsigned argument(int argc, char **argv, int at, unsigned otherwise)
{
	uint32_t value = otherwise;
	if (at < argc && (gp_parse_u32(argv[at], &value) < 0 || value == 0)) {
		fprintf(stderr, "usage: run.sh libvirt_bench [DOMAINS [PAIRS [EVERY [MARKED]]]]\n");
		exit(64);
	}
	return value;
}

int main(int argc, char **argv)
{
	unsigned domains = argument(argc, argv, 1, 1000), pairs = argument(argc, argv, 2, 15);
	unsigned every = argument(argc, argv, 3, 10), marked = argument(argc, argv, 4, 10);
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	struct gp_vmm *vmm = NULL;

	if (getenv("GP_LIBVIRT_DAEMON") == NULL || system("\"$GP_LIBVIRT_DAEMON\" start") != 0) {
		puts("skipped: to be run by tests/bench/libvirt/run.sh, which brings a libvirt of its own");
		return 77;
	}
	define_domains(domains, every, marked);
	if (gp_vmm_libvirt_open(uri, true, &vmm, &err) < 0) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	printf("%u inactive domains, hostdevs in every %u., our note in every %u. of these, ", domains, every, marked);
	compare(vmm, domains, pairs);
	vmm->ops->close(vmm);
	return 0;
}
