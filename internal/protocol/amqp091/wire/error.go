package wire

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// What an Error is about, for errors.Is.
var (
	ErrFrameTooLarge = errors.New("frame is larger than frame_max")
	ErrFrameEnd      = errors.New("frame has no end octet")
	ErrFrameType     = errors.New("frame type is unknown or its payload too short")
	ErrMethod        = errors.New("class or method is unknown")
	ErrSyntax        = errors.New("arguments cannot be decoded")
	ErrUTF8          = errors.New("short string is not UTF-8")
	ErrTable         = errors.New("field table cannot be decoded")
	ErrDepth         = errors.New("field table is nested too deeply")
)

// What can be wrong with values given to an Append function. No frame was
// appended then, and the peer has done nothing wrong.
var (
	ErrShortstr = errors.New("short string is longer than 255 octets")
	ErrLongstr  = errors.New("long string or table is longer than 4 GiB")
	ErrBodySize = errors.New("body size in the content header differs from the body")
	ErrFlags    = errors.New("property flags have unknown bits")
)

// Code is a reply code of connection.close, channel.close or basic.return.
type Code uint16

// String gives the name that RabbitMQ begins reply texts with: "NOT_FOUND".
func (c Code) String() string {
	if n := c.name(); n != "" {
		return n
	}
	return fmt.Sprintf("CODE_%d", uint16(c))
}

// Error is a fault of the peer, as it is to be told with a close method. It
// holds no octets of what the peer sent, since those may be a password or a
// message: where RabbitMQ's text would quote them it has "...".
type Error struct {
	Code   Code
	Text   string   // the explanation, without the code's name
	Method MethodID // the method at fault, or 0
	Err    error    // one of the Err variables
}

// Error gives the text for logs.
func (e *Error) Error() string {
	if e.Method == 0 {
		return e.ReplyText()
	}
	return e.Method.String() + ": " + e.ReplyText()
}

// Unwrap gives the Err variable.
func (e *Error) Unwrap() error { return e.Err }

// ReplyText gives the reply-text to close with.
func (e *Error) ReplyText() string { return ReplyText(e.Code, e.Text) }

// ReplyText joins a code's name and an explanation as RabbitMQ does:
// "NOT_FOUND - no queue 'q' in vhost '/'". An empty explanation gives the name
// alone. The result fits a short string: 252 octets and "..." when it must be
// cut, fewer when the cut would split a UTF-8 sequence.
func ReplyText(c Code, text string) string {
	s := c.String()
	if text != "" {
		s += " - " + text
	}
	if len(s) <= maxShortstr {
		return s
	}
	cut := maxShortstr - len("...")
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "..."
}

func frameError(cause error, t FrameType, n int, detail string) *Error {
	snippet := "all octets = <<...>>"
	switch {
	case n == 0:
		snippet = "all octets = <<>>"
	case n > 16:
		snippet = "first 16 octets = <<...>>"
	}
	text := fmt.Sprintf("type %d, %s: %s", uint8(t), snippet, detail)
	return &Error{Code: FrameError, Text: text, Err: cause}
}

// frameTooLarge quotes no octets in RabbitMQ either: it has not read them yet.
func frameTooLarge(t FrameType, n, frameMax uint32) *Error {
	detail := fmt.Sprintf("{frame_too_large,%d,%d}", n, max(frameMax, FrameOverhead)-FrameOverhead)
	return frameError(ErrFrameTooLarge, t, 0, detail)
}

// argument adds the name of an argument to an encoding error.
func argument(err error, name string) error {
	return fmt.Errorf("encode %s: %w", name, err)
}
