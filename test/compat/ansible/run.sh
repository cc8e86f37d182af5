#!/usr/bin/env bash
# Lets Ansible drive the built binary, by its RabbitMQ modules that speak the management
# API and by its AWS modules: declare, declare again without a change, remove. It needs
# Python 3 with venv and pip's registry; Ansible is installed once in
# COFFER_COMPAT_CACHE. The other modules of RabbitMQ run rabbitmqctl on the broker's
# machine, which Coffer has not; rabbitmq_publish speaks TLS only with a certificate of
# its own.
set -euo pipefail
cd "$(dirname "$0")"

cache=${COFFER_COMPAT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/coffer-compat}
venv=$cache/ansible-$(sha256sum requirements.txt | cut -c1-16)
if [ ! -e "$venv/ready" ]; then
	rm -rf "$venv"
	python3 -m venv "$venv"
	"$venv/bin/pip" install --quiet --disable-pip-version-check -r requirements.txt
	touch "$venv/ready"
fi

work=$(mktemp -d)
coffer=
stop() {
	if [ -n "$coffer" ] && kill "$coffer" 2>/dev/null; then
		wait "$coffer" || :
	fi
	rm -rf "$work"
}
trap stop EXIT
binary=${COFFER_BINARY:-}
if [ -z "$binary" ]; then
	binary=$work/coffer
	go build -buildvcs=false -o "$binary" coffer/cmd/coffer
fi
# coffer refuses settings that it does not know
for name in $(compgen -e | grep -E "^COFFER_"); do unset "$name"; done
"$binary" serve --data "$work/data" --ports auto 2>"$work/log" &
coffer=$!
for _ in $(seq 600); do
	"$binary" env --data "$work/data" >"$work/env" 2>/dev/null && break
	kill -0 "$coffer" || { cat "$work/log"; exit 1; }
	sleep 0.1
done
# shellcheck disable=SC1091 # written above
. "$work/env"
read -r user password host port < <(python3 -c '
import sys, urllib.parse
u = urllib.parse.urlsplit(sys.argv[1])
print(u.username, u.password, u.hostname, u.port)' "$COFFER_MANAGEMENT_URL")

export ANSIBLE_LOCALHOST_WARNING=False ANSIBLE_HOME=$work/ansible ANSIBLE_NOCOLOR=1
export ANSIBLE_DEPRECATION_WARNINGS=False
# play BOOK CHANGED STATE: runs the playbook, which must change that many things.
play() {
	"$venv/bin/ansible-playbook" -i localhost, "$1" \
		-e ansible_python_interpreter="$venv/bin/python" -e user="$user" \
		-e password="$password" -e host="$host" -e api_port="$port" -e ca="$COFFER_CA" \
		-e endpoint="$AWS_ENDPOINT_URL" -e state="$3" | tee "$work/out"
	grep -q " changed=$2 .* failed=0" "$work/out" ||
		{ echo "$1 did not change $2 things"; exit 1; }
}
play playbook.yml 4 present
play playbook.yml 0 present
shown=$(curl --silent --show-error --fail --cacert "$COFFER_CA" \
	"$COFFER_MANAGEMENT_URL/api/queues/%2F/eu%2Forders?columns=arguments")
[[ $shown = *'"x-max-length":100'*'"x-queue-type":"quorum"'* ]] ||
	{ echo "the queue has $shown"; exit 1; }
play playbook.yml 2 absent

play aws.yml 9 present
play aws.yml 0 present
play aws.yml 8 absent
