package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"coffer/internal/control"
	"coffer/internal/store"
)

// expirySlack is by how much younger than [Retention] an event may be that was
// removed for its age, for clocks that differ.
const expirySlack = time.Hour

// maxFindings bounds what is told one by one; Proof.Found counts all.
const maxFindings = 1000

// VerifyConfig says what to verify. Snapshots stay the caller's.
type VerifyConfig struct {
	State  *control.Inspection                      // of shard 0
	Shards []store.ShardID                          // in ascending order
	Open   func(id store.ShardID) store.Snapshot    // which Verify closes
	Store  StoreID                                  // of the directory
	Heads  io.Reader                                // of --audit-heads; nil = none
	Known  func(incarnation ID, backup string) bool // a fork is meant; nil = none is
	Now    time.Time
}

// A Finding is something that is not as it was signed.
type Finding struct {
	Shard   *store.ShardID `json:"shard,omitempty"`
	Leaf    *uint64        `json:"leaf,omitempty"`  // number in the shard's tree
	Event   string         `json:"event,omitempty"` // its store key
	Time    *time.Time     `json:"time,omitempty"`  // of the event or head
	Line    int            `json:"line,omitempty"`  // of the file of heads
	Problem string         `json:"problem"`
}

// String begins with the place.
func (f *Finding) String() string {
	var b strings.Builder
	if f.Line != 0 {
		fmt.Fprintf(&b, "line %d ", f.Line)
	}
	if f.Shard != nil {
		fmt.Fprintf(&b, "shard %d ", *f.Shard)
	}
	if f.Leaf != nil {
		fmt.Fprintf(&b, "leaf %d ", *f.Leaf)
	}
	if f.Event != "" && f.Time != nil {
		fmt.Fprintf(&b, "event of %s ", f.Time.Format(time.RFC3339Nano))
	}
	if b.Len() == 0 {
		return f.Problem
	}
	return strings.TrimSpace(b.String()) + ": " + f.Problem
}

// TreeProof is what was shown of one tree.
type TreeProof struct {
	Shard   store.ShardID `json:"shard"`
	Leaves  uint64        `json:"leaves"`
	Root    string        `json:"root"`
	Since   time.Time     `json:"since"`             // when the shard got its tree
	Adopted uint64        `json:"adopted,omitempty"` // events that were there before
	Expired uint64        `json:"expired,omitempty"` // leaves whose events were removed for age
	// Signed is how many leaves a head covers; those behind it are of the second
	// before a crash, or of a copy that has not run.
	Signed uint64 `json:"signed"`
}

// Apart is a store with which this one has only a beginning in common: what it was
// restored from, or a copy of it.
type Apart struct {
	Incarnation ID        `json:"incarnation"`
	Backup      string    `json:"backup,omitempty"`
	Heads       int       `json:"heads"`  // that tell of events which are not here
	Events      uint64    `json:"events"` // how many they tell of
	Newest      time.Time `json:"newest"` // time of the last of these heads
	Meant       bool      `json:"meant"`  // VerifyConfig.Known says so
}

// Proof is what Verify read and found.
type Proof struct {
	Verifier string      `json:"key"` // of the heads
	Store    StoreID     `json:"-"`
	Forks    []Fork      `json:"forks"` // what this store was restored from
	Trees    []TreeProof `json:"trees"`
	Head     time.Time   `json:"head"`  // of the stored head
	Lines    int         `json:"lines"` // of the file of heads
	Heads    int         `json:"heads"` // in it
	Cut      int         `json:"cut"`   // lines in it that were cut short
	Apart    []Apart     `json:"apart"`
	Findings []Finding   `json:"findings"`
	Found    int         `json:"found"` // findings in all
}

// Whole tells that nothing was found, and no other history that nobody meant.
func (p *Proof) Whole() bool {
	return p.Found == 0 && !slices.ContainsFunc(p.Apart, func(a Apart) bool { return !a.Meant })
}

// Verify reads the whole trail of a store that stands still: every event, the trees
// over them, and the heads. What is not so is in the proof; the error ends it: what
// cannot be read, or ctx.
func Verify(ctx context.Context, cfg VerifyConfig) (*Proof, error) {
	v := &verify{cfg: cfg, proof: &Proof{
		Store: cfg.Store, Forks: []Fork{}, Trees: []TreeProof{}, Apart: []Apart{},
		Findings: []Finding{},
	}, targets: map[store.ShardID][]target{}}
	if !v.identity() {
		return v.proof, nil
	}
	v.stored()
	if cfg.Heads != nil {
		if err := v.file(ctx); err != nil {
			return nil, err
		}
	}
	for _, id := range cfg.Shards {
		if err := v.shard(ctx, id); err != nil {
			return nil, err
		}
	}
	for _, id := range sorted(v.targets) {
		if !slices.Contains(cfg.Shards, id) {
			v.add(Finding{Shard: &id, Problem: "heads tell of a shard that the store has not"})
		}
	}
	return v.proof, nil
}

// VerifierKey gives the key that verifies the heads of a store, as package note
// writes it.
func VerifierKey(state *control.Inspection) (string, error) {
	v := &verify{cfg: VerifyConfig{State: state}}
	k := &keyPair{}
	if err := v.row(rowKeyPair, k, &k.Version); err != nil {
		return "", fmt.Errorf("the key that signs heads: %w", err)
	}
	return k.Verifier, nil
}

// verify is one run of Verify.
type verify struct {
	cfg      VerifyConfig
	proof    *Proof
	verifier note.Verifier
	origin   origin
	targets  map[store.ShardID][]target
}

// A target is what a head says of a tree.
type target struct {
	size uint64
	root tlog.Hash
	line int // 0 = the stored head
	time time.Time
}

func (t *target) name() string {
	if t.line == 0 {
		return "the stored head of " + t.time.Format(time.RFC3339)
	}
	return fmt.Sprintf("the head in line %d, of %s", t.line, t.time.Format(time.RFC3339))
}

func (v *verify) add(f Finding) {
	if v.proof.Found++; v.proof.Found <= maxFindings {
		v.proof.Findings = append(v.proof.Findings, f)
	}
}

// identity reads who signs, and what the store was restored from.
func (v *verify) identity() bool {
	k := &keyPair{}
	err := v.row(rowKeyPair, k, &k.Version)
	if err == nil {
		v.verifier, err = note.NewVerifier(k.Verifier)
	}
	if err == nil && k.Verifier != "" && v.verifier.Name() != signerName(v.cfg.Store) {
		err = errors.New("it is another store's")
	}
	if err != nil {
		v.add(Finding{Problem: "the key that signs heads: " + err.Error()})
		return false
	}
	v.proof.Verifier = k.Verifier
	if err := v.row(rowOrigin, &v.origin, &v.origin.Version); err != nil {
		v.add(Finding{Problem: "what the store was restored from: " + err.Error()})
		return false
	}
	v.proof.Forks = append(v.proof.Forks, v.origin.Forks...)
	return true
}

var errNoRow = errors.New("it is missing: it was removed, or no process that keeps trees of " +
	"the trail ever started on this directory")

func (v *verify) row(id string, row any, version *int) error {
	text, found, err := v.cfg.State.Get(control.TableTree, []byte(id))
	if err == nil && !found {
		err = errNoRow
	}
	if err == nil {
		err = unmarshal(text, row, version)
	}
	return err
}

// stored takes in the head that the store holds.
func (v *verify) stored() {
	msg, found, err := v.cfg.State.Get(control.TableHead, []byte(rowLast))
	if err == nil && !found {
		err = errors.New("it is missing")
	}
	var h *head
	if err == nil {
		h, err = openHead(msg, v.verifier)
	}
	if err != nil {
		v.add(Finding{Problem: "the stored head: " + err.Error()})
		return
	}
	v.proof.Head = h.time
	v.witness(h, 0)
}

// witness takes in what a head says, as far as this store and that of the head
// have the same history.
func (v *verify) witness(h *head, line int) {
	if h.Cluster != v.cfg.Store.Cluster {
		v.add(Finding{Line: line, Time: &h.time,
			Problem: fmt.Sprintf("a head of another store, %v", h.Cluster)})
		return
	}
	common, backup, related := v.common(h, line)
	if !related {
		v.add(Finding{Line: line, Time: &h.time, Problem: fmt.Sprintf(
			"a head of incarnation %v, of which this store knows nothing", h.Incarnation)})
		return
	}
	beyond := uint64(0)
	for _, t := range h.trees {
		if limit, ok := common[t.shard]; common != nil && (!ok || t.size > limit) {
			beyond += t.size - limit
			continue
		}
		v.targets[t.shard] = append(v.targets[t.shard], target{t.size, t.root, line, h.time})
	}
	if beyond > 0 {
		v.apart(h, backup, beyond)
	}
}

// common gives the sizes up to which the trees of this store and of a head's are
// the same; nil = all that the head says.
func (v *verify) common(h *head, line int) (
	sizes map[store.ShardID]uint64, backup string, ok bool,
) {
	if h.Incarnation == v.origin.Incarnation {
		if line != 0 && v.cfg.Store.Incarnation != v.origin.Incarnation {
			return v.sizes(), "", true // a copy of it that was never started
		}
		return nil, "", true
	}
	for _, f := range v.origin.Forks { // this is a copy of it
		if f.Incarnation == h.Incarnation {
			return f.Sizes, f.Backup, true
		}
	}
	for _, f := range h.forks { // it is a copy of this
		if f.Incarnation == v.origin.Incarnation {
			return f.Sizes, f.Backup, true
		}
	}
	for i := len(h.forks) - 1; i >= 0; i-- { // both are copies of a third one
		g := h.forks[i]
		for _, f := range v.origin.Forks {
			if f.Incarnation == g.Incarnation {
				return smaller(f.Sizes, g.Sizes), g.Backup, true
			}
		}
	}
	return nil, "", false
}

// sizes gives how many leaves the trees have by their edges.
func (v *verify) sizes() map[store.ShardID]uint64 {
	m := map[store.ShardID]uint64{}
	for _, id := range v.cfg.Shards {
		snap := v.cfg.Open(id)
		t, found, err := openTree(v.cfg.State.Platform, snap, id)
		if err == nil && found { // else the shard's own verification tells
			m[id] = t.next.size
		}
		_ = snap.Close() // only of memory
	}
	return m
}

func smaller(a, b map[store.ShardID]uint64) map[store.ShardID]uint64 {
	m := map[store.ShardID]uint64{}
	for id := range a {
		m[id] = min(a[id], b[id])
	}
	return m
}

func (v *verify) apart(h *head, backup string, beyond uint64) {
	list := v.proof.Apart
	i := slices.IndexFunc(list, func(a Apart) bool { return a.Incarnation == h.Incarnation })
	if i < 0 {
		i = len(list)
		meant := v.cfg.Known != nil && v.cfg.Known(h.Incarnation, backup)
		list = append(list, Apart{Incarnation: h.Incarnation, Backup: backup, Meant: meant})
	}
	a := &list[i]
	a.Heads++
	a.Events = max(a.Events, beyond)
	if h.time.After(a.Newest) {
		a.Newest = h.time
	}
	v.proof.Apart = list
}

// bySize orders the targets of a tree.
func bySize(a, b target) int { return cmp.Or(cmp.Compare(a.size, b.size), a.line-b.line) }
