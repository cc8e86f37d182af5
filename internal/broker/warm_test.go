package broker

import (
	"bytes"
	"errors"
	"slices"
	"sync"
	"testing"

	"coffer/internal/seal"
	"coffer/internal/store"
)

// TestWarm: the newest parts are there up to the bound, and no id is kept for long that
// has none.
func TestWarm(t *testing.T) {
	t.Parallel()
	var w warm
	w.open(100)
	id := func(i int) bodyID { return bodyID{byte(i >> 8), byte(i)} }
	there := func(want ...int) {
		t.Helper()
		var got []int
		for i := range 5 {
			if w.get(id(i)) != nil {
				got = append(got, i)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v are there, want %v", got, want)
		}
	}
	part := make([]byte, 20)
	w.put(id(0), [][]byte{part, part})
	w.put(id(1), [][]byte{part})
	w.put(id(2), [][]byte{part, part})
	w.put(id(2), [][]byte{part})
	there(0, 1, 2)
	w.put(id(3), [][]byte{part})
	there(1, 2, 3)
	w.drop(id(2))
	w.drop(id(2))
	there(1, 3)
	w.put(id(4), [][]byte{make([]byte, 101)})
	there()
	if w.bytes != 0 || w.order.len() != 0 {
		t.Errorf("%d bytes, %d ids of nothing", w.bytes, w.order.len())
	}
	for i := range 1000 {
		w.put(id(i), [][]byte{part})
		w.drop(id(i))
	}
	if w.bytes != 0 || w.order.len() > 4 {
		t.Errorf("%d bytes, %d ids of nothing", w.bytes, w.order.len())
	}
}

// openDomain seals and opens.
type openDomain struct{ *seal.Epochs }

func (d openDomain) Seal(dst []byte, h seal.Header, p []byte) ([]byte, error) {
	return d.SealRecord(dst, h, seal.DomainID{1}, p)
}

func (d openDomain) Open(dst, rec []byte) ([]byte, error) {
	return d.OpenRecord(dst, rec, seal.DomainID{1})
}

func (openDomain) Locked() error { return nil }
func (openDomain) Watch(func())  {}

// TestOpenWarm: parts that are warm are not read. There is no store to read them from.
func TestOpenWarm(t *testing.T) {
	t.Parallel()
	epochs, err := seal.NewEpochs(make([]byte, seal.KeySize), "domain", 1)
	if err != nil {
		t.Fatal(err)
	}
	core := &Core{plain: sync.Pool{New: func() any { return new([]byte) }}}
	core.cfg.defaults()
	n := &Namespace{core: core, domain: openDomain{epochs}, shard: &shard{}}
	body := bytes.Repeat([]byte("body "), partBytes/2)
	m, err := n.Seal(nil, Content{Format: 1, Header: []byte("header"), Body: body}, seal.Facts{})
	if err != nil {
		t.Fatal(err)
	}
	d := Delivery{Record: m.Record, Size: m.Size, apart: &apart{
		id: bodyID{7}, parts: uint32(len(m.Chunks)), bytes: m.Weight() - int64(len(m.Record)),
	}}
	n.shard.warm.open(m.Weight())
	n.shard.warm.put(d.apart.id, m.Chunks)
	c, err := n.OpenDelivery(nil, &d)
	if err != nil || !bytes.Equal(c.Body, body) || string(c.Header) != "header" {
		t.Fatalf("%d bytes of %d: %v", len(c.Body), len(body), err)
	}
	n.shard.warm.put(d.apart.id, m.Chunks[:1])
	n.shard.warm.drop(d.apart.id)
	n.shard.warm.put(d.apart.id, m.Chunks[:1])
	if _, err := n.OpenDelivery(nil, &d); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("without its last part: %v", err)
	}
}
