/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Runs a harness without libFuzzer: on every seed, on the seed cut at every
 * place, and with every byte replaced by a few others; the same each time.
 * With arguments: on these files as they are, such as one that libFuzzer
 * kept.  Long seeds are cut and changed at POSITIONS_MAX places only.
 */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define SEED_MAX_BYTES 262144
#define POSITIONS_MAX  400

static unsigned long runs;

/* Always from a block of its own size, so that reading on is found. */
static void run(const char *bytes, size_t n)
{
	uint8_t *copy = malloc(n > 0 ? n : 1);

	FUZZ_CHECK(copy != NULL);
	if (n > 0)
		memcpy(copy, bytes, n);
	(void)LLVMFuzzerTestOneInput(copy, n);
	free(copy);
	runs++;
}

static void run_changed(char *bytes, size_t n, size_t at)
{
	static const char others[] = { '\0', '\n', '\r', ' ', '"', '=', '0',
		'-', '%', 'A', '{', '\\', '\177', '\200', '\377' };
	char kept = bytes[at];
	size_t i;

	run(bytes, at);
	for (i = 0; i < sizeof(others); i++) {
		bytes[at] = others[i];
		run(bytes, n);
	}
	for (i = 0; i < 8; i++) {
		bytes[at] = (char)(kept ^ (1 << i));
		run(bytes, n);
	}
	bytes[at] = kept;
}

static void run_file(const char *path, bool changed)
{
	char *bytes = malloc(SEED_MAX_BYTES + 1);
	FILE *file = fopen(path, "rb");
	size_t n, at, stride;

	if (file == NULL)
		perror(path);
	FUZZ_CHECK(bytes != NULL && file != NULL);
	n = fread(bytes, 1, SEED_MAX_BYTES + 1, file);
	FUZZ_CHECK(n <= SEED_MAX_BYTES && ferror(file) == 0);
	(void)fclose(file);
	run(bytes, n);
	stride = n / POSITIONS_MAX + 1;
	for (at = 0; changed && at < n; at += stride)
		run_changed(bytes, n, at);
	free(bytes);
}

static int is_seed(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int run_folder(const char *folder)
{
	struct dirent **seeds = NULL;
	int i, n = scandir(folder, &seeds, is_seed, alphasort);

	if (n <= 0) {
		(void)fprintf(stderr, "no seeds in %s\n", folder);
		return EXIT_FAILURE;
	}
	for (i = 0; i < n; i++) {
		char path[4096];

		(void)snprintf(path, sizeof(path), "%s/%s", folder,
		    seeds[i]->d_name);
		run_file(path, true);
		free(seeds[i]);
	}
	free(seeds);
	(void)printf("%s: %d seeds, %lu runs\n", fuzz_name, n, runs);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	char folder[3072];
	int i;

	for (i = 1; i < argc; i++)
		run_file(argv[i], false);
	if (argc > 1)
		return EXIT_SUCCESS;
	(void)snprintf(folder, sizeof(folder), "%s/%s", FUZZ_SEEDS, fuzz_name);
	return run_folder(folder);
}
