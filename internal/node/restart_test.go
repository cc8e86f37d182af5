package node

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"coffer/internal/fault"
	"coffer/internal/listen/listentest"
)

// TestBrokerPortTaken: a broker whose own port is taken is shown as failed while
// the others serve, and the next start brings it back if the port is free.
func TestBrokerPortTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) {
		low := listentest.Ports(t, 6)
		c.AutoPorts, c.BrokerPorts = false, strconv.Itoa(low+3)+"-"+strconv.Itoa(low+4)
		c.APIPort, c.AMQPPort, c.MetricsPort = low, low+1, low+2
		c.ManagementPort = low + 5
	})
	id, port := w.create("second")
	w.stop()
	taken, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	w.start()
	if _, name := w.greet(w.cfg.AMQPPort, "localhost"); name != w.main() {
		t.Errorf("the standard port leads to %q", name)
	}
	state := func() any {
		_, out := w.call("GET", "/v1/brokers/"+id, nil)
		return out["brokerState"]
	}
	if got := state(); got != "CREATION_FAILED" || w.endpoints().Brokers[id] != 0 {
		t.Errorf("it is %v: %+v", got, w.endpoints())
	}
	log := w.log.String()
	if !strings.Contains(log, `level=ERROR msg="broker could not be started"`) ||
		!strings.Contains(log, strconv.Itoa(port)+" for amqp: the port is in use") {
		t.Error(log)
	}
	taken.Close()
	w.stop()
	w.start()
	if got := state(); got != "RUNNING" {
		t.Errorf("after the restart it is %v", got)
	}
	if _, name := w.greet(port, "localhost"); name != id {
		t.Errorf("port %d leads to %q", port, name)
	}
}

// TestMissingFiles warns of each file that is gone, and of no other.
func TestMissingFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	const warning = "a file of the data directory is missing"
	if strings.Contains(w.log.String(), warning) {
		t.Error(w.log.String())
	}
	for i, name := range []string{fileCredentials, fileMainAdmin} {
		w.stop()
		file := filepath.Join(w.cfg.Data, name)
		kept := w.file(name)
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		w.start()
		log := w.log.String()
		if !strings.Contains(log, `level=WARN msg="`+warning+`" file=`+file+" advice=") ||
			strings.Count(log, warning) != i+1 {
			t.Errorf("%s: %s", name, log)
		}
		if err := os.WriteFile(file, []byte(kept), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDamagedFiles warns of each octet of a secret file that is not as it was, of
// no other file, and shows nothing of them. The process serves all the same.
func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	const warning = "a file of the data directory is damaged, or of another one"
	for _, name := range []string{fileCredentials, fileMainAdmin} {
		file, whole := filepath.Join(w.cfg.Data, name), w.file(name)
		for _, text := range []string{
			"", whole[1:], whole[:len(whole)-1], whole[:len(whole)-3] + "!" + whole[len(whole)-2:],
			whole + "\n", strings.ToLower(whole),
		} {
			w.stop()
			before := strings.Count(w.log.String(), warning)
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			w.start()
			w.stop() // so that all is looked at
			log := w.log.String()
			if strings.Count(log, warning) != before+1 ||
				!strings.Contains(log, `level=WARN msg="`+warning+`" file=`+file+" error=") {
				t.Errorf("%s is %q: %s", name, text, log)
			}
			w.start()
			if secret := strings.TrimSpace(text); secret != "" && strings.Contains(log, secret) {
				t.Errorf("%s: the log shows it", name)
			}
		}
		w.stop()
		if err := os.WriteFile(file, []byte(whole), 0o600); err != nil {
			t.Fatal(err)
		}
		before := strings.Count(w.log.String(), warning)
		w.start()
		w.stop()
		if log := w.log.String(); strings.Count(log, warning) != before {
			t.Errorf("%s is whole: %s", name, log)
		}
		w.start()
	}
}

// TestRootCheckDamaged tells a damaged check file from a wrong key; without the
// file the right key opens the store, and a warning names it.
func TestRootCheckDamaged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.stop()
	name := filepath.Join(dirStore, fileCheck)
	file, whole := filepath.Join(w.cfg.Data, name), w.file(name)
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i := range len(whole) + 1 {
		text := []byte(whole[:i])
		if i%2 == 0 && i < len(whole) { // flipped there, else cut
			text = []byte(whole)
			text[i] ^= 1
		}
		if i == len(whole) {
			text = append(text, '\n')
		}
		write(string(text))
		before := snapshot(t, w.cfg.Data)
		err := refused(t, w.cfg)
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), file) ||
			!strings.Contains(err.Error(), "damaged") {
			t.Errorf("octet %d: %v", i, err)
		}
		same(t, before, snapshot(t, w.cfg.Data))
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	w.start()
	if w.file(name) != whole {
		t.Error("the file was written anew, but not as it was")
	}
	if log := w.log.String(); strings.Count(log, "written again") != 1 ||
		!strings.Contains(log, "file="+file) {
		t.Errorf("that the file was missing is not told: %s", log)
	}
}
