package soak

import (
	"fmt"
	"regexp"
	"slices"
	"sync"
	"time"
)

// maxFindings bounds the kinds of findings that are kept.
const maxFindings = 100

// findings are what should not have been. Those that differ in numbers only are
// counted together, and the first is kept.
type findings struct {
	logf func(format string, args ...any)

	mu    sync.Mutex
	kinds map[string]*finding
	order []*finding
}

type finding struct {
	text  string
	times int
}

var anyNumber = regexp.MustCompile(`[0-9]+`)

// addf notes a finding, and tells of the first of its kind at once.
func (f *findings) addf(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	kind := anyNumber.ReplaceAllString(text, "0")
	f.mu.Lock()
	defer f.mu.Unlock()
	if known := f.kinds[kind]; known != nil {
		known.times++
		return
	}
	if len(f.order) == maxFindings {
		return
	}
	if f.kinds == nil {
		f.kinds = map[string]*finding{}
	}
	found := &finding{text, 1}
	f.kinds[kind] = found
	f.order = append(f.order, found)
	f.logf("%s FOUND %s", time.Now().Format(time.TimeOnly), text)
}

// list gives all findings, with how often each was.
func (f *findings) list() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []string
	for _, found := range f.order {
		text := found.text
		if found.times > 1 {
			text = fmt.Sprintf("%s (%d times)", text, found.times)
		}
		list = append(list, text)
	}
	return slices.Clip(list)
}
