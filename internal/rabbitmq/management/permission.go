package management

import (
	"net/http"

	"coffer/internal/fault"
	"coffer/internal/rabbitmq"
)

// permissionsThat answers with the permissions that the path asks for.
func permissionsThat(c *call, keep func(user, vhost string) bool) error {
	list := []object{}
	for _, p := range c.h.broker.Permissions() {
		if keep(p.User, p.Vhost) {
			list = append(list, shownPermission(p))
		}
	}
	return c.list(list, "vhost", "user")
}

func shownPermission(p rabbitmq.Permission) object {
	return object{
		"user": p.User, "vhost": p.Vhost, "configure": p.Configure, "write": p.Write,
		"read": p.Read,
	}
}

func listPermissions(c *call) error {
	return permissionsThat(c, func(string, string) bool { return true })
}

func listUserPermissions(c *call) error {
	u, err := c.namedUser()
	if err != nil {
		return err
	}
	return permissionsThat(c, func(user, _ string) bool { return user == u.Name })
}

func listVhostPermissions(c *call) error {
	if _, err := c.namespace(); err != nil {
		return err
	}
	return permissionsThat(c, func(_, vhost string) bool { return vhost == c.vars["vhost"] })
}

// topicsThat answers with the topic permissions that the path asks for.
func topicsThat(c *call, empty bool, keep func(user, vhost string) bool) error {
	list := []object{}
	for _, p := range c.h.broker.TopicPermissions() {
		if keep(p.User, p.Vhost) {
			list = append(list, object{
				"user": p.User, "vhost": p.Vhost, "exchange": p.Exchange, "write": p.Write,
				"read": p.Read,
			})
		}
	}
	if len(list) == 0 && !empty {
		return missing()
	}
	return c.list(list, "vhost", "user", "exchange")
}

func listTopics(c *call) error {
	return topicsThat(c, true, func(string, string) bool { return true })
}

func listUserTopics(c *call) error {
	u, err := c.namedUser()
	if err != nil {
		return err
	}
	return topicsThat(c, true, func(user, _ string) bool { return user == u.Name })
}

func listVhostTopics(c *call) error {
	if _, err := c.namespace(); err != nil {
		return err
	}
	return topicsThat(c, true, func(_, vhost string) bool { return vhost == c.vars["vhost"] })
}

func (c *call) ofPair(user, vhost string) bool {
	return user == c.vars["user"] && vhost == c.vars["vhost"]
}

func getTopics(c *call) error { return topicsThat(c, false, c.ofPair) }

func getPermission(c *call) error {
	for _, p := range c.h.broker.Permissions() {
		if c.ofPair(p.User, p.Vhost) {
			return c.one(shownPermission(p))
		}
	}
	return missing()
}

func putPermission(c *call) error {
	body, err := c.body()
	if err != nil {
		return err
	}
	if err := need(body, "configure", "write", "read"); err != nil {
		return err
	}
	p := rabbitmq.Permission{User: c.vars["user"], Vhost: c.vars["vhost"]}
	err = words(body, map[string]*string{
		"configure": &p.Configure, "write": &p.Write, "read": &p.Read,
	})
	if err != nil {
		return err
	}
	created, err := c.h.broker.PutPermission(c.r.Context(), p)
	if err != nil {
		return unpermitted(err)
	}
	c.made(created)
	return nil
}

// words reads several texts.
func words(body object, to map[string]*string) (err error) {
	for key, p := range to {
		if *p, err = word(body, key); err != nil {
			return err
		}
	}
	return nil
}

// unpermitted translates why a permission was not set.
func unpermitted(err error) error {
	switch fault.KindOf(err) {
	case fault.NotFound:
		return badRequest("vhost_or_user_not_found")
	case fault.Invalid:
		return badRequest([]any{"invalid_regexp"})
	}
	return err
}

func deletePermission(c *call) error {
	err := c.h.broker.DeletePermission(c.r.Context(), c.vars["user"], c.vars["vhost"])
	if err != nil {
		return gone(err)
	}
	c.answer.status(http.StatusNoContent)
	return nil
}

func putTopic(c *call) error {
	body, err := c.body()
	if err != nil {
		return err
	}
	if err := need(body, "exchange", "write", "read"); err != nil {
		return err
	}
	p := rabbitmq.TopicPermission{User: c.vars["user"], Vhost: c.vars["vhost"]}
	err = words(body, map[string]*string{
		"exchange": &p.Exchange, "write": &p.Write, "read": &p.Read,
	})
	if err != nil {
		return err
	}
	created, err := c.h.broker.PutTopicPermission(c.r.Context(), p)
	if err != nil {
		return unpermitted(err)
	}
	c.made(created)
	return nil
}

// deleteTopics removes the topic permissions of a user in a virtual host, or the one for
// the exchange of the path, which need not be there as long as another one is.
func deleteTopics(c *call) error {
	found := false
	for _, p := range c.h.broker.TopicPermissions() {
		found = found || c.ofPair(p.User, p.Vhost)
	}
	if !found {
		return missing()
	}
	err := c.h.broker.DeleteTopicPermission(c.r.Context(), c.vars["user"], c.vars["vhost"],
		c.vars["exchange"])
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return err
	}
	c.answer.status(http.StatusNoContent)
	return nil
}
