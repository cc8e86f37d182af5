package cloudtrail

import (
	"context"
	"reflect"

	"coffer/internal/arn"
	api "coffer/internal/aws/api/cloudtrail"
	"coffer/internal/aws/gateway"
	"coffer/internal/aws/wire"
)

// storeType is an event data store's type in events.
const storeType = "AWS::CloudTrail::EventDataStore"

var _ gateway.Access = (*Service)(nil)

// Access implements gateway.Access: operations on stores are decided on their ARNs, all
// others on every resource.
func (s *Service) Access(ctx context.Context, _ *wire.Op, in any) ([]gateway.Check, error) {
	call := gateway.From(ctx)
	if in, ok := in.(*api.ListTagsInput); ok && len(in.ResourceIdList) > 0 {
		var checks []gateway.Check
		for _, name := range in.ResourceIdList {
			checks = append(checks, storeCheck(call, name))
		}
		return checks, nil
	}
	f := reflect.ValueOf(in).Elem().FieldByName("EventDataStore")
	if !f.IsValid() || f.Kind() != reflect.String {
		return []gateway.Check{{}}, nil
	}
	return []gateway.Check{storeCheck(call, f.String())}, nil
}

func storeCheck(call *gateway.Call, name string) gateway.Check {
	a, err := arn.Parse(name)
	if err != nil { // its end is enough
		a = arn.New("cloudtrail", call.Region, call.Account, "eventdatastore/"+name)
	}
	return gateway.Check{Resource: a.String(), Account: a.Account, Type: storeType}
}
