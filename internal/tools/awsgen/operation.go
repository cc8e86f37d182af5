package main

import (
	"fmt"
	"strings"
)

// readers are the first words of operations that change nothing.
var readers = []string{"Describe", "Get", "List", "Lookup", "Search", "Simulate"}

func (g *generator) service() {
	g.p("// Service is implemented by the server, by [Client] and by decorators of either.\n")
	g.p("type Service interface {\n")
	for _, n := range sorted(g.Operations) {
		g.p("%s(context.Context, *%s) (*%s, error)\n", n, g.input(n), g.output(n))
	}
	g.p("}\n\n")
}

func (g *generator) table() error {
	m := g.Metadata
	g.p("// API describes the service to routers, codecs, authorizers and auditors.\n")
	g.p("var API = wire.API{\n")
	for _, f := range [][2]string{
		{"Name", g.pkg}, {"Version", m.APIVersion}, {"Protocol", m.Protocol},
		{"JSONVersion", m.JSONVersion}, {"TargetPrefix", m.TargetPrefix},
		{"XMLNamespace", m.XMLNamespace}, {"SigningName", m.SigningName},
		{"EndpointPrefix", m.EndpointPrefix}, {"EventSource", m.EventSource},
		{"ActionPrefix", m.ActionPrefix},
	} {
		if f[1] != "" {
			g.p("%s: %q,\n", f[0], f[1])
		}
	}
	if g.both() {
		g.p("QueryCompatible: true,\n")
	}
	if m.PathParameter != "" {
		g.p("PathParameter: %q,\n", m.PathParameter)
	}
	g.p("Ops: []wire.Op{\n")
	for _, n := range sorted(g.Operations) {
		g.p("{%s,\n", g.op(n))
		// Literals, not a generic function: IAM compiles in a third of the time.
		g.p("In: func() any { return new(%s) }, Out: func() any { return new(%s) },\n",
			g.input(n), g.output(n))
		g.p("Call: func(ctx context.Context, s, in any) (any, error) {\n")
		g.p("return s.(Service).%s(ctx, in.(*%s))\n}},\n", n, g.input(n))
	}
	g.p("},\nShapes: []wire.Shape{\n")
	if err := g.shapes(); err != nil {
		return err
	}
	g.p("},\nFaults: []wire.Fault{\n")
	for _, n := range g.faults() {
		g.p("(*%s)(nil),\n", g.names[n])
	}
	g.p("},\n}\n\n")
	return nil
}

func (g *generator) op(name string) string {
	op := g.Operations[name]
	http := op.HTTP
	out := []string{
		fmt.Sprintf("Name: %q, Method: %q, URI: %q", name, http.Method, http.RequestURI),
	}
	add := func(ok bool, form string, args ...any) {
		if ok {
			out = append(out, fmt.Sprintf(form, args...))
		}
	}
	add(http.ResponseCode != 0 && http.ResponseCode != 200, "Status: %d", http.ResponseCode)
	add(readOnly(name, op), "ReadOnly: true")
	add(op.Data, "Data: true")
	add(op.AuthType == "none", "Anonymous: true")
	add(op.Output == nil, "NoOutput: true")
	return strings.Join(out, ", ")
}

// both tells whether the service speaks JSON and query.
func (g *generator) both() bool { return g.Metadata.QueryCompatible != nil }

func readOnly(name string, op operation) bool {
	if op.ReadOnly != nil {
		return *op.ReadOnly
	}
	for _, w := range readers {
		if strings.HasPrefix(name, w) {
			return true
		}
	}
	return false
}

func (g *generator) unimplemented() {
	g.p("// Unimplemented answers every operation with an error; embed it to implement a part.\n")
	g.p("type Unimplemented struct{}\n\n")
	g.p("var (\n_ Service = Unimplemented{}\n_ Service = Client{}\n)\n\n")
	for _, n := range sorted(g.Operations) {
		g.p("// %s answers that it is not implemented.\n", n)
		g.p("func (Unimplemented) %s(context.Context, *%s) (*%s, error) {\n",
			n, g.input(n), g.output(n))
		g.p("return nil, wire.Unimplemented(%q)\n}\n\n", n)
	}
}

func (g *generator) client() {
	g.p("// Client is a Service that calls another one.\n")
	g.p("type Client struct{ Caller wire.Caller }\n\n")
	for _, n := range sorted(g.Operations) {
		g.p("// %s calls the operation.\n", n)
		g.p("func (c Client) %s(ctx context.Context, in *%s) (*%s, error) {\n",
			n, g.input(n), g.output(n))
		g.p("out := new(%s)\nif err := c.Caller.Call(ctx, &API, %q, in, out); err != nil {\n",
			g.output(n), n)
		g.p("return nil, err\n}\nreturn out, nil\n}\n\n")
	}
}
