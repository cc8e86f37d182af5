package metrics

import (
	"bufio"
	"maps"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"coffer/internal/broker"
)

// page is an answer, parsed.
type page struct {
	types  map[string]string
	labels map[string][]string // names of labels of the first sample
	values map[string]float64  // by name and labels as they stand
}

var sampleLine = regexp.MustCompile(`^([a-z_]+)(?:\{(.*)\})? (\S+)$`)
var labelName = regexp.MustCompile(`(?:^|,)([a-z_]+)="(?:[^"\\]|\\.)*"`)

// get asks for a path and reads the answer strictly.
func get(t *testing.T, s *Handler, path string) page {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	if w.Code != 200 || w.Header().Get("Content-Type") != contentType {
		t.Fatalf("%s: %d %v", path, w.Code, w.Header())
	}
	return parse(t, w.Body.String())
}

func parse(t *testing.T, text string) page {
	t.Helper()
	p := page{map[string]string{}, map[string][]string{}, map[string]float64{}}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if f := strings.Fields(line); f[0] == "#" {
			if f[1] != "TYPE" {
				continue
			}
			if _, twice := p.types[f[2]]; twice {
				t.Errorf("%s begins twice", f[2])
			}
			p.types[f[2]] = f[3]
			continue
		}
		m := sampleLine.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("no sample: %q", line)
		}
		value, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			t.Fatal(err)
		}
		key := strings.TrimSuffix(strings.TrimSuffix(line, m[3]), " ")
		if _, twice := p.values[key]; twice || p.types[m[1]] == "" {
			t.Errorf("%s: twice, or without a type", key)
		}
		p.values[key] = value
		if _, ok := p.labels[m[1]]; !ok {
			p.labels[m[1]] = nil
			for _, l := range labelName.FindAllStringSubmatch(m[2], -1) {
				p.labels[m[1]] = append(p.labels[m[1]], l[1])
			}
		}
	}
	return p
}

// rows reads a file of testdata: its lines without comments and empty ones.
func rows(t *testing.T, name string) (list [][]string) {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for in := bufio.NewScanner(f); in.Scan(); {
		line := strings.TrimSpace(in.Text())
		if line != "" && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "==") {
			list = append(list, strings.Fields(line))
		}
	}
	return list
}

// omissions tells which names are left out.
func omissions(t *testing.T) func(name string) bool {
	t.Helper()
	exact, prefixes := map[string]bool{}, []string{}
	for _, r := range rows(t, "left-out.txt") {
		name, ok := strings.CutSuffix(r[0], ":")
		if !ok || len(r) < 3 {
			t.Fatalf("no reason: %v", r)
		}
		if prefix, ok := strings.CutSuffix(name, "*"); ok {
			prefixes = append(prefixes, prefix)
		} else {
			exact[name] = true
		}
	}
	return func(name string) bool {
		name = strings.Replace(name, "rabbitmq_detailed_", "rabbitmq_", 1)
		return exact[name] || slices.ContainsFunc(prefixes, func(p string) bool {
			return strings.HasPrefix(name, p)
		})
	}
}

// crowded is a stage with one of everything.
func crowded(t *testing.T) *stage {
	t.Helper()
	s := newStage(t)
	s.queue("q1", nil)
	s.queue("q2", func(spec *broker.QueueSpec) { spec.KeepAll = true })
	_, _, err := s.world.Namespace.DeclareAddress(t.Context(),
		broker.Address{Name: "x", Kind: broker.Fanout, Durable: true})
	s.must(err)
	s.must(s.world.Namespace.Bind(t.Context(), broker.Binding{Source: "x", Queue: "q1"}))
	s.connections = []Connection{{
		Name: "127.0.0.1:1 -> 127.0.0.1:2", Vhost: "/", Protocol: "amqp091",
		ReceivedBytes: 10, SentBytes: 20, ReceivedPackets: 1, SentPackets: 2, PendingBytes: 5,
		Channels: []Channel{{
			Number: 1, Consumers: 2, Prefetch: 3, GlobalPrefetch: 4, Unacked: 5,
			Unconfirmed: 6, Uncommitted: 7, AcksUncommitted: 8, Counts: Counts{
				Publish: 11, Confirm: 12, ReturnUnroutable: 13, DropUnroutable: 14,
				Deliver: 15, DeliverNoAck: 16, Get: 17, GetNoAck: 18, GetEmpty: 19,
				Redeliver: 20, Ack: 21,
			},
		}, {Number: 2, Unacked: 1}},
	}}
	s.protocols = []Protocol{{
		Name: "amqp091", Counts: Counts{
			Publish: 111, Confirm: 112, ReturnUnroutable: 113, DropUnroutable: 114,
		},
		PublishConfirm: 101, ConnectionsOpened: 102, ConnectionsClosed: 103,
		ChannelsOpened: 104, ChannelsClosed: 105, QueuesDeclared: 106,
		LoginsAccepted: 107, LoginsRefused: 3,
	}}
	return s
}

// TestNames: every name that RabbitMQ answers with, or that a dashboard asks for, is
// there with its type and labels, or is left out for a reason; never both.
func TestNames(t *testing.T) {
	t.Parallel()
	h, left := crowded(t).handler(), omissions(t)
	check := func(p page, name, kind string, labels []string) {
		t.Helper()
		got, there := p.types[name]
		switch {
		case there == left(name):
			t.Errorf("%s: there: %v, left out: %v", name, there, left(name))
		case there && got != kind:
			t.Errorf("%s: a %s, want %s", name, got, kind)
		}
		for _, l := range labels {
			if there && !slices.Contains(p.labels[name], l) && !apart(name, l) {
				t.Errorf("%s: no label %s in %v", name, l, p.labels[name])
			}
		}
	}
	all := get(t, h, "/metrics")
	for _, r := range append(rows(t, "aggregated.txt"), rows(t, "dashboards.txt")...) {
		check(all, r[0], r[1], labelsOf(r[2:]))
	}
	each := get(t, h, "/metrics/per-object")
	for _, r := range rows(t, "per-object.txt") {
		check(each, r[0], r[1], labelsOf(r[2:]))
	}
	families := map[string]page{}
	for _, r := range rows(t, "detailed.txt") {
		if _, ok := families[r[0]]; !ok {
			families[r[0]] = get(t, h, "/metrics/detailed?family="+r[0])
		}
		check(families[r[0]], r[1], r[2], labelsOf(r[3:]))
	}
	for name := range all.types {
		if left(name) {
			t.Errorf("%s is left out and there", name)
		}
	}
	for family, p := range families { // and nothing of another one
		for name := range p.types {
			if strings.HasPrefix(name, "rabbitmq_detailed_") && !listed(t, family, name) {
				t.Errorf("%s shows %s", family, name)
			}
		}
	}
}

func labelsOf(f []string) []string {
	if len(f) == 0 {
		return nil
	}
	return strings.Split(f[0], ",")
}

// apart are the labels of what RabbitMQ counts for pairs.
func apart(name, label string) bool {
	if strings.Contains(name, "queue_messages_published_total") {
		return label != "queue"
	}
	return strings.Contains(name, "channel_") && label != "channel"
}

func listed(t *testing.T, family, name string) bool {
	t.Helper()
	return slices.ContainsFunc(rows(t, "detailed.txt"), func(r []string) bool {
		return r[0] == family && r[1] == name
	})
}

// TestDetailedAlone: without a family there is only who the broker is.
func TestDetailedAlone(t *testing.T) {
	t.Parallel()
	p := get(t, crowded(t).handler(), "/any/metrics/detailed?vhost=/")
	want := []string{"rabbitmq_build_info", "rabbitmq_identity_info"}
	if got := slices.Sorted(maps.Keys(p.types)); !slices.Equal(got, want) {
		t.Error(got)
	}
}
