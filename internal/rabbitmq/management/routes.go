package management

import "net/http"

const (
	get  = http.MethodGet
	put  = http.MethodPut
	post = http.MethodPost
	del  = http.MethodDelete
)

// routes is the table of the API.
func routes() []route {
	var all []route
	for _, part := range [][]route{
		generalRoutes(), topologyRoutes(), vhostRoutes(), userRoutes(), policyRoutes(),
		limitRoutes(), livingRoutes(), healthRoutes(), linkRoutes(), unbuiltRoutes(),
	} {
		all = append(all, part...)
	}
	return all
}

func generalRoutes() []route {
	return []route{
		{"/api/whoami", methods{get: {anyTag, whoami}}},
		{"/api/overview", methods{get: {anyTag, overview}}},
		{"/api/cluster-name", methods{
			get: {anyTag, getClusterName}, put: {administrator, putClusterName},
		}},
		{"/api/extensions", methods{get: {anyTag, extensions}}},
		{"/metrics", methods{get: {monitor, prometheus}}},
		{"/metrics/per-object", methods{get: {monitor, prometheus}}},
		{"/metrics/detailed", methods{get: {monitor, prometheus}}},
		{"/api/nodes", methods{get: {monitor, listNodes}}},
		{"/api/nodes/{node}", methods{get: {monitor, getNode}}},
		{"/api/nodes/{node}/memory", methods{get: {monitor, nodeMemory}}},
		{"/api/feature-flags", methods{get: {administrator, listFlags}}},
		{"/api/feature-flags/{name}/enable", methods{put: {administrator, enableFlag}}},
		{"/api/deprecated-features", methods{get: {anyTag, listDeprecated}}},
		{"/api/deprecated-features/used", methods{get: {anyTag, listNothing}}},
		{"/api/auth", methods{get: {open, auth}}},
		{"/api/auth/attempts/{node}", methods{get: {monitor, attempts}}},
		{"/api/auth/hash_password/{password}", methods{get: {anyTag, hashPassword}}},
		{"/api/rebalance/queues", methods{post: {administrator, done}}},
		{"/api/reset", methods{del: {administrator, reset}}},
		{"/api/reset/{node}", methods{del: {administrator, reset}}},
	}
}

func topologyRoutes() []route {
	const queue, exchange = "/api/queues/{vhost}/{queue}", "/api/exchanges/{vhost}/{exchange}"
	const ends, far = "/api/bindings/{vhost}/e/{source}/q/{queue}",
		"/api/bindings/{vhost}/e/{source}/e/{destination}"
	both := methods{
		get: {inVhost, bindingsThat(between)}, post: {inVhost, postBinding},
	}
	each := methods{get: {inVhost, getBinding}, del: {inVhost, deleteBinding}}
	return []route{
		{"/api/queues", methods{get: {anyTag, listQueues}}},
		{"/api/queues/detailed", methods{get: {anyTag, listQueues}}},
		{"/api/queues/{vhost}", methods{get: {inVhost, listQueues}}},
		{queue, methods{
			get: {inVhost, getQueue}, put: {inVhost, putQueue}, del: {inVhost, deleteQueue},
		}},
		{queue + "/contents", methods{del: {inVhost, purgeQueue}}},
		{queue + "/get", methods{post: {inVhost, getMessages}}},
		{queue + "/actions", methods{post: {inVhost, actOnQueue}}},
		{queue + "/bindings", methods{get: {inVhost, queueBindings}}},
		{"/api/exchanges", methods{get: {anyTag, listExchanges}}},
		{"/api/exchanges/{vhost}", methods{get: {inVhost, listExchanges}}},
		{exchange, methods{
			get: {inVhost, getExchange}, put: {inVhost, putExchange},
			del: {inVhost, deleteExchange},
		}},
		{exchange + "/publish", methods{post: {inVhost, publish}}},
		{exchange + "/bindings/source", methods{get: {inVhost, bindingsThat(fromExchange)}}},
		{exchange + "/bindings/destination", methods{get: {inVhost, bindingsThat(toTheExchange)}}},
		{"/api/bindings", methods{get: {anyTag, listBindings}}},
		{"/api/bindings/{vhost}", methods{get: {inVhost, listBindings}}},
		{ends, both}, {ends + "/{key}", each}, {far, both}, {far + "/{key}", each},
	}
}

func vhostRoutes() []route {
	return []route{
		{"/api/definitions", methods{
			get: {administrator, exportAll}, post: {administrator, importAll},
			put: {administrator, importAll},
		}},
		{"/api/definitions/{vhost}", methods{
			get: {administrator, exportOne}, post: {administrator, importOne},
			put: {administrator, importOne},
		}},
		{"/api/all-configuration", methods{
			get: {administrator, exportAll}, post: {administrator, importAll},
		}},
		{"/api/vhosts", methods{get: {anyTag, listVhosts}}},
		{"/api/vhosts/{vhost}", methods{
			get: {administrator, getVhost}, put: {administrator, putVhost},
			del: {administrator, deleteVhost},
		}},
		{"/api/vhosts/{vhost}/start/{node}", methods{post: {administrator, startVhost}}},
	}
}

func userRoutes() []route {
	const user = "/api/users/{user}"
	const permission = "/api/permissions/{vhost}/{user}"
	const topics = "/api/topic-permissions/{vhost}/{user}"
	return []route{
		{"/api/users", methods{get: {administrator, listUsers}}},
		{"/api/users/without-permissions", methods{get: {administrator, listUnpermitted}}},
		{"/api/users/bulk-delete", methods{post: {administrator, deleteUsers}}},
		{user, methods{
			get: {administrator, getUser}, put: {administrator, putUser},
			del: {administrator, deleteUser},
		}},
		{user + "/permissions", methods{get: {administrator, listUserPermissions}}},
		{user + "/topic-permissions", methods{get: {administrator, listUserTopics}}},
		{"/api/vhosts/{vhost}/permissions", methods{get: {administrator, listVhostPermissions}}},
		{"/api/vhosts/{vhost}/topic-permissions", methods{get: {administrator, listVhostTopics}}},
		{"/api/permissions", methods{get: {administrator, listPermissions}}},
		{permission, methods{
			get: {administrator, getPermission}, put: {administrator, putPermission},
			del: {administrator, deletePermission},
		}},
		{"/api/topic-permissions", methods{get: {administrator, listTopics}}},
		{topics, methods{
			get: {administrator, getTopics}, put: {administrator, putTopic},
			del: {administrator, deleteTopics},
		}},
		{topics + "/{exchange}", methods{del: {administrator, deleteTopics}}},
	}
}

func policyRoutes() []route {
	of := func(path string, operator bool, write level) []route {
		return []route{
			{path, methods{get: {anyTag, forPolicies(operator, listPolicies)}}},
			{path + "/{vhost}", methods{get: {inVhost, forPolicies(operator, listPolicies)}}},
			{path + "/{vhost}/{name}", methods{
				get: {write, forPolicies(operator, getPolicy)},
				put: {write, forPolicies(operator, putPolicy)},
				del: {write, forPolicies(operator, deletePolicy)},
			}},
		}
	}
	const parameter = "/api/parameters/{component}"
	list := []route{
		{"/api/parameters", methods{get: {policymaker, listParameters}}},
		{parameter, methods{get: {policymaker, listParameters}}},
		{parameter + "/{vhost}", methods{get: {policymaker, listParameters}}},
		{parameter + "/{vhost}/{name}", methods{
			get: {policymaker, getParameter}, put: {policymaker, putParameter},
			del: {policymaker, deleteParameter},
		}},
		{"/api/global-parameters", methods{get: {policymaker, listGlobals}}},
		{"/api/global-parameters/{name}", methods{
			get: {policymaker, getGlobal}, put: {policymaker, putGlobal},
			del: {policymaker, deleteGlobal},
		}},
	}
	list = append(list, of("/api/policies", false, policymaker)...)
	return append(list, of("/api/operator-policies", true, administrator)...)
}

func limitRoutes() []route {
	return []route{
		{"/api/vhost-limits", methods{get: {anyTag, listVhostLimits}}},
		{"/api/vhost-limits/{vhost}", methods{get: {seesVhost, listVhostLimits}}},
		{"/api/vhost-limits/{vhost}/{name}", methods{
			put: {administrator, putVhostLimit}, del: {administrator, deleteVhostLimit},
		}},
		{"/api/user-limits", methods{get: {anyTag, listUserLimits}}},
		{"/api/user-limits/{user}", methods{get: {anyTag, listUserLimits}}},
		{"/api/user-limits/{user}/{name}", methods{
			put: {administrator, putUserLimit}, del: {administrator, deleteUserLimit},
		}},
	}
}

func livingRoutes() []route {
	const connection, user = "/api/connections/{connection}", "/api/connections/username/{user}"
	return []route{
		{"/api/connections", methods{get: {anyTag, listConnections}}},
		{connection, methods{get: {anyTag, getConnection}, del: {anyTag, closeConnection}}},
		{connection + "/channels", methods{get: {anyTag, listOwnChannels}}},
		{user, methods{get: {anyTag, listOfUser}, del: {anyTag, closeOfUser}}},
		{"/api/vhosts/{vhost}/connections", methods{get: {inVhost, listConnections}}},
		{"/api/vhosts/{vhost}/channels", methods{get: {inVhost, listChannels}}},
		{"/api/channels", methods{get: {anyTag, listChannels}}},
		{"/api/channels/{channel}", methods{get: {anyTag, getChannel}}},
		{"/api/consumers", methods{get: {anyTag, listConsumers}}},
		{"/api/consumers/{vhost}", methods{get: {seesVhost, listConsumers}}},
	}
}

func healthRoutes() []route {
	const quorums = "health/checks/quorum-queues-without-elected-leaders/"
	var list []route
	for path, do := range map[string]func(*call) error{
		"health/checks/alarms": checkAlarms, "health/checks/local-alarms": checkAlarms,
		"health/checks/certificate-expiration/{within}/{unit}": checkCertificate,
		"health/checks/port-listener/{port}":                   checkPort,
		"health/checks/protocol-listener/{protocol}":           checkProtocol,
		"health/checks/virtual-hosts":                          checkVhosts,
		"health/checks/node-is-quorum-critical":                checkAlone,
		"health/checks/node-is-mirror-sync-critical":           checkAlone,
		"health/checks/ready-to-serve-clients":                 checkService,
		"health/checks/is-in-service":                          checkService,
		"health/checks/below-node-connection-limit":            checkConnectionLimit,
		"health/checks/metadata-store/initialized":             checkWell,
		"health/checks/metadata-store/initialized/with-data":   checkWell,

		quorums + "all-vhosts": checkWell, quorums + "vhost/{vhost}": checkWell,
		quorums + "all-vhosts/pattern/{pattern}": checkWell,
		"healthchecks/node":                      checkNode, "healthchecks/node/{node}": checkNode,
	} {
		list = append(list, route{"/api/" + path, methods{get: {anyTag, do}}})
	}
	return append(list, route{"/api/aliveness-test/{vhost}", methods{get: {inVhost, checkAlive}}})
}

// unbuiltRoutes are RabbitMQ's that have nothing behind them here.
func unbuiltRoutes() []route {
	var list []route
	for path, what := range map[string]string{
		"traces": "tracing", "traces/{vhost}": "tracing", "traces/{vhost}/{name}": "tracing",
		"trace-files": "tracing", "nodes/{node}/memory/ets": "memory of Erlang's tables",
		"stream/connections": "streams", "stream/publishers": "streams",
		"stream/consumers": "streams", "vhosts/{vhost}/deletion/protection": "protection",
		"queues/quorum/{vhost}/{queue}/replicas/{action}": "replicas of queues",
		"login": "login without Basic authentication",
	} {
		h := handler{anyTag, unbuilt(what)}
		list = append(list, route{"/api/" + path, methods{get: h, put: h, post: h, del: h}})
	}
	return list
}
