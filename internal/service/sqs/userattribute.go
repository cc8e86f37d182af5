package sqs

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	api "coffer/internal/aws/api/sqs"
)

const (
	// maxAttributes bounds the attributes of a message, and maxAttributeText the bytes of
	// a name and of a type.
	maxAttributes    = 10
	maxAttributeText = 256
)

var (
	attributeName = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)
	numberForm    = regexp.MustCompile(`^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$`)
)

// checkAttributes refuses attributes that a message cannot have: of several the first
// by name.
//
// Source: SQS developer guide, "Message attribute components".
func checkAttributes(attributes map[string]api.MessageAttributeValue) error {
	if n := len(attributes); n > maxAttributes {
		return invalid("Number of message attributes [%d] exceeds the allowed maximum [%d].",
			n, maxAttributes)
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		if err := checkAttributeName(name); err != nil {
			return err
		}
		if err := checkAttribute(name, attributes[name]); err != nil {
			return err
		}
	}
	return nil
}

func checkAttributeName(name string) error {
	lower := strings.ToLower(name)
	switch {
	case name == "":
		return invalid("The request must contain non-empty message (user) attribute names.")
	case len(name) > maxAttributeText:
		return invalid("Message (user) attribute name must be shorter than %d bytes.",
			maxAttributeText)
	case !attributeName.MatchString(name):
		return invalid("Message (user) attributes name can only contain upper and lower score " +
			"characters, digits, periods, hyphens and underscores.")
	case strings.HasPrefix(lower, "aws."), strings.HasPrefix(lower, "amazon."),
		strings.Contains("."+name+".", ".."):
		return invalid("You can't use message attribute names beginning with 'AWS.' or " +
			"'Amazon.'. These strings are reserved for internal use. Additionally, they cannot " +
			"start or end with '.'.")
	}
	return nil
}

func checkAttribute(name string, v api.MessageAttributeValue) error {
	if v.DataType == "" {
		return invalid("The message (user) attribute '%s' must contain a non-empty message "+
			"attribute type.", name)
	}
	if len(v.DataType) > maxAttributeText {
		return invalid("Message (user) attribute type must be shorter than %d bytes.",
			maxAttributeText)
	}
	if v.StringListValues != nil || v.BinaryListValues != nil {
		return invalid("Message attribute list values in SendMessage operation are not supported.")
	}
	kind, _, _ := strings.Cut(v.DataType, ".")
	size := len(v.StringValue)
	switch kind {
	case "Binary":
		size = len(v.BinaryValue)
	case "String", "Number":
	default:
		return invalid("The type of message (user) attribute '%s' is invalid. You must use only "+
			"the following supported type prefixes: Binary, Number, String.", name)
	}
	if size == 0 {
		return invalid("Message (user) attribute '%s' must contain a non-empty value of type "+
			"'%s'.", name, kind)
	}
	if kind == "Number" && !numberForm.MatchString(v.StringValue) {
		return invalid("Can't cast the value of message (user) attribute '%s' to a number.", name)
	}
	if found := badCharacter(v.StringValue, "attribute '"+name+"'"); found != "" {
		return invalid("%s", found)
	}
	return nil
}

// badCharacter tells of the first character that XML 1.0 cannot carry; "" if there is
// none.
func badCharacter(text, where string) string {
	for text != "" && text[0] >= ' ' && text[0] < utf8.RuneSelf { // most are nothing else
		text = text[1:]
	}
	for i, r := range text {
		wrong := r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff
		if r == utf8.RuneError && !wrong {
			_, size := utf8.DecodeRuneInString(text[i:])
			wrong = size == 1 // not UTF-8
		}
		if wrong {
			return fmt.Sprintf("Invalid binary character '#x%X' was found in the message %s, the "+
				"set of allowed characters is #x9 | #xA | #xD | [#x20-#xD7FF] | "+
				"[#xE000-#xFFFD] | [#x10000-#x10FFFF].", r, where)
		}
	}
	return ""
}
