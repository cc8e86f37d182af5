package node

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// scene is a broker, ours or RabbitMQ, with something of everything in its virtual host
// "scene".
type scene struct {
	t    testing.TB
	user string
	ask  func(method, path, body string) (int, string)
	dial func(name string) (*amqp.Connection, error)
}

func (s *scene) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// do sends a request that must work.
func (s *scene) do(method, path, body string) string {
	s.t.Helper()
	code, text := s.ask(method, path, body)
	if code >= 300 {
		s.t.Fatalf("%s %s: %d %s", method, path, code, text)
	}
	return text
}

func (s *scene) build() {
	s.t.Helper()
	for _, r := range [...][3]string{
		{"PUT", "/api/vhosts/scene", `{"description":"d","tags":"a"}`},
		{"PUT", "/api/users/actor", `{"password":"actor","tags":"management"}`},
		{"PUT", "/api/users/idler", `{"password":"idler","tags":"management"}`},
		{"PUT", "/api/permissions/scene/actor", `{"configure":".*","write":".*","read":".*"}`},
		{"PUT", "/api/topic-permissions/scene/actor",
			`{"exchange":"amq.topic","write":".*","read":".*"}`},
		{"PUT", "/api/policies/scene/p",
			`{"pattern":"^limited","definition":{"max-length":5},"apply-to":"queues",` +
				`"priority":1}`},
		{"PUT", "/api/operator-policies/scene/o",
			`{"pattern":"^limited","definition":{"max-length":4},"apply-to":"queues"}`},
		{"PUT", "/api/vhost-limits/scene/max-queues", `{"value":100}`},
		{"PUT", "/api/user-limits/actor/max-connections", `{"value":100}`},
		{"PUT", "/api/global-parameters/g", `{"value":{"a":1}}`},
		{"PUT", "/api/global-parameters/h", `{"value":"a"}`},
	} {
		s.do(r[0], r[1], r[2])
	}
	conn, err := s.dial("scene")
	s.must(err)
	s.t.Cleanup(func() { conn.Close() })
	ch, err := conn.Channel()
	s.must(err)
	s.must(ch.ExchangeDeclare("x", "topic", true, false, false, false,
		amqp.Table{"alternate-exchange": "amq.fanout"}))
	for _, q := range []struct {
		name      string
		exclusive bool
		arguments amqp.Table
	}{
		{"classic", false, amqp.Table{"x-max-length": int64(100)}}, {"limited", false, nil},
		{"exclusive", true, nil}, {"quorum", false, amqp.Table{"x-queue-type": "quorum"}},
	} {
		_, err := ch.QueueDeclare(q.name, !q.exclusive, false, q.exclusive, false, q.arguments)
		s.must(err)
		s.must(ch.QueueBind(q.name, "#."+q.name, "x", false, nil))
	}
	s.must(ch.ExchangeBind("amq.topic", "a", "x", false, nil))
	s.traffic(ch)
}

// traffic publishes, consumes, gets and settles.
func (s *scene) traffic(ch *amqp.Channel) {
	s.t.Helper()
	s.must(ch.Confirm(false))
	for i := range 10 {
		queue := [...]string{"classic", "limited", "exclusive", "quorum", "none"}[i%5]
		d, err := ch.PublishWithDeferredConfirm("x", "a."+queue, true, false, amqp.Publishing{
			Body: []byte("hello"), DeliveryMode: amqp.Persistent,
		})
		s.must(err)
		if !d.Wait() {
			s.t.Fatal("a message was rejected")
		}
	}
	s.must(ch.Qos(1, 0, false))
	list, err := ch.Consume("classic", "tag", false, false, false, false, nil)
	s.must(err)
	d := <-list
	s.must(d.Ack(false))
	<-list // is not settled
	d, ok, err := ch.Get("quorum", false)
	if err != nil || !ok {
		s.t.Fatal("nothing to get", err)
	}
	s.must(d.Nack(false, true))
	if _, ok, err := ch.Get("limited", true); err != nil || !ok {
		s.t.Fatal("nothing to get", err)
	}
}

// connection gives the name of the scene's connection.
func (s *scene) connection() string {
	s.t.Helper()
	var list []struct {
		Name  string
		Vhost string
	}
	s.must(json.Unmarshal([]byte(s.do("GET", "/api/connections", "")), &list))
	for _, c := range list {
		if c.Vhost == "scene" {
			return c.Name
		}
	}
	s.t.Fatalf("the connection is not listed: %v", list)
	return ""
}

// routes are the answers whose fields are compared, with the names of the scene in
// them.
func (s *scene) routes() map[string]string {
	var overview struct{ Node string }
	s.must(json.Unmarshal([]byte(s.do("GET", "/api/overview", "")), &overview))
	connection := url.PathEscape(s.connection())
	out := map[string]string{}
	for _, path := range strings.Fields(`overview cluster-name nodes nodes/NODE whoami auth
		definitions definitions/scene connections vhosts/scene/connections
		connections/username/ME connections/NAME connections/NAME/channels channels
		vhosts/scene/channels channels/NAME%20(1) consumers consumers/scene
		exchanges/scene exchanges/scene/x exchanges/scene/x/bindings/source
		queues/scene queues/scene/classic queues/scene/limited queues/scene/exclusive
		queues/scene/quorum queues/scene/classic/bindings bindings/scene vhosts vhosts/scene
		users users/actor users/actor/permissions permissions permissions/scene/actor
		topic-permissions vhosts/scene/permissions vhosts/scene/topic-permissions
		policies policies/scene/p operator-policies operator-policies/scene/o
		global-parameters global-parameters/g vhost-limits vhost-limits/scene user-limits
		user-limits/actor users/without-permissions
		health/checks/alarms health/checks/local-alarms health/checks/virtual-hosts
		health/checks/node-is-quorum-critical health/checks/node-is-mirror-sync-critical
		health/checks/certificate-expiration/1/months
		feature-flags aliveness-test/scene federation-links shovels`) {
		path = strings.Replace(path, "NODE", url.PathEscape(overview.Node), 1)
		shown := strings.Replace(path, url.PathEscape(overview.Node), "NODE", 1)
		real := strings.Replace(path, "NAME", connection, 1)
		real = strings.Replace(real, "ME", s.user, 1)
		out[shown] = s.do("GET", "/api/"+real, "")
	}
	return out
}

// opaque are fields whose names inside are not RabbitMQ's.
const opaque = " arguments definition effective_policy_definition headers value cluster_state " +
	"client_properties socket_opts cowboy_opts ssl_opts "

// fields gives "name type" for every field in a JSON text.
func fields(t testing.TB, text string) []string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	found := map[string]bool{}
	gather(found, "", v)
	var list []string
	for f := range found {
		list = append(list, f)
	}
	slices.Sort(list)
	return list
}

func gather(found map[string]bool, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		found[path+" object"] = true
		for k, x := range v {
			if strings.Contains(opaque, " "+k+" ") {
				found[path+"."+k+" "+kindOf(x)] = true
				continue
			}
			gather(found, path+"."+k, x)
		}
	case []any:
		found[path+" list"] = true
		for _, x := range v {
			gather(found, path+"[]", x)
		}
	default:
		found[path+" "+kindOf(v)] = true
	}
}

func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case float64:
		return "number"
	case []any:
		return "list"
	case map[string]any:
		return "object"
	}
	return fmt.Sprintf("%T", v)
}
