package node

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"coffer/internal/audit"
	"coffer/internal/broker"
	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/rootkey"
	"coffer/internal/seal"
	"coffer/internal/service/iam"
	"coffer/internal/service/kms"
	"coffer/internal/service/sqs"
	"coffer/internal/store"
	"coffer/internal/store/embedded"
)

// Damage is a part of a data directory that does not hold what was written.
type Damage struct {
	File    string `json:"file,omitempty"`
	Shard   *int   `json:"shard,omitempty"`
	Row     string `json:"row,omitempty"`
	Problem string `json:"problem"`
	Advice  string `json:"advice"`
}

// CheckReport is what a check read and found.
type CheckReport struct {
	Data      string `json:"data"`
	Format    int    `json:"format"`              // 0: cannot be read
	Upgrading int    `json:"upgrading,omitempty"` // an upgrade from this format was not ended
	// Sealed tells whether sealed values were opened; if not, Unopened says why, and
	// only the store's checksums were compared.
	Sealed   bool             `json:"sealed"`
	Unopened string           `json:"unopened,omitempty"`
	Tables   embedded.Checked `json:"tables"`
	Logs     embedded.Checked `json:"logs"`
	Shards   []ShardReport    `json:"shards"`
	Damage   []Damage         `json:"damage"`
	Seconds  float64          `json:"seconds"`
}

// ShardReport is what was read of a shard.
type ShardReport struct {
	Shard int    `json:"shard"`
	Holds string `json:"holds"`
	Rows  int64  `json:"rows"`
	// What a crash or a deletion left of queues, which is no damage: a process deletes it.
	// In shard 0 these are data keys of SQS under which no message is left.
	Leftover int64 `json:"leftover,omitempty"` // rows of queues that are gone
	Orphans  int64 `json:"orphans,omitempty"`  // bodies that no message needs
	// Rows under platform keys that were replaced: a process seals them anew.
	Older int64 `json:"older,omitempty"`
}

// Check reads the whole data directory of a stopped process and changes nothing.
// Its error says why it could not be read at all; damage is in the report. Of
// cfg only Data, RootKey and Secrets count.
func Check(ctx context.Context, cfg Config) (*CheckReport, error) {
	begun := time.Now()
	cfg.Logger = slog.New(slog.DiscardHandler)
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	dir := filepath.Join(cfg.Data, dirStore)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.Invalid, "%s holds no data of coffer", cfg.Data)
	}
	c := &checking{cfg: &cfg, report: &CheckReport{Data: cfg.Data, Damage: []Damage{}}}
	i, err := embedded.Inspect(embedded.Config{Dir: dir}, c.file)
	if errors.Is(err, store.ErrInUse) {
		return nil, fault.Wrap(fault.Conflict, err, "a process runs on "+cfg.Data+
			"; stop it first, or check a copy")
	}
	if err != nil {
		return nil, err
	}
	_, c.report.Format, c.report.Upgrading = i.Identity()
	err = c.run(ctx, i)
	c.report.Seconds = time.Since(begun).Seconds()
	return c.report, errors.Join(err, i.Close())
}

// checking is one check.
type checking struct {
	cfg    *Config
	report *CheckReport
	state  *control.Inspection // nil without the root key
	base   store.Snapshot      // of shard 0, which state reads
	queues sqs.Check
}

func (c *checking) file(name string, err error) {
	c.report.Damage = append(c.report.Damage, Damage{
		File: name, Problem: err.Error(),
		Advice: "keep the directory, restore the last backup into another one",
	})
}

func (c *checking) run(ctx context.Context, i *embedded.Inspection) (err error) {
	if c.report.Logs, err = i.CheckLogs(); err != nil {
		return err
	}
	if c.report.Tables, err = i.CheckTables(ctx); err != nil {
		return err
	}
	key := c.rootKey(ctx)
	defer key.Wipe()
	ids, whole := i.Shards()
	if len(ids) > 0 && !whole {
		c.report.Unopened = "the logs cannot be read; what follows is of the tables alone"
	}
	for n, id := range ids {
		snap := i.Snapshot(id)
		if id == 0 {
			c.base = snap
			defer func() { err = errors.Join(err, c.base.Close()) }()
		}
		err := c.shard(ctx, snap, id, n == len(ids)-1, key)
		if id != 0 {
			err = errors.Join(err, snap.Close())
		}
		if err != nil {
			return err
		}
	}
	if c.base != nil && ctx.Err() == nil {
		c.report.Shards[0].Leftover = c.queues.Leftover()
	}
	c.beside(key)
	if c.state != nil {
		c.state.Close()
	}
	return nil
}

// rootCheck tells that the file is gone by which a start would know a wrong root
// key before it opens the store.
func (c *checking) rootCheck() {
	path := filepath.Join(c.cfg.Data, dirStore, fileCheck)
	if _, err := os.Stat(path); err != nil {
		c.report.Damage = append(c.report.Damage, Damage{
			File: path, Problem: err.Error(),
			Advice: "no data are lost; a start with the right root key writes it again",
		})
	}
}

// rootKey gives the root key if it is there and of this store.
func (c *checking) rootKey(ctx context.Context) seal.Secret {
	k := &rootKeeper{cfg: c.cfg}
	key, err := k.present(ctx)
	if err == nil {
		return key
	}
	c.report.Unopened = err.Error()
	if k.source.Place != rootkey.File {
		return nil
	}
	if _, serr := os.Stat(k.source.Name); serr == nil {
		c.file(k.source.Name, err)
	}
	return nil
}

// shard reads one shard, and opens what it can.
func (c *checking) shard(
	ctx context.Context, snap store.Snapshot, id store.ShardID, last bool, key seal.Secret,
) (err error) {
	number := int(id)
	damaged := func(row string, err error) {
		c.report.Damage = append(c.report.Damage, Damage{
			Shard: &number, Row: row, Problem: err.Error(),
			Advice: "what holds the row is refused or damaged; restore the last backup, or " +
				"purge or delete the queue when it is one",
		})
	}
	r := ShardReport{Shard: number, Holds: "queues"}
	if id == 0 && key != nil {
		c.state, err = control.Inspect(snap, key)
		if err != nil {
			damaged("platform key", err)
			c.report.Unopened, c.state = err.Error(), nil
		}
		c.report.Sealed = c.state != nil
	}
	switch {
	case id == 0:
		r.Holds = "control state"
		if c.state != nil {
			r.Rows, err = c.control(ctx, damaged)
		}
	case last:
		r.Holds = "events"
		if c.state != nil {
			r.Rows, err = audit.Check(ctx, c.state, snap, id, damaged)
		}
	case c.state != nil:
		var sum broker.Checked
		sum, err = broker.Check(ctx, c.state, snap, id, c.queues.DataKey, damaged)
		r.Rows, r.Leftover, r.Orphans = sum.Rows, sum.Leftover, sum.Orphans
		if err == nil {
			var events int64
			events, err = audit.CheckData(ctx, c.state, snap, id, damaged)
			r.Rows += events
		}
	}
	if c.state == nil {
		r.Rows, _, err = embedded.Walk(ctx, snap, nil)
	} else {
		r.Older = c.state.Noted()
	}
	if err != nil && ctx.Err() == nil {
		damaged("", err)
		err = nil
	}
	c.report.Shards = append(c.report.Shards, r)
	return err
}

// control reads shard 0: every row, and what those of users, roles and keys say of
// each other; that of keys only where each row is what was written: one that is not
// would be missed by many.
func (c *checking) control(ctx context.Context, damaged func(row string, err error)) (
	rows int64, err error,
) {
	people, keys, whole := iam.NewCheck(c.state), &kms.Check{}, true
	told := func(row string, err error) {
		whole = false
		damaged(row, err)
	}
	rows, err = c.state.Check(ctx, func(t control.Table, id, value []byte) {
		keys.Row(t, id, value, told)
		c.queues.Row(t, id, value, told)
		if err := people.Row(t, id, value); err != nil {
			damaged(fmt.Sprintf("%s entry %x", t, id), err)
		}
	}, told)
	if err == nil && whole {
		keys.Done(c.state, damaged)
		c.queues.Done(c.state, damaged)
	}
	if err == nil {
		for _, err := range people.Relations() {
			damaged("users, roles and policies", err)
		}
	}
	return rows, err
}

// beside checks the files of the data directory that clients read. Those of a directory
// that was restored and not started yet are still sealed in the store.
func (c *checking) beside(root seal.Secret) {
	c.rootCheck()
	sealed, restored := c.restored(root)
	for _, f := range []struct {
		name  string
		check func(text []byte) error
	}{{fileCredentials, c.credentials}, {fileMainAdmin, checkPassword}, {fileCA, checkPEM}} {
		path := filepath.Join(c.cfg.Data, f.name)
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			if sealed[f.name] == nil && (restored || c.unserved(f.name)) {
				continue
			}
			if restored {
				path = filepath.Join(c.cfg.Data, dirStore, fileFiles)
				text, err = sealed[f.name], nil
			}
		}
		if err == nil {
			err = f.check(text)
		}
		if err != nil {
			c.report.Damage = append(c.report.Damage, Damage{
				File: path, Problem: err.Error(),
				Advice: "no data are lost; put the file back from a backup (" + fileCA +
					" is made anew by the next start)",
			})
		}
	}
}

// restored gives the files that the first start of a restored directory will write, as
// far as the root key is there, and whether there are such.
func (c *checking) restored(root seal.Secret) (files map[string][]byte, yes bool) {
	path := filepath.Join(c.cfg.Data, dirStore, fileFiles)
	if _, err := os.Stat(path); err != nil {
		return nil, false
	}
	if root == nil {
		return nil, true
	}
	key, err := filesKey(root)
	if err == nil {
		files, err = openFiles(path, key)
	}
	if err != nil {
		c.file(path, err)
	}
	return files, true
}

// unserved reports whether a file is not there yet because no process has served the
// directory; `coffer accounts create` and `coffer root init` may have made it.
func (c *checking) unserved(name string) bool {
	if c.state == nil {
		return false
	}
	if name == fileCredentials { // written with the first account
		found := false
		err := c.state.Scan(control.TableAccount, func(_, _ []byte) { found = true })
		return err == nil && !found
	}
	row := map[string]string{fileMainAdmin: "main", fileCA: "ca"}[name]
	_, found, err := c.state.Get(control.TableNode, []byte(row))
	return err == nil && !found
}

// credentials compares the file with the access key that is stored.
func (c *checking) credentials(text []byte) error {
	if c.state == nil {
		return checkCredentials(text, nil, nil)
	}
	return checkCredentials(text, c.state.MAC, c.state.Get)
}

func checkPassword(text []byte) error {
	word := strings.TrimSuffix(string(text), "\n")
	if word == "" || strings.TrimSpace(word) != word || len(word) == len(text) {
		return errors.New("not a password and a line feed")
	}
	return nil
}

func checkPEM(text []byte) error {
	for n := 0; ; n++ {
		block, rest := pem.Decode(text)
		if block == nil {
			if n == 0 || len(strings.TrimSpace(string(text))) > 0 {
				return errors.New("not a list of certificates")
			}
			return nil
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return err
		}
		text = rest
	}
}
