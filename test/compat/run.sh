#!/usr/bin/env bash
# Runs other people's clients against the built binary. It needs Go, Python 3
# with venv, and pip's registry for the pinned versions; they are installed
# once, outside the source, in COFFER_COMPAT_CACHE.
set -euo pipefail
cd "$(dirname "$0")"

cache=${COFFER_COMPAT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/coffer-compat}
pins=$(sha256sum requirements.txt | cut -c1-16)
venv=$cache/$(python3 -c 'import sys; print("py%d.%d" % sys.version_info[:2])')-$pins
if [ ! -e "$venv/ready" ]; then
	rm -rf "$venv"
	python3 -m venv "$venv"
	"$venv/bin/pip" install --quiet --disable-pip-version-check -r requirements.txt
	touch "$venv/ready"
fi

build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
if [ -z "${COFFER_BINARY:-}" ]; then
	go build -buildvcs=false -o "$build/coffer" coffer/cmd/coffer
	export COFFER_BINARY=$build/coffer
fi
export PATH=$venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1
./cli.sh
python3 -W error::ResourceWarning -m unittest -v "$@"
