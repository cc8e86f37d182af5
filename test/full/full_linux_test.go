// Package full is the built binary on a disk that others fill: a small file
// system in memory, mounted for the test, and a ballast file on it.
//
// It shows that publishes are refused in time while settlements and key
// operations go on, that service resumes by itself on the same connections, and
// that nothing confirmed is lost. It needs the right to mount, and is skipped
// without.
package full

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/test/process"
	"coffer/test/story/kit"
)

// binary is the built coffer.
var binary string

func TestMain(m *testing.M) { os.Exit(process.Main(m, &binary)) }

const (
	diskSize = "size=512m"
	lowWater = "--low-water=32MiB"
	mark     = 32 << 20
	window   = 64 // publishes that await their confirm
	step     = 500
)

// disk is a mounted file system with a ballast file.
type disk struct {
	t   *testing.T
	dir string
}

func mount(t *testing.T) *disk {
	t.Helper()
	d := &disk{t: t, dir: t.TempDir()}
	err := syscall.Mount("coffer-full", d.dir, "tmpfs", 0, diskSize)
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		t.Skip("mounting a small file system needs the right to do so: run the test as root")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(d.dir, 0); err != nil {
			t.Error(err)
		}
	})
	return d
}

func (d *disk) free() int64 {
	var s syscall.Statfs_t
	if err := syscall.Statfs(d.dir, &s); err != nil {
		d.t.Fatal(err)
	}
	return int64(s.Bavail) * s.Bsize
}

func (d *disk) ballast() string { return filepath.Join(d.dir, "ballast") }

// fill leaves so many bytes, or what is left when others write meanwhile.
func (d *disk) fill(left int64) {
	d.t.Helper()
	f, err := os.OpenFile(d.ballast(), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	for more := d.free() - left; more > 0; more = d.free() - left {
		info, err := f.Stat()
		if err == nil {
			err = syscall.Fallocate(int(f.Fd()), 0, info.Size(), more)
		}
		if err != nil && !errors.Is(err, syscall.ENOSPC) {
			d.t.Fatal(err)
		}
	}
}

func (d *disk) clear() {
	d.t.Helper()
	if err := os.Remove(d.ballast()); err != nil {
		d.t.Fatal(err)
	}
}

// load is a publisher that awaits confirms and a consumer that settles, on two
// connections that last from the first message to the last.
type load struct {
	out      *amqp.Channel
	told     <-chan amqp.Confirmation
	blocking <-chan amqp.Blocking

	mu       sync.Mutex
	ids      int // of the last message, counted from 1
	first    int // the last one before this connection
	verdict  map[int]bool
	refused  int
	accepted int
	received map[int]bool
}

const queue = "full"

func begin(t *testing.T, s *kit.Server) *load {
	t.Helper()
	l := &load{verdict: map[int]bool{}, received: map[int]bool{}}
	l.connect(t, s)
	return l
}

// connect begins anew, with the first process or a later one.
func (l *load) connect(t *testing.T, s *kit.Server) {
	t.Helper()
	l.first = l.ids
	conn := s.Dial(s.Main())
	l.blocking = conn.NotifyBlocked(make(chan amqp.Blocking, 100))
	l.out = open(t, conn)
	if err := l.out.Confirm(false); err != nil {
		t.Fatal(err)
	}
	l.told = l.out.NotifyPublish(make(chan amqp.Confirmation, window))
	if _, err := l.out.QueueDeclare(queue, true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	l.consume(t, open(t, s.Dial(s.Main())))
}

func open(t *testing.T, conn *amqp.Connection) *amqp.Channel {
	t.Helper()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// consume settles everything that comes until the channel ends.
func (l *load) consume(t *testing.T, in *amqp.Channel) {
	t.Helper()
	if err := in.Qos(100, 0, false); err != nil {
		t.Fatal(err)
	}
	list, err := in.Consume(queue, "", false, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for d := range list {
			id, err := strconv.Atoi(string(d.Body[:20]))
			if err != nil {
				t.Error(err)
			}
			l.mu.Lock()
			l.received[id] = true
			l.mu.Unlock()
			if d.Ack(false) != nil {
				return
			}
		}
	}()
}

// publish sends n messages and waits until each is confirmed or refused.
func (l *load) publish(t *testing.T, random *rand.Rand, n int) {
	t.Helper()
	for sent, told := 0, 0; told < n; {
		for ; sent < n && sent-told < window; sent++ {
			l.ids++
			id := l.ids
			body := append(fmt.Appendf(nil, "%020d", id), make([]byte, random.IntN(16<<10))...)
			err := l.out.PublishWithContext(t.Context(), "", queue, false, false,
				amqp.Publishing{DeliveryMode: amqp.Persistent, Body: body})
			if err != nil {
				t.Fatal(err)
			}
		}
		c := kit.Receive(t, "a confirm", l.told)
		told++
		l.mu.Lock()
		l.verdict[l.first+int(c.DeliveryTag)] = c.Ack
		if c.Ack {
			l.accepted++
		} else {
			l.refused++
		}
		l.mu.Unlock()
	}
}

// drained reports whether everything confirmed came to the consumer.
func (l *load) drained() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, ok := range l.verdict {
		if ok && !l.received[id] {
			return false
		}
	}
	return true
}

// await publishes until one message is confirmed, or refused.
func (l *load) await(t *testing.T, random *rand.Rand, accepted bool) {
	t.Helper()
	kit.Wait(t, fmt.Sprint("a publish that is confirmed: ", accepted), func() bool {
		before := l.accepted
		l.publish(t, random, 1)
		return (l.accepted > before) == accepted
	})
}

// blocked waits until the client was told.
func (l *load) blocked(t *testing.T, active bool) {
	t.Helper()
	for b := range l.blocking {
		if b.Active == active {
			return
		}
	}
	t.Fatal("the connection ended")
}

// told fails the test unless the answer to operators holds the text.
func told(t *testing.T, data, path, want string) {
	t.Helper()
	var ports struct {
		Metrics int `json:"metrics"`
	}
	b, err := os.ReadFile(filepath.Join(data, "endpoints.json"))
	if err == nil {
		err = json.Unmarshal(b, &ports)
	}
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", ports.Metrics, path))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(text), want) {
		t.Errorf("%s: %s, %v, no %q in\n%s", path, resp.Status, err, want, text)
	}
}

// keys uses the API for what is durable.
func keys(t *testing.T, a *kit.AWS, key string) {
	t.Helper()
	kit.Do(t, a.KMS.DisableKey, &kms.DisableKeyInput{KeyId: &key})
	kit.Do(t, a.KMS.EnableKey, &kms.EnableKeyInput{KeyId: &key})
}

// TestFull fills the disk at random moments and to random degrees, thrice to the
// last byte.
func TestFull(t *testing.T) {
	d := mount(t)
	data := filepath.Join(d.dir, "data")
	s := kit.Start(t, kit.Config{Binary: binary, Data: data, Args: []string{lowWater}})
	random := rand.New(rand.NewPCG(1, 2))
	a := s.AWS()
	key := kit.CreateKey(t, a)
	l := begin(t, s)
	for round := range 9 {
		l.publish(t, random, random.IntN(step))
		left := int64(0)
		if round%3 > 0 {
			left = random.Int64N(mark * 3 / 4)
		}
		d.fill(left)
		l.await(t, random, false)
		l.blocked(t, true)
		keys(t, a, key)
		kit.Wait(t, "all that was confirmed", l.drained)
		told(t, data, "/metrics", "coffer_store_room 0\n")
		told(t, data, "/readyz", "disk space: warning: the disk is almost full")
		d.clear()
		l.blocked(t, false)
		l.await(t, random, true)
		told(t, data, "/metrics", "coffer_store_room 1\n")
	}
	if l.refused < 9 || l.accepted < 9 {
		t.Errorf("%d were refused, %d confirmed", l.refused, l.accepted)
	}
	kit.Wait(t, "all that was confirmed", l.drained)
	t.Logf("%d confirmed, %d refused", l.accepted, l.refused)
}

// TestKill kills the process on a disk on which nothing is left at all, and
// starts it there, which works or says why not, and then with room.
func TestKill(t *testing.T) {
	d := mount(t)
	data := filepath.Join(d.dir, "data")
	s := kit.Start(t, kit.Config{Binary: binary, Data: data, Args: []string{lowWater}})
	random := rand.New(rand.NewPCG(3, 4))
	l := begin(t, s)
	for range 2 {
		l.publish(t, random, step)
		d.fill(0)
		l.publish(t, random, step)
		d.fill(0)
		l.await(t, random, false)
		s.Kill()
		ctx, cancel := context.WithTimeout(t.Context(), kit.Patience)
		p, err := process.Start(ctx, binary, data, lowWater)
		cancel()
		switch {
		case err == nil:
			if err := p.Kill(); err != nil {
				t.Error(err)
			}
		case !strings.Contains(err.Error(), "no space left on device"):
			t.Errorf("start on a full disk: %v", err)
		}
		t.Logf("start on a full disk: %v", err)
		d.clear()
		s.Restart()
		l.connect(t, s)
		kit.Wait(t, "all that was confirmed", l.drained)
	}
}

// stalled is what the log says when a write waits for room.
const stalled = "the disk is full, writes wait until there is room"

// stall takes the reserve away and almost all of the room, and publishes until a
// write waits. Where the log made itself longer by all that was left, the disk counts as
// almost full before, and publishes are not read any more: what then fills the log are
// declarations. ended is closed when both have noticed the end.
func stall(t *testing.T, d *disk, s *kit.Server) (ended <-chan struct{}) {
	t.Helper()
	before := strings.Count(s.Log(), stalled)
	if err := os.Remove(filepath.Join(s.Data(), "store", "RESERVE")); err != nil {
		t.Fatal(err)
	}
	d.fill(1 << 20)
	ch, other := open(t, s.Dial(s.Main())), open(t, s.Dial(s.Main()))
	var busy sync.WaitGroup
	busy.Go(func() {
		for err := error(nil); err == nil; {
			if _, err = other.QueueDeclare("stall", true, false, false, false, nil); err == nil {
				_, err = other.QueueDelete("stall", false, false, false)
			}
		}
	})
	busy.Go(func() {
		body := make([]byte, 200<<10)
		for err := error(nil); err == nil; {
			err = ch.PublishWithContext(context.Background(), "", "lost", false, false,
				amqp.Publishing{DeliveryMode: amqp.Persistent, Body: body})
		}
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		busy.Wait()
	}()
	for end := time.Now().Add(4 * kit.Patience); strings.Count(s.Log(), stalled) == before; {
		if runtime.Gosched(); time.Now().After(end) {
			t.Fatal("no write waits")
		}
	}
	return done
}

// TestStop asks the process to end while its writes wait for room. It ends in
// bounded time, and what it confirmed is there when it starts with room again.
func TestStop(t *testing.T) {
	d := mount(t)
	data := filepath.Join(d.dir, "data")
	s := kit.Start(t, kit.Config{Binary: binary, Data: data, Args: []string{"--low-water=1KiB"}})
	random := rand.New(rand.NewPCG(5, 6))
	l := begin(t, s)
	if _, err := l.out.QueueDeclare("lost", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		l.publish(t, random, step)
		published := stall(t, d, s)
		began := time.Now()
		err := s.Terminate()
		<-published
		t.Logf("it ended after %v: %v", time.Since(began).Round(time.Millisecond), err)
		if err == nil || !strings.Contains(s.Log(), "no space left on device") {
			t.Errorf("that writes were given up is not told: %v", err)
		}
		d.clear()
		s.Restart()
		l.connect(t, s)
		kit.Wait(t, "all that was confirmed", l.drained)
	}
}
