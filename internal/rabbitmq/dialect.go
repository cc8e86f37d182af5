package rabbitmq

import (
	"coffer/internal/broker"
	"coffer/internal/fault"
)

// Dialect is what the engine asks of the protocol in whose encoding exchanges, queues
// and bindings keep their arguments.
type Dialect interface {
	// Arguments reads encoded arguments as encoding/json does with numbers as json.Number
	// or int64, in any mixture.
	Arguments(encoded []byte) (map[string]any, error)
	// Shape tells what encoded arguments alone make of a queue.
	Shape(arguments []byte) Shape
	// Alternate is the alternate exchange that encoded arguments of an exchange name.
	Alternate(arguments []byte) string
}

// Shape is what arguments make of a queue.
type Shape struct {
	Kind   string // [KindClassic], [KindQuorum] or [KindStream]
	Limits broker.Limits
	// Overflow and Deliveries report whether the arguments say something about these
	// limits, which may also have them by default.
	Overflow, Deliveries bool
}

// mute is the dialect of an engine that was given none: nothing has arguments, and
// definitions declare nothing.
type mute struct{}

var (
	_ Dialect  = mute{}
	_ Declarer = mute{}
)

func (mute) Arguments([]byte) (map[string]any, error) { return map[string]any{}, nil }
func (mute) Shape([]byte) Shape                       { return Shape{Kind: KindClassic} }
func (mute) Alternate([]byte) string                  { return "" }

func (mute) Queue(string, DefinedQueue) (broker.QueueSpec, error) {
	return broker.QueueSpec{}, errMute()
}

func (mute) Exchange(string, DefinedExchange) (broker.Address, error) {
	return broker.Address{}, errMute()
}

func (mute) Binding(DefinedBinding, broker.AddressKind) (broker.Binding, error) {
	return broker.Binding{}, errMute()
}

func errMute() error {
	return fault.New(fault.NotImplemented, "nothing can be declared by definitions here")
}
