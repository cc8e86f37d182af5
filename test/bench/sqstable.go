package bench

import (
	"fmt"
	"strings"

	"coffer/internal/bench"
)

// An sqsRow is one figure of one shape: the medians.
type sqsRow struct {
	shape, unit                   string
	want                          sqsWant
	null, moto, elasticMQ, coffer float64
}

// sqsRows takes the wanted figures out of results of moto, ElasticMQ and Coffer, and of
// the null server.
func sqsRows(s *sqsShape, results [][]*bench.Result, null *bench.Result) (rows []sqsRow) {
	for _, w := range s.wants {
		for _, f := range bench.Figures() {
			if f.Name != w.figure {
				continue
			}
			row := sqsRow{shape: s.name, unit: f.Unit, want: w, null: f.Of(null)}
			for i, to := range []*float64{&row.moto, &row.elasticMQ, &row.coffer} {
				*to = bench.Median(results[i], &f)
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// verdict says what was wanted, and whether it was kept.
func (r *sqsRow) verdict() (wanted, kept string) {
	w, ok := &r.want, true
	var list []string
	say := func(format string, value float64, met bool) {
		list, ok = append(list, fmt.Sprintf(format, number(value))), ok && met
	}
	if w.least > 0 {
		say("at least %s times ElasticMQ", w.least, r.coffer >= w.least*r.elasticMQ)
	}
	if w.leastMoto > 0 {
		say("at least %s times moto", w.leastMoto, r.coffer >= w.leastMoto*r.moto)
	}
	if w.most > 0 {
		say("at most %s of ElasticMQ", w.most, r.coffer <= w.most*r.elasticMQ)
	}
	if w.by > 0 {
		say("at most %s", w.by, r.coffer <= w.by)
	}
	if len(list) == 0 {
		return "", ""
	}
	return strings.Join(list, ", "), map[bool]string{true: "kept", false: "**missed**"}[ok]
}

// sqsMarkdown is the table of all rows.
func sqsMarkdown(rows []sqsRow) string {
	var b strings.Builder
	b.WriteString("| load | figure | null server | moto | ElasticMQ | Coffer | " +
		"Coffer / ElasticMQ | wanted | |\n" +
		"| --- | --- | ---: | ---: | ---: | ---: | ---: | --- | --- |\n")
	for _, r := range rows {
		ratio := ""
		if r.elasticMQ > 0 {
			ratio = number(r.coffer / r.elasticMQ)
		}
		wanted, kept := r.verdict()
		fmt.Fprintf(&b, "| %s | %s, %s | %s | %s | %s | %s | %s | %s | %s |\n", r.shape,
			sqsNames(r.want.figure), r.unit, number(r.null), number(r.moto), number(r.elasticMQ),
			number(r.coffer), ratio, wanted, kept)
	}
	return b.String()
}

// sqsNames says figures in SQS's words.
func sqsNames(figure string) string {
	for _, n := range [][2]string{
		{"confirmed", "sent"}, {"drained", "received and deleted"},
		{"broker CPU, drain", "server CPU, receive and delete"},
		{"broker CPU", "server CPU, send"}, {"confirm ", "send "},
		{"wake ", "from the send's answer to the receiver, "},
	} {
		if strings.HasPrefix(figure, n[0]) {
			return n[1] + strings.TrimPrefix(figure, n[0])
		}
	}
	return figure
}
