/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plays a script of sysfs reads and writes on a machine, and prints what came of each: README.md has the format.
 *
 * On the real machine (play_real.c) everything is a plain system call, and nothing of gpupart takes part. On a
 * simulated one (play_sim.c) the tree is read in the same way, and the pretend kernel is asked to write.
 */
#ifndef GP_TESTS_PLAY_H
#define GP_TESTS_PLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { PLAY_PATH_SIZE = 4096, PLAY_TEXT_SIZE = 65536, PLAY_ADDR_SIZE = 16, PLAY_VFS = 256, PLAY_WORDS = 32 };

struct play_text {
	char bytes[PLAY_TEXT_SIZE];
	size_t size;
};

/* Adds to a text, printf style; what does not fit ends the program. */
void play_add(struct play_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Ends the program with status 2: the script or the machine is unfit. */
void play_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* How a machine does what is no plain reading. Devices are named by their address. */
struct play_machine {
	const char *name; /* "lab", "sim": what `only` and `on` say */
	/* Like write(2), opening included: the number of bytes, or -errno. */
	ssize_t (*write)(const char *path, const char *bytes, size_t size);
	/* Runs a vendor's program: its exit status, or -errno. */
	int (*run)(const char *program, const char *argument, const char *device);
	/* Opens the VFIO group of a device, in a process of its own; lets go of all. 0 or -errno. */
	int (*hold)(const char *addr);
	void (*release)(void);
	/* Notes what happens to PCI and mediated devices from now on; tells it, a line an event. */
	void (*watch)(void);
	void (*watched)(struct play_text *out);
	/* What the kernel logged since the last call (or the start). */
	void (*log)(struct play_text *out);
	/* `on sim fault …`, `on lab sh …`: things only one of the two has. */
	void (*apart)(char *const *words, size_t count);
};

const struct play_machine *play_real(void);
const struct play_machine *play_sim(const char *directory);

/* Where the machine's root is: "" or the simulated machine's directory. */
extern const char *play_root;
/* The path with the root before it. */
const char *play_path(const char *path, char out[PLAY_PATH_SIZE]);

#endif
