package rabbitmq

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	"coffer/internal/fault"
)

// TestPolicyTexts compares with what RabbitMQ 3.10.8 answered; the last ones are of
// RabbitMQ 4.
func TestPolicyTexts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ pattern, definition, applyTo, want string }{
		{"(", `{"max-length":1}`, "",
			`pattern should be regular expression but is invalid: {"missing )",1}`},
		{"[", `{"max-length":1}`, "", `pattern should be regular expression but is invalid: ` +
			`{"missing terminating ] for character class",1}`},
		{"x", `{}`, "", "no policy provided"},
		{"x", `{"foo":1}`, "", `[{<<"foo">>,1}] are not recognised policy settings`},
		{"x", `{"foo":1,"bar":"x","max-length":1}`, "",
			`[{<<"bar">>,<<"x">>},{<<"foo">>,1}] are not recognised policy settings`},
		{"x", `{"max-length":"a"}`, "", `<<"a">> is not a valid maximum length`},
		{"x", `{"max-length":-1}`, "", "-1 is not a valid maximum length"},
		{"x", `{"max-length":1.5}`, "", "1.5 is not a valid maximum length"},
		{"x", `{"expires":0}`, "", "0 is not a valid queue expiry"},
		{"x", `{"message-ttl":"a"}`, "", `<<"a">> is not a valid message TTL`},
		{"x", `{"alternate-exchange":1}`, "", "1 is not a valid alternate exchange name"},
		{"x", `{"dead-letter-exchange":1}`, "", "1 is not a valid dead letter exchange name"},
		{"x", `{"dead-letter-routing-key":[1]}`, "",
			"[1] is not a valid dead letter routing key"},
		{"x", `{"overflow":"x"}`, "", `<<"x">> is not a valid overflow value`},
		{"x", `{"queue-mode":"x"}`, "", `<<"x">> is not a valid queue-mode value`},
		{"x", `{"queue-version":3}`, "", "3 is not a valid queue-version value"},
		{"x", `{"max-in-memory-length":-3}`, "", "-3 is not a valid maximum memory in bytes"},
		{"x", `{"max-length":"a","expires":"b"}`, "", `<<"b">> is not a valid queue expiry`},
		{"x", `{"max-length":1}`, "foo", "apply-to 'foo' unrecognised; "},
		{"x", `{"dead-letter-strategy":"foo"}`, "",
			`<<"foo">> is not a valid dead letter strategy`},
		{"x", `{"max-priority":3}`, "",
			`[{<<"max-priority">>,3}] are not recognised policy settings`},
		{"x", `{"queue-leader-locator":"foo"}`, "",
			`<<"foo">> is not a valid queue leader locator value`},
		{"x", `{"initial-cluster-size":"foo"}`, "", `<<"foo">> is not a valid cluster size`},
		{"x", `{"stream-max-segment-size-bytes":"foo"}`, "",
			`<<"foo">> is not a valid segment size`},
		{"x", `{"max-age":"1D","ha-mode":"all","federation-upstream-set":"all"}`, "", ""},
		{"x", `{"delivery-limit":-1,"target-group-size":3,"consumer-timeout":5}`, "", ""},
		{"x", `{"max-length":1}`, "classic_queues", ""},
		{"x", `{"federation-upstream-set":"all","federation-upstream":"x"}`, "", "cannot specify "},
	} {
		p := Policy{Vhost: "/", Name: "p", Pattern: c.pattern, Definition: object(c.definition),
			ApplyTo: cmp.Or(c.applyTo, "all")}
		seePolicy(t, p, c.want)
	}
	for definition, unknown := range map[string]string{
		`{"dead-letter-exchange":"x"}`:                    `{<<"dead-letter-exchange">>,<<"x">>}`,
		`{"overflow":"drop-head"}`:                        `{<<"overflow">>,<<"drop-head">>}`,
		`{"max-length":1,"expires":2,"delivery-limit":3}`: "",
	} {
		want := ""
		if unknown != "" {
			want = "[" + unknown + "] are not recognised policy settings"
		}
		seePolicy(t, Policy{Vhost: "/", Name: "p", Pattern: "x", Definition: object(definition),
			ApplyTo: "queues", Operator: true}, want)
	}
}

func seePolicy(t *testing.T, p Policy, want string) {
	t.Helper()
	_, err := checkPolicy(&p)
	if want == "" {
		must(t, err)
		return
	}
	if err == nil || fault.KindOf(err) != fault.Invalid ||
		!strings.HasPrefix(err.Error(), "Validation failed\n\n"+want) {
		t.Errorf("%v: %v, want %q", p, err, want)
	}
}

// TestSettingsSorted: they are searched by halves.
func TestSettingsSorted(t *testing.T) {
	t.Parallel()
	if !slices.IsSortedFunc(policySettings, func(a, b policySetting) int {
		return cmp.Compare(a.key, b.key)
	}) {
		t.Error("the settings of policies are not in order")
	}
}

// TestOwnParameters: limits of virtual hosts and operator policies are parameters, too.
func TestOwnParameters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, b := opened(t, w)
	ctx := t.Context()
	put := func(component, name, value string) error {
		_, err := b.PutParameter(ctx, Parameter{component, "/", name, []byte(value), ""})
		return err
	}
	must(t, put("operator_policy", "o",
		`{"pattern":"^q","definition":{"max-length":1},"priority":3,"apply-to":"queues"}`))
	must(t, put("vhost-limits", "limits", `{"max-queues":5,"max-connections":-1}`))
	var shown []string
	for _, p := range b.Parameters() {
		shown = append(shown, p.Component+" "+p.Name+" "+string(p.Value))
	}
	want := []string{
		`operator_policy o {"pattern":"^q","definition":{"max-length":1},"priority":3,` +
			`"apply-to":"queues"}`,
		`vhost-limits limits {"max-connections":-1,"max-queues":5}`,
	}
	if !slices.Equal(shown, want) {
		t.Errorf("%q, want %q", shown, want)
	}
	if l := b.VhostLimits("/"); l[MaxQueues] != 5 || len(b.Policies(true)) != 1 {
		t.Errorf("%v, %v", l, b.Policies(true))
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{put("policy", "p", `{}`), "policies may not be set using this method"},
		{put("vhost-limits", "limits", `{"x":1}`), "Unrecognised terms [{<<\"x\">>,1}] in limits"},
		{put("vhost-limits", "limits", `{"max-queues":"a"}`),
			`max-queues should be a number, actually was <<"a">>`},
		{put("vhost-limits", "other", `{"max-queues":1}`), "name of a parameter"},
		{put("operator_policy", "o", `{"pattern":"a"}`), `Key "definition" not found in o`},
		{put("operator_policy", "o", `[]`), "o not a list []"},
		{put("none", "o", `[]`), "component none not found"},
		{b.SetVhostLimit(ctx, "/", "foo", 10), `Unrecognised terms [{<<"foo">>,10}] in limits`},
		{b.SetUserLimit(ctx, "admin", "foo", 1),
			`Unrecognised terms [{<<"foo">>,1}] in user-limits`},
	} {
		refused(t, c.err, fault.Invalid, c.want)
	}
	must(t, b.DeleteParameter(ctx, "vhost-limits", "/", "limits"))
	must(t, b.DeleteParameter(ctx, "operator_policy", "/", "o"))
	refused(t, b.DeleteParameter(ctx, "vhost-limits", "/", "limits"), fault.NotFound, "no such")
	refused(t, b.DeleteParameter(ctx, "operator_policy", "/", "o"), fault.NotFound, "no such")
	if len(b.Parameters()) != 0 || b.VhostLimits("/") != nil {
		t.Errorf("left: %v", b.Parameters())
	}
}
