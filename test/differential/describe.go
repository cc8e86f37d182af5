package differential

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"coffer/internal/protocol/amqp091/wire"
)

// describe gives a method with its fields that are not zero.
func describe(m wire.Method) string {
	var b strings.Builder
	b.WriteString(m.ID().String())
	v := reflect.ValueOf(m).Elem()
	for i := range v.NumField() {
		f := v.Field(i)
		if f.IsZero() {
			continue
		}
		fmt.Fprintf(&b, " %s=%s", v.Type().Field(i).Name, field(f.Interface()))
	}
	return b.String()
}

func field(v any) string {
	switch v := v.(type) {
	case string:
		return strconv.Quote(v)
	case []byte:
		return strconv.Quote(string(v))
	case wire.Code:
		return strconv.Itoa(int(v))
	case wire.Table:
		return table(v)
	case wire.Value:
		return value(v)
	}
	return fmt.Sprint(v)
}

// table shows fields in order of their names, which is all that their order means.
func table(t wire.Table) string {
	list := make([]string, len(t))
	for i, f := range t {
		v := value(f.Value)
		if f.Name == "time" && f.Value.Type() == wire.TypeTimestamp {
			v = "T(*)" // of a death
		}
		list[i] = f.Name + "=" + v
	}
	slices.Sort(list)
	return "{" + strings.Join(list, " ") + "}"
}

// value shows a value with its type.
func value(v wire.Value) string {
	text := ""
	if t, ok := v.Table(); ok {
		text = table(t)
	} else if a, ok := v.Array(); ok {
		list := make([]string, len(a))
		for i := range a {
			list[i] = value(a[i])
		}
		text = "[" + strings.Join(list, " ") + "]"
	} else if s, ok := v.Text(); ok {
		text = strconv.Quote(s)
	} else if b, ok := v.Bytes(); ok {
		text = strconv.Quote(string(b))
	} else if n, ok := v.Int64(); ok {
		text = strconv.FormatInt(n, 10)
	} else if f, ok := v.Float64(); ok {
		text = strconv.FormatFloat(f, 'g', -1, 64)
	} else if yes, ok := v.Bool(); ok {
		text = strconv.FormatBool(yes)
	} else if scale, n, ok := v.Decimal(); ok {
		text = fmt.Sprintf("%de-%d", n, scale)
	} else if at, ok := v.Time(); ok {
		text = strconv.FormatInt(at.Unix(), 10)
	}
	return string(rune(v.Type())) + "(" + text + ")"
}

// properties shows those that are there.
func properties(p *wire.Properties) string {
	var list []string
	add := func(flag uint16, name string, v any) {
		if p.Has(flag) {
			list = append(list, name+"="+field(v))
		}
	}
	add(wire.FlagContentType, "content-type", p.ContentType)
	add(wire.FlagContentEncoding, "content-encoding", p.ContentEncoding)
	add(wire.FlagDeliveryMode, "delivery-mode", p.DeliveryMode)
	add(wire.FlagPriority, "priority", p.Priority)
	add(wire.FlagCorrelationID, "correlation-id", p.CorrelationID)
	add(wire.FlagReplyTo, "reply-to", p.ReplyTo)
	add(wire.FlagExpiration, "expiration", p.Expiration)
	add(wire.FlagMessageID, "message-id", p.MessageID)
	add(wire.FlagTimestamp, "timestamp", p.Timestamp)
	add(wire.FlagType, "type", p.Type)
	add(wire.FlagUserID, "user-id", p.UserID)
	add(wire.FlagAppID, "app-id", p.AppID)
	add(wire.FlagClusterID, "cluster-id", p.ClusterID)
	if t, err := p.HeaderTable(); err != nil {
		list = append(list, "headers="+err.Error())
	} else if p.Has(wire.FlagHeaders) {
		list = append(list, "headers="+table(t))
	}
	return strings.Join(list, " ")
}
