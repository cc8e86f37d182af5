// Package doctor looks at the machine and the files that a process of Coffer rests on,
// and says of each thing that is not well what was seen and what to do.
//
// It guarantees that it changes nothing but a scratch file beside the data, which it
// removes, and that no finding holds a secret. It judges what it is given and what the
// system tells; what is stored is for those to tell who can open it.
package doctor

import (
	"cmp"
	"fmt"
	"slices"
)

// Severity says how bad a finding is.
type Severity string

// The severities. A note asks for nothing that must be done.
const (
	Note    Severity = "note"
	Warning Severity = "warning"
	Error   Severity = "error"
)

func (s Severity) rank() int { return slices.Index([]Severity{Note, Warning, Error}, s) }

// A Finding is one thing that is not as it should be.
type Finding struct {
	// ID names what was looked at, and stays the same in later versions.
	ID       string   `json:"id"`
	Severity Severity `json:"severity"`
	Seen     string   `json:"seen"`
	Do       string   `json:"do"`
}

// Skipped is something that could not be looked at.
type Skipped struct {
	ID  string `json:"id"`
	Why string `json:"why"`
}

// Report is what was looked at, and what was found. The zero value is ready.
type Report struct {
	Data     string    `json:"data"`
	State    string    `json:"state"` // serving, sealed or stopped
	Findings []Finding `json:"findings"`
	Checked  []string  `json:"checked"` // ids
	Skipped  []Skipped `json:"skipped"`
}

// Look notes that something is looked at, and is well as far as nothing is found.
func (r *Report) Look(id string) {
	if !slices.Contains(r.Checked, id) {
		r.Checked = append(r.Checked, id)
	}
}

// Find notes a finding; seen is a format for args.
func (r *Report) Find(id string, s Severity, do, seen string, args ...any) {
	r.Look(id)
	r.Findings = append(r.Findings, Finding{id, s, fmt.Sprintf(seen, args...), do})
}

// Skip notes that something cannot be looked at.
func (r *Report) Skip(id, why string) { r.Skipped = append(r.Skipped, Skipped{id, why}) }

// Sort puts the worst first, and gives every list, though it be empty.
func (r *Report) Sort() {
	r.Findings = append([]Finding{}, r.Findings...)
	r.Checked = append([]string{}, r.Checked...)
	r.Skipped = append([]Skipped{}, r.Skipped...)
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(b.Severity.rank()-a.Severity.rank(), cmp.Compare(a.ID, b.ID))
	})
}

// Count is how many findings there are of a severity.
func (r *Report) Count(s Severity) (n int) {
	for _, f := range r.Findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}
