package policy

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"coffer/internal/fault"
)

var update = flag.Bool("update", false, "rewrite the answers in testdata")

// script is the state of one file: what its commands defined.
type script struct {
	documents map[string]*Document
	grants    map[string]Grant
}

// TestScripts runs testdata/*.txt. A command is a line, its body the lines up
// to ----, its answer the lines up to the next empty one:
//
//	identity|resource|trust NAME   body: a document    answer: ok or the error
//	grant ID                       body: its fields    answer: ok
//	eval                           body: the request   answer: the explanation
//	narrows PARENT CHILD                               answer: ok or the error
//
// They prove KMS-20, GRT-22, GRT-23, GRT-24 and IAM-01.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scripts, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			in, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			out := run(t, string(in))
			if *update {
				if err := os.WriteFile(file, out, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if !bytes.Equal(in, out) {
				t.Errorf("answers differ (-update rewrites them):\n%s", firstChange(in, out))
			}
		})
	}
}

// firstChange shows where two texts part.
func firstChange(a, b []byte) string {
	was, is := bytes.Split(a, []byte("\n")), bytes.Split(b, []byte("\n"))
	for i := range min(len(was), len(is)) {
		if !bytes.Equal(was[i], is[i]) {
			end := min(i+8, len(was), len(is))
			return fmt.Sprintf("line %d\nwas: %s\nis:  %s", i+1,
				bytes.Join(was[i:end], []byte("\n     ")), bytes.Join(is[i:end], []byte("\n     ")))
		}
	}
	return "one is longer"
}

// run executes the commands and gives the file with the answers renewed.
func run(t *testing.T, in string) []byte {
	s := script{map[string]*Document{}, map[string]Grant{}}
	var out bytes.Buffer
	lines := strings.Split(strings.TrimRight(in, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		if lines[i] == "" || strings.HasPrefix(lines[i], "#") {
			fmt.Fprintln(&out, lines[i])
			continue
		}
		command := strings.Fields(lines[i])
		from := i
		for i < len(lines) && lines[i] != "----" {
			i++
		}
		body := lines[min(from+1, i):i]
		for i+1 < len(lines) && lines[i+1] != "" {
			i++
		}
		fmt.Fprintln(&out, strings.Join(lines[from:from+1+len(body)], "\n"))
		fmt.Fprintln(&out, "----\n"+strings.TrimRight(s.do(t, command, body), "\n"))
	}
	return out.Bytes()
}

// do runs one command.
func (s *script) do(t *testing.T, command, body []string) string {
	switch command[0] {
	case "identity", "resource", "trust":
		uses := map[string]Use{"identity": Identity, "resource": Resource, "trust": Trust}
		d, err := Parse([]byte(strings.Join(body, "\n")), uses[command[0]])
		if err == nil {
			s.documents[command[1]] = d
		}
		return answer(err)
	case "grant":
		g := Grant{ID: command[1]}
		for _, line := range body {
			s.grantField(t, &g, strings.Fields(line))
		}
		s.grants[g.ID] = g
		return "ok"
	case "narrows":
		parent, child := s.grants[command[1]], s.grants[command[2]]
		return answer(Narrows(&parent, &child))
	case "eval":
		r := Request{Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
		for _, line := range body {
			key, rest, _ := strings.Cut(line, " ")
			s.requestField(t, &r, key, rest)
		}
		return Evaluate(r).Explain()
	}
	t.Fatalf("unknown command %q", command)
	return ""
}

// answer shows an error with its kind, text for clients and cause.
func answer(err error) string {
	if err == nil {
		return "ok"
	}
	text := fmt.Sprintf("%v: %v", fault.KindOf(err), err)
	if e, ok := errors.AsType[*fault.Error](err); ok && e.Err != nil {
		text = fmt.Sprintf("%v: %s [%v]", e.Kind, e.Text, e.Err)
	}
	return text
}

func (s *script) grantField(t *testing.T, g *Grant, f []string) {
	switch f[0] {
	case "grantee":
		g.Grantee = f[1]
	case "retiring":
		g.Retiring = f[1]
	case "issuer":
		g.IssuingAccount = f[1]
	case "operations":
		g.Operations = f[1:]
	case "equals":
		g.EncryptionContextEquals = pairs(f[1:])
	case "subset":
		g.EncryptionContextSubset = pairs(f[1:])
	case "source":
		g.SourceArn = f[1]
	default:
		t.Fatalf("unknown field of a grant: %q", f)
	}
}

func pairs(list []string) map[string]string {
	m := make(map[string]string)
	for _, p := range list {
		k, v, _ := strings.Cut(p, "=")
		m[k] = v
	}
	return m
}

func (s *script) requestField(t *testing.T, r *Request, key, rest string) {
	f := strings.Fields(rest)
	switch key {
	case "principal":
		r.Principal = principal(t, f)
	case "action":
		r.Action = rest
	case "on":
		r.Resource = rest
	case "owner":
		r.ResourceAccount = rest
	case "context":
		k, v, _ := strings.Cut(rest, "=")
		r.Context.Add(k, v)
	case "encryption":
		r.EncryptionContext = pairs(f)
	case "identity":
		r.Identity = append(r.Identity, s.policy(t, rest))
	case "boundary":
		r.Boundary = s.policy(t, rest)
	case "session":
		r.Session = append(r.Session, s.policy(t, rest))
	case "resource":
		r.ResourcePolicy = s.policy(t, rest)
	case "key":
		r.ResourcePolicy, r.RootOfTrust = s.policy(t, rest), true
	case "grant":
		r.Grants = append(r.Grants, s.grant(t, rest))
	case "only":
		r.OnlyGrant = rest
	case "new":
		g := s.grant(t, rest)
		r.NewGrant = &g
	default:
		t.Fatalf("unknown field of a request: %q", key)
	}
}

func (s *script) policy(t *testing.T, name string) Policy {
	if s.documents[name] == nil {
		t.Fatalf("no document %q", name)
	}
	return Policy{name, s.documents[name]}
}

func (s *script) grant(t *testing.T, id string) Grant {
	g, ok := s.grants[id]
	if !ok {
		t.Fatalf("no grant %q", id)
	}
	return g
}

// principal reads a kind and its parts: "user 111122223333 alice".
func principal(t *testing.T, f []string) Principal {
	switch f[0] {
	case "nobody":
		return Principal{}
	case "root":
		return RootPrincipal(f[1])
	case "user":
		return testUser(f[1], f[2])
	case "role":
		return testSession(f[1], f[2], f[3])
	case "federated-user":
		return Principal{Kind: FederatedUser, Account: f[1],
			ARN:    "arn:aws:sts::" + f[1] + ":federated-user/" + f[3],
			Issuer: "arn:aws:iam::" + f[1] + ":user/" + f[2], UserID: f[1] + ":" + f[3]}
	case "service":
		return ServicePrincipal(f[1])
	case "federated":
		return Principal{Kind: Federated, Provider: f[1]}
	}
	t.Fatalf("unknown principal %q", f)
	return Principal{}
}

func testUser(account, name string) Principal {
	return Principal{Kind: User, Account: account, Name: name, UserID: "AIDAEXAMPLE000000001",
		ARN: "arn:aws:iam::" + account + ":user/" + name}
}

func testSession(account, role, session string) Principal {
	return Principal{Kind: AssumedRole, Account: account, UserID: "AROAEXAMPLE000000001:" + session,
		ARN:    "arn:aws:sts::" + account + ":assumed-role/" + role + "/" + session,
		Issuer: "arn:aws:iam::" + account + ":role/" + role}
}
