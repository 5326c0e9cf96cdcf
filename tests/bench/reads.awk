# SPDX-License-Identifier: GPL-2.0-or-later
# What a run has read below one directory, as the list that floor_files takes; from the output of
#   strace -f -y -e trace=open,openat,openat2,readlink,readlinkat
#
#   awk -v below=DIR -f reads.awk TRACE
#
# Each name that was looked up is one line, also those that are not there: that they are not is a fact, too.
# A directory that was only opened as the starting point of other names is none.

# The text of the nth "quoted" argument: names of a simulated machine hold no quotes.
function quoted(text, parts)
{
	return split(text, parts, "\"") >= 3 ? parts[2] : ""
}

# The path between < and > behind the descriptor of a directory.
function directory(text)
{
	return match(text, /\((AT_FDCWD|[0-9]+)<[^>]*>/) ? substr(text, RSTART + index(substr(text, RSTART), "<"), \
		RLENGTH - index(substr(text, RSTART), "<") - 1) : ""
}

/^[0-9]+ +(open|openat|openat2|readlink|readlinkat)\(/ {
	name = quoted($0, parts)
	from = directory($0)
	empty = name == ""
	path = empty ? from : name ~ /^\// ? name : from "/" name
	if (index(path, below "/") != 1 && path != below)
		next
	if ($0 ~ /readlink(at)?\(/)
		kind = "L"
	else if ($0 ~ /O_PATH/ && ($0 ~ /O_DIRECTORY/ || $0 !~ /= -1 /))
		next # a link that is there is told of by its readlinkat
	else
		kind = $0 ~ /O_PATH/ ? "L" : $0 ~ /O_DIRECTORY/ ? "D" : "F"
	print kind " " path
}
