package iam

import (
	"cmp"
	"context"
	"reflect"
	"strings"

	"coffer/internal/arn"
	api "coffer/internal/aws/api/iam"
	"coffer/internal/aws/gateway"
	"coffer/internal/aws/wire"
	"coffer/internal/control"
	"coffer/internal/policy"
)

// Access says which entity a request touches, by its ARN with the path, and what
// conditions may look at. An entity that does not exist is decided by the ARN that
// it would have, so that only who may look learns that it is not there.
//
// Source: Service Authorization Reference, "Actions, resources, and condition keys
// for AWS Identity and Access Management".
func (s *Service) Access(ctx context.Context, op *wire.Op, in any) ([]gateway.Check, error) {
	a := &access{
		request: request{s, control.From(ctx), gateway.From(ctx)},
		op:      op.Name, in: reflect.ValueOf(in).Elem(), keys: map[string][]string{},
	}
	check := gateway.Check{Context: a.keys}
	var err error
	if check.Resource, check.Type, err = a.resource(); err != nil {
		return nil, err
	}
	if strings.HasPrefix(check.Resource, "arn:aws:iam::"+ownedByAWS+":") {
		check.Account = a.account() // AWS's policies are everybody's
	}
	a.conditions()
	checks := []gateway.Check{check}
	if list, ok := in.(*api.AddRoleToInstanceProfileInput); ok {
		e, err := byName(a.tx, a.account(), roleKind, list.RoleName)
		if err != nil {
			return nil, err
		}
		checks = append(checks, gateway.Check{Action: "iam:PassRole",
			Resource: a.named(roleKind, e, "", list.RoleName)})
	}
	if target, err := a.target(); err != nil {
		return nil, err
	} else if target != "" {
		checks = append(checks, gateway.Check{Resource: target, Context: a.keys})
	}
	if strings.HasPrefix(a.op, "Create") && len(a.keys["aws:TagKeys"]) > 0 {
		kind := strings.TrimPrefix(a.op, "Create")
		checks = append(checks, gateway.Check{Action: "iam:Tag" + kind,
			Resource: check.Resource, Context: a.keys})
	}
	return checks, nil
}

// access is a request while its decisions are gathered.
type access struct {
	request
	op   string
	in   reflect.Value
	keys map[string][]string
}

// text gives a member of the input, "" if it has none of that name.
func (a *access) text(member string) string {
	v := a.in.FieldByName(member)
	if !v.IsValid() || v.Kind() != reflect.String {
		return ""
	}
	return v.String()
}

// naming are the members of inputs that say what the operation is about. Where an input has
// several, the first here is its resource.
var naming = []struct {
	member string
	kind   kind
}{
	{"InstanceProfileName", profileKind}, {"GroupName", groupKind}, {"RoleName", roleKind},
	{"UserName", userKind}, {"PolicyName", policyKind},
}

// resource gives the ARN of what the request touches, and what CloudTrail calls it.
func (a *access) resource() (name, kindName string, err error) {
	for _, m := range naming {
		if !a.in.FieldByName(m.member).IsValid() {
			continue
		}
		given := a.text(m.member)
		if given == "" && m.kind == userKind {
			if given = a.callerName(); given == "" {
				return a.call.Principal.ARN, "", nil
			}
		}
		e, err := byName(a.tx, a.account(), m.kind, given)
		if err != nil {
			return "", "", err
		}
		a.resourceTags(e)
		return a.named(m.kind, e, a.text("Path"), given), cloudTrailType(m.kind), nil
	}
	if name, kindName, err := a.device(); err != nil || name != "" {
		return name, kindName, err
	}
	for _, member := range []string{"PolicyArn", "PolicySourceArn"} {
		if given := a.text(member); given != "" {
			return a.byARN(given)
		}
	}
	if id := a.text("AccessKeyId"); id != "" {
		return a.byKey(id)
	}
	if name := a.linkedRole(); name != "" {
		return name, cloudTrailType(roleKind), nil
	}
	if part, ok := listed[a.op]; ok {
		return arn.New("iam", "", a.account(), part+cmp.Or(a.text("PathPrefix"), "/")).String(),
			"", nil
	}
	return "*", "", nil
}

// target is the ARN that a user or group is to have, "" where none changes: who may move
// those under one path may not put them under another.
//
// Source: IAM API reference, UpdateUser, UpdateGroup.
func (a *access) target() (string, error) {
	for op, m := range map[string]struct {
		kind      kind
		from, new string
	}{
		"UpdateUser":  {userKind, "UserName", "NewUserName"},
		"UpdateGroup": {groupKind, "GroupName", "NewGroupName"},
	} {
		if op != a.op {
			continue
		}
		e, err := byName(a.tx, a.account(), m.kind, a.text(m.from))
		if err != nil || e == nil {
			return "", err
		}
		return entityARN(a.account(), m.kind, cmp.Or(a.text("NewPath"), e.Path),
			cmp.Or(a.text(m.new), e.Name)), nil
	}
	return "", nil
}

// listed are listings whose denials AWS words with the path that they list.
var listed = map[string]string{
	"ListUsers": "user", "ListGroups": "group", "ListRoles": "role",
	"ListInstanceProfiles": "instance-profile",
}

// named is the ARN of an entity, or of one that is to be made.
func (a *access) named(k kind, e *entity, path, name string) string {
	if e != nil && (k != policyKind || a.op != "CreatePolicy") {
		return e.arn()
	}
	return entityARN(a.account(), k, cmp.Or(path, "/"), name)
}

// byARN is the resource of a request that names it by its ARN. What is none is for
// the operation to refuse, for those who may call it at all.
func (a *access) byARN(given string) (name, kindName string, err error) {
	if n, err := arn.Parse(given); err != nil || n.Service != "iam" {
		return "*", "", nil
	}
	e, err := managed(a.tx, a.account(), given)
	if err != nil {
		return "", "", err
	}
	if e != nil {
		a.resourceTags(e)
		kindName = cloudTrailType(policyKind)
	}
	return given, kindName, nil
}

// linkedRole is the service-linked role that a request makes, or asks after by the
// task of its deletion.
func (a *access) linkedRole() string {
	if service := a.text("AWSServiceName"); service != "" {
		return entityARN(a.account(), roleKind, servicePath+service+"/",
			linkedServices[service].role)
	}
	task, ok := strings.CutPrefix(a.text("DeletionTaskId"), "task"+servicePath)
	end := strings.LastIndexByte(task, '/')
	if !ok || end < 0 {
		return ""
	}
	return entityARN(a.account(), roleKind, servicePath, task[:end])
}

// byKey is the user whose access key a request names, and no other.
func (a *access) byKey(id string) (name, kindName string, err error) {
	row, err := loadKey(a.tx, id)
	if err != nil || row == nil || row.Account != a.account() || row.User == "" {
		return "*", "", err
	}
	e, err := existing(a.tx, row.Account, userKind, row.User)
	if err != nil {
		return "", "", err
	}
	a.resourceTags(e)
	return e.arn(), cloudTrailType(userKind), nil
}

func (a *access) callerName() string {
	if p := a.call.Principal; p.Kind == policy.User {
		return p.Name
	}
	return ""
}

func cloudTrailType(k kind) string {
	return "AWS::IAM::" + strings.ReplaceAll(kinds[k].title, " ", "")
}

func (a *access) resourceTags(e *entity) {
	if e == nil {
		return
	}
	for _, t := range e.Tags {
		a.keys["aws:ResourceTag/"+t.Key] = []string{t.Value}
		a.keys["iam:ResourceTag/"+t.Key] = []string{t.Value}
	}
}

// conditions are the keys that follow from the request's own members.
func (a *access) conditions() {
	if v := a.text("PolicyArn"); v != "" && (strings.HasPrefix(a.op, "Attach") ||
		strings.HasPrefix(a.op, "Detach")) {
		a.keys["iam:PolicyARN"] = []string{v}
	}
	if v := a.text("AWSServiceName"); v != "" {
		a.keys["iam:AWSServiceName"] = []string{v}
	}
	a.boundaryKey()
	if tags, ok := a.member("Tags").([]api.Tag); ok {
		for _, t := range tags {
			a.keys["aws:RequestTag/"+t.Key] = []string{t.Value}
			a.keys["aws:TagKeys"] = append(a.keys["aws:TagKeys"], t.Key)
		}
	}
	if keys, ok := a.member("TagKeys").([]string); ok {
		a.keys["aws:TagKeys"] = append(a.keys["aws:TagKeys"], keys...)
	}
}

func (a *access) member(name string) any {
	if v := a.in.FieldByName(name); v.IsValid() {
		return v.Interface()
	}
	return nil
}

// boundaryKey is the boundary that a request sets, else the one that its user or
// role has: so an administrator may delegate only within a boundary.
func (a *access) boundaryKey() {
	if v := a.text("PermissionsBoundary"); v != "" {
		a.keys["iam:PermissionsBoundary"] = []string{v}
		return
	}
	for _, m := range naming {
		if m.kind != userKind && m.kind != roleKind || strings.HasPrefix(a.op, "Create") {
			continue
		}
		name := a.text(m.member)
		if name == "" {
			continue
		}
		e, err := byName(a.tx, a.account(), m.kind, name)
		if err == nil && e != nil && e.Boundary != "" {
			a.keys["iam:PermissionsBoundary"] = []string{e.Boundary}
		}
	}
}
