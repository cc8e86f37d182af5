package tidy

import (
	"path"
	"strings"
)

// leaves is the lowest layer; whatever may import one may import all.
const leaves = "internal/arn internal/fault internal/seal internal/policy " +
	"internal/tlsx internal/telemetry internal/telemetry/trace internal/rootkey internal/lint " +
	"internal/doctor"

// state is what stands directly above the store. Its three packages never
// import each other: control carries the batch that the others fill.
const state = leaves + " internal/store internal/control internal/audit internal/keyring"

// links is what connects brokers, below shovels and federation.
const links = " internal/broker internal/rabbitmq/parameter internal/rabbitmq/peer" +
	" internal/rabbitmq/relay"

// layers says what a folder, and every folder below it that has no line of its
// own, may import of this module: a folder alone means exactly that package,
// "/..." the folders below it too. A package may always import its own
// ancestors and descendants, so a sibling needs a line, and has none.
var layers = map[string]string{
	"internal/arn":   "",
	"internal/fault": "",

	"internal/seal":      "internal/arn internal/fault",
	"internal/policy":    "internal/arn internal/fault",
	"internal/tlsx":      "internal/arn internal/fault",
	"internal/telemetry": "internal/arn internal/fault",
	"internal/rootkey":   "internal/fault internal/seal",
	"internal/lint":      "internal/fault",
	"internal/doctor":    "",

	"internal/store":          leaves,
	"internal/store/embedded": leaves + " internal/store internal/store/seglog",

	"internal/control": leaves + " internal/store",
	"internal/audit":   leaves + " internal/store internal/control",
	"internal/keyring": leaves + " internal/store",

	"internal/broker": state,

	"internal/rabbitmq": state + " internal/broker",
	"internal/activemq": state + " internal/broker",

	// What connects brokers rests on three leaves of the engine, and is tried against
	// whole brokers.
	"internal/rabbitmq/relay":      "internal/fault",
	"internal/rabbitmq/shovel":     state + links,
	"internal/rabbitmq/federation": state + links,
	"internal/rabbitmq/rabbittest": state + links + " internal/store/memory" +
		" internal/protocol/amqp091",

	"internal/aws/wire":    "internal/fault",
	"internal/aws/api":     "internal/aws/wire",
	"internal/aws/sigv4":   "internal/fault",
	"internal/aws/gateway": state + " internal/aws/wire internal/aws/sigv4",

	// The edge is below its doors: a service asks it who calls and what a caller
	// may, and reaches another service through wire.Caller, never by import.
	"internal/service": state + " internal/broker internal/aws/wire internal/aws/api/..." +
		" internal/aws/sigv4 internal/aws/gateway",
	"internal/protocol": state + " internal/broker internal/protocol/convert" +
		" internal/protocol/buffer",
	"internal/protocol/buffer":       "",
	"internal/protocol/protocoltest": state + " internal/broker internal/store/memory",
	// What one door stored another one delivers: the codecs of both are below them.
	"internal/protocol/convert": "internal/fault internal/broker" +
		" internal/protocol/amqp091/wire internal/protocol/amqp10/wire",
	// A client knows a broker by its frames alone.
	"internal/amqpclient": "internal/protocol/amqp091/wire",
	"internal/bench": "internal/fault internal/tlsx internal/amqpclient internal/aws/sigv4" +
		" internal/protocol/amqp091/wire internal/protocol/buffer",
	"internal/listen":  leaves,
	"internal/console": leaves,

	"internal/node": "internal/...",
	"cmd":           leaves + " internal/node internal/amqpclient internal/bench",

	"internal/tidy":  "",
	"internal/tools": "",
	"test":           "...",
}

// owners names the folders that alone may import a third-party module: its
// types must not leak, or the module could not be replaced. The folder test
// stands for every test of the module.
var owners = map[string]string{
	"github.com/cockroachdb/pebble":       "internal/store",
	"github.com/tidwall/btree":            "internal/store",
	"github.com/prometheus":               "internal/telemetry",
	"go.opentelemetry.io":                 "internal/telemetry/trace test",
	"google.golang.org/protobuf":          "internal/telemetry/trace test",
	"github.com/spf13/cobra":              "cmd",
	"golang.org/x/term":                   "cmd",
	"github.com/dlclark/regexp2":          "internal/rabbitmq",
	"github.com/HdrHistogram":             "internal/bench",
	"rsc.io/qr":                           "internal/service/iam",
	"github.com/aws/aws-sdk-go-v2":        "test",
	"github.com/rabbitmq/amqp091-go":      "internal/rabbitmq test",
	"github.com/rogpeppe/go-internal":     "test",
	"pgregory.net/rapid":                  "test",
	"github.com/anishathalye/porcupine":   "test",
	"github.com/Azure/go-amqp":            "test",
	"github.com/eclipse/paho.mqtt.golang": "test",
}

// layerOf finds the line of the table that governs dir.
func layerOf(dir string) (allowed string, ok bool) {
	for ; dir != "." && dir != "/"; dir = path.Dir(dir) {
		if allowed, ok = layers[dir]; ok {
			return allowed, true
		}
	}
	return "", false
}

// mayImport reports whether dir may import the package p of the same module.
func mayImport(dir, allowed, p string) bool {
	if under(p, dir) || under(dir, p) {
		return true
	}
	for a := range strings.FieldsSeq(allowed) {
		base, deep := strings.CutSuffix(a, "...")
		if p == a || deep && strings.HasPrefix(p+"/", base) {
			return true
		}
	}
	return false
}

// under reports whether p is dir or stands below it.
func under(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }
