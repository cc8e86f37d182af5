package cloudtrail

import (
	"context"

	api "coffer/internal/aws/api/cloudtrail"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
)

// GetEventDataStore describes a store.
func (s *Service) GetEventDataStore(ctx context.Context, in *api.GetEventDataStoreInput) (
	out *api.GetEventDataStoreOutput, err error,
) {
	err = s.db.View(ctx, func(ctx context.Context, tx *control.Tx) error {
		r, err := find(ctx, tx, in.EventDataStore)
		if err != nil {
			return err
		}
		out = &api.GetEventDataStoreOutput{
			AdvancedEventSelectors: r.Selectors, BillingMode: r.Billing,
			CreatedTimestamp: r.Created, EventDataStoreArn: r.arn(),
			MultiRegionEnabled: &r.Regions, Name: r.Name, OrganizationEnabled: new(bool),
			RetentionPeriod: &r.Days, Status: r.Status,
			TerminationProtectionEnabled: &r.Protected, UpdatedTimestamp: r.Updated,
		}
		return nil
	})
	return out, err
}

// ListEventDataStores names the stores of the account in the Region; there are never
// more than one page has.
func (s *Service) ListEventDataStores(ctx context.Context, in *api.ListEventDataStoresInput) (
	*api.ListEventDataStoresOutput, error,
) {
	if in.NextToken != "" {
		return nil, &api.InvalidNextTokenException{Message: "The next token is not valid."}
	}
	out := &api.ListEventDataStoresOutput{EventDataStores: []api.EventDataStore{}}
	err := s.db.View(ctx, func(ctx context.Context, tx *control.Tx) error {
		list, err := stores(tx, gateway.From(ctx))
		for _, r := range list {
			out.EventDataStores = append(out.EventDataStores,
				api.EventDataStore{EventDataStoreArn: r.arn(), Name: r.Name})
		}
		return err
	})
	return out, err
}

// ListTags lists the tags of stores.
func (s *Service) ListTags(ctx context.Context, in *api.ListTagsInput) (
	*api.ListTagsOutput, error,
) {
	out := &api.ListTagsOutput{}
	err := s.db.View(ctx, func(ctx context.Context, tx *control.Tx) error {
		for _, name := range in.ResourceIdList {
			r, err := find(ctx, tx, name)
			if err != nil {
				return err
			}
			out.ResourceTagList = append(out.ResourceTagList,
				api.ResourceTag{ResourceId: name, TagsList: r.Tags})
		}
		return nil
	})
	return out, err
}
