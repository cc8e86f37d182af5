package watch

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// board is what of Grafana's dashboard model matters to a reader.
//
// Source: Grafana documentation, "Dashboard JSON model".
type board struct {
	Title, UID    string
	SchemaVersion int `json:"schemaVersion"`
	Time          struct{ From, To string }
	Templating    struct{ List []struct{ Name, Type string } }
	Panels        []panel
}

type panel struct {
	ID          int
	Type, Title string
	Datasource  source
	GridPos     struct{ H, W, X, Y int } `json:"gridPos"`
	Targets     []struct {
		RefID      string `json:"refId"`
		Expr       string
		Datasource source
	}
	FieldConfig struct {
		Defaults struct{ Unit string }
	} `json:"fieldConfig"`
}

type source struct{ Type, UID string }

func dashboard(t *testing.T) *board {
	t.Helper()
	b := &board{}
	read(t, dashboardFile, json.Unmarshal, b)
	return b
}

// units are those of Grafana that are used.
var units = []string{"none", "ops", "s", "bytes", "Bps", "percentunit"}

// TestDashboard: the dashboard is one that Grafana can load: panels with ids of their own,
// side by side, that ask the data source which the user chooses.
func TestDashboard(t *testing.T) {
	t.Parallel()
	b := dashboard(t)
	if b.Title == "" || b.UID == "" || b.SchemaVersion < 36 || b.Time.From == "" {
		t.Errorf("got %+v", b)
	}
	var vars []string
	for _, v := range b.Templating.List {
		vars = append(vars, v.Name+" "+v.Type)
	}
	if !slices.Equal(vars, []string{"datasource datasource", "job query", "instance query"}) {
		t.Errorf("variables %v", vars)
	}
	chosen := source{"prometheus", "${datasource}"}
	ids, cells := map[int]bool{}, map[[2]int]string{}
	for _, p := range b.Panels {
		if ids[p.ID] || p.ID == 0 || p.Title == "" {
			t.Errorf("panel %d %q: no title or an id that another one has", p.ID, p.Title)
		}
		ids[p.ID] = true
		g := p.GridPos
		if g.W < 1 || g.H < 1 || g.X < 0 || g.X+g.W > 24 {
			t.Errorf("%s lies at %+v", p.Title, g)
		}
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other := cells[[2]int{x, y}]; other != "" {
					t.Fatalf("%s lies on %s", p.Title, other)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if p.Type != "timeseries" && p.Type != "stat" || len(p.Targets) == 0 ||
			p.Datasource != chosen || !slices.Contains(units, p.FieldConfig.Defaults.Unit) {
			t.Errorf("%s: %+v", p.Title, p)
		}
		for i, target := range p.Targets {
			if target.RefID != string(rune('A'+i)) || target.Datasource != chosen ||
				!strings.Contains(target.Expr, `{job="$job",instance=~"$instance"`) {
				t.Errorf("%s: %+v", p.Title, target)
			}
		}
	}
}
