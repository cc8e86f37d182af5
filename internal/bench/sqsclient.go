package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"time"

	"coffer/internal/aws/sigv4"
)

// Bounds of what a server may answer, in octets.
const (
	maxHeaderLine = 8 << 10
	maxAnswer     = 16 << 20
)

// dialTimeout bounds the time until a connection is there.
const dialTimeout = 30 * time.Second

// An sqsConn makes one request after another. It writes HTTP by itself: Go's client
// would take more of the machine than the servers that are measured.
type sqsConn struct {
	server string // what the last answer said of it
	ctx    context.Context
	target *SQSTarget
	host   string
	tls    *tls.Config // nil: none

	net    net.Conn
	stop   func() bool
	in     *bufio.Reader
	closed bool // the server closes the connection behind its last answer
	out    []byte
	answer []byte
}

// An sqsCall makes requests of one operation.
type sqsCall struct {
	name string
	head []byte // of a request, up to the signature
	sign *sigv4.Template
}

// dialSQS connects. When ctx ends, so does all waiting on the connection.
func dialSQS(ctx context.Context, to *SQSTarget) (*sqsConn, error) {
	u, err := url.Parse(to.URL)
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("the endpoint %q is neither https://HOST nor http://HOST", to.URL)
	}
	c := &sqsConn{ctx: ctx, target: to, host: u.Host}
	if u.Scheme == "https" {
		c.tls = &tls.Config{MinVersion: tls.VersionTLS12, DynamicRecordSizingDisabled: true}
	}
	if to.CA != "" && c.tls != nil {
		pem, err := os.ReadFile(to.CA)
		if err != nil {
			return nil, err
		}
		c.tls.RootCAs = x509.NewCertPool()
		if !c.tls.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", to.CA)
		}
	}
	if err := c.connect(); err != nil {
		return nil, err
	}
	return c, nil
}

// connect opens the socket, and TLS on it.
func (c *sqsConn) connect() error {
	d := net.Dialer{Timeout: dialTimeout}
	dial := d.DialContext
	if c.tls != nil {
		dial = (&tls.Dialer{NetDialer: &d, Config: c.tls}).DialContext
	}
	conn, err := dial(c.ctx, "tcp", c.host)
	if err != nil {
		return err
	}
	c.net, c.stop = conn, context.AfterFunc(c.ctx, func() { conn.Close() })
	c.in, c.closed = bufio.NewReaderSize(c.net, maxHeaderLine), false
	return nil
}

func (c *sqsConn) close() {
	c.stop()
	c.net.Close()
}

// operation prepares requests of one operation.
func (c *sqsConn) operation(name string) *sqsCall {
	const kind = "application/x-amz-json-1.0"
	target := "AmazonSQS." + name
	r := &http.Request{Method: http.MethodPost, Host: c.host, URL: &url.URL{Path: "/"},
		Header: http.Header{"Content-Type": {kind}, "X-Amz-Target": {target}}}
	return &sqsCall{
		name: name, sign: sigv4.NewTemplate(r, c.target.Key, c.target.Region, "sqs"),
		head: []byte("POST / HTTP/1.1\r\nHost: " + c.host + "\r\nContent-Type: " + kind +
			"\r\nX-Amz-Target: " + target + "\r\n"),
	}
}

// do makes a request and gives the body of its answer, which is valid until the next.
func (c *sqsConn) do(op *sqsCall, body []byte) ([]byte, error) {
	answer, err := c.roundTrip(op, body)
	if err != nil && c.ctx.Err() != nil {
		return nil, context.Cause(c.ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op.name, err)
	}
	return answer, nil
}

func (c *sqsConn) roundTrip(op *sqsCall, body []byte) ([]byte, error) {
	if c.closed {
		c.close()
		if err := c.connect(); err != nil {
			return nil, err
		}
	}
	c.out = append(append(c.out[:0], op.head...), "Content-Length: "...)
	c.out = append(strconv.AppendInt(c.out, int64(len(body)), 10), "\r\n"...)
	c.out = op.sign.Append(c.out, body, time.Now())
	c.out = append(append(c.out, "\r\n"...), body...)
	if _, err := c.net.Write(c.out); err != nil {
		return nil, err
	}
	status, err := c.read()
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		const shown = 500
		return nil, fmt.Errorf("the server answers %d: %s", status,
			c.answer[:min(len(c.answer), shown)])
	}
	return c.answer, nil
}

var errHTTP = errors.New("the answer is no HTTP")

// read takes an answer in.
func (c *sqsConn) read() (status int, err error) {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.")) {
		return 0, errHTTP
	}
	c.closed = line[7] == '0'
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, errHTTP
	}
	length, chunked, err := c.header()
	if err != nil {
		return 0, err
	}
	if !chunked {
		if length < 0 || length > maxAnswer {
			return 0, fmt.Errorf("%w: %d octets of a body", errHTTP, length)
		}
		c.answer = grown(c.answer, length)
		_, err = io.ReadFull(c.in, c.answer)
		return status, err
	}
	c.answer, err = io.ReadAll(io.LimitReader(httputil.NewChunkedReader(c.in), maxAnswer))
	if err == nil {
		_, err = c.in.ReadSlice('\n') // of the empty trailer
	}
	return status, err
}

// grown gives b the length n.
func grown(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n, 2*n)
	}
	return b[:n]
}

// header reads the fields that matter.
func (c *sqsConn) header() (length int, chunked bool, err error) {
	length = -1
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return 0, false, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return length, chunked, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case is(name, "Content-Length"):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, false, errHTTP
			}
		case is(name, "Transfer-Encoding"):
			chunked = is(value, "chunked")
		case is(name, "Connection"):
			c.closed = c.closed || is(value, "close")
		case is(name, "Server"):
			if c.server != string(value) {
				c.server = string(value)
			}
		}
	}
}

// is compares without regard to case, and without a copy.
func is(b []byte, s string) bool { return len(b) == len(s) && bytes.EqualFold(b, []byte(s)) }
