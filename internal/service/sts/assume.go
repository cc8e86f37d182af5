package sts

import (
	"context"
	"encoding/json"
	"time"
	"unicode/utf8"

	"coffer/internal/arn"
	api "coffer/internal/aws/api/sts"
	"coffer/internal/aws/gateway"
	"coffer/internal/control"
	"coffer/internal/fault"
	"coffer/internal/policy"
)

const (
	defaultRoleTime = time.Hour
	chainedTime     = time.Hour
	defaultUserTime = 12 * time.Hour
	rootTime        = time.Hour

	maxSessionPolicy = 2048 // characters, also of all ARNs of managed policies
	maxPolicyARNs    = 10
	// maxPacked bounds what callers pass, compressed, in bytes: a token must fit
	// into a header.
	maxPacked = 8 << 10
)

// AssumeRole gives credentials of a role. Access has asked the trust policy.
func (s *Service) AssumeRole(ctx context.Context, in *api.AssumeRoleInput) (
	*api.AssumeRoleOutput, error,
) {
	call := gateway.From(ctx)
	from := call.Identity().Session
	account, name, err := parseRole(in.RoleArn)
	if err != nil {
		return nil, err
	}
	role, err := s.dir.Role(ctx, account, name)
	if err != nil {
		return nil, err
	}
	life, err := roleTime(role, in.DurationSeconds, from != nil)
	if err != nil {
		return nil, err
	}
	t := &session{
		Kind: ofRole, Account: account, Role: role.Name, RoleID: role.ID,
		Name: in.RoleSessionName, Source: in.SourceIdentity,
	}
	if from != nil {
		if !from.MFA.IsZero() {
			t.MFA = from.MFA.Unix()
		}
		if t.Source, err = handOn(from.SourceIdentity, in.SourceIdentity); err != nil {
			return nil, err
		}
	}
	t.Policy = in.Policy
	if err := t.addTags(in.Tags, in.TransitiveTagKeys, from); err != nil {
		return nil, err
	}
	size, err := s.checkPassed(ctx, t, in.PolicyArns)
	if err != nil {
		return nil, err
	}
	cred, err := s.issue(ctx, t, life)
	if err != nil {
		return nil, err
	}
	user := &api.AssumedRoleUser{
		AssumedRoleId: role.ID + ":" + t.Name,
		Arn:           arn.New("sts", "", account, "assumed-role/"+role.Name+"/"+t.Name).String(),
	}
	shown := shown(cred)
	shown["assumedRoleUser"] = map[string]any{
		"assumedRoleId": user.AssumedRoleId, "arn": user.Arn,
	}
	call.SetResponseElements(shown)
	return &api.AssumeRoleOutput{
		AssumedRoleUser: user, Credentials: cred, PackedPolicySize: size,
		SourceIdentity: t.Source,
	}, nil
}

// roleTime is how long a session of a role lasts.
func roleTime(role *Role, asked *int32, chained bool) (time.Duration, error) {
	life := defaultRoleTime
	if asked != nil {
		life = time.Duration(*asked) * time.Second
	}
	switch {
	case chained && life > chainedTime:
		return 0, invalid("The requested DurationSeconds exceeds the 1 hour session limit for " +
			"roles assumed by role chaining")
	case life > max(role.MaxSession, time.Hour):
		return 0, invalid("The requested DurationSeconds exceeds the MaxSessionDuration set " +
			"for this role.")
	}
	return life, nil
}

// handOn gives the source identity of a session made with another, where it stays.
func handOn(had, asked string) (string, error) {
	if had != "" && asked != "" && had != asked {
		return "", denied("The source identity of the session is set and cannot be changed.")
	}
	if asked != "" {
		return asked, nil
	}
	return had, nil
}

// checkPassed refuses policies that cannot limit the session, and sets those that
// can. The size is in percent of what is allowed; nil when nothing was passed.
func (s *Service) checkPassed(ctx context.Context, t *session, list []api.PolicyDescriptorType) (
	*int32, error,
) {
	characters := utf8.RuneCountInString(t.Policy)
	if t.Policy != "" {
		if _, err := policy.Parse([]byte(t.Policy), policy.Identity); err != nil {
			return nil, malformed(err)
		}
	}
	if len(list) > maxPolicyARNs {
		return nil, invalid("The number of managed session policies exceeds the limit of %d.",
			maxPolicyARNs)
	}
	for _, p := range list {
		_, err := s.dir.ManagedPolicy(ctx, t.Account, p.Arn)
		if fault.KindOf(err) == fault.NotFound {
			return nil, malformed(invalid("Policy %s does not exist or cannot be used by this "+
				"session.", p.Arn))
		}
		if err != nil {
			return nil, err
		}
		t.PolicyARNs = append(t.PolicyARNs, p.Arn)
		characters += len(p.Arn)
	}
	if characters > maxSessionPolicy {
		return nil, invalid("The session policies have %d characters, at most %d are allowed.",
			characters, maxSessionPolicy)
	}
	return packedSize(&t.passed)
}

func packedSize(p *passed) (*int32, error) {
	if p.Policy == "" && len(p.PolicyARNs) == 0 && len(p.Tags) == 0 {
		return nil, nil
	}
	text, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	packed, err := pack(text)
	if err != nil {
		return nil, err
	}
	percent := int32((len(packed)*100 + maxPacked - 1) / maxPacked)
	if percent > 100 {
		return nil, tooLarge(percent, len(p.Tags) > 0)
	}
	return &percent, nil
}

// issue makes credentials of a session that begins now.
func (s *Service) issue(ctx context.Context, t *session, life time.Duration) (
	*api.Credentials, error,
) {
	now := control.From(ctx).Time()
	t.Issued, t.Expires = now.Unix(), now.Add(life).Unix()
	if proved(ctx) {
		t.MFA = now.Unix()
	}
	t.Secret = newSecretKey()
	id, err := newAccessKeyID(t.Account)
	if err != nil {
		return nil, err
	}
	token, err := sealToken(s.db.Platform(), id, t)
	if err != nil {
		return nil, err
	}
	return &api.Credentials{
		AccessKeyId: id, SecretAccessKey: t.Secret, SessionToken: token,
		Expiration: time.Unix(t.Expires, 0).UTC(),
	}, nil
}

// shown is what events show of credentials: enough to find what was done with them.
func shown(c *api.Credentials) map[string]any {
	return map[string]any{"credentials": map[string]any{
		"accessKeyId": c.AccessKeyId, "expiration": c.Expiration.Format("Jan 2, 2006, 3:04:05 PM"),
	}}
}
