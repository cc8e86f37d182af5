package federation

import (
	"encoding/json"
	"strings"
	"testing"

	"coffer/internal/rabbitmq"
)

// TestActsForItsUser: an upstream that is this broker itself may be read as far as the
// user may who set it.
func TestActsForItsUser(t *testing.T) {
	t.Parallel()
	s := newSite(t, "here")
	ctx, c := t.Context(), s.client()
	_, err := s.PutVhost(ctx, rabbitmq.Vhost{Name: "other"})
	c.must(err)
	_, err = s.PutUser(ctx, rabbitmq.UserSpec{
		Name: "maker", Password: []byte("maker's"), Tags: []string{"policymaker"},
	})
	c.must(err)
	c.exchange("x", "topic")
	c.queue("q")
	c.bind("q", "#", "x", nil)
	value, err := json.Marshal(object{"uri": "amqp:///other", "reconnect-delay": 0.01})
	c.must(err)
	_, err = s.PutParameter(ctx, rabbitmq.Parameter{
		Component: Upstream, Vhost: "/", Name: "u", Value: value, By: "maker",
	})
	c.must(err)
	s.policy("p", "^x$", object{"federation-upstream": "u"})
	s.await("the link to be refused", func() bool {
		list := s.set.List()
		return len(list) == 1 && strings.Contains(list[0].Error,
			"access to vhost 'other' refused for user 'maker'")
	})
	_, err = s.PutPermission(ctx, rabbitmq.Permission{
		User: "maker", Vhost: "other", Configure: ".*", Write: ".*", Read: ".*",
	})
	c.must(err)
	s.awaitLinks(1, Running)
}
