package management

import (
	"encoding/json"
	"net/url"
	"testing"
	"time"
)

// toldSamples answer for one figure, and note what they were asked.
type toldSamples struct {
	of        Sampled
	figure    string
	age, step time.Duration
}

func (s *toldSamples) Rate(of Sampled, figure string) (float64, bool) {
	return 2.5, of == s.of && figure == s.figure
}

func (s *toldSamples) History(of Sampled, figure string, age, step time.Duration) (History, bool) {
	s.age, s.step = age, step
	return History{AvgRate: 1, Avg: 3, Samples: []Sample{{4, 5000}}},
		of == s.of && figure == s.figure
}

// TestDetails: a counter has its rate, and samples when the query asks for its kind.
func TestDetails(t *testing.T) {
	t.Parallel()
	const rate, all = `{"rate":2.5}`,
		`{"avg":3,"avg_rate":1,"rate":2.5,"samples":[{"sample":4,"timestamp":5000}]}`
	for _, row := range []struct {
		key    string
		of     Sampled
		figure string
		query  string
		want   string
	}{
		{"queue a b\x00c", Sampled{"queue", "a b", "c"}, "publish", "", rate},
		{"exchange /\x00", Sampled{"exchange", "/", ""}, "publish_in",
			"msg_rates_age=60&msg_rates_incr=5", all},
		{"queue /\x00q", Sampled{"queue", "/", "q"}, "messages_ready",
			"lengths_age=60&lengths_incr=5", all},
		{"queue /\x00q", Sampled{"queue", "/", "q"}, "messages_ready",
			"msg_rates_age=60&msg_rates_incr=5", rate},
		{"queue /\x00q", Sampled{"queue", "/", "q"}, "messages",
			"lengths_age=60&lengths_incr=x", rate},
		{"queue /\x00q", Sampled{"queue", "/", "q"}, "messages",
			"lengths_age=-60&lengths_incr=5", rate},
		{"queue /\x00q", Sampled{"queue", "/", "q"}, "messages",
			"lengths_age=99999999999999999999&lengths_incr=5", rate},
		{"connection c -> d", Sampled{"connection", "", "c -> d"}, "recv_oct",
			"data_rates_age=60&data_rates_incr=5", all},
		{"channel c -> d (1)", Sampled{"channel", "", "c -> d (1)"}, "ack",
			"msg_rates_age=60&msg_rates_incr=5", all},
		{"vhost /", Sampled{"vhost", "/", ""}, "messages", "lengths_age=60&lengths_incr=5", all},
		{"overview", Sampled{"overview", "", ""}, "publish", "", rate},
		{"churn", Sampled{"overview", "", ""}, "queue_declared", "", rate},
		{"node", Sampled{"overview", "", ""}, "channel_created",
			"node_stats_age=60&node_stats_incr=5", all},
	} {
		s := &toldSamples{of: row.of, figure: row.figure}
		query, err := url.ParseQuery(row.query)
		if err != nil {
			t.Fatal(err)
		}
		c := &call{h: &Handler{cfg: Config{Samples: s, Now: time.Now}}, query: query}
		got, err := json.Marshal(c.details(row.key, row.figure, 7))
		if err != nil || string(got) != row.want {
			t.Errorf("%q %s %s: %s %v", row.key, row.figure, row.query, got, err)
		}
		if row.want == all && (s.age != time.Minute || s.step != 5*time.Second) {
			t.Errorf("%v %v", s.age, s.step)
		}
		d := c.details("other thing", "publish", 7)
		list, ok := d["samples"].([]object)
		if d["rate"] != 0.0 || ok && list[0]["sample"] != int64(7) {
			t.Errorf("nobody knows, but %v", d)
		}
	}
}
