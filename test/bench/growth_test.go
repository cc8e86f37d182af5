package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"coffer/internal/bench"
	"coffer/internal/doctor"
)

// A ledger keeps the steps of a series that were measured, so that one that was
// interrupted goes on where it was. It and the data of the brokers lie in a directory that
// the end of a series removes, and the beginning of each step empties.
type ledger struct {
	dir   string
	of    string           // what is measured, and how
	Steps map[string]grown `json:"steps"` // by of, growth and n
}

// openLedger reads what an interrupted series left.
func openLedger(dir, of string) (*ledger, error) {
	l := &ledger{dir: dir, of: of, Steps: map[string]grown{}}
	text, err := os.ReadFile(l.file())
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err == nil {
		err = json.Unmarshal(text, l)
	}
	return l, err
}

func (l *ledger) file() string { return filepath.Join(l.dir, "growth.json") }
func (l *ledger) data() string { return filepath.Join(l.dir, "data") }

// remove removes what the ledger made, and its directory if that is empty then.
func (l *ledger) remove() error {
	err := errors.Join(os.RemoveAll(l.data()), os.Remove(l.file()))
	if err != nil {
		return err
	}
	if list, err := os.ReadDir(l.dir); err != nil || len(list) > 0 {
		return err
	}
	return os.Remove(l.dir)
}

// step gives what is known of a step, or measures it.
func (l *ledger) step(
	name string, n int64, measure func(dir string) (grown, error),
) (grown, error) {
	key := fmt.Sprintf("%s, %s, %d", l.of, name, n)
	if g, ok := l.Steps[key]; ok {
		return g, nil
	}
	if err := os.RemoveAll(l.data()); err != nil {
		return grown{}, err
	}
	if err := os.MkdirAll(l.data(), 0o700); err != nil {
		return grown{}, err
	}
	g, err := measure(l.data())
	if err != nil {
		return g, err
	}
	l.Steps[key] = g
	text, err := json.Marshal(l)
	if err != nil {
		return g, err
	}
	return g, os.WriteFile(l.file(), text, 0o600)
}

// growthLedger opens the one of these settings. One of a moment is in a directory of the
// test's; data of the others are kept away from where the system may hold files in memory.
func growthLedger(t *testing.T, s *settings) *ledger {
	t.Helper()
	dir := t.TempDir()
	if s.suite != "" {
		cache, err := os.UserCacheDir()
		check(t, err)
		dir = filepath.Join(cache, "coffer-growth")
	}
	l, err := openLedger(dir, fmt.Sprint(revision(), ", ", s.runs, " runs of ", s.duration))
	check(t, err)
	return l
}

// TestGrowth measures Coffer with ever more queues, connections and queued messages, and
// goes on where it was interrupted. Without COFFER_BENCH there are few of them.
func TestGrowth(t *testing.T) {
	s := newSettings(t)
	if s.suite != "" && s.suite != "growth" {
		t.Skip("another suite is asked for")
	}
	l := growthLedger(t, s)
	text, all := machine("Coffer", s), []series(nil)
	for _, g := range growths(s.most) {
		if s.suite == "" {
			g.steps = g.steps[:2]
		} else if !s.only.MatchString(g.name) {
			continue
		}
		var steps []grown
		for _, step := range g.steps {
			if s.suite != "" && !fits(s.out, &step.load) {
				text += fmt.Sprintf("\nThe disk has no room for %d %s.\n", step.n, g.name)
				continue
			}
			begun := time.Now()
			got, err := l.step(g.name, step.n, func(dir string) (grown, error) {
				return grow(t.Context(), s, step, dir)
			})
			if err != nil {
				t.Fatalf("%d %s: %v", step.n, g.name, err)
			}
			fmt.Fprintf(t.Output(), "%s: %+v, took %v\n", g.name, got,
				time.Since(begun).Round(time.Second/10))
			steps = append(steps, got)
		}
		text += "\n" + growthMarkdown(g.name, steps)
		all = append(all, panels(g.name, steps)...)
		for _, c := range cliff(steps) {
			if s.suite != "" {
				t.Errorf("%s: %s", g.name, c)
			}
		}
	}
	fmt.Fprint(t.Output(), text)
	chart := lines(all)
	wellFormed(t, chart)
	check(t, s.write("growth.md", text))
	check(t, s.write("growth.svg", chart))
	check(t, l.remove())
}

// grow measures one step on a broker of its own, whose data are in a directory.
func grow(ctx context.Context, s *settings, step step, dir string) (g grown, err error) {
	r, err := startCoffer(ctx, program, dir, "--low-water", fmt.Sprint(lowWater))
	if err != nil {
		return g, err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	step.load.Target, step.load.Warmup, step.load.Duration = r.to, s.warmup, s.duration
	step.load.Patience = growthPatience
	var results []*bench.Result
	for range s.runs {
		one, err := bench.Run(ctx, step.load)
		if err != nil {
			return g, err
		}
		if a := one.Messages; !a.Whole() || a.Refused != 0 {
			return g, fmt.Errorf("not every message is accounted for: %+v", a)
		}
		results = append(results, one)
	}
	return grownOf(step.n, results), nil
}

// growthPatience is for ten thousand queues that are deleted.
const growthPatience = 5 * time.Minute

// lowWater is what is left of the disk at least, in bytes.
const lowWater = 1 << 30

// fits tells whether there is room for what is queued at most, and what of it the store
// has not yet removed.
func fits(dir string, load *bench.Config) bool {
	const beside = 512 // octets of a message that are not its body, twice
	d, _, err := doctor.Space(dir)
	need := uint64(load.Preload) * (uint64(load.Size) + beside)
	return err != nil || d.Free > lowWater+need
}

// TestLedger goes on after an interruption, with what was measured in the same way.
func TestLedger(t *testing.T) {
	t.Parallel()
	dir, measured := t.TempDir(), 0
	open := func(of string) *ledger {
		t.Helper()
		l, err := openLedger(dir, of)
		check(t, err)
		return l
	}
	step := func(l *ledger, n int64, failure error) {
		t.Helper()
		g, err := l.step("queues", n, func(data string) (grown, error) {
			measured++
			list, err := os.ReadDir(data)
			check(t, err)
			if len(list) > 0 {
				t.Error("data of an earlier step are left")
			}
			check(t, os.WriteFile(filepath.Join(data, "x"), nil, 0o600))
			return grown{N: n, Confirmed: 7}, failure
		})
		if !errors.Is(err, failure) || err == nil && g.Confirmed != 7 {
			t.Errorf("%d: %+v, %v", n, g, err)
		}
	}
	l, broken := open("a"), errors.New("broken")
	step(l, 1, nil)
	step(l, 10, broken)
	l = open("a")
	step(l, 1, nil)
	step(l, 10, nil)
	if measured != 3 {
		t.Errorf("measured %d times", measured)
	}
	l = open("b")
	step(l, 1, nil)
	if measured != 4 {
		t.Errorf("what was measured in another way counts")
	}
	other := filepath.Join(dir, "other")
	check(t, os.WriteFile(other, nil, 0o600))
	check(t, l.remove())
	if list, err := os.ReadDir(dir); err != nil || len(list) != 1 || list[0].Name() != "other" {
		t.Errorf("%v is left, %v", list, err)
	}
}
