package accesslog

import (
	"cmp"
	"strconv"
	"strings"

	"coffer/internal/audit"
)

const (
	source    = "sqs.amazonaws.com"
	queueType = "AWS::SQS::Queue"
	clock     = "02/Jan/2006:15:04:05 -0700"
)

// queue is what a line is about.
type queue struct{ arn, region, account, name string }

// parseQueue reads the ARN of a queue.
func parseQueue(arn string) (q queue, ok bool) {
	p := strings.SplitN(arn, ":", 6)
	if len(p) != 6 || p[2] != "sqs" || p[5] == "" {
		return queue{}, false
	}
	return queue{arn, p[3], p[4], p[5]}, true
}

// outcome is what became of one message, or of a request that was about none.
type outcome struct{ key, status, code, sent, size string }

// Append adds the lines of an event to dst, of the queues that want lets pass: one for
// each message, or for each entry of a batch, or one that names none. An event that is
// not about a queue has no line.
func Append(dst []byte, e *audit.Event, want func(arn string) bool) []byte {
	if e.EventSource != source {
		return dst
	}
	for _, r := range e.Resources {
		q, ok := parseQueue(r.ARN)
		if r.Type != queueType || !ok || !want(r.ARN) {
			continue
		}
		for _, o := range outcomes(e) {
			dst = line(dst, e, &q, &o)
		}
	}
	return dst
}

// outcomes lists what an event tells of messages.
func outcomes(e *audit.Event) (list []outcome) {
	data := e.AdditionalEventData
	whole := outcome{status: number(data["httpStatus"]), code: e.ErrorCode}
	sizes, _ := data["messageBytes"].([]any)
	ids, _ := data["messageIds"].([]any)
	_, sent := data["bytesTransferredOut"]
	for i, id := range ids {
		o := whole
		o.key, _ = id.(string)
		if i < len(sizes) {
			o.size = number(sizes[i])
		}
		if sent {
			o.sent = o.size
		}
		list = append(list, o)
	}
	entries, _ := data["failedEntries"].([]any)
	for _, x := range entries {
		m, _ := x.(map[string]any)
		o := outcome{status: number(m["httpStatus"])}
		o.key, _ = m["messageId"].(string)
		o.code, _ = m["errorCode"].(string)
		list = append(list, o)
	}
	if len(list) == 0 {
		list = append(list, whole)
	}
	return list
}

// number gives a whole number as JSON has it; others are unknown.
func number(v any) string {
	if f, ok := v.(float64); ok && f >= 0 && f < 1<<53 && f == float64(int64(f)) {
		return strconv.FormatInt(int64(f), 10)
	}
	return ""
}

// line adds a line with the fields of S3's, in their order.
//
// Source: Amazon S3 user guide, "Amazon S3 server access log format"
func line(dst []byte, e *audit.Event, q *queue, o *outcome) []byte {
	text := func(name string) string {
		s, _ := e.AdditionalEventData[name].(string)
		return s
	}
	total := number(e.AdditionalEventData["totalTimeMilliseconds"])
	tls := e.TLSDetails
	if tls == nil {
		tls = &audit.TLSDetails{}
	}
	dst = plain(dst, q.account)
	dst = plain(append(dst, ' '), q.name)
	dst = e.EventTime.UTC().AppendFormat(append(dst, " ["...), clock)
	dst = append(dst, ']')
	for _, field := range []string{e.SourceIPAddress,
		requester(&e.UserIdentity), e.RequestID, e.EventName, o.key,
	} {
		dst = plain(append(dst, ' '), field)
	}
	dst = quoted(append(dst, ' '), text("requestURI"))
	for _, field := range []string{o.status, o.code, o.sent, o.size, total, ""} {
		dst = plain(append(dst, ' '), field)
	}
	dst = quoted(append(dst, ' '), "") // no referer
	dst = quoted(append(dst, ' '), e.UserAgent)
	for _, field := range []string{"", e.EventID, text("SignatureVersion"), tls.CipherSuite,
		text("AuthenticationMethod"), tls.ClientProvidedHostHeader, tls.TLSVersion, q.arn, "", "",
	} {
		dst = plain(append(dst, ' '), field)
	}
	return append(dst, '\n')
}

// requester names who asked: of another account's caller a queue's owner is told the
// account and the id.
func requester(id *audit.Identity) string {
	if id.ARN == "" && id.AccountID != "" && id.PrincipalID != "" &&
		id.PrincipalID != id.AccountID {
		return id.AccountID + ":" + id.PrincipalID
	}
	return cmp.Or(id.ARN, id.PrincipalID, id.AccountID, id.InvokedBy)
}

// plain adds a field without spaces; what is empty is a hyphen.
func plain(dst []byte, s string) []byte {
	return escaped(dst, s, ' ')
}

// quoted adds a field in quotation marks, in which there may be spaces.
func quoted(dst []byte, s string) []byte {
	return append(escaped(append(dst, '"'), s, 0), '"')
}

// escaped adds s as in a URL: what could end a field or a line, what terminals obey, the
// percent sign, and also as a whole is written %XX. Nothing that a client says can look
// like another field, or like none.
func escaped(dst []byte, s string, also byte) []byte {
	const digits = "0123456789ABCDEF"
	switch s {
	case "":
		return append(dst, '-')
	case "-":
		return append(dst, "%2D"...)
	}
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c > '~' || c == '"' || c == '\\' || c == '%' || c == also {
			dst = append(dst, '%', digits[c>>4], digits[c&15])
			continue
		}
		dst = append(dst, c)
	}
	return dst
}
