package brokertest

import (
	"flag"
	"os"
	"strconv"
	"testing"
)

// TestMain makes random histories the same each time. RAPID_SEED or -rapid.seed
// ask for others.
func TestMain(m *testing.M) {
	flag.Parse()
	if seed() == 0 {
		reseed(1)
	}
	os.Exit(m.Run())
}

// seed is where rapid.Check begins.
func seed() uint64 {
	n, err := strconv.ParseUint(flag.Lookup("rapid.seed").Value.String(), 10, 64)
	if err != nil {
		panic(err) // the flag is a number
	}
	return n
}

// reseed sets where the next rapid.Check begins. Only one test may run.
func reseed(n uint64) {
	if err := flag.Set("rapid.seed", strconv.FormatUint(n, 10)); err != nil {
		panic(err) // it is a number
	}
}
