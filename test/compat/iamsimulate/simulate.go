package iamsimulate

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"coffer/internal/policy"
)

// simulator is the process of the other evaluator.
type simulator struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// answer is a line of the process.
type answer struct {
	Result  decision `json:"result"`
	Ignored []string `json:"ignored"` // context keys that the action does not have
	Error   string   `json:"error"`
}

// start runs the command, whose folder has simulate.js.
func start(ctx context.Context, command []string, stderr io.Writer) (*simulator, error) {
	s := &simulator{cmd: exec.CommandContext(ctx, command[0], command[1:]...)}
	s.cmd.Stderr = stderr
	var err error
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.out = bufio.NewReader(out)
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", strings.Join(command, " "), err)
	}
	return s, nil
}

// stop ends the process by ending its input.
func (s *simulator) stop() error {
	return errors.Join(s.in.Close(), s.cmd.Wait())
}

// ask sends a batch and reads its answers, both at once: neither side may wait
// for the other to empty a pipe.
func (s *simulator) ask(batch []*scene) ([]answer, error) {
	sent := make(chan error, 1)
	go func() { sent <- s.send(batch) }()
	answers := make([]answer, len(batch))
	for i := range answers {
		line, err := s.out.ReadBytes('\n')
		if err == nil {
			err = json.Unmarshal(line, &answers[i])
		}
		if err != nil {
			return nil, errors.Join(err, s.in.Close(), <-sent)
		}
	}
	return answers, <-sent
}

func (s *simulator) send(batch []*scene) error {
	w := bufio.NewWriter(s.in)
	enc := json.NewEncoder(w)
	for _, c := range batch {
		if err := enc.Encode(c.simulation()); err != nil {
			return err
		}
	}
	return w.Flush()
}

type object = map[string]any

// simulation gives the scene in the form of iam-simulate.
func (s *scene) simulation() object {
	principal := s.who.String()
	out := object{
		"identityPolicies":        named(s.identity),
		"serviceControlPolicies":  []any{},
		"resourceControlPolicies": []any{},
		"request": object{
			"principal": principal, "action": s.action,
			"resource":         object{"resource": s.resource, "accountId": s.owner},
			"contextVariables": s.variables(),
		},
	}
	if s.boundary != nil {
		out["permissionBoundaryPolicies"] = named([]document{*s.boundary})
	}
	if s.session != nil {
		out["sessionPolicy"] = s.session
	}
	if s.attached != nil {
		out["resourcePolicy"] = s.attached
	}
	return out
}

func named(list []document) []object {
	out := []object{}
	for i := range list {
		out = append(out, object{"name": fmt.Sprint("p", i), "policy": &list[i]})
	}
	return out
}

// variables gives all condition keys. Those that follow from the request are
// what Coffer derives; the other evaluator must be told.
func (s *scene) variables() object {
	out := object{}
	for key, values := range s.context {
		if len(values) == 1 {
			out[key] = values[0]
			continue
		}
		out[key] = values
	}
	for key, value := range s.derived() {
		if value != "" {
			out[key] = value
		}
	}
	if s.who.Kind == policy.Service {
		out["aws:PrincipalServiceNamesList"] = []string{s.who.Service}
	}
	if keys := sortedKeys(s.pairs); len(keys) > 0 {
		out["kms:EncryptionContextKeys"] = keys
	}
	return out
}

// derived gives the keys with one value that follow from the request.
func (s *scene) derived() map[string]string {
	p := &s.who
	out := map[string]string{
		"aws:PrincipalAccount":      p.Account,
		"aws:PrincipalArn":          p.ARN,
		"aws:PrincipalIsAWSService": fmt.Sprint(p.Kind == policy.Service),
		"aws:PrincipalServiceName":  p.Service,
		"aws:userid":                p.UserID,
		"aws:ResourceAccount":       s.owner,
		"aws:CurrentTime":           s.now.Format(time.RFC3339),
		"aws:EpochTime":             fmt.Sprint(s.now.Unix()),
	}
	switch p.Kind {
	case policy.Root:
		out["aws:PrincipalType"] = "Account"
	case policy.User:
		out["aws:PrincipalType"], out["aws:username"] = "User", p.Name
	case policy.AssumedRole:
		out["aws:PrincipalType"], out["aws:PrincipalArn"] = "AssumedRole", p.Issuer
	case policy.FederatedUser:
		out["aws:PrincipalType"] = "FederatedUser"
	case policy.Anonymous:
		out["aws:PrincipalType"], out["aws:userid"] = "Anonymous", "anonymous"
	}
	if strings.HasPrefix(s.action, "kms:") {
		out["kms:CallerAccount"] = p.Account
	}
	return out
}
