package node

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"coffer/internal/fault"
	"coffer/internal/rabbitmq"
)

// TestImportRefused: a file with anything wrong in it changes nothing.
func TestImportRefused(t *testing.T) {
	t.Parallel()
	b, ctx := newRabbit(t), t.Context()
	must(t, b.SetVhostLimit(ctx, "/", rabbitmq.MaxQueues, 1))
	before := exported(t, b, "")
	const good = `"users":[{"name":"good","tags":"","password_hash":""}],` +
		`"vhosts":[{"name":"good"}],`
	script, err := os.ReadFile("testdata/badimport.txt")
	must(t, err)
	for c := range strings.SplitSeq(strings.TrimPrefix(string(script), "== "), "\n== ") {
		text, want, _ := strings.Cut(c, "\n")
		text = strings.Replace(text, "GOOD", good, 1)
		want = strings.ReplaceAll(strings.TrimSpace(want), `\n`, "\n")
		var d rabbitmq.Definitions
		err := json.Unmarshal([]byte(text), &d)
		if err == nil {
			err = b.Import(ctx, d, "")
		}
		kind := fault.KindOf(err)
		parsed := json.Valid([]byte(text))
		if err == nil || parsed && kind != fault.Invalid && kind != fault.NotImplemented ||
			parsed && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
		if !bytes.Equal(before, exported(t, b, "")) {
			t.Fatalf("%s changed something: %s", text, exported(t, b, ""))
		}
	}
}

// TestImportPassesOver: what RabbitMQ does not mind.
func TestImportPassesOver(t *testing.T) {
	t.Parallel()
	b, ctx := newRabbit(t), t.Context()
	before := exported(t, b, "")
	for _, text := range []string{
		`{}`, `{"foo":1}`, `{"users":[1,null,"x"]}`, `{"users":null}`,
		`{"queues":[{"vhost":"/","name":"amq.gen-x"}]}`,
		`{"exchanges":[{"vhost":"/","name":"amq.topic"},{"vhost":"/","name":""}]}`,
		`{"bindings":[{"vhost":"/","source":"no","destination":"q","destination_type":"queue"}]}`,
		`{"bindings":[{"vhost":"/","source":"amq.topic","destination":"q",` +
			`"destination_type":"queue"}]}`,
		`{"bindings":[{"vhost":"/","source":"","destination":"q","destination_type":"queue"}]}`,
	} {
		must(t, b.Import(ctx, readDefinitions(t, []byte(text)), ""))
		if !bytes.Equal(before, exported(t, b, "")) {
			t.Fatalf("%s changed something: %s", text, exported(t, b, ""))
		}
	}
	must(t, b.Import(ctx, readDefinitions(t, []byte(`{"rabbit_version":"3.5.7",
		"users":[{"name":"old","password_hash":"kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR",
			"administrator":"true"}],
		"vhosts":[{"name":"v","limits":[],"metadata":{"description":"d","tags":["t"],
			"default_queue_type":"undefined"}}],
		"queues":[{"vhost":"v","name":"q","durable":true,"arguments":[]}]}`)), ""))
	u, _ := b.User("old")
	v, _ := b.Vhost("v")
	if u.Algorithm != "rabbit_password_hashing_md5" || len(u.Tags) != 1 ||
		v.Description != "d" || len(v.Tags) != 1 || v.DefaultQueueType != "" {
		t.Errorf("%+v %+v", u, v)
	}
}

// TestImportOfRabbitMQ4: what RabbitMQ 4 writes beside what 3.10 does is taken, too.
func TestImportOfRabbitMQ4(t *testing.T) {
	t.Parallel()
	b, ctx := newRabbit(t), t.Context()
	must(t, b.Import(ctx, readDefinitions(t, []byte(`{
		"rabbit_version": "4.1.0", "rabbitmq_version": "4.1.0", "product_name": "RabbitMQ",
		"rabbitmq_definition_format": "cluster", "original_cluster_name": "rabbit@far",
		"explanation": "Definitions of cluster 'rabbit@far'",
		"users": [{"name": "ann", "hashing_algorithm": "rabbit_password_hashing_sha256",
			"password_hash": "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR",
			"tags": ["administrator"], "limits": {}}],
		"vhosts": [{"name": "v", "description": "d", "tags": ["a"],
			"default_queue_type": "quorum", "metadata": {"description": "d", "tags": ["a"],
			"default_queue_type": "quorum"}}],
		"policies": [{"vhost": "v", "name": "p", "pattern": "^q", "apply-to": "quorum_queues",
			"definition": {"delivery-limit": -1, "max-length": 9}, "priority": 7}],
		"queues": [{"name": "q", "vhost": "v", "durable": true, "auto_delete": false,
			"arguments": {"x-queue-type": "quorum"}, "type": "quorum"},
			{"name": "q2", "vhost": "v", "durable": true, "auto_delete": false,
			"arguments": {"x-queue-type": "classic"}, "type": "classic"}]}`)), ""))
	must(t, b.Authenticate(ctx, "ann", []byte("test12")))
	ns, _ := b.Namespace("v")
	q, _ := ns.Topology().Queue("q")
	q2, _ := ns.Topology().Queue("q2")
	if l := q.Limits(); l.MaxLength.N != 9 || l.Deliveries.N != math.MaxInt64 ||
		q2.Limits().MaxLength.Set || b.DefaultQueueType("v") != "quorum" {
		t.Errorf("%+v %+v %s", l, q2.Limits(), b.DefaultQueueType("v"))
	}
}
