package ui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// parsePages makes a set of templates for each file, with what they share. The files are
// part of the program: a broken one never leaves its tests.
func parsePages(files fs.FS) map[string]*template.Template {
	base := template.Must(template.New("base").Funcs(functions()).ParseFS(files,
		"page/base.html", "page/part.html"))
	names, err := fs.Glob(files, "page/*.html")
	if err != nil {
		panic(err)
	}
	all := map[string]*template.Template{}
	for _, name := range names {
		short := strings.TrimSuffix(strings.TrimPrefix(name, "page/"), ".html")
		if short != "base" && short != "part" {
			all[short] = template.Must(template.Must(base.Clone()).ParseFS(files, name))
		}
	}
	return all
}

// functions are what pages may call.
func functions() template.FuncMap {
	return template.FuncMap{
		"count": showCount, "rate": showRate, "size": showSize, "json": showJSON,
		"link": link, "list": func(all ...any) []any { return all }, "moment": showMoment,
		"lasting": showLasting, "part": func(of, p any) pair { return pair{of, p} },
		"short": short, "exchange": exchangeName, "join": strings.Join, "field": formValue,
		"flow": showFlow, "port": showPort, "text": isText,
		"value": showValue, "plain": showPlain, "series": series, "grows": grows,
		"since": showSince,
	}
}

// pair hands a part of a page the page's view beside its own data.
type pair struct{ View, Of any }

// unknown is shown for what the API does not say.
const unknown = "–"

// showCount writes a whole number with separators.
func showCount(n *float64) string {
	if n == nil {
		return unknown
	}
	text := strconv.FormatFloat(math.Abs(*n), 'f', 0, 64)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	if *n < 0 {
		return "-" + text
	}
	return text
}

// details is what the API says about how a counter grows.
type details struct {
	Rate *float64
}

// showRate writes how often something happens in a second.
func showRate(d *details) string {
	if d == nil || d.Rate == nil {
		return unknown
	}
	switch r := math.Abs(*d.Rate); {
	case r >= 100, r == 0:
		return showCount(d.Rate) + "/s"
	case r >= 10:
		return strconv.FormatFloat(*d.Rate, 'f', 1, 64) + "/s"
	}
	return strconv.FormatFloat(*d.Rate, 'f', 2, 64) + "/s"
}

// showSize writes a number of octets.
func showSize(n *float64) string {
	if n == nil {
		return unknown
	}
	value, unit := *n, 0
	units := [...]string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	for value >= 1024 && unit < len(units)-1 {
		value, unit = value/1024, unit+1
	}
	digits := 1
	if unit == 0 || value >= 100 {
		digits = 0
	}
	return strconv.FormatFloat(value, 'f', digits, 64) + " " + units[unit]
}

// showFlow writes octets in a second.
func showFlow(d *details) string {
	if d == nil || d.Rate == nil {
		return unknown
	}
	return showSize(d.Rate) + "/s"
}

// showPort writes a number that is none of things.
func showPort(n *float64) string {
	if n == nil {
		return unknown
	}
	return strconv.FormatFloat(*n, 'f', 0, 64)
}

func isText(v any) bool {
	_, ok := v.(string)
	return ok
}

// showLines writes an object as parseArguments reads it.
func showLines(all map[string]any) (string, error) {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		value := all[name]
		if text, ok := value.(string); ok && plainLine(text) {
			fmt.Fprintf(&b, "%s = %s\n", name, text)
			continue
		}
		text, err := json.Marshal(value)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%s = %s\n", name, text)
	}
	return b.String(), nil
}

// showPlain writes a text as it is, and other values as JSON.
func showPlain(v any) (string, error) {
	if text, ok := v.(string); ok {
		return text, nil
	}
	return showJSON(v)
}

// plainLine reports whether a line with the text is read as the text.
func plainLine(text string) bool {
	return parseValue(text) == any(text) && strings.TrimSpace(text) == text &&
		!strings.ContainsAny(text, "\r\n")
}

// series writes names and figures for a chart, which scripts draw.
func series(pairs ...any) (string, error) {
	all := [][2]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if n, ok := pairs[i+1].(*float64); ok && n != nil {
			all = append(all, [2]any{pairs[i], *n})
		}
	}
	text, err := json.Marshal(all)
	return string(text), err
}

// grows is how often something happens in a second, for series.
func grows(d *details) *float64 {
	if d == nil {
		return nil
	}
	return d.Rate
}

// secretURI are the credentials in an address of a broker.
var secretURI = regexp.MustCompile(`(amqps?://)[^@/"\s]*@`)

// showValue writes the value of a parameter, without the passwords in addresses.
func showValue(v any) (string, error) {
	text, err := showJSON(v)
	return secretURI.ReplaceAllString(text, "${1}…@"), err
}

// showJSON writes a value for people.
func showJSON(v any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return "", err
	}
	return strings.TrimSpace(b.String()), nil
}

// showMoment writes a time that the API gives in milliseconds.
func showMoment(ms *float64) string {
	if ms == nil || *ms <= 0 {
		return unknown
	}
	return time.UnixMilli(int64(*ms)).UTC().Format("2006-01-02 15:04:05 UTC")
}

// showSince writes a time as the API writes them, or what else there is.
func showSince(text string) string {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return text
	}
	return at.UTC().Format("2006-01-02 15:04:05 UTC")
}

// showLasting writes a duration in milliseconds.
func showLasting(ms *float64) string {
	if ms == nil {
		return unknown
	}
	d := time.Duration(*ms) * time.Millisecond
	const day = 24 * time.Hour
	switch {
	case d >= day:
		return fmt.Sprintf("%d d %d h", d/day, d%day/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%d s", d/time.Second)
}

// link makes a link of a path, names and values of its query, and those alone that are not
// empty.
func link(path string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// exchangeName is how the exchange without a name is called.
func exchangeName(name string) string {
	if name == "" {
		return "(AMQP default)"
	}
	return name
}

// short cuts a long text for a table.
func short(text string) string {
	const most = 200
	list := []rune(text)
	if len(list) <= most {
		return text
	}
	return string(list[:most]) + "…"
}

// formValue is what a form was sent with, or else what it is to show at first.
func formValue(v *view, name, first string) string {
	if v.Form.Has(name) {
		return v.Form.Get(name)
	}
	return first
}
