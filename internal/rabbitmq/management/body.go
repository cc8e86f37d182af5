package management

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"coffer/internal/fault"
)

// pretty is where Erlang begins to write lists over several lines.
const pretty = 78

const tooLarge = "Exceeded HTTP request body size limit"

// body reads the body of a request that need not be large.
func (c *call) body() (object, error) { return parsed(c.read(smallBody)) }

// largeBody reads a body that may hold a message.
func (c *call) largeBody() (object, error) { return parsed(c.largeText()) }

func parsed(text []byte, err error) (object, error) {
	if err != nil {
		return nil, err
	}
	return parseObject(text)
}

// largeText reads a body that may hold definitions or a message. Only a few are in
// memory at a time; the others wait.
func (c *call) largeText() ([]byte, error) {
	if c.r.ContentLength >= 0 && c.r.ContentLength <= smallBody {
		return c.read(smallBody)
	}
	select {
	case c.h.large <- struct{}{}:
		c.holds = true
	case <-c.r.Context().Done():
		return nil, fault.Wrap(fault.Unavailable, c.r.Context().Err(), "too many large requests")
	}
	return c.read(c.h.cfg.MaxBody)
}

// read reads a body of a bounded length.
func (c *call) read(limit int64) ([]byte, error) {
	text, err := io.ReadAll(http.MaxBytesReader(c.answer.w, c.r.Body, limit))
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return nil, badRequest(tooLarge)
	}
	if err != nil {
		return nil, badRequest("not_json")
	}
	return text, nil
}

// parseObject reads a JSON object as requests hold it; nothing is an empty one. Whole
// numbers come as int64, others as float64.
func parseObject(data []byte) (object, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return object{}, nil
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, badRequest("not_json")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, badRequest("not_json")
	}
	switch v := v.(type) {
	case object:
		return plainNumbers(v).(object), nil
	case string:
		return nil, badRequest("invalid payload: the request body JSON-decoded to a string. " +
			"Is the input doubly-JSON-encoded?")
	}
	return nil, badRequest("not_json")
}

// plainNumbers turns the numbers in a value into int64 where they are whole, else into
// float64. It changes v.
func plainNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, err := v.Float64()
		if err != nil {
			return v.String()
		}
		return f
	case object:
		for k, x := range v {
			v[k] = plainNumbers(x)
		}
	case []any:
		for i, x := range v {
			v[i] = plainNumbers(x)
		}
	}
	return v
}

// need refuses a body without some of the keys, as RabbitMQ does.
func need(body object, keys ...string) error {
	var list []string
	for _, k := range keys {
		if _, ok := body[k]; !ok {
			list = append(list, "{key_missing,"+k+"}")
		}
	}
	if len(list) == 0 {
		return nil
	}
	comma := ","
	if len(strings.Join(list, comma)) > pretty {
		comma = ",\n "
	}
	return badRequest("[" + strings.Join(list, comma) + "]")
}

// truth reads a boolean, which may be written as a text; missing is false.
func truth(body object, key string) (bool, error) {
	switch v := body[key].(type) {
	case nil:
		return false, nil
	case bool:
		return v, nil
	case string:
		switch v {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
	}
	return false, badRequest([]any{"not_boolean", body[key]})
}

// integer reads a whole number, which may be written as a text.
func integer(body object, key string) (int64, error) {
	switch v := body[key].(type) {
	case int64:
		return v, nil
	case string:
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			return n, nil
		}
	}
	return 0, badRequest([]any{"not_integer", body[key]})
}

// word reads a text; missing is empty.
func word(body object, key string) (string, error) {
	switch v := body[key].(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	}
	return "", badRequest([]any{"not_string", key})
}

// inner reads an object; missing is empty. RabbitMQ writes an empty one as [] at times.
func inner(body object, key string) (object, error) {
	switch v := body[key].(type) {
	case nil:
		return object{}, nil
	case object:
		return v, nil
	case []any:
		if len(v) == 0 {
			return object{}, nil
		}
	}
	return nil, badRequest([]any{"not_object", key})
}
