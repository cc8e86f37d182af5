// Package browser runs Chromium for tests of pages: one tab, driven over the browser's
// debugging pipe.
//
// It guarantees that the browser and its files are gone when the test ends, that every wait
// is bounded, and that what the browser complains about (scripts that fail, what the
// policy of a page forbids) is kept. It needs no port and no other program than
// Chromium.
package browser

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Patience is how long a test waits for the browser.
const Patience = 3 * time.Minute

// Tab is the tab of a browser. Its methods fail the test; they are for the test's own
// goroutine.
type Tab struct {
	t       testing.TB
	pipe    *pipe
	session string

	mu       sync.Mutex
	loads    int
	changed  chan struct{} // closed and made anew when a page was loaded
	dialogs  []string
	findings []string
}

// Find gives the path of a Chromium, or skips the test.
func Find(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("Chromium is not installed, so that nothing is tried in a browser: " +
		"apt-get install chromium")
	return ""
}

// Open starts the browser. pins are digests of the keys of certificates that it trusts:
// the base64 of their SHA-256.
func Open(t testing.TB, binary string, pins ...string) *Tab {
	t.Helper()
	home, err := os.MkdirTemp("", "coffer-browser-")
	must(t, err)
	t.Cleanup(func() { must(t, remove(home)) })
	cmd := exec.Command(binary, "--headless=new", "--remote-debugging-pipe", "--disable-gpu",
		"--no-first-run", "--no-default-browser-check", "--disable-extensions",
		"--disable-background-networking", "--disable-breakpad", "--disable-crash-reporter",
		"--disable-component-update", "--disable-sync",
		"--disable-dev-shm-usage", "--hide-scrollbars", "--user-data-dir="+home,
		"--ignore-certificate-errors-spki-list="+strings.Join(pins, ","), "about:blank")
	if os.Getuid() == 0 {
		cmd.Args = append(cmd.Args, "--no-sandbox")
	}
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_CACHE_HOME="+home)
	theirs, to, err := os.Pipe()
	must(t, err)
	from, ours, err := os.Pipe()
	must(t, err)
	cmd.ExtraFiles = []*os.File{theirs, ours}
	must(t, cmd.Start())
	theirs.Close()
	ours.Close()
	tab := &Tab{t: t, changed: make(chan struct{})}
	tab.pipe = &pipe{to: to, waiting: map[int]chan answer{}, event: tab.event}
	var reading sync.WaitGroup
	reading.Go(func() { tab.pipe.read(from) })
	t.Cleanup(func() {
		to.Close() // the browser ends with its pipe
		timer := time.AfterFunc(Patience, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait() // its own way to end is not what is tested
		timer.Stop()
		reading.Wait()
		from.Close()
	})
	tab.attach()
	return tab
}

// remove removes the folder of a browser, whose last processes may write into it for
// a moment longer.
func remove(dir string) (err error) {
	for range 600 {
		if err = os.RemoveAll(dir); err == nil {
			return nil
		}
		<-time.After(100 * time.Millisecond)
	}
	return err
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// attach opens the tab.
func (b *Tab) attach() {
	b.t.Helper()
	var target struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var s struct{ SessionID string }
	b.call("Target.attachToTarget",
		map[string]any{"targetId": target.TargetID, "flatten": true}, &s)
	b.session = s.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log"} {
		b.call(domain+".enable", map[string]any{}, nil)
	}
}

// event notes what the tab tells. Dialogs are accepted.
func (b *Tab) event(method, session string, params json.RawMessage) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch method {
	case "Page.loadEventFired":
		b.loads++
		close(b.changed)
		b.changed = make(chan struct{})
	case "Page.javascriptDialogOpening":
		var p struct{ Message string }
		_ = json.Unmarshal(params, &p)
		b.dialogs = append(b.dialogs, p.Message)
		_, err := b.pipe.send(session, "Page.handleJavaScriptDialog",
			map[string]any{"accept": true})
		if err != nil {
			b.findings = append(b.findings, err.Error())
		}
	case "Runtime.exceptionThrown":
		b.findings = append(b.findings, string(params))
	case "Log.entryAdded":
		var p struct {
			Entry struct{ Level, Source, Text, URL string }
		}
		_ = json.Unmarshal(params, &p)
		// What comes of the network are statuses, which are tested by what pages show.
		if p.Entry.Level == "error" && p.Entry.Source != "network" {
			b.findings = append(b.findings, p.Entry.Text+" "+p.Entry.URL)
		}
	}
}

// call asks the browser and reads the answer.
func (b *Tab) call(method string, params, out any) {
	b.t.Helper()
	c, err := b.pipe.send(b.session, method, params)
	must(b.t, err)
	select {
	case a, ok := <-c:
		if !ok {
			b.t.Fatalf("%s: %v", method, errClosed)
		}
		if a.Error != nil {
			b.t.Fatalf("%s: %s", method, a.Error.Message)
		}
		if out != nil {
			must(b.t, json.Unmarshal(a.Result, out))
		}
	case <-time.After(Patience):
		b.t.Fatalf("%s: no answer", method)
	}
}

// Size sets the size of the window, in CSS pixels; a phone has a screen that is touched.
func (b *Tab) Size(width, height int, phone bool) {
	b.t.Helper()
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{
		"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone,
	}, nil)
}

// Dark has pages shown in dark colours, or in light ones.
func (b *Tab) Dark(yes bool) {
	b.t.Helper()
	value := "light"
	if yes {
		value = "dark"
	}
	b.call("Emulation.setEmulatedMedia", map[string]any{
		"features": []any{map[string]any{"name": "prefers-color-scheme", "value": value}},
	}, nil)
}

// loading does what has a page loaded, and waits until it is.
func (b *Tab) loading(what string, do func()) {
	b.t.Helper()
	b.mu.Lock()
	before := b.loads
	b.mu.Unlock()
	do()
	timeout := time.After(Patience)
	for {
		b.mu.Lock()
		loads, changed := b.loads, b.changed
		b.mu.Unlock()
		if loads > before {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			b.t.Fatalf("%s: no page is loaded", what)
		}
	}
}

// Go opens an address.
func (b *Tab) Go(url string) {
	b.t.Helper()
	b.loading(url, func() {
		var out struct{ ErrorText string }
		b.call("Page.navigate", map[string]any{"url": url}, &out)
		if out.ErrorText != "" {
			b.t.Fatalf("open %s: %s", url, out.ErrorText)
		}
	})
}

// Eval gives the value of an expression, which may be a promise.
func (b *Tab) Eval(expression string, out any) {
	b.t.Helper()
	var r struct {
		Result  struct{ Value json.RawMessage }
		Details *struct {
			Text      string
			Exception struct{ Description string }
		} `json:"exceptionDetails"`
	}
	b.call("Runtime.evaluate", map[string]any{
		"expression": expression, "returnByValue": true, "awaitPromise": true,
		"userGesture": true,
	}, &r)
	if r.Details != nil {
		b.t.Fatalf("%s: %s %s", expression, r.Details.Text, r.Details.Exception.Description)
	}
	if out != nil {
		must(b.t, json.Unmarshal(r.Result.Value, out))
	}
}

// Text gives what is written in the element.
func (b *Tab) Text(selector string) (text string) {
	b.t.Helper()
	b.Eval(fmt.Sprintf("document.querySelector(%s)?.innerText ?? ''", quote(selector)), &text)
	return text
}

// Fill writes into a field of a form.
func (b *Tab) Fill(selector, value string) {
	b.t.Helper()
	b.Eval(fmt.Sprintf("document.querySelector(%s).value = %s", quote(selector), quote(value)),
		nil)
}

// Click clicks on an element.
func (b *Tab) Click(selector string) {
	b.t.Helper()
	b.Eval(fmt.Sprintf("document.querySelector(%s).click()", quote(selector)), nil)
}

// Follow clicks on what has another page loaded, and waits for it.
func (b *Tab) Follow(selector string) {
	b.t.Helper()
	b.loading(selector, func() { b.Click(selector) })
}

// Until waits for an expression to be true. The page itself looks, each time it is drawn.
func (b *Tab) Until(expression string) {
	b.t.Helper()
	var ok bool
	b.Eval(fmt.Sprintf(`new Promise((done) => {
		const end = Date.now() + %d;
		const look = () => (%s) ? done(true) : Date.now() > end ? done(false) :
			setTimeout(look, 50);
		look();
	})`, (Patience-time.Minute).Milliseconds(), expression), &ok)
	if !ok {
		b.t.Fatalf("never true: %s", expression)
	}
}

// Dialogs gives what was asked since the last call.
func (b *Tab) Dialogs() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.dialogs
	b.dialogs = nil
	return list
}

// Findings gives what the browser complained about.
func (b *Tab) Findings() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.findings
}

// Shot writes a picture of the whole page, if the environment names a folder for them in
// COFFER_SCREENSHOTS.
func (b *Tab) Shot(name string) {
	b.t.Helper()
	dir := os.Getenv("COFFER_SCREENSHOTS")
	if dir == "" {
		return
	}
	var out struct{ Data string }
	b.call("Page.captureScreenshot", map[string]any{"captureBeyondViewport": true}, &out)
	data, err := base64.StdEncoding.DecodeString(out.Data)
	must(b.t, errors.Join(err, os.WriteFile(filepath.Join(dir, name+".png"), data, 0o600)))
}

// quote writes a text as a script does.
func quote(text string) string {
	q, err := json.Marshal(text)
	if err != nil {
		panic(err) // texts can always be written
	}
	return string(q)
}
