package main

import "strings"

// goName turns "delivery-tag" into "DeliveryTag".
func goName(s string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(s, "-") {
		if part == "id" {
			b.WriteString("ID")
			continue
		}
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}

// constName turns "not-found" into "NOT_FOUND", the name in reply texts.
func constName(s string) string {
	return strings.ToUpper(strings.ReplaceAll(s, "-", "_"))
}

// hot says whether a method is on the path of every message. Its strings alias
// the frame instead of being copied.
func hot(class, method string) bool {
	switch class + "." + method {
	case "basic.publish", "basic.deliver", "basic.return", "basic.get-ok",
		"basic.ack", "basic.nack", "basic.reject":
		return true
	}
	return false
}

// secret says whether a long string holds a credential or part of one.
func secret(arg string) bool {
	return arg == "response" || arg == "challenge" || arg == "new-secret"
}

// goType gives the field type of an argument and the reader method and append
// function that carry it.
func goType(a Arg, hot bool) (typ, read, write string) {
	switch a.Type {
	case "octet":
		return "uint8", "octet", "appendOctet"
	case "short":
		if a.Name == "reply-code" {
			return "Code", "code", "appendCode"
		}
		return "uint16", "short", "appendShort"
	case "long":
		return "uint32", "long", "appendLong"
	case "longlong", "timestamp":
		return "uint64", "longlong", "appendLonglong"
	case "shortstr":
		if hot {
			return "[]byte", "shortBytes", "appendShortstr"
		}
		return "string", "shortstr", "appendShortstr"
	case "longstr":
		if secret(a.Name) {
			return "Secret", "secret", "appendLongstr"
		}
		return "string", "longstr", "appendLongstr"
	case "table":
		return "Table", "table", "AppendTable"
	}
	return "bool", "", ""
}

// fallible says whether encoding a value of the type can be refused.
func fallible(t string) bool { return t == "shortstr" || t == "longstr" || t == "table" }
