package bench

// Result is what one run showed.
type Result struct {
	Broker string `json:"broker"` // product and version, as it told
	// Fill is the time in which Preload was published, Load the measurement, Drain from
	// the last publish until all was received where there was no Load.
	Fill  *Phase `json:"fill,omitempty"`
	Load  *Phase `json:"load,omitempty"`
	Drain *Phase `json:"drain,omitempty"`
	// Of what was due in Load, or in Fill without one: until the confirm, and until it
	// was received.
	Confirm  Latency `json:"confirmMicroseconds"`
	EndToEnd Latency `json:"endToEndMicroseconds"`
	// Of SQS: of requests that received something, and from the answer to who sent a
	// message until it was received.
	Receive  Latency `json:"receiveMicroseconds,omitzero"`
	Wake     Latency `json:"wakeMicroseconds,omitzero"`
	Messages Account `json:"messages"`
	Server   *Server `json:"server,omitempty"` // if it runs on this machine
}

// Phase is what happened in a time.
type Phase struct {
	Seconds float64 `json:"seconds"`
	// Messages per second. A message of a fan-out is delivered once for each queue.
	Published float64 `json:"publishedPerSecond"`
	Confirmed float64 `json:"confirmedPerSecond"`
	Delivered float64 `json:"deliveredPerSecond"`
	// Processor time in microseconds per message that was delivered, or confirmed if
	// that were more. Of a server elsewhere: 0.
	ServerCPU    float64 `json:"serverCPUMicroseconds"`
	GeneratorCPU float64 `json:"generatorCPUMicroseconds"`
}

// Server is the process that was measured. Memory is what was resident, in bytes.
type Server struct {
	PID     int    `json:"pid"`
	Command string `json:"command"`
	Before  int64  `json:"residentBefore"`
	Median  int64  `json:"residentMedian"` // during the run
	Peak    int64  `json:"residentPeak"`
}

// A mark is one moment.
type mark struct {
	at int64
	counts
	server, own int64 // processor time in nanoseconds
}

func (g *gauge) mark() mark {
	m := mark{at: g.now(), counts: g.meters.counts(), own: int64(CPU())}
	if g.pid != 0 {
		cpu, _ := cpuOf(g.pid) // without it: unknown
		m.server = int64(cpu)
	}
	return m
}

// since gives what happened from one moment to a later one.
func (m mark) since(b mark) *Phase {
	seconds := float64(m.at-b.at) / 1e9
	confirmed, delivered := m.confirmed-b.confirmed, m.delivered-b.delivered
	each := 1000 * float64(max(confirmed, delivered, 1))
	return &Phase{
		Seconds:   seconds,
		Published: float64(m.published-b.published) / seconds,
		Confirmed: float64(confirmed) / seconds, Delivered: float64(delivered) / seconds,
		ServerCPU: float64(m.server-b.server) / each, GeneratorCPU: float64(m.own-b.own) / each,
	}
}
