package kit

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"coffer/internal/audit/audittest"
)

// Event is an event of the trail, as its JSON is.
type Event map[string]any

// At follows names into the event; nil is what is not there.
func (e Event) At(path ...string) any {
	var v any = map[string]any(e)
	for _, name := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[name]
	}
	return v
}

// Events gives the events with the attribute, oldest first; an empty key means
// all. Each must be an event of CloudTrail's format (D-21).
func (a *AWS) Events(t testing.TB, key types.LookupAttributeKey, value string) []Event {
	t.Helper()
	in := &cloudtrail.LookupEventsInput{}
	if key != "" {
		in.LookupAttributes = []types.LookupAttribute{
			{AttributeKey: key, AttributeValue: aws.String(value)}}
	}
	var list []Event
	for pages := cloudtrail.NewLookupEventsPaginator(a.Trail, in); pages.HasMorePages(); {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range page.Events {
			for _, p := range audittest.Problems([]byte(aws.ToString(row.CloudTrailEvent))) {
				t.Errorf("event: %s\n%s", p, aws.ToString(row.CloudTrailEvent))
			}
			var e Event
			if err := json.Unmarshal([]byte(aws.ToString(row.CloudTrailEvent)), &e); err != nil {
				t.Fatal(err)
			}
			list = append(list, e)
		}
	}
	slices.Reverse(list)
	return list
}
