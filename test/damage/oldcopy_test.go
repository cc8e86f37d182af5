package damage

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// passing tells which files are made anew by each start, or have no content.
func passing(name string) bool {
	base := filepath.Base(name)
	return base == "LOCK" || base == "RESERVE" || base == "endpoints.json" || base == "ca.pem"
}

// TestOldCopies puts each file back as it was at an earlier point of the life of
// the directory, alone: in the place of the present one, or under a name that is
// gone by now.
func TestOldCopies(t *testing.T) {
	t.Parallel()
	w := &world{t: t}
	w.cert, w.key = pair(t)
	dir := filepath.Join(t.TempDir(), "data")
	var past []map[string]string
	look := func() { past = append(past, tree(t, dir)) }
	for range 3 {
		w.fill(dir, 30, look)
		look()
	}
	var killed map[string]string
	w.fill(dir, 30, look)
	w.fill(dir, 30, func() { killed = tree(t, dir) })
	tried := map[string]int{}
	for state, whole := range map[string]map[string]string{"stop": tree(t, dir), "kill": killed} {
		had := map[string][]string{}
		for _, files := range past {
			for name, text := range files {
				now, there := whole[name]
				if !passing(name) && !(there && now == text) && !slices.Contains(had[name], text) {
					had[name] = append(had[name], text)
				}
			}
		}
		for _, name := range slices.Sorted(maps.Keys(had)) {
			for _, text := range had[name] {
				how := "added"
				if _, there := whole[name]; there {
					how = "replaced"
				}
				o := w.try(t, whole, name, &text)
				judge(t, name, how+" by an old copy after a "+state, o)
				start, _, _ := strings.Cut(o.start, ":")
				kind := filepath.Ext(name)
				if base := filepath.Base(name); kind == "" || !strings.Contains("..log.sst", kind) {
					kind, _, _ = strings.Cut(base, "-")
				}
				tried[how+" "+kind+" "+start]++
			}
		}
	}
	t.Log(tried)
	for _, kind := range []string{
		"replaced FLOOR refused", "added .log served", "added .sst served", "added MANIFEST served",
	} {
		if tried[kind] == 0 {
			t.Errorf("never: %s", kind)
		}
	}
}
