package iamsimulate

import (
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"coffer/internal/policy"
)

const (
	accountA = "111122223333"
	accountB = "444455556666"
)

// target is an action with a resource that it can have.
type target struct{ action, resource string }

// targets are drawn from; # stands for the owner's account.
func targets() []target {
	return []target{
		{"sqs:SendMessage", "arn:aws:sqs:us-east-1:#:orders"},
		{"sqs:DeleteQueue", "arn:aws:sqs:eu-west-1:#:alice-orders"},
		{"sqs:ListQueues", "*"},
		{"sns:Publish", "arn:aws:sns:us-east-1:#:topic"},
		{"kms:Decrypt", "arn:aws:kms:us-east-1:#:key/1234abcd"},
		{"kms:GenerateDataKey", "arn:aws:kms:us-east-1:#:key/1234abcd"},
		{"kms:Encrypt", "arn:aws:kms:eu-west-1:#:key/5678abcd"},
		{"s3:GetObject", "arn:aws:s3:::bucket/home/alice/x*y.txt"},
		{"s3:ListBucket", "arn:aws:s3:::bucket"},
		{"iam:GetUser", "arn:aws:iam::#:user/alice"},
		{"sts:AssumeRole", "arn:aws:iam::#:role/app"},
		{"dynamodb:GetItem", "arn:aws:dynamodb:us-east-1:#:table/Thread"},
		{"secretsmanager:GetSecretValue", "arn:aws:secretsmanager:us-east-1:#:secret:a-b"},
		{"logs:PutLogEvents", "arn:aws:logs:us-east-1:#:log-group:g:log-stream:s"},
	}
}

// newSource gives the source of a seed.
func newSource(seed uint64) source {
	return source{rand.New(rand.NewPCG(seed, 1)), keys()}
}

// scene draws a case. Its parts are drawn near to the request, so that
// statements often apply.
func (r source) scene() *scene {
	s := &scene{who: r.principal(), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	t := pick(r, targets())
	s.owner = accountA
	s.action, s.resource = t.action, strings.ReplaceAll(t.resource, "#", s.owner)
	s.resource = strings.ReplaceAll(s.resource, "x*y", "x-y")
	r.request(s)
	withResource := r.in(3, 5) || s.who.Account != s.owner && r.in(3, 4)
	switch {
	case strings.HasPrefix(s.action, "kms:"):
		s.root, withResource = true, true
	case s.action == "sts:AssumeRole":
		s.root, withResource = true, true
	case s.resource == "*", s.action == "iam:GetUser":
		withResource = false
	}
	if withResource {
		s.attached = r.document(s, true)
	}
	if s.who.Account == "" {
		return s
	}
	for range 1 + r.IntN(3) {
		s.identity = append(s.identity, *r.document(s, false))
	}
	if r.in(1, 4) && s.who.Kind != policy.Root {
		s.boundary = r.document(s, false)
	}
	if s.who.Kind == policy.FederatedUser && r.in(9, 10) ||
		s.who.Kind == policy.AssumedRole && r.in(1, 3) {
		s.session = r.document(s, false)
	}
	return s
}

func (r source) principal() policy.Principal {
	account := accountA
	if r.in(1, 3) {
		account = accountB
	}
	switch n := r.IntN(20); {
	case n < 8:
		return user(account, pick(r, list("alice bob")))
	case n < 14:
		return session(account, pick(r, list("app other")), pick(r, list("one two")))
	case n < 16:
		return federated(account, "alice")
	case n < 17:
		return policy.RootPrincipal(account)
	case n < 19:
		return policy.ServicePrincipal(pick(r, list("mq.amazonaws.com sns.amazonaws.com")))
	}
	return policy.Principal{Kind: policy.Anonymous}
}

func user(account, name string) policy.Principal {
	return policy.Principal{Kind: policy.User, Account: account, Name: name,
		UserID: "AIDAEXAMPLE000000001", ARN: "arn:aws:iam::" + account + ":user/" + name}
}

func session(account, role, name string) policy.Principal {
	return policy.Principal{Kind: policy.AssumedRole, Account: account,
		UserID: "AROAEXAMPLE000000001:" + name,
		ARN:    "arn:aws:sts::" + account + ":assumed-role/" + role + "/" + name,
		Issuer: "arn:aws:iam::" + account + ":role/" + role}
}

// federated has the name of its user: the other evaluator takes them for one.
func federated(account, name string) policy.Principal {
	return policy.Principal{Kind: policy.FederatedUser, Account: account,
		UserID: account + ":" + name,
		ARN:    "arn:aws:sts::" + account + ":federated-user/" + name,
		Issuer: "arn:aws:iam::" + account + ":user/" + name}
}

// request draws the condition keys.
func (r source) request(s *scene) {
	s.context = map[string][]string{}
	for _, k := range r.keys {
		if k.derived || !strings.HasPrefix(s.action, k.action) || r.in(1, 3) {
			continue
		}
		v := pick(r, k.values)
		switch {
		case k.multi:
			n := 1 + r.IntN(3)
			for range n {
				s.context[k.name] = append(s.context[k.name], pick(r, k.values))
			}
			slices.Sort(s.context[k.name])
			s.context[k.name] = slices.Compact(s.context[k.name])
			if r.in(1, 25) {
				s.context[k.name] = []string{""}
			}
			continue
		case k.family != "String" && k.family != "Binary" && r.in(1, 40):
			v = "nonsense"
		}
		s.context[k.name] = []string{v}
	}
	if strings.HasPrefix(s.action, "kms:") && r.in(2, 3) {
		s.pairs = map[string]string{"app": pick(r, list("one two"))}
		if r.in(1, 3) {
			s.pairs["zone"] = "z"
		}
	}
}

// document draws a policy. Several Allows and few Denies: one Deny is enough.
func (r source) document(s *scene, attached bool) *document {
	d := &document{version: "2012-10-17"}
	switch r.IntN(25) {
	case 0:
		d.version = "2008-10-17"
	case 1:
		d.version = ""
	}
	for range 1 + r.IntN(3) {
		st := statement{deny: r.in(1, 5)}
		st.actions, st.notAction = r.actions(s)
		st.resources, st.notResource = r.resources(s)
		if attached {
			r.principals(s, &st)
		}
		if attached && s.action == "sts:AssumeRole" {
			st.resources, st.trustDocument = nil, true
		}
		for range r.IntN(3) {
			c := r.condition(s)
			if !slices.ContainsFunc(st.conditions, func(o condition) bool {
				return o.operator == c.operator && strings.EqualFold(o.key, c.key)
			}) {
				st.conditions = append(st.conditions, c)
			}
		}
		d.statements = append(d.statements, st)
	}
	return d
}

func (r source) actions(s *scene) ([]string, bool) {
	service, operation, _ := strings.Cut(s.action, ":")
	if r.in(1, 12) {
		others := []string{"ec2:*", service + ":Tag*", s.action}
		return []string{pick(r, others)}, true
	}
	near := []string{"*", service + ":*", s.action, strings.ToUpper(service) + ":" + operation,
		service + ":" + operation[:2] + "*", service + ":" + operation[:3] + "?" + operation[4:]}
	out := []string{pick(r, near)}
	if r.in(1, 6) {
		out = []string{service + ":Untag*"}
	}
	if r.in(1, 3) {
		out = append(out, "ec2:Describe*")
	}
	return out, false
}

func (r source) resources(s *scene) ([]string, bool) {
	draw := func() string {
		if s.resource == "*" || r.in(1, 3) {
			return "*"
		}
		return r.pattern(s)
	}
	if r.in(1, 12) && s.resource != "*" {
		return []string{pick(r, []string{"arn:aws:ec2:*:*:*", r.pattern(s)})}, true
	}
	out := []string{draw()}
	if r.in(1, 5) {
		out = append(out, draw())
	}
	return out, false
}

// pattern draws one for the resource, or for another.
func (r source) pattern(s *scene) string {
	parts := strings.SplitN(s.resource, ":", 6)
	if r.in(1, 4) && parts[3] != "" {
		parts[3] = pick(r, list("* us-* ??-east-1 eu-west-1"))
	}
	if r.in(1, 4) && parts[4] != "" {
		parts[4] = pick(r, list("* 1111* "+accountB))
	}
	if r.in(1, 2) {
		last := parts[5]
		parts[5] = pick(r, []string{"*", last[:len(last)/2] + "*", last[:len(last)-1] + "?",
			"*" + last[len(last)/2:], "${aws:username}-orders", "user/${aws:username}",
			"bucket/home/${aws:username}/*", last + "x", "${aws:PrincipalTag/none, 'topic'}"})
	}
	if r.in(1, 25) {
		return strings.Join(parts[:3+r.IntN(2)], ":") + pick(r, []string{"", ":*", "*"})
	}
	return strings.Join(parts, ":")
}

// principals draws names that often reach the caller.
func (r source) principals(s *scene, st *statement) {
	p := &s.who
	own := []name{{"AWS", "*"}, {"AWS", "*"}}
	switch p.Kind {
	case policy.Service:
		own = append(own, name{"Service", p.Service}, name{"Service", p.Service})
	case policy.Anonymous:
	default:
		own = append(own, name{"AWS", p.ARN}, name{"AWS", p.Account},
			name{"AWS", "arn:aws:iam::" + p.Account + ":root"})
		if p.Issuer != "" {
			own = append(own, name{"AWS", p.Issuer}, name{"AWS", p.Issuer})
		}
	}
	others := []name{{"AWS", "arn:aws:iam::" + accountA + ":user/bob"}, {"AWS", accountB},
		{"AWS", "arn:aws:sts::" + accountA + ":assumed-role/app/one"}, {"AWS", accountA},
		{"Service", "mq.amazonaws.com"}, {"Federated", "accounts.google.com"},
		{"AWS", "arn:aws:iam::" + accountB + ":role/app"}}
	if st.deny && r.in(1, 4) && s.action != "sts:AssumeRole" {
		st.notPrincipal = true
		own = own[2:]
		for _, n := range own {
			if r.in(3, 4) {
				st.principals = append(st.principals, n)
			}
		}
		if r.in(1, 3) || len(st.principals) == 0 {
			st.principals = append(st.principals, pick(r, others))
		}
		return
	}
	if r.in(5, 6) {
		st.principals = append(st.principals, pick(r, own))
	}
	if r.in(1, 4) || len(st.principals) == 0 {
		st.principals = append(st.principals, pick(r, others))
	}
}
