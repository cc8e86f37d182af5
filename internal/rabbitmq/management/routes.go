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
	for _, part := range [][]route{generalRoutes(), topologyRoutes(), vhostRoutes()} {
		all = append(all, part...)
	}
	return all
}

func generalRoutes() []route {
	return []route{
		{"/api/whoami", methods{get: {anyTag, whoami}}},
		{"/api/overview", methods{get: {anyTag, overview}}},
		{"/api/cluster-name", methods{get: {anyTag, getClusterName}}},
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
