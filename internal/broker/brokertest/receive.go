package brokertest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"coffer/internal/broker"
)

// waiting is a receive that runs beside the script.
type waiting struct {
	cancel context.CancelFunc
	done   chan struct{}
	list   []broker.Delivery
	err    error
}

// lease works on the commands about leases.
func (p *player) lease(command string, args []string) (string, error) {
	switch command {
	case "receive": // session queue max lease [wait]
		spec, err := p.receiveSpec(args[1:])
		if err != nil {
			return "", err
		}
		list, err := p.client(args[0]).Receive(p.t.Context(), spec)
		if err != nil {
			return "", err
		}
		return p.received(list)
	case "receiving": // name session queue max lease wait: it goes on beside the script
		return "", p.receiving(args[0], args[1], args[2:])
	case "received", "withdraw": // name
		w := p.waits[args[0]]
		if command == "withdraw" {
			w.cancel()
		}
		<-w.done
		if errors.Is(w.err, context.Canceled) {
			return "canceled", nil
		}
		if w.err != nil {
			return "", w.err
		}
		return p.received(w.list)
	case "extend": // queue duration texts…
		by, err := time.ParseDuration(args[1])
		if err != nil {
			return "", err
		}
		var list []broker.Extension
		for _, ref := range p.refs(args[2:]) {
			list = append(list, broker.Extension{Ref: ref, By: by})
		}
		return results(p.world.Namespace.ExtendLeases(p.t.Context(), p.world.Queue(args[0]), list))
	}
	// settle-lease: queue outcome [late] texts…
	outcome := map[string]broker.Outcome{
		"accept": broker.Accept, "release": broker.Release, "reject": broker.Reject,
	}[args[1]]
	texts := args[2:]
	late := texts[0] == "late"
	if late {
		texts = texts[1:]
	}
	n, q := p.world.Namespace, p.world.Queue(args[0])
	return results(n.SettleLeases(p.t.Context(), q, p.refs(texts), outcome, late))
}

func (p *player) receiveSpec(args []string) (spec broker.ReceiveSpec, err error) {
	spec.Queue = p.world.Queue(args[0])
	if spec.Max, err = strconv.Atoi(args[1]); err != nil {
		return spec, err
	}
	if spec.Lease, err = time.ParseDuration(args[2]); err != nil || len(args) < 4 {
		return spec, err
	}
	spec.Wait, err = time.ParseDuration(args[3])
	return spec, err
}

// receiving returns when the receive waits.
func (p *player) receiving(name, session string, args []string) error {
	spec, err := p.receiveSpec(args)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(p.t.Context())
	w := &waiting{cancel: cancel, done: make(chan struct{})}
	p.waits[name] = w
	c, before := p.client(session), spec.Queue.Receiving()
	go func() {
		defer close(w.done)
		w.list, w.err = c.Receive(ctx, spec)
	}()
	return p.until(func() bool { return spec.Queue.Receiving() > before })
}

// until waits for something that comes without an event.
func (p *player) until(ok func() bool) error {
	for end := time.Now().Add(patience()); !ok(); runtime.Gosched() {
		if time.Now().After(end) {
			return errors.New("it did not come to pass")
		}
	}
	return nil
}

// received shows what was received, each with the number of receives from the
// second on, and keeps the references: text names the last, text@n the n-th.
func (p *player) received(list []broker.Delivery) (string, error) {
	var shown []string
	for i := range list {
		d := &list[i]
		text, err := p.text(d)
		if err != nil {
			return "", err
		}
		ref, err := broker.ParseLeaseRef(d.Lease.Append(nil))
		if err != nil || ref != d.Lease {
			return "", fmt.Errorf("reference %+v came back as %+v: %w", d.Lease, ref, err)
		}
		p.leases[text] = append(p.leases[text], ref)
		if d.Redelivered != (d.Count > 0) || d.Received == 0 || d.Enqueued == 0 {
			return "", fmt.Errorf("facts of %+v", d)
		}
		if d.Count > 0 {
			text += "#" + strconv.Itoa(int(d.Count)+1)
		}
		shown = append(shown, text)
	}
	return strings.Join(shown, " "), nil
}

func (p *player) refs(texts []string) []broker.LeaseRef {
	var refs []broker.LeaseRef
	for _, text := range texts {
		text, nth, _ := strings.Cut(text, "@")
		list := p.leases[text]
		if n, err := strconv.Atoi(nth); err == nil {
			list = list[:n]
		}
		refs = append(refs, list[len(list)-1])
	}
	return refs
}

func results(list []broker.LeaseResult, err error) (string, error) {
	names := []string{"", "ok", "gone", "superseded", "expired"}
	words := slices.Collect(func(yield func(string) bool) {
		for _, r := range list {
			if !yield(names[r]) {
				return
			}
		}
	})
	return strings.Join(words, " "), err
}
