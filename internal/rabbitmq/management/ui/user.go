package ui

import (
	"encoding/json"
	"net/http"
	"strings"
)

// user is what the API shows of a user.
type user struct {
	Name   string
	Tags   []string
	Hash   string `json:"password_hash"`
	Limits map[string]json.Number
}

type permission struct {
	User, Vhost, Configure, Write, Read, Exchange string
}

// usersPage is what the list of users shows.
type usersPage struct {
	*listing[user]
	In map[string][]string // virtual hosts by user
}

func showUsers(v *visit) error {
	var all []user
	if err := v.get(path("users"), nil, &all); err != nil {
		return err
	}
	var permissions []permission
	if err := v.get(path("permissions"), nil, &permissions); err != nil {
		return err
	}
	p := usersPage{slice(v, all, func(u user) string { return u.Name }), map[string][]string{}}
	for _, x := range permissions {
		p.In[x.User] = append(p.In[x.User], x.Vhost)
	}
	return v.show("users", "Users", p)
}

// userPage is what the page of a user shows.
type userPage struct {
	User        user
	Permissions []permission
	Topics      []permission
	Vhosts      []string
	Vhost       string // for forms
}

func showUser(v *visit) error {
	var p userPage
	at := path("users", v.field("user"))
	if err := v.get(at, nil, &p.User); err != nil {
		return err
	}
	if err := v.get(at+"/permissions", nil, &p.Permissions); err != nil {
		return err
	}
	if err := v.get(at+"/topic-permissions", nil, &p.Topics); err != nil {
		return err
	}
	var err error
	if p.Vhosts, err = v.vhosts(); err != nil {
		return err
	}
	return v.show("user", "User "+p.User.Name, &p)
}

func userLink(name string) string { return link("/user", "user", name) }

// putUser makes a user, or changes one.
func putUser(v *visit) error {
	name := v.field("user")
	body := map[string]any{"tags": tags(v.field("tags"))}
	password := v.field("password")
	if v.field("mode") == "password" || v.field("mode") == "" {
		if password == "" {
			return wrong("A password is missing.")
		}
		if password != v.field("again") {
			return wrong("The two passwords are not the same.")
		}
	}
	switch v.field("mode") {
	case "keep":
		body["keep_password"] = true
	case "none":
	case "hash":
		body["password_hash"] = password
	default:
		body["password"] = password
	}
	if err := v.change(http.MethodPut, path("users", name), body, nil); err != nil {
		return err
	}
	return v.done(userLink(name), "User %q is saved.", name)
}

// tags reads tags with commas or gaps between them.
func tags(text string) []string {
	return strings.FieldsFunc(text, func(c rune) bool {
		return c == ',' || c == ' ' || c == '\n' || c == '\r' || c == '\t'
	})
}

func deleteUser(v *visit) error {
	name := v.field("user")
	if err := v.change(http.MethodDelete, path("users", name), nil, nil); err != nil {
		return err
	}
	return v.done("/users", "User %q is deleted.", name)
}

func putPermission(v *visit) error {
	at := path("permissions", v.field("vhost"), v.field("user"))
	err := v.change(http.MethodPut, at, map[string]any{
		"configure": v.field("configure"), "write": v.field("write"), "read": v.field("read"),
	}, nil)
	if err != nil {
		return err
	}
	return v.done(userLink(v.field("user")), "The permissions in %q are set.", v.field("vhost"))
}

func deletePermission(v *visit) error {
	at := path("permissions", v.field("vhost"), v.field("user"))
	if err := v.change(http.MethodDelete, at, nil, nil); err != nil {
		return err
	}
	return v.done(userLink(v.field("user")), "The permissions in %q are gone.", v.field("vhost"))
}

func putTopic(v *visit) error {
	at := path("topic-permissions", v.field("vhost"), v.field("user"))
	err := v.change(http.MethodPut, at, map[string]any{
		"exchange": v.field("exchange"), "write": v.field("write"), "read": v.field("read"),
	}, nil)
	if err != nil {
		return err
	}
	return v.done(userLink(v.field("user")), "The topic permissions for %q are set.",
		exchangeName(v.field("exchange")))
}

func deleteTopic(v *visit) error {
	at := path("topic-permissions", v.field("vhost"), v.field("user"))
	if x := v.field("exchange"); x != "" {
		at = path("topic-permissions", v.field("vhost"), v.field("user"), x)
	}
	if err := v.change(http.MethodDelete, at, nil, nil); err != nil {
		return err
	}
	return v.done(userLink(v.field("user")), "The topic permissions are gone.")
}
