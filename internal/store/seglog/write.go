package seglog

import (
	"fmt"
	"time"
)

// write makes the groups durable, one after the other, until the log is closed or
// fails. While one is synced the next one gathers.
func (l *Log) write() {
	for g := l.take(); g != nil; g = l.take() {
		if err := l.put(g); err != nil {
			l.fail(err)
			return
		}
		l.settle(g)
	}
}

// take waits for a group and closes it. It is nil when the log ends.
func (l *Log) take() *group {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.queue) == 0 {
		if l.closing || l.failed {
			return nil
		}
		l.work.Wait()
	}
	g := l.queue[0]
	g.taken = true
	g.head.length = uint32(len(g.buf) - headSize)
	size := len(g.buf)
	g.buf = g.buf[:pages(int64(size))] // buffers are whole pages
	clear(g.buf[size:])
	return g
}

// put writes a group and syncs it.
func (l *Log) put(g *group) error {
	at := int64(g.head.offset)
	s, err := l.provide(g.head.segment, at+int64(len(g.buf)))
	if err != nil {
		return err
	}
	l.key.seal(g.head, g.buf)
	if _, err := s.file.WriteAt(g.buf, at); err != nil {
		return fmt.Errorf("write %s: %w", l.Path(s.number), err)
	}
	began := time.Now()
	if err := s.file.SyncData(); err != nil {
		return fmt.Errorf("sync %s: %w", l.Path(s.number), err)
	}
	if l.cfg.Synced != nil {
		l.cfg.Synced(time.Since(began))
	}
	return nil
}

// settle notes that a group is durable.
func (l *Log) settle(g *group) {
	l.mu.Lock()
	if l.failed { // by the helper; the queue is gone
		l.mu.Unlock()
		return
	}
	l.durable = position{g.head.segment, g.end}
	l.pop()
	short := l.short()
	l.mu.Unlock()
	close(g.settled)
	l.room.Broadcast()
	if short {
		l.hurry()
	}
}
