package ui

// pages is the table of pages. What changes something is sent as a form.
func pages() []page {
	var all []page
	for _, part := range [][]page{
		generalPages(), queuePages(), exchangePages(), userPages(), policyPages(),
	} {
		all = append(all, part...)
	}
	return all
}

func generalPages() []page {
	return []page{
		{pattern: "GET /{$}", do: showOverview},
		{pattern: "POST /logout", do: logout},
		{pattern: "GET /connections", do: showConnections},
		{pattern: "GET /connection", do: showConnection},
		{pattern: "POST /connection/close", do: closeConnection, again: showConnection},
		{pattern: "GET /channels", do: showChannels},
		{pattern: "GET /channel", do: showChannel},
		{pattern: "GET /admin", do: showAdmin},
		{pattern: "GET /cluster", do: showCluster},
		{pattern: "POST /cluster", do: putClusterName, again: showCluster},
		{pattern: "GET /definitions", do: showDefinitions},
		{pattern: "GET /definitions/download", do: downloadDefinitions},
		{pattern: "POST /definitions", do: uploadDefinitions, again: showDefinitions,
			large: true},
	}
}

func queuePages() []page {
	return []page{
		{pattern: "GET /queues", do: showQueues},
		{pattern: "POST /queues", do: declareQueue, again: showQueues},
		{pattern: "GET /queue", do: showQueue},
		{pattern: "POST /queue/purge", do: purgeQueue, again: showQueue},
		{pattern: "POST /queue/delete", do: deleteQueue, again: showQueue},
		{pattern: "POST /queue/move", do: moveMessages, again: showQueue},
		{pattern: "POST /queue/get", do: getMessages, again: showQueue},
	}
}

func exchangePages() []page {
	return []page{
		{pattern: "GET /exchanges", do: showExchanges},
		{pattern: "POST /exchanges", do: declareExchange, again: showExchanges},
		{pattern: "GET /exchange", do: showExchange},
		{pattern: "POST /exchange/delete", do: deleteExchange, again: showExchange},
		{pattern: "POST /publish", do: publishMessage, again: againBinding, large: true},
		{pattern: "POST /bind", do: bind, again: againBinding},
		{pattern: "POST /unbind", do: unbind, again: againBinding},
	}
}

func userPages() []page {
	return []page{
		{pattern: "GET /users", do: showUsers},
		{pattern: "POST /users", do: putUser, again: showUsers},
		{pattern: "GET /user", do: showUser},
		{pattern: "POST /user", do: putUser, again: showUser},
		{pattern: "POST /user/delete", do: deleteUser, again: showUser},
		{pattern: "POST /user/permission", do: putPermission, again: showUser},
		{pattern: "POST /user/permission/delete", do: deletePermission, again: showUser},
		{pattern: "POST /user/topic", do: putTopic, again: showUser},
		{pattern: "POST /user/topic/delete", do: deleteTopic, again: showUser},
		{pattern: "GET /vhosts", do: showVhosts},
		{pattern: "POST /vhosts", do: putVhost, again: showVhosts},
		{pattern: "GET /vhost", do: showVhost},
		{pattern: "POST /vhost", do: putVhost, again: showVhost},
		{pattern: "POST /vhost/delete", do: deleteVhost, again: showVhost},
		{pattern: "POST /limit", do: putLimit, again: againLimit},
	}
}

func policyPages() []page {
	return []page{
		{pattern: "GET /policies", do: showPolicies},
		{pattern: "POST /policies", do: putPolicy, again: showPolicies},
		{pattern: "POST /policies/delete", do: deletePolicy, again: showPolicies},
		{pattern: "GET /parameters", do: showParameters},
		{pattern: "POST /parameters", do: putParameter, again: showParameters},
		{pattern: "POST /parameters/delete", do: deleteParameter, again: showParameters},
		{pattern: "POST /shovels", do: putShovel, again: showParameters},
		{pattern: "POST /shovels/restart", do: restartShovel, again: showParameters},
	}
}

// tabOf tells under which tab a page is.
func tabOf(name string) string {
	switch name {
	case "overview", "connections", "channels", "exchanges", "queues":
		return name
	case "connection", "channel", "exchange", "queue":
		return name + "s"
	case "problem", "login":
		return ""
	}
	return "admin"
}
