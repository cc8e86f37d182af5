package rabbitmq

import (
	"cmp"
	"context"
	"regexp"
	"strings"

	"coffer/internal/fault"
)

// TopicPermission says by which routing keys a user may publish to a topic exchange
// and with which it may bind to it. Where there is none, everything is permitted.
// Patterns may hold {username}, {vhost} and {client_id}.
type TopicPermission struct {
	User     string `json:"user"`
	Vhost    string `json:"vhost"`
	Exchange string `json:"exchange"`
	Write    string `json:"write"`
	Read     string `json:"read"`
}

type topicPermission struct {
	row         topicRow
	write, read topicPattern
}

// topicPattern is a pattern that may need to know who asks.
type topicPattern struct {
	known *matcher // nil: the pattern has {client_id}
	text  string   // what it is then
}

// clientID is the variable that differs between connections of one user.
const clientID = "{client_id}"

// compileTopic reads the patterns. What stands for a variable is taken literally.
func compileTopic(t topicRow) (*topicPermission, error) {
	out := topicPermission{row: t}
	for _, x := range []struct {
		pattern string
		dst     *topicPattern
	}{{t.Write, &out.write}, {t.Read, &out.read}} {
		if _, err := pattern(x.pattern); err != nil {
			return nil, err
		}
		x.dst.text = strings.NewReplacer("{username}", regexp.QuoteMeta(t.User),
			"{vhost}", regexp.QuoteMeta(t.Vhost)).Replace(x.pattern)
		if strings.Contains(x.dst.text, clientID) {
			continue
		}
		var err error
		if x.dst.known, err = pattern(x.dst.text); err != nil {
			return nil, err
		}
	}
	return &out, nil
}

// match reports whether the client may use the key.
func (p *topicPattern) match(key, client string) bool {
	m := p.known
	if m == nil {
		var err error
		m, err = pattern(strings.ReplaceAll(p.text, clientID, regexp.QuoteMeta(client)))
		if err != nil {
			return false
		}
	}
	return m.match(key)
}

// KeepsTopics reports whether PermitTopic looks at the user's keys for a topic exchange.
func (b *Broker) KeepsTopics(name, vhost, exchange string) bool {
	u, ok := b.state.Load().member(name)
	return ok && u.topics[topicKey{vhost, exchange}] != nil
}

// PermitTopic is nil when the user may publish (Write) to a topic exchange with the key,
// or bind (Read) to it; else [fault.Denied] with RabbitMQ's text. client is what
// {client_id} stands for.
func (b *Broker) PermitTopic(name, vhost, exchange, key, action, client string) error {
	u, ok := b.state.Load().member(name)
	if ok {
		t := u.topics[topicKey{vhost, exchange}]
		if t == nil || action == Write && t.write.match(key, client) ||
			action == Read && t.read.match(key, client) {
			return nil
		}
	}
	return fault.New(fault.Denied,
		"%s access to topic '%s' in exchange '%s' in vhost '%s' refused for user '%s'",
		action, key, exchange, vhost, name)
}

// TopicPermissions lists all of them, by virtual host, user and exchange.
func (b *Broker) TopicPermissions() []TopicPermission {
	all := map[[3]string]TopicPermission{}
	for name, u := range b.state.Load().users {
		for k, t := range u.topics {
			all[[3]string{k.vhost, name, k.exchange}] = TopicPermission(t.row)
		}
	}
	return sorted(all, func(a, b [3]string) int {
		return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]), cmp.Compare(a[2], b[2]))
	})
}

// PutTopicPermission sets the patterns of a user for a topic exchange, which need not
// exist, and reports whether it had none. Errors: those of PutPermission.
func (b *Broker) PutTopicPermission(ctx context.Context, p TopicPermission) (
	created bool, err error,
) {
	err = b.change(ctx, func(_ context.Context, e *edit) error {
		created, err = e.putTopic(p)
		return err
	})
	return created && err == nil, err
}

func (e *edit) putTopic(p TopicPermission) (created bool, err error) {
	if err := checkName("exchange", p.Exchange); err != nil {
		return false, err
	}
	c, err := compileTopic(topicRow(p))
	if err != nil {
		return false, badPattern(err)
	}
	if err := e.inVhost(p.User, p.Vhost); err != nil {
		return false, err
	}
	u, key := e.next.user(p.User), topicKey{p.Vhost, p.Exchange}
	created = u.topics[key] == nil
	u.topics[key] = c
	e.tell(Change{
		What: "topic_permission.put", Vhost: p.Vhost, User: p.User, Name: p.Exchange,
		Detail: Detail{New: map[string]string{"write": p.Write, "read": p.Read}},
	})
	return created, e.put(rowTopic, c.row, p.User, p.Vhost, p.Exchange)
}

// DeleteTopicPermission removes the patterns of a user for an exchange, or, with the
// exchange "", all it has in the virtual host. Errors: [fault.NotFound].
func (b *Broker) DeleteTopicPermission(ctx context.Context, user, vhost, exchange string) error {
	return b.change(ctx, func(_ context.Context, e *edit) error {
		if err := e.inVhost(user, vhost); err != nil {
			return err
		}
		u, found := e.next.user(user), false
		for k := range u.topics {
			if k.vhost == vhost && (exchange == "" || k.exchange == exchange) {
				found = true
				e.dropTopic(u, k)
			}
		}
		if !found {
			return fault.New(fault.NotFound,
				"user %s has no topic permissions in vhost %s", user, vhost)
		}
		return nil
	})
}

func (e *edit) dropTopic(u *user, k topicKey) {
	delete(u.topics, k)
	e.delete(rowTopic, u.row.Name, k.vhost, k.exchange)
	e.tell(Change{
		What: "topic_permission.delete", Vhost: k.vhost, User: u.row.Name, Name: k.exchange,
	})
}
