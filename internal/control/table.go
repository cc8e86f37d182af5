package control

import "fmt"

// Table is the first byte of a store key in shard 0. All tables stand here so
// that no two packages can share one by accident; doc/format/control.md says
// what each holds.
type Table byte

// The tables of shard 0.
const (
	TableMeta       Table = 0x00 // platform key, start number, time; see boot.go
	TableNode       Table = 0x01 // node: CA, ports, main broker
	TableAccount    Table = 0x02 // service/iam: accounts
	TableAccessKey  Table = 0x03 // service/iam: access keys
	TableIAM        Table = 0x04 // service/iam: users, groups, roles, policies, profiles
	TableIAMName    Table = 0x05 // service/iam: the same by name
	TableIAMLink    Table = 0x06 // service/iam: who is attached to what
	TableIAMTask    Table = 0x07 // service/iam: deletions of service-linked roles
	TableIAMUse     Table = 0x08 // service/iam: last use of access keys
	TableIAMAlias   Table = 0x09 // service/iam: account aliases
	TableMFA        Table = 0x0c // service/iam: MFA devices
	TableKey        Table = 0x10 // service/kms: keys
	TableMaterial   Table = 0x11 // service/kms: key material
	TableAlias      Table = 0x12 // service/kms: aliases
	TableGrant      Table = 0x13 // service/kms: grants
	TableGrantIndex Table = 0x14 // service/kms: grants by name, grantee, retiring principal
	TableRotation   Table = 0x15 // service/kms: which material a key had from when
	TableKeyUse     Table = 0x16 // service/kms: last use of keys
	TableMQ         Table = 0x20 // service/mq: brokers
	TableMQIndex    Table = 0x21 // service/mq: brokers by name, by creator request
	TableMQConfig   Table = 0x22 // service/mq: configurations
	TableMQRevision Table = 0x23 // service/mq: revisions of configurations
	TableSQS        Table = 0x24 // service/sqs: queues
	TableSQSKey     Table = 0x25 // service/sqs: data keys of queues
	TableRabbit     Table = 0x28 // rabbitmq: vhosts, users, permissions, policies
	TableQueue      Table = 0x30 // broker: queues
	TableAddress    Table = 0x31 // broker: addresses
	TableBinding    Table = 0x32 // broker: bindings
	TableBrokerMeta Table = 0x33 // broker: namespaces and counters
	TableEvent      Table = 0x40 // audit: events with effects
	TableEventIndex Table = 0x41 // audit: events by attribute
	TableEventMeta  Table = 0x42 // audit: counters
	TableLeaf       Table = 0x43 // audit: leaves of the shard's tree
	TableTree       Table = 0x44 // audit: the tree's edge and birth; signing key, forks
	TableHead       Table = 0x45 // audit: the last signed head
	TableEventStore Table = 0x46 // service/cloudtrail: event data stores
)

// String names the table in errors.
func (t Table) String() string { return fmt.Sprintf("table %#02x", byte(t)) }

func (t Table) key(id []byte) []byte { return append([]byte{byte(t)}, id...) }
func (t Table) end() []byte          { return []byte{byte(t) + 1} }
