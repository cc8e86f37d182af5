package metrics

import "strings"

// nodeFamilies are what is shown of the broker as a whole, once.
func nodeFamilies() []family[scene] {
	return []family[scene]{
		{name: "connection_churn_metrics", metrics: churn()},
		{name: "node_coarse_metrics", metrics: []metric[scene]{
			{"process_open_fds", gauge, "File descriptors that are open.",
				func(s *scene) float64 { return float64(s.node.OpenFiles) }},
			{"process_open_tcp_sockets", gauge, "Sockets of clients that are open.",
				func(s *scene) float64 { return float64(s.node.OpenSockets) }},
			{"process_resident_memory_bytes", gauge, "Bytes of memory in use.",
				func(s *scene) float64 { return float64(s.node.Memory) }},
			{"disk_space_available_bytes", gauge, "Bytes that are free on the disk.",
				func(s *scene) float64 { return float64(s.node.DiskFree) }},
			{"erlang_processes_used", gauge, "Goroutines.",
				func(s *scene) float64 { return float64(s.node.Goroutines) }},
			{"erlang_gc_runs_total", counter, "Runs of the garbage collector.",
				func(s *scene) float64 { return float64(s.node.GCRuns) }},
			{"erlang_gc_reclaimed_bytes_total", counter, "Bytes that it has freed.",
				func(s *scene) float64 { return float64(s.node.GCFreed) }},
		}},
		{name: "node_metrics", metrics: []metric[scene]{
			{"process_max_fds", gauge, "File descriptors that may be open.",
				func(s *scene) float64 { return float64(s.node.MaxFiles) }},
			{"process_max_tcp_sockets", gauge, "Sockets of clients that may be open.",
				func(s *scene) float64 { return float64(s.node.MaxSockets) }},
			{"resident_memory_limit_bytes", gauge, "Bytes of memory that may be in use.",
				func(s *scene) float64 { return float64(s.node.MemoryLimit) }},
			{"disk_space_available_limit_bytes", gauge,
				"Free bytes on the disk below which messages are refused.",
				func(s *scene) float64 { return float64(s.node.DiskLimit) }},
			{"erlang_uptime_seconds", gauge, "Seconds since the start.",
				func(s *scene) float64 { return s.now.Sub(s.node.Started).Seconds() }},
		}},
	}
}

// churn is what comes and goes.
func churn() []metric[scene] {
	of := func(get func(*Protocol) uint64) func(*scene) float64 {
		return func(s *scene) float64 {
			sum := uint64(0)
			for i := range s.protocols {
				sum += get(&s.protocols[i])
			}
			return float64(sum)
		}
	}
	return []metric[scene]{
		{"connections_opened_total", counter, "Connections that were opened.",
			of(func(p *Protocol) uint64 { return p.ConnectionsOpened })},
		{"connections_closed_total", counter, "Connections that were closed.",
			of(func(p *Protocol) uint64 { return p.ConnectionsClosed })},
		{"channels_opened_total", counter, "Channels that were opened.",
			of(func(p *Protocol) uint64 { return p.ChannelsOpened })},
		{"channels_closed_total", counter, "Channels that were closed.",
			of(func(p *Protocol) uint64 { return p.ChannelsClosed })},
		{"queues_declared_total", counter, "Declarations of queues, new or not.",
			of(func(p *Protocol) uint64 { return p.QueuesDeclared })},
		{"queues_created_total", counter, "Queues that were made.",
			func(s *scene) float64 { return float64(s.sums.QueuesCreated) }},
		{"queues_deleted_total", counter, "Queues that were deleted.",
			func(s *scene) float64 { return float64(s.sums.QueuesDeleted) }},
	}
}

// logins are attempts to sign in, by protocol.
func (s *scene) logins(t *text, v *view, e *strings.Replacer) {
	if v.families != nil && !v.families["auth_attempt_metrics"] {
		return
	}
	for _, m := range []struct {
		name, help string
		of         func(*Protocol) uint64
	}{
		{"auth_attempts_total", "Attempts to sign in.",
			func(p *Protocol) uint64 { return p.LoginsAccepted + p.LoginsRefused }},
		{"auth_attempts_succeeded_total", "Attempts to sign in that succeeded.",
			func(p *Protocol) uint64 { return p.LoginsAccepted }},
		{"auth_attempts_failed_total", "Attempts to sign in that failed.",
			func(p *Protocol) uint64 { return p.LoginsRefused }},
	} {
		name := v.prefix + m.name
		t.begin(name, counter, m.help)
		for i := range s.protocols {
			p := &s.protocols[i]
			t.sample(name, pairs(e, "protocol", p.Name), float64(m.of(p)))
		}
	}
}

// alarms tell what keeps publishers out.
func (s *scene) alarms(t *text) {
	full := 0.0
	if s.node.Full {
		full = 1
	}
	t.single("rabbitmq_alarms_file_descriptor_limit", untyped,
		"Whether too many files are open to go on.", "", 0)
	t.single("rabbitmq_alarms_free_disk_space_watermark", untyped,
		"Whether messages are refused for want of room on the disk.", "", full)
	t.single("rabbitmq_alarms_memory_used_watermark", untyped,
		"Whether messages are refused for want of memory.", "", 0)
}

// totals are how many of each kind there are.
func (s *scene) totals(t *text) {
	consumers := 0
	for _, n := range s.consumers {
		consumers += n
	}
	for _, m := range []struct {
		name, help string
		n          int
	}{
		{"connections", "Connections that are open.", len(s.connections)},
		{"channels", "Channels that are open.", len(s.channels)},
		{"consumers", "Consumers of all queues.", consumers},
		{"queues", "Queues.", len(s.queues)},
	} {
		t.single("rabbitmq_"+m.name, gauge, m.help, "", float64(m.n))
	}
	t.single("process_start_time_seconds", gauge, "When the process began, since 1970.", "",
		float64(s.node.Started.Unix()))
}

// identity tells who the broker is. It is a part of every answer: dashboards join it.
func (s *scene) identity(t *text, v *view, e *strings.Replacer) {
	n := &s.node
	t.single("rabbitmq_build_info", untyped, "The version that is followed, and Go's.",
		pairs(e, "rabbitmq_version", n.Version, "prometheus_plugin_version", n.Version,
			"prometheus_client_version", "none", "erlang_version", n.Runtime,
			"product_name", n.Product, "product_version", n.Build), 1)
	t.single("rabbitmq_identity_info", untyped, "The names of the broker.",
		pairs(e, "rabbitmq_node", n.Name, "rabbitmq_cluster", n.Cluster,
			"rabbitmq_cluster_permanent_id", n.ClusterID,
			"rabbitmq_endpoint", v.endpoint), 1)
}
