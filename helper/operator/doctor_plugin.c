/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Checks of the plugin, by libsasl2 itself: which files it looks at, and what
 * they offer to a program that has the environment of Postfix's smtp(8).
 */
#include <dlfcn.h>
#include <sasl/sasl.h>
#include <sasl/saslplug.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "operator/doctor.h"

#define FILE_NAME   "libmailtoken.so"
#define PATH_BYTES  1024
#define WORDS_BYTES 800
#define VALUE_BYTES 4096

/* What libsasl2 has said; a check's process asks it once. */
static struct seen {
	char folder[PATH_BYTES]; /* of the first file that it looked at */
	char ours[PATH_BYTES];
	char words[WORDS_BYTES]; /* of its log, about ours */
	char first[PATH_BYTES];	 /* whose XOAUTH2 is taken */
	char other[PATH_BYTES];	 /* another file that offers one */
	bool offered;
} seen;

static const char *leaf_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

static void keep(char *to, const char *text)
{
	(void)snprintf(to, PATH_BYTES, "%s", text);
}

static int on_file(void *ctx, const char *file, sasl_verify_type_t type)
{
	(void)ctx;
	if (type != SASL_VRFY_PLUGIN)
		return SASL_OK;
	if (seen.folder[0] == '\0') {
		keep(seen.folder, file);
		seen.folder[leaf_of(seen.folder) - seen.folder] = '\0';
	}
	if (strcmp(leaf_of(file), FILE_NAME) == 0)
		keep(seen.ours, file);
	return SASL_OK;
}

static int on_log(void *ctx, int level, const char *message)
{
	(void)ctx;
	if (level <= SASL_LOG_WARN && strstr(message, "mailtoken") != NULL)
		(void)snprintf(seen.words, sizeof(seen.words), "%s", message);
	return SASL_OK;
}

static void on_mechanism(client_sasl_mechanism_t *mechanism,
    sasl_info_callback_stage_t stage, void *ctx)
{
	Dl_info info;

	(void)ctx;
	if (stage != SASL_INFO_LIST_MECH ||
	    (strcmp(mechanism->plug->mech_name, "XOAUTH2") != 0 &&
		strcmp(mechanism->plug->mech_name, "OAUTHBEARER") != 0) ||
	    dladdr(mechanism->plug, &info) == 0)
		return;
	if (seen.first[0] == '\0')
		keep(seen.first, info.dli_fname);
	if (strcmp(leaf_of(info.dli_fname), FILE_NAME) == 0)
		seen.offered = true;
	else
		keep(seen.other, info.dli_fname);
}

void doctor_import(const struct doctor *doctor)
{
	char name[VALUE_BYTES];
	const char *list, *equals;
	struct span word;

	if (!doctor->has_postfix)
		return;
	(void)clearenv();
	list = postfix_value(&doctor->postfix, "import_environment").p;
	while ((word = span_next(&list)).n > 0) {
		(void)snprintf(name, sizeof(name), "%.*s", SPAN(word));
		equals = strchr(name, '=');
		if (equals == NULL)
			continue;
		name[equals - name] = '\0';
		(void)setenv(name, equals + 1, 1);
	}
}

static void look(const struct doctor *doctor)
{
	const sasl_callback_t callbacks[] = {
		{ SASL_CB_VERIFYFILE, (int (*)(void))(void (*)(void))on_file,
		    NULL },
		{ SASL_CB_LOG, (int (*)(void))(void (*)(void))on_log, NULL },
		{ SASL_CB_LIST_END, NULL, NULL },
	};

	doctor_import(doctor);
	if (sasl_client_init(callbacks) == SASL_OK)
		(void)sasl_client_plugin_info(NULL, on_mechanism, NULL);
	if (seen.folder[0] == '\0')
		keep(seen.folder, MAILTOKEN_SASL_PLUGINDIR "/");
}

void doctor_plugin_file(struct doctor *doctor, struct finding *finding)
{
	static const char *const others[] = { MAILTOKEN_SASL_PLUGINDIR,
		"/usr/lib/sasl2", "/usr/lib64/sasl2", "/usr/local/lib/sasl2" };
	char path[PATH_BYTES];
	size_t i;

	look(doctor);
	if (seen.ours[0] != '\0') {
		finding_good(finding, "libsasl2 looks at %s", seen.ours);
		return;
	}
	finding_wrong(finding,
	    "libsasl2 looks for plugins in %s, and " FILE_NAME " is not there",
	    seen.folder);
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/" FILE_NAME, others[i]);
		if (access(path, F_OK) == 0) {
			finding_type(finding, "cp %s %s", path, seen.folder);
			return;
		}
	}
	finding_wrong(finding, ": install mailtoken anew");
}

void doctor_plugin_loads(struct doctor *doctor, struct finding *finding)
{
	struct stat about;
	void *library;

	look(doctor);
	library = dlopen(seen.ours, RTLD_NOW | RTLD_LOCAL);
	if (library == NULL || dlsym(library, "sasl_client_plug_init") == NULL)
		finding_wrong(finding,
		    "libsasl2 cannot load the plugin, install mailtoken anew: "
		    "%s",
		    dlerror());
	else if (stat(seen.ours, &about) == 0 &&
	    ((about.st_mode & S_IROTH) == 0 ||
		(about.st_mode & S_IWOTH) != 0)) {
		finding_wrong(finding,
		    "%s has mode %o: others must be able to read it and not to "
		    "write it",
		    seen.ours, (unsigned)about.st_mode & 07777);
		finding_type(finding, "chmod 644 %s", seen.ours);
	} else {
		finding_good(finding, "libsasl2 can load it");
	}
}

void doctor_plugin_offered(struct doctor *doctor, struct finding *finding)
{
	look(doctor);
	if (seen.offered)
		finding_good(finding, "it offers XOAUTH2 and OAUTHBEARER");
	else
		finding_wrong(finding,
		    "the plugin offers no mechanism: it was built for another "
		    "libsasl2, or is kept from its socket or configuration%s%s",
		    seen.words[0] != '\0' ? ": " : "", seen.words);
}

/* Which of two is taken depends on the order in their folder. */
void doctor_plugin_alone(struct doctor *doctor, struct finding *finding)
{
	look(doctor);
	if (seen.other[0] == '\0') {
		finding_good(finding, "no other plugin offers its mechanisms");
		return;
	}
	finding_wrong(finding,
	    "%s offers the mechanisms, too, and %s is taken: remove the "
	    "package of the other one, or put it out of the way",
	    seen.other, seen.first);
	finding_type(finding, "mv %s %s.off", seen.other, seen.other);
}
