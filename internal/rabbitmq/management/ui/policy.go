package ui

import (
	"encoding/json"
	"net/http"
)

// policy is what the API shows of a policy.
type policy struct {
	Vhost, Name, Pattern string
	ApplyTo              string `json:"apply-to"`
	Definition           map[string]any
	Priority             json.Number
}

// policiesPage is what the lists of policies show.
type policiesPage struct {
	Policies  []policy
	Operators []policy
	Vhosts    []string
	Vhost     string
	Edited    *policy // nil: a new one is made
	Now       policy  // what the form shows at first
	Lines     string  // its definition
	Operator  bool    // is an operator policy
}

func showPolicies(v *visit) error {
	var p policiesPage
	if err := v.get(path("policies"), nil, &p.Policies); err != nil {
		return err
	}
	if err := v.get(path("operator-policies"), nil, &p.Operators); err != nil {
		return err
	}
	var err error
	if p.Vhosts, err = v.vhosts(); err != nil {
		return err
	}
	p.Operator = v.field("operator") == "true"
	from := p.Policies
	if p.Operator {
		from = p.Operators
	}
	for i := range from {
		if from[i].Name == v.field("name") && from[i].Vhost == v.field("vhost") {
			p.Edited = &from[i]
		}
	}
	p.Now = policy{Vhost: "/", ApplyTo: "all", Priority: "0"}
	if p.Edited != nil {
		p.Now = *p.Edited
	}
	if p.Lines, err = showLines(p.Now.Definition); err != nil {
		return err
	}
	return v.show("policies", "Policies", &p)
}

func (v *visit) policyPath() string {
	if v.field("operator") == "true" {
		return path("operator-policies", v.field("vhost"), v.field("name"))
	}
	return path("policies", v.field("vhost"), v.field("name"))
}

func putPolicy(v *visit) error {
	definition, err := parseArguments(v.field("definition"))
	if err != nil {
		return err
	}
	priority := v.field("priority")
	if priority == "" {
		priority = "0"
	}
	if !json.Valid([]byte(priority)) {
		return wrong("The priority is a whole number.")
	}
	err = v.change(http.MethodPut, v.policyPath(), map[string]any{
		"pattern": v.field("pattern"), "apply-to": v.field("apply-to"),
		"definition": definition, "priority": json.Number(priority),
	}, nil)
	if err != nil {
		return err
	}
	return v.done("/policies", "Policy %q is saved.", v.field("name"))
}

func deletePolicy(v *visit) error {
	if err := v.change(http.MethodDelete, v.policyPath(), nil, nil); err != nil {
		return err
	}
	return v.done("/policies", "Policy %q is deleted.", v.field("name"))
}
