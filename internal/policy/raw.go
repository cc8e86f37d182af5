package policy

import "encoding/json"

// rawStatement is a statement as it is written.
type rawStatement struct {
	*reader
	sid, effect                string
	principals                 []principalName
	action, resource           []string
	hasPrincipal, notPrincipal bool
	hasAction, notAction       bool
	hasResource, notResource   bool
	conditions                 []rawCondition
	start, end                 Position
}

// rawCondition is one key under one operator.
type rawCondition struct {
	operator, key string
	values        []string
}

func isDelim(t json.Token, d rune) bool { return t == json.Delim(d) }

// member reads one element of the statement.
func (s *rawStatement) member(key string) (err error) {
	switch key {
	case "Sid":
		s.sid, err = s.text(key)
	case "Effect":
		s.effect, err = s.text(key)
	case "Principal", "NotPrincipal":
		if s.hasPrincipal {
			return syntaxError("statement has both Principal and NotPrincipal")
		}
		s.hasPrincipal, s.notPrincipal = true, key == "NotPrincipal"
		err = s.principalElement(key)
	case "Action", "NotAction":
		if s.hasAction {
			return syntaxError("statement has both Action and NotAction")
		}
		s.hasAction, s.notAction = true, key == "NotAction"
		s.action, err = s.texts(key, false)
	case "Resource", "NotResource":
		if s.hasResource {
			return syntaxError("statement has both Resource and NotResource")
		}
		s.hasResource, s.notResource = true, key == "NotResource"
		s.resource, err = s.texts(key, false)
	case "Condition":
		err = s.object(key, s.conditionOperator)
	default:
		err = syntaxError("statement has unknown element %q", key)
	}
	return err
}

// principalElement reads "*" or a map from kinds to names.
func (s *rawStatement) principalElement(element string) error {
	t, err := s.token()
	if err != nil {
		return err
	}
	if t == "*" {
		s.principals = append(s.principals, principalName{kind: nameEveryone})
		return nil
	}
	if !isDelim(t, '{') {
		return malformed("Invalid principal in policy.")
	}
	return s.members(element, func(key string) error {
		names, err := s.texts(key, false)
		if err != nil {
			return err
		}
		for _, name := range names {
			n, ok := parsePrincipalName(key, name)
			if !ok {
				return malformed("Invalid principal in policy: %q:%q", key, name)
			}
			s.principals = append(s.principals, n)
		}
		return nil
	})
}

// conditionOperator reads the keys under one operator.
func (s *rawStatement) conditionOperator(name string) error {
	return s.object(name, func(key string) error {
		values, err := s.texts(key, true)
		s.conditions = append(s.conditions, rawCondition{name, key, values})
		return err
	})
}

// check looks at what elements the statement has.
func (s *rawStatement) check(use Use) error {
	switch {
	case s.effect != "Allow" && s.effect != "Deny":
		return syntaxError("effect %q is neither Allow nor Deny", s.effect)
	case len(s.action) == 0:
		return malformed("Policy statement must contain actions.")
	case use == Identity && s.hasPrincipal:
		return malformed("Policy document should not specify a principal.")
	case use != Identity && len(s.principals) == 0:
		return malformed("Policy statement must contain principals.")
	case use == Trust && s.notPrincipal:
		return malformed("Has prohibited field NotPrincipal")
	case use == Trust && s.hasResource:
		return malformed("Has prohibited field Resource")
	case use != Trust && len(s.resource) == 0:
		return malformed("Policy statement must contain resources.")
	case s.notPrincipal && s.effect == "Allow":
		return malformed("NotPrincipal with Allow is not supported.")
	}
	return nil
}

// compile makes the statement ready to match.
func (s *rawStatement) compile(variables bool) (statement, error) {
	out := statement{
		label: s.sid, deny: s.effect == "Deny",
		principals: s.principals, notPrincipals: s.notPrincipal,
		notActions: s.notAction, notResources: s.notResource,
		start: s.start, end: s.end,
	}
	var err error
	if out.actions, err = compileActions(s.action); err != nil {
		return statement{}, err
	}
	if out.resources, err = compileResources(s.resource, variables); err != nil {
		return statement{}, err
	}
	for _, raw := range s.conditions {
		c, err := raw.compile(variables)
		if err != nil {
			return statement{}, err
		}
		out.conditions = append(out.conditions, c)
	}
	return out, nil
}
