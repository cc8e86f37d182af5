package link

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// valid is changed by the rows below.
const valid = `"src-uri":"amqp://","src-queue":"s","dest-uri":"amqp://","dest-queue":"d"`

// wrong are parameters that both refuse with the same words.
func wrong() map[string][]string {
	return map[string][]string{
		"shovel": {
			`{}`, `{"src-uri":"amqp://","src-queue":"q"}`,
			`{"src-uri":"amqp://","dest-uri":"amqp://"}`,
			`{` + valid + `,"src-exchange":"x"}`, `{` + valid + `,"dest-exchange":"x"}`,
			`{` + valid + `,"x":1,"a":"b"}`, `{` + valid + `,"reconnect-delay":"5"}`,
			`{` + valid + `,"src-prefetch-count":[]}`, `{` + valid + `,"ack-mode":"never"}`,
			`{` + valid + `,"ack-mode":true}`, `{` + valid + `,"dest-add-forward-headers":"yes"}`,
			`{` + valid + `,"src-exchange-key":7,"prefetch-count":{"a":"é"}}`,
			`{` + valid + `,"src-delete-after":"soon"}`, `{` + valid + `,"delete-after":1.5}`,
			`{` + valid + `,"delete-after":-1}`,
			`{` + valid + `,"src-delete-after":5,"ack-mode":"no-ack"}`,
			`{` + valid + `,"dest-publish-properties":{"priority":"high"}}`,
			`{` + valid + `,"dest-publish-properties":{"headers":1}}`,
			`{"src-uri":"amqp://","src-queue":"s","dest-uri":7}`,
			`{"src-uri":"amqp://","src-queue":"s","dest-uri":[7]}`,
			`{"src-uri":"http://h","src-queue":"s","dest-uri":"amqp://"}`,
		},
		"federation-upstream": {
			`{}`, `{"uri":7}`, `{"uri":[7]}`, `{"uri":"http://h"}`,
			`{"uri":"amqp://","max-hops":"1"}`, `{"uri":"amqp://","ack-mode":"x"}`,
			`{"uri":"amqp://","trust-user-id":1}`, `{"uri":"amqp://","x":1,"y":{}}`,
		},
		"federation-upstream-set": {
			`[{}]`, `[{"upstream":1}]`, `[{"upstream":"u","y":2}]`,
		},
		"nothing": {`{}`},
	}
}

// compare asks both.
func compare(t *testing.T, coffer, rabbit *end) {
	for component, values := range wrong() {
		for _, v := range values {
			body := object{"value": json.RawMessage(v)}
			path := "parameters/" + component + "/%2F/w"
			status, answer := coffer.ask("PUT", path, body)
			other, theirs := rabbit.ask("PUT", path, body)
			if status != http.StatusBadRequest || other != status ||
				reason(answer) != reason(theirs) {
				t.Errorf("%s %s:\n%d %s\n%d %s", component, v, status, reason(answer), other,
					reason(theirs))
			}
		}
	}
}

func reason(answer []byte) string {
	var o struct{ Reason string }
	if json.Unmarshal(answer, &o) != nil || o.Reason == "" {
		return string(answer)
	}
	return strings.TrimSpace(o.Reason)
}
