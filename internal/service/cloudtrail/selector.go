package cloudtrail

import (
	"fmt"
	"slices"
	"strings"

	"coffer/internal/audit"
	api "coffer/internal/aws/api/cloudtrail"
)

// Categories of events that can be selected.
const (
	management = "Management"
	data       = "Data"
)

// maxConditions bounds the values of all selectors of a store, as AWS does.
const maxConditions = 500

// fields lists what a selector of a category may ask for; true: with any operator,
// false: only whether it equals something.
var fields = map[string]map[string]bool{
	management: {"eventCategory": false, "readOnly": false, "eventSource": true,
		"eventName": true, "eventType": true, "userIdentity.arn": true,
		"sessionCredentialFromConsole": false},
	data: {"eventCategory": false, "readOnly": false, "eventName": true,
		"resources.type": false, "resources.ARN": true, "eventSource": true},
}

// everyManagement is what a store selects that says nothing.
var everyManagement = []api.AdvancedEventSelector{{
	Name: "Default management events",
	FieldSelectors: []api.AdvancedFieldSelector{
		{Field: "eventCategory", Equals: []string{management}}},
}}

func badSelector(format string, args ...any) error {
	return &api.InvalidEventSelectorsException{Message: fmt.Sprintf(format, args...)}
}

// checkSelectors refuses selectors that AWS would, and those of events that Coffer
// never has.
//
// Source: CloudTrail API Reference, AdvancedEventSelector, AdvancedFieldSelector
func checkSelectors(list []api.AdvancedEventSelector) error {
	conditions := 0
	for _, s := range list {
		category, seen := "", map[string]bool{}
		for _, f := range s.FieldSelectors {
			if seen[f.Field] {
				return badSelector("The field %s is there more than once in one selector.", f.Field)
			}
			seen[f.Field] = true
			if f.Field == "eventCategory" && len(f.Equals) == 1 {
				category = f.Equals[0]
			}
			conditions += len(f.Equals) + len(f.NotEquals) + len(f.StartsWith) +
				len(f.NotStartsWith) + len(f.EndsWith) + len(f.NotEndsWith)
		}
		allowed, ok := fields[category]
		if !ok {
			return badSelector("Each selector needs the field eventCategory, which equals " +
				"Management or Data; Coffer has no events of other categories.")
		}
		if err := checkFields(s.FieldSelectors, allowed, category); err != nil {
			return err
		}
		if category == data && !seen["resources.type"] {
			return badSelector("A selector of data events needs the field resources.type.")
		}
	}
	if conditions > maxConditions {
		return badSelector("The selectors have %d values, at most %d are allowed.", conditions,
			maxConditions)
	}
	return nil
}

func checkFields(list []api.AdvancedFieldSelector, allowed map[string]bool, category string) error {
	for _, f := range list {
		free, ok := allowed[f.Field]
		others := len(f.NotEquals) + len(f.StartsWith) + len(f.NotStartsWith) +
			len(f.EndsWith) + len(f.NotEndsWith)
		switch {
		case !ok:
			return badSelector("The field %s cannot select events of the category %s.", f.Field,
				category)
		case others+len(f.Equals) == 0:
			return badSelector("The field %s has no operator.", f.Field)
		case !free && (others > 0 || len(f.Equals) != 1):
			return badSelector("The field %s must equal one value.", f.Field)
		case f.Field == "readOnly" && f.Equals[0] != "true" && f.Equals[0] != "false":
			return badSelector("The field readOnly is true or false.")
		case f.Field == "resources.type" && f.Equals[0] != audit.TypeQueue &&
			f.Equals[0] != audit.TypeSQS:
			return badSelector("Coffer has data events of resources of the types %s and %s only.",
				audit.TypeQueue, audit.TypeSQS)
		}
	}
	return nil
}

// selects reports whether a selector selects a data event with these fields.
func selects(s *api.AdvancedEventSelector, event map[string]string) bool {
	for _, f := range s.FieldSelectors {
		v := event[f.Field]
		if !wanted(v, f.Equals, func(v, x string) bool { return v == x }) ||
			!wanted(v, f.StartsWith, strings.HasPrefix) ||
			!wanted(v, f.EndsWith, strings.HasSuffix) ||
			slices.Contains(f.NotEquals, v) ||
			unwanted(v, f.NotStartsWith, strings.HasPrefix) ||
			unwanted(v, f.NotEndsWith, strings.HasSuffix) {
			return false
		}
	}
	return true
}

func wanted(v string, list []string, fits func(v, x string) bool) bool {
	return len(list) == 0 || unwanted(v, list, fits)
}

func unwanted(v string, list []string, fits func(v, x string) bool) bool {
	return slices.ContainsFunc(list, func(x string) bool { return fits(v, x) })
}
