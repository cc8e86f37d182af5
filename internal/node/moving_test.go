package node

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/rootkey"
)

// momentary is what may be there at one look and not at another.
const momentary = "over when it is looked at"

// still are the metrics that TestMoving does not move, and why that is well.
var still = map[string]string{
	"coffer_build_info":                  "says what runs",
	"coffer_store_info":                  "says which store this is",
	"coffer_sealed":                      "story.TestUnseal",
	"coffer_store_room":                  "embedded.TestFull",
	"coffer_store_waiting_writes":        "embedded.TestFull",
	"coffer_store_reserve_bytes":         "embedded.TestWork",
	"coffer_store_low_water_bytes":       "a setting",
	"coffer_store_slow_sync_seconds":     "embedded.TestSlowSync",
	"coffer_store_damaged_files":         "embedded.TestQuarantine",
	"coffer_store_compactions_running":   momentary,
	"coffer_store_compactions_total":     "embedded.TestWork",
	"coffer_store_compacted_bytes_total": "embedded.TestWork",
	"coffer_store_compaction_debt_bytes": momentary,
	"coffer_store_stalls_total":          "embedded.TestStalls",
	"coffer_store_flushes_total":         "embedded.TestWork",
	"coffer_store_flushed_bytes_total":   "embedded.TestWork",
	"coffer_store_read_levels":           "embedded.TestWork",
	"coffer_store_stalled":               "embedded.TestStalls",
	"coffer_store_snapshots":             "embedded.TestWork",
	"coffer_audit_head_failures_total":   "audit.TestVerifyOldCopy",
	"coffer_audit_head_file_behind":      "audit.TestVerifyOldCopy",
	"coffer_backups_unfinished":          "looked at now and then",
	"coffer_platform_keys":               "control.TestRotatePlatform",
	"coffer_queue_requests_waiting":      momentary,
	"coffer_messages_publishing":         "brokertest.TestConfirmed",
	"coffer_messages_publishing_bytes":   "brokertest.TestConfirmed",
	"coffer_publishers_waiting":          "brokertest.TestConfirmed",
	"coffer_tls_files_unusable":          "TestUnusableFiles",

	"coffer_tls_certificate_end_timestamp_seconds": "TestEarlyAuthority",
}

// TestMoving plays a day of a process: each of its metrics moves, and all of them stand
// in the page for operators as they are.
func TestMoving(t *testing.T) {
	t.Parallel()
	collector := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer collector.Close()
	w := newTenantWith(t, func(c *Config) { c.Traces, c.TracesRatio = collector.URL, 1 })
	before := w.coffers()
	w.moveConnections()
	w.moveMessages()
	w.moveQueues()
	held := w.coffers()
	w.moveMemory()
	locked := w.moveKeys()
	w.moveBackup()
	const spans = "coffer_trace_spans_total"
	waitFor(t, func() bool { // they go once a second
		return w.coffers()[spans].values[spans+`{outcome="sent"}`] != "0"
	})
	after := w.coffers()
	for name, f := range after {
		moved := false
		for series, value := range f.values {
			for _, look := range []families{before, held, locked} {
				if then := look[name]; then == nil || then.values[series] != value {
					moved = true
				}
			}
		}
		why, ok := still[name]
		if why == momentary {
			continue
		}
		if moved == ok && !strings.HasPrefix(name, "coffer_store_") {
			t.Errorf("%s moved: %v", name, moved)
		} else if !moved && !ok {
			t.Errorf("%s does not move", name)
		}
	}
	after.checkPage(t)
}

// moveConnections plays clients that are not let in.
func (w *tenant) moveConnections() {
	w.t.Helper()
	_, err := w.dial("admin", "wrong", "/")
	toldWhy(w.t, err, amqp.AccessRefused, "username or password not allowed")
	_, err = tls.Dial("tcp", net.JoinHostPort("localhost", strconv.Itoa(w.endpoints().AMQP)),
		&tls.Config{ServerName: "localhost"})
	if err == nil {
		w.t.Error("a stranger's certificate was trusted")
	}
	w.call("GET", "/v1/brokers/b-none", nil)
}

// queue declares one.
func (w *tenant) queue(ch *amqp.Channel, name string, durable bool, args amqp.Table) {
	w.t.Helper()
	_, err := ch.QueueDeclare(name, durable, false, false, false, args)
	must(w.t, err)
}

// publish waits for the confirm, which must be ack.
func (w *tenant) publish(ch *amqp.Channel, queue string, ack bool, p amqp.Publishing) {
	w.t.Helper()
	d, err := ch.PublishWithDeferredConfirm("", queue, false, false, p)
	must(w.t, err)
	if ok, err := d.WaitContext(w.t.Context()); ok != ack || err != nil {
		w.t.Fatalf("publish to %s: %v, %v", queue, ok, err)
	}
}

// take gets the first message of a queue as soon as it is there.
func (w *tenant) take(ch *amqp.Channel, queue string) amqp.Delivery {
	w.t.Helper()
	for deadline := time.Now().Add(longEnough); time.Now().Before(deadline); {
		d, ok, err := ch.Get(queue, false)
		must(w.t, err)
		if ok {
			return d
		}
	}
	w.t.Fatalf("nothing comes to %s", queue)
	panic("unreachable")
}

// moveMessages plays all that can become of a message, and leaves some behind.
func (w *tenant) moveMessages() {
	w.t.Helper()
	c, err := w.dial("admin", w.password, "/")
	must(w.t, err)
	ch := w.channel(c)
	must(w.t, ch.Confirm(false))
	w.queue(ch, "plain", true, nil)
	w.queue(ch, "dead", true, nil)
	w.queue(ch, "short", true, amqp.Table{"x-max-length": 1})
	w.queue(ch, "full", true, amqp.Table{"x-max-length": 1, "x-overflow": "reject-publish"})
	w.queue(ch, "brief", true, amqp.Table{"x-message-ttl": 1, "x-dead-letter-exchange": "",
		"x-dead-letter-routing-key": "dead"})
	w.queue(ch, "limited", true, amqp.Table{"x-queue-type": "quorum", "x-delivery-limit": 1})
	durable := amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte("text")}
	for _, name := range []string{"plain", "short", "short", "brief", "limited", "full"} {
		w.publish(ch, name, true, durable)
	}
	w.publish(ch, "full", false, durable)
	must(w.t, w.take(ch, "dead").Ack(false))
	must(w.t, w.take(ch, "limited").Nack(false, true))
	must(w.t, w.take(ch, "limited").Nack(false, true))
	must(w.t, w.take(ch, "plain").Nack(false, true))
	w.take(ch, "plain") // and keeps it
	_, err = ch.Consume("short", "", true, false, false, false, nil)
	must(w.t, err)
	other := w.channel(c)
	if _, err := other.QueueDeclarePassive("none", true, false, false, false, nil); err == nil {
		w.t.Error("a queue that is not there was found")
	}
}

// moveMemory writes more than fits into memory and reads it again.
func (w *tenant) moveMemory() {
	w.t.Helper()
	c, err := w.dial("admin", w.password, "/")
	must(w.t, err)
	ch := w.channel(c)
	must(w.t, ch.Confirm(false))
	body := slices.Repeat([]byte("0123456789abcdef"), 1<<13) // 128 KiB
	const n = 200
	w.queue(ch, "long", false, nil)
	for range n {
		must(w.t, ch.PublishWithContext(w.t.Context(), "", "long", false, false,
			amqp.Publishing{Body: body}))
	}
	w.publish(ch, "long", true, amqp.Publishing{})
	for range n {
		must(w.t, w.take(ch, "long").Ack(false))
	}
	must(w.t, c.Close())
}

// moveKeys takes the key of a broker away while a client is there, and replaces the root
// key; it gives what was shown while the broker was locked.
func (w *tenant) moveKeys() (locked families) {
	w.t.Helper()
	keys := w.keyClient(w.t)
	key := keys.kms("CreateKey", object{})["KeyMetadata"].(object)["Arn"].(string)
	body := createBody("sealed")
	body["encryptionOptions"] = object{"useAwsOwnedKey": false, "kmsKeyId": key}
	status, made := w.call("POST", "/v1/brokers", body)
	if status != 200 {
		w.t.Fatalf("%d %v", status, made)
	}
	w.n.fleet.work.Wait()
	port := w.endpoints().Brokers[made["brokerId"].(string)]
	c, err := amqp.DialTLS(fmt.Sprintf("amqps://admin:A-long-password-1@localhost:%d", port),
		&tls.Config{RootCAs: w.roots()})
	must(w.t, err)
	defer c.Close()
	blocked := c.NotifyBlocked(make(chan amqp.Blocking, 8))
	keys.kms("ScheduleKeyDeletion", object{"KeyId": key, "PendingWindowInDays": 7})
	wait(w.t, blocked)
	locked = w.coffers()
	for name, want := range map[string]string{
		`coffer_domains_locked{reason="unusable"}`:               "1",
		`coffer_amqp_clients_blocked{reason="key"}`:              "1",
		`coffer_broker_states{state="CRITICAL_ACTION_REQUIRED"}`: "1",
		"coffer_kms_keys_pending_deletion_in_use":                "1",
		"coffer_kms_keys_pending_deletion":                       "1",
		"coffer_brokers_locked":                                  "1",
		"coffer_fenced_domains_total":                            "1",
		"coffer_root_key_beside_data":                            "1",
	} {
		family, _, _ := strings.Cut(name, "{")
		if got := locked[family].values[name]; got != want {
			w.t.Errorf("%s is %q, want %s", name, got, want)
		}
	}
	keys.kms("CancelKeyDeletion", object{"KeyId": key})
	keys.kms("EnableKey", object{"KeyId": key})
	wait(w.t, blocked)
	outside := filepath.Join(w.t.TempDir(), "root.key")
	next, err := w.cfg.Secrets.Make(w.t.Context(), rootkey.Source{
		Kind: rootkey.Key, Place: rootkey.File, Name: outside}, 0, 0)
	must(w.t, err)
	must(w.t, RotateRoot(w.t.Context(), w.cfg.Data, next))
	return locked
}

// moveBackup makes a backup, which a later process knows of, too.
func (w *tenant) moveBackup() {
	w.t.Helper()
	made, err := Backup(w.t.Context(), BackupConfig{
		Data: w.cfg.Data, To: filepath.Join(w.t.TempDir(), "backup"),
	})
	must(w.t, err)
	last := w.n.backups.last.Load()
	if last == nil || last.ID != made.ID || last.Bytes != made.Size() ||
		!last.Created.Equal(made.Created) {
		w.t.Errorf("noted %+v, not %s of %d bytes", last, made.ID, made.Size())
	}
	again := &backups{}
	must(w.t, again.loadCopied(w.t.Context(), w.n.db))
	if stored := again.last.Load(); stored == nil || *stored != *last {
		w.t.Errorf("stored %+v, not %+v", stored, last)
	}
}

// wait takes an event.
func wait[E any](t testing.TB, events <-chan E) {
	t.Helper()
	select {
	case <-events:
	case <-time.After(longEnough):
		t.Fatal("nothing happens")
	}
}
