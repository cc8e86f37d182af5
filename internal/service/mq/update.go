package mq

import (
	"cmp"
	"context"
	"slices"

	api "coffer/internal/aws/api/mq"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
	"coffer/internal/fault"
)

// maxHistory bounds the configurations that a broker is said to have had.
const maxHistory = 20

// configID names a revision of a configuration.
type configID struct {
	ID       string `json:"id"`
	Revision int32  `json:"revision"`
}

// pending is what the next reboot changes; absent members stay.
type pending struct {
	EngineVersion  string    `json:"engineVersion,omitempty"`
	InstanceType   string    `json:"hostInstanceType,omitempty"`
	LogsGeneral    *bool     `json:"logsGeneral,omitempty"`
	SecurityGroups []string  `json:"securityGroups,omitempty"`
	Configuration  *configID `json:"configuration,omitempty"`
}

func (p *pending) empty() bool {
	return p.EngineVersion == "" && p.InstanceType == "" && p.LogsGeneral == nil &&
		p.SecurityGroups == nil && p.Configuration == nil
}

// UpdateBroker changes a broker. The maintenance window and automatic upgrades change at
// once, all else with the next reboot; until then it is shown as pending. What is asked
// for again as it is takes back what was pending.
//
// Source: Amazon MQ REST API reference, "Broker", PUT.
func (s *Service) UpdateBroker(ctx context.Context, in *api.UpdateBrokerInput) (
	out *api.UpdateBrokerOutput, err error,
) {
	call := gateway.From(ctx)
	err = s.db.Update(ctx, func(ctx context.Context, tx *control.Tx) error {
		b, err := s.find(ctx, call.Account, call.Region, in.BrokerId)
		if err != nil {
			return err
		}
		if err := checkUpdate(b, in); err != nil {
			return err
		}
		if w := in.MaintenanceWindowStartTime; w != nil {
			b.Window = w
		}
		if in.AutoMinorVersionUpgrade != nil {
			b.AutoUpgrade = *in.AutoMinorVersionUpgrade
		}
		p := b.Pending
		if p == nil {
			p = &pending{}
		}
		if in.Configuration != nil {
			id, err := chosen(tx, call, b.EngineType, in.Configuration)
			if err != nil {
				return err
			}
			p.Configuration = id
			if b.Configuration != nil && *b.Configuration == *id {
				p.Configuration = nil
			}
		}
		p.plan(b, in)
		if b.Pending = p; p.empty() {
			b.Pending = nil
		}
		out = updated(b, in)
		return b.put(tx)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// plan takes what a request wants changed with the next reboot.
func (p *pending) plan(b *row, in *api.UpdateBrokerInput) {
	if v := in.EngineVersion; v != nil {
		if p.EngineVersion = *v; *v == b.EngineVersion {
			p.EngineVersion = ""
		}
	}
	if v := in.HostInstanceType; v != nil {
		if p.InstanceType = *v; *v == b.InstanceType {
			p.InstanceType = ""
		}
	}
	if in.Logs != nil && in.Logs.General != nil {
		if p.LogsGeneral = in.Logs.General; *in.Logs.General == b.LogsGeneral {
			p.LogsGeneral = nil
		}
	}
	if in.SecurityGroups != nil {
		p.SecurityGroups = slices.Clone(in.SecurityGroups)
		if slices.Equal(p.SecurityGroups, b.SecurityGroups) {
			p.SecurityGroups = nil
		}
	}
}

// apply makes what was pending so.
func (b *row) apply() {
	p := b.Pending
	if p == nil {
		return
	}
	b.EngineVersion = cmp.Or(p.EngineVersion, b.EngineVersion)
	b.InstanceType = cmp.Or(p.InstanceType, b.InstanceType)
	if p.LogsGeneral != nil {
		b.LogsGeneral = *p.LogsGeneral
	}
	if p.SecurityGroups != nil {
		b.SecurityGroups = p.SecurityGroups
	}
	if p.Configuration != nil {
		if b.Configuration != nil {
			b.History = append(b.History, *b.Configuration)
			b.History = b.History[max(len(b.History)-maxHistory, 0):]
		}
		b.Configuration = p.Configuration
	}
	b.Pending = nil
}

// checkUpdate checks what the model cannot say.
func checkUpdate(b *row, in *api.UpdateBrokerInput) error {
	name := ""
	switch {
	case in.StorageSize != nil:
		name = "storageSize"
	case in.LdapServerMetadata != nil:
		name = "ldapServerMetadata"
	case len(in.ResourceShareArns) > 0:
		name = "resourceShareArns"
	case in.AuthenticationStrategy != "" && in.AuthenticationStrategy != "SIMPLE":
		name = "authenticationStrategy " + in.AuthenticationStrategy
	case in.DataReplicationMode != "" && in.DataReplicationMode != "NONE":
		name = "dataReplicationMode " + in.DataReplicationMode
	}
	if name != "" {
		return fault.New(fault.NotImplemented, "The option %s is not implemented by Coffer.", name)
	}
	if v := in.HostInstanceType; v != nil {
		if err := checkInstance(*v, b.DeploymentMode); err != nil {
			return err
		}
		if *v == smallest && b.InstanceType != smallest {
			return bad("hostInstanceType", "Downgrading from current instance type ["+
				b.InstanceType+"] to requested instance type ["+*v+
				"] is not supported for RabbitMQ brokers.")
		}
	}
	if v := in.EngineVersion; v != nil {
		if err := checkVersion(*v); err != nil {
			return err
		}
		if slices.Index(versions(), *v) < slices.Index(versions(), b.EngineVersion) {
			return bad("engineVersion", "Downgrading from current engine version ["+
				b.EngineVersion+"] to requested engine version ["+*v+"] is not supported.")
		}
	}
	return cmp.Or(checkLogs(in.Logs), checkGroups(in.SecurityGroups),
		window(in.MaintenanceWindowStartTime))
}

// updated answers with what the request set.
func updated(b *row, in *api.UpdateBrokerInput) *api.UpdateBrokerOutput {
	out := &api.UpdateBrokerOutput{
		BrokerId: b.brokerID(), AutoMinorVersionUpgrade: in.AutoMinorVersionUpgrade,
		HostInstanceType: text(in.HostInstanceType), EngineVersion: text(in.EngineVersion),
		Logs: in.Logs, MaintenanceWindowStartTime: in.MaintenanceWindowStartTime,
		SecurityGroups: in.SecurityGroups, AuthenticationStrategy: in.AuthenticationStrategy,
	}
	if in.Configuration != nil {
		id := b.Configuration
		if b.Pending != nil && b.Pending.Configuration != nil {
			id = b.Pending.Configuration
		}
		out.Configuration = id.shown()
	}
	return out
}

func (c *configID) shown() *api.ConfigurationId {
	if c == nil {
		return nil
	}
	return &api.ConfigurationId{Id: c.ID, Revision: &c.Revision}
}

func text(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}
