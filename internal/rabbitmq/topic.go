package rabbitmq

import (
	"cmp"
	"context"

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

type topicPermission struct{ row topicRow }

func compileTopic(t topicRow) (*topicPermission, error) {
	for _, text := range []string{t.Write, t.Read} {
		if _, err := pattern(text); err != nil {
			return nil, err
		}
	}
	return &topicPermission{t}, nil
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
