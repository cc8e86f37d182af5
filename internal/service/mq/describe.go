package mq

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"fmt"

	"github.com/google/uuid"

	api "coffer/internal/aws/api/mq"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
)

const (
	resourceType = "AWS::AmazonMQ::Broker"
	invalidKey   = "RABBITMQ_INVALID_KMS_KEY"
	pageSize     = 20 // of ListBrokers when the caller names none
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
	limit, after := pageSize, []byte(nil)
	if in.MaxResults != nil {
		limit = int(*in.MaxResults)
	}
	if in.NextToken != nil {
		id, err := s.openToken(call, *in.NextToken)
		if err != nil {
			return nil, err
		}
		after = append(id[:], 0)
	}
	out := &api.ListBrokersOutput{BrokerSummaries: []api.BrokerSummary{}}
	err := s.db.View(ctx, func(_ context.Context, tx *control.Tx) error {
		var last uuid.UUID
		return tx.Range(control.TableMQ, after, nil, func(_, value []byte) error {
			b, err := decodeRow(value)
			if err != nil || b.Account != call.Account || b.Region != call.Region {
				return err
			}
			if len(out.BrokerSummaries) == limit {
				out.NextToken = s.token(call, last)
				return control.ErrStop
			}
			last = b.ID
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

// A token is the id of the last broker and a digest that only we can make.
func (s *Service) token(call *gateway.Call, id uuid.UUID) string {
	return base64.RawURLEncoding.EncodeToString(append(id[:], s.digest(call, id)...))
}

func (s *Service) openToken(call *gateway.Call, token string) (id uuid.UUID, err error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) != 2*len(id) {
		return id, bad("nextToken", "The nextToken is not valid.")
	}
	copy(id[:], b)
	if !hmac.Equal(b[len(id):], s.digest(call, id)) {
		return id, bad("nextToken", "The nextToken is not valid.")
	}
	return id, nil
}

func (s *Service) digest(call *gateway.Call, id uuid.UUID) []byte {
	return s.db.MAC("mq/list-token", call.Account, call.Region, string(id[:]))
}
