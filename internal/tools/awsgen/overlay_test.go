package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestOverlay(t *testing.T) {
	const src = `{"shapes":{"A":{"type":"string","min":1},"x/y~":{}}}`
	for _, c := range []struct{ name, patch, want, err string }{
		{"set", `[{"at":"/shapes/A/min","set":2,"why":"w"}]`,
			`{"shapes":{"A":{"min":2,"type":"string"},"x/y~":{}}}`, ""},
		{"add", `[{"at":"/shapes/x~1y~0/max","set":2,"why":"w"}]`,
			`{"shapes":{"A":{"min":1,"type":"string"},"x/y~":{"max":2}}}`, ""},
		{"remove", `[{"at":"/shapes/A","remove":true,"why":"w"}]`, `{"shapes":{"x/y~":{}}}`, ""},
		{"same value", `[{"at":"/shapes/A/min","set":1,"why":"w"}]`, "", "changes nothing"},
		{"not there", `[{"at":"/shapes/B","remove":true,"why":"w"}]`, "", "changes nothing"},
		{"no parent", `[{"at":"/shapes/B/min","set":1,"why":"w"}]`, "", `no object "B"`},
		{"no reason", `[{"at":"/shapes/A/min","set":2}]`, "", "no why"},
		{"no pointer", `[{"at":"shapes","set":2,"why":"w"}]`, "", "want a pointer"},
		{"misspelt", `[{"at":"/shapes/A/min","sett":2,"why":"w"}]`, "", "unknown field"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var model any
			if err := json.Unmarshal([]byte(src), &model); err != nil {
				t.Fatal(err)
			}
			err := overlay(model, []byte(c.patch))
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("got %v, want %s", err, c.err)
				}
				return
			}
			got, _ := json.Marshal(model)
			if err != nil || string(got) != c.want {
				t.Errorf("got %s, %v", got, err)
			}
		})
	}
}
