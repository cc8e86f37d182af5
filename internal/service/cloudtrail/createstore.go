package cloudtrail

import (
	"cmp"
	"context"
	"fmt"

	"github.com/google/uuid"

	api "coffer/internal/aws/api/cloudtrail"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
)

// States of a store.
const (
	enabled = "ENABLED"
	stopped = "STOPPED_INGESTION"
	pending = "PENDING_DELETION"
)

// days is how long a billing mode keeps events if nothing else is said, and at most.
var days = map[string][2]int32{
	"EXTENDABLE_RETENTION_PRICING": {366, 3653}, "FIXED_RETENTION_PRICING": {2557, 2557},
}

// CreateEventDataStore begins to keep what its selectors select. Management events
// are kept in any case; it is data events that a store is for.
func (s *Service) CreateEventDataStore(ctx context.Context, in *api.CreateEventDataStoreInput) (
	out *api.CreateEventDataStoreOutput, err error,
) {
	call := gateway.From(ctx)
	r := &row{
		Version: rowVersion, ID: uuid.New(), Account: call.Account, Region: call.Region,
		Name: in.Name, Status: enabled, Selectors: in.AdvancedEventSelectors, Tags: in.TagsList,
		Billing:   cmp.Or(in.BillingMode, "EXTENDABLE_RETENTION_PRICING"),
		Protected: in.TerminationProtectionEnabled == nil || *in.TerminationProtectionEnabled,
		Regions:   in.MultiRegionEnabled == nil || *in.MultiRegionEnabled,
	}
	if in.StartIngestion != nil && !*in.StartIngestion {
		r.Status = stopped
	}
	if r.Days = days[r.Billing][0]; in.RetentionPeriod != nil {
		r.Days = *in.RetentionPeriod
	}
	if len(r.Selectors) == 0 {
		r.Selectors = everyManagement
	}
	if err := r.check(in.OrganizationEnabled, in.KmsKeyId); err != nil {
		return nil, err
	}
	err = s.change(ctx, func(tx *control.Tx) error {
		r.Created, r.Updated = tx.Time(), tx.Time()
		list, err := stores(tx, call)
		if err != nil {
			return err
		}
		if err := cmp.Or(room(tx, call, list), r.alone(list)); err != nil {
			return err
		}
		call.AddResource(storeType, r.Account, r.arn())
		return r.save(tx)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateEventDataStoreOutput{
		AdvancedEventSelectors: r.Selectors, BillingMode: r.Billing, CreatedTimestamp: r.Created,
		EventDataStoreArn: r.arn(), MultiRegionEnabled: &r.Regions, Name: r.Name,
		OrganizationEnabled: new(bool), RetentionPeriod: &r.Days, Status: "CREATED",
		TagsList: r.Tags, TerminationProtectionEnabled: &r.Protected, UpdatedTimestamp: r.Updated,
	}, nil
}

// room refuses one more store than an account may have, beside those of the Region.
func room(tx *control.Tx, call *gateway.Call, list []*row) error {
	if len(list) >= maxStores {
		return &api.EventDataStoreMaxLimitExceededException{
			Message: "The account has the most event data stores that a Region may have."}
	}
	all, err := stores(tx, nil)
	own := 0
	for _, r := range all {
		if r.Account == call.Account {
			own++
		}
	}
	if err == nil && own >= maxOwnStores {
		err = &api.EventDataStoreMaxLimitExceededException{Message: fmt.Sprintf(
			"The account has %d event data stores, the most that it may have in all Regions.", own)}
	}
	return err
}

// check refuses what a store cannot be.
func (r *row) check(organization *bool, key string) error {
	if organization != nil && *organization {
		return &api.OrganizationsNotInUseException{
			Message: "The account is not in an organization."}
	}
	if key != "" {
		return &api.UnsupportedOperationException{Message: "Coffer keeps the events of a store " +
			"under its platform key; KmsKeyId cannot be given."}
	}
	if most := days[r.Billing][1]; r.Days > most {
		return &api.InvalidParameterException{Message: "The retention period is longer than the " +
			"billing mode allows."}
	}
	return checkSelectors(r.Selectors)
}

// alone refuses a name that another store has.
func (r *row) alone(list []*row) error {
	for _, other := range list {
		if other.Name == r.Name && other.ID != r.ID {
			return &api.EventDataStoreAlreadyExistsException{
				Message: "An event data store with that name already exists."}
		}
	}
	return nil
}
