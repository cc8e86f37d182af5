package management

import (
	"errors"
	"net/http"

	"coffer/internal/fault"
	"coffer/internal/rabbitmq"
)

// level is who may use a route.
type level uint8

const (
	// anyTag: who has one of the four tags of management.
	anyTag level = iota
	// inVhost: the same, with permissions in the virtual host of the path.
	inVhost
	// seesVhost: the same, or monitoring of all virtual hosts.
	seesVhost
	monitor       // administrators and who has the tag monitoring
	administrator // only administrators
	policymaker   // who makes policies, in the virtual host of the path, if there is one
	open          // everyone
)

// The tags that let a user in, each beyond the one before.
const (
	tagManagement    = "management"
	tagPolicymaker   = "policymaker"
	tagMonitoring    = "monitoring"
	tagAdministrator = "administrator"
)

const realm = `Basic realm="RabbitMQ Management"`

// enter authenticates the user and lets it in, or not, in RabbitMQ's words.
func (c *call) enter(l level) error {
	if l == open {
		return nil
	}
	if err := c.authenticate(); err != nil {
		return err
	}
	if !c.has(tagAdministrator, tagMonitoring, tagPolicymaker, tagManagement) {
		return notAuthorised("Not management user")
	}
	switch l {
	case monitor:
		if !c.has(tagAdministrator, tagMonitoring) {
			return notAuthorised("Not monitor user")
		}
	case administrator:
		if !c.has(tagAdministrator) {
			return notAuthorised("Not administrator user")
		}
	case policymaker:
		if !c.has(tagAdministrator, tagPolicymaker) {
			return notAuthorised("User not authorised to access object")
		}
	}
	return c.enterVhost(l)
}

// enterVhost checks the virtual host of the path, if there is one. A missing one is
// not found, whoever asks.
func (c *call) enterVhost(l level) error {
	vhost, named := c.vars["vhost"]
	if !named || l == administrator || l == monitor || l == anyTag {
		return nil
	}
	if _, ok := c.h.broker.Namespace(vhost); !ok {
		if c.r.Method == http.MethodPut || c.r.Method == http.MethodPost {
			return &failure{http.StatusNotFound, "not_found", "vhost_not_found"}
		}
		return missing()
	}
	if c.within(vhost) || l == seesVhost && c.has(tagAdministrator, tagMonitoring) {
		return nil
	}
	if l == policymaker {
		if c.has(tagAdministrator) {
			return nil
		}
		return notAuthorised("User not authorised to access object")
	}
	return notAuthorised("User not authorised to access virtual host")
}

// within reports whether the user has permissions in a virtual host.
func (c *call) within(vhost string) bool {
	_, err := c.h.broker.Open(c.r.Context(), c.user, vhost)
	return err == nil
}

// sees reports whether lists show the user a virtual host.
func (c *call) sees(vhost string) bool {
	return c.has(tagAdministrator, tagMonitoring) || c.within(vhost)
}

// authenticate checks the credentials of the request.
func (c *call) authenticate() error {
	if c.as != nil {
		return c.trust(*c.as)
	}
	name, password, ok := c.r.BasicAuth()
	if !ok {
		c.answer.w.Header().Set("WWW-Authenticate", realm)
		return &failure{http.StatusUnauthorized, "not_authorized", "Login failed"}
	}
	err := c.h.broker.Authenticate(c.r.Context(), name, []byte(password))
	if fault.KindOf(err) == fault.Unauthenticated {
		c.h.failed.Add(1)
		c.answer.w.Header().Set("WWW-Authenticate", realm)
		return &failure{http.StatusUnauthorized, "not_authorized", "Login failed"}
	}
	if err != nil {
		return err
	}
	u, ok := c.h.broker.User(name)
	if !ok {
		return errors.New("management: an authenticated user is unknown")
	}
	c.h.succeeded.Add(1)
	c.act(u)
	return nil
}

// act notes for whom the request is made.
func (c *call) act(u rabbitmq.UserInfo) {
	c.user, c.tags = u.Name, u.Tags
	c.r = c.r.WithContext(rabbitmq.As(c.r.Context(), u.Name))
}

// trust lets in who signed in before.
func (c *call) trust(i Identity) error {
	u, ok := c.h.broker.User(i.name)
	if !ok || !c.h.Holds(i) {
		return &failure{http.StatusUnauthorized, "not_authorized", "Login failed"}
	}
	c.act(u)
	return nil
}
