package kms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"

	"coffer/internal/aws/api/kms"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/policy"
)

const (
	// maxPolicy is the quota of a key policy document, in bytes.
	maxPolicy  = 32 << 10
	policyName = "default" // the only one a key has
	// cachedPolicies bounds the parsed documents that are kept.
	cachedPolicies = 1024
)

// policyCache keeps parsed key policies. An entry counts only for the very text
// and the ids it was made from, so nothing needs to be told of a change or a rollback.
type policyCache struct {
	mu   sync.Mutex
	docs map[string]parsedPolicy // by the key's id
}

type parsedPolicy struct {
	text       string
	principals map[string]string
	doc        *policy.Document // with unique ids
}

// of gives the parsed policy of a key.
func (c *policyCache) of(k *key) (*policy.Document, error) {
	c.mu.Lock()
	got, ok := c.docs[k.ID]
	c.mu.Unlock()
	if ok && got.text == k.Policy && maps.Equal(got.principals, k.Principals) {
		return got.doc, nil
	}
	doc, err := policy.Parse([]byte(k.Policy), policy.Resource)
	if err != nil {
		return nil, fmt.Errorf("stored policy of key %s: %w", k.ID, errors.New(err.Error()))
	}
	doc = doc.Pin(k.Principals)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.docs == nil || len(c.docs) >= cachedPolicies {
		c.docs = map[string]parsedPolicy{}
	}
	c.docs[k.ID] = parsedPolicy{k.Policy, k.Principals, doc}
	return doc, nil
}

// statement is one of a policy that Coffer writes itself.
type statement struct {
	Sid       string
	Effect    string
	Principal map[string]string
	Action    any
	Resource  string
	Condition map[string]map[string]string `json:",omitempty"`
}

// document renders statements in AWS's order of members.
func document(id string, statements ...statement) string {
	b, err := json.Marshal(struct {
		Version   string
		Id        string
		Statement []statement
	}{"2012-10-17", id, statements})
	if err != nil {
		panic(err) // only strings and maps of them
	}
	return string(b)
}

func rootOf(account string) map[string]string {
	return map[string]string{"AWS": "arn:aws:iam::" + account + ":root"}
}

// defaultPolicy is what a key gets whose maker named none.
//
// Source: KMS Developer Guide, "Default key policy".
func defaultPolicy(account string) string {
	return document("key-default-1", statement{
		Sid: "Enable IAM User Permissions", Effect: "Allow", Principal: rootOf(account),
		Action: "kms:*", Resource: "*",
	})
}

// setPolicy gives a key the policy that a caller wants. It refuses one that names users
// or roles who do not exist and, unless told to bypass that, one that would lock the
// caller out. Who is named is known by the unique id from then on: who takes the name
// of one who was deleted is another.
//
// Source: KMS API reference, PutKeyPolicy; AWS re:Post, "one or more invalid principals".
func (s *Service) setPolicy(ctx context.Context, k *key, text string, bypass *bool) error {
	if len(text) > maxPolicy {
		return overLimit("The key policy has %d bytes, at most %d are allowed.", len(text),
			maxPolicy)
	}
	doc, err := policy.Parse([]byte(text), policy.Resource)
	if err != nil {
		return malformedPolicy(clientText(err))
	}
	ids, err := s.uniqueIDs(ctx, doc.PrincipalARNs()...)
	if fault.KindOf(err) == fault.NotFound {
		err = malformedPolicy("Policy contains a statement with one or more invalid principals.")
	}
	if err != nil {
		return err
	}
	k.Policy, k.Principals = text, ids
	if bypass != nil && *bypass {
		return nil
	}
	return checkLockout(ctx, k, doc)
}

func (s *Service) uniqueIDs(ctx context.Context, names ...string) (map[string]string, error) {
	if s.cfg.Directory == nil {
		return nil, nil
	}
	return s.cfg.Directory.UniqueIDs(ctx, names)
}

// checkLockout refuses a policy under which the caller could not put another.
func checkLockout(ctx context.Context, k *key, doc *policy.Document) error {
	all, err := policy.Parse([]byte(allowAll), policy.Identity)
	if err != nil {
		return fmt.Errorf("parse own policy: %w", errors.New(err.Error()))
	}
	d := policy.Evaluate(policy.Request{
		Principal: gateway.From(ctx).Principal, Action: "kms:PutKeyPolicy",
		Resource: k.arn(), ResourceAccount: k.Account, RootOfTrust: true,
		ResourcePolicy: policy.Policy{Name: policyName, Document: doc},
		Identity:       []policy.Policy{{Name: "any", Document: all}},
	})
	if !d.Allowed {
		return malformedPolicy("The new key policy will not allow you to update the key policy " +
			"in the future.")
	}
	return nil
}

// allowAll stands for what IAM policies might give: the lockout check asks
// whether the key policy leaves a way, not whether the caller goes it.
const allowAll = `{"Version":"2012-10-17","Statement":` +
	`[{"Effect":"Allow","Action":"*","Resource":"*"}]}`

// clientText is the text of an error of the policy parser.
func clientText(err error) string {
	if e, ok := errors.AsType[*fault.Error](err); ok {
		return e.Text
	}
	return "The policy is malformed."
}

func checkPolicyName(name string) error {
	if name != "" && name != policyName {
		return notFound("No such policy exists")
	}
	return nil
}

// GetKeyPolicy gives the policy as it was put, but for who was renamed or deleted since.
func (s *Service) GetKeyPolicy(ctx context.Context, in *kms.GetKeyPolicyInput) (
	out *kms.GetKeyPolicyOutput, err error,
) {
	err = s.view(ctx, func(tx *control.Tx) error {
		k, err := resolve(ctx, tx, in.KeyId, ownKey)
		if err == nil {
			err = checkPolicyName(in.PolicyName)
		}
		if err == nil {
			out = &kms.GetKeyPolicyOutput{Policy: k.Policy, PolicyName: policyName}
			if len(k.Principals) > 0 && s.cfg.Directory != nil {
				out.Policy, err = s.cfg.Directory.PresentNames(ctx, k.Policy, k.Principals)
			}
		}
		return err
	})
	return out, err
}

// ListKeyPolicies gives the one name there is.
func (s *Service) ListKeyPolicies(ctx context.Context, in *kms.ListKeyPoliciesInput) (
	out *kms.ListKeyPoliciesOutput, err error,
) {
	err = s.view(ctx, func(tx *control.Tx) error {
		if in.Marker != "" {
			return badMarker()
		}
		_, err := resolve(ctx, tx, in.KeyId, ownKey)
		out = &kms.ListKeyPoliciesOutput{PolicyNames: []string{policyName}, Truncated: new(false)}
		return err
	})
	return out, err
}

// PutKeyPolicy replaces the policy. It works in every state of the key.
func (s *Service) PutKeyPolicy(ctx context.Context, in *kms.PutKeyPolicyInput) (
	*kms.PutKeyPolicyOutput, error,
) {
	return &kms.PutKeyPolicyOutput{}, s.update(ctx, func(tx *control.Tx) error {
		k, err := resolve(ctx, tx, in.KeyId, ownKey)
		if err == nil {
			err = checkPolicyName(in.PolicyName)
		}
		if err == nil {
			err = k.editable()
		}
		if err == nil {
			err = s.setPolicy(ctx, k, in.Policy, in.BypassPolicyLockoutSafetyCheck)
		}
		if err != nil {
			return err
		}
		affected(ctx, k)
		if err := k.save(tx); err != nil {
			return err
		}
		s.fence(ctx, tx, k, fault.New(fault.KeyUnavailable, "The policy of %s changed.", k.arn()))
		return nil
	})
}
