package embedded

// Work is what the engine does behind the scenes. What is counted grows from Open.
type Work struct {
	StoredBytes    uint64 // that the store takes on the disk, checkpoints left out
	ReserveBytes   uint64 // kept for a full disk; 0: it was given up, or is not made yet
	MemTableBytes  uint64 // written and not yet in a table on the disk
	LogBytes       uint64 // written to the log
	Flushes        int64
	FlushedBytes   uint64
	Compactions    int64
	CompactedBytes uint64 // written by them
	Compacting     int64  // compactions that run now
	DebtBytes      uint64 // that are to be compacted, about
	ReadLevels     int    // tables that one read may have to look into
	Stalls         int64  // times that writes had to wait for flushes or compactions
	Stalled        bool   // they wait now
	Snapshots      int    // that are open, and keep what they show from being removed
}

// Work gives the present numbers. It takes some 100 µs.
func (e *Engine) Work() Work {
	m := e.db.Metrics()
	w := Work{
		StoredBytes: m.DiskSpaceUsage(), MemTableBytes: m.MemTable.Size,
		LogBytes: m.WAL.BytesWritten, Flushes: m.Flush.Count,
		Compactions: m.Compact.Count, Compacting: m.Compact.NumInProgress,
		DebtBytes: m.Compact.EstimatedDebt, ReadLevels: m.ReadAmp(),
		Stalls: e.stalls.Load(), Stalled: e.stalled.Load(),
		ReserveBytes: e.space.reserve.held.Load(),
	}
	for i := range m.Levels {
		w.FlushedBytes += m.Levels[i].TableBytesFlushed
		w.CompactedBytes += m.Levels[i].TableBytesCompacted
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	w.Snapshots = e.snapshots
	return w
}
