// Package story tells what a user of the built binary lives through, with the
// clients that users have: aws-sdk-go-v2 and amqp091-go, over TLS. It proves
// what no package can prove alone. What holds inside one package is tested
// there.
package story

import (
	"os"
	"testing"

	"coffer/test/process"
	"coffer/test/story/kit"
)

// binary is what all stories run.
var binary string

func TestMain(m *testing.M) { os.Exit(process.Main(m, &binary)) }

// start serves a new data directory until the test ends.
func start(t *testing.T, args ...string) *kit.Server {
	t.Helper()
	return kit.Start(t, kit.Config{Binary: binary, Args: args})
}
