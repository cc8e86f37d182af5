#!/usr/bin/env bash
# Compares Coffer's evaluator of policies with @cloud-copilot/iam-simulate, which is
# installed once in COFFER_COMPAT_CACHE and runs as a process of its own. Needs Go,
# Node.js and npm's registry.
set -euo pipefail
cd "$(dirname "$0")"

if ! node --version >/dev/null || ! npm --version >/dev/null; then
	echo "skipped: iamsimulate, which needs node and npm"
	exit 0
fi
cache=${COFFER_COMPAT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/coffer-compat}
folder=$cache/iamsimulate-$(cat package.json package-lock.json | sha256sum | cut -c1-16)
if [ ! -e "$folder/ready" ]; then
	rm -rf "$folder"
	mkdir -p "$folder"
	cp package.json package-lock.json "$folder"
	(cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund)
	touch "$folder/ready"
fi
export NODE_PATH=$folder/node_modules
COFFER_IAMSIMULATE="node $PWD/simulate.js" go test -count=1 -timeout 30m -v \
	-run TestAgainstIAMSimulate . >"$folder/out" 2>&1 || {
	cat "$folder/out"
	exit 1
}
grep -E 'Allowed|Denied|differ|met ' "$folder/out" | sed 's/^ *compare_test.go:[0-9]*: //' | uniq
echo "ok: iam-simulate"
