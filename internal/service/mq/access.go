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

// Access names the broker or configuration that a request is about.
func (s *Service) Access(ctx context.Context, _ *wire.Op, in any) ([]gateway.Check, error) {
	call, keys := gateway.From(ctx), map[string][]string{}
	var t tagged
	var err error
	switch in := in.(type) {
	case *api.CreateBrokerInput:
		return []gateway.Check{{Context: requestTags(keys, in.Tags)}}, nil
	case *api.CreateConfigurationInput:
		return []gateway.Check{{Context: requestTags(keys, in.Tags)}}, nil
	case *api.CreateTagsInput:
		requestTags(keys, in.Tags)
		t, err = s.named(ctx, call, in.ResourceArn)
	case *api.DeleteTagsInput:
		keys["aws:TagKeys"] = in.TagKeys
		t, err = s.named(ctx, call, in.ResourceArn)
	case *api.ListTagsInput:
		t, err = s.named(ctx, call, in.ResourceArn)
	default:
		if id, ok := brokerOf(in); ok {
			t, err = s.find(ctx, call.Account, call.Region, id)
		} else if id, ok := configurationOf(in); ok {
			t, err = s.findConfiguration(ctx, call, id)
		} else {
			return []gateway.Check{{}}, nil
		}
	}
	if err != nil {
		return nil, err
	}
	for k, v := range t.tags() {
		keys["aws:ResourceTag/"+k] = []string{v}
	}
	return []gateway.Check{{Resource: t.arn(), Type: t.kind(), Context: keys}}, nil
}

func requestTags(keys map[string][]string, tags map[string]string) map[string][]string {
	for k, v := range tags {
		keys["aws:RequestTag/"+k] = []string{v}
		keys["aws:TagKeys"] = append(keys["aws:TagKeys"], k)
	}
	return keys
}

// brokerOf gives the broker that a request names.
func brokerOf(in any) (id string, ok bool) {
	switch in := in.(type) {
	case *api.DescribeBrokerInput:
		return in.BrokerId, true
	case *api.DeleteBrokerInput:
		return in.BrokerId, true
	case *api.RebootBrokerInput:
		return in.BrokerId, true
	case *api.UpdateBrokerInput:
		return in.BrokerId, true
	case *api.PromoteInput:
		return in.BrokerId, true
	case *api.CreateUserInput:
		return in.BrokerId, true
	case *api.UpdateUserInput:
		return in.BrokerId, true
	case *api.DeleteUserInput:
		return in.BrokerId, true
	case *api.DescribeUserInput:
		return in.BrokerId, true
	case *api.ListUsersInput:
		return in.BrokerId, true
	}
	return "", false
}

// configurationOf gives the configuration that a request names.
func configurationOf(in any) (id string, ok bool) {
	switch in := in.(type) {
	case *api.DescribeConfigurationInput:
		return in.ConfigurationId, true
	case *api.DescribeConfigurationRevisionInput:
		return in.ConfigurationId, true
	case *api.ListConfigurationRevisionsInput:
		return in.ConfigurationId, true
	case *api.UpdateConfigurationInput:
		return in.ConfigurationId, true
	case *api.DeleteConfigurationInput:
		return in.ConfigurationId, true
	}
	return "", false
}
