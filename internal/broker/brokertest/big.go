package brokertest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"coffer/internal/broker"
)

// Classes of keys in a queue shard; doc/format/broker.md.
const (
	classBody = 0x12
	classRef  = 0x13
)

// Big gives a body of size bytes that begins with text.
func Big(text string, size int) string {
	var b strings.Builder
	b.Grow(size + 24)
	b.WriteString(text + "|" + strconv.Itoa(size) + "|")
	for i := 0; b.Len() < size; i++ {
		b.WriteString(text + strconv.Itoa(i) + ",")
	}
	return b.String()[:size]
}

// shorten gives what Big was made of as text/size, and other texts as they are.
func shorten(body string) (string, error) {
	text, rest, big := strings.Cut(body, "|")
	if !big {
		return body, nil
	}
	number, _, _ := strings.Cut(rest, "|")
	size, err := strconv.Atoi(number)
	if err != nil || Big(text, size) != body {
		return "", fmt.Errorf("body %q of %d bytes is not as it was", text, len(body))
	}
	return text + "/" + number, nil
}

// enlarge makes big bodies of texts as the option big=size says.
func enlarge(set map[string]string, texts []string) error {
	value, ok := set["big"]
	if !ok {
		return nil
	}
	delete(set, "big")
	size, err := number("big", value)
	for i := range texts {
		texts[i] = Big(texts[i], int(size))
	}
	return err
}

// bodies wants so many chunks and references (the marks of bodies among them)
// to be stored, now or as soon as the core has looked.
func (p *player) bodies(args []string) error {
	chunks, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	refs, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	return p.world.Bodies(chunks, refs)
}

// Bodies waits until so many chunks of bodies and references to them are stored.
func (w *World) Bodies(chunks, refs int) (err error) {
	c := w.Client(broker.SessionConfig{})
	defer func() { err = errors.Join(err, c.Close(w.T.Context())) }()
	var have [2]int
	for end := time.Now().Add(patience()); time.Now().Before(end); {
		for i, class := range [...]byte{classBody, classRef} {
			if have[i], err = w.count(class); err != nil {
				return err
			}
		}
		if have == [...]int{chunks, refs} {
			return nil
		}
		if err := c.Flush(); err != nil { // the owner was here
			return err
		}
	}
	return fmt.Errorf("%d chunks and %d references are stored", have[0], have[1])
}

// count gives the keys of a class.
func (w *World) count(class byte) (n int, err error) {
	snap := w.Shard.Snapshot()
	it := snap.Iter([]byte{class}, []byte{class + 1})
	for it.Next() {
		n++
	}
	return n, errors.Join(it.Err(), it.Close(), snap.Close())
}
