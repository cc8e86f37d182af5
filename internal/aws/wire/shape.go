package wire

// Shape is what a service model says of a type beyond its Go type: the
// constraints, the secrecy and the names its parts have on the wire. A field
// of a generated struct names its shape in its tag:
//
//	aws:"KeyId,KeyIdType,required"
//
// that is the member's wire name, its shape (empty when the model says nothing
// of it), then any of: required, sensitive, uri, query, header, headers,
// status, payload, and form= with the name in the query protocol where a service
// that speaks both has another one there.
type Shape struct {
	Name string
	// Min and Max are decimal and inclusive, empty when unbounded. They bound
	// characters of a string, bytes of a blob, entries of a list or a map, and
	// the value of a number.
	Min, Max string
	// Pattern is the regular expression a whole string must match, as AWS
	// spells it in its messages; RE is the same in Go's syntax, empty when
	// both agree.
	Pattern, RE string
	Enum        []string
	// IgnoreCase makes Enum match in any case; decoding yields Enum's spelling.
	IgnoreCase bool
	// Sensitive values are neither echoed in errors nor recorded.
	Sensitive bool
	// Time is the timestamp format: "unixTimestamp", "iso8601", "rfc822" or
	// empty for the protocol's own.
	Time string
	// Elem is the shape of a list's members or a map's values, Key that of a
	// map's keys.
	Elem, Key string
	// ElemName and KeyName are the element names of the query protocol, empty
	// for its defaults (member; key and value).
	ElemName, KeyName string
	// Flat lists and maps of the query protocol have no wrapping element.
	Flat bool
}
