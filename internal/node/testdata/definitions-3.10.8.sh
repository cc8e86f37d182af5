#!/bin/sh
# Fills a new RabbitMQ 3.10.8 (Debian's) and writes the definitions that it exports to
# the standard output. Its plugins are rabbitmq_management, rabbitmq_shovel,
# rabbitmq_federation and rabbitmq_consistent_hash_exchange; its user is guest.
#
#	definitions-3.10.8.sh http://127.0.0.1:15672 > definitions-3.10.8.json
set -eu
api=$1/api
put() { call PUT "$@"; }
post() { call POST "$@"; }
call() {
	curl -sS --fail-with-body -o /dev/null -u guest:guest -X "$1" \
		-H 'content-type: application/json' -d "$3" "$api$2"
}

put /users/ann '{"password":"ann-secret","tags":"monitoring,policymaker"}'
put /users/bob '{"password":"bob-secret","tags":[]}'
put /users/nopass '{"password_hash":"","tags":"management"}'
put /user-limits/bob/max-connections '{"value":100}'
put /user-limits/bob/max-channels '{"value":1000}'
put /vhosts/orders '{"description":"orders of shops","tags":"eu,us"}'
put /vhosts/audit '{}'
put /permissions/orders/ann \
	'{"configure":"^(?!amq\\.).*","write":"^(?!amq\\.).*","read":".*"}'
put /permissions/audit/ann '{"configure":"","write":"^audit$","read":""}'
put /permissions/orders/bob '{"configure":"^bob-","write":"^orders$|^bob-","read":"^bob-"}'
put /permissions/orders/guest '{"configure":".*","write":".*","read":".*"}'
put /permissions/audit/guest '{"configure":".*","write":".*","read":".*"}'
put /topic-permissions/orders/bob \
	'{"exchange":"orders","write":"^{username}\\..*","read":"^order\\.eu\\..*"}'
put /global-parameters/cluster_name '{"value":"shop@example"}'
put /global-parameters/mqtt_default_vhosts '{"value":{"O=client":"orders"}}'

put /policies/orders/limits '{"pattern":"^orders\\.","apply-to":"queues","priority":5,
	"definition":{"max-length":1000,"message-ttl":60000,"dead-letter-exchange":"dead",
	"dead-letter-routing-key":"late","overflow":"reject-publish"}}'
put /policies/orders/mirrors '{"pattern":"^(?!amq\\.).*","apply-to":"all","priority":0,
	"definition":{"ha-mode":"exactly","ha-params":2,"ha-sync-mode":"automatic"}}'
put /policies/orders/alternate '{"pattern":"^orders$","apply-to":"exchanges","priority":1,
	"definition":{"alternate-exchange":"dead"}}'
put /policies/%2F/lazy '{"pattern":"^lazy","definition":{"queue-mode":"lazy","expires":3600000}}'
put /operator-policies/orders/bound '{"pattern":".*","apply-to":"queues","priority":0,
	"definition":{"max-length":500,"expires":1800000}}'
put /vhost-limits/orders/max-queues '{"value":200}'
put /parameters/shovel/orders/drain '{"value":{"src-protocol":"amqp091",
	"src-uri":"amqp://","src-queue":"orders.new","dest-protocol":"amqp091",
	"dest-uri":"amqp://","dest-queue":"orders.copy","ack-mode":"on-confirm"}}'
put /parameters/federation-upstream/orders/far \
	'{"value":{"uri":"amqp://far.example","expires":3600000,"prefetch-count":100}}'

put /exchanges/orders/orders '{"type":"topic","durable":true}'
put /exchanges/orders/dead '{"type":"fanout","durable":true}'
put /exchanges/orders/choice '{"type":"headers","durable":true,"auto_delete":false,
	"arguments":{"alternate-exchange":"dead"}}'
put /exchanges/orders/inner '{"type":"direct","durable":true,"internal":true}'
put /exchanges/orders/spread '{"type":"x-consistent-hash","durable":true,
	"arguments":{"hash-header":"shop"}}'
put /exchanges/audit/audit '{"type":"direct","durable":false,"auto_delete":true}'

put /queues/orders/orders.new '{"durable":true,"arguments":{"x-max-length":2000}}'
put /queues/orders/orders.copy '{"durable":true,"arguments":{"x-queue-type":"quorum",
	"x-delivery-limit":5,"x-dead-letter-exchange":"dead"}}'
put /queues/orders/orders.urgent '{"durable":true,"arguments":{"x-max-priority":10,
	"x-message-ttl":30000,"x-expires":900000,"x-single-active-consumer":true}}'
put /queues/orders/orders.late '{"durable":true,"arguments":{}}'
put /queues/orders/temporary '{"durable":false,"auto_delete":true,
	"arguments":{"x-queue-mode":"lazy"}}'
put /queues/audit/audit '{"durable":true,"arguments":{"x-overflow":"reject-publish-dlx",
	"x-max-length-bytes":1048576,"x-dead-letter-exchange":"",
	"x-dead-letter-routing-key":"audit.full","x-queue-version":2}}'
put /queues/%2F/lazy.one '{"durable":true,"arguments":{}}'

post /bindings/orders/e/orders/q/orders.new '{"routing_key":"order.*.new"}'
post /bindings/orders/e/orders/q/orders.copy '{"routing_key":"order.#"}'
post /bindings/orders/e/orders/q/orders.copy '{"routing_key":"order.#","arguments":{"n":1,
	"s":"text","t":true,"f":1.5,"list":["a",2],"table":{"in":"side"}}}'
post /bindings/orders/e/choice/q/orders.urgent '{"routing_key":"","arguments":{
	"x-match":"all","urgent":true,"shop":"eu"}}'
post /bindings/orders/e/orders/e/choice '{"routing_key":"order.*.choice"}'
post /bindings/orders/e/dead/q/orders.late '{"routing_key":""}'
post /bindings/orders/e/spread/q/orders.new '{"routing_key":"10"}'
post /bindings/orders/e/spread/q/orders.copy '{"routing_key":"20"}'
post /bindings/orders/e/amq.topic/q/orders.new '{"routing_key":"mqtt.#"}'
post /bindings/%2F/e/amq.fanout/q/lazy.one '{"routing_key":"any"}'

curl -sS --fail -u guest:guest "$api/definitions" | python3 -m json.tool
