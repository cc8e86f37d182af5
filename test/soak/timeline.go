package soak

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// row is what a window was.
type row struct {
	window
	footprint
	number   int
	at       time.Duration // of its end, since the run began
	rate     float64       // confirmed messages per second
	p50, p99 time.Duration // from publish to confirm
	disk     float64       // bytes
	refused  int64         // messages, without the key
	excused  int64         // errors of clients that a disturbance explains
	lines    int           // of the log
}

// what names the disturbances of a window.
func (r *row) what() string {
	text := string(disableKey)
	for _, more := range []string{string(r.key), string(r.host)} {
		if more != "" {
			text += ", " + more
		}
	}
	return text
}

var columns = []string{
	"window", "at", "life", "msgs/s", "p50 ms", "p99 ms", "RSS MiB", "heap MiB", "files",
	"goroutines", "disk MiB", "refused", "excused", "log lines", "disturbances",
}

// cells are the row as text, in the order of columns.
func (r *row) cells() []string {
	ms := func(d time.Duration) string { return fmt.Sprintf("%.1f", d.Seconds()*1000) }
	f := func(v float64, digits int) string { return strconv.FormatFloat(v, 'f', digits, 64) }
	return []string{
		fmt.Sprint(r.number), r.at.Round(time.Second).String(), fmt.Sprint(r.life), f(r.rate, 0),
		ms(r.p50), ms(r.p99), f(r.resident/mib, 1), f(r.heap/mib, 1), f(r.files, 0),
		f(r.goroutines, 0), f(r.disk/mib, 1), fmt.Sprint(r.refused), fmt.Sprint(r.excused),
		fmt.Sprint(r.lines), r.what(),
	}
}

// table is the timeline in Markdown.
func table(rows []row) string {
	var b strings.Builder
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(columns)
	b.WriteString(strings.Repeat("| --- ", len(columns)) + "|\n")
	for i := range rows {
		line(rows[i].cells())
	}
	return b.String()
}

// writeCSV is the timeline for programs.
func writeCSV(to io.Writer, rows []row) error {
	w := csv.NewWriter(to)
	if err := w.Write(columns); err != nil {
		return err
	}
	for i := range rows {
		if err := w.Write(rows[i].cells()); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}
