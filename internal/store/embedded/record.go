package embedded

import (
	"encoding/binary"
	"fmt"

	"coffer/internal/store"
	"coffer/internal/store/seglog"
)

// A record of the log is a batch of a shard, or the beginning of an ownership:
// the shard, the position, and the effects in the order in which they were
// proposed.
const (
	recordHead = 2 + 16    // shard, position
	effectHead = 1 + 2 + 4 // kind, length of the key, of the value or upper bound
)

// The kinds of effects in a record.
const (
	effectSet    = 1
	effectDelete = 2
	effectRange  = 3
	effectInsert = 4
)

// recordSize is the bytes of the record of a batch.
func recordSize(b *store.Batch) int { return recordHead + b.Size() + effectHead*b.Len() }

// putRecordHead writes the head of a record and gives what is behind it.
func putRecordHead(dst []byte, id store.ShardID, pos store.Position) []byte {
	binary.BigEndian.PutUint16(dst, uint16(id))
	appendPosition(dst[:2], pos)
	return dst[recordHead:]
}

// putRecord fills dst, of recordSize bytes.
func putRecord(dst []byte, id store.ShardID, pos store.Position, b *store.Batch) {
	rest := putRecordHead(dst, id, pos)
	for _, op := range b.Ops() {
		rest[0] = effectOf(op.Kind)
		binary.BigEndian.PutUint16(rest[1:], uint16(len(op.Key)))
		binary.BigEndian.PutUint32(rest[3:], uint32(len(op.Value)+len(op.Tail)))
		rest = rest[effectHead:]
		rest = rest[copy(rest, op.Key):]
		rest = rest[copy(rest, op.Value):]
		rest = rest[copy(rest, op.Tail):]
	}
}

func effectOf(kind store.OpKind) byte {
	switch kind {
	case store.OpSet:
		return effectSet
	case store.OpDelete:
		return effectDelete
	case store.OpDeleteRange:
		return effectRange
	case store.OpInsert:
		return effectInsert
	}
	panic(fmt.Sprintf("effect of kind %d", kind))
}

// parseRecordHead reads the head of a record and gives what is behind it.
func parseRecordHead(text []byte) (id store.ShardID, pos store.Position, rest []byte, ok bool) {
	if len(text) < recordHead {
		return 0, pos, nil, false
	}
	pos, ok = decodePosition(text[2:recordHead])
	return store.ShardID(binary.BigEndian.Uint16(text)), pos, text[recordHead:], ok
}

// apply makes the effects of b, whose record is at at, visible in the table.
func (t *table) apply(b *store.Batch, at seglog.Ref) {
	at.Offset += recordHead
	for _, op := range b.Ops() {
		at.Offset += uint32(effectHead + len(op.Key))
		t.effect(effectOf(op.Kind), op.Key, op.Value, op.Tail, at)
		at.Offset += uint32(len(op.Value) + len(op.Tail))
	}
}

// replay makes the effects of a record visible, which are in text and in the log at
// at. It reports whether the record is well formed.
func (t *table) replay(text []byte, at seglog.Ref) bool {
	for len(text) > 0 {
		if len(text) < effectHead {
			return false
		}
		kind, keyLen := text[0], int(binary.BigEndian.Uint16(text[1:]))
		size := int(binary.BigEndian.Uint32(text[3:]))
		text = text[effectHead:]
		if kind < effectSet || kind > effectInsert || keyLen+size > len(text) {
			return false
		}
		at.Offset += uint32(effectHead + keyLen)
		t.effect(kind, text[:keyLen], text[keyLen:keyLen+size], nil, at)
		at.Offset += uint32(size)
		text = text[keyLen+size:]
	}
	return true
}

// effect makes one effect visible. The value of a set is head and tail; head is the
// upper bound of a range.
func (t *table) effect(kind byte, key, head, tail []byte, at seglog.Ref) {
	switch kind {
	case effectSet, effectInsert:
		t.set(string(key), head, tail, at, kind == effectInsert)
	case effectDelete:
		t.drop(string(key))
	case effectRange:
		t.dropRange(string(key), string(head))
	}
}
