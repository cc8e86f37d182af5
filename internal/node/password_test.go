package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"coffer/internal/fault"
)

// enters reports whether a user gets into broker main.
func (w *world) enters(user, password string) bool {
	w.t.Helper()
	conn, err := (&tenant{world: w}).dial(user, password, "/")
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

func (w *world) reset(in PasswordReset) *NewPassword {
	w.t.Helper()
	out, err := ResetPassword(w.t.Context(), Config{Data: w.cfg.Data}, in)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// TestResetPassword: the old password lets nobody in any more, the new one does, what the
// user may do stays, and connections end if they are to.
func TestResetPassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	old := strings.TrimSpace(w.file(fileMainAdmin))
	conn, err := (&tenant{world: w}).dial(mainUser, old, "/")
	must(t, err)
	out := w.reset(PasswordReset{User: mainUser})
	if out.Broker != w.main() || out.Disconnected != 0 || conn.IsClosed() {
		t.Errorf("%+v, closed %v", out, conn.IsClosed())
	}
	if w.enters(mainUser, old) || !w.enters(mainUser, out.Password) {
		t.Error("the old password is right, or the new one wrong")
	}
	if got := w.file(fileMainAdmin); got != out.Password+"\n" {
		t.Error("main-admin has the old password")
	}
	gone := conn.NotifyClose(make(chan *amqp.Error, 1))
	out = w.reset(PasswordReset{User: mainUser, Disconnect: true})
	select {
	case <-gone:
	case <-time.After(longEnough):
		t.Error("the connection does not end")
	}
	if out.Disconnected != 1 {
		t.Errorf("disconnected %d", out.Disconnected)
	}
	events := w.keyEvents("ResetBrokerPassword")
	if len(events) != 2 || events[0].ServiceEventDetails["user"] != mainUser {
		t.Errorf("on record: %v", events)
	}
	if log := w.log.String(); strings.Contains(log, out.Password) {
		t.Error("the log holds the password")
	}
}

// TestResetPasswordStopped does the same in a directory that nothing serves, and makes an
// administrator where there is none; main-admin is written only if asked for.
func TestResetPasswordStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	admin := filepath.Join(w.cfg.Data, fileMainAdmin)
	must(t, os.Remove(admin))
	w.stop()
	out := w.reset(PasswordReset{User: mainUser})
	if _, err := os.Stat(admin); err == nil {
		t.Error("main-admin is back")
	}
	other := w.reset(PasswordReset{User: "rescue", Administrator: true})
	_, err := ResetPassword(t.Context(), Config{Data: w.cfg.Data}, PasswordReset{User: "nobody"})
	if fault.KindOf(err) != fault.NotFound || !strings.Contains(err.Error(), "--administrator") {
		t.Errorf("a user that is not there: %v", err)
	}
	w.start()
	if !w.enters(mainUser, out.Password) || !w.enters("rescue", other.Password) {
		t.Error("refused")
	}
	c := w.console()
	if code, text := c.askAs("rescue", other.Password, "GET", "https://localhost/api/users",
		""); code != 200 {
		t.Errorf("the administrator: %d %s", code, text)
	}
	w.stop()
	out = w.reset(PasswordReset{User: mainUser, File: true})
	if w.file(fileMainAdmin) != out.Password+"\n" {
		t.Error("main-admin is not there")
	}
	w.start()
	if n := len(w.keyEvents("ResetBrokerPassword")); n != 3 {
		t.Errorf("%d resets are on record", n)
	}
	w.stop()
	if r, err := Check(t.Context(), Config{Data: w.cfg.Data}); err != nil || len(r.Damage) > 0 {
		t.Errorf("check: %+v, %v", r, err)
	}
}

// TestResetPasswordRefused changes nothing.
func TestResetPasswordRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	ask := func(in PasswordReset) error {
		_, err := ResetPassword(t.Context(), Config{Data: w.cfg.Data}, in)
		return err
	}
	refusals := map[string]PasswordReset{
		"user":          {User: "nobody"},
		"no id":         {User: mainUser, Broker: "main"},
		"no broker":     {User: mainUser, Broker: "b-00000000-0000-4000-8000-000000000000"},
		"name":          {User: "", Administrator: true},
		"a user of one": {User: ""},
	}
	for name, in := range refusals {
		if err := ask(in); err == nil {
			t.Errorf("%s: done", name)
		}
	}
	if !w.enters(mainUser, strings.TrimSpace(w.file(fileMainAdmin))) {
		t.Error("the password was changed")
	}
	w.stop()
	for name, in := range refusals {
		if err := ask(in); err == nil {
			t.Errorf("%s, stopped: done", name)
		}
	}
	none := filepath.Join(t.TempDir(), "none")
	_, err := ResetPassword(t.Context(), Config{Data: none}, PasswordReset{User: mainUser})
	if _, serr := os.Stat(none); fault.KindOf(err) != fault.Invalid || serr == nil {
		t.Errorf("no directory: %v", err)
	}
}
