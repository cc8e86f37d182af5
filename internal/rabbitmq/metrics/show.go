package metrics

// metric is one name of a family, and its value of an object of some kind.
type metric[T any] struct {
	name string // without prefix
	kind kind
	help string
	of   func(*T) float64
}

// family is a group of metrics that the detailed endpoint shows together.
type family[T any] struct {
	name string
	// only is set for what only the detailed endpoint shows.
	only    bool
	metrics []metric[T]
}

// show adds families of the objects in rows, each with its labels, or their sums.
func show[T any](t *text, v *view, rows []T, labels func(*T) string, list []family[T]) {
	for i := range list {
		f := &list[i]
		if v.families != nil && !v.families[f.name] || v.families == nil && f.only {
			continue
		}
		for j := range f.metrics {
			m := &f.metrics[j]
			name := v.prefix + m.name
			t.begin(name, m.kind, m.help)
			if v.each {
				for k := range rows {
					t.sample(name, labels(&rows[k]), m.of(&rows[k]))
				}
				continue
			}
			sum := 0.0
			for k := range rows {
				sum += m.of(&rows[k])
			}
			t.sample(name, "", sum)
		}
	}
}

// wants reports whether one of the families is to be shown.
func wants[T any](v *view, list []family[T]) bool {
	if v.families == nil {
		return true
	}
	for _, f := range list {
		if v.families[f.name] {
			return true
		}
	}
	return false
}
