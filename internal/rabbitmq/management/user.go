package management

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"coffer/internal/fault"
	"coffer/internal/rabbitmq"
)

// shaHashing is how RabbitMQ hashes passwords unless it is told otherwise.
const shaHashing = "rabbit_password_hashing_sha256"

func listUsers(c *call) error {
	list := []object{}
	for _, u := range c.h.broker.Users() {
		list = append(list, shownUser(u))
	}
	return c.list(list, "name")
}

// listUnpermitted answers with the users who may enter no virtual host.
func listUnpermitted(c *call) error {
	permitted := map[string]bool{}
	for _, p := range c.h.broker.Permissions() {
		permitted[p.User] = true
	}
	list := []object{}
	for _, u := range c.h.broker.Users() {
		if !permitted[u.Name] {
			list = append(list, shownUser(u))
		}
	}
	return c.list(list, "name")
}

// shownUser gives the fields of a user. A password that is kept as argon2id, which
// RabbitMQ does not know, has no password_hash.
func shownUser(u rabbitmq.UserInfo) object {
	return object{
		"name": u.Name, "password_hash": u.Hash, "hashing_algorithm": u.Algorithm,
		"tags": filled(u.Tags), "limits": limitsOf(u.Limits),
	}
}

// filled gives a list that JSON shows as one.
func filled(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func limitsOf(m map[string]int64) object {
	o := object{}
	for k, v := range m {
		o[k] = v
	}
	return o
}

// namedUser gives the user of the path.
func (c *call) namedUser() (rabbitmq.UserInfo, error) {
	u, ok := c.h.broker.User(c.vars["user"])
	if !ok {
		return u, missing()
	}
	return u, nil
}

func getUser(c *call) error {
	u, err := c.namedUser()
	if err != nil {
		return err
	}
	return c.one(shownUser(u))
}

func putUser(c *call) error {
	body, err := c.body()
	if err != nil {
		return err
	}
	if _, given := body["tags"]; !given {
		return badRequest("tags_not_present")
	}
	s := rabbitmq.UserSpec{Name: c.vars["user"]}
	if s.Tags, err = tagList(body["tags"]); err != nil {
		return err
	}
	if err := setPassword(&s, body); err != nil {
		return err
	}
	if err := c.keepPassword(&s, body); err != nil {
		return err
	}
	created, err := c.h.broker.PutUser(c.r.Context(), s)
	clear(s.Password)
	if err != nil {
		return err
	}
	c.made(created)
	return nil
}

// keepPassword leaves a user its password when the body says so, which RabbitMQ's has no
// word for: there, who changes tags gives the password or its hash again.
func (c *call) keepPassword(s *rabbitmq.UserSpec, body object) error {
	keep, err := truth(body, "keep_password")
	if err != nil || !keep {
		return err
	}
	u, ok := c.h.broker.User(s.Name)
	if !ok {
		return missing()
	}
	if s.Argon2id = u.Argon2id; u.Argon2id == "" {
		s.Hash, s.Algorithm = u.Hash, u.Algorithm
	}
	s.Password = nil
	return nil
}

// setPassword reads the password or its hash; without both nobody signs in with one.
func setPassword(s *rabbitmq.UserSpec, body object) error {
	algorithm, err := word(body, "hashing_algorithm")
	if err != nil {
		return err
	}
	if v, given := body["password"]; given {
		text, ok := v.(string)
		if !ok {
			return badRequest([]any{"not_string", "password"})
		}
		s.Password, s.Algorithm = []byte(text), algorithm
		return nil
	}
	hash, err := word(body, "password_hash")
	if err != nil || hash == "" {
		return err
	}
	if _, err := base64.StdEncoding.DecodeString(hash); err != nil {
		return badRequest([]any{"not_base64", "password_hash"})
	}
	s.Hash, s.Algorithm = hash, algorithm
	return nil
}

func deleteUser(c *call) error {
	if _, err := c.namedUser(); err != nil {
		return err
	}
	if err := c.h.broker.DeleteUser(c.r.Context(), c.vars["user"]); err != nil {
		return gone(err)
	}
	c.answer.status(http.StatusNoContent)
	return nil
}

// deleteUsers answers POST /api/users/bulk-delete.
func deleteUsers(c *call) error {
	body, err := c.body()
	if err != nil {
		return err
	}
	if err := need(body, "users"); err != nil {
		return err
	}
	list, ok := body["users"].([]any)
	if !ok {
		return badRequest([]any{"not_list", "users"})
	}
	for _, v := range list {
		name, ok := v.(string)
		if _, known := c.h.broker.User(name); !ok || !known {
			return badRequest([]any{"no_such_user", v})
		}
	}
	for _, v := range list {
		err := c.h.broker.DeleteUser(c.r.Context(), v.(string))
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return err
		}
	}
	c.answer.status(http.StatusNoContent)
	return nil
}

// gone is what RabbitMQ answers when a thing to be deleted is not there.
func gone(err error) error {
	if fault.KindOf(err) == fault.NotFound {
		return missing()
	}
	return err
}

// tagList reads tags as clients write them: a text with commas, or a list of texts.
func tagList(v any) ([]string, error) {
	list := []string{}
	switch v := v.(type) {
	case string:
		for tag := range strings.SplitSeq(v, ",") {
			if tag = strings.TrimSpace(tag); tag != "" {
				list = append(list, tag)
			}
		}
		return list, nil
	case []any:
		for _, x := range v {
			tag, ok := x.(string)
			if !ok {
				return nil, badRequest([]any{"not_string", "tags"})
			}
			list = append(list, tag)
		}
		return slices.Clip(list), nil
	}
	return nil, badRequest([]any{"not_string", "tags"})
}
