package differential

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"coffer/test/process"
	"coffer/test/rabbitmq"
)

// What a run is made of.
const (
	fixedSeed   = 1
	fixedSteps  = 2400
	scriptSteps = 80
	shrinkTime  = 30 * time.Second

	manyDifferences = 5 // are enough
)

// number reads a setting of make differential.
func number(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// TestDifferential plays scripts to RabbitMQ and to Coffer.
func TestDifferential(t *testing.T) {
	t.Parallel()
	if _, err := rabbitmq.Find(); err != nil {
		t.Skip("nothing to compare with: ", err)
	}
	seed := number(t, "COFFER_DIFFERENTIAL_SEED", fixedSeed)
	steps := int(number(t, "COFFER_DIFFERENTIAL_STEPS", fixedSteps))
	p := start(t)
	done, rounds := 0, uint64(0)
	for found := 0; done < steps && found < manyDifferences; rounds++ {
		script := generate(seed, rounds, scriptSteps)
		done += len(script)
		at, difference, err := p.play(t.Context(), script)
		if err != nil {
			t.Fatalf("seed %d, script %d, step %d: %v\n%s", seed, rounds, at, err,
				lines(script[:at+1]))
		}
		if difference == "" {
			continue
		}
		short, shown := p.shrink(t.Context(), script[:at+1], difference, shrinkTime)
		t.Errorf("seed %d, script %d: a difference that nothing explains\n%s\n%s",
			seed, rounds, shown, lines(short))
		found++
	}
	for _, kind := range slices.Sorted(maps.Keys(p.kinds)) {
		t.Logf("%5d × %s", p.kinds[kind], kind)
	}
	t.Logf("%d steps in %d scripts of seed %d", done, rounds, seed)
	for i := range differences {
		t.Logf("%5d × %s", p.used[differences[i].name], differences[i].name)
	}
}

// start runs both brokers until the test ends.
func start(t *testing.T) *pair {
	t.Helper()
	ctx, dir := t.Context(), t.TempDir()
	binary, err := process.Build(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	coffer, err := process.Start(ctx, binary, filepath.Join(dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := coffer.Stop(); err != nil {
			t.Error(err)
		}
	})
	env, err := coffer.Env(ctx)
	if err != nil {
		t.Fatal(err)
	}
	ours := secure(t, env)
	rabbit, err := rabbitmq.Start(ctx, rabbitmq.Config{
		Users:   []rabbitmq.User{{Name: ours.user, Password: ours.password}},
		Plugins: []string{"rabbitmq_consistent_hash_exchange"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rabbit.Stop(); err != nil {
			t.Error(err)
		}
	})
	theirs := target{user: ours.user, password: ours.password}
	theirs.dial = func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", rabbit.Addr)
	}
	p := &pair{
		rabbit: newSide(theirs), coffer: newSide(ours),
		wait: time.Duration(number(t, "COFFER_DIFFERENTIAL_PATIENCE", 60)) * time.Second,
		used: map[string]int{}, kinds: map[string]int{},
		queues:    append(slices.Clone(queueNames[:]), "nowhere", long),
		exchanges: append(slices.Clone(exchangeNames[:]), "nowhere", long),
	}
	t.Cleanup(func() {
		for _, s := range []*side{p.rabbit, p.coffer} {
			for _, l := range s.links {
				l.net.Close()
			}
		}
	})
	return p
}

// secure gives the way to Coffer, over TLS.
func secure(t *testing.T, env map[string]string) target {
	t.Helper()
	u, err := url.Parse(env["COFFER_AMQP_URL"])
	pem, err2 := os.ReadFile(env["COFFER_CA"])
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	d := &tls.Dialer{Config: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}}
	password, _ := u.User.Password()
	if u.User.Username() != userName {
		t.Fatalf("the user is %s, not %s", u.User.Username(), userName)
	}
	return target{
		user: userName, password: password,
		dial: func(ctx context.Context) (net.Conn, error) {
			return d.DialContext(ctx, "tcp", u.Host)
		},
	}
}
