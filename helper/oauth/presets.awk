# SPDX-License-Identifier: BSD-2-Clause
#
# presets.conf to C: with -v as=rows the rows of presets.c, with -v as=text
# what mailtoken providers prints, each block with the keywords of
# mailtoken.conf(5) alone and the rest as comments.

function fail(what) {
	print FILENAME ":" FNR ": " what > "/dev/stderr"
	failed = 1
	exit 1
}

function c_string(s) {
	gsub(/\\/, "\\\\", s)
	gsub(/"/, "\\\"", s)
	return "\"" s "\""
}

function close_block() {
	if (open && as == "rows")
		print "\t},"
	if (open && as == "text")
		print "\t    \"\" },"
	open = 0
}

BEGIN {
	n = split("issuer authorization_endpoint token_endpoint " \
	    "device_authorization_endpoint revocation_endpoint " \
	    "registration_endpoint tenant flow servers min_validity", k, " ")
	for (i = 1; i <= n; i++)
		is_key[k[i]] = 1
	n = split("title cloud_of cloud old_token_host no_device " \
	    "authorize_extra scope_smtp scope_imap scope_pop scope_more " \
	    "scope_app sign_out_page", k, " ")
	for (i = 1; i <= n; i++)
		is_string[k[i]] = 1
	word["family microsoft"] = ".family = PROVIDER_MICROSOFT"
	word["family google"] = ".family = PROVIDER_GOOGLE"
	word["flow device"] = ".flow = FLOW_DEVICE"
	word["flow browser"] = ".flow = FLOW_BROWSER"
	word["flow client-credentials"] = ".flow = FLOW_CLIENT_CREDENTIALS"
	word["device_grant short"] = ".short_device_grant = true"
	word["returns_iss yes"] = ".returns_iss = true"
	print "/* Made from presets.conf. */"
}

/^[ \t]*(#|$)/ { next }

/^provider / {
	close_block()
	open = 1
	if (as == "rows")
		print "\t{\n\t    .name = " c_string($2) ","
	else
		name = $2
	next
}

{
	keyword = $1
	value = $0
	sub(/^[ \t]+[^ \t]+[ \t]+/, "", value)
	plain = value
	if (plain ~ /^".*"$/)
		plain = substr(plain, 2, length(plain) - 2)
	if (!open || value == "")
		fail("a keyword and its value belong below a provider")
}

as == "text" && keyword == "title" {
	print "\t{ " c_string(name) ", " c_string(plain) ","
	next
}

as == "text" {
	line = c_string("    " (is_key[keyword] ? "" : "# ") keyword " " value)
	print "\t    " substr(line, 1, length(line) - 1) "\\n\""
	next
}

(keyword " " value) in word { print "\t    " word[keyword " " value] ","; next }
keyword == "min_validity" { print "\t    .min_validity_s = " value ","; next }
keyword ~ /^(servers|domains|mx)$/ {
	list = ""
	for (i = 2; i <= NF; i++)
		list = list (i > 2 ? ", " : "") c_string($i)
	print "\t    ." keyword " = { " list " },"
	next
}
is_string[keyword] || (is_key[keyword] && keyword != "flow") {
	print "\t    ." keyword " = " c_string(plain) ","
	next
}
{ fail("there is no keyword " keyword " " value " here") }

END {
	if (failed)
		exit 1
	close_block()
}
