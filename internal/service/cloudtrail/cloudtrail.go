// Package cloudtrail is the API of the audit trail: it searches the management
// events of the last 90 days. Trails, event data stores and insights answer
// "not implemented".
package cloudtrail

import (
	"time"

	"coffer/internal/audit"
	api "coffer/internal/aws/api/cloudtrail"
	"coffer/internal/control"
)

// Service implements the CloudTrail API.
type Service struct {
	api.Unimplemented
	db  *control.DB
	log *audit.Log
	now func() time.Time
}

var _ api.Service = (*Service)(nil)

// New makes the service; a nil now means time.Now.
func New(db *control.DB, log *audit.Log, now func() time.Time) *Service {
	if now == nil {
		now = time.Now
	}
	return &Service{db: db, log: log, now: now}
}
