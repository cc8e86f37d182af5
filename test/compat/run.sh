#!/usr/bin/env bash
# Runs other people's clients against the built binary. It needs Go, Python 3
# with venv, and pip's registry for the pinned versions; they are installed
# once, outside the source, in COFFER_COMPAT_CACHE. COFFER_COMPAT names the
# clients beside pika and the AWS CLI: quick (node, sqs), all, or some by name.
set -euo pipefail
cd "$(dirname "$0")"

cache=${COFFER_COMPAT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/coffer-compat}
# environment makes one of Python for pinned packages, once, and prints its folder.
environment() {
	local name=$1 pins=$2 venv
	venv=$cache/$name$(python3 -c 'import sys; print("py%d.%d" % sys.version_info[:2])')
	venv=$venv-$(sha256sum "$pins" | cut -c1-16)
	if [ ! -e "$venv/ready" ]; then
		rm -rf "$venv"
		python3 -m venv "$venv"
		"$venv/bin/pip" install --quiet --disable-pip-version-check -r "$pins"
		touch "$venv/ready"
	fi
	echo "$venv"
}
venv=$(environment "" requirements.txt)
old=$(environment sqs- sqs/requirements.txt)
export COFFER_COMPAT_OLD=$old/bin/python

export COFFER_COMPAT_CACHE=$cache
suites="rabbithole amqp091-go iamsimulate auditlogs"
case ${COFFER_COMPAT:=quick} in
quick) COFFER_COMPAT='node sqs' ;;
all)
	suites="$suites ansible" COFFER_COMPAT_WHOLE=1
	COFFER_COMPAT='node sqs java spring ruby php celery prometheus proton rabbitamqp'
	COFFER_COMPAT+=' aiopika rhea celerysqs sqsasync sqsjava sqsphp'
	;;
esac
export COFFER_COMPAT_WHOLE=${COFFER_COMPAT_WHOLE:-}

build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
if [ -z "${COFFER_BINARY:-}" ]; then
	go build -buildvcs=false -o "$build/coffer" coffer/cmd/coffer
	export COFFER_BINARY=$build/coffer
fi
export PATH=$venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1
mkdir "$build/clients"
export COFFER_COMPAT_CLIENTS=$build/clients
# shellcheck disable=SC2086 # one word a client
./install.sh "$build/clients" $COFFER_COMPAT
./cli.sh
./rabbitmq.sh
python3 -W error::ResourceWarning -m unittest -v "$@"
# Without arguments, which name tests, everything is run.
[ $# -gt 0 ] || for suite in $suites; do "$suite/run.sh"; done
