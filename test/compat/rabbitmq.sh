#!/usr/bin/env bash
# Compares the built binary with Debian's RabbitMQ 3.10, which it installs when it runs as
# root: a table of wrong requests and generated scripts. Without RabbitMQ it says so and
# compares nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ ! -e /usr/lib/rabbitmq/bin/rabbitmq-server ] && ! command -v rabbitmq-server >/dev/null; then
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
		echo "skipped: rabbitmq-server is not installed, nothing is compared with it"
		exit 0
	fi
	# The package would start the machine's own broker, which nobody here wants.
	policy=/usr/sbin/policy-rc.d
	if [ ! -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' >$policy && chmod +x $policy
		trap 'rm -f $policy' EXIT
	fi
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -qq -y rabbitmq-server >/dev/null
fi
with() { go run ./test/rabbitmq/with "$@"; }

echo "== the table of wrong requests, and what is tested against both"
with go test -count=1 ./internal/protocol/amqp091 -args -rabbitmq '{}'
echo "== generated scripts"
go test -count=1 -v ./test/differential | grep -v '^=== '
