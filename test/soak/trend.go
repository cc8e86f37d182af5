package soak

import (
	"fmt"
	"slices"
	"time"
)

// minTrend is of how many windows a trend is told at least.
const minTrend = 4

// slope is the median of the slopes between all pairs of values, per step: what a few
// outliers do not move.
func slope(values []float64) float64 {
	var list []float64
	for i := range values {
		for j := range i {
			list = append(list, (values[i]-values[j])/float64(i-j))
		}
	}
	return median(list)
}

func median(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return list[len(list)/2]
}

// bound is how much a value may grow over the quiet part of a run: a share of its median
// and so much beside.
type bound struct {
	name   string
	value  func(*row) float64
	share  float64
	beside float64
	young  float64 // more, while the process is younger than grown
}

const mib = 1 << 20

// grown is the age of a process from which on nothing fills for the first time. Before,
// the store's tables in memory do, of up to 256 MiB of its log.
const grown = 10 * time.Minute

// bounds are judged over the windows in which no process ends. The trail grows for ever,
// by what it is told, so disk use has room for that.
var bounds = []bound{
	{"resident memory", func(r *row) float64 { return r.resident }, .1, 24 * mib, 128 * mib},
	{"heap", func(r *row) float64 { return r.heap }, .25, 16 * mib, 0},
	{"descriptors", func(r *row) float64 { return r.files }, 0, 12, 0},
	{"goroutines", func(r *row) float64 { return r.goroutines }, 0, 24, 0},
	{"disk use", func(r *row) float64 { return r.disk }, .25, 64 * mib, 0},
}

// trends judges what must be flat, and gives a sentence for each bound.
func trends(rows []row, addf func(string, ...any)) (report []string) {
	var quiet []row
	for _, r := range rows {
		if r.quiet && r.life >= 0 {
			quiet = append(quiet, r)
		}
	}
	quiet = quiet[len(quiet)/3:] // by then, what is made once is made
	if len(quiet) < minTrend {
		return []string{fmt.Sprintf("%d windows without an end of the process: too few for a trend",
			len(quiet))}
	}
	for _, b := range bounds {
		var values []float64
		for i := range quiet {
			values = append(values, b.value(&quiet[i]))
		}
		growth := slope(values) * float64(len(values)-1)
		most := b.beside
		if quiet[0].age < grown {
			most += b.young
		}
		most += b.share * median(slices.Clone(values))
		text := fmt.Sprintf("%s: %.6g to %.6g over %d windows, a trend of %+.3g, %.3g is let be",
			b.name, values[0], values[len(values)-1], len(values), growth, most)
		report = append(report, text)
		if growth > most {
			addf("%s", text)
		}
	}
	return report
}
