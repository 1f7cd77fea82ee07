/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * init - the one exported symbol: who are we loaded by, and are we wanted
 *
 * Runs in every program that initialises a SASL client, in Postfix as root
 * before it enters its chroot.  Opens, connects and logs nothing; failing to
 * be of use is not an error but an empty list of mechanisms.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "mech.h"
#include "wire/address.h"

#if SASL_UTILS_VERSION > 4
#define EXPECT_MD5 false
#else
#define EXPECT_MD5 true
#endif

sasl_client_plug_init_t sasl_client_plug_init
    __attribute__((visibility("default")));

/*
 * Newer releases of libsasl2 dropped eight members from the middle of
 * sasl_utils_t and kept plugin version and soname, so that a plugin built
 * for the other layout calls wrong functions.  utils->version is not
 * initialised.  What tells the two apart is a symbol that went with the
 * members; getopt stands before them and says which library called us.
 */
static bool has_our_layout(const sasl_utils_t *utils)
{
	Dl_info info;
	void *library;
	bool has_md5;

	if (dladdr((void *)(uintptr_t)utils->getopt, &info) == 0 ||
	    info.dli_fname == NULL)
		return false;
	library = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
	if (library == NULL)
		return false;
	has_md5 = dlsym(library, "_sasl_MD5Init") != NULL;
	(void)dlclose(library);
	return has_md5 == EXPECT_MD5;
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/*
 * We rank above PLAIN, so where nobody has set mailtoken up nothing is
 * offered and password logins stay as they are.
 */
static bool is_wanted(void)
{
	char path[ADDRESS_FILE_MAX_BYTES];
	struct address socket;

	if (secure_getenv(ADDRESS_SOCKET_ENV) != NULL)
		return true;
	if (geteuid() == 0)
		return exists(address_system_config());
	if ((address_user_config(path) == FAULT_NONE && exists(path)) ||
	    (address_user_keyring(path) == FAULT_NONE && exists(path)))
		return true;
	address_system_socket(&socket);
	return exists(address_system_config()) &&
	    access(socket.path, W_OK) == 0;
}

int sasl_client_plug_init(const sasl_utils_t *utils, int max_version,
    int *out_version, sasl_client_plug_t **pluglist, int *plugcount)
{
	if (max_version < SASL_CLIENT_PLUG_VERSION || !has_our_layout(utils))
		return SASL_BADVERS;

	*out_version = SASL_CLIENT_PLUG_VERSION;
	*pluglist = (sasl_client_plug_t *)(uintptr_t)mech_list;
	*plugcount = is_wanted() ? MECH_COUNT : 0;
	return SASL_OK;
}
