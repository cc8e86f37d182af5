package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// headFileWait is how long a stop waits for the file of heads.
const headFileWait = 5 * time.Second

// cutLine is written behind a line that a crash or a full disk cut short.
const cutLine = "# the line before was cut short\n"

// headFile appends heads to a file, on its own goroutine: nobody waits for where
// it lies. What could not be written is tried again with each head; of many that
// wait the last is written, which covers the others.
type headFile struct {
	path string
	log  *slog.Logger
	look func(path string) error // before the first write

	kick    chan struct{} // holds a token when a head waits, or the end
	stopped chan struct{}

	mu      sync.Mutex
	waiting []byte
	closing bool
	err     error // of the last attempt
	failed  int64
	older   error // what look found
}

// newHeadFile begins to write to a file. look is called once before, with its path;
// what it finds is shown as long as the process runs.
func newHeadFile(path string, log *slog.Logger, look func(string) error) *headFile {
	f := &headFile{
		path: path, log: log, look: look, kick: make(chan struct{}, 1),
		stopped: make(chan struct{}),
	}
	go f.run()
	return f
}

// add gives a signed note to the file.
func (f *headFile) add(msg []byte) {
	f.mu.Lock()
	f.waiting = msg
	f.mu.Unlock()
	f.wake()
}

func (f *headFile) wake() {
	select {
	case f.kick <- struct{}{}:
	default:
	}
}

// retry has another attempt made at what could not be written.
func (f *headFile) retry() {
	f.mu.Lock()
	waiting := f.waiting != nil
	f.mu.Unlock()
	if waiting {
		f.wake()
	}
}

// close waits until the last head is written, but not for a file that hangs.
func (f *headFile) close() {
	f.mu.Lock()
	f.closing = true
	f.mu.Unlock()
	f.wake()
	late := time.NewTimer(headFileWait)
	defer late.Stop()
	select {
	case <-f.stopped:
	case <-late.C:
		f.log.Error("the file of audit heads does not answer; the last head is not in it",
			"file", f.path)
	}
}

func (f *headFile) run() {
	defer close(f.stopped)
	if err := f.look(f.path); err != nil {
		f.log.Error("the audit trail is not the one that its file of heads tells of; "+
			"`coffer audit verify --heads` says more", "error", err)
		f.mu.Lock()
		f.older = err
		f.mu.Unlock()
	}
	for range f.kick {
		f.mu.Lock()
		msg, closing := f.waiting, f.closing
		f.waiting = nil
		f.mu.Unlock()
		if msg != nil {
			f.write(msg)
		}
		if closing {
			return
		}
	}
}

func (f *headFile) write(msg []byte) {
	err := appendHead(f.path, msg)
	f.mu.Lock()
	before := f.err
	if f.err = err; err != nil {
		f.failed++
		if f.waiting == nil {
			f.waiting = msg
		}
	}
	f.mu.Unlock()
	switch {
	case err != nil && before == nil:
		f.log.Error("an audit head could not be written to its file", "error", err)
	case err == nil && before != nil:
		f.log.Info("audit heads are written to their file again", "file", f.path)
	}
}

// state tells the last error, and how many writes failed.
func (f *headFile) state() (err error, failed int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return errors.Join(f.older, f.err), f.failed
}

// lastHead gives the last head of a file that a key signed; nil when there is none.
func lastHead(path string, v note.Verifier) (h *head, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	tail := make([]byte, min(size, maxHeadLine))
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	for line := range bytes.Lines(tail) {
		msg, err := parseHeadLine(line)
		if err != nil {
			continue // comments, and what was cut short
		}
		if next, err := openHead(msg, v); err == nil {
			h = next
		}
	}
	return h, nil
}

// appendHead adds one line and makes it durable. The file is opened each time, so
// that it may be moved away and is made anew.
func appendHead(path string, msg []byte) error {
	line, err := headLine(msg)
	if err != nil {
		return err
	}
	_, err = os.Stat(path)
	fresh := errors.Is(err, fs.ErrNotExist)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	cut, err := endsCut(f)
	if err == nil && cut {
		line = append([]byte("\n"+cutLine), line...)
	}
	if err == nil {
		_, err = f.Write(line)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil && fresh {
		err = syncFolder(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("append to %s: %w", path, err)
	}
	return nil
}

// headLine writes a note as one line: a JSON string.
func headLine(msg []byte) ([]byte, error) {
	line, err := json.Marshal(string(msg))
	return append(line, '\n'), err
}

// endsCut tells whether the file's last line has no end.
func endsCut(f *os.File) (bool, error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil || size == 0 {
		return false, err
	}
	var last [1]byte
	_, err = f.ReadAt(last[:], size-1)
	return last[0] != '\n', err
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}
