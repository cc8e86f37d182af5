package mq

import (
	"context"
	"fmt"

	api "coffer/internal/aws/api/mq"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
)

const (
	resourceType = "AWS::AmazonMQ::Broker"
	invalidKey   = "RABBITMQ_INVALID_KMS_KEY"
)

// DescribeBroker shows a broker, and why its key cannot be used if so.
func (s *Service) DescribeBroker(ctx context.Context, in *api.DescribeBrokerInput) (
	*api.DescribeBrokerOutput, error,
) {
	call := gateway.From(ctx)
	b, err := s.find(ctx, call.Account, call.Region, in.BrokerId)
	if err != nil {
		return nil, err
	}
	state := s.engine.State(b.ID)
	out := &api.DescribeBrokerOutput{
		BrokerArn: b.arn(), BrokerId: b.brokerID(), BrokerName: b.Name,
		BrokerState: state.Phase.String(), Created: b.Created,
		EngineType: b.EngineType, EngineVersion: b.EngineVersion,
		DeploymentMode: b.DeploymentMode, HostInstanceType: b.InstanceType,
		StorageType: b.StorageType, AuthenticationStrategy: "SIMPLE",
		AutoMinorVersionUpgrade: &b.AutoUpgrade, PubliclyAccessible: &b.Public,
		MaintenanceWindowStartTime: b.Window, SecurityGroups: b.SecurityGroups,
		SubnetIds: b.SubnetIDs, Tags: b.Tags,
		EncryptionOptions: &api.EncryptionOptions{UseAwsOwnedKey: b.AWSOwned},
		Logs: &api.LogsSummary{General: b.LogsGeneral,
			GeneralLogGroup: "/aws/amazonmq/broker/" + b.brokerID() + "/general"},
	}
	if !b.AWSOwned {
		out.EncryptionOptions.KmsKeyId = b.Key
	}
	b.describeChanges(out)
	if len(state.Endpoints) > 0 {
		out.BrokerInstances = []api.BrokerInstance{
			{Endpoints: state.Endpoints, IpAddress: state.IPAddress,
				ConsoleURL: state.Console}}
	}
	if state.Phase == Locked {
		out.ActionsRequired = []api.ActionRequired{
			{ActionRequiredCode: invalidKey, ActionRequiredInfo: state.Reason}}
	}
	return out, nil
}

// describeChanges shows the broker's configurations and what waits for a reboot.
func (b *row) describeChanges(out *api.DescribeBrokerOutput) {
	p := b.Pending
	if p == nil {
		p = &pending{}
	}
	out.PendingEngineVersion, out.PendingHostInstanceType = p.EngineVersion, p.InstanceType
	out.PendingSecurityGroups = p.SecurityGroups
	if p.LogsGeneral != nil {
		out.Logs.Pending = &api.PendingLogs{General: p.LogsGeneral}
	}
	if b.Configuration == nil && p.Configuration == nil {
		return
	}
	out.Configurations = &api.Configurations{
		Current: b.Configuration.shown(), Pending: p.Configuration.shown()}
	for i := range b.History {
		out.Configurations.History = append(out.Configurations.History, *b.History[i].shown())
	}
}

// String gives Amazon MQ's brokerState.
func (p Phase) String() string {
	switch p {
	case Serving:
		return "RUNNING"
	case Locked:
		return "CRITICAL_ACTION_REQUIRED"
	case Rebooting:
		return "REBOOT_IN_PROGRESS"
	case Failed:
		return "CREATION_FAILED"
	}
	return "CREATION_IN_PROGRESS"
}

// ListBrokers lists the brokers of the caller's account and Region in the order
// of their ids.
func (s *Service) ListBrokers(ctx context.Context, in *api.ListBrokersInput) (
	*api.ListBrokersOutput, error,
) {
	call := gateway.From(ctx)
	p, err := s.page(call, "brokers", in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &api.ListBrokersOutput{BrokerSummaries: []api.BrokerSummary{}}
	err = s.db.View(ctx, func(_ context.Context, tx *control.Tx) error {
		return tx.Range(control.TableMQ, p.position, nil, func(id, value []byte) error {
			b, err := decodeRow(value)
			if err != nil || b.Account != call.Account || b.Region != call.Region {
				return err
			}
			if len(out.BrokerSummaries) == p.size {
				out.NextToken = p.token(id)
				return control.ErrStop
			}
			out.BrokerSummaries = append(out.BrokerSummaries, s.summary(b))
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("list brokers: %w", err)
	}
	return out, nil
}

func (s *Service) summary(b *row) api.BrokerSummary {
	return api.BrokerSummary{
		BrokerArn: b.arn(), BrokerId: b.brokerID(), BrokerName: b.Name,
		BrokerState: s.engine.State(b.ID).Phase.String(), Created: b.Created,
		DeploymentMode: b.DeploymentMode, EngineType: b.EngineType,
		HostInstanceType: b.InstanceType,
	}
}
