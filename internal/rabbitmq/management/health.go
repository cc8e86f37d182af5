package management

import (
	"net/http"
	"slices"
	"strconv"
	"time"
)

// well answers a health check that found nothing wrong.
func (c *call) well(more ...any) error {
	o := object{"status": "ok"}
	for i := 0; i+1 < len(more); i += 2 {
		o[more[i].(string)] = more[i+1]
	}
	return c.answer.json(http.StatusOK, o)
}

// ill answers a health check that failed.
func (c *call) ill(reason string, more object) error {
	o := object{"status": "failed", "reason": reason}
	for k, v := range more {
		o[k] = v
	}
	return c.answer.json(http.StatusServiceUnavailable, o)
}

// checkAlarms fails while there is no room for messages.
func checkAlarms(c *call) error {
	if !c.h.living.Machine().DiskAlarm {
		return c.well()
	}
	return c.ill("There are alarms in effect in the cluster", object{
		"alarms": []object{{"node": c.h.cfg.Node, "resource": "disk"}},
	})
}

// checkVhosts fails while the key of the broker cannot be used.
func checkVhosts(c *call) error {
	down := []string{}
	for _, v := range c.h.broker.Vhosts() {
		if ns, ok := c.h.broker.Namespace(v.Name); !ok || ns.Locked() != nil {
			down = append(down, v.Name)
		}
	}
	if len(down) == 0 {
		return c.well()
	}
	return c.ill("Some virtual hosts are down", object{"virtual-hosts": down})
}

func checkAlone(c *call) error { return c.well("reason", "single node cluster") }

func checkWell(c *call) error { return c.well() }

// checkService fails while clients could do nothing.
func checkService(c *call) error {
	if c.h.living.Machine().DiskAlarm {
		return checkAlarms(c)
	}
	return checkVhosts(c)
}

func checkConnectionLimit(c *call) error {
	open := len(c.h.connected())
	if open < maxConnections {
		return c.well("limit", maxConnections, "connections", open)
	}
	return c.ill("node connection limit is reached", object{
		"limit": maxConnections, "connections": open,
	})
}

// checkCertificate fails when the server's certificate ends within a time.
func checkCertificate(c *call) error {
	within, err := strconv.ParseInt(c.vars["within"], 10, 32)
	if err != nil {
		return badRequest("Invalid expiration value.")
	}
	length, ok := until(within, c.vars["unit"])
	if !ok {
		return badRequest("Time unit not recognised. Supported units: days, weeks, months, years.")
	}
	end := c.h.living.Machine().Certificate
	if end.IsZero() || end.After(c.h.cfg.Now().Add(length)) {
		return c.well()
	}
	expired := []object{}
	for _, l := range c.h.doors.Listeners() {
		if l.TLS {
			expired = append(expired, object{
				"node": c.h.cfg.Node, "protocol": l.Protocol, "interface": l.Address,
				"port": l.Port, "certfile_expires_on": []string{end.UTC().Format(time.DateTime)},
			})
		}
	}
	return c.ill("Certificates expiring", object{"expired": expired})
}

func checkPort(c *call) error {
	port, err := strconv.Atoi(c.vars["port"])
	if err != nil {
		return badRequest("Invalid port")
	}
	ports := []int{}
	for _, l := range c.h.doors.Listeners() {
		if l.Port == port {
			return c.well("port", port)
		}
		if !slices.Contains(ports, l.Port) {
			ports = append(ports, l.Port)
		}
	}
	return c.ill("No active listener", object{"missing": port, "ports": ports})
}

// checkProtocol knows the names that RabbitMQ has for protocols.
func checkProtocol(c *call) error {
	asked := c.vars["protocol"]
	name, ok := map[string]string{
		"amqps": "amqp/ssl", "amqp091s": "amqp/ssl", "amqp10s": "amqp/ssl", "amqp091": "amqp",
		"amqp10": "amqp", "amqp0.9.1": "amqp", "amqp1.0": "amqp", "mqtts": "mqtt/ssl",
		"stomps": "stomp/ssl",
	}[asked]
	if !ok {
		name = asked
	}
	protocols := []string{}
	for _, l := range c.h.doors.Listeners() {
		if l.Protocol == name {
			return c.well("protocol", asked)
		}
		if !slices.Contains(protocols, l.Protocol) {
			protocols = append(protocols, l.Protocol)
		}
	}
	return c.ill("No active listener", object{"missing": name, "protocols": protocols})
}

// checkNode answers the old check of a whole node.
func checkNode(c *call) error {
	if name, one := c.vars["node"]; one && name != c.h.cfg.Node {
		return missing()
	}
	return checkService(c)
}

// checkAlive answers the old check of a virtual host.
func checkAlive(c *call) error {
	ns, err := c.namespace()
	if err != nil {
		return err
	}
	if why := ns.Locked(); why != nil {
		return why
	}
	return c.well()
}
