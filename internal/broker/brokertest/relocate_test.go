package brokertest

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"coffer/internal/broker"
	"coffer/internal/store/storetest"
)

// mixed fills the first namespace with all that can be stored of one, and lets messages
// go from it to another one in the other shard and back.
const mixed = `
other open
other queue d durable
queue q durable
queue m durable priority=3
queue l durable groups
queue t durable delay=100000
queue u durable dedup=1000000
queue e durable expiry=1000000
queue in durable
queue out durable dead=other:-/d expiry=10
other queue back durable dead=first:-/in expiry=10
address f fanout durable
bind f m -
bind f e -
fill a q 60
consume a c q 7
take a 7 1 =>
accept a 1 2 3
close a
publish a m priority=2 1
publish a - m priority=2 1
publish a - m 2
publish a f - big=5000 3
publish a f - big=300000 4
publish a - l group=g 1 2
publish a - l 3
receive a l 1 100s => 1
publish a - t big=5000 1
publish a - t 2
send a - u dedup=x 1 => 1
fill a out 12
other fill b back 12
flush a
other flush b
`

// unmixed finds all of that once, in its order, in the second shard.
const unmixed = `
other open
relocate first 2
look => 0 2
until counts in => 12 ready 0 unacked 0 consumers
until other counts d => 12 ready 0 unacked 0 consumers
parcels 0
consume a c in -1
take a 12 1 =>
accept a
other consume b c d -1
other take b 12 1 =>
other accept b
counts q => 57 ready 0 unacked 0 consumers
get a q => 4* 56
get a q => 5* 55
get a q => 6* 54
get a q => 7* 53
get a q => 8 52
receive a l 9 100s => 3
settle-lease l accept 1 => ok
receive a l 9 100s => 2
settle-lease l accept 2 3 => ok ok
send a - u dedup=x 1 => 1+
counts u => 1 ready 0 unacked 0 consumers
look 1
bodies 0 0
ids => 0
look 2
bodies 3 6
ids => 1
consume a c2 m -1
take a 4 => 1 2 3/5000 4/300000
accept a
advance 100s
until counts t => 2 ready 0 unacked 0 consumers
get a t => 1/5000 1
get a t => 2 0
get a e => 3/5000 1
get a e => 4/300000 0
accept a
bodies 0 0
lost 0
`

// crashed is what the process knows when it starts over an image.
type crashed struct {
	domain *Domain
	script string // of what must be there
	now    time.Time
	leases map[string][]broker.LeaseRef
}

// TestRelocateCrash takes the disk at every change while a namespace moves, and at every
// change while the next process goes on with the move. Whoever opens what is left finds
// the move at its end or its beginning, ends it, and then has all of the namespace once,
// in its order, in its new shard, and nothing of it in the old one.
func TestRelocateCrash(t *testing.T) {
	t.Parallel()
	disk := storetest.NewDisk()
	c := crashed{domain: NewDomain(), script: unmixed}
	p := newPlayer(t, Subject{Engine: openEmbedded(t, disk)}, c.domain, NewClock(), Tiny())
	p.run(mixed)
	p.closeAll()
	p.run("advance 10ms")
	c.leases, c.now = maps.Clone(p.leases), p.clock.Now()
	images := newImages(disk, 1)
	p.run("relocate first 2")
	list := images.stop()
	p.run(unmixed)
	p.stop()
	if len(list) < 40 {
		t.Fatalf("only %d images were taken", len(list))
	}
	eachImage(t, list, func(t *testing.T, disk *storetest.Disk, i int) {
		eachImage(t, c.finish(t, disk, i), func(t *testing.T, disk *storetest.Disk, _ int) {
			c.finish(t, disk, -1)
		})
	})
}

// eachImage calls f for every stride-th image, and lets go of it.
func eachImage(
	t *testing.T, list []image, f func(t *testing.T, disk *storetest.Disk, i int),
) {
	t.Helper()
	for i := 0; i < len(list); i += stride {
		t.Run(fmt.Sprintf("image %d", i), func(t *testing.T) { f(t, list[i].disk, i) })
		list[i].disk = nil
	}
}

// finish opens what the i-th crash left and ends the move, every third time under a locked
// domain. For some it gives images of the disk while the move went on.
func (c crashed) finish(t *testing.T, disk *storetest.Disk, i int) []image {
	t.Helper()
	e := openEmbedded(t, disk)
	healthy(t, e)
	images := newImages(disk, 2)
	if i%24 != 5 {
		images.stop()
	}
	if i%3 == 0 {
		c.domain.Lock()
	}
	clock := NewClock()
	clock.Advance(c.now.Sub(clock.Now()))
	p := newPlayer(t, Subject{Engine: e}, c.domain, clock, Tiny())
	list := images.stop()
	p.leases = maps.Clone(c.leases)
	if t.Failed() {
		t.FailNow()
	}
	if i%3 == 0 {
		p.run("unlock")
	}
	p.run(c.script)
	p.stop()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return list
}
