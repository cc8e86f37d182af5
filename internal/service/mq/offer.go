package mq

import (
	"context"
	"slices"
	"strings"

	api "coffer/internal/aws/api/mq"
	"coffer/internal/aws/gateway"
)

const (
	rabbitMQ = "RABBITMQ"
	smallest = "mq.t3.micro" // no clusters on it, and no way back to it
)

// instanceTypes are those that Amazon MQ has for RabbitMQ. They say nothing about what a
// broker of Coffer may use of the machine.
//
// Source: Amazon MQ Developer Guide, "Instance types" of RabbitMQ brokers.
func instanceTypes() []string {
	return []string{
		smallest, "mq.m5.large", "mq.m5.xlarge", "mq.m5.2xlarge", "mq.m5.4xlarge",
		"mq.m7g.medium", "mq.m7g.large", "mq.m7g.xlarge", "mq.m7g.2xlarge", "mq.m7g.4xlarge",
		"mq.m7g.8xlarge", "mq.m7g.12xlarge", "mq.m7g.16xlarge",
	}
}

// DescribeBrokerEngineTypes tells the engines that brokers can have, newest version first.
func (s *Service) DescribeBrokerEngineTypes(
	ctx context.Context, in *api.DescribeBrokerEngineTypesInput,
) (*api.DescribeBrokerEngineTypesOutput, error) {
	var list []api.BrokerEngineType
	if want, err := engineFilter(in.EngineType); err != nil {
		return nil, err
	} else if want == "" || want == rabbitMQ {
		t := api.BrokerEngineType{EngineType: rabbitMQ}
		for _, v := range slices.Backward(versions()) {
			t.EngineVersions = append(t.EngineVersions, api.EngineVersion{Name: v})
		}
		list = append(list, t)
	}
	p, err := s.page(gateway.From(ctx), "engine-types", in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	shown, next := cut(p, list)
	return &api.DescribeBrokerEngineTypesOutput{
		BrokerEngineTypes: shown, NextToken: next, MaxResults: p.shown()}, nil
}

// DescribeBrokerInstanceOptions tells the instance types that brokers can name.
func (s *Service) DescribeBrokerInstanceOptions(
	ctx context.Context, in *api.DescribeBrokerInstanceOptionsInput,
) (*api.DescribeBrokerInstanceOptionsOutput, error) {
	call := gateway.From(ctx)
	want, err := engineFilter(in.EngineType)
	if err != nil {
		return nil, err
	}
	list := []api.BrokerInstanceOption{}
	var zones []api.AvailabilityZone
	for _, z := range []string{"a", "b", "c"} {
		zones = append(zones, api.AvailabilityZone{Name: call.Region + z})
	}
	for _, t := range instanceTypes() {
		switch {
		case want != "" && want != rabbitMQ,
			text(in.HostInstanceType) != "" && *in.HostInstanceType != t,
			text(in.StorageType) != "" && !strings.EqualFold(*in.StorageType, "EBS"):
			continue
		}
		o := api.BrokerInstanceOption{
			EngineType: rabbitMQ, HostInstanceType: t, StorageType: "EBS",
			AvailabilityZones: zones, SupportedEngineVersions: versions(),
			SupportedDeploymentModes: []string{single, cluster},
		}
		slices.Reverse(o.SupportedEngineVersions)
		if t == smallest {
			o.SupportedDeploymentModes = []string{single}
		}
		list = append(list, o)
	}
	p, err := s.page(call, "instance-options", in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	shown, next := cut(p, list)
	return &api.DescribeBrokerInstanceOptionsOutput{
		BrokerInstanceOptions: shown, NextToken: next, MaxResults: p.shown()}, nil
}

// engineFilter reads the filter of an engine type, in any case of letters.
func engineFilter(name *string) (string, error) {
	switch upper := strings.ToUpper(text(name)); upper {
	case "", rabbitMQ, "ACTIVEMQ":
		return upper, nil
	}
	return "", bad("engineType", "Broker engine type ["+*name+
		"] is invalid. Valid values: [ACTIVEMQ, RABBITMQ].")
}
