package management

import (
	"encoding/json"
	"net/http"

	"coffer/internal/rabbitmq"
)

// listParameters answers with those of the virtual hosts that the user sees, of the
// component of the path, if there is one.
func listParameters(c *call) error {
	vhosts := map[string]bool{}
	for _, v := range c.vhosts() {
		vhosts[v] = true
	}
	component, one := c.vars["component"]
	list := []object{}
	for _, p := range c.h.broker.Parameters() {
		if vhosts[p.Vhost] && (!one || p.Component == component) {
			list = append(list, shownParameter(p))
		}
	}
	return c.list(list, "component", "vhost", "name")
}

func shownParameter(p rabbitmq.Parameter) object {
	o := object{"name": p.Name, "value": p.Value}
	if p.Component != "" {
		o["component"], o["vhost"] = p.Component, p.Vhost
	}
	return o
}

func (c *call) parameter() (rabbitmq.Parameter, error) {
	for _, p := range c.h.broker.Parameters() {
		if p.Component == c.vars["component"] && p.Vhost == c.vars["vhost"] &&
			p.Name == c.vars["name"] {
			return p, nil
		}
	}
	return rabbitmq.Parameter{}, missing()
}

func getParameter(c *call) error {
	p, err := c.parameter()
	if err != nil {
		return err
	}
	return c.one(shownParameter(p))
}

// parameterValue reads the value of a body.
func (c *call) parameterValue() (json.RawMessage, error) {
	body, err := c.body()
	if err != nil {
		return nil, err
	}
	if err := need(body, "value"); err != nil {
		return nil, err
	}
	return json.Marshal(body["value"])
}

func putParameter(c *call) error {
	value, err := c.parameterValue()
	if err != nil {
		return err
	}
	created, err := c.h.broker.PutParameter(c.r.Context(), rabbitmq.Parameter{
		Component: c.vars["component"], Vhost: c.vars["vhost"], Name: c.vars["name"],
		Value: value, By: c.user,
	})
	if err != nil {
		return invalid(err)
	}
	c.made(created)
	return nil
}

func deleteParameter(c *call) error {
	err := c.h.broker.DeleteParameter(c.r.Context(), c.vars["component"], c.vars["vhost"],
		c.vars["name"])
	if err != nil {
		return gone(err)
	}
	c.answer.status(http.StatusNoContent)
	return nil
}

func listGlobals(c *call) error {
	list := []object{}
	for _, p := range c.h.broker.GlobalParameters() {
		list = append(list, shownParameter(p))
	}
	if _, ok := c.global(clusterID); !ok {
		list = append(list, c.identity())
	}
	return c.list(list, "name")
}

// global gives a global parameter.
func (c *call) global(name string) (rabbitmq.Parameter, bool) {
	for _, p := range c.h.broker.GlobalParameters() {
		if p.Name == name {
			return p, true
		}
	}
	return rabbitmq.Parameter{}, false
}

func getGlobal(c *call) error {
	p, ok := c.global(c.vars["name"])
	if !ok && c.vars["name"] == clusterID {
		return c.one(c.identity())
	}
	if !ok {
		return missing()
	}
	return c.one(shownParameter(p))
}

func putGlobal(c *call) error {
	value, err := c.parameterValue()
	if err != nil {
		return err
	}
	created, err := c.h.broker.PutGlobalParameter(c.r.Context(), c.vars["name"], value)
	if err != nil {
		return invalid(err)
	}
	c.made(created)
	return nil
}

func deleteGlobal(c *call) error {
	if err := c.h.broker.DeleteGlobalParameter(c.r.Context(), c.vars["name"]); err != nil {
		return gone(err)
	}
	c.answer.status(http.StatusNoContent)
	return nil
}

const (
	clusterParameter = "cluster_name"
	clusterID        = "internal_cluster_id"
)

// identity is the parameter by which RabbitMQ tells its clusters apart.
func (c *call) identity() object {
	id := "rabbitmq-cluster-id-" + c.h.broker.ID().String()
	return object{"name": clusterID, "value": id}
}

// clusterName is what an administrator has set, else the node's.
func (c *call) clusterName() string {
	name := ""
	if p, ok := c.global(clusterParameter); ok && json.Unmarshal(p.Value, &name) == nil {
		return name
	}
	return c.h.cfg.Node
}

func getClusterName(c *call) error { return c.one(object{"name": c.clusterName()}) }

func putClusterName(c *call) error {
	body, err := c.body()
	if err != nil {
		return err
	}
	if err := need(body, "name"); err != nil {
		return err
	}
	name, err := word(body, "name")
	if err != nil {
		return err
	}
	value, err := json.Marshal(name)
	if err != nil {
		return err
	}
	_, err = c.h.broker.PutGlobalParameter(c.r.Context(), clusterParameter, value)
	if err != nil {
		return invalid(err)
	}
	c.answer.status(http.StatusNoContent)
	return nil
}
