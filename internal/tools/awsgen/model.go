package main

import (
	"maps"
	"slices"
)

// model is a service model in botocore's format, as far as it matters here.
type model struct {
	Metadata   metadata             `json:"metadata"`
	Operations map[string]operation `json:"operations"`
	Shapes     map[string]*shape    `json:"shapes"`
}

type metadata struct {
	APIVersion      string `json:"apiVersion"`
	Protocol        string `json:"protocol"`
	JSONVersion     string `json:"jsonVersion"`
	TargetPrefix    string `json:"targetPrefix"`
	XMLNamespace    string `json:"xmlNamespace"`
	EndpointPrefix  string `json:"endpointPrefix"`
	SigningName     string `json:"signingName"`
	ServiceFullName string `json:"serviceFullName"`
	// EventSource and ActionPrefix stand in overlays only.
	EventSource  string `json:"eventSource"`
	ActionPrefix string `json:"actionPrefix"`
	// PathParameter stands in overlays only: see wire.API.
	PathParameter string `json:"pathParameter"`
	// QueryCompatible is there when the service speaks the query protocol, too.
	QueryCompatible *struct{} `json:"awsQueryCompatible"`
}

type operation struct {
	HTTP struct {
		Method       string `json:"method"`
		RequestURI   string `json:"requestUri"`
		ResponseCode int    `json:"responseCode"`
	} `json:"http"`
	Input    *ref   `json:"input"`
	Output   *ref   `json:"output"`
	Errors   []ref  `json:"errors"`
	AuthType string `json:"authtype"`
	// ReadOnly stands in overlays only; without it the name decides.
	ReadOnly *bool `json:"readOnly"`
	// Data stands in overlays only: see wire.Op.
	Data bool `json:"data"`
}

type ref struct {
	Shape           string `json:"shape"`
	Location        string `json:"location"`
	LocationName    string `json:"locationName"`
	ResultWrapper   string `json:"resultWrapper"`
	TimestampFormat string `json:"timestampFormat"`
	Flattened       bool   `json:"flattened"`
	Streaming       bool   `json:"streaming"`
	XMLAttribute    bool   `json:"xmlAttribute"`
	// Sensitive stands in overlays only.
	Sensitive bool `json:"sensitive"`
	// QueryName stands in overlays only: the name in the query protocol of a service
	// that speaks both.
	QueryName string `json:"queryName"`
}

type shape struct {
	Type            string         `json:"type"`
	Members         map[string]ref `json:"members"`
	Required        []string       `json:"required"`
	Member          *ref           `json:"member"`
	Key             *ref           `json:"key"`
	Value           *ref           `json:"value"`
	Min             *float64       `json:"min"`
	Max             *float64       `json:"max"`
	Pattern         string         `json:"pattern"`
	Enum            []string       `json:"enum"`
	Sensitive       bool           `json:"sensitive"`
	Exception       bool           `json:"exception"`
	Fault           bool           `json:"fault"`
	Flattened       bool           `json:"flattened"`
	Streaming       bool           `json:"streaming"`
	EventStream     bool           `json:"eventstream"`
	Payload         string         `json:"payload"`
	TimestampFormat string         `json:"timestampFormat"`
	Error           struct {
		Code           string `json:"code"`
		HTTPStatusCode int    `json:"httpStatusCode"`
	} `json:"error"`
	// IgnoreCase stands in overlays only: the service takes enum values in any
	// case.
	IgnoreCase bool `json:"ignoreCase"`
	// RE stands in overlays only: Pattern for Go, where it cannot be derived.
	RE string `json:"re"`
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// reachable lists the shapes that operations use, themselves or through
// others; models keep some that nothing uses any more.
func (m *model) reachable() map[string]bool {
	seen := map[string]bool{}
	var visit func(r *ref)
	visit = func(r *ref) {
		if r == nil || seen[r.Shape] {
			return
		}
		seen[r.Shape] = true
		s := m.Shapes[r.Shape]
		for _, name := range sorted(s.Members) {
			visit(new(s.Members[name]))
		}
		visit(s.Member)
		visit(s.Key)
		visit(s.Value)
	}
	for _, op := range m.Operations {
		visit(op.Input)
		visit(op.Output)
		for _, e := range op.Errors {
			visit(&e)
		}
	}
	return seen
}

// defaults fills in what a model leaves to convention.
func (m *model) defaults(name string) {
	md := &m.Metadata
	if md.SigningName == "" {
		md.SigningName = md.EndpointPrefix
	}
	if md.EventSource == "" {
		md.EventSource = md.EndpointPrefix + ".amazonaws.com"
	}
	if md.ActionPrefix == "" {
		md.ActionPrefix = name
	}
	for _, s := range m.Shapes {
		if !s.Exception {
			continue
		}
		if s.Members == nil {
			s.Members = map[string]ref{}
		}
		if _, ok := messageMember(s); !ok {
			member := "message"
			if md.Protocol == "query" {
				member = "Message"
			}
			s.Members[member] = ref{Shape: messageShape}
			m.Shapes[messageShape] = &shape{Type: "string"}
		}
	}
}

// messageShape is the type of messages that a model leaves out.
const messageShape = "awsgenMessage"

// messageMember finds an exception's text.
func messageMember(s *shape) (string, bool) {
	for _, n := range []string{"message", "Message"} {
		if _, ok := s.Members[n]; ok {
			return n, true
		}
	}
	return "", false
}
