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
# Of SQS, it takes the endpoint from its arguments alone.
sqs() { aws sqs --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }
jobs=$(sqs create-queue --queue-name jobs.fifo --query QueueUrl \
	--attributes FifoQueue=true,ContentBasedDeduplication=true)
sqs send-message --queue-url "$jobs" --message-body aaa --message-group-id one >"$dir/out"
got=$(sqs receive-message --queue-url "$jobs" --wait-time-seconds 20 \
	--query 'Messages[0].[Body,MD5OfBody,ReceiptHandle]')
is message "$(cut -f1,2 <<<"$got")" "$(printf 'aaa\t47bce5c74f589f4867dbd57e9ca9f808')"
sqs delete-message --queue-url "$jobs" --receipt-handle "$(cut -f3 <<<"$got")"
refused MissingParameter sqs send-message --queue-url "$jobs" --message-body x
sqs delete-queue --queue-url "$jobs"
refused AWS.SimpleQueueService.NonExistentQueue sqs purge-queue --queue-url "$jobs"

# Root of another account receives: SSE-SQS has one gate, the queue's policy; SSE-KMS a
# second one, the key's, which the default key opens to nobody (acceptance SQS-05 to SQS-11).
read -r id secret < <("$binary" accounts create --account 111111111111 --data "$dir/data" \
	--output json | python3 -c 'import json, sys; a = json.load(sys.stdin)
print(a["AccessKeyId"], a["SecretAccessKey"])')
guest() { AWS_ACCESS_KEY_ID=$id AWS_SECRET_ACCESS_KEY=$secret sqs "$@"; }
allow() { # principals, action
	printf '{"Effect":"Allow","Principal":{"AWS":[%s]},"Action":"%s","Resource":"*"}' "$@"
}
notyours='(KMS.AccessDeniedException) when calling the ReceiveMessage operation: The ciphertext
 refers to a customer master key that does not exist, does not exist in this region, or you are
 not allowed to access. (Service: AWSKMS; Status Code: 400; Error Code: AccessDeniedException;
 Request ID: '
shared=$(sqs create-queue --queue-name shared --query QueueUrl --attributes VisibilityTimeout=0)
seal() { # attributes of encryption; the message that is sent then
	sqs set-queue-attributes --queue-url "$shared" --attributes "$1"
	sqs send-message --queue-url "$shared" --message-body aaaa >"$dir/out"
}
receive() {
	"$1" receive-message --queue-url "$shared" --wait-time-seconds 20 --query 'Messages[0].Body'
}
seal '{"SqsManagedSseEnabled":"true","KmsMasterKeyId":""}'
refused '(AccessDenied) when calling the ReceiveMessage operation' receive guest
python3 -c 'import json, sys; print(json.dumps({"Policy": sys.argv[1]}))' \
	"{\"Statement\":[$(allow '"111111111111"' sqs:ReceiveMessage)]}" >"$dir/policy"
sqs set-queue-attributes --queue-url "$shared" --attributes "file://$dir/policy"
is shared "$(receive guest)" aaaa
sqs purge-queue --queue-url "$shared"
seal '{"SqsManagedSseEnabled":"false","KmsMasterKeyId":"alias/aws/sqs",
	"KmsDataKeyReusePeriodSeconds":"300"}'
refused "${notyours//$'\n'/}" receive guest
sqs delete-message --queue-url "$shared" --receipt-handle "$(sqs receive-message \
	--queue-url "$shared" --wait-time-seconds 20 --query 'Messages[0].ReceiptHandle')"
seal "{\"KmsMasterKeyId\":\"$key\"}"
refused "${notyours//$'\n'/}" receive guest
aws kms put-key-policy --key-id "$key" --policy "{\"Statement\":[
	$(allow '"000000000000"' 'kms:*'),$(allow '"111111111111"' kms:Decrypt)]}"
is opened "$(receive guest)" aaaa
echo "ok: the AWS CLI, $passed checks"
