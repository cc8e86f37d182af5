package coffer

import (
	"context"
	"errors"

	api "coffer/internal/aws/api/coffer"
	"coffer/internal/control"
	"coffer/internal/fault"
)

// CreateBackup begins a backup. It is made once the call is on record, so all
// that was confirmed to anyone before the call is in it, and so is the call.
func (s *Service) CreateBackup(ctx context.Context, _ *api.CreateBackupInput) (
	*api.CreateBackupOutput, error,
) {
	b, err := s.backups.Reserve()
	if fault.KindOf(err) == fault.Exhausted {
		return nil, &api.LimitExceededException{Message: text(err)}
	}
	if err != nil {
		return nil, err
	}
	tx := control.From(ctx)
	tx.After(func() { s.backups.Begin(b.ID) })
	tx.Failed(func() { s.backups.Cancel(b.ID) })
	return &api.CreateBackupOutput{Backup: new(b.shown())}, nil
}

// DescribeBackup tells how a backup stands.
func (s *Service) DescribeBackup(_ context.Context, in *api.DescribeBackupInput) (
	*api.DescribeBackupOutput, error,
) {
	b, err := s.find(in.BackupId)
	if err != nil {
		return nil, err
	}
	return &api.DescribeBackupOutput{Backup: new(b.shown())}, nil
}

// ListBackups lists all backups, the oldest first; there are few.
func (s *Service) ListBackups(context.Context, *api.ListBackupsInput) (
	*api.ListBackupsOutput, error,
) {
	list, err := s.backups.List()
	if err != nil {
		return nil, err
	}
	out := &api.ListBackupsOutput{Backups: []api.Backup{}}
	for _, b := range list {
		out.Backups = append(out.Backups, b.shown())
	}
	return out, nil
}

// DeleteBackup removes a backup from the data directory. What was carried away
// of it stays; with CopiedBytes all was, which is noted.
func (s *Service) DeleteBackup(ctx context.Context, in *api.DeleteBackupInput) (
	*api.DeleteBackupOutput, error,
) {
	b, err := s.find(in.BackupId)
	if err != nil {
		return nil, err
	}
	if b.State == api.BackupStateCreating {
		return nil, &api.BackupInUseException{
			Message: "Backup " + b.ID + " is being made. Delete it when it is available."}
	}
	if in.CopiedBytes != nil {
		if b.State != api.BackupStateAvailable {
			return nil, &api.BackupInUseException{
				Message: "Backup " + b.ID + " cannot have been copied."}
		}
		if err := s.backups.Copied(ctx, *b, *in.CopiedBytes); err != nil {
			return nil, err
		}
	}
	control.From(ctx).After(func() { s.backups.Drop(b.ID) })
	return &api.DeleteBackupOutput{}, nil
}

func (s *Service) find(id string) (*Backup, error) {
	list, err := s.backups.List()
	if err != nil {
		return nil, err
	}
	for _, b := range list {
		if b.ID == id {
			return &b, nil
		}
	}
	return nil, &api.BackupNotFoundException{Message: "Backup " + id + " does not exist."}
}

func (b *Backup) shown() api.Backup {
	return api.Backup{
		BackupId: b.ID, State: b.State, CreatedAt: b.Created, ExpiresAt: b.Expires,
		Reason: b.Reason, Positions: positions(b.Positions),
	}
}

// text is what an error says to clients.
func text(err error) string {
	if e, ok := errors.AsType[*fault.Error](err); ok {
		return e.Text
	}
	return err.Error()
}
