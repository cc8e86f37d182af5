package mq

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"coffer/internal/arn"
	api "coffer/internal/aws/api/mq"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
)

// configuration is a row of control.TableMQConfig; doc/format/services.md describes it.
type configuration struct {
	Version       int               `json:"version"`
	ID            uuid.UUID         `json:"id"`
	Account       string            `json:"account"`
	Region        string            `json:"region"`
	Name          string            `json:"name"`
	Created       time.Time         `json:"created"`
	EngineType    string            `json:"engineType"`
	EngineVersion string            `json:"engineVersion"`
	Tags          map[string]string `json:"tags,omitempty"`
	Latest        revision          `json:"latest"` // without its data
}

// revision is a row of control.TableMQRevision. It never changes.
type revision struct {
	Version     int       `json:"version"`
	Revision    int32     `json:"revision"` // from 1
	Created     time.Time `json:"created"`
	Description string    `json:"description,omitempty"`
	Data        []byte    `json:"data,omitempty"` // sanitized
}

const (
	configurationType = "AWS::AmazonMQ::Configuration"
	// The quotas of an account in a Region, and of a configuration.
	//
	// Source: Amazon MQ Developer Guide, "Quotas".
	maxConfigurations = 1000
	maxRevisions      = 300
)

func (c *configuration) apiID() string { return "c-" + c.ID.String() }

func (c *configuration) arn() string {
	return arn.New("mq", c.Region, c.Account, "configuration:"+c.apiID()).String()
}

func (c *configuration) kind() string                { return configurationType }
func (c *configuration) tags() map[string]string     { return c.Tags }
func (c *configuration) setTags(t map[string]string) { c.Tags = t }

func (c *configuration) put(tx *control.Tx) error {
	v, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode configuration: %w", err)
	}
	tx.Put(control.TableMQConfig, c.ID[:], v)
	return nil
}

// add stores a revision, which becomes the latest.
func (c *configuration) add(tx *control.Tx, r revision) error {
	r.Version = rowVersion
	v, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode revision: %w", err)
	}
	tx.Put(control.TableMQRevision, revisionRow(c.ID, r.Revision), v)
	r.Data = nil
	c.Latest = r
	return c.put(tx)
}

func revisionRow(id uuid.UUID, n int32) []byte {
	return binary.BigEndian.AppendUint32(append([]byte{}, id[:]...), uint32(n))
}

func decodeConfiguration(value []byte) (*configuration, error) {
	c := &configuration{}
	if err := json.Unmarshal(value, c); err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	if c.Version != rowVersion {
		return nil, fmt.Errorf("configuration %s: row version %d", c.ID, c.Version)
	}
	return c, nil
}

func decodeRevision(value []byte) (*revision, error) {
	r := &revision{}
	if err := json.Unmarshal(value, r); err != nil {
		return nil, fmt.Errorf("revision: %w", err)
	}
	if r.Version != rowVersion {
		return nil, fmt.Errorf("revision %d: row version %d", r.Revision, r.Version)
	}
	return r, nil
}

// getConfiguration reads a configuration of the caller's account and Region by its API id.
func getConfiguration(tx *control.Tx, call *gateway.Call, id string) (*configuration, error) {
	missing := &api.NotFoundException{ErrorAttribute: "configuration-id",
		Message: "Can't find requested configuration [" + id +
			"]. Make sure your configuration exists."}
	text, ok := strings.CutPrefix(id, "c-")
	key, err := uuid.Parse(text)
	if !ok || err != nil {
		return nil, missing
	}
	v, ok, err := tx.Get(control.TableMQConfig, key[:])
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, missing
	}
	c, err := decodeConfiguration(v)
	if err != nil {
		return nil, err
	}
	if c.Account != call.Account || c.Region != call.Region {
		return nil, missing
	}
	return c, nil
}

func (s *Service) findConfiguration(ctx context.Context, call *gateway.Call, id string) (
	c *configuration, err error,
) {
	err = s.db.View(ctx, func(_ context.Context, tx *control.Tx) error {
		c, err = getConfiguration(tx, call, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// getRevision gives nil when there is no such revision.
func getRevision(tx *control.Tx, id uuid.UUID, n int32) (*revision, error) {
	v, ok, err := tx.Get(control.TableMQRevision, revisionRow(id, n))
	if err != nil || !ok {
		return nil, err
	}
	return decodeRevision(v)
}

// chosen gives the revision of a configuration that a broker asks for; the latest, if it
// names none.
func chosen(
	tx *control.Tx, call *gateway.Call, engineType string, in *api.ConfigurationId,
) (*configID, error) {
	c, err := getConfiguration(tx, call, in.Id)
	if err != nil {
		return nil, err
	}
	id := &configID{ID: c.apiID(), Revision: c.Latest.Revision}
	if in.Revision != nil {
		id.Revision = *in.Revision
	}
	r, err := getRevision(tx, c.ID, id.Revision)
	switch {
	case err != nil:
		return nil, err
	case r == nil:
		return nil, noRevision(id.ID, fmt.Sprint(id.Revision))
	case c.EngineType != engineType:
		return nil, bad("configuration", "The configuration ["+id.ID+"] is for engine type ["+
			c.EngineType+"].")
	}
	return id, nil
}

func noRevision(id, n string) error {
	return &api.NotFoundException{ErrorAttribute: "configuration-revision",
		Message: "Can't find requested revision [" + n + "] of configuration [" + id +
			"]. Make sure your revision exists."}
}

// running gives the broker with what its configuration sets.
func (b *row) running(tx *control.Tx) (Running, error) {
	r := Running{ID: b.ID, Key: b.Key, Grants: b.grantIDs(),
		ARN: b.arn(), Account: b.Account, Region: b.Region}
	if b.Configuration == nil {
		return r, nil
	}
	id, err := uuid.Parse(strings.TrimPrefix(b.Configuration.ID, "c-"))
	if err != nil {
		return r, fmt.Errorf("broker %s: configuration %w", b.ID, err)
	}
	rev, err := getRevision(tx, id, b.Configuration.Revision)
	if err == nil && rev == nil {
		err = fmt.Errorf("broker %s: its configuration is gone", b.ID)
	}
	if err == nil {
		r.Settings = settings(rev.Data)
	}
	return r, err
}
