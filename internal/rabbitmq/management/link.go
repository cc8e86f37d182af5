package management

// Links shows what connects the broker with others. It is called by many goroutines at
// once.
type Links interface {
	// Shovels lists the shovels of all virtual hosts.
	Shovels() []Link
	// RestartShovel ends a shovel and starts it again: fault.NotFound if there is none.
	RestartShovel(vhost, name string) error
	// FederationLinks lists the links of exchanges and queues to other brokers.
	FederationLinks() []Link
	// RestartFederation ends a federation link and starts it again: fault.NotFound if
	// there is none of the id.
	RestartFederation(vhost, id string) error
}

// Link is a shovel or a federation link.
type Link struct {
	Vhost, Name string
	Down        bool
	Fields      object // RabbitMQ's
}

// shovelComponent is whose parameters shovels are.
const shovelComponent = "shovel"

// linksThat answers with the links in the virtual hosts of the call that fn keeps.
func (c *call) linksThat(all []Link, fn func(Link) bool) error {
	seen := map[string]bool{}
	for _, v := range c.vhosts() {
		seen[v] = true
	}
	list := []object{}
	for _, l := range all {
		if seen[l.Vhost] && fn(l) {
			l.Fields["node"] = c.h.cfg.Node
			list = append(list, l.Fields)
		}
	}
	return c.list(list, "vhost", "name")
}

func listShovels(c *call) error {
	if _, one := c.vars["vhost"]; one {
		if _, err := c.namespace(); err != nil {
			return err
		}
	}
	return c.linksThat(c.h.links.Shovels(), func(Link) bool { return true })
}

func getShovel(c *call) error {
	for _, l := range c.h.links.Shovels() {
		if l.Vhost == c.vars["vhost"] && l.Name == c.vars["name"] {
			l.Fields["node"] = c.h.cfg.Node
			return c.one(l.Fields)
		}
	}
	return missing()
}

func deleteShovel(c *call) error {
	c.vars["component"] = shovelComponent
	return deleteParameter(c)
}

func restartShovel(c *call) error {
	if err := c.h.links.RestartShovel(c.vars["vhost"], c.vars["name"]); err != nil {
		return gone(err)
	}
	return done(c)
}

// listFederation answers with the federation links, those that are down if the path
// says so.
func listFederation(down bool) func(*call) error {
	return func(c *call) error {
		return c.linksThat(c.h.links.FederationLinks(), func(l Link) bool {
			return !down || l.Down
		})
	}
}

func restartFederation(c *call) error {
	if err := c.h.links.RestartFederation(c.vars["vhost"], c.vars["id"]); err != nil {
		return gone(err)
	}
	return done(c)
}

// linkRoutes are the routes of shovels and federation links.
func linkRoutes() []route {
	const shovel = "/api/shovels/vhost/{vhost}/{name}"
	each := handler{policymaker, deleteShovel}
	return []route{
		{"/api/federation-links", methods{get: {monitor, listFederation(false)}}},
		{"/api/federation-links/state/down", methods{get: {monitor, listFederation(true)}}},
		{"/api/federation-links/{vhost}", methods{get: {monitor, listFederation(false)}}},
		{"/api/federation-links/vhost/{vhost}/{id}/{node}/restart", methods{
			del: {policymaker, restartFederation},
		}},
		{"/api/federation-links/{vhost}/down", methods{get: {monitor, listFederation(true)}}},
		{"/api/shovels", methods{get: {monitor, listShovels}}},
		{"/api/shovels/{vhost}", methods{get: {monitor, listShovels}}},
		{"/api/shovels/vhost/{vhost}/{name}", methods{
			get: {monitor, getShovel}, del: each,
		}},
		{"/api/shovels/{vhost}/{name}", methods{get: {monitor, getShovel}, del: each}},
		{shovel + "/restart", methods{
			del: {policymaker, restartShovel}, post: {policymaker, restartShovel},
		}},
	}
}
