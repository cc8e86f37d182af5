package kit

import (
	"context"
	"errors"
	"slices"
	"sync"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
)

// Call is one answered call of an AWS API.
type Call struct {
	Operation, RequestID string
	Code                 string // of the error; empty when it succeeded
}

// Calls remembers the calls that were made, to compare the trail with.
type Calls struct {
	mu   sync.Mutex
	list []Call
}

// All gives the calls so far, in the order of their answers.
func (c *Calls) All() []Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.list)
}

func (c *Calls) middleware() middleware.InitializeMiddleware {
	return middleware.InitializeMiddlewareFunc("StoryCalls", func(
		ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
	) (middleware.InitializeOutput, middleware.Metadata, error) {
		out, md, err := next.HandleInitialize(ctx, in)
		call := Call{Operation: awsmiddleware.GetOperationName(ctx)}
		call.RequestID, _ = awsmiddleware.GetRequestIDMetadata(md)
		if e, ok := errors.AsType[*awshttp.ResponseError](err); ok {
			call.RequestID = e.ServiceRequestID()
		}
		call.Code, _ = Fault(err)
		if call.RequestID != "" { // else there was no answer
			c.mu.Lock()
			defer c.mu.Unlock()
			c.list = append(c.list, call)
		}
		return out, md, err
	})
}

// Fault gives the code and text of an answer that is an error.
func Fault(err error) (code, text string) {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode(), e.ErrorMessage()
	}
	return "", ""
}
