package rabbitmq

import (
	"encoding/json"
	"strings"

	"coffer/internal/rabbitmq/parameter"
)

// Components whose parameters are kept elsewhere, and shown as RabbitMQ shows them.
const (
	componentPolicy   = "policy"
	componentOperator = "operator_policy"
	componentLimits   = "vhost-limits"

	limitsName = "limits" // the only parameter of vhost-limits
)

// operatorValue is an operator policy as the value of a parameter.
type operatorValue struct {
	Pattern    string         `json:"pattern"`
	Definition map[string]any `json:"definition"`
	Priority   int            `json:"priority"`
	ApplyTo    string         `json:"apply-to"`
}

// addOwn adds the operator policies and the limits of virtual hosts to parameters.
func (s *state) addOwn(all map[parameterKey]Parameter) {
	add := func(component, vhost, name string, value any) {
		text, err := json.Marshal(value)
		if err != nil {
			return // what was stored is JSON
		}
		all[parameterKey{component, vhost, name}] = Parameter{
			Component: component, Vhost: vhost, Name: name, Value: text,
		}
	}
	for k, p := range s.policies {
		if k.operator {
			add(componentOperator, k.vhost, k.name, operatorValue{
				p.row.Pattern, p.definition, p.row.Priority, p.row.ApplyTo,
			})
		}
	}
	for name, v := range s.vhosts {
		if len(v.row.Limits) > 0 {
			add(componentLimits, name, limitsName, v.row.Limits)
		}
	}
}

// putOperatorParameter sets an operator policy by its parameter.
func (e *edit) putOperatorParameter(p Parameter) (created bool, err error) {
	v, err := parameter.Decode(p.Value)
	if err != nil {
		return false, notValid("not_json")
	}
	rules := []parameter.Rule{
		{Key: "priority", Check: parameter.Number, Needed: true},
		{Key: "pattern", Check: parameter.Text, Needed: true},
		{Key: "apply-to", Check: parameter.Text},
		{Key: "definition", Check: parameter.Table, Needed: true},
	}
	if wrong := parameter.Object(p.Name, v, rules); len(wrong) > 0 {
		return false, notValid("%s", strings.Join(wrong, "\n"))
	}
	object, _ := v.(map[string]any)
	o := Policy{Vhost: p.Vhost, Name: p.Name, Operator: true}
	o.Pattern, _ = object["pattern"].(string)
	o.ApplyTo, _ = object["apply-to"].(string)
	o.Definition, _ = object["definition"].(map[string]any)
	priority, _ := integer(object["priority"])
	o.Priority = int(priority)
	return e.putPolicy(o)
}

// putLimitsParameter sets the limits of a virtual host by their parameter.
func (e *edit) putLimitsParameter(p Parameter) (created bool, err error) {
	v, err := parameter.Decode(p.Value)
	if err != nil {
		return false, notValid("not_json")
	}
	if list, ok := v.([]any); ok && len(list) == 0 { // as RabbitMQ writes no limits
		v = map[string]any{}
	}
	rules := []parameter.Rule{
		{Key: MaxConnections, Check: wholeNumber}, {Key: MaxQueues, Check: wholeNumber},
	}
	wrong := parameter.Object(p.Name, v, rules)
	if p.Name != limitsName {
		wrong = append(wrong, "name of a parameter of "+componentLimits+" is not "+limitsName)
	}
	if len(wrong) > 0 {
		return false, notValid("%s", strings.Join(wrong, "\n"))
	}
	limits := map[string]int64{}
	object, _ := v.(map[string]any)
	for k, x := range object {
		limits[k], _ = integer(x)
	}
	created = len(e.next.vhosts[p.Vhost].row.Limits) == 0
	return created, e.limitVhost(p.Vhost, limits)
}

// wholeNumber takes an integer; RabbitMQ's text calls it a number.
func wholeNumber(key string, value any) []string {
	if whole(value) {
		return nil
	}
	return []string{key + " should be a number, actually was " + parameter.Term(value)}
}

func (e *edit) deleteLimits(k parameterKey) error {
	v := e.next.vhosts[k.vhost]
	if v == nil || k.name != limitsName || len(v.row.Limits) == 0 {
		return noParameter(k)
	}
	return e.limitVhost(k.vhost, nil)
}
