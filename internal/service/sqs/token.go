package sqs

import "regexp"

// tokenForm is that of ids which clients choose: letters, digits and punctuation.
var tokenForm = regexp.MustCompile(`^[!-~]{1,128}$`)

// checkToken refuses a group's or a deduplication id, or one of an attempt to receive,
// that cannot be one. nil is none.
func checkToken(parameter string, value *string) error {
	if value == nil || tokenForm.MatchString(*value) {
		return nil
	}
	return badValue(*value, parameter, parameter+" can only include alphanumeric and "+
		"punctuation characters. 1 to 128 in length.")
}
