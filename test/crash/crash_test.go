package crash

import (
	"context"
	"crypto/rand"
	"fmt"
	mrand "math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"coffer/internal/amqpclient"
	"coffer/test/apiclient"
	"coffer/test/process"
)

// patience is how long one round may take.
const patience = 4 * time.Minute

// series is rounds on one data directory.
type series struct {
	t     *testing.T
	data  string
	proc  *process.Process
	noise []byte
}

// program is the built coffer.
var program string

func TestMain(m *testing.M) { os.Exit(process.Main(m, &program)) }

func newSeries(t *testing.T) *series {
	t.Helper()
	s := &series{t: t, data: filepath.Join(t.TempDir(), "data"), noise: noise()}
	s.start()
	t.Cleanup(func() {
		if err := s.proc.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// start starts the process and gives what `coffer env` prints.
func (s *series) start() map[string]string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var err error
	if s.proc, err = process.Start(ctx, program, s.data); err != nil {
		s.t.Fatal(err)
	}
	env, err := s.proc.Env(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	return env
}

func (s *series) env() map[string]string {
	s.t.Helper()
	env, err := s.proc.Env(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	return env
}

func mainBroker(env map[string]string) *amqpclient.Config {
	return &amqpclient.Config{URL: env["COFFER_AMQP_URL"], CA: env["COFFER_CA"]}
}

// must ends the test with what is known of the round: the findings come last,
// where a reader of a long output looks.
func (s *series) must(r *round, what string, err error) {
	s.t.Helper()
	if err != nil {
		s.t.Logf("log:\n%s", s.proc.Log())
		s.t.Fatalf("%s%s: %v\nplan: %v\nfindings: %q",
			r.prefix, what, err, r.plan, r.ledger.Findings())
	}
}

func (s *series) report(r *round) {
	s.t.Helper()
	findings := r.ledger.Check()
	if len(findings) == 0 {
		return
	}
	s.t.Logf("log:\n%s", s.proc.Log())
	for _, f := range findings {
		s.t.Errorf("%s%s", r.prefix, f)
	}
	s.t.Fatalf("plan: %v", r.plan)
}

// seed gives the seed of a run: COFFER_CRASH_SEED, or a new one.
func seed(t *testing.T) uint64 {
	n, err := strconv.ParseUint(os.Getenv("COFFER_CRASH_SEED"), 10, 64)
	if err != nil {
		n = mrand.Uint64()
	}
	t.Logf("COFFER_CRASH_SEED=%d", n)
	return n
}

// rounds is how many there are: COFFER_CRASH_ROUNDS, or twenty, or a few.
func rounds(t *testing.T) int {
	if n, err := strconv.Atoi(os.Getenv("COFFER_CRASH_ROUNDS")); err == nil {
		return n
	}
	if testing.Short() {
		return 3
	}
	return 20
}

// TestKill loads, kills, restarts and drains again and again on one directory.
func TestKill(t *testing.T) {
	t.Parallel()
	s := newSeries(t)
	rng := mrand.New(mrand.NewPCG(seed(t), 0))
	env := s.env()
	var deleted []string
	total := 0
	for n := range rounds(t) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		r := newRound(ctx, rng, fmt.Sprintf("r%d.", n), s.noise)
		r.target.Store(mainBroker(env))
		s.must(r, "load", r.load(s.proc.Kill))
		env = s.start()
		r.target.Store(mainBroker(env))
		s.must(r, "gone", r.gone(append(deleted, r.prefix+"memory")...))
		if r.plan.again > 0 {
			s.must(r, "interrupted drain", r.interrupt(s.proc.Kill))
			env = s.start()
			r.target.Store(mainBroker(env))
		}
		s.must(r, "drain", r.drain(true))
		s.report(r)
		deleted = []string{r.prefix + "cold-topic", r.prefix + "shared-topic"}
		total += r.ledger.Confirmed()
		cancel()
	}
	t.Logf("%d confirmed messages, the last start took %v", total, s.proc.Started())
}

// TestKillWithoutKey disables the key of a broker under load, kills, restarts
// without the key, enables it, and drains.
func TestKillWithoutKey(t *testing.T) {
	t.Parallel()
	s := newSeries(t)
	rng := mrand.New(mrand.NewPCG(seed(t), 1))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client, err := apiclient.New(s.env())
	if err != nil {
		t.Fatal(err)
	}
	b := s.newSealed(ctx, client)
	r := newRound(ctx, rng, "k.", s.noise)
	r.plan.again = 0
	at, err := client.Await(ctx, b.id, "RUNNING")
	s.must(r, "create", err)
	r.target.Store(b.config(s, at))
	s.must(r, "load", r.load(s.proc.Kill, func() error {
		r.locked.Store(true)
		a := r.expect(func(r *round) bool { return r.refusals.Load() > 100 })
		err := client.KMS(ctx, "DisableKey", map[string]any{"KeyId": b.key}, nil)
		if err != nil {
			return err
		}
		return r.await(a, nil)
	}))
	client, err = apiclient.New(s.start())
	s.must(r, "restart", err)
	at, err = client.Await(ctx, b.id, "CRITICAL_ACTION_REQUIRED")
	s.must(r, "restart without key", err)
	r.target.Store(b.config(s, at))
	s.must(r, "publish without key", r.refused())
	s.must(r, "enable", client.KMS(ctx, "EnableKey", map[string]any{"KeyId": b.key}, nil))
	s.must(r, "drain", r.drain(true))
	s.report(r)
}

// sealed is a broker on a key of its own.
type sealed struct{ id, key, password string }

func (s *series) newSealed(ctx context.Context, client *apiclient.Client) *sealed {
	s.t.Helper()
	b := &sealed{password: "pw-" + rand.Text()}
	var err error
	if b.key, err = client.CreateKey(ctx); err != nil {
		s.t.Fatal(err)
	}
	if b.id, err = client.CreateBroker(ctx, "crash", b.key, "crash", b.password); err != nil {
		s.t.Fatal(err)
	}
	return b
}

// config gives where its clients connect now.
func (b *sealed) config(s *series, at apiclient.Broker) *amqpclient.Config {
	s.t.Helper()
	u, err := url.Parse(at.Instances[0].Endpoints[0])
	if err != nil {
		s.t.Fatal(err)
	}
	u.User = url.UserPassword("crash", b.password)
	return &amqpclient.Config{URL: u.String(), CA: filepath.Join(s.data, "ca.pem")}
}
