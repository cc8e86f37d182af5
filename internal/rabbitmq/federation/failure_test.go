package federation

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"coffer/internal/fault"
	"coffer/internal/rabbitmq"
	"coffer/internal/rabbitmq/peer"
	"coffer/internal/rabbitmq/rabbittest"
)

// TestWrongUpstreams: links that cannot be show why, are tried again, and tell nobody the
// password.
func TestWrongUpstreams(t *testing.T) {
	t.Parallel()
	up, down := newSite(t, "up"), newSite(t, "down")
	here := down.client()
	here.exchange("x", "fanout")
	here.queue("q")
	bare, _, _ := strings.Cut(up.uri, "?")
	for name, c := range map[string]struct{ uri, reason string }{
		"host":     {"amqps://u:secret@nowhere.invalid", "unknown host"},
		"ca":       {bare, "certificate was not accepted"},
		"password": {strings.Replace(up.uri, rabbittest.Escaped, "secret", 1), "ACCESS_REFUSED"},
		"vhost":    {strings.Replace(up.uri, "?", "/nowhere?", 1), "not found"},
	} {
		down.upstream(name, c.uri, nil)
		down.policy("p", "^([qx]|amq.topic)$", object{"federation-upstream": name})
		failed := map[string]bool{}
		down.await(c.reason, func() bool {
			for _, l := range down.set.List() {
				if l.State == Failed && strings.Contains(l.Error, c.reason) && l.Down() {
					failed[l.Type+l.Name] = true
				}
			}
			return len(failed) == 3
		})
	}
	down.upstream("good", up.uri, nil)
	down.policy("p", "^[qx]$", object{"federation-upstream": "good"})
	down.awaitLinks(2, Running)
	shown := down.log.String()
	for _, s := range down.set.List() {
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		shown += string(b)
	}
	for _, secret := range []string{"secret", rabbittest.Password, rabbittest.Escaped} {
		if strings.Contains(shown, secret) {
			t.Errorf("%q is shown: %s", secret, shown)
		}
	}
	if err := down.set.Restart("/", "nobody"); fault.KindOf(err) != fault.NotFound {
		t.Error(err)
	}
}

// TestDifferentQueue: a queue upstream that was declared otherwise is an error in the
// upstream's words.
func TestDifferentQueue(t *testing.T) {
	t.Parallel()
	up, down := newSite(t, "up"), newSite(t, "down")
	there := up.client()
	_, err := there.QueueDeclare("q", true, true, false, false, nil)
	there.must(err)
	down.client().queue("q")
	down.upstream("u", up.uri, nil)
	down.policy("p", "^q$", object{"federation-upstream-pattern": "^u"})
	down.await("an error", func() bool {
		list := down.set.List()
		return len(list) == 1 &&
			strings.Contains(list[0].Error, "upstream: 406 PRECONDITION_FAILED")
	})
}

// TestCutAndRestart: connections that are cut and a restart of the process lose nothing.
func TestCutAndRestart(t *testing.T) {
	t.Parallel()
	up, down := newSite(t, "up"), newSite(t, "down")
	here := down.client()
	here.exchange("x", "fanout")
	here.queue("q")
	here.bind("q", "", "x", nil)
	down.upstream("u", up.uri, object{"expires": 3_600_000, "message-ttl": 3_600_000})
	down.policy("p", "^x$", object{"federation-upstream": "u"})
	down.awaitLinks(1, Running)
	const n = 400
	there := up.client()
	for i := range n {
		switch i {
		case 100, 150:
			up.Cut()
			there = up.client()
		case 200, 250:
			down.Cut()
		case 300: // the queue upstream stays meanwhile
			down.set.Close()
		case 350:
			down.run("down")
		}
		there.send("x", "", fmt.Sprint(i), nil)
	}
	c := down.client()
	d := c.consume("q", 0)
	for seen := map[string]bool{}; len(seen) < n; {
		seen[string(c.next(d).Body)] = true
	}
}

// wrongParameters are refused with RabbitMQ's texts.
func wrongParameters() map[[2]string]string {
	return map[[2]string]string{
		{Upstream, `{}`}:                `Key "uri" not found in w`,
		{Upstream, `{"uri":7}`}:         `uri should be list, actually was 7`,
		{Upstream, `{"uri":[7]}`}:       `uri should be list, actually was 7`,
		{Upstream, `{"uri":"http://"}`}: `not a valid URI: {{unexpected_uri_scheme,"http"}`,
		{Upstream, `{"uri":"amqp://","max-hops":"1"}`}: `max-hops should be a number, actually ` +
			`was <<"1">>`,
		{Upstream, `{"uri":"amqp://","ack-mode":"x"}`}: `ack-mode should be one of ` +
			`[<<"no-ack">>,<<"on-publish">>,<<"on-confirm">>], actually was <<"x">>`,
		{Upstream, `{"uri":"amqp://","trust-user-id":1}`}: `trust-user-id should be boolean, ` +
			`actually was 1`,
		{Upstream, `{"uri":"amqp://","x":1}`}:     `Unrecognised terms [{<<"x">>,1}] in w`,
		{UpstreamSet, `[{}]`}:                     `Key "upstream" not found in w`,
		{UpstreamSet, `[{"upstream":1}]`}:         `upstream should be binary, actually was 1`,
		{UpstreamSet, `[{"upstream":"u","y":2}]`}: `Unrecognised terms [{<<"y">>,2}] in w`,
	}
}

// TestWrongParameters checks what is refused; beside those of RabbitMQ's also what would
// be in clear.
func TestWrongParameters(t *testing.T) {
	t.Parallel()
	checks := Components(peer.New(peer.Config{}))
	list := wrongParameters()
	list[[2]string{Upstream, `{"uri":"amqp://far"}`}] = "over TLS only"
	list[[2]string{Upstream, `{"uri":[]}`}] = "has no URI"
	list[[2]string{UpstreamSet, `{}`}] = "w should be list, actually was #{}"
	for k, want := range list {
		err := checks[k[0]](rabbitmq.Parameter{
			Component: k[0], Vhost: "/", Name: "w", Value: json.RawMessage(k[1]),
		})
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", k, err, want)
		}
	}
}

// FuzzUpstream: no JSON makes the check or the reading panic, and what passes the check
// can be read.
func FuzzUpstream(f *testing.F) {
	for k := range wrongParameters() {
		f.Add(k[1], `{"upstream":"u"}`)
	}
	f.Add(`{"uri":["amqps://h","amqp:///v"],"expires":1e300,"prefetch-count":-5,"max-hops":1e9,
		"reconnect-delay":1e300,"queue-type":"quorum","exchange":"x"}`,
		`{"queue":"q","max-hops":0}`)
	dialer := peer.New(peer.Config{})
	f.Fuzz(func(t *testing.T, text, element string) {
		p := rabbitmq.Parameter{Vhost: "/", Name: "u", Value: json.RawMessage(text)}
		list := elements([]byte("[" + element + "]"))
		if Components(dialer)[Upstream](p) != nil || len(list) != 1 {
			return
		}
		u, err := parseUpstream(p, list[0], "name")
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if len(u.uris) == 0 || u.prefetch < 0 || u.hops < 0 || u.delay < 0 || u.queue == "" {
			t.Errorf("%s: %+v", text, u)
		}
	})
}
