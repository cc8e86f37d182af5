package bench

import (
	"cmp"
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// Charts are written as SVG by hand: the libraries that draw bring fonts, PDF and TeX
// along, for rectangles and lines.

// Sizes of a chart, in its own units.
const (
	chartWidth = 860
	barHeight  = 22
	labelWidth = 330
	panelSize  = 240
	margin     = 60
)

const svgHead = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" ` +
	`font-family="sans-serif" font-size="13">` +
	`<rect width="100%%" height="100%%" fill="#fff"/>` + "\n"

// bars draws one bar for each row that counts messages: Coffer's, in multiples of
// RabbitMQ's, which are a line through all of them.
func bars(rows []row) string {
	rows = slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return r.unit != "/s" })
	top := 2.0
	for _, r := range rows {
		top = max(top, r.ratio(), r.want.least)
	}
	at := func(ratio float64) float64 {
		return labelWidth + (chartWidth-labelWidth-margin)*ratio/top
	}
	height := barHeight*(len(rows)+1) + margin
	var b strings.Builder
	fmt.Fprintf(&b, svgHead, chartWidth, height)
	fmt.Fprintf(&b, `<text x="10" y="24">messages a second, times RabbitMQ's (grey line); `+
		`red where a figure is wanted</text>`+"\n")
	for i, r := range rows {
		y := margin/2 + 10 + i*barHeight
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s, %s</text>`+"\n", labelWidth-8,
			y+15, html.EscapeString(r.shape), r.want.figure)
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="#2b6cb0"/>`+"\n",
			labelWidth, y+2, at(r.ratio())-labelWidth, barHeight-4)
		fmt.Fprintf(&b, `<text x="%.1f" y="%d">%s</text>`+"\n", at(r.ratio())+5, y+15,
			number(r.ratio()))
		if r.want.least > 1 {
			fmt.Fprintf(&b, `<path d="M%.1f %dv%d" stroke="#c00"/>`+"\n", at(r.want.least), y,
				barHeight)
		}
	}
	fmt.Fprintf(&b, `<path d="M%.1f %dv%d" stroke="#888"/>`+"\n", at(1), margin/2+10,
		barHeight*len(rows))
	return b.String() + "</svg>\n"
}

// A series is a line through points of growing x.
type series struct {
	name   string
	points [][2]float64
}

// lines draws panels side by side, each with one series on logarithmic scales.
func lines(panels []series) string {
	var b strings.Builder
	fmt.Fprintf(&b, svgHead, len(panels)*(panelSize+margin)+margin, panelSize+2*margin)
	for i, p := range panels {
		x := margin + i*(panelSize+margin)
		fmt.Fprintf(&b, `<text x="%d" y="24">%s</text>`+"\n", x, html.EscapeString(p.name))
		fmt.Fprintf(&b, `<path d="M%d %dv%dh%d" fill="none" stroke="#888"/>`+"\n", x, margin,
			panelSize, panelSize)
		column := func(i int) func([2]float64) float64 {
			return func(p [2]float64) float64 { return math.Log10(max(p[i], 1)) }
		}
		px, py := scale(p.points, column(0)), scale(p.points, column(1))
		path, letter := "", "M"
		for _, point := range p.points {
			cx := float64(x) + px(point)*panelSize
			cy := margin + panelSize - py(point)*panelSize
			path += fmt.Sprintf("%s%.1f %.1f", letter, cx, cy)
			letter = "L"
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="3" fill="#2b6cb0"/>`+"\n", cx, cy)
			fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" font-size="10">%s</text>`+"\n", cx+4, cy-5,
				number(point[1]))
			fmt.Fprintf(&b, `<text x="%.1f" y="%d" font-size="10" text-anchor="middle">%.0f</text>`+
				"\n", cx, margin+panelSize+16, point[0])
		}
		fmt.Fprintf(&b, `<path d="%s" fill="none" stroke="#2b6cb0"/>`+"\n", path)
	}
	return b.String() + "</svg>\n"
}

// scale maps what of gives onto 0 to 1: a decade at least, so that noise looks small.
func scale(points [][2]float64, of func([2]float64) float64) func([2]float64) float64 {
	if len(points) == 0 {
		return of
	}
	order := func(a, b [2]float64) int { return cmp.Compare(of(a), of(b)) }
	low, high := of(slices.MinFunc(points, order)), of(slices.MaxFunc(points, order))
	high = max(high, low+1)
	return func(p [2]float64) float64 { return (of(p) - low) / (high - low) }
}
