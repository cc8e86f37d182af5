package node

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"coffer/internal/audit"
	"coffer/internal/audit/accesslog"
)

// AccessLogConfig says which lines of the access log of queues to write.
type AccessLogConfig struct {
	AuditConfig
	Queue           string // name or ARN; empty = all
	Account, Region string // of queues; empty = all
	From, Until     string // RFC 3339, or a date; empty = no bound
}

// AccessLog writes the access log of queues of SQS. Of a directory that a process serves
// it reads a copy, which that process makes.
func AccessLog(ctx context.Context, w io.Writer, cfg AccessLogConfig) (err error) {
	ac := accesslog.Config{Queue: cfg.Queue, Account: cfg.Account, Region: cfg.Region}
	if ac.From, err = parseTime("--from", cfg.From); err != nil {
		return err
	}
	if ac.Until, err = parseTime("--until", cfg.Until); err != nil {
		return err
	}
	err = withTrail(ctx, cfg.AuditConfig, func(t *trailSource) error {
		r := &audit.Reader{State: t.state, Shards: t.shards, Open: t.inspection.Snapshot}
		out := bufio.NewWriter(w)
		return errors.Join(accesslog.Write(ctx, r, out, ac), out.Flush())
	})
	if err != nil {
		return fmt.Errorf("read the access log: %w", err)
	}
	return nil
}
