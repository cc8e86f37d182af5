package scale

import (
	"context"
	"regexp"
	"strconv"

	"coffer/test/process"
)

// metrics gives the metrics that have no labels.
func metrics(ctx context.Context, data, path string) (map[string]float64, error) {
	text, err := process.Scrape(ctx, data, path)
	if err != nil {
		return nil, err
	}
	values := map[string]float64{}
	for _, m := range metricLine.FindAllSubmatch(text, -1) {
		if v, err := strconv.ParseFloat(string(m[2]), 64); err == nil {
			values[string(m[1])] = v
		}
	}
	return values, nil
}

var metricLine = regexp.MustCompile(`(?m)^([a-z_]+) (\S+)$`)
