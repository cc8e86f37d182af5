package node

import (
	"strconv"

	"coffer/internal/audit"
	"coffer/internal/store/embedded"
	"coffer/internal/telemetry"
)

// observeStore shows what the store knows about its disk and its work.
func (n *Node) observeStore() {
	type stats = embedded.Stats
	telemetry.Sample(n.metrics, n.engine.Stats,
		integer("coffer_store_disk_free_bytes", "Free space on the disk of the data directory.",
			func(s stats) uint64 { return s.FreeBytes }),
		integer("coffer_store_low_water_bytes",
			"Free space below which new messages are refused.",
			func(s stats) uint64 { return s.LowWaterBytes }),
		yes("coffer_store_room",
			"1 while there is room for new messages, 0 while they are refused.",
			func(stats) bool { return n.engine.Room() == nil }),
		integer("coffer_store_waiting_writes", "Writes that wait because the disk is full.",
			func(s stats) int { return s.Waiting }),
		telemetry.Sampled[stats]{Name: "coffer_store_slow_sync_seconds",
			Help: "How long the present sync has taken, if that is long; else 0.",
			Of:   func(s stats) float64 { return s.SlowSync.Seconds() }},
		integer("coffer_store_damaged_files",
			"Damaged files of the store that were set aside in quarantine/.",
			func(stats) int { return len(n.engine.Damaged()) }),
	)
	type work = embedded.Work
	telemetry.Sample(n.metrics, n.engine.Work,
		integer("coffer_store_bytes",
			"Bytes of the store on the disk, without copies for backups.",
			func(w work) uint64 { return w.StoredBytes }),
		integer("coffer_store_reserve_bytes",
			"Bytes kept for a full disk; 0 after they were given up.",
			func(w work) uint64 { return w.ReserveBytes }),
		integer("coffer_store_memtable_bytes", "Bytes of the store's tables in memory.",
			func(w work) uint64 { return w.MemTableBytes }),
		integer("coffer_store_log_bytes_total", "Bytes written to the store's log.",
			func(w work) uint64 { return w.LogBytes }),
		integer("coffer_store_flushes_total", "Tables in memory that were written to the disk.",
			func(w work) int64 { return w.Flushes }),
		integer("coffer_store_flushed_bytes_total", "Bytes of tables written by flushes.",
			func(w work) uint64 { return w.FlushedBytes }),
		integer("coffer_store_compactions_total", "Compactions of the store that ended.",
			func(w work) int64 { return w.Compactions }),
		integer("coffer_store_compacted_bytes_total", "Bytes of tables written by compactions.",
			func(w work) uint64 { return w.CompactedBytes }),
		integer("coffer_store_compactions_running", "Compactions of the store that run.",
			func(w work) int64 { return w.Compacting }),
		integer("coffer_store_compaction_debt_bytes", "Bytes that are to be compacted, about.",
			func(w work) uint64 { return w.DebtBytes }),
		integer("coffer_store_read_levels", "Tables that one read may have to look into.",
			func(w work) int { return w.ReadLevels }),
		integer("coffer_store_stalls_total", "Times that writes waited for flushes or compactions.",
			func(w work) int64 { return w.Stalls }),
		yes("coffer_store_stalled", "1 while writes wait for flushes or compactions.",
			func(w work) bool { return w.Stalled }),
		integer("coffer_store_snapshots", "Views of the store that are open.",
			func(w work) int { return w.Snapshots }),
	)
}

// observeTrail shows how far the trail is signed.
func (n *Node) observeTrail() {
	type stats = audit.Stats
	telemetry.Sample(n.metrics, n.trail.Stats,
		integer("coffer_audit_heads_total", "Signed heads of the audit trail.",
			func(s stats) int64 { return s.Heads }),
		integer("coffer_audit_head_failures_total",
			"Heads of the audit trail that could not be signed, stored or written to their file.",
			func(s stats) int64 { return s.Failures }),
		telemetry.Sampled[stats]{Name: "coffer_audit_head_age_seconds",
			Help: "How long ago a signed head covered every event there was.",
			Of:   func(s stats) float64 { return s.Age.Seconds() }},
		yes("coffer_audit_head_file_behind", "1 while the newest head is not in its file.",
			func(s stats) bool { return s.Err != nil }),
		telemetry.Sampled[stats]{Name: "coffer_audit_tree_events_total",
			Help: "Events ever put into the tree of a shard.", Labels: []string{"shard"},
			Each: func(s stats, show func(float64, ...string)) {
				for id, size := range s.Sizes {
					show(float64(size), strconv.Itoa(int(id)))
				}
			}},
	)
}
