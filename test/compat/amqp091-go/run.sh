#!/usr/bin/env bash
# Runs the integration tests of RabbitMQ's Go client, which are in its module, against the
# built binary over TLS. Needs COFFER_BINARY, curl and Go's module proxy; ends what it
# started. In the copy of the module the address of the management API is changed, which
# is fixed there: http on 15672.
#
# What skips itself: TestConnection_Close_WhenMemoryAlarmIsActive, which would call
# rabbitmqctl, and TestPlaintextDialTLS, which wants a port without TLS. Unless
# COFFER_COMPAT_WHOLE is set, the tests of the client's recovery are left out, which
# wait for two minutes.
set -euo pipefail
cd "$(dirname "$0")"

dir=$(mktemp -d)
pid=
finish() {
	status=$?
	if [ -n "$pid" ]; then kill "$pid" && wait "$pid" || status=1; fi
	[ "$status" = 0 ] || tail -40 "$dir/log"
	chmod -R u+w "$dir" && rm -rf "$dir"
	exit "$status"
}
trap finish EXIT

binary=$COFFER_BINARY
[ -n "${COFFER_COMPAT_WHOLE:-}" ] || set -- -skip Recovery "$@"
for name in $(compgen -e | grep -E '^(COFFER|AWS|AMQP)_'); do unset "$name"; done
"$binary" serve --ports=auto --data "$dir/data" >"$dir/log" 2>&1 &
pid=$!
for _ in $(seq 1200); do
	if exports=$("$binary" env --data "$dir/data" 2>"$dir/env"); then break; fi
	kill -0 "$pid"
	sleep 0.05
done
eval "${exports:?$(cat "$dir/env")}"

# The tests log in as guest.
api=${COFFER_MANAGEMENT_URL#https://*@}
admin=admin:$(cat "$dir/data/main-admin")
put() {
	curl -fsS --cacert "$COFFER_CA" -u "$admin" -X PUT -H 'content-type: application/json' \
		-d "$2" "https://$api/api/$1"
}
put users/guest '{"password":"guest","tags":"administrator"}'
put permissions/%2f/guest '{"configure":".*","write":".*","read":".*"}'

module=$(go list -m -f '{{.Dir}}' github.com/rabbitmq/amqp091-go)
cp -r "$module" "$dir/client"
chmod -R u+w "$dir/client"
cd "$dir/client"
sed -i -e "s#http://localhost:#https://localhost:#; s#15672#${api##*:}#" \
	internal/utils/http.go recovery_test.go
amqp=${COFFER_AMQP_URL#amqps://*@}
export AMQP_URL=amqps://guest:guest@$amqp SSL_CERT_FILE=$COFFER_CA GOFLAGS=-mod=mod
go test -count=1 -timeout 20m -tags integration -v "$@" . >"$dir/out" 2>&1 || {
	grep -E -A12 '^ *--- FAIL|^panic' "$dir/out" || tail -60 "$dir/out"
	exit 1
}
grep -E '^--- SKIP' "$dir/out" || true
echo "ok: amqp091-go, $(grep -c '^--- PASS' "$dir/out") tests"
