package listen

import (
	"log/slog"
	"net/netip"
	"time"
)

// Connection describes one to whoever logs and counts. The fields after Remote
// are empty before the handshake and on plaintext listeners.
type Connection struct {
	Listener   string         // Config.Name
	Remote     netip.AddrPort // the peer
	Version    string         // "TLS 1.3"
	Suite      string         // "TLS_AES_128_GCM_SHA256"
	Group      string         // key exchange: "X25519MLKEM768"
	ServerName string         // what the client asked for; chosen by the client
	Protocol   string         // ALPN
}

// LogValue gives the fields that are there.
func (i Connection) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.String("listener", i.Listener), slog.String("remote", i.Remote.String()),
	}
	for _, a := range []slog.Attr{
		slog.String("version", i.Version), slog.String("suite", i.Suite),
		slog.String("group", i.Group), slog.String("server_name", i.ServerName),
		slog.String("protocol", i.Protocol),
	} {
		if a.Value.String() != "" {
			attrs = append(attrs, a)
		}
	}
	return slog.GroupValue(attrs...)
}

// Events are told what a listener does. A nil function is not called; the
// others are called from many goroutines and must not block.
type Events struct {
	// Opened: the handshake is done, the handler runs next.
	Opened func(Connection)
	// Closed follows every Opened, with the time since accept.
	Closed func(c Connection, open time.Duration)
	// HandshakeFailed: the client was refused, gave up or was too slow.
	HandshakeFailed func(Connection, error)
	// Refused: Config.MaxConnections are open, or the Budget is spent.
	Refused func(Connection)
	// AcceptFailed: the system gave no connection; it is tried again.
	AcceptFailed func(listener string, err error)
	// Panicked: the handler broke an expectation; its connection is closed.
	Panicked func(c Connection, value any, stack []byte)
}

func (e *Events) opened(c Connection) {
	if e.Opened != nil {
		e.Opened(c)
	}
}

func (e *Events) closed(c Connection, open time.Duration) {
	if e.Closed != nil {
		e.Closed(c, open)
	}
}

func (e *Events) handshakeFailed(c Connection, err error) {
	if e.HandshakeFailed != nil {
		e.HandshakeFailed(c, err)
	}
}

func (e *Events) refused(c Connection) {
	if e.Refused != nil {
		e.Refused(c)
	}
}

func (e *Events) acceptFailed(listener string, err error) {
	if e.AcceptFailed != nil {
		e.AcceptFailed(listener, err)
	}
}

func (e *Events) panicked(c Connection, value any, stack []byte) {
	if e.Panicked != nil {
		e.Panicked(c, value, stack)
	}
}
