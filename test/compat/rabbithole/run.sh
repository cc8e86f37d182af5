#!/usr/bin/env bash
# Runs rabbit-hole's own suite, the Go client of RabbitMQ's HTTP API, against the built
# binary over TLS, and AMQP without. The suite is a copy of the module's, in which only the
# addresses are changed, and the wait for RabbitMQ to gather figures, which Coffer
# shows at once. It needs Go and its module proxy, and curl. COFFER_BINARY is a built
# coffer; without it one is built. Arguments go to the tests. What is skipped, and why,
# is in SKIPPED.md.
set -euo pipefail
cd "$(dirname "$0")"
here=$PWD
module=github.com/michaelklishin/rabbit-hole/v2
version=v2.12.0

work=$(mktemp -d)
coffer=
stop() {
	if [ -n "$coffer" ] && kill "$coffer" 2>/dev/null; then
		wait "$coffer" || :
	fi
	chmod -R u+w "$work"
	rm -rf "$work"
}
trap stop EXIT

if [ -z "${COFFER_BINARY:-}" ]; then
	go build -buildvcs=false -o "$work/coffer" coffer/cmd/coffer
	COFFER_BINARY=$work/coffer
fi
binary=$COFFER_BINARY
# coffer refuses settings that it does not know.
for name in $(compgen -e | grep -E "^COFFER_"); do unset "$name"; done
# The sum is the one that Go's checksum database has, which go mod download asks.
mkdir "$work/fetch"
from=$(cd "$work/fetch" && go mod init fetch 2>/dev/null &&
	go mod download -json "$module@$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
cp -r "$from" "$work/suite"
chmod -R u+w "$work/suite"
"$binary" serve --data "$work/data" --ports auto --insecure-loopback 2>"$work/log" &
coffer=$!
for _ in $(seq 600); do
	"$binary" env --data "$work/data" >"$work/env" 2>/dev/null && break
	kill -0 "$coffer" || { cat "$work/log"; exit 1; }
	sleep 0.1
done
set -a
# shellcheck disable=SC1091 # written above
. "$work/env"
set +a

# The tests for the port of AMQP know 5672; here the system chooses.
plain=$(sed 's,.*:\([0-9]*\)/.*,\1,' <<<"$COFFER_AMQP_PLAIN_URL")
cd "$work/suite"
sed -i \
	-e 's|NewClient("http://127.0.0.1:15672", "guest", "guest")|cofferClient()|' \
	-e 's|amqp.Dial("amqp://guest:guest@localhost:5672/" + url.QueryEscape(vhost))|cofferDial("guest", "guest", url.QueryEscape(vhost))|' \
	-e 's|amqp.Dial("amqp://" + username + ":" + password + "@localhost:5672/%2f")|cofferDial(username, password, "%2f")|' \
	-e 's|time.Sleep(5000 \* time.Millisecond)|time.Sleep(250 * time.Millisecond)|' \
	-e '/amqp:..\(127\|localhost\)/!s|"amqp://|"amqps://|g' \
	-e "s|amqp://localhost/%2f|amqp://localhost:$plain/%2f|g" \
	-e "s|amqp://127.0.0.1/%2f|amqp://127.0.0.1:$plain/%2f|g" \
	-e "s|BeEquivalentTo(5672)|BeEquivalentTo($plain)|" \
	-e "s|HealthCheckPortListener(5672)|HealthCheckPortListener($plain)|" \
	./*_test.go
cp "$here/coffer_test.go.txt" coffer_test.go

# ask METHOD PATH [BODY]: as the administrator of the first start.
ask() {
	curl --silent --show-error --fail --cacert "$COFFER_CA" --request "$1" \
		--header 'Content-Type: application/json' --data "${3:-}" \
		"$COFFER_MANAGEMENT_URL/api/$2"
}
ask PUT users/guest '{"password":"guest","tags":"administrator"}'
ask PUT permissions/%2F/guest '{"configure":".*","write":".*","read":".*"}'
ask PUT vhosts/rabbit%2Fhole
ask PUT permissions/rabbit%2Fhole/guest '{"configure":".*","write":".*","read":".*"}'
ask PUT cluster-name '{"name":"rabbitmq@localhost"}'

# Lines that begin with "- `" name the skipped tests.
skip=$(sed -n 's/^- `\([^`]*\)`.*/\1/p' "$here/SKIPPED.md" | paste -sd '|')
go test -mod=mod -count=1 -timeout 30m ./... -args ${skip:+-ginkgo.skip "$skip"} "$@" ||
	{ status=$?; tail -50 "$work/log"; exit $status; }
