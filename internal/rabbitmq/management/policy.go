package management

import (
	"fmt"
	"net/http"
	"strings"

	"coffer/internal/rabbitmq"
)

// forPolicies gives a handler for policies or for operator policies.
func forPolicies(operator bool, do func(*call, bool) error) func(*call) error {
	return func(c *call) error { return do(c, operator) }
}

func listPolicies(c *call, operator bool) error {
	vhosts := map[string]bool{}
	for _, v := range c.vhosts() {
		vhosts[v] = true
	}
	list := []object{}
	for _, p := range c.h.broker.Policies(operator) {
		if vhosts[p.Vhost] {
			list = append(list, shownPolicy(p))
		}
	}
	return c.list(list, "vhost", "name")
}

func shownPolicy(p rabbitmq.Policy) object {
	return object{
		"vhost": p.Vhost, "name": p.Name, "pattern": p.Pattern, "apply-to": p.ApplyTo,
		"definition": p.Definition, "priority": p.Priority,
	}
}

func getPolicy(c *call, operator bool) error {
	for _, p := range c.h.broker.Policies(operator) {
		if p.Vhost == c.vars["vhost"] && p.Name == c.vars["name"] {
			return c.one(shownPolicy(p))
		}
	}
	return missing()
}

func putPolicy(c *call, operator bool) error {
	body, err := c.body()
	if err != nil {
		return err
	}
	if err := need(body, "pattern", "definition"); err != nil {
		return err
	}
	p := rabbitmq.Policy{Vhost: c.vars["vhost"], Name: c.vars["name"], Operator: operator}
	err = words(body, map[string]*string{"pattern": &p.Pattern, "apply-to": &p.ApplyTo})
	if err != nil {
		return err
	}
	if p.ApplyTo == "" {
		p.ApplyTo = "all"
	}
	if v, given := body["priority"]; given {
		n, err := integer(body, "priority")
		if err != nil {
			return badRequest(escaped(fmt.Sprintf(
				"Validation failed\n\npriority should be a number, actually was <<%q>>\n", v)))
		}
		p.Priority = int(n)
	}
	if p.Definition, err = inner(body, "definition"); err != nil {
		return err
	}
	created, err := c.h.broker.PutPolicy(c.r.Context(), p)
	if err != nil {
		return invalid(err)
	}
	c.made(created)
	return nil
}

// invalid shows what a validator said; RabbitMQ's texts hold no tags of HTML.
func invalid(err error) error {
	f := asFailure(err)
	if text, ok := f.reason.(string); ok && f.status == http.StatusBadRequest {
		return badRequest(escaped(text))
	}
	return err
}

func escaped(text string) string {
	return strings.NewReplacer("<", "&lt;", ">", "&gt;").Replace(text)
}

func deletePolicy(c *call, operator bool) error {
	err := c.h.broker.DeletePolicy(c.r.Context(), operator, c.vars["vhost"], c.vars["name"])
	if err != nil {
		return gone(err)
	}
	c.answer.status(http.StatusNoContent)
	return nil
}
