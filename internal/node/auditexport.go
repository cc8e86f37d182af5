package node

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"coffer/internal/audit"
	"coffer/internal/audit/export"
	"coffer/internal/fault"
)

// ExportConfig says what of a trail to write where.
type ExportConfig struct {
	AuditConfig
	To              string // directory
	Bucket          string // that digests name; coffer-audit
	From, Until     string // RFC 3339, or a date; empty = no bound
	Account, Region string // empty = all
}

// ExportAudit writes the audit trail as CloudTrail does. Of a directory that a
// process serves it reads a copy, which that process makes.
func ExportAudit(ctx context.Context, cfg ExportConfig) (list []export.Written, err error) {
	if cfg.To == "" {
		return nil, fault.New(fault.Invalid, "--to: name the directory of the export")
	}
	ec := export.Config{Bucket: cfg.Bucket, Account: cfg.Account, Region: cfg.Region,
		Now: time.Now()}
	if ec.From, err = parseTime("--from", cfg.From); err != nil {
		return nil, err
	}
	if ec.Until, err = parseTime("--until", cfg.Until); err != nil {
		return nil, err
	}
	set(&cfg.Data, "./coffer-data")
	if ec.Dir, err = filepath.Abs(cfg.To); err != nil {
		return nil, err
	}
	data, err := filepath.Abs(cfg.Data)
	if err != nil {
		return nil, err
	}
	if rel, err := filepath.Rel(data, ec.Dir); err == nil && filepath.IsLocal(rel) {
		return nil, fault.New(fault.Invalid,
			"%s is in the data directory, and would be lost with it: choose another", ec.Dir)
	}
	err = withTrail(ctx, cfg.AuditConfig, func(t *trailSource) error {
		r := &audit.Reader{State: t.state, Shards: t.shards, Open: t.inspection.Snapshot}
		list, err = export.Run(ctx, r, ec)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("export the audit trail: %w", err)
	}
	return list, nil
}

// parseTime reads a time of a command line.
func parseTime(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fault.New(fault.Invalid,
		"%s: %q is neither a time such as 2026-02-27T22:00:00Z nor a date", flag, text)
}
