package embedded

// Work is what the engine does behind the scenes. What is counted grows from Open.
type Work struct {
	StoredBytes    uint64 // that the store takes on the disk, checkpoints left out
	ReserveBytes   uint64 // kept for a full disk; 0: it was given up, or is not made yet
	MemTableBytes  uint64 // of the log that no table on the disk has yet
	LogBytes       uint64 // written to the log
	Flushes        int64
	FlushedBytes   uint64
	Compactions    int64
	CompactedBytes uint64 // written by them
	Compacting     int64  // compactions that run now
	DebtBytes      uint64 // that are to be compacted, about
	ReadLevels     int    // tables that one read may have to look into
	Stalls         int64  // times that writes had to wait for a flush
	Stalled        bool   // they wait now
	Snapshots      int    // that are open, and keep what they show from being removed
}

// Work gives the present numbers. It takes some 100 µs.
func (e *Engine) Work() Work {
	m := e.db.Metrics()
	log := e.log.Stats()
	w := Work{
		StoredBytes: m.DiskSpaceUsage() + uint64(log.Bytes), MemTableBytes: e.flusher.held(),
		LogBytes: uint64(e.flusher.ever.Load()), Flushes: e.flusher.count.Load(),
		FlushedBytes: uint64(e.flusher.written.Load()),
		Compactions:  m.Compact.Count, Compacting: m.Compact.NumInProgress,
		DebtBytes: m.Compact.EstimatedDebt, ReadLevels: m.ReadAmp(),
		Stalls: e.stalls.Load(), Stalled: e.waiting.Load() > 0,
		ReserveBytes: e.space.reserve.held.Load(),
	}
	for i := range m.Levels {
		w.CompactedBytes += m.Levels[i].TableBytesCompacted
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	w.Snapshots = e.snapshots
	return w
}
