package rabbitmq

import (
	"testing"

	"coffer/internal/fault"
)

// TestPermitTopic: by which keys a user may publish and bind.
func TestPermitTopic(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, b := opened(t, w)
	ctx := t.Context()
	for _, name := range []string{"a.b", "none"} {
		_, err := b.PutUser(ctx, UserSpec{Name: name})
		must(t, err)
	}
	_, err := b.PutTopicPermission(ctx, TopicPermission{
		"a.b", "/", "x", `^{username}\.{vhost}\.|^dev\.{client_id}$`, "",
	})
	must(t, err)
	for _, c := range []struct {
		user, exchange, key, action, client string
		want                                bool
	}{
		{"a.b", "x", "a.b./.k", Write, "", true}, {"a.b", "x", "axb./.k", Write, "", false},
		{"a.b", "x", "k", Write, "", false}, {"a.b", "x", "dev.7", Write, "7", true},
		{"a.b", "x", "dev.8", Write, "7", false}, {"a.b", "x", "dev.8", Write, ".*", false},
		{"a.b", "x", "", Read, "", true}, {"a.b", "x", "k", Read, "", false},
		{"a.b", "y", "k", Write, "", true}, {"none", "x", "k", Write, "", true},
		{"gone", "x", "k", Write, "", false}, {"a.b", "x", "", Configure, "", false},
	} {
		err := b.PermitTopic(c.user, "/", c.exchange, c.key, c.action, c.client)
		if (err == nil) != c.want || err != nil && fault.KindOf(err) != fault.Denied {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if !b.KeepsTopics("a.b", "/", "x") || b.KeepsTopics("a.b", "/", "y") ||
		b.KeepsTopics("none", "/", "x") || b.KeepsTopics("gone", "/", "x") {
		t.Error("whose keys are kept")
	}
}
