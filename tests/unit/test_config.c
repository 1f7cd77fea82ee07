/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * mailtoken.conf(5): what is understood, and that whatever is not comes back
 * with file, line and what to write instead.
 */
#include "daemon/config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failing_malloc.h"
#include "test.h"

static char folder[] = "/tmp/mailtoken-config-XXXXXX";
static char path[64], other[64], secret[64];

static void write_bytes(const char *name, const char *text, size_t n,
    mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), (ssize_t)n);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(close(fd), 0);
}

static void write_file(const char *name, const char *text)
{
	write_bytes(name, text, strlen(text), 0644);
}

static enum fault read_again(bool user_helper, struct config **config_out,
    struct why *why)
{
	struct config_source source = { .path = path,
		.user_helper = user_helper,
		.whole = true,
		.owner = geteuid() };

	why->text[0] = '\0';
	return config_read(&source, config_out, why);
}

static struct config *good(const char *text)
{
	struct config *config = NULL;
	enum fault fault;
	struct why why;

	write_file(path, text);
	fault = read_again(false, &config, &why);
	if (fault != FAULT_NONE)
		fail_msg("%s", why.text);
	return config;
}

static void check_bad(const char *text, int line, const char *says)
{
	struct config *config = NULL;
	struct why why;
	char at[96];

	assert_int_equal(read_again(false, &config, &why), FAULT_CONFIG_ERROR);
	assert_null(config);
	if (line > 0)
		(void)snprintf(at, sizeof(at), "%s:%d: ", path, line);
	else
		(void)snprintf(at, sizeof(at), "%s: ", path);
	if (strncmp(why.text, at, strlen(at)) != 0 ||
	    strstr(why.text, says) == NULL)
		fail_msg("for:\n%s\ngot:  %s\nwant: %s... %s", text, why.text,
		    at, says);
}

static void bad(const char *text, int line, const char *says)
{
	write_file(path, text);
	check_bad(text, line, says);
}

static int make_folder(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/mailtoken.conf", folder);
	(void)snprintf(other, sizeof(other), "%s/other.conf", folder);
	(void)snprintf(secret, sizeof(secret), "%s/secret", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	(void)unlink(path);
	(void)unlink(other);
	(void)unlink(secret);
	return rmdir(folder);
}

#define ENDPOINTS \
	"  token_endpoint https://id.example/token\n" \
	"  device_authorization_endpoint https://id.example/device\n" \
	"  client_id me\n"

static void a_whole_file_is_understood(void **state)
{
	struct config *config = good(
	    "# a comment\n"
	    "allow  root @daemon # why not\n"
	    "admin @root\n"
	    "listen /run/x/socket\t/run/y/socket\n"
	    "keyring /var/lib/x#y\n"
	    "user nobody\n"
	    "renew_idle 12h\n"
	    "password_as_token yes\n"
	    "log_level \"debug\"\n"
	    "\n"
	    "provider microsoft\n"
	    "\tclient_id abc\n"
	    "# a comment between\n"
	    "\ttenant x.example\n"
	    "provider own\n" ENDPOINTS "\n"
	    "  scope mail offline_access\n"
	    "  servers smtp.example *.mail.example\n"
	    "  extra audience=mail\n"
	    "  min_validity 300\n"
	    "account Alice@X.Example\n"
	    "  provider own\n"
	    "  login al\n"
	    "  login imap \"al \\\"the\\\\ post\\\"\"\n"
	    "account *@x.example\n"
	    "  provider microsoft\n"
	    "  allow 1234\n"
	    "  servers a.example *.b.example\n"
	    "account shared@x.example\n"
	    "  token_of ALICE@x.example\n"
	    "  allow");
	struct provider *own = config_provider(config, "own");
	const struct config_account *account;

	(void)state;
	assert_int_equal(config->n_listen, 2);
	assert_string_equal(config->listen[1], "/run/y/socket");
	assert_string_equal(config->keyring, "/var/lib/x#y");
	assert_string_equal(config->user, "nobody");
	assert_int_equal(config->renew_idle_s, 43200);
	assert_true(config->password_as_token);
	assert_int_equal(config->log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(config->allow.uids.n, 1);
	assert_int_equal(config->allow.gids.n, 1);
	assert_int_equal(config->admin.gids.n, 1);
	assert_int_equal(config->n_notes, 0);

	assert_non_null(config_provider(config, "microsoft"));
	assert_null(config_provider(config, "google"));
	assert_non_null(own);
	assert_string_equal(own->scope, "mail offline_access");
	assert_non_null(strchr(own->servers, ' '));
	assert_string_equal(own->extra, "audience=mail");
	assert_int_equal(own->min_validity_s, 300);

	account = config_account(config, "alice@x.example");
	assert_string_equal(account->provider, "own");
	assert_string_equal(account->login, "al");
	assert_string_equal(config_login(account, span_of("imap")),
	    "al \"the\\ post\"");
	assert_string_equal(config_login(account, span_of("smtp")), "al");
	assert_false(account->has_allow);
	account = config_account(config, "bob@x.example");
	assert_string_equal(account->name, "*@x.example");
	assert_string_equal(account->servers, "a.example *.b.example");
	assert_true(account->has_allow);
	account = config_account(config, "shared@x.example");
	assert_string_equal(account->token_of, "alice@x.example");
	assert_true(account->has_allow);
	assert_int_equal(account->allow.uids.n, 0);
	assert_null(config_account(config, "bob@y.example"));
	assert_null(config_account(config, "bob"));
	config_release(config);
}

static void defaults_of_the_system_helper(void **state)
{
	struct config *config = good("");

	(void)state;
	assert_int_equal(config->n_listen, 1);
	assert_string_equal(config->listen[0], MAILTOKEN_SYSTEM_SOCKET);
	assert_string_equal(config->keyring, MAILTOKEN_SYSTEM_KEYRING);
	assert_string_equal(config->user, MAILTOKEN_HELPER_USER);
	assert_null(config->keyring_key);
	assert_false(config->password_as_token);
	assert_int_equal(config->renew_idle_s, 7 * 86400);
	assert_int_equal(config->log_level, LOG_LEVEL_INFO);
	config_release(config);
}

static void a_user_helper_needs_no_file(void **state)
{
	struct config_source source = { .path = other,
		.user_helper = true,
		.may_be_missing = true,
		.owner = geteuid() };
	struct config *config = NULL;
	struct why why;

	(void)state;
	(void)unlink(other);
	assert_int_equal(setenv("XDG_STATE_HOME", "/s", 1), 0);
	assert_int_equal(setenv("XDG_RUNTIME_DIR", "/r", 1), 0);
	assert_int_equal(config_read(&source, &config, &why), FAULT_NONE);
	assert_string_equal(config->keyring, "/s/mailtoken/keyring");
	assert_string_equal(config->listen[0], "/r/mailtoken/socket");
	assert_null(config->user);
	assert_true(config->password_as_token);
	config_release(config);

	source.may_be_missing = false;
	assert_int_equal(config_read(&source, &config, &why),
	    FAULT_CONFIG_ERROR);
	assert_non_null(strstr(why.text, other));
	assert_non_null(strstr(why.text, "no such file"));
}

static void a_relay_gets_the_right_to_send_only(void **state)
{
	static const char text[] = "provider microsoft\n client_id a\n"
				   "keyring /k\nlisten /l\n";
	struct config *config = good(text);
	struct why why;

	(void)state;
	assert_non_null(
	    strstr(config_provider(config, "microsoft")->scope, "SMTP.Send"));
	assert_null(
	    strstr(config_provider(config, "microsoft")->scope, "IMAP"));
	config_release(config);
	assert_int_equal(read_again(true, &config, &why), FAULT_NONE);
	assert_non_null(
	    strstr(config_provider(config, "microsoft")->scope, "IMAP"));
	config_release(config);
}

static void syntax_errors_have_line_and_cure(void **state)
{
	(void)state;
	bad("\nkeyring\n", 2, "needs one value");
	bad("keyring # /a\n", 1, "needs one value");
	bad("keyring /a b\n", 1, "between double quotes");
	bad("listen\n", 1, "needs a value");
	bad("provider\n", 1, "needs a name");
	bad("provider x client_id a\n", 1, "lines of their own");
	bad("\n  allow root\n", 2, "begin it at the margin");
	bad("account a\nallow root\n  login x\n", 3, "begin it at the margin");
	bad("keyring \"/x\n\"\n", 1, "not closed");
	bad("keyring \"/x\\\n", 1, "backslash");
	bad("keyring \"/x\\n\"\n", 1, "backslash");
	bad("keyring \"/x\"y\n", 1, "behind a closing quote");
	bad("keyring /x\"y\"\n", 1, "around the whole word");
	bad("include /a /b\n", 1, "one path");
	bad("include\n", 1, "one path");
	bad("account a\n login news x\n", 2, "smtp, imap or pop");
	bad("account a\n login\n", 2, "smtp, imap or pop");
	bad("account a\n login smtp x y\n", 2, "smtp, imap or pop");
}

/* key = { 'one', 'two' }, and what else stood in such files */
static void another_grammar_is_told_in_a_sentence(void **state)
{
	static const char *const lines[] = {
		"allow = 'x'",
		"allow = { 'x', 'y' }",
		"allow ={ 'x' }",
		"provider 'x' {",
		"provider x {",
		"allow='x'",
		"allow={'x'}",
		"keyring=/a",
		"// c",
		"include('/a')",
		"/* c */",
		"keyring = /a",
		"'keyring' /a",
		"}",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		bad(lines[i], 1, "write keyword value, without =");
	bad("keyring \"={ '\"\n", 1, "begins with /");
}

static void unknown_keywords_are_named_with_their_line(void **state)
{
	(void)state;
	bad("\nfoo x\n", 2, "keywords here are: keyring keyring_key");
	bad("keyring|x /a\n", 1, "no such keyword");
	bad("Allow x\n", 1, "did you mean 'allow'");
	bad("provider x\n\n clientid a\n", 3, "client_id");
	bad("provider x\n zzz red\n", 2, "keywords here are: preset");
	bad("provider x\n keyring /a\n", 2, "a general one");
	bad("account x\n allowed a\n", 2, "did you mean 'allow'");
	bad("account x\n zzz red\n", 2,
	    "keywords here are: provider token_of allow login servers");
	bad("account x\n tenant a\n", 2, "no such keyword");
	bad("client_id a\n", 1, "indent its line");
	bad("server x\n", 1, "no such keyword");
	bad("provider x\n certificates /a\n", 2, "no such keyword");
	bad("provider x\n include /a\n", 2, "a general one");
}

static void nothing_may_stand_twice(void **state)
{
	(void)state;
	bad("allow root\n\nallow root\n", 3, "second time");
	bad("allow\nallow root\n", 2, "second time");
	bad("allow root\nallow\n", 2, "second time");
	bad("keyring /a\nkeyring /b\n", 2, "keep one");
	bad("provider x\n tenant a\n tenant a\n", 3, "keep one");
	bad("provider x\n" ENDPOINTS "provider x\n", 5,
	    "second block for provider 'x'");
	bad("account x\naccount x\n", 2, "keep one");
	bad("account a@x\n\naccount A@X\n", 3, "case does");
	bad("account a\n login smtp x\n login x\n login smtp y\n", 4,
	    "login smtp stands here a second time");
}

static void values_are_checked_with_their_line(void **state)
{
	(void)state;
	bad("listen socket\n", 1, "write /run/mailtoken/socket");
	bad("listen /run/socket/\n", 1, "whole path");
	bad("listen /1 /2 /3 /4 /5 /6 /7 /8 /9\n", 1, "more than 8");
	bad("keyring keyring\n", 1, "begins with /");
	bad("\nkeyring_key key\n", 2, "credential:NAME");
	bad("\nkeyring_key /key old\n", 2, "credential:NAME");
	bad("keyring_key\n", 1, "needs a value");
	bad("keyring_key /1 /2 /3\n", 1, "one file, or two");
	bad("user \"\"\n", 1, "user is empty");
	bad("renew_idle 1w\n", 1, "write 7d");
	bad("renew_idle d\n", 1, "write 7d");
	bad("renew_idle 59m\n", 1, "write 7d");
	bad("renew_idle 81d\n", 1, "write 7d");
	bad("renew_idle -1\n", 1, "write 7d");
	bad("renew_idle 99999999999999999999\n", 1, "write 7d");
	bad("password_as_token maybe\n", 1, "yes or no");
	bad("\n\nlog_level loud\n", 3, "'error', 'warning'");
	bad("allow root \"\"\n", 1, "user or @group");
	bad("admin @\n", 1, "user or @group");
	bad("provider \"a b\"\n", 1, "provider's name");
	bad("provider x\n preset nosuch\n", 2, "no preset 'nosuch'");
	bad("\nprovider x\n", 2, "provider 'x'");
	bad("provider x\n" ENDPOINTS " flow magic\n", 5, "'device'");
	bad("provider x\n token_endpoint http://x.example/\n", 2, "https");
	bad("provider x\n" ENDPOINTS " min_validity 1h\n", 5,
	    "number of seconds");
	bad("provider x\n" ENDPOINTS " servers a b/c\n", 5, "host name");
	bad("provider x\n" ENDPOINTS " extra a\n", 5, "name=value");
	bad("provider x\n" ENDPOINTS " extra scope=a\n", 5, "extra");
	bad("provider x\n" ENDPOINTS " protocols news\n", 5,
	    "smtp, imap and pop");
	bad("provider x\n" ENDPOINTS " ca_file /nonexistent\n", 5,
	    "No such file");
	bad("provider x\n" ENDPOINTS " ca_path /etc/passwd\n", 5,
	    "Not a directory");
	bad("provider microsoft\n client_id a\n tenant x/y\n", 3,
	    "tenant must be");
}

static void accounts_are_checked_with_their_line(void **state)
{
	(void)state;
	bad("account \"\"\n", 1, "account me@example.com");
	bad("account a\001\n", 1, "account block needs a name");
	bad("account a*b\n", 1, "*@domain or *");
	bad("account *@\n", 1, "*@domain or *");
	bad("account a\n provider x\n", 2, "add a block provider x");
	bad("account a\n login \"\"\n", 2, "login has 1");
	bad("account a\n token_of *\n", 2, "name one account");
	bad("account a\n servers \"x y\"\n", 2, "smtp.example.com");
	bad("provider x\n" ENDPOINTS "account a\n provider x\n token_of b\n", 7,
	    "exclude");
	bad("account a\n token_of b\naccount b\n token_of c\n", 2,
	    "grant of its own");
	bad("account a\n token_of a\n", 2, "grant of its own");
	bad("account *\n token_of b\n", 2, "without token_of");
	bad("account *@x\n token_of b@x\n", 2, "without token_of");
	config_release(good("account *@x\n token_of b@x\naccount b@x\n"));
}

static void words_may_stand_in_quotes(void **state)
{
	struct config *config;

	(void)state;
	config = good("keyring \"/a b # \\\"\\\\\" # \"c\n");
	assert_string_equal(config->keyring, "/a b # \"\\");
	config_release(config);
	config = good("keyring /${HOME}/\\a'b#c=\n");
	assert_string_equal(config->keyring, "/${HOME}/\\a'b#c=");
	config_release(config);
	config = good("provider x\n" ENDPOINTS
		      "# no end\n\n\tscope \"\"\n \tproxy \"\"\n");
	assert_string_equal(config_provider(config, "x")->scope, "");
	assert_string_equal(config_provider(config, "x")->proxy, "");
	config_release(config);
}

static void crlf_files_and_comments_everywhere_are_read(void **state)
{
	struct config *config = good("# c\r\nallow root\tnobody # x ' \" }\r\n"
				     "   # indented\r\n \t\r\n#\r\n"
				     "provider x # y\r\n" ENDPOINTS "# end");

	(void)state;
	assert_int_equal(config->allow.uids.n, 2);
	assert_int_equal(config->n_providers, 1);
	config_release(config);
	config = good("\357\273\277allow root\n");
	assert_int_equal(config->allow.uids.n, 1);
	config_release(config);
	bad("# c\r\n\r\nfoo x\r\n", 3, "no such keyword");
}

static void odd_files_are_refused(void **state)
{
	char *huge = calloc(1, 1048577);
	struct config *config = NULL;
	struct why why;

	(void)state;
	assert_non_null(huge);
	memset(huge, '\n', 1048576);
	write_bytes(path, huge, 1048576, 0644);
	check_bad("huge", 0, "include FILE");
	memset(huge, '#', 1048575);
	write_bytes(path, huge, 1048575, 0644);
	assert_int_equal(read_again(false, &config, &why), FAULT_NONE);
	config_release(config);
	free(huge);

	write_bytes(path, "a\0b", 3, 0644);
	check_bad("NUL", 0, "NUL byte");
	write_bytes(path, "", 0, 0666);
	check_bad("mode 0666", 0, "chmod go-w");
	assert_int_equal(unlink(path), 0);
	check_bad("missing", 0, "mailtoken.conf(5)");
	assert_int_equal(mkfifo(path, 0600), 0);
	check_bad("fifo", 0, "no plain file");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	check_bad("folder", 0, "no plain file");
	assert_int_equal(rmdir(path), 0);
}

static void check_other(int line, const char *says)
{
	struct config *config = NULL;
	struct why why;
	char at[96];

	assert_int_equal(read_again(false, &config, &why), FAULT_CONFIG_ERROR);
	(void)snprintf(at, sizeof(at), "%s:%d: ", other, line);
	if (strncmp(why.text, at, strlen(at)) != 0 ||
	    strstr(why.text, says) == NULL)
		fail_msg("got: %s", why.text);
}

static void includes_are_read_and_their_lines_named(void **state)
{
	char text[256], says[128];
	struct config *config;

	(void)state;
	(void)snprintf(text, sizeof(text),
	    "keyring /k\ninclude %s\naccount a\n provider x\n", other);
	write_file(other, "# y\nprovider x\n" ENDPOINTS);
	config = good(text);
	assert_int_equal(config->n_providers, 1);
	config_release(config);

	write_file(other, "\n\nkeyring /l\n");
	(void)snprintf(says, sizeof(says), "(first: %s:1)", path);
	check_other(3, says);
	(void)snprintf(text, sizeof(text), "\ninclude %s\n", path);
	write_file(other, text);
	check_other(2, "included already");
	bad("\ninclude /nonexistent\n", 2, "No such file");
	bad("\ninclude other.conf\n", 2, "begins with /");
	bad("\ninclude ~root/x\n", 2, "begins with /");
}

static void secrets_come_from_private_files_only(void **state)
{
	static const char value[] = "s3cr3t-s3cr3t\n";
	struct config *config;
	char text[512];
	struct span bytes;

	(void)state;
	(void)snprintf(text, sizeof(text),
	    "provider x\n" ENDPOINTS " client_secret_file %s\n", secret);
	write_bytes(secret, value, strlen(value), 0640);
	config = good(text);
	bytes = secret_reveal(config->providers[0]->client_secret, "test");
	assert_true(span_is(bytes, "s3cr3t-s3cr3t"));
	config_release(config);

	write_bytes(secret, value, strlen(value), 0644);
	bad(text, 5, "chmod");
	bad(text, 5, secret);
	assert_int_equal(unlink(secret), 0);
	bad(text, 5, secret);
	bad("provider x\n" ENDPOINTS " client_secret_file x\n", 5,
	    "whole path");
	assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
	bad("provider x\n" ENDPOINTS " client_secret_file credential:secret\n",
	    5, "LoadCredential=secret:FILE");
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);
	bad("keyring_key credential:../x\n", 1, "credential has a name");
	write_bytes(secret, value, strlen(value), 0400);
	config = good(
	    "provider x\n" ENDPOINTS " client_secret_file credential:secret\n"
	    "keyring_key credential:key credential:old\n");
	assert_string_equal(config->keyring_key + strlen(folder), "/key");
	assert_string_equal(config->keyring_old_key + strlen(folder), "/old");
	assert_non_null(config->providers[0]->client_secret);
	config_release(config);
}

static void no_message_shows_a_secret(void **state)
{
	char text[512];
	struct config *config = NULL;
	struct why why;

	(void)state;
	write_bytes(secret, "hush-hush", 9, 0644);
	(void)snprintf(text, sizeof(text),
	    "provider x\n" ENDPOINTS " client_secret_file %s\n", secret);
	write_file(path, text);
	assert_int_equal(read_again(false, &config, &why), FAULT_CONFIG_ERROR);
	assert_null(strstr(why.text, "hush"));
}

static void names_that_do_not_exist_are_noted(void **state)
{
	struct config *config = good("allow nosuchuser @nosuchgroup root\n"
				     "account a\n allow nosuch2\n");

	(void)state;
	assert_int_equal(config->allow.uids.n, 1);
	assert_int_equal(config->n_notes, 3);
	assert_non_null(strstr(config->notes[0],
	    ":1: allow names the user "
	    "'nosuchuser'"));
	assert_non_null(strstr(config->notes[1], "the group '@nosuchgroup'"));
	assert_non_null(strstr(config->notes[2], ":3: "));
	config_release(config);
}

static void access_follows_the_lists(void **state)
{
	gid_t groups[] = { 100, 200 };
	struct peer peer = { .uid = 1000, .groups = groups, .n_groups = 2 };
	struct config *config = good("allow 1000\nadmin @200\n"
				     "account own\n allow @100\n"
				     "account none\n allow\n"
				     "account other\n allow 1001\n");

	(void)state;
	assert_true(config_allows(config, RIGHT_ACCOUNT, "any", &peer));
	assert_true(config_allows(config, RIGHT_ACCOUNT, "own", &peer));
	assert_false(config_allows(config, RIGHT_ACCOUNT, "none", &peer));
	assert_false(config_allows(config, RIGHT_ACCOUNT, "other", &peer));
	assert_true(config_allows(config, RIGHT_ADMIN, NULL, &peer));

	peer.uid = 1001;
	peer.n_groups = 0;
	assert_false(config_allows(config, RIGHT_ACCOUNT, "any", &peer));
	assert_true(config_allows(config, RIGHT_ACCOUNT, "other", &peer));
	assert_false(config_allows(config, RIGHT_ADMIN, NULL, &peer));
	assert_true(config_is_known(config, &peer));

	peer.uid = 1002;
	assert_false(config_is_known(config, &peer));
	peer.root = true;
	assert_true(config_allows(config, RIGHT_ACCOUNT, "none", &peer));
	assert_true(config_allows(config, RIGHT_ADMIN, NULL, &peer));
	peer.root = false;
	peer.overflow = true;
	assert_false(config_allows(config, RIGHT_ACCOUNT, "none", &peer));
	assert_false(config_is_known(config, &peer));
	config_release(config);
}

static char differences[1024];

static void on_difference(void *ctx, const char *what, bool restart)
{
	size_t n = strlen(differences);

	(void)ctx;
	(void)snprintf(differences + n, sizeof(differences) - n, "%s%s;", what,
	    restart ? "!" : "");
}

static void a_reload_says_what_changed(void **state)
{
	struct config *old = good(
	    "listen /a/b\nallow 1\n"
	    "provider x\n" ENDPOINTS "provider y\n" ENDPOINTS
	    "account a\naccount b\naccount c\n login 1\n");
	struct config *new = good(
	    "listen /a/c\nallow 2\n"
	    "provider x\n" ENDPOINTS " scope z\n"
	    "provider z\n" ENDPOINTS "keyring_key /q/key\n"
	    "account d\naccount a\naccount c\n login 2\n");

	(void)state;
	config_compare(old, new, on_difference, NULL);
	assert_string_equal(differences,
	    "account b;account c;account d;allow;keyring_key!;listen!;"
	    "provider x;provider y;provider z;");
	differences[0] = '\0';
	config_compare(new, config_share(new), on_difference, NULL);
	assert_string_equal(differences, "");
	config_release(new);
	config_release(new);
	config_release(old);
}

#define KEY "keyring_key /k/key\n"
#define URL "https://a.example:2379"

static void a_fleet_is_understood(void **state)
{
	struct config *config = good(
	    KEY "fleet etcd " URL " http://127.8.8.8:1 http://[::1]:2379 "
		"http://LocalHost:2379 https://[2001:db8::1]:2379\n");
	const struct fleet_settings *fleet = &config->fleet;

	(void)state;
	assert_int_equal(fleet->n_urls, 5);
	assert_string_equal(fleet->urls[0], URL);
	assert_string_equal(fleet->urls[4], "https://[2001:db8::1]:2379");
	assert_string_equal(fleet->prefix, "/mailtoken/");
	assert_null(fleet->user);
	assert_false(fleet->alone);
	assert_int_equal(config->n_notes, 0);
	config_release(config);

	write_bytes(secret, "hush\n", 5, 0600);
	(void)setenv("CREDENTIALS_DIRECTORY", folder, 1);
	config = good(
	    KEY "fleet etcd " URL "\nfleet_prefix /a/b/\nfleet_user u\n"
		"fleet_password_file credential:secret\nfleet_alone yes\n"
		"fleet_certificate /k/no\nfleet_certificate_key /k/never\n"
		"fleet_ca_file /k/ca\n");
	(void)unsetenv("CREDENTIALS_DIRECTORY");
	fleet = &config->fleet;
	assert_string_equal(fleet->prefix, "/a/b/");
	assert_string_equal(fleet->user, "u");
	assert_string_equal(fleet->password_file, secret);
	assert_string_equal(fleet->certificate, "/k/no");
	assert_string_equal(fleet->certificate_key, "/k/never");
	assert_string_equal(fleet->ca_file, "/k/ca");
	assert_true(fleet->alone);
	/* Files that cannot be read now stop nothing. */
	assert_int_equal(config->n_notes, 3);
	assert_non_null(strstr(config->notes[0],
	    ":7: fleet_certificate: /k/no: there is no such file"));
	config_release(config);

	config = good("");
	assert_int_equal(config->fleet.n_urls, 0);
	config_release(config);
}

static void a_wrong_fleet_is_told_with_its_cure(void **state)
{
	static const char *const urls[] = { "a:2379", "ftp://a", "https://",
		"https://a/", "https://a/v3", "https://u:p@a:2379",
		"https://a?b", "https://a#b", "http://127.0.0.1:2379/" };
	static const char *const clear[] = { "http://a:2379", "http://10.1.1.1",
		"http://127.0.0.1.example:2379", "http://[::2]:2379",
		"http://localhost.example" };
	char text[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		(void)snprintf(text, sizeof(text),
		    KEY "fleet etcd " URL " %s\n", urls[i]);
		bad(text, 2, "write https://HOST:2379");
	}
	for (i = 0; i < sizeof(clear) / sizeof(clear[0]); i++) {
		(void)snprintf(text, sizeof(text), KEY "fleet etcd %s\n",
		    clear[i]);
		bad(text, 2, "in the clear");
	}
	bad("fleet etcd " URL "\n", 1, "write keyring_key FILE");
	bad(KEY "fleet redis " URL "\n", 2,
	    "no store 'redis'; write fleet etcd");
	bad(KEY "fleet etcd\n", 2, "0 URLs");
	bad(KEY "fleet\n", 2, "needs a value");
	bad(KEY "fleet etcd " URL " " URL " " URL " " URL " " URL " " URL
		" " URL " " URL " " URL " " URL "\n",
	    2, "10 URLs, and needs 1 to 9");
	bad("fleet_alone yes\n", 1, "no use without a fleet");
#define FLEET KEY "fleet etcd " URL "\n"
	bad(FLEET "fleet_prefix mailtoken/\n", 3, "begin and end with /");
	bad(FLEET "fleet_prefix /mailtoken\n", 3, "begin and end with /");
	bad(FLEET "fleet_prefix \"/a b/\"\n", 3, "printable");
	bad(FLEET "fleet_user u\n", 3, "write fleet_password_file as well");
	bad(FLEET "fleet_password_file /k/p\n", 3, "write fleet_user as well");
	bad(FLEET "fleet_user \"\"\n", 3, "etcdctl user list");
	bad(FLEET "fleet_certificate /k/c\n", 3,
	    "write fleet_certificate_key as well");
	bad(FLEET "fleet_ca_file ca\n", 3, "whole path");
	bad(FLEET "fleet_alone maybe\n", 3, "yes or no");
}

static void another_fleet_needs_a_restart(void **state)
{
	struct config *old = good(FLEET "fleet_alone no\n");
	struct config *new = good(KEY "fleet etcd https://b.example\n"
				      "fleet_prefix /x/\nfleet_alone yes\n");

	(void)state;
	differences[0] = '\0';
	config_compare(old, new, on_difference, NULL);
	assert_string_equal(differences, "fleet!;fleet_alone!;fleet_prefix!;");
	config_release(old);
	config_release(new);
}

static void ten_thousand_accounts_are_found(void **state)
{
	char *text = malloc(400000);
	struct config *config;
	char name[32];
	size_t n = 0;
	int i;

	(void)state;
	assert_non_null(text);
	for (i = 0; i < 10000; i++)
		n += (size_t)snprintf(text + n, 400000 - n, "account u%d@x\n",
		    i);
	config = good(text);
	assert_int_equal(config->n_accounts, 10000);
	for (i = 0; i < 10000; i += 999) {
		(void)snprintf(name, sizeof(name), "u%d@x", i);
		assert_string_equal(config_account(config, name)->name, name);
	}
	config_release(config);
	(void)snprintf(text + n, 400000 - n, "account more\n");
	bad(text, 10001, "too many blocks");
	free(text);
}

static enum fault read_once(void *ctx)
{
	struct config_source source = { .path = path, .owner = geteuid() };
	enum fault fault = FAULT_CONFIG_ERROR;
	struct config *config = NULL;
	struct why why;

	source.start = ctx != NULL;
	fault = config_read(&source, &config, &why);
	config_release(config);
	return fault;
}

static void no_memory_at_any_place_is_said(void **state)
{
	static const char value[] = "hush-hush-hush\n";
	char text[512];

	(void)state;
	(void)snprintf(text, sizeof(text),
	    "include %s\nallow root @nosuchgroup\n"
	    "listen /a/b /c/d\nkeyring_key /k/key\n"
	    "fleet etcd https://a http://[::1]\nfleet_user u\n"
	    "fleet_password_file %s\n"
	    "provider x\n" ENDPOINTS " client_secret_file %s\n"
	    " servers a.example\n scope a b\n extra a=b\n"
	    "account B@x\n provider x\n allow 1\n servers c\n"
	    "account a\n token_of B@x\n login c\n",
	    other, secret, secret);
	write_bytes(secret, value, strlen(value), 0600);
	write_file(other, "user \"nobody\"\n");
	config_release(good(text));
	assert_true(failing_malloc_each(read_once, NULL) > 40);
	assert_true(failing_malloc_each(read_once, text) > 10);
	failing_malloc_watch("hush-hush");
	assert_int_equal(read_once(NULL), FAULT_NONE);
	assert_false(failing_malloc_saw());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_file_is_understood),
		cmocka_unit_test(defaults_of_the_system_helper),
		cmocka_unit_test(a_user_helper_needs_no_file),
		cmocka_unit_test(a_relay_gets_the_right_to_send_only),
		cmocka_unit_test(syntax_errors_have_line_and_cure),
		cmocka_unit_test(another_grammar_is_told_in_a_sentence),
		cmocka_unit_test(unknown_keywords_are_named_with_their_line),
		cmocka_unit_test(nothing_may_stand_twice),
		cmocka_unit_test(values_are_checked_with_their_line),
		cmocka_unit_test(accounts_are_checked_with_their_line),
		cmocka_unit_test(words_may_stand_in_quotes),
		cmocka_unit_test(crlf_files_and_comments_everywhere_are_read),
		cmocka_unit_test(odd_files_are_refused),
		cmocka_unit_test(includes_are_read_and_their_lines_named),
		cmocka_unit_test(secrets_come_from_private_files_only),
		cmocka_unit_test(no_message_shows_a_secret),
		cmocka_unit_test(names_that_do_not_exist_are_noted),
		cmocka_unit_test(no_memory_at_any_place_is_said),
		cmocka_unit_test(access_follows_the_lists),
		cmocka_unit_test(a_reload_says_what_changed),
		cmocka_unit_test(a_fleet_is_understood),
		cmocka_unit_test(a_wrong_fleet_is_told_with_its_cure),
		cmocka_unit_test(another_fleet_needs_a_restart),
		cmocka_unit_test(ten_thousand_accounts_are_found),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
