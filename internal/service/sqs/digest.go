package sqs

import (
	"crypto/fips140"
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"maps"
	"slices"
	"strings"

	api "coffer/internal/aws/api/sqs"
)

// digestOf gives the MD5 that clients compare, of a body. It guards against mistakes on
// the way and keeps no secret, so it is not for FIPS to judge.
func digestOf(body []byte) (sum [md5.Size]byte) {
	fips140.WithoutEnforcement(func() { sum = md5.Sum(body) })
	return sum
}

func digest(fill func(hash.Hash)) (text string) {
	fips140.WithoutEnforcement(func() {
		h := md5.New()
		fill(h)
		text = hex.EncodeToString(h.Sum(nil))
	})
	return text
}

// How a value travels, in the digest of attributes.
const (
	stringKind = 1
	binaryKind = 2
)

// attributesDigest gives the MD5 of message attributes; "" of none.
//
// Source: SQS developer guide, "Calculating the MD5 message digest for message
// attributes".
func attributesDigest(attributes map[string]api.MessageAttributeValue) string {
	if len(attributes) == 0 {
		return ""
	}
	return digest(func(h hash.Hash) {
		part := func(b []byte) {
			h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(b))))
			h.Write(b)
		}
		for _, name := range slices.Sorted(maps.Keys(attributes)) {
			v := attributes[name]
			part([]byte(name))
			part([]byte(v.DataType))
			if isBinary(v.DataType) {
				h.Write([]byte{binaryKind})
				part(v.BinaryValue)
				continue
			}
			h.Write([]byte{stringKind})
			part([]byte(v.StringValue))
		}
	})
}

// isBinary tells by an attribute's type how its value travels. A type may have a label of
// the client's own behind a dot.
func isBinary(dataType string) bool {
	kind, _, _ := strings.Cut(dataType, ".")
	return kind == "Binary"
}
