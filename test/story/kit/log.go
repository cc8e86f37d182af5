package kit

import (
	"bytes"
	"strings"
	"sync"
)

// log keeps what a process writes.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write is [io.Writer]'s.
func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String gives all of it.
func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// tail gives the last lines.
func (l *log) tail(n int) string {
	lines := strings.Split(strings.TrimSpace(l.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
