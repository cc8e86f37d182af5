package broker

import (
	"encoding/binary"
	"fmt"

	"coffer/internal/seal"
	"coffer/internal/store"
)

// class is the first byte of a key in a queue shard; doc/format/broker.md.
type class byte

const (
	classRecord  class = 0x01 // queue records
	classClock   class = 0x02 // clocks of namespaces
	classDurable class = 0x10 // messages that survive a restart
	classSpilled class = 0x11 // messages that do not; gone at open
	classBody    class = 0x12 // chunks of messages that lie apart from them
	classRef     class = 0x13 // who needs those
	classDedup   class = 0x20 // deduplication ids
	classParcel  class = 0x28 // the outbox: messages on their way to other shards
	classTaken   class = 0x29 // how far those of other shards were taken
	classCursor  class = 0x2a // how far a namespace that moves here was copied
)

// kind is the byte of a key that says what is kept of a queue's message there.
type kind byte

const (
	kindLive    kind = 0x01 // the message, which waits or is in flight
	kindDelayed kind = 0x02 // a message that is not due
	kindLease   kind = 0x03 // beside one in flight: until when, whoever has it
	kindCount   kind = 0x04 // beside one that was released: how often
	kindDead    kind = 0x05 // beside it: it is dead, but not yet where dead letters go
)

// Sizes of keys in bytes.
const (
	recordKeySize  = 1 + 8
	clockKeySize   = 1 + 16
	entryKeySize   = 1 + 8 + 1 + 1 + 8
	delayedKeySize = 1 + 8 + 1 + 8 + 8 + 1
	dedupKeySize   = 1 + 8 + 8 + 16
)

// recordKey appends class (1), queue (8).
func recordKey(dst []byte, id queueID) []byte {
	return binary.BigEndian.AppendUint64(append(dst, byte(classRecord)), uint64(id))
}

// clockKey appends class (1), namespace (16).
func clockKey(dst []byte, id NamespaceID) []byte {
	return append(append(dst, byte(classClock)), id[:]...)
}

// entryKey appends class (1), queue (8), kind (1), 255 minus priority (1),
// sequence (8), so that the order of keys is the order of delivery.
func entryKey(dst []byte, c class, id queueID, priority uint8, seq uint64) []byte {
	return sideKey(dst, c, id, kindLive, priority, seq)
}

// sideKey appends the key of what another kind keeps of the same message.
func sideKey(dst []byte, c class, id queueID, k kind, priority uint8, seq uint64) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, byte(c)), uint64(id))
	return binary.BigEndian.AppendUint64(append(dst, byte(k), 255-priority), seq)
}

// delayedKey appends class (1), queue (8), kind (1), time at which it is due (8;
// domain time), sequence (8), priority (1).
func delayedKey(
	dst []byte, c class, id queueID, due int64, seq uint64, priority uint8,
) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, byte(c)), uint64(id))
	dst = binary.BigEndian.AppendUint64(append(dst, byte(kindDelayed)), uint64(due))
	return append(binary.BigEndian.AppendUint64(dst, seq), priority)
}

func parseDelayedKey(key []byte) (due int64, seq uint64, priority uint8, err error) {
	if len(key) != delayedKeySize || kind(key[9]) != kindDelayed || key[10] > 0x7f {
		return 0, 0, 0, fmt.Errorf("key %x of a delayed message: %w", key, store.ErrDamaged)
	}
	due = int64(binary.BigEndian.Uint64(key[10:]))
	return due, binary.BigEndian.Uint64(key[18:]), key[26], nil
}

// dedupKey appends class (1), queue (8), shard time of expiry (8), id (16).
func dedupKey(dst []byte, id queueID, expires int64, mac [16]byte) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, byte(classDedup)), uint64(id))
	return append(binary.BigEndian.AppendUint64(dst, uint64(expires)), mac[:]...)
}

func parseDedupKey(key []byte) (id queueID, expires int64, mac [16]byte, err error) {
	if len(key) != dedupKeySize || class(key[0]) != classDedup || key[9]&0x80 != 0 {
		return 0, 0, mac, fmt.Errorf("deduplication key %x: %w", key, store.ErrDamaged)
	}
	expires = int64(binary.BigEndian.Uint64(key[9:]))
	return queueID(binary.BigEndian.Uint64(key[1:])), expires, [16]byte(key[17:]), nil
}

// queueRange gives the bounds of all keys of a queue in a class.
func queueRange(c class, id queueID) (lower, upper []byte) {
	lower = binary.BigEndian.AppendUint64([]byte{byte(c)}, uint64(id))
	if id == ^queueID(0) {
		return lower, []byte{byte(c) + 1}
	}
	return lower, binary.BigEndian.AppendUint64([]byte{byte(c)}, uint64(id)+1)
}

// kindRange gives the bounds of all keys of a queue in a class and kind.
func kindRange(c class, id queueID, k kind) (lower, upper []byte) {
	lower = binary.BigEndian.AppendUint64([]byte{byte(c)}, uint64(id))
	return append(lower, byte(k)), append(lower[:len(lower):len(lower)], byte(k)+1)
}

func parseRecordKey(key []byte) (queueID, error) {
	if len(key) != recordKeySize || class(key[0]) != classRecord {
		return 0, fmt.Errorf("queue record key %x: %w", key, store.ErrDamaged)
	}
	return queueID(binary.BigEndian.Uint64(key[1:])), nil
}

func parseEntryKey(key []byte) (c class, id queueID, priority uint8, seq uint64, err error) {
	return parseSideKey(key, kindLive)
}

func parseSideKey(key []byte, k kind) (
	c class, id queueID, priority uint8, seq uint64, err error,
) {
	if len(key) != entryKeySize || kind(key[9]) != k ||
		class(key[0]) != classDurable && class(key[0]) != classSpilled {
		return 0, 0, 0, 0, fmt.Errorf("key %x of kind %d: %w", key, k, store.ErrDamaged)
	}
	c, id = class(key[0]), queueID(binary.BigEndian.Uint64(key[1:]))
	return c, id, 255 - key[10], binary.BigEndian.Uint64(key[11:]), nil
}

// place seals values to where they are stored: the shard's number (2), the key.
// Its methods are for one goroutine.
type place struct {
	platform *seal.Epochs
	shard    store.ShardID
	aad      []byte
}

func (p *place) at(key []byte) []byte {
	p.aad = binary.BigEndian.AppendUint16(p.aad[:0], uint16(p.shard))
	p.aad = append(p.aad, key...)
	return p.aad
}

func (p *place) seal(dst, key, plain []byte) ([]byte, error) {
	return p.platform.SealBox(dst, p.at(key), plain)
}

// open fails with store.ErrDamaged when box was not sealed for key.
func (p *place) open(dst, key, box []byte) ([]byte, error) {
	plain, err := p.platform.OpenBox(dst, p.at(key), box)
	if err != nil {
		return nil, fmt.Errorf("%w: shard %d, key %x: %w", store.ErrDamaged, p.shard, key, err)
	}
	return plain, nil
}
