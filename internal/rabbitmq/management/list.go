package management

import (
	"cmp"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// object is what an answer shows of one thing.
type object = map[string]any

// Bounds of pages and of what is asked of them.
const (
	defaultPageSize = 100
	maxPageSize     = 500
	maxPattern      = 1000 // octets of a name filter
	maxColumns      = 1000
)

// page is what of a list is asked for.
type page struct {
	number, size int
	name         string
	pattern      *regexp.Regexp // nil: name is plain
}

// list answers with objects in the order of the fields, or of the query.
func (c *call) list(all []object, order ...string) error {
	return c.answer.json(http.StatusOK, c.columns(c.sorted(all, order)))
}

// pages is list for things that RabbitMQ gives in pages, if it is asked to.
func (c *call) pages(all []object, order ...string) error {
	p, err := c.page()
	if err != nil {
		return err
	}
	if p == nil {
		return c.list(all, order...)
	}
	kept := slices.DeleteFunc(slices.Clone(all), func(o object) bool { return !p.keeps(o) })
	first, last, count, err := p.bounds(len(kept))
	if err != nil {
		return err
	}
	items := c.columns(c.sorted(kept, order)[first:last])
	return c.answer.json(http.StatusOK, p.envelope(len(all), len(kept), count, items))
}

// bounds gives where the page begins and ends among n things, and the number of pages.
func (p *page) bounds(n int) (first, last, count int, err error) {
	count = (n + p.size - 1) / p.size
	if p.number > max(count, 1) {
		return 0, 0, 0, &failure{http.StatusBadRequest, "page_out_of_range", fmt.Sprintf(
			"Page out of range, page: %d page size: %d, len: %d", p.number, p.size, n)}
	}
	first = (p.number - 1) * p.size
	return first, min(first+p.size, n), count, nil
}

// envelope is how a page is answered.
func (p *page) envelope(total, filtered, count int, items []object) object {
	return object{
		"total_count": total, "filtered_count": filtered, "item_count": len(items),
		"page": p.number, "page_size": p.size, "page_count": count, "items": items,
	}
}

// one answers with a single object.
func (c *call) one(o object) error {
	return c.answer.json(http.StatusOK, c.columns([]object{o})[0])
}

// page reads the query; nil: the whole list is asked for.
func (c *call) page() (*page, error) {
	if !c.query.Has("page") {
		return nil, nil
	}
	number, err := strconv.Atoi(c.query.Get("page"))
	if err != nil {
		return nil, badRequest("Pagination parameters are invalid")
	}
	p := &page{number: number, size: defaultPageSize, name: c.query.Get("name")}
	shown := "undefined"
	if shown = c.query.Get("page_size"); shown == "" {
		shown = "undefined"
	} else if p.size, err = strconv.Atoi(shown); err != nil {
		return nil, badRequest("Pagination parameters are invalid")
	}
	if p.number < 1 || p.size < 1 || p.size > maxPageSize {
		return nil, &failure{http.StatusBadRequest, "invalid_pagination_parameters", fmt.Sprintf(
			"Invalid pagination parameters: page number %d, page size %s", p.number, shown)}
	}
	if len(p.name) > maxPattern {
		return nil, badRequest("Pagination parameters are invalid")
	}
	if c.query.Get("use_regex") == "true" && p.name != "" {
		if p.pattern, err = regexp.Compile("(?i)" + p.name); err != nil {
			return nil, badRequest("Pagination parameters are invalid")
		}
	}
	p.name = strings.ToLower(p.name)
	return p, nil
}

// keeps reports whether the filter lets an object through.
func (p *page) keeps(o object) bool {
	name, _ := o["name"].(string)
	return p.fits(name)
}

func (p *page) fits(name string) bool {
	if p.pattern != nil {
		return p.pattern.MatchString(name)
	}
	return strings.Contains(strings.ToLower(name), p.name)
}

// sorted orders a list by the query's sort, else by the fields named.
func (c *call) sorted(all []object, order []string) []object {
	all = slices.Clone(all)
	paths := make([][]string, len(order))
	for i, name := range order {
		paths[i] = strings.Split(name, ".")
	}
	slices.SortStableFunc(all, func(a, b object) int {
		for _, path := range paths {
			if n := compare(field(a, path), field(b, path)); n != 0 {
				return n
			}
		}
		return 0
	})
	if by := c.query.Get("sort"); by != "" {
		path := strings.Split(by, ".")
		slices.SortStableFunc(all, func(a, b object) int {
			return compare(field(a, path), field(b, path))
		})
	}
	if c.query.Get("sort_reverse") == "true" {
		slices.Reverse(all)
	}
	return all
}

// field follows a dotted name.
func field(v any, path []string) any {
	for _, name := range path {
		o, ok := v.(object)
		if !ok {
			return nil
		}
		v = o[name]
	}
	return v
}

// compare orders what fields hold: what is missing, then numbers, then texts.
func compare(a, b any) int {
	x, xIsNumber := number(a)
	y, yIsNumber := number(b)
	if xIsNumber && yIsNumber {
		return cmp.Compare(x, y)
	}
	return strings.Compare(rank(a)+text(a), rank(b)+text(b))
}

func rank(v any) string {
	if v == nil {
		return "0"
	}
	if _, ok := number(v); ok {
		return "1"
	}
	return "2"
}

func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	return fmt.Sprint(v)
}

func number(v any) (float64, bool) {
	switch n := v.(type) {
	case int:
		return float64(n), true
	case int64:
		return float64(n), true
	case uint64:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}

// columns leaves of each object what the query names: "name", "arguments.x-max-length".
func (c *call) columns(all []object) []object {
	asked := c.query.Get("columns")
	if asked == "" {
		if all == nil {
			all = []object{}
		}
		return all
	}
	names := strings.SplitN(asked, ",", maxColumns+1)
	names = names[:min(len(names), maxColumns)]
	out := make([]object, 0, len(all))
	for _, o := range all {
		kept := object{}
		for _, name := range names {
			keep(kept, o, strings.Split(name, "."))
		}
		out = append(out, kept)
	}
	return out
}

// keep copies what a dotted name leads to, if it is there.
func keep(to, from object, path []string) {
	v, ok := from[path[0]]
	if !ok {
		return
	}
	if len(path) == 1 {
		to[path[0]] = v
		return
	}
	inner, ok := v.(object)
	if !ok {
		return
	}
	kept, ok := to[path[0]].(object)
	if !ok {
		kept = object{}
		to[path[0]] = kept
	}
	keep(kept, inner, path[1:])
}
