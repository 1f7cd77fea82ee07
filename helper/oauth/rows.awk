# SPDX-License-Identifier: BSD-2-Clause
#
# What the scripts that make C of data share; stands before them: -f rows.awk.

function fail(what) {
	print FILENAME ":" FNR ": " what > "/dev/stderr"
	failed = 1
	exit 1
}

# Without gsub(): awks differ in what backslashes in a replacement are.
function c_string(s,    i, c, out) {
	for (i = 1; i <= length(s); i++) {
		c = substr(s, i, 1)
		if (c == "\\" || c == "\"" || c == "\n")
			out = out "\\"
		if (c == "\n")
			c = "n"
		out = out c
	}
	return "\"" out "\""
}
