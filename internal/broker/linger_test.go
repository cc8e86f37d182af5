package broker

import (
	"testing"
	"time"
)

// TestLingers gives the batches that may wait for others, and those that may not.
func TestLingers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		fill func(sh *shard)
		want bool
	}{
		{"settlements alone", func(*shard) {}, true},
		{"something else", func(sh *shard) {
			sh.step(&hand{letters: letters{requests: []request{{kind: reqLimit, limit: &Limit{}}}}})
		}, false},
		{"a confirm", func(sh *shard) { sh.say(true, release{}) }, false},
		{"a parcel", func(sh *shard) { sh.batch.parcels = make([]posted, 1) }, false},
		{"a deed", func(sh *shard) { sh.batch.list = make([]*Deed, 1) }, false},
		{"a read", func(sh *shard) { sh.wanting = make([]*lane, 1) }, false},
		{"what is due", func(sh *shard) { sh.ripe = make([]*Queue, 1) }, false},
		{"the end", func(sh *shard) { sh.stopping = make(chan reply) }, false},
		{"nothing", func(sh *shard) { sh.batch.Reset() }, false},
		{"for long", func(sh *shard) { sh.batch.lingers = time.Now().Add(-lingerTime) }, false},
	} {
		sh := &shard{core: &Core{cfg: Config{BatchBytes: 1 << 20}}, batch: &batch{}}
		sh.linger = time.AfterFunc(time.Hour, func() {})
		sh.batch.Delete([]byte("key"))
		c.fill(sh)
		if got := sh.lingers(); got != c.want {
			t.Errorf("%s: it lingers: %v", c.name, got)
		}
		sh.linger.Stop()
	}
}
