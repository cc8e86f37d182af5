package sqs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"coffer/internal/arn"
	api "coffer/internal/aws/api/sqs"
	"coffer/internal/aws/gateway"
	"coffer/internal/aws/wire"
	"coffer/internal/control"
)

// maxActions bounds the actions of one AddPermission.
const maxActions = 7

var labelForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

// shared are the actions that AddPermission allows others; "*" is all of them.
var shared = map[string]bool{
	"*": true, "ChangeMessageVisibility": true, "DeleteMessage": true,
	"GetQueueAttributes": true, "GetQueueUrl": true, "ListDeadLetterSourceQueues": true,
	"PurgeQueue": true, "ReceiveMessage": true, "SendMessage": true,
}

// queuePolicy is a queue's policy with its statements as they were written.
type queuePolicy struct {
	Version   string            `json:",omitempty"`
	ID        string            `json:"Id,omitempty"`
	Statement []json.RawMessage // its parser takes one alone, too
}

// permission is a statement as AddPermission writes it.
type permission struct {
	Sid       string
	Effect    string
	Principal struct{ AWS any }
	Action    any
	Resource  string
}

// AddPermission adds a statement to the queue's policy.
func (s *Service) AddPermission(ctx context.Context, in *api.AddPermissionInput) (
	*api.AddPermissionOutput, error,
) {
	if err := checkPermission(in); err != nil {
		return nil, err
	}
	label := *in.Label
	err := s.repolicy(ctx, in.QueueUrl, func(a address, p *queuePolicy) error {
		if p.find(label) >= 0 {
			return badValue(label, "Label", "Already exists.")
		}
		added := permission{Sid: label, Effect: "Allow", Resource: a.arn()}
		var roots, actions []string
		for _, id := range in.AWSAccountIds {
			roots = append(roots, arn.New("iam", "", id, "root").String())
		}
		for _, action := range in.Actions {
			actions = append(actions, "SQS:"+action)
		}
		added.Principal.AWS, added.Action = alone(roots), alone(actions)
		text, err := json.Marshal(added)
		if err != nil {
			return fmt.Errorf("encode permission %s: %w", label, err)
		}
		p.Statement = append(p.Statement, text)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.AddPermissionOutput{}, nil
}

// RemovePermission takes the statement with a label out of the queue's policy.
func (s *Service) RemovePermission(ctx context.Context, in *api.RemovePermissionInput) (
	*api.RemovePermissionOutput, error,
) {
	if in.Label == nil {
		return nil, noLabel()
	}
	err := s.repolicy(ctx, in.QueueUrl, func(_ address, p *queuePolicy) error {
		i := p.find(*in.Label)
		if i < 0 {
			return badValue(*in.Label, "Label", "can't find label.")
		}
		p.Statement = slices.Delete(p.Statement, i, i+1)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.RemovePermissionOutput{}, nil
}

func checkPermission(in *api.AddPermissionInput) error {
	switch {
	case len(in.AWSAccountIds) == 0:
		return wire.Missing("PrincipalId")
	case len(in.Actions) == 0:
		return wire.Missing("Actions")
	case in.Label == nil:
		return noLabel()
	case *in.Label == "":
		return invalid("Label cannot be empty.")
	case !labelForm.MatchString(*in.Label):
		return invalid("Label can only include alphanumeric characters, hyphens, or " +
			"underscores. 1 to 80 in length")
	case len(in.Actions) > maxActions:
		return &api.OverLimit{Message: fmt.Sprintf("%d Actions were found, maximum allowed is %d.",
			len(in.Actions), maxActions)}
	}
	for _, id := range in.AWSAccountIds {
		if !goodAccount(id) {
			return badValue("["+strings.Join(in.AWSAccountIds, ", ")+"]", "PrincipalId",
				"Unable to verify.")
		}
	}
	for _, action := range in.Actions {
		if shared[action] {
			continue
		}
		reason := "Please refer to the appropriate WSDL for a list of valid actions."
		if _, ok := api.API.Op(action); ok {
			reason = "Only the queue owner is allowed to invoke this action."
		}
		return badValue("SQS:"+action, "ActionName", reason)
	}
	return nil
}

func noLabel() error {
	return invalid("Value for parameter Label is invalid. Reason: Must specify a label.")
}

// repolicy edits the policy of a queue; one without statements is none.
func (s *Service) repolicy(
	ctx context.Context, url string, edit func(address, *queuePolicy) error,
) error {
	a, err := addressOf(gateway.From(ctx), url)
	if err != nil {
		return err
	}
	return s.db.Update(ctx, func(_ context.Context, tx *control.Tx) error {
		return s.change(tx, a, func(r *row) error {
			p, err := parsePolicy(a, r.Attributes["Policy"])
			if err != nil {
				return err
			}
			if err := edit(a, p); err != nil {
				return err
			}
			text := ""
			if len(p.Statement) > 0 {
				b, err := json.Marshal(p)
				if err != nil {
					return fmt.Errorf("encode policy of %s: %w", a.arn(), err)
				}
				text = string(b)
			}
			r.Attributes = withAttributes(r.Attributes, map[string]string{"Policy": text})
			r.Modified = tx.Time()
			return nil
		})
	})
}

// parsePolicy reads a policy that is stored, or begins one as AWS does.
func parsePolicy(a address, text string) (*queuePolicy, error) {
	if text == "" {
		return &queuePolicy{Version: "2008-10-17", ID: a.arn() + "/SQSDefaultPolicy"}, nil
	}
	var p struct {
		queuePolicy
		Statement json.RawMessage
	}
	err := json.Unmarshal([]byte(text), &p)
	if err == nil && bytes.HasPrefix(p.Statement, []byte("[")) {
		err = json.Unmarshal(p.Statement, &p.queuePolicy.Statement)
	} else {
		p.queuePolicy.Statement = []json.RawMessage{p.Statement}
	}
	if err != nil {
		return nil, fmt.Errorf("policy of %s: %w", a.arn(), err)
	}
	return &p.queuePolicy, nil
}

// find gives the place of the statement with a label; -1 if there is none.
func (p *queuePolicy) find(label string) int {
	return slices.IndexFunc(p.Statement, func(text json.RawMessage) bool {
		var s struct{ Sid string }
		return json.Unmarshal(text, &s) == nil && s.Sid == label
	})
}

// alone gives the one text of a list as itself, as AWS writes it.
func alone(list []string) any {
	if len(list) == 1 {
		return list[0]
	}
	return list
}
