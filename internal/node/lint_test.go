package node

import (
	"regexp"
	"strings"
	"testing"

	"coffer/internal/telemetry"
)

// TestLintBroker_IAM06: users and virtual hosts that the management API makes are looked
// at; what was there before stays as it is, and can be changed (acceptance IAM-06, D-19).
func TestLintBroker_IAM06(t *testing.T) {
	t.Parallel()
	const mail = "jane@example.com"
	var log logBuffer
	w := newWorld(t, func(c *Config) {
		c.Names = &telemetry.Names{}
		var err error
		c.Logger, err = telemetry.NewLogger(&log, telemetry.LogConfig{Names: c.Names})
		if err != nil {
			t.Fatal(err)
		}
	})
	host := "https://localhost:" + w.managementPort() + "/api/"
	admin := strings.TrimSpace(w.file(fileMainAdmin))
	put := func(path, body string, want int, word string) {
		t.Helper()
		host = "https://localhost:" + w.managementPort() + "/api/"
		status, text := w.console().ask(admin, "PUT", host+path, body)
		if status != want || !strings.Contains(text, word) {
			t.Errorf("%s: %d %s", path, status, text)
		}
	}
	put("users/"+mail, `{"password":"x","tags":""}`, 201, "")
	if !strings.Contains(log.String(), "looks_like=[email-address] refused=false") &&
		!strings.Contains(log.String(), `looks_like="[an e-mail address]" refused=false`) {
		t.Errorf("nobody is told: %s", log.String())
	}
	digest := regexp.MustCompile(`change=user.put of.by=~([0-9a-f]{16}) of.user=(~[0-9a-f]{16}) `)
	first := digest.FindStringSubmatch(log.String())
	if first == nil || first[1] == first[2] {
		t.Fatalf("no digests of names: %s", log.String())
	}
	w.stop()
	w.cfg.Lint = "refuse"
	w.start()
	put("users/"+mail, `{"password":"y","tags":"monitoring"}`, 204, "")
	put("users/joe@example.com", `{"password":"x","tags":""}`, 400, "looks like an e-mail address")
	put("vhosts/4111111111111111", "", 400, "looks like a card number")
	put("vhosts/a", `{"description":"ask `+mail+`"}`, 400, "looks like an e-mail address")
	put("vhosts/a", `{"description":"ask Jane"}`, 201, "")
	body := createBody("tagged")
	body["tags"] = object{"owner": mail}
	if status, out := w.call("POST", "/v1/brokers", body); status != 400 ||
		!strings.Contains(out["message"].(string), "tags.owner") {
		t.Errorf("a broker with a tag: %d %v", status, out)
	}
	if strings.Count(log.String(), "of.user="+first[2]) != 2 {
		t.Error("the next process has another digest of the name")
	}
	if strings.Contains(log.String(), mail) {
		t.Errorf("the log shows the address: %s", log.String())
	}
}
