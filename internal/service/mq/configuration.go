package mq

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"maps"
	"regexp"
	"strconv"

	"github.com/google/uuid"

	api "coffer/internal/aws/api/mq"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
	"coffer/internal/fault"
)

var configurationName = regexp.MustCompile(`^[A-Za-z0-9._~-]{1,150}$`)

// defaultData is the first revision of every configuration: RabbitMQ's default.
const defaultData = "# How long a delivery may stay without acknowledgement, in milliseconds.\n" +
	"consumer_timeout = 1800000\n"

// CreateConfiguration makes a configuration with one revision, of the defaults.
func (s *Service) CreateConfiguration(ctx context.Context, in *api.CreateConfigurationInput) (
	out *api.CreateConfigurationOutput, err error,
) {
	call := gateway.From(ctx)
	version, err := checkConfiguration(in)
	if err != nil {
		return nil, err
	}
	err = s.db.Update(ctx, func(ctx context.Context, tx *control.Tx) error {
		name := tx.MAC("mq/configuration", call.Account, call.Region, in.Name)
		if _, taken, err := tx.Get(control.TableMQIndex, name); err != nil {
			return err
		} else if taken {
			return &api.ConflictException{ErrorAttribute: "name",
				Message: "Configuration name [" + in.Name + "] is already in use."}
		}
		if n, err := s.count(tx, call); err != nil {
			return err
		} else if n >= maxConfigurations {
			return bad("configuration", fmt.Sprintf(
				"An account can have at most %d configurations.", maxConfigurations))
		}
		c := &configuration{
			Version: rowVersion, ID: uuid.New(), Account: call.Account, Region: call.Region,
			Name: in.Name, Created: tx.Time(), EngineType: in.EngineType, EngineVersion: version,
			Tags: maps.Clone(in.Tags),
		}
		tx.Put(control.TableMQIndex, name, c.ID[:])
		out = &api.CreateConfigurationOutput{Arn: c.arn(), Id: c.apiID(), Name: c.Name,
			Created: c.Created, AuthenticationStrategy: "SIMPLE"}
		call.AddResource(configurationType, c.Account, c.arn())
		err := c.add(tx, revision{Revision: 1, Created: tx.Time(), Data: []byte(defaultData),
			Description: "Auto-generated default for " + c.Name + " on RabbitMQ " + version})
		out.LatestRevision = c.Latest.shown()
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// checkConfiguration checks what the model cannot say, and gives the engine's version.
func checkConfiguration(in *api.CreateConfigurationInput) (version string, err error) {
	switch {
	case in.EngineType != rabbitMQ:
		return "", fault.New(fault.NotImplemented,
			"The engine type %s is not implemented by Coffer.", in.EngineType)
	case in.AuthenticationStrategy != "" && in.AuthenticationStrategy != "SIMPLE":
		return "", fault.New(fault.NotImplemented,
			"The option authenticationStrategy %s is not implemented by Coffer.",
			in.AuthenticationStrategy)
	case !configurationName.MatchString(in.Name):
		return "", bad("name", "Configuration name is invalid. It must be 1-150 characters long "+
			"and contain only letters, numbers, dashes, periods, underscores, and tildes.")
	}
	version = defaultVersion
	if in.EngineVersion != nil {
		version = *in.EngineVersion
	}
	if err := checkVersion(version); err != nil {
		return "", err
	}
	return version, checkTags(in.Tags)
}

func (s *Service) count(tx *control.Tx, call *gateway.Call) (n int, err error) {
	err = tx.Scan(control.TableMQConfig, nil, func(_, value []byte) error {
		c, err := decodeConfiguration(value)
		if err == nil && c.Account == call.Account && c.Region == call.Region {
			n++
		}
		return err
	})
	return n, err
}

// UpdateConfiguration adds a revision, without what a broker may not have.
func (s *Service) UpdateConfiguration(ctx context.Context, in *api.UpdateConfigurationInput) (
	out *api.UpdateConfigurationOutput, err error,
) {
	call := gateway.From(ctx)
	data, err := base64.StdEncoding.DecodeString(in.Data)
	if err != nil {
		return nil, bad("data", "The configuration data must be base64 encoded.")
	}
	clean, warnings, err := sanitize(data)
	if err != nil {
		return nil, err
	}
	err = s.db.Update(ctx, func(ctx context.Context, tx *control.Tx) error {
		c, err := getConfiguration(tx, call, in.ConfigurationId)
		if err != nil {
			return err
		}
		if c.Latest.Revision >= maxRevisions {
			return bad("configuration-id", fmt.Sprintf(
				"A configuration can have at most %d revisions.", maxRevisions))
		}
		err = c.add(tx, revision{Revision: c.Latest.Revision + 1, Created: tx.Time(),
			Description: text(in.Description), Data: clean})
		out = &api.UpdateConfigurationOutput{Arn: c.arn(), Id: c.apiID(), Name: c.Name,
			Created: c.Created, LatestRevision: c.Latest.shown(), Warnings: warnings}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (r *revision) shown() *api.ConfigurationRevision {
	return &api.ConfigurationRevision{
		Revision: r.Revision, Created: r.Created, Description: r.Description}
}

// DescribeConfiguration shows a configuration without its data.
func (s *Service) DescribeConfiguration(
	ctx context.Context, in *api.DescribeConfigurationInput,
) (*api.DescribeConfigurationOutput, error) {
	c, err := s.findConfiguration(ctx, gateway.From(ctx), in.ConfigurationId)
	if err != nil {
		return nil, err
	}
	return &api.DescribeConfigurationOutput{
		Arn: c.arn(), AuthenticationStrategy: "SIMPLE", Created: c.Created,
		Description: c.Latest.Description, EngineType: c.EngineType,
		EngineVersion: c.EngineVersion, Id: c.apiID(), LatestRevision: c.Latest.shown(),
		Name: c.Name, Tags: c.Tags,
	}, nil
}

// DescribeConfigurationRevision shows the data of a revision.
func (s *Service) DescribeConfigurationRevision(
	ctx context.Context, in *api.DescribeConfigurationRevisionInput,
) (*api.DescribeConfigurationRevisionOutput, error) {
	c, err := s.findConfiguration(ctx, gateway.From(ctx), in.ConfigurationId)
	if err != nil {
		return nil, err
	}
	missing := noRevision(in.ConfigurationId, in.ConfigurationRevision)
	n, err := strconv.ParseInt(in.ConfigurationRevision, 10, 32)
	if err != nil || n < 1 {
		return nil, missing
	}
	var r *revision
	err = s.db.View(ctx, func(_ context.Context, tx *control.Tx) error {
		r, err = getRevision(tx, c.ID, int32(n))
		return err
	})
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, missing
	}
	return &api.DescribeConfigurationRevisionOutput{
		ConfigurationId: c.apiID(), Created: r.Created, Description: r.Description,
		Data: base64.StdEncoding.EncodeToString(r.Data),
	}, nil
}

// ListConfigurations lists those of the caller's account and Region in the order of their
// ids.
func (s *Service) ListConfigurations(ctx context.Context, in *api.ListConfigurationsInput) (
	*api.ListConfigurationsOutput, error,
) {
	call := gateway.From(ctx)
	p, err := s.page(call, "configurations", in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &api.ListConfigurationsOutput{
		Configurations: []api.Configuration{}, MaxResults: new(int32(p.size))}
	err = s.db.View(ctx, func(_ context.Context, tx *control.Tx) error {
		return tx.Range(control.TableMQConfig, p.position, nil, func(id, value []byte) error {
			c, err := decodeConfiguration(value)
			if err != nil || c.Account != call.Account || c.Region != call.Region {
				return err
			}
			if len(out.Configurations) == p.size {
				out.NextToken = p.token(id)
				return control.ErrStop
			}
			out.Configurations = append(out.Configurations, api.Configuration{
				Arn: c.arn(), AuthenticationStrategy: "SIMPLE", Created: c.Created,
				Description: c.Latest.Description, EngineType: c.EngineType,
				EngineVersion: c.EngineVersion, Id: c.apiID(), LatestRevision: c.Latest.shown(),
				Name: c.Name, Tags: c.Tags,
			})
			return nil
		})
	})
	return out, err
}

// ListConfigurationRevisions lists the revisions, the first one first.
func (s *Service) ListConfigurationRevisions(
	ctx context.Context, in *api.ListConfigurationRevisionsInput,
) (*api.ListConfigurationRevisionsOutput, error) {
	call := gateway.From(ctx)
	c, err := s.findConfiguration(ctx, call, in.ConfigurationId)
	if err != nil {
		return nil, err
	}
	p, err := s.page(call, "revisions of "+c.apiID(), in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &api.ListConfigurationRevisionsOutput{ConfigurationId: c.apiID(),
		MaxResults: new(int32(p.size)), Revisions: []api.ConfigurationRevision{}}
	from := int32(1)
	if p.position != nil {
		from = int32(binary.BigEndian.Uint32(p.position))
	}
	err = s.db.View(ctx, func(_ context.Context, tx *control.Tx) error {
		for n := from; n <= c.Latest.Revision; n++ {
			if len(out.Revisions) == p.size {
				out.NextToken = p.token(binary.BigEndian.AppendUint32(nil, uint32(n)))
				return nil
			}
			r, err := getRevision(tx, c.ID, n)
			if err == nil && r == nil {
				err = fmt.Errorf("configuration %s: revision %d is missing", c.ID, n)
			}
			if err != nil {
				return err
			}
			out.Revisions = append(out.Revisions, *r.shown())
		}
		return nil
	})
	return out, err
}

// DeleteConfiguration deletes a configuration that no broker has or had pending.
func (s *Service) DeleteConfiguration(ctx context.Context, in *api.DeleteConfigurationInput) (
	*api.DeleteConfigurationOutput, error,
) {
	call := gateway.From(ctx)
	err := s.db.Update(ctx, func(ctx context.Context, tx *control.Tx) error {
		c, err := getConfiguration(tx, call, in.ConfigurationId)
		if err != nil {
			return err
		}
		err = tx.Scan(control.TableMQ, nil, func(_, value []byte) error {
			b, err := decodeRow(value)
			if err != nil {
				return err
			}
			used := b.Configuration != nil && b.Configuration.ID == c.apiID() ||
				b.Pending != nil && b.Pending.Configuration != nil &&
					b.Pending.Configuration.ID == c.apiID()
			if used {
				return &api.ConflictException{ErrorAttribute: "configuration-id",
					Message: "Configuration [" + c.apiID() + "] is in use by broker [" +
						b.brokerID() + "]."}
			}
			return nil
		})
		if err != nil {
			return err
		}
		for n := int32(1); n <= c.Latest.Revision; n++ {
			tx.Delete(control.TableMQRevision, revisionRow(c.ID, n))
		}
		tx.Delete(control.TableMQConfig, c.ID[:])
		tx.Delete(control.TableMQIndex,
			tx.MAC("mq/configuration", c.Account, c.Region, c.Name))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteConfigurationOutput{ConfigurationId: in.ConfigurationId}, nil
}
