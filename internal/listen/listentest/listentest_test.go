package listentest

import (
	"net"
	"strconv"
	"testing"
)

// TestPorts: a port that somebody was given, or that something listens on, is given to
// nobody else before the test ends.
func TestPorts(t *testing.T) {
	t.Parallel()
	low := 0
	t.Run("held", func(t *testing.T) {
		low = Ports(t, 3)
		for port := low - 2; port < low+3; port++ {
			if marks, ok := reserve(port, 3); ok {
				closeAll(marks)
				t.Errorf("3 from %d are given beside 3 from %d", port, low)
			}
		}
	})
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(low+1)))
	if err != nil {
		t.Fatalf("a free port: %v", err)
	}
	if _, ok := reserve(low, 3); ok {
		t.Error("given with a port that something listens on")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	marks, ok := reserve(low, 3)
	if !ok {
		t.Error("not free after the test, or after a refusal")
	}
	closeAll(marks)
}
