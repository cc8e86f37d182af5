package iam

import (
	"errors"
	"fmt"

	api "coffer/internal/aws/api/iam"
	"coffer/internal/aws/wire"
	"coffer/internal/fault"
	"coffer/internal/store"
)

// invalid is answered as ValidationError.
func invalid(format string, args ...any) error {
	return fault.New(fault.Invalid, format, args...)
}

func badInput(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	return wire.Refuse(fault.Invalid, text, &api.InvalidInputException{Message: text})
}

func notFound(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	return wire.Refuse(fault.NotFound, text, &api.NoSuchEntityException{Message: text})
}

func exists(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	return wire.Refuse(fault.Exists, text, &api.EntityAlreadyExistsException{Message: text})
}

func deleteConflict(text string) error {
	return wire.Refuse(fault.Conflict, text, &api.DeleteConflictException{Message: text})
}

func overLimit(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	return wire.Refuse(fault.Conflict, text, &api.LimitExceededException{Message: text})
}

func overQuota(name string, quota int) error {
	return overLimit("Cannot exceed quota for %s: %d", name, quota)
}

func malformedPolicy(text string) error {
	return wire.Refuse(fault.Invalid, text, &api.MalformedPolicyDocumentException{Message: text})
}

// noEntity is AWS's text for a name that nothing has.
func noEntity(k kind, name string) error {
	if k == profileKind {
		return notFound("Instance Profile %s cannot be found.", name)
	}
	return notFound("The %s with name %s cannot be found.", kinds[k].noun, name)
}

func nameTaken(k kind, name string) error {
	switch k {
	case policyKind:
		return exists("A policy called %s already exists. Duplicate names are not allowed.", name)
	case profileKind:
		return exists("Instance Profile %s already exists.", name)
	}
	return exists("%s with name %s already exists.", kinds[k].title, name)
}

func noPolicy(name string) error { return notFound("Policy %s was not found.", name) }

func protected(e *entity) error {
	text := fmt.Sprintf("Cannot perform the operation on the protected role '%s' - "+
		"this role is only modifiable by AWS", e.Name)
	return wire.Refuse(fault.Conflict, text, &api.UnmodifiableEntityException{Message: text})
}

// notAttachable is for policies of service-linked roles.
func notAttachable() error {
	text := "Cannot attach a Service Role Policy to a Customer Role."
	return wire.Refuse(fault.Invalid, text, &api.PolicyNotAttachableException{Message: text})
}

// clientText is the text of an error of the policy parser.
func clientText(err error) string {
	if e, ok := errors.AsType[*fault.Error](err); ok {
		return e.Text
	}
	return "Syntax errors in policy."
}

// notAuthorizedForAWS is what changing a policy of AWS's is answered with, by
// whomever.
func notAuthorizedForAWS(r *request, name string) error {
	return fault.New(fault.Denied, "User: %s is not authorized to change the AWS managed "+
		"policy %s", r.call.Principal.String(), name)
}

// damagedPolicy: a row names a policy that is gone, which no operation leaves.
func damagedPolicy(name string) error {
	return fmt.Errorf("%w: managed policy %s is attached and not there", store.ErrDamaged, name)
}
