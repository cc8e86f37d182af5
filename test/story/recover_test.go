package story

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"coffer/test/story/kit"
)

// TestLostPassword: who lost the password of broker main's admin makes another one on the
// host, while it serves and when it is stopped; the old one is of no use then, and nothing
// of either is in the log.
func TestLostPassword(t *testing.T) {
	t.Parallel()
	s := start(t)
	reset := func(args ...string) string {
		t.Helper()
		r := kit.Run(t, binary, append([]string{"users", "reset-password", "--output", "json",
			"--data", s.Data()}, args...)...)
		var out struct{ User, Password string }
		if err := json.Unmarshal([]byte(r.Out), &out); err != nil || r.Code != 0 || r.Err != "" {
			t.Fatalf("reset: %d %s, %v", r.Code, r.Err, err)
		}
		s.Secret(out.Password)
		return out.Password
	}
	enters := func(password string) bool {
		main, err := url.Parse(s.Main())
		if err != nil {
			t.Fatal(err)
		}
		main.User = url.UserPassword("admin", password)
		conn, err := s.TryDial(main.String())
		return err == nil && conn.Close() == nil
	}
	first, err := os.ReadFile(filepath.Join(s.Data(), "main-admin"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(s.Data(), "main-admin")); err != nil {
		t.Fatal(err)
	}
	second := reset()
	if enters(strings.TrimSpace(string(first))) || !enters(second) {
		t.Error("while it serves: the first password is right, or the second wrong")
	}
	s.Stop()
	third := reset("--env")
	s.Restart() // coffer env finds it
	if enters(second) || !enters(third) {
		t.Error("stopped: the second password is right, or the third wrong")
	}
	events := s.AWS().Events(t, types.LookupAttributeKeyEventName, "ResetBrokerPassword")
	if len(events) != 2 || events[0].At("serviceEventDetails", "user") != "admin" {
		t.Errorf("on record: %v", events)
	}
}

// TestLostDevice: a root user who may do nothing without a code and lost the device is
// helped on the host; the account has it on record.
func TestLostDevice(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.AWS()
	remove := func() string {
		t.Helper()
		r := kit.Run(t, binary, "accounts", "remove-mfa", "--account", firstAccount,
			"--data", s.Data())
		if r.Code != 0 {
			t.Fatalf("remove-mfa: %d %s", r.Code, r.Err)
		}
		return r.Out
	}
	held := func() int {
		t.Helper()
		return len(kit.Do(t, root.IAM.ListMFADevices, &iam.ListMFADevicesInput{}).MFADevices)
	}
	d := device(t, root, firstAccount, "phone")
	if held() != 1 {
		t.Fatal("the root user has no device")
	}
	if out := remove(); !strings.Contains(out, "removed "+d.Serial+"\n1 devices") || held() != 0 {
		t.Errorf("removed %s", out)
	}
	if out := remove(); out != "0 devices of the root user of account "+firstAccount+"\n" {
		t.Errorf("removed %s", out)
	}
	device(t, root, firstAccount, "tablet")
	s.Stop()
	if out := remove(); !strings.HasSuffix(strings.Split(out, "\n")[0], "mfa/tablet") {
		t.Errorf("stopped: removed %s", out)
	}
	s.Restart()
	root = s.AWS()
	if n := held(); n != 0 {
		t.Errorf("after the restart it has %d", n)
	}
	events := root.Events(t, types.LookupAttributeKeyEventName, "RemoveRootMFADevices")
	if len(events) != 3 {
		t.Errorf("on record: %v", events)
	}
	r := kit.Run(t, binary, "accounts", "remove-mfa", "--account", "999999999999",
		"--data", s.Data())
	if r.Code == 0 || !strings.Contains(r.Err, "does not exist") {
		t.Errorf("another account: %d %s", r.Code, r.Err)
	}
}

// TestLostRootKeyServing: as long as the process serves another root key can be made
// without the old one.
func TestLostRootKeyServing(t *testing.T) {
	t.Parallel()
	s := start(t)
	ch := channel(t, s.Dial(s.Main()), true)
	declare(t, ch, "q")
	if !confirmed(t, publish(t, ch, "", "q", persistent("1"))) {
		t.Fatal("a message is refused")
	}
	key := filepath.Join(s.Data(), "root.key")
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	if r := kit.Run(t, binary, "root", "rotate", "--data", s.Data()); r.Code != 0 {
		t.Fatalf("rotate: %d %s", r.Code, r.Err)
	}
	s.Kill()
	s.Restart()
	ch = channel(t, s.Dial(s.Main()), true)
	if n := depth(t, ch, "q"); n != 1 {
		t.Errorf("%d messages", n)
	}
}

// TestLostRootKey: without the root key nothing opens, no command makes another, and all
// of them say so and change nothing.
func TestLostRootKey(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.Stop()
	if err := os.Remove(filepath.Join(s.Data(), "root.key")); err != nil {
		t.Fatal(err)
	}
	before := digest(t, s.Data())
	for _, args := range [][]string{
		{"serve", "--ports=auto"}, {"users", "reset-password"},
		{"certificates", "rotate-ca", "begin"},
		{"accounts", "remove-mfa", "--account", firstAccount}, {"platform", "rotate"},
	} {
		r := kit.Run(t, binary, append(args, "--data", s.Data())...)
		if r.Code == 0 || !strings.Contains(r.Err, "root.key is missing") {
			t.Errorf("%q: %d %s", args, r.Code, r.Err)
		}
	}
	r := kit.Run(t, binary, "doctor", "--ports=auto", "--data", s.Data())
	if r.Code != 2 || !strings.Contains(r.Out, "key.opens") ||
		!strings.Contains(r.Out, "root.key is missing") {
		t.Errorf("doctor: %d %s%s", r.Code, r.Out, r.Err)
	}
	if after := digest(t, s.Data()); len(changes(before, after)) > 0 {
		t.Errorf("the directory changed: %v", changes(before, after))
	}
}
