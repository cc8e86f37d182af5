package iamsimulate

import (
	"os"
	"slices"
	"strings"
	"testing"
)

const (
	seed  = 1
	cases = 20_000
	batch = 500
)

// TestAgainstIAMSimulate compares 20 000 decisions. COFFER_IAMSIMULATE is the
// command of the other evaluator, which run.sh gives.
func TestAgainstIAMSimulate(t *testing.T) {
	command := strings.Fields(os.Getenv("COFFER_IAMSIMULATE"))
	if len(command) == 0 {
		t.Skip("COFFER_IAMSIMULATE is not set: see run.sh")
	}
	s, err := start(t.Context(), command, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	}()
	r, sum, unexplained := newSource(seed), newTally(), 0
	for range cases / batch {
		var scenes []*scene
		for range batch {
			scenes = append(scenes, r.scene())
		}
		answers, err := s.ask(scenes)
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range scenes {
			names, same := compare(t, c, &answers[i])
			sum.add(t, c)
			switch {
			case same:
			case names != nil:
				sum.explained[strings.Join(names, " + ")]++
			case unexplained < 10:
				unexplained++
				report(t, s, c)
			}
		}
	}
	sum.check(t)
	sum.checkDifferences(t)
}

// compare decides a scene and gives the names of the differences that explain
// another answer.
func compare(t *testing.T, c *scene, a *answer) (names []string, same bool) {
	t.Helper()
	if a.Error != "" {
		t.Fatalf("%s\n%s", a.Error, show(c))
	}
	for _, key := range a.Ignored {
		delete(c.context, key)
	}
	ours, _, err := c.decide()
	if err != nil {
		t.Fatal(err)
	}
	if ours == a.Result {
		return nil, true
	}
	names, err = c.explain(a.Result)
	if err != nil {
		t.Fatal(err)
	}
	return names, false
}

// report shows what nothing explains, made as short as it can be.
func report(t *testing.T, s *simulator, c *scene) {
	t.Helper()
	var theirs decision
	c = reduce(c, func(c *scene) bool {
		answers, err := s.ask([]*scene{c})
		if err != nil || answers[0].Error != "" {
			return false
		}
		names, same := compare(t, c, &answers[0])
		if same || names != nil {
			return false
		}
		theirs = answers[0].Result
		return true
	})
	ours, d, err := c.decide()
	if err != nil {
		t.Fatal(err)
	}
	t.Errorf("%s, and iam-simulate says %s\n%s%s", ours, theirs, d.Explain(), show(c))
}

// TestDistribution proves that the generator reaches every decision often, and
// every operator both met and unmet.
func TestDistribution(t *testing.T) {
	t.Parallel()
	r, sum := newSource(seed), newTally()
	for range 1_000 {
		sum.add(t, r.scene())
	}
	sum.check(t)
}

// TestReduce makes a scene short without losing what is asked of it.
func TestReduce(t *testing.T) {
	t.Parallel()
	r := newSource(seed)
	c := r.scene()
	for c.attached == nil || len(c.identity) < 2 {
		c = r.scene()
	}
	short := reduce(c, func(c *scene) bool { return c.attached != nil })
	if len(short.identity) != 0 || short.boundary != nil || len(short.context) != 0 ||
		len(short.attached.statements) != 1 || len(short.attached.statements[0].conditions) != 0 {
		t.Errorf("left: %s", show(short))
	}
}

// tally counts what a run has reached.
type tally struct {
	cases     int
	decisions map[decision]int
	unmet     map[string]int // by operator, and by qualifier
	met       map[string]int
	explained map[string]int
}

func newTally() *tally {
	return &tally{decisions: map[decision]int{}, unmet: map[string]int{}, met: map[string]int{},
		explained: map[string]int{}}
}

func (n *tally) add(t *testing.T, c *scene) {
	t.Helper()
	n.cases++
	got, _, err := c.decide()
	if err != nil {
		t.Fatal(err)
	}
	n.decisions[got]++
	r, err := c.request()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range c.documents() {
		for _, st := range d.statements {
			for _, cond := range st.conditions {
				met, err := holds(r, cond)
				if err != nil {
					t.Fatal(err)
				}
				count := n.unmet
				if met {
					count = n.met
				}
				count[cond.base()]++
				if cond.set() != "" {
					count[cond.set()]++
				}
				if cond.ifExists() {
					count["IfExists"]++
				}
			}
		}
	}
}

// check prints the distribution and refuses one that proves little.
func (n *tally) check(t *testing.T) {
	t.Helper()
	for _, d := range []decision{allowed, explicit, implicit} {
		share := 100 * n.decisions[d] / n.cases
		t.Logf("%-26s %6d  %d %%", d, n.decisions[d], share)
		if share < 10 {
			t.Errorf("%s: %d of %d", d, n.decisions[d], n.cases)
		}
	}
	names := append(allOperators(), "ForAllValues", "ForAnyValue", "IfExists")
	slices.Sort(names)
	for _, op := range names {
		t.Logf("%-26s %6d met %6d not", op, n.met[op], n.unmet[op])
		if min(n.met[op], n.unmet[op]) < n.cases/400 {
			t.Errorf("%s: %d met, %d not", op, n.met[op], n.unmet[op])
		}
	}
}

// checkDifferences prints why decisions differ, and wants every known
// difference in the run and in DIFFERENCES.md.
func (n *tally) checkDifferences(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile("DIFFERENCES.md")
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, names := range sortedKeys(n.names()) {
		t.Logf("%6d differ: %s", n.explained[names], names)
		total += n.explained[names]
	}
	t.Logf("%6d of %d differ, all explained", total, n.cases)
	for _, d := range differences() {
		if !strings.Contains(string(text), "\n## "+d.name+"\n") {
			t.Errorf("DIFFERENCES.md says nothing of %q", d.name)
		}
		seen := false
		for names := range n.explained {
			seen = seen || slices.Contains(strings.Split(names, " + "), d.name)
		}
		if !seen {
			t.Errorf("no case differs by %q", d.name)
		}
	}
}

func (n *tally) names() map[string]string {
	out := map[string]string{}
	for k := range n.explained {
		out[k] = ""
	}
	return out
}
