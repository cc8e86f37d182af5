package node

import (
	"strings"

	"coffer/internal/fault"
	"coffer/internal/lint"
)

// lint tells of a name or text within a broker that looks like personal data or a
// secret, or refuses it. The log does not show it.
func (n *Node) lint(what, text string) error {
	if n.cfg.lintMode == lint.Off {
		return nil
	}
	looks := lint.Text(text)
	if looks == nil {
		return nil
	}
	refuse := n.cfg.lintMode == lint.Refuse
	n.log.Warn("a name or text within a broker looks like what does not belong there: "+
		"others can read it", "what", what, "looks_like", looks, "refused", refuse)
	if !refuse {
		return nil
	}
	var names []string
	for _, l := range looks {
		names = append(names, l.String())
	}
	return fault.New(fault.Invalid, "the %s looks like %s, which --lint refuses", what,
		strings.Join(names, ", "))
}
