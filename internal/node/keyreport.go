package node

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"coffer/internal/arn"
	api "coffer/internal/aws/api/coffer"
	"coffer/internal/aws/wire"
	"coffer/internal/fault"
)

// KeyRequest asks the process that runs on a data directory about its keys, with
// the credentials that lie there.
type KeyRequest struct {
	Data   string // directory; ./coffer-data
	Key    string // id, ARN or alias
	Grant  string // id, to suspend or resume
	Broker string // b-…, to rest on Key; without one on alias/aws/mq
	Queue  string // name, to rest on Key; without one on the one that it has
	Owned  bool   // or on the key that AWS owns
	Region string // default: that of the ARN, else us-east-1
}

// KeyReport is an answer, for people and for programs.
type KeyReport struct {
	Text string
	JSON []byte // as the API answered, indented
}

// KeyUsage tells what uses a key, and so what would be lost with it.
func KeyUsage(ctx context.Context, r KeyRequest) (*KeyReport, error) {
	out := &api.DescribeKeyUsageOutput{}
	report, err := r.ask(ctx, "DescribeKeyUsage", &api.DescribeKeyUsageInput{KeyId: r.Key}, out)
	if err == nil {
		report.Text = usageText(out.Usage)
	}
	return report, err
}

// OwnedKeys shows the keys of AWS that are used for the account.
func OwnedKeys(ctx context.Context, r KeyRequest) (*KeyReport, error) {
	out := &api.ListOwnedKeysOutput{}
	report, err := r.ask(ctx, "ListOwnedKeys", &api.ListOwnedKeysInput{}, out)
	if err == nil {
		report.Text = ownedText(out.Keys)
	}
	return report, err
}

// SuspendGrant keeps a grant from allowing anything until ResumeGrant.
func SuspendGrant(ctx context.Context, r KeyRequest) error {
	_, err := r.ask(ctx, "SuspendGrant",
		&api.SuspendGrantInput{KeyId: r.Key, GrantId: r.Grant}, &api.SuspendGrantOutput{})
	return err
}

// ResumeGrant ends what SuspendGrant began.
func ResumeGrant(ctx context.Context, r KeyRequest) error {
	_, err := r.ask(ctx, "ResumeGrant",
		&api.ResumeGrantInput{KeyId: r.Key, GrantId: r.Grant}, &api.ResumeGrantOutput{})
	return err
}

// RekeyBroker lets a broker rest on another key.
func RekeyBroker(ctx context.Context, r KeyRequest) (*KeyReport, error) {
	out := &api.RekeyBrokerOutput{}
	report, err := r.ask(ctx, "RekeyBroker", &api.RekeyBrokerInput{
		BrokerId: r.Broker, KmsKeyId: r.Key, UseAwsOwnedKey: r.Owned,
	}, out)
	if err == nil {
		report.Text = fmt.Sprintf("broker %s rests on %s\n", out.BrokerId,
			cmp.Or(out.KmsKeyId, "the key that AWS owns"))
	}
	return report, err
}

// RekeyQueue lets messages of a queue rest on another key; progress is told of each step.
func RekeyQueue(ctx context.Context, r KeyRequest, progress func(done, left int)) (
	report *KeyReport, err error,
) {
	in := &api.RekeyQueueInput{QueueName: r.Queue, KmsKeyId: r.Key}
	for done := 0; ; {
		out := &api.RekeyQueueOutput{}
		if report, err = r.ask(ctx, "RekeyQueue", in, out); err != nil {
			return nil, err
		}
		done += int(*out.DataKeys)
		if *out.Left > 0 {
			progress(done, int(*out.Left))
			continue
		}
		report.Text = fmt.Sprintf("queue %s: %d data keys were wrapped anew, none is left on "+
			"another key\n", out.QueueArn, done)
		return report, nil
	}
}

func (r *KeyRequest) ask(ctx context.Context, name string, in, out any) (*KeyReport, error) {
	data, err := filepath.Abs(r.Data)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	c, err := dialAPI(ctx, data)
	if err != nil {
		return nil, err
	}
	defer c.http.CloseIdleConnections()
	if a, err := arn.Parse(r.Key); err == nil && a.Region != "" {
		c.region = a.Region
	}
	if r.Region != "" {
		c.region = r.Region
	}
	codec, err := wire.Compile(&api.API)
	if err != nil {
		return nil, err
	}
	op, ok := api.API.Op(name)
	if !ok {
		return nil, fault.New(fault.NotImplemented, "no operation %s", name)
	}
	answer, err := c.ask(ctx, codec, &api.API, op, in)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, answer.Body, "", "  "); err != nil {
		return nil, fmt.Errorf("answer of %s: %w", name, err)
	}
	b.WriteByte('\n')
	return &KeyReport{JSON: b.Bytes()}, codec.DecodeResponse(op, answer, out)
}

// lines writes a report: a name, then what there is to say.
type lines struct{ strings.Builder }

func (l *lines) add(name, format string, args ...any) {
	fmt.Fprintf(l, "%-12s %s\n", name, fmt.Sprintf(format, args...))
}

func usageText(u *api.KeyUsage) string {
	l := &lines{}
	l.add("key", "%s", u.KeyArn)
	l.add("state", "%s, managed by %s", u.KeyState, u.KeyManager)
	if !u.DeletionDate.IsZero() {
		l.add("deleted on", "%s", moment(u.DeletionDate))
	}
	if u.Description != "" {
		l.add("description", "%s", u.Description)
	}
	l.add("created", "%s", moment(u.CreatedAt))
	if len(u.Aliases) > 0 {
		l.add("aliases", "%s", strings.Join(u.Aliases, ", "))
	}
	if u.LastUse == nil {
		l.add("last use", "none since %s", moment(u.TrackedSince))
	} else {
		l.add("last use", "%s", useText(u.LastUse))
	}
	l.users(u.Users)
	l.add("grants", "%d", *u.GrantCount)
	for i := range u.Grants {
		l.add("", "%s", grantText(&u.Grants[i]))
	}
	if more := int(*u.GrantCount) - len(u.Grants); more > 0 {
		l.add("", "and %d more", more)
	}
	if *u.InUse {
		l.add("in use", "yes: what is sealed under this key cannot be read without it, and is "+
			"lost when it is deleted")
	} else {
		l.add("in use", "nothing that Coffer knows of; ciphertexts elsewhere it cannot know of")
	}
	return l.String()
}

func (l *lines) users(users []api.KeyUser) {
	isQueue := func(u api.KeyUser) bool { return u.Type == queueType }
	brokers := slices.DeleteFunc(slices.Clone(users), isQueue)
	l.add("brokers", "%d", len(brokers))
	l.each(brokers)
	if queues := users[len(brokers):]; len(queues) > 0 { // brokers come first
		l.add("queues", "%d", len(queues))
		l.each(queues)
	}
}

func (l *lines) each(users []api.KeyUser) {
	for _, u := range users {
		text := fmt.Sprintf("%s %s of account %s, %s", u.Id, u.Name, u.Account, u.State)
		if u.Reason != "" {
			text += ": " + u.Reason
		}
		l.add("", "%s", text)
	}
}

func grantText(g *api.GrantUsage) string {
	text := g.GrantId
	if g.Name != "" {
		text += " " + g.Name
	}
	text += fmt.Sprintf(" for %s: %s", g.Grantee, strings.Join(g.Operations, ", "))
	if !g.SuspendedAt.IsZero() {
		text += "; suspended since " + moment(g.SuspendedAt)
	}
	if g.LastUse == nil {
		return text + "; no use known"
	}
	return text + "; last use " + useText(g.LastUse)
}

func useText(u *api.KeyUse) string {
	text := fmt.Sprintf("%s %s by %s", moment(u.At), u.Operation, u.Who)
	if u.Via != "" && u.Via != u.Who {
		text += " through " + u.Via
	}
	for _, name := range slices.Sorted(maps.Keys(u.EncryptionContext)) {
		text += fmt.Sprintf(", %s=%s", name, u.EncryptionContext[name])
	}
	if u.GrantId != "" {
		text += ", by grant " + u.GrantId
	}
	return text
}

func ownedText(keys []api.OwnedKey) string {
	l := &lines{}
	if len(keys) == 0 {
		l.add("keys", "none that AWS owns is used for this account in this Region")
	}
	for i := range keys {
		k := &keys[i]
		l.add("key", "%s", k.KeyArn)
		l.add("owner", "AWS, for %s; it can be seen and used by nobody else", k.Service)
		l.add("state", "%s", k.KeyState)
		l.add("created", "%s", moment(k.CreatedAt))
		l.add("next rotation", "%s", moment(k.NextRotationDate))
		l.users(k.Users)
		l.add("uses", "%d", len(k.Uses))
		for j := range k.Uses {
			l.add("", "%s", useText(&k.Uses[j]))
		}
	}
	return l.String()
}

func moment(t time.Time) string { return t.UTC().Format(time.RFC3339) }
