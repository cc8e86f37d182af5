package differential

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"coffer/internal/protocol/amqp091/wire"
)

// Numbers of channels that no step uses, and the connection that none uses.
const (
	markerChannel = 900 // has the exclusive queue that tells that its connection is over
	firstFence    = 1000
	watcher       = 'P'
)

// patience is how long a side may take to answer.
const patience = 60 * time.Second

// side is one broker and what its clients saw since the last reset.
type side struct {
	target    target
	changed   chan struct{}
	links     map[byte]*link
	generated []string // names that the broker gave, in order
	reply     string
	// log has what came, by stream: the replies of a channel, the deliveries of one
	// consumer and so on. Streams only grow; between them there is no order.
	log    map[string][]string
	marks  map[string]int    // how long the streams were before the last step
	depths map[string]string // of queues, as last asked
	shape  map[string]string // of exchanges
}

func newSide(t target) *side {
	s := &side{target: t, changed: make(chan struct{}, 1), links: map[byte]*link{}}
	s.forget()
	return s
}

// forget begins a new log.
func (s *side) forget() {
	s.log, s.depths, s.shape = map[string][]string{}, map[string]string{}, map[string]string{}
	s.generated, s.reply = nil, "nobody"
}

// link gives the connection of that letter, which it opens if there is none.
func (s *side) link(ctx context.Context, id byte) (*link, error) {
	if l := s.links[id]; l != nil {
		return l, nil
	}
	c, err := connect(ctx, s.target, s.changed)
	if err != nil {
		return nil, err
	}
	if err := c.login(ctx, s.target); err != nil {
		c.net.Close()
		return nil, fmt.Errorf("log in: %w", err)
	}
	l := &link{side: s, id: id, client: c, channels: map[uint16]*channel{}}
	s.links[id] = l
	if id != watcher {
		l.open(markerChannel)
		l.send(method(markerChannel, &wire.QueueDeclare{Queue: marker(id), Exclusive: true}))
	}
	return l, nil
}

func marker(id byte) string { return "marker-" + string(rune(id)) }

// do lets the step happen, and waits for its consequences: queues are the names whose
// depth is asked. A step that settles what has not come is left out.
func (s *side) do(ctx context.Context, st *step, queues, exchanges []string) error {
	if st.settle != "" && s.tagOf(st) == 0 {
		return nil
	}
	s.marks = map[string]int{}
	for name, list := range s.log {
		s.marks[name] = len(list)
	}
	l, err := s.link(ctx, st.conn)
	if err != nil {
		return err
	}
	switch ch := l.channels[st.channel]; {
	case st.cut:
		l.net.Close()
	case st.channel != 0 && ch == nil && !opens(st):
		l.open(st.channel)
		if st.channel == confirming {
			l.send(method(st.channel, &wire.ConfirmSelect{}))
			l.channels[st.channel].confirm = true
		}
	}
	if err := s.await(ctx, "open", s.quiet); err != nil {
		return err
	}
	if !st.cut {
		l.note(st)
		l.send(s.encode(st))
	}
	return s.sync(ctx, st.conn, queues, exchanges)
}

// opens reports whether a step is about opening its channel itself.
func opens(st *step) bool {
	_, ok := st.method.(*wire.ChannelOpen)
	return ok || st.what == unopened
}

// sync waits until all connections have said what they have to say, and asks the
// connection about queues and exchanges, or the watcher when that is closed.
func (s *side) sync(ctx context.Context, id byte, queues, exchanges []string) error {
	if err := s.await(ctx, "commit", s.quiet); err != nil {
		return err
	}
	for _, l := range s.links {
		l.flow()
	}
	if err := s.await(ctx, "channels", s.quiet); err != nil {
		return err
	}
	if s.links[id] == nil {
		id = watcher
	}
	l, err := s.link(ctx, id)
	if err != nil {
		return err
	}
	l.ask(queues, exchanges)
	if err := s.await(ctx, "depths", s.quiet); err != nil {
		return err
	}
	for _, l := range s.links {
		l.flow() // what the answers overtook has come before these
	}
	return s.await(ctx, "channels again", s.quiet)
}

// await handles what comes until the condition holds.
func (s *side) await(ctx context.Context, what string, until func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		if err := s.pump(ctx); err != nil {
			return err
		}
		if until() {
			return nil
		}
		select {
		case <-s.changed:
		case <-ctx.Done():
			return fmt.Errorf("%s: no answer: %s", what, s.waiting())
		}
	}
}

// pump handles what came.
func (s *side) pump(ctx context.Context) error {
	for _, id := range s.ids() {
		l := s.links[id]
		if l == nil {
			continue // it ended while another's end was waited for
		}
		list, ended := l.take()
		for _, f := range list {
			if err := l.handle(f); err != nil {
				return fmt.Errorf("frame of type %d: %w", f.typ, err)
			}
		}
		if !ended {
			continue
		}
		if !l.over {
			s.add(string(rune(id)), "end")
		}
		l.net.Close()
		delete(s.links, id)
		s.unsay(id)
		if id == watcher {
			return errors.New("the watcher's connection was closed")
		}
		if err := s.gone(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// unsay forgets what consumers of a connection got in the step that ended it: what
// its channels give back one after another may go to those that are still there.
func (s *side) unsay(id byte) {
	for name, list := range s.log {
		if name[0] == id && strings.Contains(name, " deliveries ") {
			s.log[name] = list[:s.marks[name]]
		}
	}
}

func (s *side) ids() []byte {
	var list []byte
	for id := range s.links {
		list = append(list, id)
	}
	slices.Sort(list)
	return list
}

// gone waits until the broker has given back what a connection had.
func (s *side) gone(ctx context.Context, id byte) error {
	for {
		w, err := s.link(ctx, watcher)
		if err != nil {
			return err
		}
		s.depths = map[string]string{}
		w.ask([]string{marker(id)}, nil)
		if err := s.await(ctx, "end of a connection", w.asked); err != nil {
			return err
		}
		if strings.Contains(s.depths[marker(id)], "NOT_FOUND") {
			delete(s.depths, marker(id))
			return nil
		}
	}
}

// quiet reports whether nothing is awaited.
func (s *side) quiet() bool { return s.waiting() == "" }

// waiting says what is awaited.
func (s *side) waiting() string {
	for id, l := range s.links {
		if l.over || l.closing {
			return fmt.Sprintf("%c is closing", id)
		}
		for n, ch := range l.channels {
			switch {
			case ch.flows > 0:
				return fmt.Sprintf("%c/%d flow", id, n)
			case ch.opening:
				return fmt.Sprintf("%c/%d channel.open", id, n)
			case ch.commits:
				return fmt.Sprintf("%c/%d tx.commit", id, n)
			case ch.asked:
				return fmt.Sprintf("%c/%d passive declare", id, n)
			case ch.confirm && ch.told < ch.published:
				return fmt.Sprintf("%c/%d confirm %d of %d", id, n, ch.told+1, ch.published)
			}
		}
	}
	return ""
}

// add adds a line to a stream, with words in the place of names that the broker made.
func (s *side) add(stream, line string) {
	stream = chosen.ReplaceAllString(stream, "{chosen}")
	s.log[stream] = append(s.log[stream], s.plain(line))
}

func (s *side) plain(line string) string {
	for i, name := range s.generated {
		line = strings.ReplaceAll(line, name, fmt.Sprintf("{gen%d}", i+1))
	}
	line = broken.ReplaceAllString(line, "$1")
	return chosen.ReplaceAllString(line, "{chosen}")
}

// reset closes the connections and deletes everything.
func (s *side) reset(ctx context.Context, queues, exchanges []string) error {
	for _, id := range s.ids() {
		if id != watcher {
			l := s.links[id]
			l.closing = true
			l.send(method(0, &wire.ConnectionClose{ReplyCode: wire.ReplySuccess}))
		}
	}
	if err := s.await(ctx, "end", func() bool {
		return len(s.links) == 0 || len(s.links) == 1 && s.links[watcher] != nil
	}); err != nil {
		return err
	}
	w, err := s.link(ctx, watcher)
	if err != nil {
		return err
	}
	const broom = 1
	if w.channels[broom] == nil {
		w.open(broom)
	}
	for _, q := range append(slices.Clone(s.generated), queues...) {
		w.send(method(broom, &wire.QueueDelete{Queue: q, NoWait: true}))
	}
	for _, x := range exchanges {
		w.send(method(broom, &wire.ExchangeDelete{Exchange: x, NoWait: true}))
	}
	w.flow()
	if err := s.await(ctx, "deletion", s.quiet); err != nil {
		return err
	}
	if w.channels[broom] == nil {
		return fmt.Errorf("reset: %v", s.log)
	}
	s.forget()
	return nil
}
