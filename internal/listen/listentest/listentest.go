// Package listentest gives tests ports to listen on that are theirs until they end: to
// close in between, to start a process on and again, or to find taken.
package listentest

import (
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// Ports are looked for below those that systems give to who asks for any (32768 and above
// on Linux, 49152 elsewhere), which another test or client gets by chance.
const (
	lowest  = 16384
	highest = 32767
	tries   = 100
)

// Ports gives the first of n ports in a row on 127.0.0.1 that nothing listens on. Nobody
// else who asks gets one of them before the test ends, in this process or another.
func Ports(t testing.TB, n int) (low int) {
	t.Helper()
	for range tries {
		low := lowest + rand.IntN(highest-lowest-n+2)
		if marks, ok := reserve(low, n); ok {
			t.Cleanup(func() { closeAll(marks) })
			return low
		}
	}
	t.Fatalf("no %d free ports in a row", n)
	return 0
}

// reserve holds the ports of UDP with the same numbers, which nothing else uses: whoever
// has them has those of TCP, open or closed.
func reserve(low, n int) (marks []io.Closer, ok bool) {
	for port := low; port < low+n; port++ {
		at := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		mark, err := net.ListenPacket("udp", at)
		if err != nil {
			closeAll(marks)
			return nil, false
		}
		marks = append(marks, mark)
		l, err := net.Listen("tcp", at)
		if err != nil {
			closeAll(marks)
			return nil, false
		}
		l.Close()
	}
	return marks, true
}

func closeAll(list []io.Closer) {
	for _, c := range list {
		c.Close()
	}
}
