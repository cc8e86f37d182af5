package audit

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"coffer/internal/control"
	"coffer/internal/seal"
	"coffer/internal/store"
	"coffer/internal/store/memory"
)

// TestAge: the age of the trail's head grows while events cannot be signed, and only
// then; the sizes of its trees are known.
func TestAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := memory.New(memory.Config{Shards: 2})
		var shards [2]store.Shard
		for i := range shards {
			var err error
			if shards[i], err = e.Open(t.Context(), store.ShardID(i)); err != nil {
				t.Fatal(err)
			}
		}
		root := make([]byte, seal.KeySize)
		db, err := control.Open(t.Context(), shards[0], root, control.Config{})
		if err != nil {
			t.Fatal(err)
		}
		quiet := slog.New(slog.DiscardHandler)
		l, err := Open(t.Context(), db, shards[1], 1, Config{Heads: &HeadConfig{Logger: quiet}})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		for i := range 3 {
			add(t, l, event(i, time.Now()), false)
		}
		add(t, l, event(3, time.Now()), true)
		after := func(d time.Duration) Stats {
			<-time.After(d)
			synctest.Wait()
			return l.Stats()
		}
		s := after(10 * time.Second)
		if s.Age > 2*headEvery || s.Sizes[0] != 1 || s.Sizes[1] != 3 {
			t.Errorf("signed: %+v", s)
		}
		release := e.Hold()
		waiting := make(chan error, 1)
		go func() { waiting <- l.Record(t.Context(), event(4, time.Now())) }()
		go func() { // what heads wait for, too
			add(t, l, event(5, time.Now()), true)
		}()
		if s = after(10 * time.Second); s.Age < 8*time.Second {
			t.Errorf("unsigned: %+v", s)
		}
		release()
		if err := <-waiting; err != nil {
			t.Fatal(err)
		}
		s = after(2 * time.Second)
		if s.Age > 2*headEvery || s.Sizes[0] != 2 || s.Sizes[1] != 4 {
			t.Errorf("signed again: %+v", s)
		}
	})
}
