# SPDX-License-Identifier: BSD-2-Clause
#
# advice.conf and explain.conf, in this order: with -v as=rows the rows of
# explain.c, with -v as=page mailtoken-errors(7).
#
# A row of advice.conf is found by its keys, where N stands for AADSTSN, and by
# its sentence.  Numbers and sentences come first, then explain.conf, then the
# words: they say least.  A row of explain.conf is found by its lines of match.

function span(s) {
	return "S(" c_string(s) ")"
}

function row(name, match_lines, link) {
	return "\t{ " span(name) ", " span(meaning) ",\n\t    " span(who) \
	    ", " span(type) ",\n\t    " span(click) ",\n\t    " \
	    span(link) ", " (click_first ? "true" : "false") ",\n\t    " \
	    c_string(tolower(match_lines)) " },\n"
}

function rows(    i, n, key, said, name, link) {
	if (has_match) {
		printf "%s%s", sentences, row(keys, match_lines, page)
		sentences = ""
		return
	}
	n = split(keys, key, " ")
	said = sentence
	gsub(/[*^$]/, "*", said)
	for (i = 1; i <= n; i++) {
		name = key[i]
		link = page
		if (name ~ /^[0-9]+$/) {
			link = error_page name
			name = "AADSTS" name
			printf "%s", row(name, name "\n^" key[i] "$", link)
		} else {
			words = words row(name, name, link)
		}
		if (i == 1)
			sentences = sentences row(name, said, link)
	}
}

# Lines of at most 72 characters; a sentence begins a line.
function text(s,    n, word, i, line) {
	gsub(/\\/, "\\e", s)
	n = split(s, word, " ")
	line = ""
	for (i = 1; i <= n; i++) {
		if (line != "" && (length(line) + length(word[i]) > 71 ||
		    line ~ /[.?!]$/)) {
			print line
			line = ""
		}
		line = line (line == "" ? "" : " ") word[i]
	}
	print line
}

function sentence_of(s) {
	text(s (s ~ /[:?]$/ ? "" : "."))
}

function literal(s,    n, line, i) {
	gsub(/\\/, "\\e", s)
	n = split(s, line, "\n")
	print ".Bd -literal -offset indent -compact"
	for (i = 1; i <= n; i++)
		print (line[i] ~ /^[.']/ ? "\\&" : "") line[i]
	print ".Ed"
}

function head() {
	print ".\\\" SPDX-" "License-Identifier: BSD-2-Clause"
	print ".\\" "\" Made by explain.awk."
	print ".Dd November 30, 2026"
	print ".Dt MAILTOKEN-ERRORS 7"
	print ".Os"
	print ".Sh NAME"
	print ".Nm mailtoken-errors"
	print ".Nd what errors of OAuth2 mail mean, and who must do what"
	print ".Sh DESCRIPTION"
	text("This is what \"mailtoken explain\" knows. Each entry says what " \
	    "the error means, who must act, what to type or click, and where " \
	    "there is more to read. ACCOUNT stands for the account, which " \
	    "explain takes from the text. Commands of Exchange Online, such " \
	    "as Set-CASMailbox, are typed into its PowerShell after " \
	    "Connect-ExchangeOnline.")
	print ".Pp"
	text("Who must act is you, who owns the account; the relay admin, " \
	    "who runs this machine; the tenant admin, who runs the " \
	    "organisation at Microsoft or Google; its Exchange admin; the " \
	    "provider; or nobody, since it passes. A number of Microsoft " \
	    "that is not here has a page at " error_page "NUMBER.")
}

function foot() {
	print ".Sh SEE ALSO"
	print ".Xr mailtoken 1 ,"
	print ".Xr mailtoken.conf 5 ,"
	print ".Xr mailtokend 8"
}

function upper(s) {
	return toupper(substr(s, 1, 1)) substr(s, 2)
}

function link(page) {
	if (page ~ /^https:/)
		print ".Lk " page
	else
		print ".Xr " substr(page, 1, length(page) - 3) " " \
		    substr(page, length(page) - 1, 1) " ."
}

function entry(    n, key, i, title) {
	n = split(keys, key, " ")
	for (i = 1; i <= n; i++)
		title = title (i > 1 ? ", " : "") \
		    (key[i] ~ /^[0-9]+$/ && !has_match ? "AADSTS" : "") key[i]
	if (!listing++) {
		link(page_of_all)
		print ".Bl -tag -width Ds"
	}
	print ".It Sy " title
	sentence_of(upper(meaning))
	print ".Em " upper(who) " :"
	if (click != "" && click_first)
		sentence_of(click)
	if (type != "")
		literal(type)
	if (click != "" && !click_first)
		sentence_of(click)
	if (page != page_of_all)
		link(page)
}

# What has been read of a row is all of it.
function close_row(    at) {
	if (keys == "")
		return
	at = index(sentence, ": ")
	meaning = at > 0 && !has_match ? substr(sentence, 1, at - 1) : sentence
	if (type == "" && click == "" && meaning != sentence)
		click = upper(substr(sentence, at + 2))
	if (who == "" || page == "" || (type == "" && click == ""))
		fail("the row before does not say who must do what, or has " \
		    "no page")
	if (as == "rows")
		rows()
	else
		entry()
	keys = ""
}

function joined(so_far, value) {
	return so_far == "" ? value : so_far "\n" value
}

BEGIN {
	n = split("you,relay admin,tenant admin,Exchange admin,provider," \
	    "nobody", k, ",")
	for (i = 1; i <= n; i++)
		is_who[k[i]] = 1
	error_page = "https://login.microsoftonline.com/error?code="
	if (as == "rows")
		print "/* Made from advice.conf and explain.conf. */"
	else
		head()
}

/^[ \t]*(#|$)/ { next }

/^(section|page) / {
	close_row()
	value = substr($0, index($0, " ") + 1)
	page_of_all = $1 == "page" ? value : ""
	if ($1 == "section" && as == "page") {
		if (listing)
			print ".El"
		listing = 0
		print ".Ss " value
	}
	next
}

/^[A-Za-z0-9]/ {
	close_row()
	at = index($0, ": ")
	if (at == 0)
		fail("a row is KEYS: SENTENCE")
	keys = substr($0, 1, at - 1)
	sentence = substr($0, at + 2)
	who = type = click = match_lines = ""
	has_match = click_first = 0
	page = page_of_all
	next
}

keys == "" { fail("this line belongs below a row") }

{
	value = $0
	sub(/^[ \t]+[^ \t]+[ \t]+/, "", value)
}

$1 == "match" {
	has_match = 1
	match_lines = joined(match_lines, value)
	next
}

$1 == "who" {
	if (!is_who[value])
		fail("nobody is called " value)
	who = value
	next
}

$1 == "type" { type = joined(type, value); next }

$1 == "click" {
	click_first = type == ""
	click = joined(click, value)
	next
}

$1 == "page" { page = value; next }

{ fail("there is no keyword " $1 " here") }

END {
	if (failed)
		exit 1
	close_row()
	printf "%s", sentences words
	if (as == "page") {
		print ".El"
		foot()
	}
}
