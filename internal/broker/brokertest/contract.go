package brokertest

import (
	"testing"

	"coffer/internal/broker"
)

// A Contract is one promise of the core and the script that shows it.
type Contract struct {
	Name   string
	Config broker.Config
	Script string
}

// Run plays every contract, each on a fresh engine.
func Run(t *testing.T, open func(testing.TB) Subject) {
	for _, c := range Contracts() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			play(t, open(t), c.Config, c.Script)
		})
	}
}

// tiny makes windows so small that all but a few messages leave memory.
var tiny = broker.Config{WindowBytes: 8 << 10, QueueBytes: 4 << 10, PageBytes: 2 << 10}

// Contracts lists every promise.
func Contracts() []Contract {
	var all []Contract
	all = append(all, deliveryContracts()...)
	all = append(all, topologyContracts()...)
	all = append(all, restartContracts()...)
	all = append(all, windowContracts()...)
	return append(all, lockContracts()...)
}

func deliveryContracts() []Contract {
	return []Contract{
		{Name: "order", Script: `
			queue q durable
			publish a - q 1 2 3
			consume b c q -1
			take b 3 => 1 2 3
			publish a - q 4
			take b 1 => 4
			counts q => 0 ready 4 unacked 1 consumers
			accept b
			counts q => 0 ready 0 unacked 1 consumers`},
		{Name: "transient order", Script: `
			queue q
			publish a - q 1 2 3
			consume b c q -1
			take b 3 => 1 2 3
			accept b
			counts q => 0 ready 0 unacked 1 consumers`},
		{Name: "credit", Script: `
			queue q durable
			publish a - q 1 2 3 4 5
			consume b c q 2
			take b 2 => 1 2
			more b => 0
			accept b
			more b => 0
			credit b c 1
			take b 1 => 3
			more b => 0`},
		{Name: "replenished credit", Script: `
			queue q durable
			publish a - q 1 2 3 4 5
			consume b c q 2 replenish
			take b 2 => 1 2
			more b => 0
			accept b 2
			take b 1 => 3
			more b => 0`},
		{Name: "release goes back to its place", Script: `
			queue q durable
			publish a - q 1 2 3 4 5
			consume b c q 3
			take b 3 => 1 2 3
			release b 2
			release b 1
			consume d e q -1
			take d 4 => 1* 2* 4 5
			accept b
			accept d
			counts q => 0 ready 0 unacked 2 consumers`},
		{Name: "lost session", Script: `
			queue q durable
			publish a - q 1 2 3 4
			consume b c q 2
			consume d e q 2
			take b 2 => 1 2
			take d 2 => 3 4
			close b
			close d
			consume f g q -1
			take f 4 => 1* 2* 3* 4*`},
		{Name: "reject removes", Script: `
			queue q durable
			publish a - q 1 2
			consume b c q -1
			take b 2 => 1 2
			reject b 1
			release b 2
			take b 1 => 2*
			counts q => 0 ready 1 unacked 1 consumers`},
		{Name: "consumers in turn", Script: `
			queue q
			consume b c q -1
			consume d e q -1
			publish a - q 1 2 3 4
			take b 2 => 1 3
			take d 2 => 2 4`},
		{Name: "automatic settlement", Script: `
			queue q durable
			publish a - q 1 2 3
			consume b c q -1 auto
			take b 3 => 1 2 3
			flush b
			counts q => 0 ready 0 unacked 1 consumers
			cancel b c
			publish a - q 4
			getauto b q => 4 0
			flush b
			counts q => 0 ready 0 unacked 0 consumers`},
		{Name: "get", Script: `
			queue q durable
			get a q =>
			publish a - q 1 2 3
			get a q => 1 2
			get a q => 2 1
			release a 1
			get a q => 1* 1
			get a q => 3 0
			get a q =>`},
		{Name: "cancel", Script: `
			queue q durable
			consume b c q -1
			cancel b c
			publish a - q 1
			more b => 0
			counts q => 1 ready 0 unacked 0 consumers`},
		{Name: "exclusive consumer", Script: `
			queue q
			consume a b q -1 exclusive
			consume c d q -1 => error: denied
			cancel a b
			consume c d q -1
			consume a b q -1 exclusive => error: denied`},
		{Name: "purge", Script: `
			queue q durable
			publish a - q 1 2 3 4
			transient a - q 5
			consume b c q 1
			take b 1 => 1
			purge q => 4
			counts q => 0 ready 1 unacked 1 consumers
			publish a - q 6
			release b
			consume d e q -1
			take d 2 => 1* 6
			more d => 0`},
		{Name: "unrouted is confirmed", Script: `
			publish a - nowhere 1 2
			queue q
			publish a - q 3`},
	}
}

func topologyContracts() []Contract {
	return []Contract{
		{Name: "addresses", Script: `
			queue q durable
			queue r
			address d direct durable
			address f fanout
			address p pattern
			bind d q one
			bind d q two
			bind d r two
			publish a d one 1
			publish a d two 2
			publish a d three 3
			counts q => 2 ready 0 unacked 0 consumers
			counts r => 1 ready 0 unacked 0 consumers
			bind f q x
			bind f q y
			publish a f any 4
			counts q => 3 ready 0 unacked 0 consumers
			unbind f q x
			publish a f any 5
			unbind f q y
			publish a f any 6
			counts q => 4 ready 0 unacked 0 consumers
			bind p r a.*.#
			publish a p a 7
			publish a p a.b 8
			publish a p a.b.c 9
			counts r => 3 ready 0 unacked 0 consumers
			bind nowhere r x => error: not found
			bind d nowhere x => error: not found`},
		{Name: "deletion", Script: `
			queue q durable
			address d direct
			bind d q x
			publish a d x 1 2
			consume b c q 1
			take b 1 => 1
			drop q unused => error: conflict
			drop q empty => error: conflict
			drop q => 1
			cancelled b => c
			accept b
			publish a d x 3
			names => d
			queue q durable
			counts q => 0 ready 0 unacked 0 consumers`},
		{Name: "automatic deletion", Script: `
			queue q autodelete
			queue d autodelete durable
			address f fanout autodelete
			bind f q x
			names => d f q
			consume a b q -1
			consume a c q -1
			cancel a b
			names => d f q
			close a
			names => d
			consume a e d -1
			cancel a e
			names =>`},
		{Name: "exclusive queue", Script: `
			queue q durable exclusive a
			publish b - q 1
			get b q => error: conflict
			consume b c q 1 => error: conflict
			consume a d q 1
			take a 1 => 1
			close a
			names =>`},
	}
}

func restartContracts() []Contract {
	return []Contract{
		{Name: "restart", Script: `
			queue q durable
			queue t
			address d direct durable
			address e direct
			bind d q x
			bind d q y
			unbind d q y
			publish a d x 1 2
			transient a d x 3
			publish a - t 4
			restart
			names => d q
			publish a d y 5
			publish a d x 6
			consume b c q -1
			take b 3 => 1 2 6
			more b => 0`},
		{Name: "a crash keeps what was confirmed and settled", Script: `
			queue q durable
			publish a - q 1 2 3 4 5 6
			consume b c q 4
			take b 4 => 1 2 3 4
			accept b 2 3
			crash
			counts q => 4 ready 0 unacked 0 consumers
			consume d e q -1
			take d 4 => 1* 4* 5 6
			accept d
			crash
			counts q => 0 ready 0 unacked 0 consumers
			publish a - q 7
			get a q => 7 0`},
		{Name: "a purge is durable", Script: `
			queue q durable
			publish a - q 1 2 3
			purge q => 3
			crash
			counts q => 0 ready 0 unacked 0 consumers
			publish a - q 4
			get a q => 4 0`},
		{Name: "a deletion is durable", Script: `
			queue q durable
			publish a - q 1 2 3
			drop q => 3
			crash
			names =>
			queue q durable
			get a q =>`},
	}
}

func windowContracts() []Contract {
	return []Contract{
		{Name: "durable beyond the window", Config: tiny, Script: `
			queue q durable
			fill a q 500
			counts q => 500 ready 0 unacked 0 consumers
			consume b c q -1
			take b 500 1 =>
			accept b
			counts q => 0 ready 0 unacked 1 consumers
			fill a q 3
			take b 3 => 1 2 3`},
		{Name: "transient beyond the window", Config: tiny, Script: `
			queue q
			fill a q 500
			counts q => 500 ready 0 unacked 0 consumers
			consume b c q 50 replenish
			take b 50 1 =>
			accept b
			take b 50 51 =>
			release b
			take b 50 51 =>
			accept b
			take b 50 101 =>
			cancel b c
			release b
			consume d e q -1
			take d 400 101 =>`},
		{Name: "both beyond the window", Config: tiny, Script: `
			queue q durable
			publish a - q 1
			transient a - q 2
			fill a q 100
			transient a - q x
			fill a q 100 transient
			publish a - q y
			consume b c q -1
			take b 2 => 1 2
			take b 100 1 =>
			take b 1 => x
			take b 100 1 =>
			take b 1 => y
			accept b
			counts q => 0 ready 0 unacked 1 consumers`},
		{Name: "released beyond the window", Config: tiny, Script: `
			queue q durable
			fill a q 300
			consume b c q 200
			take b 200 1 =>
			close b
			consume d e q -1
			take d 300 1 =>
			close d
			counts q => 300 ready 0 unacked 0 consumers
			crash
			consume f g q -1
			take f 300 1 =>`},
		{Name: "purge beyond the window", Config: tiny, Script: `
			queue q durable
			fill a q 300
			consume b c q 10
			take b 10 1 =>
			purge q => 290
			fill a q 5
			accept b
			crash
			counts q => 5 ready 0 unacked 0 consumers
			consume d e q -1
			take d 5 1 =>`},
		{Name: "many queues share a window", Config: tiny, Script: `
			queue p durable
			queue q
			queue r durable
			fill a p 100
			fill a q 100
			fill a r 100
			fill a q 0
			consume b c q -1
			take b 100 1 =>
			consume b d p -1
			take b 100 1 =>
			consume b e r -1
			take b 100 1 =>
			accept b
			counts q => 0 ready 0 unacked 1 consumers`},
	}
}

func lockContracts() []Contract {
	return []Contract{
		{Name: "locked", Script: `
			queue q durable
			publish a - q 1 2 3
			consume b c q 1
			take b 1 => 1
			lock
			publish a - q 4 => error: key unavailable
			credit b c 5
			more b => 0
			get a q => error: key unavailable
			counts q => 2 ready 1 unacked 1 consumers
			unlock
			take b 2 => 2 3
			publish a - q 4
			take b 1 => 4`},
		{Name: "a restart while locked", Script: `
			queue q durable
			publish a - q 1 2
			lock
			restart
			counts q => 2 ready 0 unacked 0 consumers
			consume b c q -1
			more b => 0
			unlock
			take b 2 => 1 2`},
		{Name: "deletion and purge while locked", Script: `
			queue q durable
			queue r durable
			publish a - q 1 2
			publish a - r 1 2
			lock
			purge q => 2
			drop r => 2
			restart
			names => q
			counts q => 0 ready 0 unacked 0 consumers`},
	}
}
