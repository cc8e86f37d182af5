package mq

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"coffer/internal/arn"
	api "coffer/internal/aws/api/mq"
	"coffer/internal/control"
)

// row is a stored broker; doc/format/control.md describes it.
type row struct {
	Version        int                  `json:"version"`
	ID             uuid.UUID            `json:"id"`
	Account        string               `json:"account"`
	Region         string               `json:"region"`
	Name           string               `json:"name"`
	Created        time.Time            `json:"created"`
	EngineType     string               `json:"engineType"`
	EngineVersion  string               `json:"engineVersion"`
	DeploymentMode string               `json:"deploymentMode"`
	InstanceType   string               `json:"hostInstanceType"`
	StorageType    string               `json:"storageType"`
	Public         bool                 `json:"publiclyAccessible"`
	AutoUpgrade    bool                 `json:"autoMinorVersionUpgrade"`
	Window         *api.WeeklyStartTime `json:"maintenanceWindow,omitempty"`
	SecurityGroups []string             `json:"securityGroups,omitempty"`
	SubnetIDs      []string             `json:"subnetIds,omitempty"`
	Tags           map[string]string    `json:"tags,omitempty"`
	LogsGeneral    bool                 `json:"logsGeneral"`
	Configuration  *configID            `json:"configuration,omitempty"`
	History        []configID           `json:"configurationHistory,omitempty"`
	Pending        *pending             `json:"pending,omitempty"` // until the next reboot

	AWSOwned bool     `json:"awsOwnedKey"`
	Key      string   `json:"key"`    // ARN
	Grants   []grant  `json:"grants"` // all must be live
	Volumes  []volume `json:"volumes"`
	// RequestID and RequestDigest recognise a repeated CreateBroker.
	RequestID     string `json:"creatorRequestId,omitempty"`
	RequestDigest []byte `json:"requestDigest,omitempty"`
}

// grant is one that the broker itself made.
type grant struct {
	Name string `json:"name"` // mq_grant
	ID   string `json:"id"`
}

// volume is a node's disk, the unit under which KMS knows its data key.
type volume struct {
	ID        string `json:"id"`              // vol-…
	Grant     string `json:"grant,omitempty"` // id; empty under a key that AWS owns
	DataKey   []byte `json:"dataKey"`         // ciphertext of KMS
	BrokerKey []byte `json:"brokerKey"`       // the broker's key under the data key
}

const rowVersion = 1

func decodeRow(value []byte) (*row, error) {
	b := &row{}
	if err := json.Unmarshal(value, b); err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	if b.Version != rowVersion {
		return nil, fmt.Errorf("broker %s: row version %d", b.ID, b.Version)
	}
	return b, nil
}

func (b *row) put(tx *control.Tx) error {
	v, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("encode broker: %w", err)
	}
	tx.Put(control.TableMQ, b.ID[:], v)
	return nil
}

func (b *row) brokerID() string { return "b-" + b.ID.String() }

func (b *row) arn() string {
	return arn.New("mq", b.Region, b.Account, "broker:"+b.Name+":"+b.brokerID()).String()
}

func (b *row) grantIDs() []string {
	var ids []string
	for _, g := range b.Grants {
		ids = append(ids, g.ID)
	}
	for _, v := range b.Volumes {
		if v.Grant != "" {
			ids = append(ids, v.Grant)
		}
	}
	return ids
}

// nameIndex finds a broker by its name, which is unique in account and Region.
func nameIndex(tx *control.Tx, account, region, name string) []byte {
	return tx.MAC("mq/name", account, region, name)
}

func requestIndex(tx *control.Tx, account, region, id string) []byte {
	return tx.MAC("mq/request", account, region, id)
}

// find reads a broker of the account and Region by its API id.
func (s *Service) find(ctx context.Context, account, region, id string) (*row, error) {
	missing := &api.NotFoundException{
		Message: "Can't find requested broker [" + id + "]. Make sure your broker exists.",
		// AWS names the member that was wrong.
		ErrorAttribute: "broker-id",
	}
	text, ok := strings.CutPrefix(id, "b-")
	key, err := uuid.Parse(text)
	if !ok || err != nil {
		return nil, missing
	}
	b, err := s.read(ctx, key)
	if err != nil {
		return nil, err
	}
	if b == nil || b.Account != account || b.Region != region {
		return nil, missing
	}
	return b, nil
}

// read gives nil when there is no such broker.
func (s *Service) read(ctx context.Context, id uuid.UUID) (b *row, err error) {
	err = s.db.View(ctx, func(_ context.Context, tx *control.Tx) error {
		v, ok, err := tx.Get(control.TableMQ, id[:])
		if err != nil || !ok {
			return err
		}
		b, err = decodeRow(v)
		return err
	})
	return b, err
}
