package mq

import (
	"context"

	api "coffer/internal/aws/api/mq"
	"coffer/internal/aws/gateway"
	"coffer/internal/aws/wire"
)

var (
	_ gateway.Access   = (*Service)(nil)
	_ gateway.Preparer = (*Service)(nil)
)

// Access names the broker that a request is about.
func (s *Service) Access(ctx context.Context, _ *wire.Op, in any) ([]gateway.Check, error) {
	id := ""
	switch in := in.(type) {
	case *api.DescribeBrokerInput:
		id = in.BrokerId
	case *api.DeleteBrokerInput:
		id = in.BrokerId
	case *api.RebootBrokerInput:
		id = in.BrokerId
	case *api.CreateBrokerInput:
		keys := map[string][]string{}
		for k, v := range in.Tags {
			keys["aws:RequestTag/"+k] = []string{v}
			keys["aws:TagKeys"] = append(keys["aws:TagKeys"], k)
		}
		return []gateway.Check{{Context: keys}}, nil
	default:
		return []gateway.Check{{}}, nil
	}
	call := gateway.From(ctx)
	b, err := s.find(ctx, call.Account, call.Region, id)
	if err != nil {
		return nil, err
	}
	keys := map[string][]string{}
	for k, v := range b.Tags {
		keys["aws:ResourceTag/"+k] = []string{v}
	}
	return []gateway.Check{{Resource: b.arn(), Type: resourceType, Context: keys}}, nil
}
