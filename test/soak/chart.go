package soak

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Sizes of the chart in pixels.
const (
	chartWidth  = 960
	panelHeight = 90
	panelGap    = 34
	chartMargin = 60
)

// panel is one line over the windows.
type panel struct {
	name  string
	value func(*row) float64
}

var panels = []panel{
	{"confirmed messages per second", func(r *row) float64 { return r.rate }},
	{"p50 of confirms, ms", func(r *row) float64 { return millis(r.p50) }},
	{"p99 of confirms, ms", func(r *row) float64 { return millis(r.p99) }},
	{"resident memory, MiB", func(r *row) float64 { return r.resident / mib }},
	{"heap, MiB", func(r *row) float64 { return r.heap / mib }},
	{"descriptors", func(r *row) float64 { return r.files }},
	{"goroutines", func(r *row) float64 { return r.goroutines }},
	{"disk use, MiB", func(r *row) float64 { return r.disk / mib }},
}

func millis(d time.Duration) float64 { return d.Seconds() * 1000 }

// writeSVG draws a panel for each value, and a mark where a process ended.
func writeSVG(to io.Writer, rows []row) error {
	var b strings.Builder
	height := len(panels)*(panelHeight+panelGap) + panelGap
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" `+
		`font-family="sans-serif" font-size="12"><rect width="100%%" height="100%%" fill="#fff"/>`,
		chartWidth, height)
	for i, p := range panels {
		p.draw(&b, rows, panelGap+i*(panelHeight+panelGap))
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(to, b.String())
	return err
}

// draw draws a panel whose upper edge is at top.
func (p *panel) draw(b *strings.Builder, rows []row, top int) {
	var values []float64
	for i := range rows {
		values = append(values, p.value(&rows[i]))
	}
	most := 1.0
	if len(values) > 0 {
		most = max(slices.Max(values), 1e-9)
	}
	x := func(i int) float64 {
		return chartMargin + float64(i)*(chartWidth-2*chartMargin)/max(1, float64(len(rows)-1))
	}
	y := func(v float64) float64 { return float64(top) + panelHeight*(1-v/most) }
	fmt.Fprintf(b, `<text x="%d" y="%d">%s, at most %.4g</text>`, chartMargin, top-6, p.name, most)
	fmt.Fprintf(b, `<path d="M%d %d h%d" stroke="#999"/>`, chartMargin, top+panelHeight,
		chartWidth-2*chartMargin)
	var line strings.Builder
	for i, v := range values {
		fmt.Fprintf(&line, "%.1f,%.1f ", x(i), y(v))
		if h := rows[i].host; h == kill || h == restart {
			fmt.Fprintf(b, `<path d="M%.1f %d v%d" stroke="#d88"><title>%s</title></path>`,
				x(i), top, panelHeight, h)
		}
	}
	fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="#226"/>`, line.String())
}
