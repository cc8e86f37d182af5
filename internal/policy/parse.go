package policy

import (
	"regexp"
	"strconv"
	"strings"
)

const (
	version2008 = "2008-10-17"
	version2012 = "2012-10-17"
)

var (
	sidPattern    = regexp.MustCompile(`^[0-9A-Za-z]*$`)
	actionPattern = regexp.MustCompile(`^([0-9A-Za-z-]+|\*):[0-9A-Za-z_*?:-]+$`)
)

// Parse reads a document of the policy language for one use. Every error has
// the kind fault.Invalid and a text as IAM words it; doors answer it as
// MalformedPolicyDocument or their service's name for that. Elements that are
// unknown, doubled, or out of place in this use are refused. doc is not kept.
func Parse(doc []byte, use Use) (*Document, error) {
	r, err := newReader(doc)
	if err != nil {
		return nil, err
	}
	p := parser{reader: r, doc: &Document{use: use, size: len(doc)}}
	if err := p.object("policy", p.member); err != nil {
		return nil, err
	}
	return p.doc, p.finish()
}

// parser keeps raw statements until the version is known: it may come last,
// and decides whether ${ begins a variable.
type parser struct {
	*reader
	doc *Document
	raw []rawStatement
}

// member reads one element of the policy.
func (p *parser) member(key string) (err error) {
	switch key {
	case "Version":
		p.doc.version, err = p.text(key)
		if err == nil && p.doc.version != version2008 && p.doc.version != version2012 {
			err = syntaxError("version %q is unknown", p.doc.version)
		}
	case "Id":
		p.doc.id, err = p.text(key)
	case "Statement":
		err = p.statementList()
	default:
		err = syntaxError("policy has unknown element %q", key)
	}
	return err
}

// statementList reads one statement or a list of them.
func (p *parser) statementList() error {
	t, err := p.token()
	if err != nil {
		return err
	}
	list := isDelim(t, '[')
	for !list || p.dec.More() {
		if list {
			if t, err = p.token(); err != nil {
				return err
			}
		}
		if !isDelim(t, '{') {
			return syntaxError("statement: %w, want an object", errForm)
		}
		raw := rawStatement{reader: p.reader, start: p.position()}
		if err := p.members("statement", raw.member); err != nil {
			return err
		}
		raw.end = p.position()
		p.raw = append(p.raw, raw)
		if !list {
			return nil
		}
	}
	_, err = p.token()
	return err
}

// finish compiles the statements.
func (p *parser) finish() error {
	if len(p.raw) == 0 {
		return syntaxError("no statement")
	}
	sids := make(map[string]bool)
	for i := range p.raw {
		raw := &p.raw[i]
		if err := raw.check(p.doc.use); err != nil {
			return err
		}
		if p.doc.use != Resource && raw.sid != "" {
			if !sidPattern.MatchString(raw.sid) {
				return malformed("Statement IDs (SID) must be alpha-numeric. Check that " +
					"your input satisfies the regular expression [0-9A-Za-z]*")
			}
			if sids[raw.sid] {
				return malformed("Statement IDs (SID) in a single policy must be unique.")
			}
			sids[raw.sid] = true
		}
		s, err := raw.compile(p.doc.version == version2012)
		if err != nil {
			return err
		}
		if s.label == "" {
			s.label = "#" + strconv.Itoa(i+1)
		}
		p.doc.statements = append(p.doc.statements, s)
	}
	return nil
}

// compileActions reads actions; they have no case and no variables.
func compileActions(list []string) ([]pattern, error) {
	out := make([]pattern, 0, len(list))
	for _, a := range list {
		if a != "*" && !strings.Contains(a, ":") {
			return nil, malformed("Actions/Conditions must be prefaced by a vendor, " +
				"e.g., iam, sdb, ec2, etc.")
		}
		if a != "*" && !actionPattern.MatchString(a) {
			return nil, syntaxError("action %q is malformed", a)
		}
		p, err := compile(a, syntax{wildcards: true, foldCase: true})
		if err != nil {
			return nil, syntaxError("action %q: %w", a, err)
		}
		out = append(out, p)
	}
	return out, nil
}

// compileResources reads resources.
func compileResources(list []string, variables bool) ([]resourcePattern, error) {
	out := make([]resourcePattern, 0, len(list))
	for _, name := range list {
		if name != "*" && !strings.HasPrefix(name, "arn:") {
			return nil, malformed(`Resource %s must be in ARN format or "*".`, name)
		}
		r, err := compileARN(name, syntax{variables: variables})
		if err != nil {
			return nil, syntaxError("resource %q: %w", name, err)
		}
		out = append(out, r)
	}
	return out, nil
}
