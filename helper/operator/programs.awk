# SPDX-License-Identifier: BSD-2-Clause
#
# programs.conf to the rows of setup_program.c: names, command, test, text.

function close_row() {
	if (open)
		print "\t    \"\" },"
	open = 0
}

BEGIN { print "/* Made from programs.conf. */" }

/^[ \t]*(#|$)/ { next }

/^program / {
	close_row()
	comma = index($0, ", ")
	if (!comma)
		fail("the command is missing")
	names = substr($0, 9, comma - 9)
	command = substr($0, comma + 2)
	if (command == "-")
		command = ""
	next
}

$1 == "when" {
	close_row()
	open = 1
	print "\t{ " c_string(names) ", " c_string(command) ", " \
	    c_string($2) ","
	next
}

/^\t\|/ {
	if (!open)
		fail("a line belongs below when")
	line = c_string(substr($0, 3))
	print "\t    " substr(line, 1, length(line) - 1) "\\n\""
	next
}

{ fail("what is that?") }

END {
	if (failed)
		exit 1
	close_row()
}
