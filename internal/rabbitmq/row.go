package rabbitmq

import (
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"coffer/internal/control"
)

// The rows of one broker in control.TableRabbit. Their ids are the broker's
// UUID, a letter, and the digest of the names.
const (
	rowBroker     = 'b' // that there is one
	rowVhost      = 'v'
	rowUser       = 'u'
	rowPermission = 'p'
	rowTopic      = 't' // topic permission
	rowPolicy     = 'y'
	rowOperator   = 'o' // operator policy
	rowParameter  = 'a'
	rowGlobal     = 'g' // global parameter
)

type vhostRow struct {
	Name        string           `json:"name"`
	Namespace   uuid.UUID        `json:"namespace"`
	Description string           `json:"description,omitempty"`
	Tags        []string         `json:"tags,omitempty"`
	QueueType   string           `json:"queue_type,omitempty"`
	Limits      map[string]int64 `json:"limits,omitempty"`
}

type userRow struct {
	Name      string           `json:"name"`
	Hash      string           `json:"hash"`
	Algorithm string           `json:"algorithm,omitempty"` // "": argon2id
	Tags      []string         `json:"tags"`
	Limits    map[string]int64 `json:"limits,omitempty"`
}

type permissionRow struct {
	User      string `json:"user"`
	Vhost     string `json:"vhost"`
	Configure string `json:"configure"`
	Write     string `json:"write"`
	Read      string `json:"read"`
}

type topicRow struct {
	User     string `json:"user"`
	Vhost    string `json:"vhost"`
	Exchange string `json:"exchange"`
	Write    string `json:"write"`
	Read     string `json:"read"`
}

type policyRow struct {
	Vhost      string          `json:"vhost"`
	Name       string          `json:"name"`
	Pattern    string          `json:"pattern"`
	ApplyTo    string          `json:"apply_to"`
	Priority   int             `json:"priority"`
	Definition json.RawMessage `json:"definition"`
}

type parameterRow struct {
	Component string          `json:"component,omitempty"` // "": global
	Vhost     string          `json:"vhost,omitempty"`
	Name      string          `json:"name"`
	Value     json.RawMessage `json:"value"`
	By        string          `json:"by,omitempty"` // who set it
}

func (e *Engine) row(id uuid.UUID, kind byte, names ...string) []byte {
	mac := e.db.MAC("rabbitmq/"+string(kind), append([]string{id.String()}, names...)...)
	return append(append(id[:], kind), mac...)
}

func put(tx *control.Tx, id []byte, row any) error {
	v, err := json.Marshal(row)
	if err != nil {
		return fmt.Errorf("encode row: %w", err)
	}
	tx.Put(control.TableRabbit, id, v)
	return nil
}
