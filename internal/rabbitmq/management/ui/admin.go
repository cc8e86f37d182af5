package ui

import "net/http"

// showAdmin goes to the first page of the tab that the user may see.
func showAdmin(v *visit) error {
	var who view
	v.state(&who)
	to := "/vhosts"
	switch {
	case who.Admin():
		to = "/users"
	case who.Policymaker():
		to = "/policies"
	}
	http.Redirect(v.w, v.r, to, http.StatusSeeOther)
	return nil
}

// feature is what the API shows of a feature flag or a deprecated feature.
type feature struct {
	Name, Description, State, Stability string
	Desc, Phase                         string
	ProvidedBy                          string `json:"provided_by"`
}

// featuresPage is what the page of features and of the cluster shows.
type featuresPage struct {
	Cluster    string
	Flags      []feature
	Deprecated []feature
}

func showCluster(v *visit) error {
	var p featuresPage
	var name struct{ Name string }
	if err := v.get(path("cluster-name"), nil, &name); err != nil {
		return err
	}
	p.Cluster = name.Name
	if err := v.get(path("feature-flags"), nil, &p.Flags); err != nil {
		return err
	}
	if err := v.get(path("deprecated-features"), nil, &p.Deprecated); err != nil {
		return err
	}
	return v.show("cluster", "Cluster", &p)
}

func putClusterName(v *visit) error {
	err := v.change(http.MethodPut, path("cluster-name"),
		map[string]any{"name": v.field("name")}, nil)
	if err != nil {
		return err
	}
	return v.done("/cluster", "The name is saved.")
}
