# SPDX-License-Identifier: BSD-2-Clause
#
# presets.conf to C: with -v as=lines the lines of presets.c, with -v as=text
# what mailtoken providers prints, each block with the keywords of
# mailtoken.conf(5) alone and the rest as comments.

function close_block() {
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
	n = split("title family cloud_of old_token_host no_device " \
	    "device_grant returns_iss authorize_extra scope_smtp scope_imap " \
	    "scope_pop scope_more scope_app domains mx sign_out_page", k, " ")
	for (i = 1; i <= n; i++)
		is_ours[k[i]] = 1
	print "/* Made from presets.conf. */"
}

/^[ \t]*(#|$)/ { next }

/^provider / {
	close_block()
	open = 1
	name = $2
	if (as == "lines")
		print "\t{ \"provider\", " c_string(name) " },"
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
	if (!is_key[keyword] && !is_ours[keyword])
		fail("there is no keyword " keyword " here")
}

as == "lines" {
	print "\t{ " c_string(keyword) ", " c_string(plain) " },"
	next
}

keyword == "title" {
	print "\t{ " c_string(name) ", " c_string(plain) ","
	next
}

{
	line = c_string("    " (is_key[keyword] ? "" : "# ") keyword " " value)
	print "\t    " substr(line, 1, length(line) - 1) "\\n\""
}

END {
	if (failed)
		exit 1
	close_block()
}
