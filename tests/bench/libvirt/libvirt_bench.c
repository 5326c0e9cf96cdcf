/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much does observing cost over what libvirt takes for the same answers?
 *
 * The floor lists all domains and fetches the XML of each, in as many threads, on one connection, and throws it away.
 * Floor and observation take turns, so that both see the same machine; the ratio is the median of the pairs' ratios.
 * Every tenth domain (or every Nth) has two hostdevs and our mark; the others are of the same size.
 */
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/num.h"
#include "host/vmm.h"

enum { THREADS = 6 }; /* as many as vmm_libvirt.c has */
static const char *const uri = "qemu:///system";

static double now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
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
static void define_domain(virConnectPtr conn, unsigned number, unsigned every)
{
	GP_CLEANUP(gp_str_clear) struct gp_str xml = {0};
	gp_str_printf(&xml, "<domain type='qemu'><name>vm-%04u</name><memory unit='MiB'>64</memory>", number);
	if (number % every == 0)
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

static void define_domains(unsigned count, unsigned every)
{
	virConnectPtr conn = virConnectOpen(uri);
	if (conn == NULL)
		fail(uri);
	for (unsigned i = 0; i < count; i++)
		define_domain(conn, i, every);
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

static double run_floor(virConnectPtr conn, size_t *bytes)
{
	struct floor floor = {0};
	pthread_t threads[THREADS];
	double began = now_ms();

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
	return now_ms() - began;
}

static double run_observation(struct gp_vmm *vmm, size_t expected)
{
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	double began = now_ms();
	struct gp_observed *observed = gp_observed_new();
	if (vmm->ops->observe(vmm, observed, &err) < 0 || observed->domain_count != expected) {
		fprintf(stderr, "observe: %zu domains; %s\n", observed->domain_count,
			err.message == NULL ? "no error" : err.message);
		exit(1);
	}
	gp_observed_free(observed);
	return now_ms() - began;
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

static void compare(struct gp_vmm *vmm, unsigned domains, unsigned every, unsigned pairs)
{
	double *floors = gp_xcalloc(pairs, sizeof(double));
	double *ours = gp_xcalloc(pairs, sizeof(double));
	double *ratios = gp_xcalloc(pairs, sizeof(double));
	size_t bytes = 0;
	virConnectPtr conn = virConnectOpenReadOnly(uri);
	if (conn == NULL)
		fail(uri);
	run_floor(conn, &bytes);
	run_observation(vmm, domains);
	for (unsigned i = 0; i < pairs; i++) {
		/* Who goes first alternates, or a machine that slows down would favour one of them. */
		if (i % 2 == 0)
			floors[i] = run_floor(conn, &bytes);
		ours[i] = run_observation(vmm, domains);
		if (i % 2 == 1)
			floors[i] = run_floor(conn, &bytes);
		ratios[i] = ours[i] / floors[i];
	}
	virConnectClose(conn);
	double ratio = median(ratios, pairs);
	printf("libvirt: %u inactive domains of %zu bytes, every %u. with hostdevs, %d threads, %u pairs: floor %.1f "
	       "ms, "
	       "observe %.1f ms, ratio %.2f (%.2f to %.2f)\n",
	       domains, bytes / domains, every, THREADS, pairs, median(floors, pairs), median(ours, pairs), ratio,
	       ratios[0], ratios[pairs - 1]);
	free(floors);
	free(ours);
	free(ratios);
}

static unsigned argument(int argc, char **argv, int at, unsigned otherwise)
{
	uint32_t value = otherwise;
	if (at < argc && (gp_parse_u32(argv[at], &value) < 0 || value == 0)) {
		fprintf(stderr, "usage: run.sh libvirt_bench [DOMAINS [PAIRS [EVERY]]]\n");
		exit(64);
	}
	return value;
}

int main(int argc, char **argv)
{
	unsigned domains = argument(argc, argv, 1, 1000), pairs = argument(argc, argv, 2, 15);
	unsigned every = argument(argc, argv, 3, 10);
	GP_CLEANUP(gp_error_clear) struct gp_error err = {0};
	struct gp_vmm *vmm = NULL;

	if (getenv("GP_LIBVIRT_DAEMON") == NULL || system("\"$GP_LIBVIRT_DAEMON\" start") != 0) {
		puts("skipped: to be run by tests/bench/libvirt/run.sh, which brings a libvirt of its own");
		return 77;
	}
	define_domains(domains, every);
	if (gp_vmm_libvirt_open(uri, true, &vmm, &err) < 0) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	compare(vmm, domains, every, pairs);
	vmm->ops->close(vmm);
	return 0;
}
