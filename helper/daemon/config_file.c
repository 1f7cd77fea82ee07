/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Files to libConfuse.  An included file is read after the one that names
 * it, into the same table; the order does not matter because nothing may
 * stand twice.  libConfuse keeps its lexer in globals, so one file is read
 * at a time, and its callbacks find the reader in a global of ours.
 */
#include "daemon/config_read.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static struct config_reading *current;
static bool complained;

/* The keys that may stand where an unknown one was found. */
static void list_keys(const cfg_t *cfg, char *out, size_t out_bytes)
{
	size_t n = 0;
	int i, wrote;

	for (i = 0; cfg->opts[i].name != NULL; i++) {
		wrote = snprintf(out + n, out_bytes - n, " %s",
		    cfg->opts[i].name);
		if (wrote < 0 || (size_t)wrote >= out_bytes - n)
			break;
		n += (size_t)wrote;
	}
	out[n] = '\0';
}

/* The first complaint is the cause, the others follow from it. */
static void on_error(cfg_t *cfg, const char *format, va_list args)
    PRINTF_LIKE(2, 0);

static void on_error(cfg_t *cfg, const char *format, va_list args)
{
	char text[160], keys[360] = "";

	if (complained)
		return;
	complained = true;
	(void)vsnprintf(text, sizeof(text), format, args);
	if (strncmp(format, "no such option", 14) == 0) {
		list_keys(cfg, keys, sizeof(keys));
		why_set(current->why, 0, "%s:%d: %s; the keys here are:%s",
		    cfg->filename, cfg->line, text, keys);
		return;
	}
	why_set(current->why, 0, "%s:%d: %s; %s", cfg->filename, cfg->line,
	    text,
	    strstr(format, "duplicate") != NULL ?
		"keep one of the two blocks" :
		"write key = 'value' or key = { 'one', 'two' }");
}

static bool is_loaded(const struct config_scan *scan, const struct stat *st)
{
	struct stat old;
	unsigned i;

	for (i = 0; i < scan->n_files; i++)
		if (stat(scan->files[i], &old) == 0 &&
		    old.st_dev == st->st_dev && old.st_ino == st->st_ino)
			return true;
	return false;
}

static int on_include(cfg_t *cfg, cfg_opt_t *opt, int argc, const char **argv)
{
	struct config_scan *scan = &current->scan;
	struct stat st;

	(void)opt;
	if (argc != 1 || argv[0][0] != '/') {
		cfg_error(cfg,
		    "include needs one whole path that begins with '/'");
		return 1;
	}
	if (stat(argv[0], &st) != 0) {
		cfg_error(cfg, "the included file %s %s", argv[0],
		    errno == ENOENT ? "does not exist" : "cannot be read");
		return 1;
	}
	if (is_loaded(scan, &st)) {
		cfg_error(cfg, "the file %s is included already", argv[0]);
		return 1;
	}
	if (scan->n_files == CONFIG_FILES_MAX) {
		cfg_error(cfg, "more than %d files", CONFIG_FILES_MAX);
		return 1;
	}
	scan->files[scan->n_files] = strdup(argv[0]);
	if (scan->files[scan->n_files] == NULL)
		return 1;
	scan->n_files++;
	return 0;
}

#define BLOCK_FLAGS    (CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES)
#define CFG_TEXT(name) CFG_STR(name, NULL, CFGF_NODEFAULT)

static cfg_t *make_table(void)
{
	cfg_opt_t provider[] = { CFG_STR("preset", NULL, CFGF_NODEFAULT),
		CFG_STR("issuer", NULL, CFGF_NODEFAULT),
		CFG_STR("authorization_endpoint", NULL, CFGF_NODEFAULT),
		CFG_STR("token_endpoint", NULL, CFGF_NODEFAULT),
		CFG_TEXT("device_authorization_endpoint"),
		CFG_STR("revocation_endpoint", NULL, CFGF_NODEFAULT),
		CFG_STR("registration_endpoint", NULL, CFGF_NODEFAULT),
		CFG_STR("client_id", NULL, CFGF_NODEFAULT),
		CFG_STR("client_secret_file", NULL, CFGF_NODEFAULT),
		CFG_STR("client_secret_expires", NULL, CFGF_NODEFAULT),
		CFG_STR("certificate", NULL, CFGF_NODEFAULT),
		CFG_STR("certificate_key", NULL, CFGF_NODEFAULT),
		CFG_TEXT("certificate_key_passphrase_file"),
		CFG_STR("certificate_algorithm", NULL, CFGF_NODEFAULT),
		CFG_STR("assertion_file", NULL, CFGF_NODEFAULT),
		CFG_STR("service_account_file", NULL, CFGF_NODEFAULT),
		CFG_STR("tenant", NULL, CFGF_NODEFAULT),
		CFG_STR("cloud", NULL, CFGF_NODEFAULT),
		CFG_STR("flow", NULL, CFGF_NODEFAULT),
		CFG_STR_LIST("scope", NULL, CFGF_NODEFAULT),
		CFG_STR_LIST("protocols", NULL, CFGF_NODEFAULT),
		CFG_STR_LIST("servers", NULL, CFGF_NODEFAULT),
		CFG_STR("min_validity", NULL, CFGF_NODEFAULT),
		CFG_STR("redirect_port", NULL, CFGF_NODEFAULT),
		CFG_STR("ca_file", NULL, CFGF_NODEFAULT),
		CFG_STR("ca_path", NULL, CFGF_NODEFAULT),
		CFG_STR("proxy", NULL, CFGF_NODEFAULT),
		CFG_STR_LIST("extra", NULL, CFGF_NODEFAULT), CFG_END() };
	cfg_opt_t account[] = { CFG_STR("provider", NULL, CFGF_NODEFAULT),
		CFG_STR("login", NULL, CFGF_NODEFAULT),
		CFG_STR("token_of", NULL, CFGF_NODEFAULT),
		CFG_STR_LIST("allow", NULL, CFGF_NODEFAULT),
		CFG_STR_LIST("servers", NULL, CFGF_NODEFAULT), CFG_END() };
	cfg_opt_t top[] = { CFG_STR_LIST("listen", NULL, CFGF_NODEFAULT),
		CFG_STR("keyring", NULL, CFGF_NODEFAULT),
		CFG_STR("keyring_key", NULL, CFGF_NODEFAULT),
		CFG_STR_LIST("allow", NULL, CFGF_NODEFAULT),
		CFG_STR_LIST("admin", NULL, CFGF_NODEFAULT),
		CFG_STR("user", NULL, CFGF_NODEFAULT),
		CFG_STR("renew_idle", NULL, CFGF_NODEFAULT),
		CFG_STR("password_as_token", NULL, CFGF_NODEFAULT),
		CFG_STR("log_level", NULL, CFGF_NODEFAULT),
		CFG_FUNC("include", on_include),
		CFG_SEC("provider", provider, BLOCK_FLAGS),
		CFG_SEC("account", account, BLOCK_FLAGS), CFG_END() };
	cfg_t *cfg = cfg_init(top, CFGF_NONE);

	if (cfg != NULL)
		(void)cfg_set_error_function(cfg, on_error);
	return cfg;
}

static enum fault parse_text(struct config_reading *reading, unsigned file,
    struct buf *text)
{
	FILE *stream;
	int result;

	free(reading->cfg->filename);
	reading->cfg->filename = strdup(reading->scan.files[file]);
	stream = fmemopen(text->p, text->n, "r");
	if (stream == NULL || reading->cfg->filename == NULL) {
		if (stream != NULL)
			(void)fclose(stream);
		return FAULT_NOMEM;
	}
	complained = false;
	current = reading;
	result = cfg_parse_fp(reading->cfg, stream);
	current = NULL;
	(void)fclose(stream);
	if (result == CFG_SUCCESS)
		return FAULT_NONE;
	/* Whatever fails without a word is the lack of memory. */
	return complained ? FAULT_CONFIG_ERROR : FAULT_NOMEM;
}

static enum fault parse_file(struct config_reading *reading, unsigned file)
{
	struct buf text = BUF_INIT(CONFIG_FILE_MAX_BYTES);
	enum fault fault;

	fault = config_scan_load(reading->scan.files[file], &text,
	    reading->why);
	/* Only the first file may be missing; an included one was there. */
	if (fault == FAULT_NOT_FOUND && file > 0)
		fault = FAULT_CONFIG_ERROR;
	if (fault == FAULT_NONE)
		fault = config_scan_text(&reading->scan, file, &text,
		    reading->why);
	if (fault == FAULT_NONE && text.n > 0)
		fault = parse_text(reading, file, &text);
	buf_drop(&text);
	return fault;
}

enum fault config_parse(struct config_reading *reading)
{
	enum fault fault;
	unsigned i;

	fault = config_scan_init(&reading->scan);
	if (fault != FAULT_NONE)
		return fault;
	reading->scan.files[0] = strdup(reading->source->path);
	reading->cfg = make_table();
	if (reading->scan.files[0] == NULL || reading->cfg == NULL)
		return FAULT_NOMEM;
	reading->scan.n_files = 1;
	for (i = 0; i < reading->scan.n_files; i++) {
		fault = parse_file(reading, i);
		if (fault != FAULT_NONE)
			return fault;
	}
	return FAULT_NONE;
}
