# SPDX-License-Identifier: BSD-2-Clause
#
# What smarthost_inventory.c has run, compiled in: who sent how many messages
# through which relay, and who logged in here, from Postfix's log.

function behind(text, word, end,    at) {
	at = index(text, word)
	if (!at)
		return ""
	text = substr(text, at + length(word))
	return match(text, end) ? substr(text, 1, RSTART - 1) : text
}

# The queue's name of the message.
function id_before(word,    at, words) {
	at = index($0, word)
	if (!at)
		return ""
	return words[split(substr($0, 1, at - 1), words, " ")]
}

BEGIN { OFS = "\t" }

{
	from = id_before(": from=<")
	to = id_before(": to=<")
	host = behind($0, ", relay=", "[[,]")
	port = behind(behind($0, ", relay=", "$"), "]:", "[, ]")
	user = behind($0, ", sasl_username=", "[, ]")
}

from != "" { sender[from] = behind($0, ": from=<", ">") }

to != "" && host != "" && port != "" {
	n[host OFS port OFS (to in sender ? sender[to] : "?")]++
}

user != "" { n[behind($0, ", sasl_method=", "[, ]") OFS OFS user]++ }

END {
	for (use in n)
		print use, n[use]
}
