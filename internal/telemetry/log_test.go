package telemetry

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"coffer/internal/fault"
)

// TestLogger writes the levels it should, in the format it should.
func TestLogger(t *testing.T) {
	t.Parallel()
	levels := map[string]int{"debug": 4, "": 3, "info": 3, "warn": 2, "error": 1}
	for _, format := range []string{"", "text", "json"} {
		for level, want := range levels {
			var b bytes.Buffer
			l, err := NewLogger(&b, LogConfig{Format: format, Level: level})
			if err != nil {
				t.Fatal(err)
			}
			l.Debug("a")
			l.Info("b")
			l.Warn("c")
			l.Error("last", slog.Int("n", 7))
			lines := strings.Split(strings.TrimSpace(b.String()), "\n")
			if len(lines) != want {
				t.Errorf("%s %s: %d lines, want %d", format, level, len(lines), want)
			}
			last := lines[len(lines)-1]
			if format == "json" {
				var got struct {
					Time       time.Time
					Level, Msg string
					N          int
				}
				err := json.Unmarshal([]byte(last), &got)
				if err != nil || got.Level != "ERROR" || got.Msg != "last" || got.N != 7 ||
					got.Time.Location() != time.UTC {
					t.Errorf("%s: %v", last, err)
				}
			} else if !strings.HasSuffix(last, "level=ERROR msg=last n=7") ||
				!strings.Contains(last, "Z level") {
				t.Errorf("%q", last)
			}
		}
	}
}

// TestLoggerRefuses names the wrong value.
func TestLoggerRefuses(t *testing.T) {
	t.Parallel()
	for value, cfg := range map[string]LogConfig{
		"xml": {Format: "xml"}, "loud": {Level: "loud"}, "INFO": {Level: "INFO"},
	} {
		_, err := NewLogger(nil, cfg)
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), value) {
			t.Errorf("%s: %v", value, err)
		}
	}
}
