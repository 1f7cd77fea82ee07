/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * name:password:id:... in both files, passwd(5) and group(5).
 */
#include "wire/ids.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire/attr.h"

#define FILE_MAX_BYTES 65536 /* a thousand users; strangers cause it */
#define NAME_MAX_BYTES 33    /* with the NUL; useradd(8) */

/* The field of a line that begins at it, and where the next one begins. */
static struct span next_field(const char **at)
{
	struct span field = { *at, strcspn(*at, ":\n") };

	*at += field.n;
	if (**at == ':')
		(*at)++;
	return field;
}

static bool find_name(const char *path, id_t id, char name[NAME_MAX_BYTES])
{
	struct buf file = BUF_INIT(FILE_MAX_BYTES);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? 1 : 0;
	const char *at;
	bool found = false;
	size_t room;
	char *p;

	while (n > 0 && (p = buf_space(&file, 4096, &room)) != NULL) {
		n = read(fd, p, room);
		if (n > 0)
			buf_used(&file, (size_t)n);
	}
	if (fd >= 0)
		(void)close(fd);
	for (at = file.p; at != NULL && *at != '\0' && !found;) {
		struct span first = next_field(&at);
		int64_t number;

		(void)next_field(&at);
		found = attr_number(next_field(&at), 0, UINT32_MAX, &number) ==
			FAULT_NONE &&
		    (id_t)number == id && first.n > 0 &&
		    first.n < NAME_MAX_BYTES;
		if (found)
			attr_plain(first, name, NAME_MAX_BYTES);
		at += strcspn(at, "\n");
		if (*at == '\n')
			at++;
	}
	buf_drop(&file);
	return found;
}

static struct ids_text say(const char *path, id_t id, const char *named,
    const char *nameless)
{
	char name[NAME_MAX_BYTES];
	struct ids_text said;

	if (find_name(path, id, name))
		(void)snprintf(said.text, sizeof(said.text), "%s%s", named,
		    name);
	else
		(void)snprintf(said.text, sizeof(said.text), "%s%lu", nameless,
		    (unsigned long)id);
	return said;
}

struct ids_text ids_user(uid_t uid)
{
	return say("/etc/passwd", uid, "user ", "uid ");
}

struct ids_text ids_owner(uid_t uid)
{
	return say("/etc/passwd", uid, "", "");
}

struct ids_text ids_group(gid_t gid)
{
	return say("/etc/group", gid, "", "");
}

void ids_say_shut(const char *path, const char *reason, struct why *why_out)
{
	char name[NAME_MAX_BYTES], begin[WHY_MAX_BYTES];
	bool named = find_name("/etc/passwd", geteuid(), name);
	struct stat st;

	(void)snprintf(begin, sizeof(begin),
	    "no permission for %s to reach the helper at %s",
	    ids_user(geteuid()).text, reason);
	if (stat(path, &st) != 0 || (st.st_mode & S_IWGRP) == 0)
		why_set(why_out, 0,
		    "%s: have root look with \"namei -l %s\" what shuts it out",
		    begin, path);
	else if (!named)
		why_set(why_out, 0,
		    "%s: start the program with the group %s as well", begin,
		    ids_group(st.st_gid).text);
	else if (strcmp(name, "postfix") == 0)
		/* smtp(8) keeps its primary group only. */
		why_set(why_out, 0,
		    "%s: run \"mkdir -p /etc/systemd/system/mailtoken.socket.d "
		    "&& printf '[Socket]\\nSocketGroup=postfix\\n' "
		    ">/etc/systemd/system/mailtoken.socket.d/postfix.conf && "
		    "systemctl daemon-reload && systemctl restart "
		    "mailtoken.socket\"",
		    begin);
	else
		why_set(why_out, 0,
		    "%s: run \"usermod -aG %s %s\" and start the program anew, "
		    "from a new login",
		    begin, ids_group(st.st_gid).text, name);
}
