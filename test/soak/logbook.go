package soak

import (
	"bytes"
	"io"
	"regexp"
	"strings"
	"sync"
)

// logbook takes the log of all processes, keeps it, counts its lines, and finds secrets
// and complaints in it.
type logbook struct {
	to       io.Writer
	findings *findings

	mu      sync.Mutex
	rest    []byte
	lines   int
	secrets []string
}

// complaints are messages of level ERROR that a disturbance may cause: none.
const complaint = "level=ERROR"

// Write takes a piece of the log.
func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, p...)
	for {
		line, rest, ok := bytes.Cut(l.rest, []byte("\n"))
		if !ok {
			break
		}
		if !visits.Match(line) {
			l.lines++
		}
		l.check(string(line))
		l.rest = rest
	}
	return l.to.Write(p)
}

// check looks at one line.
func (l *logbook) check(line string) {
	for _, word := range l.secrets {
		if strings.Contains(line, word) {
			l.findings.addf("the log holds a secret that starts with %.2q", word)
			return
		}
	}
	if strings.Contains(line, complaint) {
		l.findings.addf("the log complains: %s", line)
	}
}

// secret names words that must never stand in the log.
func (l *logbook) secret(words ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, word := range words {
		if word != "" {
			l.secrets = append(l.secrets, word)
		}
	}
}

// visits are lines that clients cause by coming and going: as many as the load makes.
var visits = regexp.MustCompile(`msg="(connection|client) (opened|closed)"`)

// count is how many other lines there were.
func (l *logbook) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines
}
