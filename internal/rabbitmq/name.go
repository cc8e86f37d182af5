package rabbitmq

import (
	"unicode/utf8"

	"coffer/internal/fault"
)

// Bounds of what is kept of one thing.
const (
	maxShortName   = 255      // bytes of names of virtual hosts, users, policies and parameters
	maxTags        = 256      // of a user or virtual host
	maxDescription = 16 << 10 // bytes
	maxValue       = 1 << 20  // bytes of the value of a parameter, or of a policy
)

// checkName refuses a name that cannot be kept. What is kept is JSON, and so UTF-8.
func checkName(of, name string) error {
	switch {
	case name == "" || len(name) > maxShortName:
		return fault.New(fault.Invalid, "name of a %s is empty or longer than %d bytes",
			of, maxShortName)
	case !utf8.ValidString(name):
		return fault.New(fault.Invalid, "name of a %s is not UTF-8", of)
	}
	return nil
}

// looked looks at a text that others can read; see [Config].Lint.
func (e *Engine) looked(what, text string) error {
	if e.lint == nil {
		return nil
	}
	return e.lint(what, text)
}

func checkTags(tags []string) error {
	if len(tags) > maxTags {
		return fault.New(fault.Invalid, "more than %d tags", maxTags)
	}
	for _, t := range tags {
		if len(t) > maxShortName || !utf8.ValidString(t) {
			return fault.New(fault.Invalid, "a tag is longer than %d bytes or not UTF-8",
				maxShortName)
		}
	}
	return nil
}

func checkText(text string) error {
	if len(text) > maxDescription || !utf8.ValidString(text) {
		return fault.New(fault.Invalid, "a description is longer than %d bytes or not UTF-8",
			maxDescription)
	}
	return nil
}
