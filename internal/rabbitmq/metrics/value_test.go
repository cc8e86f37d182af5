package metrics

import (
	"compress/gzip"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"coffer/internal/broker"
)

// is checks values by name and labels.
func (p page) is(t *testing.T, want map[string]float64) {
	t.Helper()
	for key, value := range want {
		if got, ok := p.values[key]; !ok || got != value {
			t.Errorf("%s is %v (%v), want %v", key, got, ok, value)
		}
	}
}

// TestChannelValues drives what the doors tell.
func TestChannelValues(t *testing.T) {
	t.Parallel()
	h := crowded(t).handler()
	get(t, h, "/metrics").is(t, map[string]float64{
		"rabbitmq_connections": 1, "rabbitmq_channels": 2, "rabbitmq_consumers": 2,
		"rabbitmq_queues": 2, "rabbitmq_channel_messages_unacked": 6,
		"rabbitmq_channel_messages_published_total": 11, "rabbitmq_consumer_prefetch": 3,
		"rabbitmq_channel_prefetch": 4, "rabbitmq_channel_messages_unconfirmed": 6,
		"rabbitmq_channel_messages_uncommitted": 7, "rabbitmq_channel_acks_uncommitted": 8,
		"rabbitmq_channel_messages_confirmed_total":           12,
		"rabbitmq_channel_messages_unroutable_returned_total": 13,
		"rabbitmq_channel_messages_unroutable_dropped_total":  14,
		"rabbitmq_channel_messages_delivered_ack_total":       15,
		"rabbitmq_channel_messages_delivered_total":           16,
		"rabbitmq_channel_get_ack_total":                      17,
		"rabbitmq_channel_get_total":                          18,
		"rabbitmq_channel_get_empty_total":                    19,
		"rabbitmq_channel_messages_redelivered_total":         20,
		"rabbitmq_channel_messages_acked_total":               21,
		"rabbitmq_connection_incoming_bytes_total":            10,
		"rabbitmq_connection_outgoing_bytes_total":            20,
		"rabbitmq_connection_incoming_packets_total":          1,
		"rabbitmq_connection_outgoing_packets_total":          2,
		"rabbitmq_connection_pending_packets":                 1,
		"rabbitmq_connection_channels":                        2,
		"rabbitmq_connections_opened_total":                   102,
		"rabbitmq_connections_closed_total":                   103,
		"rabbitmq_channels_opened_total":                      104,
		"rabbitmq_channels_closed_total":                      105,
		"rabbitmq_queues_declared_total":                      106,
		"rabbitmq_queues_created_total":                       2,
		"rabbitmq_queues_deleted_total":                       0,
		"rabbitmq_erlang_uptime_seconds":                      60,
		"process_start_time_seconds":                          1000,
		"rabbitmq_process_open_fds":                           7,
		"rabbitmq_process_max_fds":                            1024,
		"rabbitmq_process_resident_memory_bytes":              1 << 20,
		"rabbitmq_resident_memory_limit_bytes":                1 << 30,
		"rabbitmq_disk_space_available_bytes":                 5 << 30,
		"rabbitmq_disk_space_available_limit_bytes":           1 << 30,
		"rabbitmq_alarms_free_disk_space_watermark":           0,

		`rabbitmq_auth_attempts_total{protocol="amqp091"}`:                       110,
		`rabbitmq_auth_attempts_failed_total{protocol="amqp091"}`:                3,
		`rabbitmq_global_publishers{protocol="amqp091"}`:                         1,
		`rabbitmq_global_consumers{protocol="amqp091"}`:                          2,
		`rabbitmq_global_messages_received_total{protocol="amqp091"}`:            111,
		`rabbitmq_global_messages_received_confirm_total{protocol="amqp091"}`:    101,
		`rabbitmq_global_messages_confirmed_total{protocol="amqp091"}`:           112,
		`rabbitmq_global_messages_unroutable_returned_total{protocol="amqp091"}`: 113,
		`rabbitmq_identity_info{rabbitmq_node="rabbit@here",rabbitmq_cluster="b-1",` +
			`rabbitmq_cluster_permanent_id="id",rabbitmq_endpoint="aggregated"}`: 1,
	})
	name := `{channel="127.0.0.1:1 -> 127.0.0.1:2 (1)",vhost="/"}`
	get(t, h, "/metrics/per-object").is(t, map[string]float64{
		"rabbitmq_channel_messages_unacked" + name:            5,
		"rabbitmq_channel_messages_published_total" + name:    11,
		`rabbitmq_queue_messages_ready{vhost="/",queue="q1"}`: 0,
		`rabbitmq_queue_info{vhost="/",queue="q2",queue_type="rabbit_quorum_queue",` +
			`membership="leader"}`: 1,
	})
	get(t, h, "/metrics/detailed?family=exchange_bindings&family=exchange_names").is(t,
		map[string]float64{
			`rabbitmq_cluster_exchange_bindings{vhost="/",exchange="x",type="fanout"}`: 1,
			`rabbitmq_cluster_exchange_name{vhost="/",exchange="x",type="fanout"}`:     1,
		})
}

// TestQueueValues publishes, delivers, acknowledges and lets die for real.
func TestQueueValues(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	h := s.handler()
	q := s.queue("q", nil)
	quorumQueue := s.queue("k", func(spec *broker.QueueSpec) {
		spec.KeepAll, spec.Limits.Dead.Set = true, true
		spec.Limits.Dead.Address = "nowhere"
	})
	c := s.world.Client(broker.SessionConfig{})
	defer c.Close(t.Context())
	s.must(c.Send("", "q", true, "one", "two", "three"))
	s.must(c.Send("", "k", false, "four"))
	d, _, _, err := c.Get(t.Context(), q, false)
	s.must(err)
	c.Settle([]broker.Settlement{{Ref: d.Ref, Outcome: broker.Accept}})
	_, _, _, err = c.Get(t.Context(), q, false)
	s.must(err)
	d, _, _, err = c.Get(t.Context(), quorumQueue, false)
	s.must(err)
	c.Settle([]broker.Settlement{{Ref: d.Ref, Outcome: broker.Reject}})
	s.must(c.Flush())
	classicTotals, quorumTotals := `{protocol="amqp091",queue_type="rabbit_classic_queue"}`,
		`{protocol="amqp091",queue_type="rabbit_quorum_queue"}`
	counted := map[string]float64{
		"rabbitmq_global_messages_delivered_get_manual_ack_total" + classicTotals: 2,
		"rabbitmq_global_messages_delivered_total" + classicTotals:                2,
		"rabbitmq_global_messages_delivered_total" + quorumTotals:                 1,
		"rabbitmq_global_messages_acknowledged_total" + classicTotals:             1,
		`rabbitmq_global_messages_routed_total{protocol="amqp091"}`:               4,
		`rabbitmq_global_messages_dead_lettered_rejected_total{queue_type=` +
			`"rabbit_quorum_queue",dead_letter_strategy="at_most_once"}`: 1,
	}
	p := get(t, h, "/metrics")
	p.is(t, counted)
	p.is(t, map[string]float64{
		"rabbitmq_queue_messages_ready": 1, "rabbitmq_queue_messages_unacked": 1,
		"rabbitmq_queue_messages": 2, "rabbitmq_queue_messages_bytes": 8,
		"rabbitmq_queue_messages_ready_bytes": 5, "rabbitmq_queue_messages_unacked_bytes": 3,
		"rabbitmq_queue_messages_persistent": 2, "rabbitmq_queue_messages_persistent_bytes": 8,
		"rabbitmq_queue_messages_ram": 2, "rabbitmq_queue_messages_paged_out": 0,
		"rabbitmq_queue_messages_published_total": 4,
	})
	one := `{vhost="/",queue="q"}`
	get(t, h, "/metrics/detailed?family=queue_delivery_metrics&family=queue_coarse_metrics").is(t,
		map[string]float64{
			"rabbitmq_detailed_queue_get_ack_total" + one:        2,
			"rabbitmq_detailed_queue_messages_acked_total" + one: 1,
			"rabbitmq_detailed_queue_messages_ready" + one:       1,
		})
	// What was counted stays when the queues, and then the virtual host, are gone.
	for _, q := range []*broker.Queue{q, quorumQueue} {
		_, err := s.world.Namespace.DeleteQueue(t.Context(), q, false, false)
		s.must(err)
	}
	for range 2 {
		p = get(t, h, "/metrics")
		p.is(t, counted)
		p.is(t, map[string]float64{"rabbitmq_queues": 0, "rabbitmq_queues_deleted_total": 2})
		s.names = nil
	}
}

// TestVhostFilter shows what is asked for, and no more.
func TestVhostFilter(t *testing.T) {
	t.Parallel()
	s := crowded(t)
	s.names = []string{"/", "b"}
	h := s.handler()
	p := get(t, h, "/metrics/detailed?family=queue_coarse_metrics&family=channel_metrics&vhost=b")
	p.is(t, map[string]float64{
		`rabbitmq_detailed_queue_messages_ready{vhost="b",queue="q1"}`: 0,
	})
	for key := range p.values {
		if strings.Contains(key, `vhost="/"`) {
			t.Error(key)
		}
	}
}

// TestEscape: names may hold anything.
func TestEscape(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.queue("a\"b\\c\nd\xff", nil)
	get(t, s.handler(), "/metrics/per-object").is(t, map[string]float64{
		`rabbitmq_queue_messages_ready{vhost="/",queue="a\"b\\c\nd` + "\uFFFD" + `"}`: 0,
	})
}

// TestAnswers: paths, methods, compression and the bound of concurrent scrapes.
func TestAnswers(t *testing.T) {
	t.Parallel()
	h := newStage(t).handler()
	ask := func(method, path, accept string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, nil)
		r.Header.Set("Accept-Encoding", accept)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	for _, row := range []struct {
		method, path string
		code         int
	}{
		{"GET", "/metrics", 200}, {"GET", "/rabbitmq/metrics/", 200}, {"HEAD", "/metrics", 200},
		{"POST", "/metrics", 405}, {"GET", "/metrics/other", 404}, {"GET", "/", 404},
	} {
		if w := ask(row.method, row.path, ""); w.Code != row.code {
			t.Errorf("%s %s: %d, want %d", row.method, row.path, w.Code, row.code)
		}
	}
	if w := ask("HEAD", "/metrics", ""); w.Body.Len() != 0 {
		t.Error("HEAD has a body")
	}
	for accept, want := range map[string]bool{
		"gzip": true, "deflate, gzip;q=0.5": true, "gzip;q=0": false, "identity": false,
	} {
		w := ask("GET", "/metrics", accept)
		if (w.Header().Get("Content-Encoding") == "gzip") != want {
			t.Errorf("%s: %v", accept, w.Header())
		}
		if !want {
			continue
		}
		z, err := gzip.NewReader(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(z)
		if err != nil || !strings.Contains(string(text), "rabbitmq_queues 0\n") {
			t.Errorf("%v %s", err, text)
		}
	}
	for range maxScrapes {
		h.busy <- struct{}{}
	}
	if w := ask("GET", "/metrics", ""); w.Code != 503 {
		t.Error(w.Code)
	}
	<-h.busy
	if w := ask("GET", "/metrics", ""); w.Code != 200 || len(h.busy) != maxScrapes-1 {
		t.Error(w.Code)
	}
}
