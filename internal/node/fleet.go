package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"

	"github.com/google/uuid"

	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/keyring"
	"coffer/internal/listen"
	"coffer/internal/rabbitmq"
	"coffer/internal/seal"
	"coffer/internal/service/mq"
)

// fleet runs the brokers of this process. It is service/mq's engine.
type fleet struct {
	n      *Node
	ctx    context.Context // ends when the process stops
	cancel context.CancelFunc
	work   sync.WaitGroup // starts, stops and reboots under way

	door      *listen.Listener // the standard port
	plainDoor *listen.Listener // the same without TLS; nil = not open
	// management is the port of all brokers' management APIs.
	management *listen.Listener

	mu      sync.Mutex
	brokers map[uuid.UUID]*instance
	main    uuid.UUID // broker main, also when it was deleted
}

var _ mq.Engine = (*fleet)(nil)

// instance is one running broker.
type instance struct {
	run  mq.Running
	turn sync.Mutex // one start, stop or reboot at a time

	// Guarded by turn.
	broker   *rabbitmq.Broker
	settings mq.Settings // of its configuration

	// Guarded by the fleet's mu.
	gone       bool // deleted
	moving     bool // to another queue shard
	phase      mq.Phase
	err        error // why it could not be started
	domain     *keyring.Domain
	visits     *visits          // nil = lets nobody in
	links      *links           // nil with visits
	doors      *amqpDoors       // nil before the first visits
	management http.Handler     // as long as visits
	figures    *figures         // as long as visits
	standard   bool             // it has the standard port
	own        *listen.Listener // else it has this; written under turn, too
}

func newFleet(n *Node) *fleet {
	f := &fleet{n: n, brokers: map[uuid.UUID]*instance{}}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	return f
}

// HashPassword is [mq.Engine]'s.
func (f *fleet) HashPassword(ctx context.Context, password []byte) (string, error) {
	return f.n.rabbit.Hasher().Hash(ctx, password)
}

// Create is [mq.Engine]'s: virtual hosts, users, and a port for life.
func (f *fleet) Create(ctx context.Context, id uuid.UUID, users []mq.User) error {
	return f.n.db.Update(ctx, func(ctx context.Context, tx *control.Tx) error {
		list := make([]rabbitmq.User, 0, len(users))
		for _, u := range users {
			list = append(list, rabbitmq.User{
				Name: u.Name, Hash: u.Hash, Tags: []string{"administrator"},
			})
		}
		if err := f.n.rabbit.Create(ctx, id, list); err != nil {
			return err
		}
		return f.assignPort(tx, id)
	})
}

// Delete is [mq.Engine]'s.
func (f *fleet) Delete(ctx context.Context, id uuid.UUID) error {
	return f.n.db.Update(ctx, func(ctx context.Context, tx *control.Tx) error {
		tx.Delete(control.TableNode, portRow(id))
		return f.n.rabbit.Delete(ctx, id)
	})
}

func portRow(id uuid.UUID) []byte { return append([]byte("port"), id[:]...) }

// assignPort gives the first broker the standard port, stored as 0, and each
// further one the lowest free port of the range.
func (f *fleet) assignPort(tx *control.Tx, id uuid.UUID) error {
	taken := map[int]bool{}
	err := tx.Scan(control.TableNode, []byte("port"), func(_, v []byte) error {
		var port int
		err := json.Unmarshal(v, &port)
		taken[port] = true
		return err
	})
	if err != nil {
		return fmt.Errorf("ports of brokers: %w", err)
	}
	low, high, err := f.n.cfg.portRange()
	if err != nil {
		return err
	}
	for _, other := range []int{f.n.cfg.APIPort, f.n.cfg.AMQPPort, f.n.cfg.AMQPPlainPort,
		f.n.cfg.MetricsPort, f.n.cfg.ManagementPort} {
		taken[other] = true
	}
	port := 0
	for port = low; taken[0] && taken[port]; port++ {
		if port == high {
			return fault.New(fault.Exhausted,
				"every port of --broker-ports %s is in use by a broker", f.n.cfg.BrokerPorts)
		}
	}
	if !taken[0] {
		port = 0
	}
	v, err := json.Marshal(port)
	if err == nil {
		tx.Put(control.TableNode, portRow(id), v)
	}
	return err
}

// port reads the assigned port; 0 is the standard one.
func (f *fleet) port(ctx context.Context, id uuid.UUID) (port int, err error) {
	err = f.n.db.View(ctx, func(_ context.Context, tx *control.Tx) error {
		v, ok, err := tx.Get(control.TableNode, portRow(id))
		if err == nil && !ok {
			err = errors.New("no port is assigned")
		}
		if err != nil {
			return err
		}
		return json.Unmarshal(v, &port)
	})
	return port, err
}

// Start is [mq.Engine]'s.
func (f *fleet) Start(r mq.Running) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.brokers[r.ID] != nil || f.ctx.Err() != nil {
		return
	}
	b := &instance{run: r, settings: r.Settings}
	f.brokers[r.ID] = b
	f.work.Go(func() { f.inTurn(b, f.start) })
}

// inTurn does something to a broker unless it was deleted.
func (f *fleet) inTurn(b *instance, do func(*instance)) {
	b.turn.Lock()
	defer b.turn.Unlock()
	f.mu.Lock()
	gone := b.gone
	f.mu.Unlock()
	if !gone {
		do(b)
	}
	f.n.rewrite()
}

func (f *fleet) start(b *instance) {
	domain := f.n.ring.Add(seal.DomainID(b.run.ID), b.run.Key, b.run.Grants, f.n.mq)
	if err := f.n.ring.Open(f.ctx, domain); err != nil {
		f.n.log.Warn("broker starts without its key", "broker", b.run.ID, "reason", err.Error())
	}
	err := f.open(b, domain)
	f.mu.Lock()
	defer f.mu.Unlock()
	b.domain, b.phase, b.err = domain, mq.Serving, err
	if err != nil {
		b.phase = mq.Failed
		f.n.log.Error("broker could not be started", "broker", b.run.ID, "error", err)
	}
}

// Stop is [mq.Engine]'s.
func (f *fleet) Stop(id uuid.UUID) {
	f.mu.Lock()
	b := f.brokers[id]
	if b == nil {
		f.mu.Unlock()
		return
	}
	delete(f.brokers, id)
	b.gone = true
	f.work.Go(func() {
		b.turn.Lock()
		defer b.turn.Unlock()
		f.n.ring.Remove(seal.DomainID(id)) // if a start was under way
		f.close(f.ctx, b)
		f.n.rewrite()
	})
	f.mu.Unlock()
	f.n.ring.Remove(seal.DomainID(id))
}

// Reboot is [mq.Engine]'s.
func (f *fleet) Reboot(r mq.Running) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.brokers[r.ID]
	if b == nil || f.ctx.Err() != nil {
		return
	}
	b.phase = mq.Rebooting
	f.work.Go(func() {
		f.inTurn(b, func(b *instance) {
			f.leave(f.ctx, b)
			b.settings = r.Settings
			f.start(b)
		})
	})
}

// Rest is [mq.Engine]'s.
func (f *fleet) Rest(r mq.Running) {
	f.n.ring.Rebind(seal.DomainID(r.ID), r.Key, r.Grants)
}

// leave ends the connections of a broker.
func (f *fleet) leave(ctx context.Context, b *instance) {
	f.mu.Lock()
	v, l := b.visits, b.links
	b.visits, b.links = nil, nil
	f.mu.Unlock()
	if v == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, f.n.cfg.drain)
	defer cancel()
	if l != nil {
		l.close(ctx)
	}
	v.end(ctx)
}

// close ends a broker's connections and its own listener.
func (f *fleet) close(ctx context.Context, b *instance) {
	f.leave(ctx, b)
	if b.own == nil {
		return
	}
	if err := f.n.closeListener(ctx, b.own); err != nil {
		f.n.log.Warn("broker's listener", "broker", b.run.ID, "error", err)
	}
}

// State is [mq.Engine]'s.
func (f *fleet) State(id uuid.UUID) mq.State {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b := f.brokers[id]; b != nil {
		return f.state(b)
	}
	return mq.State{}
}

// state is called with mu held.
func (f *fleet) state(b *instance) mq.State {
	s := mq.State{Phase: b.phase}
	if b.domain == nil || b.phase == mq.Failed {
		return s
	}
	s.Endpoints = []string{"amqps://" + net.JoinHostPort(f.n.cfg.Hostname,
		strconv.Itoa(f.portOf(b)))}
	s.IPAddress, s.Console = f.n.cfg.Listen, f.console(b)
	if why := b.domain.Locked(); why != nil && s.Phase == mq.Serving {
		s.Phase, s.Reason = mq.Locked, reason(why)
	}
	return s
}

// reason is the text of a lock that may be shown.
func reason(err error) string {
	if e, ok := errors.AsType[*fault.Error](err); ok {
		return e.Text
	}
	return "The key cannot be used."
}

// portOf gives the port that a broker listens on.
func (f *fleet) portOf(b *instance) int {
	if b.own != nil {
		return b.own.Port()
	}
	return f.door.Port()
}

// endpoints lists the ports of the brokers.
func (f *fleet) endpoints() *Endpoints {
	f.mu.Lock()
	defer f.mu.Unlock()
	e := &Endpoints{Brokers: map[string]int{}}
	for id, b := range f.brokers {
		if b.visits == nil && b.phase != mq.Rebooting {
			continue
		}
		e.Brokers["b-"+id.String()] = f.portOf(b)
		if id == f.main {
			e.AMQP = f.portOf(b)
		}
		if id == f.main && b.standard {
			e.Management = f.management.Port()
		}
		if id == f.main && b.standard && f.plainDoor != nil {
			e.AMQPPlain = f.plainDoor.Port()
		}
	}
	return e
}

// ready says whether every broker has come up.
func (f *fleet) ready(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, b := range f.brokers {
		if b.phase == mq.Starting || b.phase == mq.Rebooting {
			return fmt.Errorf("broker b-%s: %s", id, b.phase)
		}
	}
	return nil
}

// listeners are those that single brokers have of their own.
func (f *fleet) listeners() (list []*listen.Listener) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, b := range f.brokers {
		if b.own != nil {
			list = append(list, b.own)
		}
	}
	return list
}

// stop ends every broker.
func (f *fleet) stop(ctx context.Context) error {
	f.mu.Lock()
	f.cancel()
	all := make([]*instance, 0, len(f.brokers))
	for _, b := range f.brokers {
		all = append(all, b)
	}
	f.mu.Unlock()
	f.work.Wait()
	var wg sync.WaitGroup
	for _, b := range all {
		wg.Go(func() { f.close(ctx, b) })
	}
	wg.Wait()
	return nil
}
