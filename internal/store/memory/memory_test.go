package memory_test

import (
	"testing"

	"coffer/internal/store"
	"coffer/internal/store/memory"
	"coffer/internal/store/storetest"
)

// subject gives an engine to storetest.
func subject(t testing.TB) storetest.Subject {
	return wrap(t, memory.New(memory.Config{Shards: 4}))
}

func wrap(t testing.TB, e *memory.Engine) storetest.Subject {
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return storetest.Subject{
		Engine: e,
		Hold:   e.Hold,
		Image: func() func(testing.TB) store.Engine {
			open := e.Image()
			return func(testing.TB) store.Engine { return open() }
		},
		Reopen: func(testing.TB) store.Engine { return e.Image()() },
	}
}

func TestContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, subject)
}
