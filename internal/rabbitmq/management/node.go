package management

import (
	"math"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"time"

	"coffer/internal/broker"
)

// listNodes answers with the one node that there is.
func listNodes(c *call) error { return c.list([]object{c.shownNode()}) }

func getNode(c *call) error {
	if c.vars["node"] != c.h.cfg.Node {
		return missing()
	}
	return c.one(c.shownNode())
}

// shownNode gives the fields of the node. What only Erlang's has is left out.
func (c *call) shownNode() object {
	cfg, m, t := &c.h.cfg, c.h.living.Machine(), c.h.living.Totals()
	o := object{
		"name": cfg.Node, "type": "disc", "running": true, "being_drained": false,
		"os_pid": strconv.Itoa(os.Getpid()), "rates_mode": "basic",
		"uptime":     cfg.Now().Sub(c.h.started).Milliseconds(),
		"processors": runtime.NumCPU(), "run_queue": 0, "net_ticktime": 60,
		"proc_total": maxGoroutines, "fd_total": m.MaxFiles, "sockets_total": maxConnections,
		"mem_limit": m.Memory,
		"mem_alarm": false, "mem_calculation_strategy": "rss",
		"disk_free_limit": m.DiskLimit, "disk_free_alarm": m.DiskAlarm,
		"partitions": []string{}, "cluster_links": []object{}, "enabled_plugins": plugins(),
		"config_files": []string{}, "log_files": []string{}, "db_dir": "",
		"exchange_types": exchangeTypes(), "contexts": c.contexts(),
		"applications": []object{{
			"name": "coffer", "description": cfg.Product, "version": cfg.Build,
		}},
		"auth_mechanisms": []object{
			{"name": "PLAIN", "description": "SASL PLAIN authentication mechanism",
				"enabled": true},
			{"name": "AMQPLAIN", "description": "QPid AMQPLAIN mechanism", "enabled": true},
			{"name": "EXTERNAL", "description": "TLS client certificates", "enabled": true},
		},
	}
	var list []*broker.Namespace
	for _, v := range c.h.broker.Vhosts() {
		if ns, ok := c.h.broker.Namespace(v.Name); ok {
			list = append(list, ns)
		}
	}
	return c.count(o, "node", append(c.churn(list, &t),
		count{"mem_used", int64(memoryUsed())}, count{"fd_used", int64(m.Files)},
		count{"sockets_used", int64(len(c.h.connected()))},
		count{"proc_used", int64(runtime.NumGoroutine())},
		count{"disk_free", int64(min(m.DiskFree, math.MaxInt64))})...)
}

// Bounds that are shown; what is really free is the machine's.
const (
	maxGoroutines  = 1 << 20
	maxConnections = 20_000
)

// plugins are RabbitMQ's for what is there.
func plugins() []string {
	return []string{"rabbitmq_consistent_hash_exchange", "rabbitmq_management"}
}

// nodeMemory answers GET /api/nodes/{node}/memory.
func nodeMemory(c *call) error {
	if c.vars["node"] != c.h.cfg.Node {
		return missing()
	}
	used := memoryUsed()
	return c.one(object{"memory": object{
		"strategy": "rss", "other_proc": used,
		"total": object{"erlang": used, "rss": used, "allocated": used},
	}})
}

// memoryUsed is what the process has of the system, in bytes.
func memoryUsed() uint64 {
	list := []metrics.Sample{
		{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(list)
	return list[0].Value.Uint64() - list[1].Value.Uint64()
}

// until is how long a number of units of time is, as health checks write it.
func until(n int64, unit string) (time.Duration, bool) {
	const day = 24 * time.Hour
	length, ok := map[string]time.Duration{
		"day": day, "days": day, "week": 7 * day, "weeks": 7 * day,
		"month": 30 * day, "months": 30 * day, "year": 365 * day, "years": 365 * day,
	}[unit]
	if !ok || n < 0 || n > 1000 {
		return 0, false
	}
	return time.Duration(n) * length, true
}
