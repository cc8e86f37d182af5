package ui

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// pageSize is how many lines a page shows unless it is told otherwise.
const pageSize = 50

// listing is one page of a list of the API.
type listing[T any] struct {
	Items         []T
	Page          int
	PageCount     int `json:"page_count"`
	PageSize      int `json:"page_size"`
	TotalCount    int `json:"total_count"`
	FilteredCount int `json:"filtered_count"`

	turner
}

// Before is the number of the page before.
func (l *listing[T]) Before() int { return l.Page - 1 }

// After is the number of the next page.
func (l *listing[T]) After() int { return l.Page + 1 }

// turner makes the links of a list.
type turner struct {
	path   string
	query  url.Values
	Vhosts []string // to choose from
}

// Vhost is the virtual host that was chosen.
func (t turner) Vhost() string { return t.query.Get("vhost") }

// Name is the filter.
func (t turner) Name() string { return t.query.Get("name") }

// Regex reports whether the filter is a regular expression.
func (t turner) Regex() bool { return t.query.Get("use_regex") == "true" }

// Size is how many lines were asked for.
func (t turner) Size() string { return t.query.Get("page_size") }

// Turn is the link to another page.
func (t turner) Turn(page int) string {
	q := t.copied()
	q.Set("page", strconv.Itoa(page))
	return t.path + "?" + q.Encode()
}

func (t turner) copied() url.Values {
	q := url.Values{}
	for k, list := range t.query {
		q[k] = slices.Clone(list)
	}
	return q
}

// column is the head of a column that the list can be sorted by.
type column struct {
	Label, Link string
	Number      bool
	Order       string // ascending, descending or none
}

// By is the head of a column: a click sorts by it, another one the other way round.
func (t turner) By(field, label string) column {
	q := t.copied()
	q.Del("page")
	c := column{Label: label, Order: "none"}
	if q.Get("sort") == field {
		c.Order = "ascending"
		if q.Get("sort_reverse") == "true" {
			c.Order = "descending"
		}
	}
	q.Set("sort", field)
	q.Del("sort_reverse")
	if c.Order == "ascending" {
		q.Set("sort_reverse", "true")
	}
	c.Link = t.path + "?" + q.Encode()
	return c
}

// Count is By for figures.
func (t turner) Count(field, label string) column {
	c := t.By(field, label)
	c.Number = true
	return c
}

// Hidden are the values of the query that a new filter keeps.
func (t turner) Hidden() map[string]string {
	kept := map[string]string{}
	for _, name := range []string{"sort", "sort_reverse"} {
		if v := t.query.Get(name); v != "" {
			kept[name] = v
		}
	}
	return kept
}

// turner reads what a list is asked for.
func (v *visit) turner() turner {
	t := turner{path: v.r.URL.Path, query: url.Values{}}
	given := v.r.URL.Query()
	for _, name := range []string{
		"vhost", "name", "use_regex", "sort", "sort_reverse", "page", "page_size",
	} {
		if x := given.Get(name); x != "" {
			t.query.Set(name, x)
		}
	}
	return t
}

// listed asks the API for one page of a list: all of it, or a virtual host's.
func listed[T any](v *visit, of string) (*listing[T], error) {
	return listedAt[T](v, func(vhost string) string {
		if vhost == "" {
			return path(of)
		}
		return path(of, vhost)
	})
}

// listedAt is listed for lists that are at the paths that fn gives.
func listedAt[T any](v *visit, fn func(vhost string) string) (*listing[T], error) {
	l := &listing[T]{turner: v.turner()}
	q := l.copied()
	q.Del("vhost")
	if q.Get("page") == "" {
		q.Set("page", "1")
	}
	if q.Get("page_size") == "" {
		q.Set("page_size", strconv.Itoa(pageSize))
	}
	var err error
	if l.Vhosts, err = v.vhosts(); err != nil {
		return nil, err
	}
	if err := v.get(fn(l.Vhost()), q, l); err != nil {
		if v.notice == nil { // a wrong filter, or a page that is not there any more
			v.fails(err)
		}
		l.Items, l.Page, l.PageCount = nil, 1, 1
	}
	return l, nil
}

// slice shows one page of a list that the API gives whole.
func slice[T any](v *visit, all []T, name func(T) string) *listing[T] {
	l := &listing[T]{turner: v.turner(), TotalCount: len(all)}
	filter := strings.ToLower(l.Name())
	all = slices.DeleteFunc(all, func(x T) bool {
		return !strings.Contains(strings.ToLower(name(x)), filter)
	})
	l.FilteredCount, l.PageSize = len(all), pageSize
	if n, err := strconv.Atoi(l.Size()); err == nil && n > 0 {
		l.PageSize = min(n, 500)
	}
	l.PageCount = max(1, (len(all)+l.PageSize-1)/l.PageSize)
	l.Page = 1
	if n, err := strconv.Atoi(l.query.Get("page")); err == nil {
		l.Page = max(1, min(n, l.PageCount))
	}
	first := (l.Page - 1) * l.PageSize
	l.Items = all[first:min(first+l.PageSize, len(all))]
	return l
}

// vhosts gives the names of the virtual hosts that the user sees.
func (v *visit) vhosts() ([]string, error) {
	var all []struct{ Name string }
	err := v.get(path("vhosts"), url.Values{"columns": {"name"}}, &all)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(all))
	for i, x := range all {
		names[i] = x.Name
	}
	return names, nil
}
