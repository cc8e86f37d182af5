package mq

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash"
	"maps"
	"slices"

	"github.com/google/uuid"

	api "coffer/internal/aws/api/mq"
	"coffer/internal/aws/gateway"
	"coffer/internal/aws/wire"
	"coffer/internal/control"
	"coffer/internal/fault"
)

// prepared is what CreateBroker computed before its unit of work.
type prepared struct{ users []User }

type preparedKey struct{}

// Prepare hashes the passwords of a new broker's users.
func (s *Service) Prepare(ctx context.Context, _ *wire.Op, in any) (context.Context, error) {
	create, ok := in.(*api.CreateBrokerInput)
	if !ok {
		return ctx, nil
	}
	if err := validate(create); err != nil {
		return ctx, err
	}
	if gateway.From(ctx).Permitted(ctx) != nil {
		return ctx, nil // the authorization says why
	}
	p := &prepared{}
	for _, u := range create.Users {
		h, err := s.engine.HashPassword(ctx, []byte(u.Password))
		if err != nil {
			return ctx, fmt.Errorf("user %q: %w", u.Username, err)
		}
		p.users = append(p.users, User{Name: u.Username, Hash: h})
	}
	return context.WithValue(ctx, preparedKey{}, p), nil
}

// CreateBroker makes a broker and, once that is durable, starts it.
func (s *Service) CreateBroker(ctx context.Context, in *api.CreateBrokerInput) (
	*api.CreateBrokerOutput, error,
) {
	p, ok := ctx.Value(preparedKey{}).(*prepared)
	if !ok { // it was not permitted a moment ago
		return nil, fault.New(fault.Unavailable, "Your permissions changed meanwhile. Try again.")
	}
	call := gateway.From(ctx)
	var b *row
	err := s.db.Update(ctx, func(ctx context.Context, tx *control.Tx) (err error) {
		if b, err = s.repeated(ctx, tx, call, in); err != nil || b != nil {
			return err
		}
		if err := room(tx, call.Account); err != nil {
			return err
		}
		b = newRow(tx, call, in)
		name := nameIndex(tx, call.Account, call.Region, in.BrokerName)
		if _, taken, err := tx.Get(control.TableMQIndex, name); err != nil {
			return err
		} else if taken {
			return &api.ConflictException{ErrorAttribute: "brokerName",
				Message: "Broker name [" + in.BrokerName + "] is already in use."}
		}
		if err := s.encrypt(ctx, call, b, in.EncryptionOptions); err != nil {
			return err
		}
		if err := s.engine.Create(ctx, b.ID, p.users); err != nil {
			return fmt.Errorf("create broker %s: %w", b.brokerID(), err)
		}
		tx.Put(control.TableMQIndex, name, b.ID[:])
		if b.RequestID != "" {
			r := requestIndex(tx, call.Account, call.Region, b.RequestID)
			tx.Put(control.TableMQIndex, r, b.ID[:])
		}
		if in.Configuration != nil {
			b.Configuration, err = chosen(tx, call, b.EngineType, in.Configuration)
			if err != nil {
				return err
			}
		}
		r, err := b.running(tx)
		if err != nil {
			return err
		}
		tx.After(func() { s.engine.Start(r) })
		return b.put(tx)
	})
	if err != nil {
		return nil, err
	}
	call.AddResource(resourceType, b.Account, b.arn())
	return &api.CreateBrokerOutput{BrokerArn: b.arn(), BrokerId: b.brokerID()}, nil
}

// maxBrokers is AWS's quota of a Region. Here it is that of an account in all Regions, of
// which a client may name as many as it likes: each broker takes a port and memory.
//
// Source: Amazon MQ Developer Guide, "Quotas".
const maxBrokers = 200

// room refuses one more broker than an account may have.
func room(tx *control.Tx, account string) error {
	n := 0
	err := tx.Scan(control.TableMQ, nil, func(_, value []byte) error {
		b, err := decodeRow(value)
		if err == nil && b.Account == account {
			n++
		}
		return err
	})
	if err == nil && n >= maxBrokers {
		err = bad("broker", fmt.Sprintf("An account can have at most %d brokers.", maxBrokers))
	}
	return err
}

// repeated finds the broker that an earlier request with the same
// creatorRequestId made.
func (s *Service) repeated(
	ctx context.Context, tx *control.Tx, call *gateway.Call, in *api.CreateBrokerInput,
) (*row, error) {
	if in.CreatorRequestId == nil || *in.CreatorRequestId == "" {
		return nil, nil
	}
	r := requestIndex(tx, call.Account, call.Region, *in.CreatorRequestId)
	id, ok, err := tx.Get(control.TableMQIndex, r)
	if err != nil || !ok {
		return nil, err
	}
	b, err := s.read(ctx, uuid.UUID(id))
	if err != nil || b == nil {
		return nil, err
	}
	if string(b.RequestDigest) != string(digest(tx, in)) {
		return nil, &api.ConflictException{ErrorAttribute: "creatorRequestId",
			Message: "The creatorRequestId was used before with other parameters."}
	}
	return b, nil
}

func newRow(tx *control.Tx, call *gateway.Call, in *api.CreateBrokerInput) *row {
	b := &row{
		Version: rowVersion, ID: uuid.New(), Account: call.Account, Region: call.Region,
		Name: in.BrokerName, Created: tx.Time(),
		EngineType: in.EngineType, EngineVersion: defaultVersion,
		DeploymentMode: in.DeploymentMode, InstanceType: in.HostInstanceType,
		StorageType: "EBS", Public: in.PubliclyAccessible,
		AutoUpgrade: in.AutoMinorVersionUpgrade == nil || *in.AutoMinorVersionUpgrade,
		Window:      in.MaintenanceWindowStartTime,
		// Owned by the row from here on.
		SecurityGroups: slices.Clone(in.SecurityGroups),
		SubnetIDs:      slices.Clone(in.SubnetIds), Tags: maps.Clone(in.Tags),
	}
	if in.EngineVersion != nil {
		b.EngineVersion = *in.EngineVersion
	}
	if in.Logs != nil && in.Logs.General != nil {
		b.LogsGeneral = *in.Logs.General
	}
	if in.CreatorRequestId != nil {
		b.RequestID, b.RequestDigest = *in.CreatorRequestId, digest(tx, in)
	}
	return b
}

// digest stands for the parameters of a request. It is keyed, so that the
// stored row gives no way to try passwords.
func digest(tx *control.Tx, in *api.CreateBrokerInput) []byte {
	var h hash.Hash = sha256.New()
	if err := json.NewEncoder(h).Encode(in); err != nil {
		panic(err) // the input came from JSON
	}
	return tx.MAC("mq/request-digest", string(h.Sum(nil)))
}
