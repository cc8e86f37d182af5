#!/bin/sh
# Prints the version of the working tree as `coffer version` does when git builds it: the
# tag, else the time and the name of the commit.
set -eu
cd "$(dirname "$0")/.."
dirty=$(git status --porcelain | sed 's/.*/+dirty/; q')
version=$(git describe --tags --match 'v[0-9]*' 2>/dev/null) ||
	version=v0.0.0-$(TZ=UTC git log -1 --abbrev=12 --format=%cd-%h --date=format-local:%Y%m%d%H%M%S)
echo "$version$dirty"
