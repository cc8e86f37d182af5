package cloudtrail

import (
	"context"
	"reflect"

	"coffer/internal/arn"
	"coffer/internal/aws/gateway"
	"coffer/internal/aws/wire"
)

// storeType is an event data store's type in events.
const storeType = "AWS::CloudTrail::EventDataStore"

var _ gateway.Access = (*Service)(nil)

// Access implements gateway.Access: operations on a store are decided on its ARN, all
// others on every resource.
func (s *Service) Access(ctx context.Context, _ *wire.Op, in any) ([]gateway.Check, error) {
	f := reflect.ValueOf(in).Elem().FieldByName("EventDataStore")
	if !f.IsValid() || f.Kind() != reflect.String {
		return []gateway.Check{{}}, nil
	}
	name, call := f.String(), gateway.From(ctx)
	a, err := arn.Parse(name)
	if err != nil { // its end is enough
		a = arn.New("cloudtrail", call.Region, call.Account, "eventdatastore/"+name)
	}
	return []gateway.Check{{Resource: a.String(), Account: a.Account, Type: storeType}}, nil
}
