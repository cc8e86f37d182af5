package iam

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"unicode/utf8"

	"coffer/internal/policy"
)

// documentCache keeps parsed documents by their text, so that nothing needs to
// be told of a change or a rollback.
type documentCache struct {
	mu   sync.Mutex
	docs map[documentKey]*policy.Document
	size int // bytes of the texts
}

type documentKey struct {
	text string
	use  policy.Use
}

// cachedBytes bounds the texts whose documents are kept.
const cachedBytes = 4 << 20

// parse reads a document that a client sent.
func (c *documentCache) parse(text string, use policy.Use) (*policy.Document, error) {
	doc, err := policy.Parse([]byte(text), use)
	if err != nil {
		return nil, malformedPolicy(clientText(err))
	}
	return doc, nil
}

// of gives the parsed form of a stored document.
func (c *documentCache) of(text string, use policy.Use) (*policy.Document, error) {
	key := documentKey{text, use}
	c.mu.Lock()
	doc := c.docs[key]
	c.mu.Unlock()
	if doc != nil {
		return doc, nil
	}
	doc, err := policy.Parse([]byte(text), use)
	if err != nil {
		return nil, fmt.Errorf("stored policy document: %w", errors.New(err.Error()))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.docs == nil || c.size > cachedBytes {
		c.docs, c.size = map[documentKey]*policy.Document{}, 0
	}
	c.docs[key] = doc
	c.size += len(text)
	return doc, nil
}

// length is the size of a document for quotas: its characters without the white
// space between the parts.
func length(text string) int {
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(text)); err != nil {
		return utf8.RuneCountInString(text)
	}
	return utf8.RuneCount(b.Bytes())
}

// encoded is how answers show a document: percent-encoded as RFC 3986 has it.
func encoded(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}
