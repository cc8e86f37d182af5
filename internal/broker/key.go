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
	classDurable class = 0x10 // messages that survive a restart
	classSpilled class = 0x11 // messages that do not; gone at open
)

// kindLive is the kind byte of messages that wait or are in flight. Other kinds
// of a queue's data get other numbers.
const kindLive = 0x01

// Sizes of keys in bytes.
const (
	recordKeySize = 1 + 8
	entryKeySize  = 1 + 8 + 1 + 1 + 8
)

// recordKey appends class (1), queue (8).
func recordKey(dst []byte, id queueID) []byte {
	return binary.BigEndian.AppendUint64(append(dst, byte(classRecord)), uint64(id))
}

// entryKey appends class (1), queue (8), kind (1), 255 minus priority (1),
// sequence (8), so that the order of keys is the order of delivery.
func entryKey(dst []byte, c class, id queueID, seq uint64) []byte {
	dst = binary.BigEndian.AppendUint64(append(dst, byte(c)), uint64(id))
	return binary.BigEndian.AppendUint64(append(dst, kindLive, 0xff), seq)
}

// queueRange gives the bounds of all keys of a queue in a class.
func queueRange(c class, id queueID) (lower, upper []byte) {
	lower = binary.BigEndian.AppendUint64([]byte{byte(c)}, uint64(id))
	if id == ^queueID(0) {
		return lower, []byte{byte(c) + 1}
	}
	return lower, binary.BigEndian.AppendUint64([]byte{byte(c)}, uint64(id)+1)
}

func parseRecordKey(key []byte) (queueID, error) {
	if len(key) != recordKeySize || class(key[0]) != classRecord {
		return 0, fmt.Errorf("queue record key %x: %w", key, store.ErrDamaged)
	}
	return queueID(binary.BigEndian.Uint64(key[1:])), nil
}

func parseEntryKey(key []byte) (c class, id queueID, seq uint64, err error) {
	if len(key) != entryKeySize || key[9] != kindLive || key[10] != 0xff ||
		class(key[0]) != classDurable && class(key[0]) != classSpilled {
		return 0, 0, 0, fmt.Errorf("message key %x: %w", key, store.ErrDamaged)
	}
	c, id = class(key[0]), queueID(binary.BigEndian.Uint64(key[1:]))
	return c, id, binary.BigEndian.Uint64(key[11:]), nil
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
