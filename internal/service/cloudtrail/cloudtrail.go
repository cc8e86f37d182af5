// Package cloudtrail is the API of the audit trail: it searches the management
// events of the last 90 days, and keeps event data stores, whose selectors put data
// events on record. Trails, queries and insights answer "not implemented".
package cloudtrail

import (
	"sync/atomic"
	"time"

	"coffer/internal/audit"
	api "coffer/internal/aws/api/cloudtrail"
	"coffer/internal/control"
)

// Config tunes a Service; the zero value is the default.
type Config struct {
	Now func() time.Time // default time.Now
	// Changed is called after a change of what is selected, before it is answered; it
	// must not block. Default: nobody wants to know.
	Changed func()
}

// Service implements the CloudTrail API.
type Service struct {
	api.Unimplemented
	db       *control.DB
	log      *audit.Log
	cfg      Config
	selected atomic.Pointer[selection]
}

var _ api.Service = (*Service)(nil)

// New makes the service. Until Load nothing is selected.
func New(db *control.DB, log *audit.Log, cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Service{db: db, log: log, cfg: cfg}
	s.selected.Store(&selection{})
	return s
}
