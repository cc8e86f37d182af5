package cloudtrail

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"coffer/internal/arn"
	api "coffer/internal/aws/api/cloudtrail"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
)

// maxStores bounds the event data stores of an account in a Region, those that are
// being deleted included, as AWS does.
const maxStores = 10

// maxOwnStores bounds those of an account in all Regions, of which a client may name as
// many as it likes: each event of every account's queues is held against all stores.
const maxOwnStores = 100

// storeDays is how long a store that was deleted can be restored.
const storeDays = 7

// row is a stored event data store; doc/format/services.md describes it.
type row struct {
	Version   int       `json:"version"`
	ID        uuid.UUID `json:"id"`
	Account   string    `json:"account"`
	Region    string    `json:"region"`
	Name      string    `json:"name"`
	Status    string    `json:"status"`
	Created   time.Time `json:"created"`
	Updated   time.Time `json:"updated"`
	Days      int32     `json:"retentionDays"`
	Billing   string    `json:"billingMode"`
	Protected bool      `json:"terminationProtection"`
	Regions   bool      `json:"multiRegion"`
	Tags      []api.Tag `json:"tags,omitempty"`
	// Selectors are as the API has them.
	Selectors []api.AdvancedEventSelector `json:"selectors"`
	// Deleted is when it was, while it waits for its end.
	Deleted time.Time `json:"deleted,omitzero"`
}

const rowVersion = 1

func (r *row) arn() string {
	return arn.New("cloudtrail", r.Region, r.Account, "eventdatastore/"+r.ID.String()).String()
}

func storePrefix(tx *control.Tx, account, region string) []byte {
	return tx.MAC("event-data-store", account, region)
}

func (r *row) save(tx *control.Tx) error {
	v, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("event data store %s: %w", r.ID, err)
	}
	tx.Put(control.TableEventStore, append(storePrefix(tx, r.Account, r.Region), r.ID[:]...), v)
	return nil
}

func (r *row) remove(tx *control.Tx) {
	tx.Delete(control.TableEventStore, append(storePrefix(tx, r.Account, r.Region), r.ID[:]...))
}

func parseRow(v []byte) (*row, error) {
	r := &row{}
	if err := json.Unmarshal(v, r); err != nil {
		return nil, fmt.Errorf("event data store: %w", err)
	}
	if r.Version != rowVersion {
		return nil, fmt.Errorf("event data store %s: row version %d", r.ID, r.Version)
	}
	return r, nil
}

// stores lists those of an account and Region by name; of a nil call all.
func stores(tx *control.Tx, call *gateway.Call) (list []*row, err error) {
	var prefix []byte
	if call != nil {
		prefix = storePrefix(tx, call.Account, call.Region)
	}
	err = tx.Scan(control.TableEventStore, prefix, func(_, v []byte) error {
		r, err := parseRow(v)
		list = append(list, r)
		return err
	})
	slices.SortFunc(list, func(a, b *row) int { return strings.Compare(a.Name, b.Name) })
	return list, err
}

// find gives the store that a request names by ARN or by the end of it.
func find(ctx context.Context, tx *control.Tx, name string) (*row, error) {
	call := gateway.From(ctx)
	id := name
	if a, err := arn.Parse(name); err == nil {
		local, ok := strings.CutPrefix(a.Resource, "eventdatastore/")
		if id = local; !ok || a.Service != "cloudtrail" || a.Partition != "aws" {
			id = ""
		}
		if a.Account != call.Account || a.Region != call.Region {
			return nil, notFound(name)
		}
	}
	parsed, err := uuid.Parse(id)
	if err != nil || parsed.String() != id { // Access decided on the name as it is written
		return nil, &api.EventDataStoreARNInvalidException{
			Message: "The event data store ARN is not valid: " + name}
	}
	v, ok, err := tx.Get(control.TableEventStore,
		append(storePrefix(tx, call.Account, call.Region), parsed[:]...))
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, notFound(name)
	}
	return parseRow(v)
}

func notFound(name string) error {
	return &api.EventDataStoreNotFoundException{
		Message: "The specified event data store was not found: " + name}
}
