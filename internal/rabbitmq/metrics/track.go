package metrics

import (
	"slices"
	"sort"
	"time"
)

// track is what one object had at some times. A sample is kept only when it is another
// one than that before it: most queues do nothing most of the time.
type track struct {
	width  int
	first  int64   // time of the first sample, kept or not
	last   int64   // of the latest; what is kept last still held then
	before int64   // of the one before it; 0: there is none
	times  []int64 // of those kept, in milliseconds since 1970
	values []int64 // width of each
	round  uint64  // in which it was seen last
}

// add notes a sample; depth bounds how many are kept.
func (k *track) add(at int64, sample []int64, depth int) {
	if len(k.times) == 0 {
		k.first = at
	}
	k.before, k.last = k.last, at
	if n := len(k.times); n > 0 && slices.Equal(k.row(n-1), sample) {
		return
	}
	most := depth + depth/4 // so that not every sample moves the others
	if len(k.times) >= most {
		drop := len(k.times) - depth + 1
		k.resize(drop, most)
		k.first = k.times[0]
	} else if len(k.times) == cap(k.times) {
		k.resize(0, min(2*len(k.times)+1, most))
	}
	k.times = append(k.times, at)
	k.values = append(k.values, sample...)
}

// resize drops the first samples and makes room for so many in all. Memory that is
// there already is used when it is not too much.
func (k *track) resize(drop, size int) {
	times, values := k.times[:0], k.values[:0]
	if cap(times) != size {
		times, values = make([]int64, 0, size), make([]int64, 0, size*k.width)
	}
	k.times = append(times, k.times[drop:]...)
	k.values = append(values, k.values[drop*k.width:]...)
}

func (k *track) row(i int) []int64 { return k.values[i*k.width : (i+1)*k.width] }

// at gives what the object had at a time; ok is false when that is not known.
func (k *track) at(time int64) (row []int64, ok bool) {
	if len(k.times) == 0 || time < k.first {
		return nil, false
	}
	i := sort.Search(len(k.times), func(i int) bool { return k.times[i] > time })
	return k.row(i - 1), true
}

// rate gives the change of a figure in a second, between the last two samples.
func (k *track) rate(figure int) float64 {
	before, ok := k.at(k.before)
	if !ok {
		return 0
	}
	now := k.row(len(k.times) - 1)
	return float64(now[figure]-before[figure]) * 1000 / float64(k.last-k.before)
}

// Point is what a figure was at a time.
type Point struct {
	Time  time.Time
	Value int64
}

// History is a figure over some time, as RabbitMQ's management API shows it.
type History struct {
	Rate    float64 // in a second, between the last two samples
	AvgRate float64 // the same, over all samples
	Avg     float64 // of the samples
	Samples []Point // the newest first
}

// maxPoints bounds the samples of one answer.
const maxPoints = 4096

// history gives samples that lie step apart, as far back as age.
func (k *track) history(figure int, age, step int64) (h History) {
	if len(k.times) == 0 {
		return h
	}
	h.Rate = k.rate(figure)
	sum := 0.0
	for t := k.last; t >= k.last-age && len(h.Samples) < maxPoints; t -= step {
		row, ok := k.at(t)
		if !ok {
			break
		}
		h.Samples = append(h.Samples, Point{time.UnixMilli(t), row[figure]})
		sum += float64(row[figure])
	}
	n := len(h.Samples)
	if h.Avg = sum / float64(n); n > 1 {
		newest, oldest := h.Samples[0], h.Samples[n-1]
		h.AvgRate = float64(newest.Value-oldest.Value) / newest.Time.Sub(oldest.Time).Seconds()
	}
	return h
}
