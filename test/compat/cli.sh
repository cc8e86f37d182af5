#!/usr/bin/env bash
# The core promise with the AWS CLI alone, as the README shows it: an account's
# first minutes. Needs COFFER_BINARY; ends what it started.
set -euo pipefail

dir=$(mktemp -d)
pid=
finish() {
	status=$?
	if [ -n "$pid" ]; then kill "$pid" && wait "$pid" || status=1; fi
	[ "$status" = 0 ] || cat "$dir/log"
	rm -rf "$dir"
	exit "$status"
}
trap finish EXIT

binary=$COFFER_BINARY
for name in $(compgen -e | grep -E '^(COFFER|AWS)_'); do unset "$name"; done
export AWS_EC2_METADATA_DISABLED=true AWS_PAGER= AWS_DEFAULT_OUTPUT=text
export AWS_CONFIG_FILE=$dir/none AWS_SHARED_CREDENTIALS_FILE=$dir/none

"$binary" serve --ports=auto --data "$dir/data" >"$dir/log" 2>&1 &
pid=$!
for _ in $(seq 300); do
	if exports=$("$binary" env --data "$dir/data" 2>"$dir/env"); then break; fi
	kill -0 "$pid"
	sleep 0.05
done
eval "${exports:?$(cat "$dir/env")}"

passed=0
is() { # what, got, want
	if [ "$2" != "$3" ]; then
		echo "FAIL $1: got '$2', want '$3'" >&2
		exit 1
	fi
	passed=$((passed + 1))
}
refused() { # text, command…
	if "${@:2}" >"$dir/out" 2>&1; then
		echo "FAIL ${*:2}: was not refused" >&2
		exit 1
	fi
	case $(cat "$dir/out") in
	*"$1"*) passed=$((passed + 1)) ;;
	*) echo "FAIL ${*:2}: $(cat "$dir/out"), want '$1'" >&2 && exit 1 ;;
	esac
}
state() { aws mq describe-broker --broker-id "$broker" --query BrokerState; }

is account "$(aws sts get-caller-identity --query Account)" 000000000000
key=$(aws kms create-key --description compat --query KeyMetadata.Arn)
aws kms create-alias --alias-name alias/compat --target-key-id "$key"
is alias "$(aws kms describe-key --key-id alias/compat --query KeyMetadata.Arn)" "$key"

printf 'plain text' >"$dir/plain"
aws kms encrypt --key-id alias/compat --plaintext "fileb://$dir/plain" \
	--encryption-context a=b --query CiphertextBlob | base64 -d >"$dir/sealed"
decrypt() {
	aws kms decrypt --ciphertext-blob "fileb://$dir/sealed" --encryption-context "$1" \
		--query Plaintext
}
is decrypt "$(decrypt a=b | base64 -d)" "plain text"
refused InvalidCiphertextException decrypt a=c

create() { # name, key
	aws mq create-broker --broker-name "$1" --engine-type RABBITMQ --deployment-mode \
		SINGLE_INSTANCE --host-instance-type mq.m5.large --no-publicly-accessible \
		--auto-minor-version-upgrade --users 'Username=story,Password=pw-1234567890' \
		--encryption-options "UseAwsOwnedKey=false,KmsKeyId=$2" --query BrokerId
}
broker=$(create compat "$key")
for _ in $(seq 100); do [ "$(state)" = RUNNING ] && break; done
is state "$(state)" RUNNING
is grants "$(aws kms list-grants --key-id "$key" --query 'length(Grants)')" 2
is events "$(aws cloudtrail lookup-events --query 'length(Events)' --lookup-attributes \
	AttributeKey=EventName,AttributeValue=CreateGrant)" 2
mac=$(aws kms create-key --key-spec HMAC_256 --key-usage GENERATE_VERIFY_MAC \
	--query KeyMetadata.Arn)
refused BadRequestException create hmac "$mac"
refused BadRequestException create other "${key/:000000000000:/:111122223333:}"

aws kms disable-key --key-id "$key"
is locked "$(state)" CRITICAL_ACTION_REQUIRED
is code "$(aws mq describe-broker --broker-id "$broker" \
	--query 'ActionsRequired[0].ActionRequiredCode')" RABBITMQ_INVALID_KMS_KEY
refused BadRequestException aws mq reboot-broker --broker-id "$broker"
refused DisabledException aws kms encrypt --key-id "$key" --plaintext "fileb://$dir/plain"
aws kms enable-key --key-id "$key"
for _ in $(seq 100); do [ "$(state)" = RUNNING ] && break; done
is unlocked "$(state)" RUNNING

aws mq delete-broker --broker-id "$broker" >"$dir/out"
is retired "$(aws kms list-grants --key-id "$key" --query 'length(Grants)')" 0
refused NotFoundException aws mq describe-broker --broker-id "$broker"
is denials "$(aws cloudtrail lookup-events --query 'length(Events)' --lookup-attributes \
	AttributeKey=EventName,AttributeValue=RebootBroker)" 1
echo "ok: the AWS CLI, $passed checks"
