package rootkey

import (
	"strconv"
	"strings"

	"coffer/internal/fault"
)

// Kind is what a root key is made of.
type Kind string

// The kinds of root keys.
const (
	Key        Kind = "key"        // 32 random bytes, kept somewhere
	Passphrase Kind = "passphrase" // derived from words
	Shares     Kind = "shares"     // of several people, some of whom have to come together
)

// Describe says what the key is: "made of shares".
func (k Kind) Describe() string {
	switch k {
	case Passphrase:
		return "made of a passphrase"
	case Shares:
		return "made of shares"
	}
	return "a random key"
}

// Place is where a secret is read from.
type Place string

// The places. A secret is never an argument or the value of a variable: others on the
// machine can read those.
const (
	File       Place = "file"
	Credential Place = "credential" // of systemd: LoadCredential=, SetCredentialEncrypted=
	Descriptor Place = "fd"
	Prompt     Place = "prompt" // the terminal, without echo
)

// Source is where a root key comes from. It holds no secret.
type Source struct {
	Kind  Kind
	Place Place  // none of shares
	Name  string // path of a file, name of a credential
	FD    int    // of a descriptor
}

// ParseSource reads a setting: a path, file:PATH, credential:NAME, fd:NUMBER, passphrase,
// passphrase:credential:NAME, passphrase:fd:NUMBER, shares, or shares:fd:NUMBER. The error says
// what of it is wrong and has the kind fault.Invalid.
func ParseSource(text string) (Source, error) {
	if text == string(Shares) {
		return Source{Kind: Shares}, nil
	}
	if text == string(Passphrase) {
		return Source{Kind: Passphrase, Place: Prompt}, nil
	}
	kind := Key
	rest, words := strings.CutPrefix(text, string(Passphrase)+":")
	if words {
		kind = Passphrase
	}
	if list, ok := strings.CutPrefix(text, string(Shares)+":"); ok {
		kind, rest = Shares, list
		if !strings.HasPrefix(rest, string(Descriptor)+":") {
			return Source{}, fault.New(fault.Invalid, "%q: shares are given with coffer unseal "+
				"(shares), or read from an open descriptor, a line each (shares:fd:NUMBER)", text)
		}
	}
	place, name, found := strings.Cut(rest, ":")
	s := Source{Kind: kind, Place: Place(place), Name: name}
	switch {
	case found && s.Place == Descriptor:
		s.Name = ""
		n, err := strconv.Atoi(name)
		if err != nil || n < 0 || n == 1 || n == 2 || n > 1<<20 {
			return s, fault.New(fault.Invalid,
				"%q: name an open descriptor, such as fd:3, which is neither 1 nor 2", text)
		}
		s.FD = n
	case found && s.Place == Credential:
		if name == "" || name == "." || name == ".." || strings.ContainsRune(name, '/') {
			return s, fault.New(fault.Invalid, "%q: not the name of a credential", text)
		}
	case words:
		return s, fault.New(fault.Invalid, "%q: a passphrase is read from the terminal "+
			"(passphrase), passphrase:credential:NAME or passphrase:fd:NUMBER", text)
	case found && s.Place == File && name != "":
	case text == "" || found && s.Place == File:
		return s, fault.New(fault.Invalid, "the root key's source is empty")
	default:
		s = Source{Kind: Key, Place: File, Name: text}
	}
	return s, nil
}

// String writes the source as [ParseSource] reads it.
func (s Source) String() string {
	var text string
	switch s.Place {
	case Prompt:
		return string(s.Kind)
	case File:
		return s.Name
	case Descriptor:
		text = string(Descriptor) + ":" + strconv.Itoa(s.FD)
	case Credential:
		text = string(Credential) + ":" + s.Name
	default:
		return string(s.Kind)
	}
	if s.Kind != Key {
		text = string(s.Kind) + ":" + text
	}
	return text
}
