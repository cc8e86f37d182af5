package soak

import (
	"regexp"
	"strconv"
	"strings"
)

// counters are what metrics that only grow showed last, in one life of the process.
type counters struct {
	life int
	last map[string]float64
}

// gauged are counters by name only, in RabbitMQ too: sums over the connections,
// channels and queues that there are.
var gauged = regexp.MustCompile(`^rabbitmq_(connection_(incoming|outgoing)|channel|queue)_`)

// read takes a scrape in Prometheus's text format, and gives all of its values and the
// series that became less.
func (c *counters) read(life int, text string) (values map[string]float64, less []string) {
	if c.life != life || c.last == nil {
		c.life, c.last = life, map[string]float64{}
	}
	values = map[string]float64{}
	grows := map[string]bool{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, kind, _ := strings.Cut(rest, " ")
			grows[name] = kind == "counter"
			for _, part := range []string{"_count", "_bucket", "_sum"} {
				grows[name+part] = kind == "histogram"
			}
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || line[0] == '#' {
			continue
		}
		series := line[:at]
		v, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			continue
		}
		values[series] = v
		name, _, _ := strings.Cut(series, "{")
		if !grows[name] || gauged.MatchString(name) {
			continue
		}
		if v < c.last[series] {
			less = append(less, series)
		}
		c.last[series] = v
	}
	return values, less
}
