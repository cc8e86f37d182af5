package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"coffer/internal/aws/wire"
	"coffer/internal/control"
	"coffer/internal/fault"
)

// toy is a service whose calls do what they are told.
type toy struct{ w *world }

type putInput struct {
	Name   string `aws:"Name,Name,required"`
	Secret string `aws:"Secret,,sensitive"`
	Note   string `aws:"Note,"`

	Description string   `aws:"Description,"`
	Tags        []string `aws:"Tags,"`
	// Then is how the call ends: "", "invalid", "broken", "panic", "501".
	Then string `aws:"Then,"`
}

type getInput struct {
	Name string `aws:"Name,Name,required"`
	Then string `aws:"Then,"`
}

type nestInput struct {
	// Steps are inner calls and local effects, in order: see step.
	Steps []string `aws:"Steps,"`
	Then  string   `aws:"Then,"`
}

type answer struct {
	Name   string `aws:"Name,"`
	About  string `aws:"About,"`
	Secret string `aws:"Secret,,sensitive"`
}

func toyAPI(protocol, name string) *wire.API {
	op := func(name string, readOnly bool) wire.Op {
		return wire.Op{Name: name, Method: "POST", URI: "/" + strings.ToLower(name),
			ReadOnly: readOnly}
	}
	return newAPI(protocol, name,
		wire.Method(op("Get", true), (*toy).Get),
		wire.Method(op("Nest", false), (*toy).Nest),
		wire.Method(wire.Op{Name: "Poke", Method: "POST", URI: "/poke", Data: true},
			(*toy).Poke),
		wire.Method(op("Put", false), (*toy).Put),
	)
}

// Access checks a resource for Put and Get, and nothing in particular for Nest.
func (s *toy) Access(_ context.Context, op *wire.Op, in any) ([]Check, error) {
	name := ""
	switch in := in.(type) {
	case *putInput:
		name = in.Name
	case *getInput:
		name = in.Name
	default:
		return []Check{{}}, nil
	}
	switch name {
	case "missing":
		return nil, fault.New(fault.NotFound, "There is no thing %s.", name)
	case "nothing":
		return nil, nil
	case "shaken":
		panic("in Access")
	}
	return []Check{{Type: "AWS::Toy::Thing",
		Resource: "arn:aws:toy:" + here + ":" + home + ":thing/" + name}}, nil
}

// Prepare panics or fails for two names.
func (s *toy) Prepare(ctx context.Context, _ *wire.Op, in any) (context.Context, error) {
	if in, ok := in.(*putInput); ok {
		switch in.Name {
		case "unready":
			return nil, fault.New(fault.Invalid, "This thing is not ready.")
		case "torn":
			panic("in Prepare")
		}
	}
	return ctx, nil
}

func (s *toy) Put(ctx context.Context, in *putInput) (*answer, error) {
	err := s.w.db.Update(ctx, func(_ context.Context, tx *control.Tx) error {
		tx.Put(control.TableMQ, []byte(in.Name), []byte{1})
		return end(in.Then)
	})
	return &answer{Name: in.Name, About: in.Description, Secret: "shown once"}, err
}

func (s *toy) Get(_ context.Context, in *getInput) (*answer, error) {
	return &answer{Name: in.Name, Secret: "shown once"}, end(in.Then)
}

// Poke works on data: no unit of work is open.
func (s *toy) Poke(ctx context.Context, in *getInput) (*answer, error) {
	if control.From(ctx) != nil {
		return nil, errors.New("in a unit of work")
	}
	return &answer{Name: in.Name}, end(in.Then)
}

// Finish finds the effects of Put and no unit of work; one name it cannot finish.
func (s *toy) Finish(ctx context.Context, _ *wire.Op, in any) error {
	put, ok := in.(*putInput)
	if !ok {
		return nil
	}
	if control.From(ctx) != nil || !s.w.stored(put.Name) {
		return errors.New("too early")
	}
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	s.w.finished = append(s.w.finished, put.Name)
	if put.Name == "endless" {
		return fault.New(fault.Unavailable, "This thing cannot be finished now.")
	}
	return nil
}

func (s *toy) Nest(ctx context.Context, in *nestInput) (*answer, error) {
	for _, step := range in.Steps {
		if err := s.step(ctx, step); err != nil {
			return nil, err
		}
	}
	return &answer{}, end(in.Then)
}

// step is "who op name then": an inner call. An op with a question mark may
// fail, one in brackets is taken back.
func (s *toy) step(ctx context.Context, step string) error {
	f := strings.Fields(step + " - - -")
	c := &Caller{Gateway: s.w.gw, Service: f[0] + ".amazonaws.com", OnBehalf: f[0] == "behalf"}
	name := strings.Trim(f[1], "?()")
	then := strings.Trim(f[3], "-")
	call := func(ctx context.Context) error {
		api := s.w.gw.services[0].API
		if name == "Get" {
			return c.Call(ctx, api, name, &getInput{Name: f[2], Then: then}, &answer{})
		}
		return c.Call(ctx, api, name, &putInput{Name: f[2], Then: then}, &answer{})
	}
	if strings.HasPrefix(f[1], "(") {
		taken := errors.New("taken back")
		err := s.w.db.Update(ctx, func(ctx context.Context, _ *control.Tx) error {
			return errors.Join(call(ctx), taken)
		})
		if !errors.Is(err, taken) {
			return err
		}
		return nil
	}
	err := call(ctx)
	if strings.HasSuffix(f[1], "?") {
		return nil
	}
	return err
}

func end(then string) error {
	switch then {
	case "":
		return nil
	case "invalid":
		return fault.New(fault.Invalid, "That is not valid.")
	case "panic":
		panic("in the method")
	case "501":
		return wire.Unimplemented("Put")
	}
	return fmt.Errorf("a secret word of the disk: %s", then)
}
