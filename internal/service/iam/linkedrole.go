package iam

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	api "coffer/internal/aws/api/iam"
	"coffer/internal/aws/wire"
	"coffer/internal/control"
	"coffer/internal/store"
)

// linkedService is a service that has a role of its own in its customers' accounts.
type linkedService struct {
	role        string
	policy      string // name of AWS's policy for it
	description string
}

var linkedServices = map[string]linkedService{
	"mq.amazonaws.com": {
		"AWSServiceRoleForAmazonMQ", "AmazonMQServiceRolePolicy",
		"Allows Amazon MQ to call AWS services on your behalf",
	},
}

// servicePath begins the paths of service-linked roles and of their policies.
const servicePath = "/aws-service-role/"

// tasksKept is how long the outcome of a deletion can be asked for.
const tasksKept = 7 * 24 * time.Hour

// deletion is a row of control.TableIAMTask: MAC of the account (16), MAC of the
// task's id (16). A service-linked role is deleted with its task, so every task
// has succeeded.
type deletion struct {
	Task string    `json:"task"`
	At   time.Time `json:"at"`
}

func deletionKey(tx *control.Tx, account, task string) []byte {
	return append(scope(tx, account), tx.MAC("iam/task", task)...)
}

// CreateServiceLinkedRole makes the role that a service has in this account.
func (s *Service) CreateServiceLinkedRole(
	ctx context.Context, in *api.CreateServiceLinkedRoleInput,
) (*api.CreateServiceLinkedRoleOutput, error) {
	out := &api.CreateServiceLinkedRoleOutput{}
	return out, s.update(ctx, func(r *request) error {
		service, known := linkedServices[in.AWSServiceName]
		switch {
		case !known:
			return badInput("Service role creation is not supported for service %s.",
				in.AWSServiceName)
		case in.CustomSuffix != "":
			return badInput("Custom suffix is not allowed for %s", in.AWSServiceName)
		}
		taken, err := byName(r.tx, r.account(), roleKind, service.role)
		if err == nil && taken != nil {
			err = badInput("Service role name %s has been taken in this account, please try a "+
				"different suffix.", service.role)
		}
		if err != nil {
			return err
		}
		e := &entity{
			Kind: roleKind, Name: service.role, Path: servicePath + in.AWSServiceName + "/",
			Role: &rolePart{
				Trust:       serviceTrust(in.AWSServiceName),
				Description: wire.Or(in.Description, service.description),
				MaxSeconds:  usualSeconds, Service: in.AWSServiceName,
			},
			Attached: []string{
				entityARN(ownedByAWS, policyKind, servicePath, service.policy),
			},
		}
		if err := r.create(e, nil); err != nil {
			return err
		}
		r.tx.Put(control.TableIAMLink, e.linkKey(r.tx, asPermissions, e.Attached[0]), nil)
		out.Role, err = e.role(r.tx)
		return err
	})
}

// serviceTrust lets one service assume a role.
func serviceTrust(service string) string {
	return `{"Version":"2012-10-17","Statement":[{"Action":["sts:AssumeRole"],` +
		`"Effect":"Allow","Principal":{"Service":["` + service + `"]}}]}`
}

// DeleteServiceLinkedRole deletes such a role. At AWS the service is asked first
// whether it still needs the role; Coffer's services need none, so the task has
// succeeded when it is there.
func (s *Service) DeleteServiceLinkedRole(
	ctx context.Context, in *api.DeleteServiceLinkedRoleInput,
) (*api.DeleteServiceLinkedRoleOutput, error) {
	out := &api.DeleteServiceLinkedRoleOutput{}
	return out, s.update(ctx, func(r *request) error {
		e, err := r.find(roleKind, in.RoleName)
		if err == nil && e.Role.Service == "" {
			err = noEntity(roleKind, in.RoleName)
		}
		if err != nil {
			return err
		}
		for _, name := range e.Attached {
			r.tx.Delete(control.TableIAMLink, e.linkKey(r.tx, asPermissions, name))
		}
		e.remove(r.tx)
		if err := r.forgetTasks(); err != nil {
			return err
		}
		out.DeletionTaskId = "task" + e.Path + e.Name + "/" + uuid.NewString()
		row := deletion{out.DeletionTaskId, r.tx.Time()}
		return put(r.tx, control.TableIAMTask,
			deletionKey(r.tx, r.account(), row.Task), row)
	})
}

// forgetTasks deletes what nobody will ask for any more.
func (r *request) forgetTasks() error {
	return r.tx.Scan(control.TableIAMTask, scope(r.tx, r.account()), func(id, v []byte) error {
		row, err := parseDeletion(v)
		if err == nil && r.tx.Time().Sub(row.At) > tasksKept {
			r.tx.Delete(control.TableIAMTask, id)
		}
		return err
	})
}

func parseDeletion(v []byte) (row deletion, err error) {
	if err := json.Unmarshal(v, &row); err != nil {
		return row, fmt.Errorf("%w: deletion of a service-linked role", store.ErrDamaged)
	}
	return row, nil
}

// GetServiceLinkedRoleDeletionStatus tells what became of a deletion.
func (s *Service) GetServiceLinkedRoleDeletionStatus(
	ctx context.Context, in *api.GetServiceLinkedRoleDeletionStatusInput,
) (*api.GetServiceLinkedRoleDeletionStatusOutput, error) {
	out := &api.GetServiceLinkedRoleDeletionStatusOutput{Status: "SUCCEEDED"}
	return out, s.view(ctx, func(r *request) error {
		_, found, err := r.tx.Get(control.TableIAMTask,
			deletionKey(r.tx, r.account(), in.DeletionTaskId))
		if err == nil && (!found || !strings.HasPrefix(in.DeletionTaskId, "task/")) {
			err = notFound("Deletion task %s cannot be found.", in.DeletionTaskId)
		}
		return err
	})
}
