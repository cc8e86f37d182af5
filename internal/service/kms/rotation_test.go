package kms

import (
	"fmt"
	"strings"
	"testing"

	"coffer/internal/audit"
	"coffer/internal/audit/audittest"
	"coffer/internal/control"
)

// TestRotateOnDemand: KMS-15: 25 times at most; each ciphertext opens with the
// material that made it, each rotation is on record, and none of it stays when
// the key is deleted.
func TestRotateOnDemand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	name := w.key("root", object{})
	var blobs [maxOnDemand + 1][]byte
	for i := range blobs {
		var c struct{ CiphertextBlob []byte }
		w.must("root", "Encrypt", object{"KeyId": name, "Plaintext": []byte{byte(i)}}, &c)
		blobs[i] = c.CiphertextBlob
		if i < maxOnDemand {
			w.must("root", "RotateKeyOnDemand", object{"KeyId": name}, nil)
		}
	}
	got := w.do("root", "RotateKeyOnDemand", `{"KeyId":"`+name+`"}`)
	if !strings.HasPrefix(got, "400 LimitExceededException: ") {
		t.Error(got)
	}
	seen := map[string]bool{}
	for i, blob := range blobs {
		var out struct {
			Plaintext     []byte
			KeyMaterialId string
		}
		w.must("root", "Decrypt", object{"CiphertextBlob": blob}, &out)
		if len(out.Plaintext) != 1 || int(out.Plaintext[0]) != i || seen[out.KeyMaterialId] {
			t.Errorf("%d: %+v", i, out)
		}
		seen[out.KeyMaterialId] = true
	}
	events, _, err := w.log.Lookup(t.Context(), audit.Query{
		Account: home, Region: here, Attribute: "EventName", Value: "RotateKey",
	})
	if err != nil || len(events) != maxOnDemand {
		t.Fatal(len(events), err)
	}
	for _, e := range events {
		audittest.Recorded(t)(e)
		d := e.ServiceEventDetails
		if d["rotationType"] != rotationOnDemand || !seen[fmt.Sprint(d["currentKeyMaterialId"])] ||
			!seen[fmt.Sprint(d["previousKeyMaterialId"])] {
			t.Errorf("details %v", d)
		}
	}
	w.must("root", "ScheduleKeyDeletion", object{"KeyId": name}, nil)
	w.now = w.now.Add(usualWindow * day)
	if err := w.svc.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := w.rows(control.TableKey, control.TableMaterial, control.TableRotation); n != 0 {
		t.Errorf("%d rows are left", n)
	}
}
