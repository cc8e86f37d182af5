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
		limitRoutes(),
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
		{"/api/vhosts", methods{get: {anyTag, listVhosts}}},
		{"/api/vhosts/{vhost}", methods{
			get: {administrator, getVhost}, put: {administrator, putVhost},
			del: {administrator, deleteVhost},
		}},
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
				get: {policymaker, forPolicies(operator, getPolicy)},
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
			get: {policymaker, getGlobal}, put: {administrator, putGlobal},
			del: {administrator, deleteGlobal},
		}},
	}
	list = append(list, of("/api/policies", false, policymaker)...)
	return append(list, of("/api/operator-policies", true, administrator)...)
}

func limitRoutes() []route {
	return []route{
		{"/api/vhost-limits", methods{get: {anyTag, listVhostLimits}}},
		{"/api/vhost-limits/{vhost}", methods{get: {inVhost, listVhostLimits}}},
		{"/api/vhost-limits/{vhost}/{name}", methods{
			put: {administrator, putVhostLimit}, del: {administrator, deleteVhostLimit},
		}},
		{"/api/user-limits", methods{get: {administrator, listUserLimits}}},
		{"/api/user-limits/{user}", methods{get: {administrator, listUserLimits}}},
		{"/api/user-limits/{user}/{name}", methods{
			put: {administrator, putUserLimit}, del: {administrator, deleteUserLimit},
		}},
	}
}
