package node

import (
	"context"
	"net"
	"net/http"
	"strconv"

	"github.com/google/uuid"

	"coffer/internal/listen"
	"coffer/internal/protocol/amqp091"
	"coffer/internal/protocol/amqp091/wire"
	"coffer/internal/protocol/amqp10"
	"coffer/internal/rabbitmq"
	"coffer/internal/rabbitmq/management"
	"coffer/internal/rabbitmq/management/ui"
)

// Bounds of requests of the management API; the bodies are bounded by the handler.
const maxManagementHeader = 32 << 10

// openManagement opens the port of the brokers' management APIs.
func (f *fleet) openManagement() error {
	l, err := f.n.listen(listen.Config{
		Name: "management", Port: f.n.cfg.ManagementPort, Flag: "--management-port",
		TLS: f.n.cfg.tlsProfile.Server(f.n.certs, "h2", "http/1.1"),
	})
	if err != nil {
		return err
	}
	f.management = l
	f.n.serveHTTP(l, &http.Server{
		Handler: http.HandlerFunc(f.manage), MaxHeaderBytes: maxManagementHeader,
	})
	return nil
}

// manage hands a request to the broker that the client asked for in its handshake, as
// byServerName does. A client that reuses the connection for another broker, which HTTP
// allows under a certificate for both, is told to open one of its own: it must not
// give its password to this one.
func (f *fleet) manage(w http.ResponseWriter, r *http.Request) {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	id, asked := f.named(r.TLS.ServerName)
	if other, named := f.named(host); named && (!asked || other != id) {
		http.Error(w, "this connection is for another broker", http.StatusMisdirectedRequest)
		return
	}
	f.mu.Lock()
	b := f.brokers[id]
	if !asked {
		b = f.standard()
	}
	var api http.Handler
	if b != nil && b.visits != nil {
		api = b.management
	}
	f.mu.Unlock()
	if api == nil {
		http.Error(w, "the broker does not serve", http.StatusServiceUnavailable)
		return
	}
	api.ServeHTTP(w, r)
}

// standard gives the broker that has the standard ports, or nil. It is called with mu
// held.
func (f *fleet) standard() *instance {
	for _, b := range f.brokers {
		if b.standard {
			return b
		}
	}
	return nil
}

// console is where the management API of a broker is. It is called with mu held.
func (f *fleet) console(b *instance) string {
	host := f.n.cfg.Hostname
	if !b.standard {
		host = "b-" + b.run.ID.String() + "." + host
	}
	return "https://" + net.JoinHostPort(host, strconv.Itoa(f.management.Port()))
}

// newManagement makes the management API of a broker, and the pages over it.
func (f *fleet) newManagement(
	id uuid.UUID, b *rabbitmq.Broker, d *amqpDoors, l *links, shown *figures,
) http.Handler {
	m := &managed{f, id, d.old, d.new, l}
	api := management.New(b, m, m, m, management.Config{
		Logger: f.n.log, Build: f.n.cfg.Version, Node: "coffer@" + f.n.cfg.Hostname,
		Metrics: shown, Samples: sampled{shown.samples},
	})
	return ui.New(api, ui.Config{Logger: f.n.log})
}

// managed is one broker's messaging protocols as its management API sees them.
type managed struct {
	fleet  *fleet
	id     uuid.UUID
	server *amqp091.Server
	newer  *amqp10.Server
	links  *links
}

var _ management.Doors = (*managed)(nil)

// Dial is [management.Doors]'s.
func (m *managed) Dial(ctx context.Context, user string) (net.Conn, error) {
	return m.links.dial(ctx, user)
}

// Arguments is [management.Doors]'s.
func (m *managed) Arguments(table []byte) (map[string]any, error) {
	return plainTable(table)
}

// Listeners is [management.Doors]'s.
func (m *managed) Listeners() []management.Listener {
	f := m.fleet
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.brokers[m.id]
	if b == nil {
		return nil
	}
	amqp := f.door
	if b.own != nil {
		amqp = b.own
	}
	var list []management.Listener
	for _, a := range amqp.Addresses() {
		list = append(list, management.Listener{
			Protocol: "amqp/ssl", Address: a.Addr().String(), Port: int(a.Port()), TLS: true})
	}
	if b.standard && f.plainDoor != nil {
		for _, a := range f.plainDoor.Addresses() {
			list = append(list, management.Listener{
				Protocol: "amqp", Address: a.Addr().String(), Port: int(a.Port())})
		}
	}
	for _, a := range f.management.Addresses() {
		list = append(list, management.Listener{
			Protocol: "https", Address: a.Addr().String(), Port: int(a.Port()), TLS: true})
	}
	return list
}

// plainTable reads an encoded table, with its length before it, for JSON.
func plainTable(table []byte) (map[string]any, error) {
	const length = 4
	if len(table) < length {
		return map[string]any{}, nil
	}
	t, err := wire.ParseTable(table[length:])
	if err != nil {
		return nil, err
	}
	return t.Plain(), nil
}
