package node

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"coffer/internal/audit"
	"coffer/internal/control"
	"coffer/internal/doctor"
	"coffer/internal/rootkey"
	"coffer/internal/service/kms"
	"coffer/internal/service/mq"
	"coffer/internal/store"
	"coffer/internal/store/embedded"
)

const (
	// maxSaid bounds how many brokers or keys findings name, each.
	maxSaid = 50
	// oldBackup and oldHead are what somebody should look at.
	oldBackup = 8 * day
	oldHead   = time.Minute
)

// examine is what the process that serves tells of itself.
func (n *Node) examine(ctx context.Context, _ struct{}) (any, error) {
	return n.examineAt(ctx, time.Now)
}

func (n *Node) examineAt(ctx context.Context, now func() time.Time) (*doctor.Report, error) {
	n.rootTurn.Lock()
	source := n.keeper.source
	n.rootTurn.Unlock()
	e := &examination{
		cfg: &n.cfg, r: &doctor.Report{Data: n.cfg.Data, State: stateServing}, now: now,
		source: source,
	}
	e.machine()
	if _, err := os.Stat(filepath.Join(n.cfg.Data, dirStore, "RESERVE")); err == nil {
		e.r.Look("disk.reserve")
	} else {
		e.r.Find("disk.reserve", doctor.Warning, "free space on the disk; it is made again then",
			"the space that is kept for a full disk is not there")
	}
	n.examineStore(ctx, e.r)
	n.fleet.examine(e.r)
	trailHeads(e.r, n.trail.Stats())
	clock := doctor.Clock{Unsynced: doctor.Unsynced()}
	err := n.db.View(ctx, func(ctx context.Context, tx *control.Tx) error {
		clock.Newest = tx.Time() // of the clock, unless that went back
		list, err := n.keys.Deletions(ctx)
		deletions(e.r, list)
		return errors.Join(err, e.backup(tx.Get))
	})
	clock.Now = now()
	clock.Check(e.r)
	e.r.Sort()
	return e.r, err
}

// examineStore looks at the store while it is open.
func (n *Node) examineStore(ctx context.Context, r *doctor.Report) {
	const files, health = "store.damage", "store.health"
	r.Look(health)
	r.Look(files)
	for _, err := range []error{n.storeHealth(ctx), n.roomHealth(ctx), n.syncHealth(ctx)} {
		if err != nil {
			r.Find(health, doctor.Error, "the log of the process says more", "%v", err)
		}
	}
	for _, name := range n.engine.Damaged() {
		r.Find(files, doctor.Error, "restore the last backup into another directory; see "+
			"coffer check", "%s was damaged and set aside", name)
	}
}

// examine looks at the brokers.
func (f *fleet) examine(r *doctor.Report) {
	const id = "broker.state"
	r.Look(id)
	f.mu.Lock()
	defer f.mu.Unlock()
	said := 0
	for name, b := range f.brokers {
		s := f.state(b)
		if s.Phase != mq.Locked && s.Phase != mq.Failed {
			continue
		}
		if said++; said > maxSaid {
			continue
		}
		if s.Phase == mq.Failed {
			r.Find(id, doctor.Error, "see to that and reboot it",
				"broker b-%s could not be started: %v", name, b.err)
			continue
		}
		r.Find(id, doctor.Error, "enable the key or give back the grant; no message is lost "+
			"meanwhile", "broker b-%s is locked: %s", name, s.Reason)
	}
	if said > maxSaid {
		r.Find(id, doctor.Error, "see DescribeBroker of each",
			"%d more brokers are locked or failed", said-maxSaid)
	}
}

// deletions tells of keys that wait for their end.
func deletions(r *doctor.Report, list []kms.Deletion) {
	const id = "key.deletion"
	r.Look(id)
	for _, d := range list[:min(len(list), maxSaid)] {
		at := d.At.UTC().Format(time.RFC3339)
		if d.Grants == 0 {
			r.Find(id, doctor.Note, "CancelKeyDeletion keeps it", "%s is deleted at %s; no grant "+
				"is left on it", d.ARN, at)
			continue
		}
		r.Find(id, doctor.Warning, "see what uses it with coffer keys usage; CancelKeyDeletion "+
			"keeps it", "%s is deleted at %s, and %d grants rest on it", d.ARN, at, d.Grants)
	}
}

// stopped looks at a directory that no process answers for.
func (e *examination) stopped(ctx context.Context) {
	clock := doctor.Clock{Now: e.now(), Unsynced: doctor.Unsynced()}
	e.state(ctx, &clock)
	clock.Check(e.r)
	e.machine()
	e.free(ctx)
}

// state opens what is stored, as far as the key for it is here.
func (e *examination) state(ctx context.Context, clock *doctor.Clock) {
	k := &rootKeeper{cfg: e.cfg}
	dir := k.store()
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		e.r.Skip("store", "there is none yet")
		e.source, _ = k.choose()
		return
	}
	key, err := k.present(ctx)
	defer key.Wipe()
	e.source = k.source
	if err != nil {
		e.r.Skip("state", "it is not opened: "+explained(err))
		if k.source.Place == rootkey.File {
			e.r.Find("key.opens", doctor.Error, "name it with --root-key", "%s", explained(err))
		}
	} else {
		e.r.Look("key.opens")
	}
	e.r.Look("store.damage")
	i, err := embedded.Inspect(embedded.Config{Dir: dir}, func(file string, err error) {
		e.r.Find("store.damage", doctor.Error, "run coffer check, and restore the last backup "+
			"into another directory", "%s: %v", file, err)
	})
	if err != nil {
		e.unopened(err)
		return
	}
	defer i.Close()
	if _, _, from := i.Identity(); from != 0 {
		e.r.Find("store.upgrade", doctor.Note, "start it; that ends the upgrade",
			"an upgrade from format %d was not ended", from)
	}
	if ids, _ := i.Shards(); len(ids) == 0 || key == nil {
		return
	}
	snap := i.Snapshot(0)
	defer snap.Close()
	if err := e.rows(snap, key, clock); err != nil {
		e.r.Find("store.damage", doctor.Error, "run coffer check", "control state: %v", err)
	}
}

// unopened tells why the store cannot be read.
func (e *examination) unopened(err error) {
	do := "see doc/operate/recover.md"
	if errors.Is(err, store.ErrInUse) {
		do = "a process has it and does not answer on " + fileSocket +
			": run this as its user, or look whether it is stuck"
	}
	e.r.Find("store.open", doctor.Error, do, "%v", err)
}

// rows reads the control state.
func (e *examination) rows(snap store.Snapshot, key []byte, clock *doctor.Clock) error {
	state, err := control.Inspect(snap, key)
	if err != nil {
		return err
	}
	defer state.Close()
	if clock.Newest, err = state.Time(); err != nil {
		return err
	}
	var list []kms.Deletion
	err = state.Scan(control.TableKey, func(id, value []byte) {
		if d, ok := kms.ParseDeletion(id, value); ok {
			list = append(list, d)
		}
	})
	deletions(e.r, list)
	return errors.Join(err, e.backup(state.Get))
}

// backup tells how old the newest backup is that was carried away whole.
func (e *examination) backup(
	get func(t control.Table, id []byte) ([]byte, bool, error),
) error {
	const id, do = "backup.age", "make one with coffer backup, and keep it elsewhere"
	e.r.Look(id)
	v, ok, err := get(control.TableNode, []byte(rowCopied))
	if err != nil {
		return err
	}
	if !ok {
		e.r.Find(id, doctor.Note, do, "no backup was ever carried away")
		return nil
	}
	var last copiedBackup
	if err := json.Unmarshal(v, &last); err != nil {
		return err
	}
	if age := e.now().Sub(last.Created); age > oldBackup {
		e.r.Find(id, doctor.Warning, do, "the newest backup is %d days old", int(age/day))
	}
	return nil
}

// trailHeads tells whether the trail is signed as it should be.
func trailHeads(r *doctor.Report, s audit.Stats) {
	const id = "trail.heads"
	r.Look(id)
	if s.Err != nil {
		r.Find(id, doctor.Error, "make room or give access where --audit-heads is",
			"heads of the audit trail are not written: %v", s.Err)
	}
	if s.Age > oldHead {
		r.Find(id, doctor.Error, "the log says why", "no head of the audit trail was signed for %v",
			s.Age.Round(time.Second))
	}
}

// free looks whether the ports can be had that a start would take.
func (e *examination) free(ctx context.Context) {
	c := e.cfg
	if c.AutoPorts {
		e.r.Skip("port.taken", "the system chooses the ports")
		return
	}
	address := c.Listen
	if address == "localhost" {
		address = "127.0.0.1"
	}
	ports := []doctor.Port{
		{Name: "AWS APIs", Flag: "--api-port", Address: address, Number: c.APIPort},
		{Name: "AMQP", Flag: "--amqp-port", Address: address, Number: c.AMQPPort},
		{Name: "management", Flag: "--management-port", Address: address, Number: c.ManagementPort},
		{Name: "metrics", Flag: "--metrics-port", Address: "127.0.0.1", Number: c.MetricsPort},
	}
	if c.InsecureLoopback {
		ports = append(ports, doctor.Port{Name: "AMQP without TLS", Flag: "--amqp-plain-port",
			Address: "127.0.0.1", Number: c.AMQPPlainPort})
	}
	doctor.CheckFree(ctx, e.r, ports)
}

// examine is what a process tells that waits for shares.
func (s *sealed) examine(context.Context, struct{}) (any, error) {
	now := s.status()
	e := &examination{
		cfg: &s.n.cfg, r: &doctor.Report{Data: s.n.cfg.Data, State: stateSealed}, now: time.Now,
		source: rootkey.Source{Kind: rootkey.Shares},
	}
	e.r.Find("key.sealed", doctor.Error, "give shares with coffer unseal",
		"nothing is served: %d of %d shares of the root key were given", now.Given, now.Needed)
	e.r.Skip("state", "it is not open while shares are missing")
	e.machine()
	e.r.Sort()
	return e.r, nil
}
