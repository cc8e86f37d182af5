package cloudtrail

import (
	"context"
	"time"

	api "coffer/internal/aws/api/cloudtrail"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
)

// UpdateEventDataStore changes what is given.
func (s *Service) UpdateEventDataStore(ctx context.Context, in *api.UpdateEventDataStoreInput) (
	out *api.UpdateEventDataStoreOutput, err error,
) {
	r, err := s.alter(ctx, in.EventDataStore, func(tx *control.Tx, r *row) error {
		if r.Status == pending {
			return inactive()
		}
		if in.Name != "" {
			r.Name = in.Name
		}
		if in.AdvancedEventSelectors != nil {
			r.Selectors = in.AdvancedEventSelectors
		}
		if in.MultiRegionEnabled != nil {
			r.Regions = *in.MultiRegionEnabled
		}
		if in.RetentionPeriod != nil {
			r.Days = *in.RetentionPeriod
		}
		if in.TerminationProtectionEnabled != nil {
			r.Protected = *in.TerminationProtectionEnabled
		}
		if in.BillingMode != "" {
			r.Billing = in.BillingMode
		}
		if err := r.check(in.OrganizationEnabled, in.KmsKeyId); err != nil {
			return err
		}
		list, err := stores(tx, gateway.From(ctx))
		if err != nil {
			return err
		}
		return r.alone(list)
	})
	if err != nil {
		return nil, err
	}
	return &api.UpdateEventDataStoreOutput{
		AdvancedEventSelectors: r.Selectors, BillingMode: r.Billing, CreatedTimestamp: r.Created,
		EventDataStoreArn: r.arn(), MultiRegionEnabled: &r.Regions, Name: r.Name,
		OrganizationEnabled: new(bool), RetentionPeriod: &r.Days, Status: r.Status,
		TerminationProtectionEnabled: &r.Protected, UpdatedTimestamp: r.Updated,
	}, nil
}

// DeleteEventDataStore ends the selection; for seven days the store can be restored.
func (s *Service) DeleteEventDataStore(ctx context.Context, in *api.DeleteEventDataStoreInput) (
	*api.DeleteEventDataStoreOutput, error,
) {
	_, err := s.alter(ctx, in.EventDataStore, func(tx *control.Tx, r *row) error {
		switch {
		case r.Status == pending:
			return inactive()
		case r.Protected:
			return &api.EventDataStoreTerminationProtectedException{
				Message: "The event data store is protected from deletion."}
		}
		r.Status, r.Deleted = pending, tx.Time()
		return nil
	})
	return &api.DeleteEventDataStoreOutput{}, err
}

// RestoreEventDataStore takes a deletion back.
func (s *Service) RestoreEventDataStore(ctx context.Context, in *api.RestoreEventDataStoreInput) (
	out *api.RestoreEventDataStoreOutput, err error,
) {
	r, err := s.alter(ctx, in.EventDataStore, func(_ *control.Tx, r *row) error {
		if r.Status != pending {
			return badStatus("restored", r)
		}
		r.Status, r.Deleted = enabled, time.Time{}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.RestoreEventDataStoreOutput{
		AdvancedEventSelectors: r.Selectors, BillingMode: r.Billing, CreatedTimestamp: r.Created,
		EventDataStoreArn: r.arn(), MultiRegionEnabled: &r.Regions, Name: r.Name,
		OrganizationEnabled: new(bool), RetentionPeriod: &r.Days, Status: r.Status,
		TerminationProtectionEnabled: &r.Protected, UpdatedTimestamp: r.Updated,
	}, nil
}

// StartEventDataStoreIngestion selects again what a stop ended.
func (s *Service) StartEventDataStoreIngestion(
	ctx context.Context, in *api.StartEventDataStoreIngestionInput,
) (*api.StartEventDataStoreIngestionOutput, error) {
	_, err := s.alter(ctx, in.EventDataStore, func(_ *control.Tx, r *row) error {
		if r.Status != stopped {
			return badStatus("started", r)
		}
		r.Status = enabled
		return nil
	})
	return &api.StartEventDataStoreIngestionOutput{}, err
}

// StopEventDataStoreIngestion ends the selection and keeps what there is.
func (s *Service) StopEventDataStoreIngestion(
	ctx context.Context, in *api.StopEventDataStoreIngestionInput,
) (*api.StopEventDataStoreIngestionOutput, error) {
	_, err := s.alter(ctx, in.EventDataStore, func(_ *control.Tx, r *row) error {
		if r.Status != enabled {
			return badStatus("stopped", r)
		}
		r.Status = stopped
		return nil
	})
	return &api.StopEventDataStoreIngestionOutput{}, err
}

func inactive() error {
	return &api.InactiveEventDataStoreException{
		Message: "The event data store is inactive: it is pending deletion."}
}

func badStatus(what string, r *row) error {
	return &api.InvalidEventDataStoreStatusException{
		Message: "The event data store cannot be " + what + " while it is " + r.Status + "."}
}

// alter changes one store.
func (s *Service) alter(ctx context.Context, name string, fn func(*control.Tx, *row) error) (
	r *row, err error,
) {
	err = s.change(ctx, func(tx *control.Tx) error {
		if r, err = find(ctx, tx, name); err != nil {
			return err
		}
		if err := fn(tx, r); err != nil {
			return err
		}
		r.Updated = tx.Time()
		return r.save(tx)
	})
	return r, err
}
