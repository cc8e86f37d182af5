package doctor

import (
	"crypto/x509"
	"math"
	"slices"
	"testing"
	"time"
)

// found are the findings of a report, as id and severity.
func found(r *Report) (list []string) {
	r.Sort()
	for _, f := range r.Findings {
		list = append(list, f.ID+" "+string(f.Severity))
	}
	return list
}

// judged is one thing as it is seen, and what is to be found.
type judged struct {
	name  string
	check func(*Report)
	want  []string
}

func run(t *testing.T, table []judged) {
	t.Helper()
	for _, row := range table {
		r := &Report{}
		row.check(r)
		if got := found(r); !slices.Equal(got, row.want) {
			t.Errorf("%s: found %q, want %q", row.name, got, row.want)
		}
		if len(row.want) == 0 && len(r.Checked)+len(r.Skipped) == 0 {
			t.Errorf("%s: nothing was looked at", row.name)
		}
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	yes, no, now := true, false, time.Now()
	clock := func(newest time.Time, unsynced *bool) func(*Report) {
		return Clock{Now: now, Newest: newest, Unsynced: unsynced}.Check
	}
	run(t, []judged{
		{"fine", clock(now.Add(-time.Hour), &no), nil},
		{"unknown", clock(time.Time{}, nil), nil},
		{"a small step", clock(now.Add(time.Second), &no), nil},
		{"stepped back", clock(now.Add(time.Minute), &no), []string{"clock.back warning"}},
		{"far back", clock(now.Add(time.Hour), &no), []string{"clock.back error"}},
		{"nobody sets it", clock(now, &yes), []string{"clock.sync warning"}},
	})
}

func TestDisk(t *testing.T) {
	t.Parallel()
	disk := func(change func(*Disk)) func(*Report) {
		d := Disk{Free: 100 << 30, LowWater: 5 << 30, Type: "ext4"}
		for range syncWrites {
			d.Syncs = append(d.Syncs, 300*time.Microsecond)
		}
		change(&d)
		return d.Check
	}
	take := func(took time.Duration) func(*Report) {
		return disk(func(d *Disk) {
			for i := range d.Syncs[:5] {
				d.Syncs[i] = took
			}
		})
	}
	of := func(kind string) func(*Report) { return disk(func(d *Disk) { d.Type = kind }) }
	run(t, []judged{
		{"fine", disk(func(*Disk) {}), nil},
		{"nearly full", disk(func(d *Disk) { d.Free = 9 << 30 }), []string{"disk.space warning"}},
		{"full", disk(func(d *Disk) { d.Free = 4 << 30 }), []string{"disk.space error"}},
		{"memory", of("tmpfs"), []string{"disk.filesystem error"}},
		{"container", of("overlay"), []string{"disk.filesystem warning"}},
		{"network", of("nfs"), []string{"disk.filesystem warning"}},
		{"unknown", of(""), nil},
		{"slow", take(80 * time.Millisecond), []string{"disk.sync warning"}},
		{"stuck", take(2 * time.Second), []string{"disk.sync error"}},
		{"lies", take(2 * time.Microsecond), []string{"disk.sync warning"}},
		{"few inodes", disk(func(d *Disk) { d.Inodes, d.Files = 100, 1<<20 }),
			[]string{"disk.inodes warning"}},
		{"inodes", disk(func(d *Disk) { d.Inodes, d.Files = 1<<19, 1<<20 }), nil},
		{"no bound of inodes", disk(func(d *Disk) { d.Inodes, d.Files = 0, 0 }), nil},
		{"syncs that lie", disk(func(d *Disk) { d.Options = []string{"rw", "nobarrier"} }),
			[]string{"disk.options error"}},
		{"other options", disk(func(d *Disk) { d.Options = []string{"rw", "noatime"} }), nil},
		{"one slow piece", disk(func(d *Disk) { d.Syncs[3] = time.Second }), nil},
		{"unwritten", disk(func(d *Disk) { d.Syncs = nil }), nil},
	})
}

func TestLimits(t *testing.T) {
	t.Parallel()
	limits := func(change func(*Limits)) func(*Report) {
		l := Limits{
			Serving: true, Files: 1 << 20, Open: 1 << 19, Connections: 20_000,
			Threads: math.MaxInt64, Available: 8 << 30, Backlog: 4096,
			Memory: math.MaxInt64, GoMemory: math.MaxInt64, Procs: 8,
		}
		change(&l)
		return l.Check
	}
	run(t, []judged{
		{"fine", limits(func(*Limits) {}), nil},
		{"few files", limits(func(l *Limits) { l.Files = 20_000 }),
			[]string{"limit.files warning"}},
		{"no files", limits(func(l *Limits) { l.Files = 1000 }), []string{"limit.files error"}},
		{"a bound alone", limits(func(l *Limits) { l.Memory = 1 << 30 }),
			[]string{"limit.memory warning"}},
		{"a bound and a limit below", limits(func(l *Limits) {
			l.Memory, l.GoMemory = 1<<30, 900<<20
		}), nil},
		{"a limit above", limits(func(l *Limits) { l.Memory, l.GoMemory = 1<<30, 1<<30 }),
			[]string{"limit.memory warning"}},
		{"more threads than CPUs", limits(func(l *Limits) { l.CPUs = 2.5 }),
			[]string{"limit.cpu warning"}},
		{"as many", limits(func(l *Limits) { l.CPUs = 7.5 }), nil},
		{"files are used up", limits(func(l *Limits) { l.Open = 1<<20 - 1000 }),
			[]string{"limit.files warning"}},
		{"the files of who asks", limits(func(l *Limits) {
			l.Open, l.Serving = 1<<20, false
		}), nil},
		{"swap", limits(func(l *Limits) { l.Swap = 1 << 30 }), []string{"limit.swap warning"}},
		{"a core", limits(func(l *Limits) { l.Core = true }), []string{"limit.core warning"}},
		{"the swap and core of who asks", limits(func(l *Limits) {
			l.Swap, l.Core, l.Serving = 1<<30, true, false
		}), nil},
		{"few threads", limits(func(l *Limits) { l.Threads = 100 }),
			[]string{"limit.threads warning"}},
		{"a short queue of clients", limits(func(l *Limits) { l.Backlog = 128 }),
			[]string{"limit.backlog note"}},
		{"little memory", limits(func(l *Limits) { l.Available = 100 << 20 }),
			[]string{"limit.available warning"}},
	})
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	day, now := 24*time.Hour, time.Now()
	one := func(from, to time.Duration, host string) func(*Report) {
		c := Certificate{
			Name: "x", Host: host, Soon: 21 * day, Do: "renew it",
			Cert: &x509.Certificate{
				NotBefore: now.Add(from), NotAfter: now.Add(to), DNSNames: []string{"a.example"},
			},
		}
		return func(r *Report) { CheckCertificates(r, now, []Certificate{c}) }
	}
	run(t, []judged{
		{"fine", one(-day, 60*day, "a.example"), nil},
		{"ends soon", one(-day, 20*day, ""), []string{"certificate.dates warning"}},
		{"has ended", one(-day, 0, ""), []string{"certificate.dates error"}},
		{"begins later", one(time.Second, 60*day, ""), []string{"certificate.dates error"}},
		{"another name", one(-day, 60*day, "b.example"), []string{"certificate.names error"}},
	})
}

func TestPublic(t *testing.T) {
	t.Parallel()
	at := func(address string) func(*Report) {
		return func(r *Report) { CheckPublic(r, address) }
	}
	run(t, []judged{
		{"loopback", at("127.0.0.1"), nil},
		{"localhost", at("localhost"), nil},
		{"everywhere", at("0.0.0.0"), []string{"port.public note"}},
		{"everywhere in six", at("::"), []string{"port.public note"}},
	})
}

// TestOrder puts errors first and counts them.
func TestOrder(t *testing.T) {
	t.Parallel()
	r := &Report{}
	r.Find("b", Note, "", "")
	r.Find("c", Error, "", "%d", 1)
	r.Find("a", Warning, "", "")
	r.Find("a", Error, "", "")
	want := []string{"a error", "c error", "a warning", "b note"}
	if got := found(r); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if r.Count(Error) != 2 || r.Count(Warning) != 1 || len(r.Checked) != 3 {
		t.Errorf("counted %+v", r)
	}
}
