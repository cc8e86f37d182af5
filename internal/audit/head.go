package audit

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"coffer/internal/store"
)

// An ID is one of the random numbers in a store's identity.
type ID [16]byte

// String gives 32 hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText is String.
func (id ID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, id[:]), nil }

// UnmarshalText reads what MarshalText gives.
func (id *ID) UnmarshalText(text []byte) error {
	if len(text) != 2*len(id) {
		return errors.New("not 32 hexadecimal digits")
	}
	_, err := hex.Decode(id[:], text)
	return err
}

// A StoreID names a store and one of its incarnations: each restored copy of a
// backup has its own.
type StoreID struct{ Cluster, Incarnation ID }

// A Fork is where a restored copy left the store that its backup was made of.
type Fork struct {
	Incarnation ID                       `json:"incarnation"` // of that store
	Backup      string                   `json:"backup"`      // its id; "" = not known
	Time        time.Time                `json:"time"`        // of the copy's first start
	Sizes       map[store.ShardID]uint64 `json:"sizes"`       // leaves they have in common
}

// A head says how far the trees of a store have grown and what their roots are.
type head struct {
	StoreID
	time  time.Time
	trees []treeHead // by shard
	forks []Fork     // the oldest first
}

type treeHead struct {
	shard store.ShardID
	size  uint64
	root  tlog.Hash
}

// Bounds of what a head may hold, when it is read.
const (
	maxHeadText  = 64 << 10
	headPreamble = "coffer-audit-head 1"
	noBackup     = "-"
)

// encode gives the text that is signed: a line for each fact.
func (h *head) encode() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nstore %v\nincarnation %v\ntime %s\n", headPreamble, h.Cluster,
		h.Incarnation, h.time.UTC().Format(time.RFC3339Nano))
	for _, f := range h.forks {
		backup := f.Backup
		if backup == "" {
			backup = noBackup
		}
		fmt.Fprintf(&b, "fork %v %s %s%s\n", f.Incarnation, backup,
			f.Time.UTC().Format(time.RFC3339Nano), sizes(f.Sizes))
	}
	for _, t := range h.trees {
		fmt.Fprintf(&b, "tree %d %d %s\n", t.shard, t.size, t.root)
	}
	return b.String()
}

// sizes writes " shard:size" in the order of the shards.
func sizes(m map[store.ShardID]uint64) string {
	var b strings.Builder
	for _, id := range sorted(m) {
		fmt.Fprintf(&b, " %d:%d", id, m[id])
	}
	return b.String()
}

var errHead = errors.New("not a head of an audit trail")

// parseHead reads what encode gives, to the byte.
func parseHead(text string) (*head, error) {
	if len(text) > maxHeadText {
		return nil, errHead
	}
	lines := strings.Split(text, "\n")
	if len(lines) < 5 || lines[0] != headPreamble {
		return nil, errHead
	}
	h := &head{}
	ok := parseID(lines[1], "store ", &h.Cluster) &&
		parseID(lines[2], "incarnation ", &h.Incarnation)
	at, found := strings.CutPrefix(lines[3], "time ")
	var err error
	h.time, err = time.Parse(time.RFC3339Nano, at)
	ok = ok && found && err == nil
	for _, line := range lines[4 : len(lines)-1] {
		words := strings.Split(line, " ")
		switch {
		case words[0] == "fork" && len(words) >= 4:
			ok = h.parseFork(words[1:]) && ok
		case words[0] == "tree" && len(words) == 4:
			ok = h.parseTree(words[1:]) && ok
		default:
			ok = false
		}
	}
	if !ok || h.encode() != text {
		return nil, errHead
	}
	return h, nil
}

func parseID(line, name string, id *ID) bool {
	digits, ok := strings.CutPrefix(line, name)
	return ok && id.UnmarshalText([]byte(digits)) == nil
}

func (h *head) parseFork(words []string) bool {
	f := Fork{Sizes: map[store.ShardID]uint64{}, Backup: words[1]}
	if f.Backup == noBackup {
		f.Backup = ""
	}
	var err error
	f.Time, err = time.Parse(time.RFC3339Nano, words[2])
	ok := err == nil && parseID(words[0], "", &f.Incarnation)
	for _, w := range words[3:] {
		shard, size, _ := strings.Cut(w, ":")
		id, err1 := strconv.ParseUint(shard, 10, 16)
		n, err2 := strconv.ParseUint(size, 10, 63)
		ok = ok && err1 == nil && err2 == nil
		f.Sizes[store.ShardID(id)] = n
	}
	h.forks = append(h.forks, f)
	return ok
}

func (h *head) parseTree(words []string) bool {
	id, err1 := strconv.ParseUint(words[0], 10, 16)
	size, err2 := strconv.ParseUint(words[1], 10, 63)
	root, err3 := tlog.ParseHash(words[2])
	n := len(h.trees)
	rising := n == 0 || h.trees[n-1].shard < store.ShardID(id)
	h.trees = append(h.trees, treeHead{store.ShardID(id), size, root})
	return errors.Join(err1, err2, err3) == nil && rising
}

// sign gives the head as a signed note.
func (h *head) sign(s note.Signer) ([]byte, error) {
	return note.Sign(&note.Note{Text: h.encode()}, s)
}

// openHead checks the signature of a note and reads the head in it.
func openHead(msg []byte, v note.Verifier) (*head, error) {
	if len(msg) > 2*maxHeadText {
		return nil, errHead
	}
	n, err := note.Open(msg, note.VerifierList(v))
	if err != nil {
		return nil, headFault(msg, err)
	}
	if len(n.UnverifiedSigs) > 0 || len(n.Sigs) != 1 {
		return nil, fmt.Errorf("%w: more than one signature", errHead)
	}
	return parseHead(n.Text)
}

var (
	errSignature = errors.New("the signature is wrong")
	errStranger  = errors.New("signed by another key")
)

// headFault says why a note was not accepted.
func headFault(msg []byte, err error) error {
	if _, ok := errors.AsType[*note.InvalidSignatureError](err); ok {
		return errSignature
	}
	e, ok := errors.AsType[*note.UnverifiedNoteError](err)
	if !ok {
		return fmt.Errorf("%w: %w", errHead, err)
	}
	if len(e.Note.UnverifiedSigs) == 0 || !bytes.HasPrefix(msg, []byte(headPreamble)) {
		return errHead
	}
	return fmt.Errorf("%w, %s", errStranger, e.Note.UnverifiedSigs[0].Name)
}
