package node

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestShovelOfNode: a shovel runs between brokers of one process over TLS, whose own
// authority is trusted; again after a reboot and after a restart. Its password is in no
// log, status or file.
func TestShovelOfNode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	id, port := w.create("second")
	const password = "A-long-password-1" // that create gave
	value, err := json.Marshal(object{"value": object{
		"src-uri": "amqp://", "src-queue": "q", "dest-queue": "far", "reconnect-delay": 1,
		"dest-uri": fmt.Sprintf("amqps://admin:%s@localhost:%d/%%2f", password, port),
	}})
	if err != nil {
		t.Fatal(err)
	}
	admin := strings.TrimSpace(w.file(fileMainAdmin))
	base := "https://localhost:" + w.managementPort() + "/api/"
	if status, answer := w.console().ask(admin, "PUT", base+"parameters/shovel/%2F/s",
		string(value)); status != 201 {
		t.Fatalf("%d %s", status, answer)
	}
	w.awaitShovel("running")
	// The destination's broker is away for a while.
	if status, out := w.call("POST", "/v1/brokers/"+id+"/reboot", nil); status != 200 {
		t.Fatalf("%d %v", status, out)
	}
	w.n.fleet.work.Wait()
	w.awaitShovel("running")
	if status, out := w.call("POST", "/v1/brokers/"+w.main()+"/reboot", nil); status != 200 {
		t.Fatalf("%d %v", status, out)
	}
	w.n.fleet.work.Wait()
	w.awaitShovel("running")
	w.stop()
	w.start() // ports are others now
	w.awaitShovel("")
	w.stop()
	if i := strings.Index(w.log.String(), password); i >= 0 {
		t.Error("the log has the password")
	}
	err = filepath.WalkDir(w.cfg.Data, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(password)) {
			t.Errorf("%s has the password", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// awaitShovel waits until the API lists one shovel, in a state if one is named, and
// without a password.
func (w *world) awaitShovel(state string) {
	w.t.Helper()
	late := time.After(2 * time.Minute)
	admin := strings.TrimSpace(w.file(fileMainAdmin))
	for {
		url := "https://localhost:" + w.managementPort() + "/api/shovels"
		status, answer := w.console().ask(admin, "GET", url, "")
		var list []object
		if status == 200 && json.Unmarshal([]byte(answer), &list) == nil && len(list) == 1 &&
			(state == "" || list[0]["state"] == state) {
			if strings.Contains(answer, "A-long-password-1") {
				w.t.Error("the status has the password: " + answer)
			}
			return
		}
		select {
		case <-late:
			w.t.Fatalf("%d %s", status, answer)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
