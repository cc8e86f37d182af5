package export

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"coffer/internal/audit"
	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/seal"
	"coffer/internal/store"
	"coffer/internal/store/memory"
)

const (
	home  = "111122223333"
	other = "444455556666"
)

// world is a trail, and a reader of it as it is stored.
type world struct {
	t      testing.TB
	engine *memory.Engine
	db     *control.DB
	log    *audit.Log
	n      int
}

func at(hour, minute int) time.Time {
	return time.Date(2026, 2, 27, hour, minute, 7, 123_000, time.UTC)
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, engine: memory.New(memory.Config{Shards: 2})}
	var shards [2]store.Shard
	for i := range shards {
		var err error
		shards[i], err = w.engine.Open(t.Context(), store.ShardID(i))
		w.must(err)
	}
	var err error
	w.db, err = control.Open(t.Context(), shards[0], bytes.Repeat([]byte{1}, seal.KeySize),
		control.Config{})
	w.must(err)
	w.log, err = audit.Open(t.Context(), w.db, shards[1], 1, audit.Config{
		Heads: &audit.HeadConfig{Every: time.Hour, Logger: slog.New(slog.DiscardHandler)}})
	w.must(err)
	t.Cleanup(w.log.Close)
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// add puts events on the trail, every second one with effects.
func (w *world) add(account, region string, times ...time.Time) {
	w.t.Helper()
	for _, when := range times {
		w.n++
		e := &audit.Event{
			EventVersion: "1.08", EventTime: when, EventSource: "kms.amazonaws.com",
			EventName: "DescribeKey", AWSRegion: region, RecipientAccountID: account,
			EventID: fmt.Sprintf("id-%04d", w.n), EventCategory: "Management",
		}
		if w.n%2 == 0 {
			w.must(w.log.Record(w.t.Context(), e))
			continue
		}
		w.must(w.db.Update(w.t.Context(), func(_ context.Context, tx *control.Tx) error {
			return w.log.Append(tx, e)
		}))
	}
}

// run exports to a directory.
func (w *world) run(cfg Config) ([]Written, error) {
	w.t.Helper()
	open := func(id store.ShardID) store.Snapshot {
		s, err := w.engine.Image()().Open(w.t.Context(), id)
		w.must(err)
		return s.Snapshot()
	}
	base := open(0)
	defer base.Close()
	state, err := control.Inspect(base, bytes.Repeat([]byte{1}, seal.KeySize))
	w.must(err)
	defer state.Close()
	r := &audit.Reader{State: state, Shards: []store.ShardID{0, 1}, Open: open}
	return Run(w.t.Context(), r, cfg)
}

// files gives every file of a directory with its content.
func (w *world) files(dir string) map[string]string {
	w.t.Helper()
	m := map[string]string{}
	w.must(filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		rel, _ := filepath.Rel(dir, name)
		m[filepath.ToSlash(rel)] = string(text)
		return err
	}))
	return m
}

// validate is what `aws cloudtrail validate-logs` does, from the last digest back:
// the hashes of the files, the signature under the key of the fingerprint, the place
// of the digest, and the one before. It gives the ids of the events, the oldest first.
func (w *world) validate(dir, account, region string) (ids []string, digests int, err error) {
	folder := filepath.Join(dir, "AWSLogs", account, "CloudTrail-Digest", region)
	var names []string
	w.must(filepath.WalkDir(folder, func(name string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(name, ".json.gz") {
			names = append(names, name)
		}
		return err
	}))
	slices.Sort(names)
	next, previous := names[len(names)-1], ""
	for next != "" {
		text, err := unpack(next)
		if err != nil {
			return nil, 0, err
		}
		var d map[string]any
		w.must(json.Unmarshal(text, &d))
		var meta map[string]string
		beside, err := os.ReadFile(next + ".metadata.json")
		w.must(err)
		w.must(json.Unmarshal(beside, &meta))
		if previous != "" && meta["signature"] != previous {
			return nil, 0, errors.New("the chain is broken")
		}
		if err := w.signed(dir, d, text, meta["signature"]); err != nil {
			return nil, 0, err
		}
		found, err := w.logs(dir, d)
		if err != nil {
			return nil, 0, err
		}
		ids = append(found, ids...)
		digests++
		next, previous = "", ""
		if o, ok := d["previousDigestS3Object"].(string); ok {
			next, previous = filepath.Join(dir, o), d["previousDigestSignature"].(string)
		}
	}
	return ids, digests, nil
}

func (w *world) signed(dir string, d map[string]any, text []byte, signature string) error {
	list, err := os.ReadFile(filepath.Join(dir, "CloudTrail-Keys",
		d["digestPublicKeyFingerprint"].(string)+".json"))
	w.must(err)
	var keys struct{ PublicKeyList []struct{ Value []byte } }
	w.must(json.Unmarshal(list, &keys))
	public, err := x509.ParsePKCS1PublicKey(keys.PublicKeyList[0].Value)
	w.must(err)
	before := "null"
	if p, ok := d["previousDigestSignature"].(string); ok {
		before = p
	}
	sum := sha256.Sum256(text)
	data := fmt.Sprintf("%s\n%s/%s\n%s\n%s", d["digestEndTime"], d["digestS3Bucket"],
		d["digestS3Object"], hex.EncodeToString(sum[:]), before)
	digest := sha256.Sum256([]byte(data))
	sig, err := hex.DecodeString(signature)
	w.must(err)
	return rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], sig)
}

func (w *world) logs(dir string, d map[string]any) (ids []string, err error) {
	for _, l := range d["logFiles"].([]any) {
		l := l.(map[string]any)
		text, err := unpack(filepath.Join(dir, l["s3Object"].(string)))
		if err != nil {
			return nil, err
		}
		if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != l["hashValue"] {
			return nil, fmt.Errorf("%s has another hash", l["s3Object"])
		}
		var records struct {
			Records []struct {
				EventID   string    `json:"eventID"`
				EventTime time.Time `json:"eventTime"`
			}
		}
		w.must(json.Unmarshal(text, &records))
		for _, r := range records.Records {
			ids = append(ids, r.EventID)
		}
	}
	return ids, nil
}

// TestExport writes what validates, goes on where it ended, and leaves the hour that
// is not over.
func TestExport(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := filepath.Join(t.TempDir(), "[to]")
	w.add(home, "us-east-1", at(22, 1), at(22, 59), at(22, 3), at(22, 3), at(23, 4))
	w.add(home, "eu-west-1", at(23, 59))
	w.add(other, "us-east-1", at(23, 0))
	list, err := w.run(Config{Dir: dir, Now: at(23, 30)})
	if err != nil || len(list) != 3 {
		t.Fatal(list, err)
	}
	if d := list[1]; d.Events != 4 || d.Logs != 2 || d.Digests != 1 || d.Left != 1 {
		t.Errorf("%+v", d)
	}
	ids, digests, err := w.validate(dir, home, "us-east-1")
	want := []string{"id-0001", "id-0003", "id-0004", "id-0002"} // shard 0 comes first
	if err != nil || digests != 1 || !slices.Equal(ids, want) {
		t.Errorf("%v, %d digests, %v", ids, digests, err)
	}
	first := w.files(dir)
	if again, err := w.run(Config{Dir: dir, Now: at(23, 59)}); err != nil || again[1].Digests != 0 {
		t.Errorf("again: %+v, %v", again, err)
	}
	if !maps.Equal(first, w.files(dir)) {
		t.Error("an export of nothing new changed files")
	}
	w.add(home, "us-east-1", at(25, 30))
	if _, err := w.run(Config{Dir: dir, Now: at(26, 0)}); err != nil {
		t.Fatal(err)
	}
	all := w.files(dir)
	for name, text := range first {
		if all[name] != text {
			t.Errorf("%s was written again", name)
		}
	}
	for scope, want := range map[string][2]int{
		home + " us-east-1": {6, 4}, home + " eu-west-1": {1, 3}, other + " us-east-1": {1, 3},
	} {
		account, region, _ := strings.Cut(scope, " ")
		ids, digests, err := w.validate(dir, account, region)
		if err != nil || len(ids) != want[0] || digests != want[1] {
			t.Errorf("%s: %v in %d digests, %v", scope, ids, digests, err)
		}
	}
	const name = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/02/27/" +
		"111122223333_CloudTrail_us-east-1_20260227T2200Z_"
	const digest = "AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/02/28/" +
		"111122223333_CloudTrail-Digest_us-east-1_coffer_us-east-1_20260228T020000Z.json.gz"
	_, found := all[digest]
	if !found || !slices.ContainsFunc(slices.Collect(maps.Keys(all)), func(n string) bool {
		return strings.HasPrefix(n, name) && len(n) == len(name)+16+len(".json.gz")
	}) {
		t.Errorf("%s and %s are not among %v", digest, name, slices.Sorted(maps.Keys(all)))
	}
}

// TestExportIsFound: what is changed in an export does not validate, and is not gone
// on with.
func TestExportIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(home, "us-east-1", at(1, 1), at(2, 2))
	dir := t.TempDir()
	if _, err := w.run(Config{Dir: dir, Now: at(3, 0)}); err != nil {
		t.Fatal(err)
	}
	for name, text := range w.files(dir) {
		file := filepath.Join(dir, name)
		if strings.HasSuffix(name, noteSuffix) || strings.HasSuffix(name, keySuffix) {
			continue
		}
		w.must(os.Remove(file))
		if !strings.HasSuffix(name, ".json") { // a test reads those, and fails
			if _, _, err := w.validate(dir, home, "us-east-1"); err == nil &&
				!strings.Contains(name, "T030000Z") {
				t.Errorf("without %s it validates", name)
			}
		}
		w.must(os.WriteFile(file, []byte(text), 0o600))
	}
	newest := filepath.Join(dir, "AWSLogs", home, "CloudTrail-Digest", "us-east-1", "2026", "02",
		"27", home+"_CloudTrail-Digest_us-east-1_coffer_us-east-1_20260227T030000Z.json.gz")
	for _, name := range []string{newest, newest + metadataSuffix} {
		text, err := os.ReadFile(name)
		w.must(err)
		w.must(os.WriteFile(name, append(bytes.Clone(text[:len(text)-2]), "00"...), 0o600))
		if _, err := w.run(Config{Dir: dir, Now: at(5, 0)}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
		w.must(os.WriteFile(name, text, 0o600))
	}
	for _, cfg := range []Config{{Bucket: "another"}, {Dir: "key of another store"}} {
		if cfg.Dir != "" {
			v := newWorld(t)
			v.add(home, "us-east-1", at(1, 1))
			cfg.Dir, cfg.Now = dir, at(5, 0)
			if _, err := v.run(cfg); fault.KindOf(err) != fault.Invalid {
				t.Errorf("another store goes on with it: %v", err)
			}
			continue
		}
		cfg.Dir, cfg.Now = dir, at(5, 0)
		if _, err := w.run(cfg); fault.KindOf(err) != fault.Invalid {
			t.Errorf("another bucket: %v", err)
		}
	}
}

// TestExportBounds: accounts, Regions and hours that were not asked for stay away.
func TestExportBounds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for hour := range 6 {
		w.add(home, "us-east-1", at(hour, 10))
		w.add(other, "eu-west-1", at(hour, 10))
	}
	dir := t.TempDir()
	list, err := w.run(Config{Dir: dir, Now: at(23, 0), From: at(2, 30), Until: at(4, 59),
		Account: home, Region: "us-east-1"})
	if err != nil || len(list) != 1 || list[0].Events != 2 || list[0].Left != 2 {
		t.Errorf("%+v, %v", list, err)
	}
	ids, digests, err := w.validate(dir, home, "us-east-1")
	if err != nil || digests != 2 || !slices.Equal(ids, []string{"id-0005", "id-0007"}) {
		t.Errorf("%v, %d, %v", ids, digests, err)
	}
	if list, err := w.run(Config{Dir: dir, Account: "0", Now: at(23, 0)}); err != nil ||
		len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
}

// TestExportKey: the store vouches for the key of an export, which lies there sealed.
func TestExportKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(home, "us-east-1", at(1, 1))
	dir := t.TempDir()
	if _, err := w.run(Config{Dir: dir, Now: at(3, 0)}); err != nil {
		t.Fatal(err)
	}
	var fingerprint, text string
	for name, content := range w.files(dir) {
		if strings.HasSuffix(name, noteSuffix) {
			fingerprint = strings.TrimSuffix(filepath.Base(name), noteSuffix)
			text = content
		}
		if strings.HasSuffix(name, keySuffix) {
			if _, err := x509.ParsePKCS1PrivateKey([]byte(content)); err == nil {
				t.Error("the private key lies there in clear")
			}
		}
	}
	var verifier string
	w.must(w.db.View(t.Context(), func(_ context.Context, tx *control.Tx) error {
		row, _, err := tx.Get(control.TableTree, []byte("key"))
		var k struct{ Verifier string }
		if err == nil {
			err = json.Unmarshal(row, &k)
		}
		verifier = k.Verifier
		return err
	}))
	v, err := note.NewVerifier(verifier)
	w.must(err)
	n, err := note.Open([]byte(text), note.VerifierList(v))
	if err != nil || !strings.Contains(n.Text, "fingerprint "+fingerprint+"\n") {
		t.Errorf("%q: %v", text, err)
	}
}

func FuzzDigest(f *testing.F) {
	w := newWorld(f)
	w.add(home, "us-east-1", at(1, 1), at(2, 2))
	dir := f.TempDir()
	if _, err := w.run(Config{Dir: dir, Now: at(3, 0)}); err != nil {
		f.Fatal(err)
	}
	var public *rsa.PublicKey
	for name, text := range w.files(dir) {
		if strings.HasSuffix(name, listSuffix) && strings.HasPrefix(name, keyFolder) {
			var l publicKeys
			w.must(json.Unmarshal([]byte(text), &l))
			var err error
			public, err = x509.ParsePKCS1PublicKey(l.List[0].Value)
			w.must(err)
		}
		if strings.Contains(name, "Digest") && strings.HasSuffix(name, ".gz") {
			text, err := unpack(filepath.Join(dir, name))
			w.must(err)
			beside, err := os.ReadFile(filepath.Join(dir, name+metadataSuffix))
			w.must(err)
			f.Add(text, beside)
		}
	}
	f.Fuzz(func(t *testing.T, text, beside []byte) {
		d, err := parseDigest(text, beside, public)
		if err != nil && !errors.Is(err, errDigest) {
			t.Error(err)
		}
		if err == nil && (d.end.IsZero() || d.signature == "") {
			t.Errorf("%+v", d)
		}
	})
}
