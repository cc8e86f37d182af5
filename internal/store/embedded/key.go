package embedded

import (
	"encoding/binary"

	"coffer/internal/store"
)

// A key in Pebble is the shard, a kind and, for data, the key of the shard.
const (
	kindPosition = 0
	kindData     = 1
	prefixLen    = 3
	logShard     = 0xffff // in the place of a shard, for what is of all of them
)

// putPrefix writes the first bytes of a key into dst.
func putPrefix(dst []byte, id store.ShardID, kind byte) {
	binary.BigEndian.PutUint16(dst, uint16(id))
	dst[2] = kind
}

// dataKey gives a new slice with the whole key.
func dataKey(id store.ShardID, key []byte) []byte {
	b := make([]byte, prefixLen, prefixLen+len(key))
	putPrefix(b, id, kindData)
	return append(b, key...)
}

// dataEnd is above every data key of the shard.
func dataEnd(id store.ShardID) []byte {
	b := make([]byte, prefixLen)
	putPrefix(b, id, kindData+1)
	return b
}

// positionKey is where the position of the shard's last batch stands.
func positionKey(id store.ShardID) []byte {
	b := make([]byte, prefixLen)
	putPrefix(b, id, kindPosition)
	return b
}

// logKey is where the number of the first segment of the log stands that is not in
// the tables.
func logKey() []byte { return positionKey(logShard) }

// parsePositionKey gives the shard of a position key.
func parsePositionKey(key []byte) (store.ShardID, bool) {
	if len(key) != prefixLen || key[2] != kindPosition {
		return 0, false
	}
	return store.ShardID(binary.BigEndian.Uint16(key)), true
}

func appendPosition(b []byte, pos store.Position) []byte {
	b = binary.BigEndian.AppendUint64(b, pos.Epoch)
	return binary.BigEndian.AppendUint64(b, pos.Index)
}

func decodePosition(b []byte) (store.Position, bool) {
	if len(b) != 16 {
		return store.Position{}, false
	}
	return store.Position{
		Epoch: binary.BigEndian.Uint64(b), Index: binary.BigEndian.Uint64(b[8:]),
	}, true
}
