package node

import (
	"strconv"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	api "coffer/internal/aws/api/coffer"
	kmsapi "coffer/internal/aws/api/kms"
	"coffer/internal/aws/gateway"
	"coffer/internal/fault"
	"coffer/internal/service/iam"
)

// keys is KMS as the root user reaches it.
func (w *world) keys() kmsapi.Client {
	return kmsapi.Client{Caller: &gateway.Caller{
		Gateway: w.n.gateway, Service: operator, Identity: iam.RootIdentity(Account),
		Account: Account, Region: Region,
	}}
}

func (w *world) newKey() string {
	w.t.Helper()
	out, err := w.keys().CreateKey(w.t.Context(), &kmsapi.CreateKeyInput{})
	if err != nil {
		w.t.Fatal(err)
	}
	return out.KeyMetadata.Arn
}

// confirming publishes the numbers from 0 on to the queue q until it is stopped, each
// confirmed before the next, and tells how many there were.
func confirming(t *testing.T, ch *amqp.Channel) (passed <-chan struct{}, stop func() int) {
	t.Helper()
	if _, err := ch.QueueDeclare("q", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	ended, done, each := make(chan struct{}), make(chan struct{}), make(chan struct{})
	n := 0
	go func() {
		defer close(done)
		defer close(each)
		for {
			select {
			case <-ended:
				return
			case each <- struct{}{}: // for who counts along
			default:
			}
			d, err := ch.PublishWithDeferredConfirm("", "q", false, false, amqp.Publishing{
				DeliveryMode: amqp.Persistent, Body: []byte(strconv.Itoa(n)),
			})
			if err != nil || !d.Wait() {
				t.Errorf("message %d is refused: %v", n, err)
				return
			}
			n++
		}
	}()
	return each, func() int {
		close(ended)
		<-done
		return n
	}
}

// TestRekeyBroker lets broker main go from the key that AWS owns to others and back while
// messages are published: none is refused, nothing is locked, all are there afterwards,
// also after a restart, and no former key matters any more (D-07).
func TestRekeyBroker(t *testing.T) {
	t.Parallel()
	ctx, w := t.Context(), newWorld(t, nil)
	c := w.reach()
	conn, ch := w.dial()
	blocked := conn.NotifyBlocked(make(chan amqp.Blocking, 16))
	one, two := w.newKey(), w.newKey()
	passed, stop := confirming(t, ch)
	for _, key := range []string{one, two, "", "owned", one} {
		in := &api.RekeyBrokerInput{BrokerId: w.main(), UseAwsOwnedKey: key == "owned"}
		if key != "owned" {
			in.KmsKeyId = key
		}
		out, err := c.RekeyBroker(ctx, in)
		if err != nil || key != "" && key != "owned" && out.KmsKeyId != key {
			t.Fatalf("to %q: %+v, %v", key, out, err)
		}
		for range 5 { // it goes on
			<-passed
		}
	}
	n := stop()
	if len(blocked) != 0 || conn.IsClosed() {
		t.Errorf("%d times blocked, closed: %v", len(blocked), conn.IsClosed())
	}
	if _, err := w.keys().ScheduleKeyDeletion(ctx,
		&kmsapi.ScheduleKeyDeletionInput{KeyId: two}); err != nil {
		t.Error(err)
	}
	if _, out := w.call("GET", "/v1/brokers/"+w.main(), nil); out["brokerState"] != "RUNNING" ||
		out["encryptionOptions"].(object)["kmsKeyId"] != one {
		t.Errorf("%v", out)
	}
	w.numbered(0, n/2)
	w.stop()
	w.start()
	w.n.fleet.work.Wait()
	w.numbered(n/2, n)
	w.rekeyRefused(w.reach())
}

// rekeyRefused: what the API answers when it cannot be, and what brings a broker out of a
// key that waits for its deletion.
func (w *world) rekeyRefused(c api.Client) {
	w.t.Helper()
	in := &api.RekeyBrokerInput{BrokerId: "b-0d8e3a5e-6f1f-4b70-9f7e-000000000000"}
	if _, err := c.RekeyBroker(w.t.Context(), in); fault.KindOf(err) != fault.NotFound {
		w.t.Errorf("no such broker: %v", err)
	}
	in.BrokerId, in.KmsKeyId = w.main(), "alias/none"
	if _, err := c.RekeyBroker(w.t.Context(), in); fault.KindOf(err) != fault.Invalid {
		w.t.Errorf("no such key: %v", err)
	}
	_, out := w.call("GET", "/v1/brokers/"+w.main(), nil)
	key := out["encryptionOptions"].(object)["kmsKeyId"].(string)
	_, err := w.keys().ScheduleKeyDeletion(w.t.Context(),
		&kmsapi.ScheduleKeyDeletionInput{KeyId: key})
	if err != nil {
		w.t.Fatal(err)
	}
	in.KmsKeyId = w.newKey()
	if _, err := c.RekeyBroker(w.t.Context(), in); err == nil ||
		!strings.Contains(err.Error(), "can be canceled") {
		w.t.Errorf("from a key that waits for its deletion: %v", err)
	}
	_, err = w.keys().CancelKeyDeletion(w.t.Context(),
		&kmsapi.CancelKeyDeletionInput{KeyId: key})
	if err == nil {
		_, err = w.keys().EnableKey(w.t.Context(), &kmsapi.EnableKeyInput{KeyId: key})
	}
	if err == nil {
		_, err = c.RekeyBroker(w.t.Context(), in)
	}
	if err != nil {
		w.t.Error(err)
	}
}
