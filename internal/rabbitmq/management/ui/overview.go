package ui

import "net/url"

// overview is what the first page shows.
type overview struct {
	Cluster, Node     string
	Version           string
	Product, Build    string
	Totals            depths
	Objects           objects
	Stats             *stats
	Churn             churn
	Listeners         []listener
	Nodes             []node
	Health            []check
	CanExport, CanSee bool
}

type depths struct {
	Messages, Ready, Unacked *float64
}

type objects struct {
	Connections, Channels, Exchanges, Queues, Consumers *float64
}

type churn struct {
	ConnectionsOpened *details `json:"connection_created_details"`
	ConnectionsClosed *details `json:"connection_closed_details"`
	ChannelsOpened    *details `json:"channel_created_details"`
	ChannelsClosed    *details `json:"channel_closed_details"`
	QueuesDeclared    *details `json:"queue_declared_details"`
	QueuesDeleted     *details `json:"queue_deleted_details"`
}

type listener struct {
	Protocol string
	Address  string `json:"ip_address"`
	Port     int
	TLS      bool
}

// node is what the API shows of the node.
type node struct {
	Name         string
	Running      bool
	Uptime       *float64
	Processors   *float64
	Files        *float64 `json:"fd_used"`
	MaxFiles     *float64 `json:"fd_total"`
	Sockets      *float64 `json:"sockets_used"`
	MaxSockets   *float64 `json:"sockets_total"`
	Memory       *float64 `json:"mem_used"`
	MaxMemory    *float64 `json:"mem_limit"`
	MemoryAlarm  bool     `json:"mem_alarm"`
	DiskFree     *float64 `json:"disk_free"`
	DiskLimit    *float64 `json:"disk_free_limit"`
	DiskAlarm    bool     `json:"disk_free_alarm"`
	RateOfOpened *details `json:"connection_created_details"`
}

// check is a health check and how it went.
type check struct {
	Label  string
	Failed bool
	Reason string
}

// answerOverview is the part of GET /api/overview that is shown.
type answerOverview struct {
	Cluster string `json:"cluster_name"`
	Node    string
	Version string `json:"rabbitmq_version"`
	Product string `json:"product_name"`
	Build   string `json:"product_version"`
	Depths  struct {
		Messages *float64
		Ready    *float64 `json:"messages_ready"`
		Unacked  *float64 `json:"messages_unacknowledged"`
	} `json:"queue_totals"`
	Objects   objects `json:"object_totals"`
	Stats     *stats  `json:"message_stats"`
	Churn     churn   `json:"churn_rates"`
	Listeners []listener
}

func showOverview(v *visit) error {
	var a answerOverview
	if err := v.get(path("overview"), nil, &a); err != nil {
		return err
	}
	o := overview{
		Cluster: a.Cluster, Node: a.Node, Version: a.Version, Product: a.Product, Build: a.Build,
		Totals:  depths{a.Depths.Messages, a.Depths.Ready, a.Depths.Unacked},
		Objects: a.Objects, Stats: a.Stats, Churn: a.Churn, Listeners: a.Listeners,
	}
	// Who sees only what is its own gets no nodes.
	if err := v.get(path("nodes"), nil, &o.Nodes); err != nil {
		o.Nodes = nil
	}
	for _, c := range [...][2]string{
		{"alarms", "No alarms"}, {"virtual-hosts", "Virtual hosts serve"},
		{"certificate-expiration/1/months", "Certificate is valid for a month"},
		{"below-node-connection-limit", "Room for connections"},
	} {
		if one := v.check(c[0], c[1]); one != nil {
			o.Health = append(o.Health, *one)
		}
	}
	return v.show("overview", "Overview", o)
}

// check asks for a health check, or gives nil when the API has no such.
func (v *visit) check(path, label string) *check {
	err := v.get("/api/health/checks/"+path, url.Values{}, &struct{}{})
	if err == nil {
		return &check{Label: label}
	}
	if r := asRefusal(err); r.code == 503 {
		return &check{label, true, r.text}
	}
	return nil
}
