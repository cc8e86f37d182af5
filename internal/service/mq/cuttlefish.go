package mq

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	api "coffer/internal/aws/api/mq"
)

// maxData bounds the text of a configuration, in bytes.
const maxData = 64 << 10

var settingLine = regexp.MustCompile(`^\s*([A-Za-z0-9_$-]+(?:\.[A-Za-z0-9_$-]+)*)\s*=\s*(.*?)\s*$`)

// Settings are what a configuration changes of a broker; zero members do not.
type Settings struct {
	// ConsumerTimeout is how long a delivery may stay unsettled; negative: for ever.
	ConsumerTimeout time.Duration
	// Heartbeat is what is offered to clients.
	Heartbeat time.Duration
}

// setting is one that Amazon MQ lets be configured.
type setting struct {
	valid func(value string) bool
	set   func(s *Settings, value string) // nil = Coffer has none of it
}

// allowed are the settings of RabbitMQ that configurations can have.
//
// Source: Amazon MQ Developer Guide, "Configurable values".
func allowed() map[string]setting {
	return map[string]setting{
		"consumer_timeout": {number(0, 1<<31-1), func(s *Settings, v string) {
			s.ConsumerTimeout = units(v, time.Millisecond)
			if s.ConsumerTimeout == 0 {
				s.ConsumerTimeout = -1
			}
		}},
		"heartbeat": {number(60, 3600), func(s *Settings, v string) {
			s.Heartbeat = units(v, time.Second)
		}},
		"management.restrictions.operator_policy_changes.disabled":          {isBool, nil},
		"quorum_queue.property_equivalence.relaxed_checks_on_redeclaration": {isBool, nil},
		"secure.management.http.headers.enabled":                            {isBool, nil},
	}
}

func number(low, high int64) func(string) bool {
	return func(v string) bool {
		n, err := strconv.ParseInt(v, 10, 64)
		return err == nil && n >= low && n <= high
	}
}

func isBool(v string) bool { return v == "true" || v == "false" }

// units reads a number that was checked.
func units(v string, unit time.Duration) time.Duration {
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return 0
	}
	return time.Duration(n) * unit
}

// Why sanitizing left something out, in the model's words.
const (
	removedElement = "DISALLOWED_ELEMENT_REMOVED"
	removedValue   = "INVALID_ATTRIBUTE_VALUE_REMOVED"
)

// sanitize gives the text of a configuration without what no broker may have, and tells
// what that was. A setting that Amazon MQ allows and Coffer does not have stays in the
// text, so that it reads as it was written, and is told of as well.
func sanitize(data []byte) (clean []byte, warnings []api.SanitizationWarning, err error) {
	if len(data) > maxData || !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0 {
		return nil, nil, bad("data", fmt.Sprintf(
			"The configuration must be text of at most %d bytes.", maxData))
	}
	known := allowed()
	for i, line := range strings.SplitAfter(string(data), "\n") {
		key, value, ok := parseLine(line)
		if !ok {
			return nil, nil, bad("data", fmt.Sprintf(
				"Line %d of the configuration is not of the form key = value.", i+1))
		}
		s, found := known[key]
		switch {
		case key == "":
		case !found:
			warnings = append(warnings,
				api.SanitizationWarning{ElementName: key, Reason: removedElement})
			continue
		case !s.valid(value):
			warnings = append(warnings, api.SanitizationWarning{
				ElementName: key, AttributeName: value, Reason: removedValue})
			continue
		case s.set == nil:
			warnings = append(warnings,
				api.SanitizationWarning{ElementName: key, Reason: removedElement})
		}
		clean = append(clean, line...)
	}
	return clean, warnings, nil
}

// parseLine reads a line of a configuration; key is empty where nothing is set.
func parseLine(line string) (key, value string, ok bool) {
	line = strings.TrimRight(line, "\r\n")
	if i := strings.IndexByte(line, '#'); i >= 0 {
		line = line[:i]
	}
	if strings.TrimSpace(line) == "" {
		return "", "", true
	}
	m := settingLine.FindStringSubmatch(line)
	if m == nil {
		return "", "", false
	}
	return m[1], m[2], true
}

// settings reads what a sanitized configuration sets. Of two that say the same thing the
// last one counts.
func settings(data []byte) (s Settings) {
	known := allowed()
	for line := range strings.SplitSeq(string(data), "\n") {
		key, value, _ := parseLine(line)
		if k, ok := known[key]; ok && k.set != nil && k.valid(value) {
			k.set(&s, value)
		}
	}
	return s
}
