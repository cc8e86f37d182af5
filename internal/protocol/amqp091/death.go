package amqp091

import (
	"cmp"
	"slices"
	"strconv"

	"coffer/internal/broker"
	"coffer/internal/protocol/amqp091/wire"
)

// reasonNames are what RabbitMQ calls the reasons of deaths.
var reasonNames = [...]string{
	broker.Rejected: "rejected", broker.Expired: "expired", broker.TooMany: "maxlen",
	broker.DeliveryLimit: "delivery_limit",
}

func reasonName(r broker.Reason) string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return ""
}

// annotated gives the properties of a message as they are delivered: with the
// headers that tell how it died and how often it came back. Only few messages have
// any. The oldest deaths are left out when the frame would become too large.
func annotated(d *broker.Delivery, header []byte, frameMax uint32) []byte {
	var p wire.Properties
	if d.History == nil && !isQuorum(d.Queue) || p.Parse(header) != nil {
		return header
	}
	deaths := 0
	if d.History != nil {
		deaths = len(d.History.Deaths)
		p.Flags &^= wire.FlagExpiration // of its first life
	}
	table, err := p.HeaderTable()
	if err != nil {
		return header
	}
	for ; ; deaths /= 2 {
		if p.SetHeaderTable(withAnnotations(d, table, deaths)) != nil {
			return header
		}
		out, err := p.Append(nil)
		if err != nil {
			return header
		}
		if len(out)+headerRoom <= int(frameMax) || deaths == 0 {
			return out
		}
	}
}

// headerRoom is what a content header's frame has besides the properties.
const headerRoom = wire.FrameOverhead + 12

// withAnnotations gives the headers in order of their names, each once. Those that
// a broker writes come before those that a client claimed.
func withAnnotations(d *broker.Delivery, headers wire.Table, deaths int) wire.Table {
	var t wire.Table
	add := func(name string, v wire.Value) { t = append(t, wire.Field{Name: name, Value: v}) }
	if d.Count > 0 && isQuorum(d.Queue) {
		add("x-delivery-count", wire.Int64Value(int64(d.Count)))
	}
	if h := d.History; h != nil && len(h.Deaths) > 0 {
		last := &h.Deaths[0]
		cc := copiesOf(headers)
		list := make([]wire.Value, deaths)
		for i := range list {
			list[i] = deathValue(&h.Deaths[i], cc)
		}
		add("x-death", wire.ArrayValue(list...))
		add("x-first-death-exchange", wire.StringValue(h.FirstAddress))
		add("x-first-death-queue", wire.StringValue(h.FirstQueue))
		add("x-first-death-reason", wire.StringValue(reasonName(h.FirstReason)))
		add("x-last-death-exchange", wire.StringValue(h.LastAddress))
		add("x-last-death-queue", wire.StringValue(last.Queue))
		add("x-last-death-reason", wire.StringValue(reasonName(last.Reason)))
	}
	t = append(t, headers...)
	slices.SortStableFunc(t, func(a, b wire.Field) int { return cmp.Compare(a.Name, b.Name) })
	return slices.CompactFunc(t, func(a, b wire.Field) bool { return a.Name == b.Name })
}

// copiesOf gives the keys in the header CC, as many as a dead message is led by: each
// death tells them again. Those of BCC are not told.
func copiesOf(headers wire.Table) (keys []wire.Value) {
	cc, _ := headers.Get("CC")
	list, _ := cc.Array()
	for _, v := range list {
		if _, ok := v.Text(); ok && len(keys) < broker.MaxCopies {
			keys = append(keys, v)
		}
	}
	return keys
}

// deathValue is an element of x-death.
func deathValue(d *broker.Death, cc []wire.Value) wire.Value {
	keys := []wire.Value{wire.StringValue(d.Key)}
	if d.Copies {
		keys = append(keys, cc...)
	}
	t := wire.Table{
		{Name: "count", Value: wire.Int64Value(int64(d.Count))},
		{Name: "reason", Value: wire.StringValue(reasonName(d.Reason))},
		{Name: "queue", Value: wire.StringValue(d.Queue)},
		{Name: "time", Value: wire.TimestampValue(uint64(d.Time.Unix()))},
		{Name: "exchange", Value: wire.StringValue(d.Address)},
		{Name: "routing-keys", Value: wire.ArrayValue(keys...)},
	}
	if d.Lifetime >= 0 {
		life := strconv.FormatInt(d.Lifetime.Milliseconds(), 10)
		t = slices.Insert(t, 0, wire.Field{
			Name: "original-expiration", Value: wire.StringValue(life),
		})
	}
	return wire.TableValue(t)
}
