package management

import (
	"net/http"
	"strings"

	"coffer/internal/fault"
)

// listVhostLimits answers with the virtual hosts that have limits.
func listVhostLimits(c *call) error {
	list := []object{}
	for _, v := range c.vhosts() {
		if m := c.h.broker.VhostLimits(v); len(m) > 0 {
			list = append(list, object{"vhost": v, "value": limitsOf(m)})
		}
	}
	return c.list(list, "vhost")
}

// limitValue reads the limit of a body; only JSON is taken.
func (c *call) limitValue() (int64, error) {
	kind, _, _ := strings.Cut(c.r.Header.Get("Content-Type"), ";")
	if strings.TrimSpace(kind) != "application/json" {
		return 0, &failure{http.StatusUnsupportedMediaType, "unsupported_media_type",
			"the body is to be application/json"}
	}
	body, err := c.body()
	if err != nil {
		return 0, err
	}
	if err := need(body, "value"); err != nil {
		return 0, err
	}
	return integer(body, "value")
}

func putVhostLimit(c *call) error {
	value, err := c.limitValue()
	if err != nil {
		return err
	}
	err = c.h.broker.SetVhostLimit(c.r.Context(), c.vars["vhost"], c.vars["name"], value)
	if err != nil {
		return invalid(err)
	}
	c.answer.status(http.StatusNoContent)
	return nil
}

func deleteVhostLimit(c *call) error {
	if _, err := c.namespace(); err != nil {
		return err
	}
	err := c.h.broker.ClearVhostLimit(c.r.Context(), c.vars["vhost"], c.vars["name"])
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return err
	}
	c.answer.status(http.StatusNoContent)
	return nil
}

// listUserLimits answers with the users who have limits, or the one of the path.
func listUserLimits(c *call) error {
	if name, one := c.vars["user"]; one {
		if _, err := c.namedUser(); err != nil {
			return err
		}
		list := []object{}
		if m := c.h.broker.UserLimits(name); len(m) > 0 {
			list = append(list, object{"user": name, "value": limitsOf(m)})
		}
		return c.list(list)
	}
	list := []object{}
	for _, u := range c.h.broker.Users() {
		if len(u.Limits) > 0 {
			list = append(list, object{"user": u.Name, "value": limitsOf(u.Limits)})
		}
	}
	return c.list(list, "user")
}

func putUserLimit(c *call) error {
	value, err := c.limitValue()
	if err != nil {
		return err
	}
	if _, err := c.namedUser(); err != nil {
		return err
	}
	err = c.h.broker.SetUserLimit(c.r.Context(), c.vars["user"], c.vars["name"], value)
	if err != nil {
		return invalid(err)
	}
	c.answer.status(http.StatusNoContent)
	return nil
}

func deleteUserLimit(c *call) error {
	if _, err := c.namedUser(); err != nil {
		return err
	}
	err := c.h.broker.ClearUserLimit(c.r.Context(), c.vars["user"], c.vars["name"])
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return err
	}
	c.answer.status(http.StatusNoContent)
	return nil
}
