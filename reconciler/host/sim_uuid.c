/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UUIDs that follow from a name: RFC 9562, version 5, which is made with SHA-1 (FIPS 180-4). */
#include <stdint.h>
#include <string.h>

#include "host/sim_domain.h"

enum { BLOCK = 64, LENGTH_AT = 56, ROUNDS = 80, WORDS = 16, DIGEST_WORDS = 5 };

struct sha1 {
	uint32_t state[DIGEST_WORDS];
};

static uint32_t rotate(uint32_t value, unsigned bits)
{
	return value << bits | value >> (32 - bits);
}

static uint32_t mix(unsigned round, uint32_t b, uint32_t c, uint32_t d)
{
	if (round < 20)
		return ((b & c) | (~b & d)) + 0x5a827999;
	if (round < 40)
		return (b ^ c ^ d) + 0x6ed9eba1;
	if (round < 60)
		return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
	return (b ^ c ^ d) + 0xca62c1d6;
}

static void add_block(struct sha1 *sha, const uint8_t *block)
{
	uint32_t words[ROUNDS];
	uint32_t s[DIGEST_WORDS];

	for (size_t i = 0; i < WORDS; i++)
		words[i] = (uint32_t)block[i * 4] << 24 | (uint32_t)block[i * 4 + 1] << 16 |
			   (uint32_t)block[i * 4 + 2] << 8 | block[i * 4 + 3];
	for (unsigned i = WORDS; i < ROUNDS; i++)
		words[i] = rotate(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);

	memcpy(s, sha->state, sizeof(s));
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint32_t next = rotate(s[0], 5) + mix(i, s[1], s[2], s[3]) + s[4] + words[i];
		s[4] = s[3];
		s[3] = s[2];
		s[2] = rotate(s[1], 30);
		s[1] = s[0];
		s[0] = next;
	}
	for (unsigned i = 0; i < DIGEST_WORDS; i++)
		sha->state[i] += s[i];
}

static struct sha1 sha1_of(const uint8_t *bytes, size_t size)
{
	struct sha1 sha = {{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}};
	uint8_t tail[BLOCK * 2] = {0};
	size_t whole = size / BLOCK * BLOCK;
	size_t rest = size - whole;
	size_t tail_size = rest < LENGTH_AT ? BLOCK : sizeof(tail);

	for (size_t at = 0; at < whole; at += BLOCK)
		add_block(&sha, bytes + at);
	memcpy(tail, bytes + whole, rest);
	tail[rest] = 0x80;
	for (unsigned i = 0; i < 8; i++)
		tail[tail_size - 1 - i] = (uint8_t)((uint64_t)size * 8 >> (8 * i));
	for (size_t at = 0; at < tail_size; at += BLOCK)
		add_block(&sha, tail + at);
	return sha;
}

struct gp_uuid gp_sim_uuid_of_name(const char *name)
{
	/* The simulated machine's own name space. */
	static const uint8_t space[16] = {0x1d, 0x5e, 0x3c, 0x9a, 0x71, 0x42, 0x4f, 0x0b,
					  0x9a, 0x6d, 0x67, 0x70, 0x75, 0x70, 0x61, 0x72};
	GP_CLEANUP(gp_str_clear) struct gp_str text = {0};
	struct gp_uuid uuid;

	gp_str_add_n(&text, (const char *)space, sizeof(space));
	gp_str_add(&text, name);
	struct sha1 sha = sha1_of((const uint8_t *)text.text, text.length);
	for (unsigned i = 0; i < sizeof(uuid.bytes); i++)
		uuid.bytes[i] = (uint8_t)(sha.state[i / 4] >> (24 - 8 * (i % 4)));
	uuid.bytes[6] = (uint8_t)((uuid.bytes[6] & 0x0f) | 0x50);
	uuid.bytes[8] = (uint8_t)((uuid.bytes[8] & 0x3f) | 0x80);
	return uuid;
}
