/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The least that a program with libcurl is after one POST: `make bench`
 * compares the helper with it.
 *
 *	bench_post URL CA-FILE BODY
 */
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

static size_t drop(char *p, size_t one, size_t n, void *ctx)
{
	(void)p;
	(void)ctx;
	return one * n;
}

int main(int argc, char **argv)
{
	CURL *easy = curl_easy_init();
	curl_off_t took_us = 0;
	char line[256];
	FILE *file;

	if (argc != 4 || easy == NULL)
		return 2;
	(void)curl_easy_setopt(easy, CURLOPT_URL, argv[1]);
	(void)curl_easy_setopt(easy, CURLOPT_CAINFO, argv[2]);
	(void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, argv[3]);
	(void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop);
	if (curl_easy_perform(easy) != CURLE_OK)
		return 1;
	(void)curl_easy_getinfo(easy, CURLINFO_TOTAL_TIME_T, &took_us);
	(void)printf("took-us=%lld\n", (long long)took_us);
	file = fopen("/proc/self/smaps_rollup", "re");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, "Rss:", 4) == 0)
			(void)printf("rss-kib=%s",
			    line + 4 + strspn(line + 4, " "));
	if (file != NULL)
		(void)fclose(file);
	curl_easy_cleanup(easy);
	return 0;
}
