package management

import (
	"bufio"
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// lazy is a thing of a list of which there may be very many: its fields are made when
// they are written, so that the list never is in memory as a whole.
type lazy struct {
	vhost, name string
	make        func() (object, error)
}

// lazyPages is pages for lazy things, in the order of virtual host and name. Sorted by
// anything else all of them have to be made first.
func (c *call) lazyPages(all []lazy) error {
	byName, by := false, c.query.Get("sort")
	switch by {
	case "", "vhost":
	case "name":
		byName = true
	default:
		return c.makeAll(all)
	}
	slices.SortFunc(all, func(a, b lazy) int {
		vhosts, names := strings.Compare(a.vhost, b.vhost), strings.Compare(a.name, b.name)
		if byName {
			return cmp.Or(names, vhosts)
		}
		return cmp.Or(vhosts, names)
	})
	if c.query.Get("sort_reverse") == "true" {
		slices.Reverse(all)
	}
	p, err := c.page()
	if err != nil {
		return err
	}
	if p == nil {
		return c.stream(all)
	}
	kept := slices.DeleteFunc(slices.Clone(all), func(l lazy) bool { return !p.fits(l.name) })
	first, last, count, err := p.bounds(len(kept))
	if err != nil {
		return err
	}
	items := []object{}
	for _, l := range kept[first:last] {
		o, err := l.make()
		if err != nil {
			return err
		}
		items = append(items, o)
	}
	return c.answer.json(http.StatusOK, p.envelope(len(all), len(kept), count, c.columns(items)))
}

// makeAll is lazyPages for what has to be made to be sorted.
func (c *call) makeAll(all []lazy) error {
	list := make([]object, 0, len(all))
	for _, l := range all {
		o, err := l.make()
		if err != nil {
			return err
		}
		list = append(list, o)
	}
	return c.pages(list, "vhost", "name")
}

// streamBuffer is how much of a list is gathered before it is sent, in octets.
const streamBuffer = 64 << 10

// stream answers with a list, one thing after the other. Once some of it was sent an
// error can only break it off, which the client notices.
func (c *call) stream(all []lazy) error {
	c.answer.w.Header().Set("Content-Type", "application/json")
	w := bufio.NewWriterSize(c.answer.w, streamBuffer)
	c.answer.code = http.StatusOK
	w.WriteByte('[') // errors of w stay until Flush
	for i, l := range all {
		text, err := c.line(l)
		if err != nil {
			c.h.cfg.Logger.Error("management request failed", "request", c.serial,
				"route", c.route, "error", err)
			panic(http.ErrAbortHandler)
		}
		if i > 0 {
			w.WriteByte(',')
		}
		if _, err := w.Write(text); err != nil {
			return errGone
		}
	}
	w.WriteByte(']')
	if w.Flush() != nil {
		return errGone
	}
	return nil
}

// line is the JSON of one thing.
func (c *call) line(l lazy) ([]byte, error) {
	o, err := l.make()
	if err != nil {
		return nil, err
	}
	return json.Marshal(c.columns([]object{o})[0])
}
