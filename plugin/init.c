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
#include <string.h>
#include <unistd.h>

#include "mech.h"
#include "wire/address.h"

sasl_client_plug_init_t sasl_client_plug_init
    __attribute__((visibility("default")));

/*
 * Newer releases of libsasl2 dropped eight members from the middle of
 * sasl_utils_t and kept plugin version and soname, so that a plugin built
 * for the other layout calls wrong functions.  utils->version is not
 * initialised.  What tells the two apart is what stands behind them: the
 * library's function of that name, or another.
 */
static bool has_our_layout(const sasl_utils_t *utils)
{
	void *seterror = (void *)(uintptr_t)utils->seterror;
	Dl_info info;

	return dladdr(seterror, &info) != 0 && info.dli_saddr == seterror &&
	    info.dli_sname != NULL &&
	    strcmp(info.dli_sname, "sasl_seterror") == 0;
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
