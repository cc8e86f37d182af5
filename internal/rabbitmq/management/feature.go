package management

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
)

// featureFlags are those of RabbitMQ 4 for what is there; all are on for good.
func featureFlags() []object {
	var list []object
	for _, f := range [...][2]string{
		{"direct_exchange_routing_v2", "v2 direct exchange routing implementation"},
		{"drop_unroutable_metric", "Count unroutable publishes to be dropped in stats"},
		{"empty_basic_get_metric", "Count AMQP basic.get on empty queues in stats"},
		{"implicit_default_bindings", "Default bindings are implicit"},
		{"maintenance_mode_status", "Maintenance mode status"},
		{"quorum_queue", "Queues of type quorum"},
		{"rabbitmq_4.0.0", "Allows rolling upgrades to 4.0.x"},
		{"user_limits", "Connection and channel limits of users"},
		{"virtual_host_metadata", "Virtual host metadata"},
	} {
		list = append(list, object{
			"name": f[0], "desc": f[1], "doc_url": "", "state": "enabled",
			"stability": "required", "provided_by": "rabbit",
		})
	}
	return list
}

func listFlags(c *call) error { return c.list(featureFlags(), "name") }

func enableFlag(c *call) error {
	for _, f := range featureFlags() {
		if f["name"] == c.vars["name"] {
			c.answer.status(http.StatusNoContent)
			return nil
		}
	}
	return badRequest("unsupported")
}

// listDeprecated answers with what RabbitMQ 4 has deprecated and Coffer does.
func listDeprecated(c *call) error {
	list := []object{}
	for _, f := range [...][2]string{
		{"global_qos", "Prefetch for the consumers of a channel together"},
		{"transient_nonexcl_queues", "Queues that are neither durable nor exclusive"},
	} {
		list = append(list, object{
			"name": f[0], "desc": f[1], "doc_url": "", "state": "permitted",
			"deprecation_phase": "permitted_by_default", "provided_by": "rabbit",
		})
	}
	return c.list(list, "name")
}

// listNothing answers lists of what never is there.
func listNothing(c *call) error { return c.list([]object{}) }

// done answers what has nothing to do.
func done(c *call) error {
	c.answer.status(http.StatusNoContent)
	return nil
}

// unbuilt answers routes of RabbitMQ's that are not there.
func unbuilt(what string) func(*call) error {
	return func(*call) error { return notBuilt(what) }
}

// auth tells the browser that there is no OAuth 2.
func auth(c *call) error {
	return c.one(object{
		"enable_uaa": false, "uaa_client_id": "", "uaa_location": "", "oauth_enabled": false,
	})
}

// attempts answers how often users signed in to this API.
func attempts(c *call) error {
	if c.vars["node"] != c.h.cfg.Node {
		return missing()
	}
	good, bad := c.h.succeeded.Load(), c.h.failed.Load()
	return c.list([]object{{
		"protocol": "http", "auth_attempts": good + bad, "auth_attempts_succeeded": good,
		"auth_attempts_failed": bad,
	}})
}

// hashPassword gives the hash by which RabbitMQ would keep a password.
func hashPassword(c *call) error {
	hash := make([]byte, saltSize, saltSize+sha256.Size)
	rand.Read(hash) // never fails
	sum := sha256.Sum256(append(hash, c.vars["password"]...))
	hash = append(hash[:saltSize], sum[:]...)
	return c.one(object{"ok": base64.StdEncoding.EncodeToString(hash)})
}

const saltSize = 4

// reset forgets the samples of rates.
func reset(c *call) error {
	c.h.meters.forget()
	return done(c)
}

func (m *meters) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.last)
}
