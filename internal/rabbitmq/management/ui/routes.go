package ui

// pages is the table of pages. What changes something is sent as a form.
func pages() []page {
	var all []page
	for _, part := range [][]page{generalPages(), queuePages()} {
		all = append(all, part...)
	}
	return all
}

func generalPages() []page {
	return []page{
		{pattern: "GET /{$}", do: showOverview},
		{pattern: "POST /logout", do: logout},
	}
}

func queuePages() []page {
	return []page{
		{pattern: "GET /queues", do: showQueues},
		{pattern: "POST /queues", do: declareQueue, again: showQueues},
		{pattern: "GET /queue", do: showQueue},
		{pattern: "POST /queue/purge", do: purgeQueue, again: showQueue},
		{pattern: "POST /queue/delete", do: deleteQueue, again: showQueue},
		{pattern: "POST /queue/get", do: getMessages, again: showQueue},
		{pattern: "POST /publish", do: publishMessage, again: againBinding, large: true},
		{pattern: "POST /bind", do: bind, again: againBinding},
		{pattern: "POST /unbind", do: unbind, again: againBinding},
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
